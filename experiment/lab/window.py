"""A PsychoPy window that draws only what changed, takes every press and key, and asks once before it stops.

The window draws into a frame buffer object, which keeps its content from flip to flip: a screen on which nothing moves
costs an empty flip, and a widget that covers itself (a button, the bar) is drawn alone over its old state.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiment.errors import ExperimentError
from experiment.lab.reading import seen
from experiment.lab.widgets import INK, PAPER, Bar, Button, Slider, Typeface, text, typeface
from experiment.session import Stopped
from experiment.texts import texts

Marker = Callable[[dict[str, Any]], None]


class GoingBack(Exception):
    """Whoever is asked wants to go back to the answer before."""


class Window:
    """What every screen is shown in.

    Parameters
    ----------
    fullscreen : bool
        Over the whole screen, or in a window of 1280 x 800.
    marker : callable, optional
        Told of every screen once its first frame stands: its name, and what was drawn (`reading.seen`).
    """

    def __init__(
        self,
        language: str,
        fullscreen: bool = True,
        marker: Marker | None = None,
        font: str | None = None,
        folder: Path | None = None,
    ):
        self.words = texts(language, folder)
        self.marker = marker
        self.face: Typeface = typeface(language, font)
        self.window = open_window(fullscreen)
        from psychopy import event
        from psychopy.hardware import keyboard

        self.mouse = event.Mouse(win=self.window)
        self.keys = keyboard.Keyboard(backend="ptb")
        self.stop_button = Button(
            self.window, self.face, "stop", self.words["stop"], -0.7, -0.455, 0.16, 0.045, quiet=True
        )
        self.back_button: Button | None = None  # where one may go back to the answer before
        self._presses: list[tuple[float, float]] = []
        # Presses are taken from the window's events: a short click between two frames is not lost.
        self.window.winHandle.push_handlers(on_mouse_press=self._on_press, on_deactivate=self._on_focus_lost)
        self._stopping = False  # the question whether to stop is not asked within itself
        self._seen: set[tuple[str, float]] = set()
        self._drawn: list[tuple[Any, Any]] = []  # what stands in the frame buffer: widgets and their states
        self.shown_at = time.monotonic()
        self.flips: list[float] = []  # s between the flips of the screen shown, for dropped frames
        self._last_flip: float | None = None
        self.focus_losses = 0
        self._untold: dict[str, Any] | None = None  # the screen that the marker is told of with its first frame

    def close(self) -> None:
        """Close the window."""
        self.window.close()

    def text(self, words: str, y: float, height: float = 0.034, color: str = INK, **more: Any) -> Any:
        """Text in the language's typeface."""
        return text(self.window, self.face, words, y, height, color, **more)

    def button(
        self, name: str, label: str, x: float, y: float, width: float = 0.26, height: float = 0.075, **more: Any
    ) -> Button:
        """A button in the language's typeface."""
        return Button(self.window, self.face, name, label, x, y, width, height, **more)

    def next_button(self) -> Button:
        """The button that goes on, answered by the return key."""
        return self.button("next", self.words["next"], 0.0, -0.3, key="return", primary=True)

    def choose(
        self, name: str, title: str, body: str, choices: list[tuple[str, str, str]], lead: bool = True, **detail: Any
    ) -> str:
        """Show a title, a text and buttons beside each other, the first emphasised if it is to `lead`; returns the choice."""
        parts = [self.text(title, 0.3, 0.055, bold=True)]
        if body:
            parts.append(self.text(body, 0.06, 0.032))
        width = 0.36
        buttons = [
            self.button(
                key_name,
                label,
                (i - (len(choices) - 1) / 2) * (width + 0.06),
                -0.28,
                width,
                key=key,
                primary=lead and i == 0,
            )
            for i, (key_name, label, key) in enumerate(choices)
        ]
        return self.until(name, parts, buttons, **detail)

    def until(self, name: str, parts: list[Any], buttons: list[Button], **detail: Any) -> str:
        """Show a screen until one of its buttons is chosen, by mouse or key."""
        self._presses.clear()
        self.mark(name, **detail)
        while True:
            clicked = self.frame(parts, buttons)
            for key in self.typed():
                clicked = next((b.name for b in buttons if key in (b.key, f"num_{b.key}")), clicked)
                if key in ("return", "space") and len(buttons) == 1:
                    clicked = buttons[0].name
            if clicked is not None:
                return clicked

    def frame(self, parts: list[Any], buttons: list[Button], slider: Slider | None = None) -> str | None:
        """Show one frame and return the name of the button clicked in it."""
        x, y = self.mouse.getPos()
        point = (float(x), float(y))
        stop, back = self.stop_button, self.back_button
        always = [] if self._stopping else [stop, *([back] if back else [])]
        for button in [*buttons, *always]:
            button.hover = button.contains(point)
        self._draw([*parts, *buttons, *always])
        self.window.flip(clearBuffer=False)
        now = time.monotonic()
        if self._last_flip is None:
            self.shown_at = now
        else:
            self.flips.append(now - self._last_flip)
        self._last_flip = now
        if self.marker is not None and self._untold is not None:
            told, self._untold = self._untold, None
            size = (int(self.window.size[0]), int(self.window.size[1]))
            self.marker({**told, "shown": [x for w, _ in self._drawn for x in seen(w, size)]})
        time.sleep(0.008)  # where nothing waits for the display (no vsync), do not draw as fast as can be
        presses, self._presses = self._presses, []
        if slider is not None:
            for place in [*presses, *([point] if self.mouse.getPressed()[0] else [])]:
                slider.touch(place)
        for place in presses:
            if stop.contains(place) and not self._stopping:
                self._stop()
            if back and back.contains(place) and not self._stopping:
                raise GoingBack
            clicked = next((b.name for b in buttons if b.enabled and b.contains(place)), None)
            if clicked is not None:
                return clicked
        return None

    def _draw(self, widgets: list[Any]) -> None:
        """Draw what differs from what stands there: a part alone where it covers itself, else everything anew."""
        states = [(w, w.state() if hasattr(w, "state") else w.text) for w in widgets]
        same = len(states) == len(self._drawn) and all(
            a is b for (a, _), (b, _) in zip(states, self._drawn, strict=True)
        )
        if same:
            changed = [w for (w, new), (_, old) in zip(states, self._drawn, strict=True) if new != old]
        if not same or not all(isinstance(w, (Bar, Button)) for w in changed):
            self.window.clearBuffer()
            changed = widgets
        for widget in changed:
            widget.draw()
        self._drawn = states

    def _on_press(self, x: int, y: int, button: int, modifiers: int) -> None:
        """Note where the left button went down, in the window's units."""
        if button == 1:
            width, height = self.window.size
            self._presses.append(((x - width / 2) / height, (y - height / 2) / height))

    def _on_focus_lost(self) -> None:
        self.focus_losses += 1

    def typed(self) -> list[str]:
        """Names of the keys pressed since the last call; Esc asks whether to stop."""
        # A key that went down and up between two frames counts as released, one still down does not; ask for both.
        pressed = [*self.keys.getKeys(waitRelease=True), *self.keys.getKeys(waitRelease=False)]
        names = []
        for key in pressed:
            # The release of a key that was reported before comes as the same press again.
            if (key.name, key.tDown) not in self._seen:
                self._seen.add((key.name, key.tDown))
                names.append(str(key.name))
        if "escape" in names and not self._stopping:
            self._stop()
        if "pageup" in names and self.back_button and not self._stopping:
            raise GoingBack
        return names

    def _stop(self) -> None:
        """Ask once whether to end the session."""
        parts = [self.text(self.words["stop_question"], 0.1, 0.04, INK)]
        buttons = [
            self.button("yes", self.words["yes"], -0.2, -0.2, key="1"),
            self.button("no", self.words["no"], 0.2, -0.2, key="2", primary=True),
        ]
        self._stopping = True
        shown_at = self.shown_at
        try:
            if self.until("stop", parts, buttons) == "yes":
                raise Stopped
        finally:
            self._stopping = False
            self.shown_at = shown_at  # the time of doubt counts as part of the answer

    def mark(self, name: str, **detail: Any) -> None:
        """A new screen begins: its clock starts at its first flip, and the marker is told what stands there then."""
        self._last_flip = None
        self.flips = []
        self._untold = {"screen": name, **detail}


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

        return visual.Window(
            size=(1280, 800),
            fullscr=fullscreen,
            units="height",
            color=PAPER,
            colorSpace="hex",
            checkTiming=False,
            allowGUI=not fullscreen,
            winType="pyglet",
            useFBO=True,
        )
    except Exception as error:  # pyglet raises its own kinds
        raise ExperimentError(
            f"no window can be opened ({type(error).__name__}); is there a display (DISPLAY)?"
        ) from None
