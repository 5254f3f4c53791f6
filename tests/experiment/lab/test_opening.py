"""Where the window of the screens opens, how large, and what is said where it can't."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from experiment.errors import ExperimentError
from experiment.lab import hardware
from experiment.lab.opening import open_window, windowed
from tests.experiment.lab.glass import World


def test_a_window_that_can_not_be_opened_is_one_line(monkeypatch: pytest.MonkeyPatch, glass: World) -> None:
    def broken(**_: Any) -> None:
        raise OSError("no screen")

    monkeypatch.setattr(sys.modules["psychopy.visual"], "Window", broken, raising=False)
    with pytest.raises(ExperimentError, match=r"no window can be opened \(OSError\)"):
        open_window(True)


def test_a_window_opens_on_the_screen_that_was_chosen(monkeypatch: pytest.MonkeyPatch, glass: World) -> None:
    open_window(True)
    assert glass.window.options["screen"] == 0
    monkeypatch.setattr(hardware, "_display", hardware.Display(1, "", 800, 600))
    open_window(True)
    assert glass.window.options["screen"] == 1
    assert (
        glass.window.options["checkTiming"] is False
    )  # the doctor measures the display, a session does not wait for it
    assert (glass.window.options["winType"], glass.window.options["colorSpace"]) == ("pyglet", "hex")


@pytest.mark.parametrize(
    ("display", "size"),
    [((1920, 1080), (1280, 800)), ((1280, 800), (1280, 800)), ((1366, 768), (1257, 707)), ((1024, 768), (942, 707))],
)
def test_a_window_fits_the_display(display: tuple[int, int], size: tuple[int, int]) -> None:
    """Where 1280 x 800 have no room, the window takes 92 % of what there is."""
    assert windowed(*display) == size
