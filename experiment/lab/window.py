"""A PsychoPy window that draws only what changed, takes every press and key, and asks once before it stops.

The window draws into a frame buffer object, which keeps its content from flip to flip: a screen on which nothing moves
costs an empty flip, and a widget that covers itself (a button, the bar) is drawn alone over its old state.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from experiment.choices import Choice, keyboard, reading, stopping
from experiment.lab.composing import Composed, Composer
from experiment.lab.layout import Sheet
from experiment.lab.opening import open_window
from experiment.lab.playback import halt
from experiment.lab.pressing import Press, Presses
from experiment.lab.reading import seen
from experiment.lab.renderer import ANEW, CARD, SOFTWARE, software_renderer
from experiment.lab.triggers import Triggers
from experiment.lab.typefaces import ScreenRuler, Typeface, typeface
from experiment.lab.widgets import Bar, Button, Pen, Slider, Text
from experiment.session import Stopped
from experiment.texts import texts

Marker = Callable[[dict[str, Any]], None]
DEAD_TIME = 0.3  # s; a study may declare another
BACKSPACE, ERASED = 0xFF08, "\b"  # as pyglet names the key, and as it is told here
ARROWS, SHIFTS = {0xFF51: "left", 0xFF53: "right"}, (0xFFE1, 0xFFE2)
BOUNCE = 0.05  # s from a release to the press that a repeating key makes
HOLD = 0.4  # s that an arrow is held before it counts again


class GoingBack(Exception):
    """Whoever is asked wants to go back to the answer before."""


class Interrupted(Exception):
    """It was asked whether to stop while something sounded, and the answer was no: what sounded has to begin again."""


class Window:
    """What every screen is shown in.

    Parameters
    ----------
    fullscreen : bool
        Over the whole screen, or in a window of 1280 x 800, smaller where the screen is.
    marker : callable, optional
        Told of every screen once its first frame stands: its name, and what was drawn (`reading.seen`).
    dead_time : float, optional
        Seconds after a screen's first flip in which no press and no key answers: what comes so soon was meant for the
        screen before. Neither does what comes while another window has the focus. Esc asks at any time.
    enlarged : float
        How much larger than usual letters are set, where there is room.
    logo : path, optional
        A picture over pages of text.
    """

    def __init__(
        self,
        language: str,
        fullscreen: bool = True,
        marker: Marker | None = None,
        font: str | None = None,
        folder: Path | None = None,
        dead_time: float | None = None,
        enlarged: float = 1.0,
        logo: Path | None = None,
    ):
        self.words = texts(language, folder)
        self.marker = marker
        self.triggers = Triggers(None)  # what other devices are told
        self.dead_time = DEAD_TIME if dead_time is None else dead_time
        self.face: Typeface = typeface(language, font)
        self.window = open_window(fullscreen)
        self._software = bool(software_renderer())
        from psychopy import event
        from psychopy.hardware import keyboard

        self.mouse = event.Mouse(win=self.window)
        self.keys = keyboard.Keyboard(backend="ptb")
        size = (int(self.window.size[0]), int(self.window.size[1]))
        self.pen = Pen(self.window, self.face, ScreenRuler(self.face, size[1]))
        self.compose = Composer(self.pen, Sheet.of(*size), enlarged, logo)
        (self.stop_button,) = self.compose.foot(("stop", self.words["stop"]))
        self.back_button: Button | None = None  # where one may go back to the answer before
        self._keys: Text | None = None  # how the keyboard answers the screen that is shown
        self._presses = Presses(size, self._now)
        self._letters: list[tuple[float, str]] = []  # when, what
        self._pending: list[tuple[float, Any]] = []  # presses and keys (names) still to be answered
        self._held: tuple[str, float, int] | None = None  # arrow, since when, how often it counted again
        self._clicked = False  # a press was answered in this frame
        self._let_go: float | None = None  # when it was let go
        self._shift = False
        self._live: list[Button] = []  # what can be pressed
        self.focus: Button | None = None  # the button that the keyboard is at
        self._tabbed = False  # it was brought there by Tab
        self._grip: Press | None = None  # what took hold of the slider on this screen
        self.window.winHandle.push_handlers(
            **self._presses.handlers(), on_activate=self._on_focus, on_deactivate=self._on_focus_lost,
            on_text=self._on_text, on_text_motion=self._on_motion,
            on_key_press=self._on_key, on_key_release=self._on_key_up,
        )  # fmt: skip
        self._stopping = False  # the question whether to stop is not asked within itself
        self._seen: set[tuple[str, float]] = set()
        self._drawn: list[tuple[Any, Any]] = []  # what stands in the frame buffer: widgets and their states
        self.shown_at = time.monotonic()
        self.flips: list[float] = []  # s between the flips of the screen shown, for dropped frames
        self._last_flip: float | None = None
        self._shown = 0.0  # when the window last showed what is drawn
        self.focus_losses = 0
        self._focused = True
        self._focused_at = -float("inf")
        self.dropped = (
            0  # presses and keys of this screen that answered nothing, because they came too soon or elsewhere
        )
        self._opens: float | None = None  # from when on the screen shown can be answered; None before its first flip
        self._sounding: Any = None  # the player of what sounds
        self._untold: dict[str, Any] | None = None  # the screen that the marker is told of with its first frame

    def close(self) -> None:
        """Close the window."""
        self.window.close()

    def choose(self, name: str, title: str, body: str, choices: list[Choice], **detail: Any) -> str:
        """Show a title, a text and buttons beside each other; returns the choice.

        A text that is too long for the screen comes page by page; the buttons stand on its last one.
        """
        *before, body = self.compose.pages(title, body, choices)
        self._read(title, before)
        shown = self.compose.choose(title, body, choices)
        return self.until(name, shown, **detail)

    def _read(self, title: str, pages: list[str]) -> None:
        """Show pages of a text, forwards and backwards, until the last of them was read."""
        at = 0
        while at < len(pages):
            shown = self.compose.choose(title, pages[at], reading(self.words, at == 0))
            at += 1 if self.until("reading", shown) == "next" else -1

    def until(self, name: str, shown: Composed, **detail: Any) -> str:
        """Show a screen until one of its buttons is chosen, by mouse or key."""
        parts, buttons = shown.parts, shown.buttons
        self.mark(name, keyboard(self.words, "press" if len(buttons) == 1 else "buttons"), **detail)
        while True:
            clicked = self.frame(parts, buttons)
            for key in self.typed():
                clicked = next((b.name for b in buttons if key in (b.key, f"num_{b.key}")), clicked)
                if key in ("return", "num_enter", "space") and len(buttons) == 1:
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
            button.hover, button.focus = button.contains(point), button is self.focus
        self._live = [b for b in (*buttons, *always) if b.enabled]
        if self._last_flip is not None:
            # Where nothing waits for the display (no vsync), do not draw as fast as can be. What was pressed meanwhile is gathered
            # right after the window heard of what happened to it: a key typed into another window came after the focus went there.
            time.sleep(SOFTWARE if self._software else CARD)
        drawn = self._draw([*parts, *buttons, *always, *([self._keys] if self._keys else [])])
        if drawn or not self._software or self._last_flip is None or time.monotonic() - self._shown >= ANEW:
            self.window.flip(clearBuffer=False)
            self._shown = time.monotonic()
        else:
            # Software would take a good part of the processor to show again what stands there: it only listens.
            self.window.winHandle.dispatch_events()
        now = time.monotonic()
        if self._opens is None:
            self._opens = self._now() + self.dead_time
        if self._last_flip is None:
            self.shown_at = now
        else:
            self.flips.append(now - self._last_flip)
        self._last_flip = now
        if self.marker is not None and self._untold is not None:
            told, self._untold = self._untold, None
            size = (int(self.window.size[0]), int(self.window.size[1]))
            self.marker({**told, "shown": [x for w, _ in self._drawn for x in seen(w, size)]})
        self._gather()
        clicked, self._clicked = None, False
        while not self._clicked and self._pending and not isinstance(self._pending[0][1], str):
            press = self._pending.pop(0)[1]
            place = press.place
            if stop.contains(place) and not self._stopping:
                self._stop()
                return None  # what was pressed before the question was asked is not an answer after it
            if back and back.contains(place) and not self._stopping:
                raise GoingBack
            if slider is not None:
                self._grip = press if slider.touch(place) else None
            clicked = next((b.name for b in buttons if b.enabled and b.contains(place)), None)
            self._clicked = clicked is not None or self._grip is press
        if slider is not None and self._grip is not None:
            # It goes where the pointer went that took hold of it, though that left the line, and stays where that let go.
            slider.drag(self._grip.now)
            self._grip = self._grip if self._grip.held else None
        return clicked

    def _gather(self) -> None:
        """Presses and keys since the last frame that can answer this screen, in the order in which they came."""
        found: list[tuple[float, Any]] = [(at, press) for at, press in self._presses.taken() if self._counts(at)]
        # A key that went down and up between two frames counts as released, one still down does not; ask for both.
        for key in [*self.keys.getKeys(waitRelease=True), *self.keys.getKeys(waitRelease=False)]:
            # The release of a key that was reported before comes as the same press again.
            if (key.name, key.tDown) not in self._seen:
                self._seen.add((key.name, key.tDown))
                # The keyboard reports keys whatever window they were typed into.
                if (key.name == "escape" and self._focused) or self._counts(key.tDown):
                    found.append((key.tDown, str(key.name)))
        self._pending += sorted(found, key=lambda x: x[0])

    def _draw(self, widgets: list[Any]) -> bool:
        """Draw what differs from what stands there: a part alone where it covers itself, else everything anew; whether any did."""
        states = [(w, w.state()) for w in widgets]
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
        return bool(changed)

    def _on_text(self, text: str) -> None:
        """Note letters as the system makes them of keys: by layout, dead keys, an input method."""
        self._letters += [(self._now(), letter) for letter in text]

    def _on_motion(self, motion: int) -> None:
        if motion == BACKSPACE:
            self._letters.append((self._now(), ERASED))

    def letters(self) -> list[str]:
        """Letters typed since the last call, `ERASED` for one that was taken back."""
        written, self._letters = self._letters, []
        return [letter for at, letter in written if self._counts(at)]

    def _on_focus(self) -> None:
        self._focused, self._focused_at = True, self._now()

    def _on_focus_lost(self) -> None:
        self._focused, self._held, self._shift = False, None, False
        self._presses.lost()
        self.focus_losses += 1

    @staticmethod
    def _now() -> float:
        """Seconds of the clock that PsychoPy's keyboard stamps keys with."""
        from psychopy import logging

        return float(logging.defaultClock.getTime())

    def _counts(self, at: float) -> bool:
        """Whether a press or key of a moment can answer the screen that is shown."""
        counts = self._opens is not None and at >= self._opens and self._focused and at >= self._focused_at
        self.dropped += not counts
        return counts

    def typed(self) -> list[str]:
        """The key that is next to be answered, if a key is; Esc, of which it is heard at once, asks whether to stop.

        One input is answered a frame, so that each meets the screen as the one before left it. Tab goes from button to button;
        blank and return press the one that it is at.
        """
        if not self._stopping and any(what == "escape" for _, what in self._pending):
            self._stop()
            return []
        if self._clicked or not self._pending or not isinstance(self._pending[0][1], str):
            return []
        name = self._pending.pop(0)[1]
        if name == "pageup" and self.back_button and not self._stopping:
            raise GoingBack
        if name == "tab":
            self._step(-1 if self._shift else 1)
            return []
        if self.focus in self._live and (name == "space" or (name in ("return", "num_enter") and self._tabbed)):
            assert self.focus is not None
            self._pending.insert(0, (0.0, Press.at((self.focus.x, self.focus.y))))
            return []
        return [name]

    def _step(self, way: int) -> None:
        """The next button, or the one before; round from the last to the first."""
        live = self._live
        at = live.index(self.focus) + way if self.focus in live else (0 if way > 0 else -1)
        self.focus, self._tabbed = (live[at % len(live)] if live else None), True

    def _on_key(self, symbol: int, modifiers: int) -> None:
        if symbol in ARROWS:
            # Some systems repeat a held key as presses, or as releases and presses: it is the same hold.
            again = self._held is not None and self._held[0] == ARROWS[symbol]
            if not again or (self._let_go is not None and self._now() - self._let_go > BOUNCE):
                self._held = (ARROWS[symbol], self._now(), 0)
            self._let_go = None
        self._shift = self._shift or symbol in SHIFTS

    def _on_key_up(self, symbol: int, modifiers: int) -> None:
        if self._held is not None and ARROWS.get(symbol) == self._held[0]:
            self._let_go = self._now()
        self._shift = self._shift and symbol not in SHIFTS

    def held(self, rate: float) -> list[str]:
        """The arrow that is held down, as often as it counts once more by now: `rate` times a second, after `HOLD`."""
        if self._held is None or self._let_go is not None or self._opens is None or not self._focused:
            return []
        arrow, began, done = self._held
        due = int((self._now() - began - HOLD) * rate)
        if began < self._opens or due <= done:
            return []
        self._held = (arrow, began, due)
        return [arrow] * (due - max(0, done))

    def _stop(self) -> None:
        """Ask once whether to end the session."""
        shown = self.compose.asked_whether(self.words["stop_question"], stopping(self.words))
        self._stopping = True
        sounding = self._sounding
        if sounding is not None:
            halt(sounding)
        try:
            with self.aside():
                if self.until("stop", shown) == "yes":
                    raise Stopped
        finally:
            self._stopping = False
        if sounding is not None:
            raise Interrupted

    @contextlib.contextmanager
    def aside(self) -> Iterator[None]:
        """A screen that is shown in between: its time counts for the one before, which is then a new one to the hand."""
        shown_at, dropped, keys = self.shown_at, self.dropped, self._keys
        try:
            yield
        finally:
            self.shown_at, self._keys = shown_at, keys
            self.dropped += dropped
            self._pending, self._held, self.focus = [], None, None
            self._letters = []  # what was typed meanwhile was for the screen in between
            self._opens = None

    def mark(self, name: str, keys: str = "", **detail: Any) -> None:
        """A new screen begins: its clock starts at its first flip, and the marker is told what stands there then.

        `keys` says how the keyboard answers it.
        """
        foot = [] if self._stopping else [self.stop_button, *([self.back_button] if self.back_button else [])]
        self._keys = self.compose.keys(keys, foot)
        self._last_flip = None
        self._opens = None
        self._grip = None
        self._letters = []
        self._pending, self._held, self.focus, self._tabbed = [], None, None, False
        self.dropped = 0
        self.flips = []
        self._untold = {"screen": name, **detail}
        self.window.callOnFlip(
            self.triggers.send, "screen", screen=name, **{k: x for k, x in detail.items() if k == "item"}
        )
