"""The left mouse button: where it went down, where the pointer went with it, where it was let go.

All of it is taken from the window's events, in their order: where a machine draws slowly, a whole click or drag may lie between
two frames, and where the pointer stood when the frame began is not where the button is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

Place = tuple[float, float]  # in the window's units


@dataclass(eq=False)
class Press:
    """Where the button went down; where the pointer is now, or was when the button was let go."""

    place: Place
    now: Place
    held: bool = True

    @classmethod
    def at(cls, place: Place) -> Press:
        """A press that is over."""
        return cls(place, place, held=False)


class Presses:
    """What the window's events tell of the left button.

    Parameters
    ----------
    size : tuple of int
        Pixels of the window.
    clock : callable
        Seconds now.
    """

    def __init__(self, size: tuple[int, int], clock: Callable[[], float]):
        self._width, self._height = size
        self._clock = clock
        self._found: list[tuple[float, Press]] = []
        self._down: Press | None = None  # the one that is not let go yet

    def handlers(self) -> dict[str, Callable[..., None]]:
        """By the names that the window's events have."""
        return {"on_mouse_press": self._pressed, "on_mouse_drag": self._dragged, "on_mouse_release": self._released}

    def taken(self) -> list[tuple[float, Press]]:
        """Presses since the last call, each with its moment; of one that is held more is noted as it happens."""
        found, self._found = self._found, []
        return found

    def lost(self) -> None:
        """Another window has the focus: who lets go there is not heard here."""
        if self._down is not None:
            self._down.held, self._down = False, None

    def _pressed(self, x: int, y: int, button: int, modifiers: int) -> None:
        if button == 1:
            place = self._place(x, y)
            self._down = Press(place, place)
            self._found.append((self._clock(), self._down))

    def _dragged(self, x: int, y: int, dx: int, dy: int, buttons: int, modifiers: int) -> None:
        if self._down is not None:
            self._down.now = self._place(x, y)

    def _released(self, x: int, y: int, button: int, modifiers: int) -> None:
        if button == 1 and self._down is not None:
            self._down.now, self._down.held, self._down = self._place(x, y), False, None

    def _place(self, x: int, y: int) -> Place:
        return (x - self._width / 2) / self._height, (y - self._height / 2) / self._height
