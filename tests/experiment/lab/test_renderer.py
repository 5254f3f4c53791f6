"""Software that draws is known, and draws no more than it has to."""

from __future__ import annotations

import sys
from collections.abc import Callable
from types import SimpleNamespace

import pytest

from experiment.choices import Choice
from experiment.lab.renderer import software_renderer
from experiment.lab.screens import Screens
from tests.experiment.lab.glass import World


@pytest.mark.parametrize(
    ("name", "software"), [("llvmpipe (LLVM 15, 256 bits)", "llvmpipe"), ("NVIDIA RTX", ""), ("SWRast", "SWRast")]
)
def test_software_that_draws_is_known(monkeypatch: pytest.MonkeyPatch, name: str, software: str) -> None:
    gl = SimpleNamespace(gl_info=SimpleNamespace(get_renderer=lambda: name))
    monkeypatch.setitem(sys.modules, "pyglet", SimpleNamespace(gl=gl))  # type: ignore[arg-type]
    monkeypatch.setitem(sys.modules, "pyglet.gl", gl)  # type: ignore[arg-type]
    assert software_renderer() == software


@pytest.mark.parametrize(("renderer", "flips"), [("llvmpipe", 4), ("", 80)])
def test_software_shows_again_what_stands_there_four_times_a_second(
    glass: World, monkeypatch: pytest.MonkeyPatch, renderer: str, flips: int
) -> None:
    """40 times 25 ms; what is pointed at is seen at once, and all that is pressed meanwhile is heard."""
    monkeypatch.setattr("experiment.lab.window.software_renderer", lambda: renderer)
    window = glass.window
    seen: list[int] = []

    def nothing() -> None:
        pass

    def look() -> None:
        seen.append(window.flips)

    def point() -> None:
        window.pointer = (0.21, -0.28)

    still: list[Callable[[], None]] = [nothing] * (40 if renderer else 80)
    window.todo.extend([look, *still, look, point, look, lambda: window.tap("1")])
    assert Screens("en", 0).choose("x", "Title", "Body", [Choice("a", "A", "1"), Choice("b", "B", "2")]) == "a"
    first, waited, pointed = seen
    assert first == 1
    assert waited - first == pytest.approx(flips, abs=1)
    assert pointed - waited == (1 if renderer else 2)
