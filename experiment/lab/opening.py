"""Opens the window in which screens stand: over the whole of a display, or as large as it has room for."""

from __future__ import annotations

from typing import Any

from experiment.errors import ExperimentError
from experiment.lab.hardware import chosen_display, displays
from experiment.lab.typefaces import bring_fonts
from experiment.looks import PAPER

WINDOWED = (1280, 800)  # pixels of a window that does not fill the screen, where there are as many
FRAMED = 0.92  # share of a smaller screen that a window takes: its frame and the desktop's bar have the rest


def open_window(fullscreen: bool) -> Any:
    """Open PsychoPy's window.

    Raises
    ------
    ExperimentError
        If there is no display.
    """
    from psychopy import logging

    logging.console.setLevel(logging.ERROR)
    try:
        # Importing pyglet's window already looks for a display.
        from psychopy import visual

        window = visual.Window(
            size=WINDOWED if fullscreen else windowed(*display_size()),
            fullscr=fullscreen,
            screen=chosen_display(),
            units="height",
            color=PAPER,
            colorSpace="hex",
            checkTiming=False,
            allowGUI=not fullscreen,
            winType="pyglet",
            useFBO=True,
        )
        bring_fonts()
        return window
    except Exception as error:  # pyglet raises its own kinds
        raise ExperimentError(
            f"no window can be opened ({type(error).__name__}); is there a display (DISPLAY)?"
        ) from None


def display_size() -> tuple[int, int]:
    """Pixels of the screen that windows open on."""
    screen = displays()[chosen_display()]
    return screen.width, screen.height


def windowed(width: int, height: int) -> tuple[int, int]:
    """Pixels of a window, with its frame, on a screen of so many."""
    if width >= WINDOWED[0] and height >= WINDOWED[1]:
        return WINDOWED
    return min(WINDOWED[0], round(width * FRAMED)), min(WINDOWED[1], round(height * FRAMED))
