"""PsychoPy made of glass: what is drawn can be read, keys and presses are given by the frame, sounds are kept, not played.

Screens run on it unchanged, in no time: its clock goes on by a sixtieth of a second with each flip and by as much as is
slept. The frame buffer keeps its content from flip to flip as the real one does; what is drawn twice stands there once.
"""

from __future__ import annotations

import math
import sys
from collections import deque
from collections.abc import Callable
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiment.lab.desk import Desk
from experiment.lab.hand import Hand
from experiment.lab.hardware import Display
from experiment.lab.reading import Page, Phrases, Point

FRAME = 1 / 60
STAMP = 500.0  # psychtoolbox's clock is another one than time.monotonic
BOOT = -900.0  # and so is the one that keys are stamped by
SYMBOLS = {"left": 0xFF51, "right": 0xFF53, "lshift": 0xFFE1}  # as pyglet calls keys
LATE = 0.003  # s by which the glass sound card begins after the scheduled moment


class Clock:
    """Stands for the module `time`."""

    def __init__(self) -> None:
        self.now = 1000.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


class Shape:
    """Anything that is drawn: its arguments are its attributes."""

    def __init__(self, win: GlassWindow, *size: Any, **options: Any):
        self.win = win
        if size:
            self.width, self.height = size
        self.__dict__ |= options

    def draw(self) -> None:
        self.win.draws += 1
        self.win.drawn = [d for d in self.win.drawn if d[0] is not self]
        self.win.drawn.append((self, {k: v for k, v in self.__dict__.items() if k != "win"}))


class TextStim(Shape):
    @property
    def boundingBox(self) -> tuple[float, float]:
        """In pixels: letters are half as wide as high, lines a fifth higher than letters."""
        lines = self.__dict__["text"].split("\n")
        size = self.__dict__["height"] * self.win.size[1]
        return max(map(len, lines)) * 0.5 * size, len(lines) * 1.2 * size


class Ruler:
    """Measures as TextStim draws."""

    def __init__(self, *_: Any) -> None:
        pass

    def wide(self, words: str, size: float, bold: bool = False) -> float:
        return 0.5 * size * len(words)

    def line(self, size: float, bold: bool = False) -> float:
        return 1.2 * size


class Rect(Shape):
    pass


class Line(Shape):
    pass


class Circle(Shape):
    pass


class ImageStim(Shape):
    pass


class GlassWindow:
    """A window of 1280 x 800; each flip does the next of the things `todo`, which a person wants done frame by frame."""

    size = (1280, 800)

    def __init__(self, clock: Clock):
        self.clock = clock
        self.drawn: list[tuple[Shape, dict[str, Any]]] = []
        self.todo: deque[Callable[[], None]] = deque()
        self.handlers: dict[str, Callable[..., None]] = {}
        self.winHandle = SimpleNamespace(
            push_handlers=lambda **found: self.handlers.update(found), dispatch_events=self._happens
        )
        self.pointer, self.held = (-0.79, 0.49), False
        self.down: list[SimpleNamespace] = []
        self.released: list[SimpleNamespace] = []
        self.open, self.flips, self.idle, self.draws = True, 0, 0, 0
        self.options: dict[str, Any] = {}
        self.after: list[tuple[Callable[..., None], tuple[Any, ...], dict[str, Any]]] = []

    def clearBuffer(self) -> None:
        self.drawn = []

    def flip(self, clearBuffer: bool = True) -> None:
        assert self.open
        if clearBuffer:
            self.drawn = []
        self.flips += 1
        self.clock.now += FRAME
        for function, given, named in self.after:
            function(*given, **named)
        self.after = []
        self._happens()

    def callOnFlip(self, function: Callable[..., None], *given: Any, **named: Any) -> None:
        self.after.append((function, given, named))

    def _happens(self) -> None:
        self.idle = 0 if self.todo else self.idle + 1
        assert self.idle < 60_000, f"nobody answers: {[d.get('text') for _, d in self.drawn]}"
        if self.todo:
            self.todo.popleft()()

    def close(self) -> None:
        self.open = False

    # What a person does -------------------------------------------------------------------------------------------

    def click(self, point: Point, button: int = 1) -> None:
        """Point somewhere (pixels from the top left), press and release."""
        self.take(point, button)
        self.drop(point, button)

    def take(self, point: Point, button: int = 1) -> None:
        """Point somewhere and press."""
        self.handlers["on_mouse_press"](*self._pointed(point), button, 0)
        self.held = button == 1

    def drag(self, point: Point) -> None:
        """Point somewhere, with what is pressed kept down."""
        self.handlers["on_mouse_drag"](*self._pointed(point), 0, 0, int(self.held), 0)

    def drop(self, point: Point, button: int = 1) -> None:
        """Point somewhere and let go."""
        self.handlers["on_mouse_release"](*self._pointed(point), button, 0)
        self.held = False

    def _pointed(self, point: Point) -> Point:
        x, y = point[0], 800 - point[1]
        self.pointer = ((x - 640) / 800, (y - 400) / 800)
        return x, y

    def tap(self, key: str) -> None:
        """A key that goes down and up between two frames; the system makes a letter of it, if it is one's."""
        self.released.append(SimpleNamespace(name=key, tDown=self.clock.now + BOOT))
        letter = {"return": "\r", "num_enter": "\r", "space": " "}.get(key, key.removeprefix("num_"))
        if len(letter) == 1:
            self.handlers["on_text"](letter)

    def hold(self, key: str) -> None:
        """A key that goes down and stays there."""
        self.down.append(SimpleNamespace(name=key, tDown=self.clock.now + BOOT))
        self.handlers["on_key_press"](SYMBOLS[key], 0)

    def let_go(self, key: str) -> None:
        """What was held."""
        self.handlers["on_key_release"](SYMBOLS[key], 0)

    def type(self, words: str) -> None:
        """Letters as the system makes them of keys; ``\\b`` is the key that takes one back."""
        for letter in words:
            if letter == "\b":
                self.handlers["on_text_motion"](0xFF08)
            else:
                self.handlers["on_text"](letter)

    def words(self) -> list[str]:
        """All words that stand there now but for how the keyboard answers."""
        return [d["says"] for s, d in self.drawn if isinstance(s, TextStim) and not d["keys"]]


class Keyboard:
    """psychtoolbox's keyboard: pressed keys are reported while down, and the same press once more when let go."""

    def __init__(self, window: GlassWindow):
        self.window = window

    def getKeys(self, waitRelease: bool = True) -> list[SimpleNamespace]:
        if waitRelease:
            found, self.window.released = self.window.released, []
        else:
            found, self.window.down = self.window.down, []
        return found


class Track:
    """What psychtoolbox tells of a sound: its samples leave in time, until they stop leaving (`breaks`, s after the onset)."""

    def __init__(self, sound: Sound, clock: Clock, when: float, breaks: float, underruns: float):
        self.sound = sound
        self.clock, self.onset, self.breaks, self.underruns = clock, when - STAMP + LATE, breaks, underruns

    @property
    def status(self) -> dict[str, float]:
        at = self.clock.now - self.onset
        begun = at >= 0 and self.breaks > 0
        return {
            "Active": float(begun), "StartTime": self.onset + STAMP if begun else 0.0,
            "PositionSecs": max(0.0, min(at, self.breaks)), "XRuns": self.underruns if at > 0.1 else 0.0,
        }  # fmt: skip

    def stop(self, block_until_stopped: int = 1) -> None:
        assert not block_until_stopped, "psychtoolbox waits for ever for a sound whose samples do not leave"
        self.sound.stop()


class Sound:
    """A sound that notes when it was played and stopped; the next plays go as `to_come` says: when they break, underruns."""

    made: list[Sound] = []  # noqa: RUF012  # emptied for each glass world
    to_come: deque[tuple[float, float]] = deque()  # noqa: RUF012  # the same

    def __init__(self, value: Any, **options: Any):
        self.value, self.options = value, options
        self.track: Track | None = None
        self.played: list[float] = []
        self.stopped = 0
        self.released = 0
        self.speaker = SimpleNamespace(stream=SimpleNamespace(close=self._close))
        self.words: list[list[str]] = []
        self.window: GlassWindow | None = None
        Sound.made.append(self)

    def play(self, when: float) -> None:
        assert World.now is not None
        self.played.append(when - STAMP)
        self.track = Track(
            self, World.now.clock, when, *(Sound.to_come.popleft() if Sound.to_come else (math.inf, 0.0))
        )

    def _close(self) -> None:
        self.released += 1

    def stop(self) -> None:
        self.stopped += 1
        if World.now is not None:
            self.words.append(World.now.window.words())


class World:
    """A glass booth: its window, its clock, and the sounds made in it."""

    now: World | None = None

    def __init__(self, monkeypatch: pytest.MonkeyPatch):
        self.clock = Clock()
        self.window = GlassWindow(self.clock)
        Sound.made, Sound.to_come = [], deque()
        World.now = self
        visual = ModuleType("psychopy.visual")
        visual.__dict__.update(
            TextStim=TextStim, Rect=Rect, Line=Line, Circle=Circle, ImageStim=ImageStim, Window=self._window
        )
        event = ModuleType("psychopy.event")
        event.__dict__["Mouse"] = lambda win: SimpleNamespace(
            getPos=lambda: self.window.pointer, getPressed=lambda: [self.window.held, False, False]
        )
        keyboard = ModuleType("psychopy.hardware.keyboard")
        keyboard.__dict__["Keyboard"] = lambda backend: Keyboard(self.window)
        hardware = ModuleType("psychopy.hardware")
        hardware.__dict__["keyboard"] = keyboard
        sound = ModuleType("psychopy.sound")
        sound.__dict__["Sound"] = Sound
        logging = ModuleType("psychopy.logging")
        keys = SimpleNamespace(getTime=lambda: self.clock.now + BOOT)
        logging.__dict__.update(ERROR=40, console=SimpleNamespace(setLevel=lambda level: None), defaultClock=keys)
        psychopy = ModuleType("psychopy")
        psychopy.__dict__.update(visual=visual, event=event, hardware=hardware, sound=sound, logging=logging)
        psychtoolbox = ModuleType("psychtoolbox")
        psychtoolbox.__dict__["GetSecs"] = lambda: self.clock.now + STAMP
        for module in (psychopy, visual, event, keyboard, hardware, sound, logging, psychtoolbox):
            monkeypatch.setitem(sys.modules, module.__name__, module)
        monkeypatch.setattr("experiment.lab.playback._PREPARED", True)
        for name in ("window", "asking", "form", "playback", "hand"):
            monkeypatch.setattr(f"experiment.lab.{name}.time", self.clock)
        monkeypatch.setattr("experiment.session.time", self.clock)
        monkeypatch.setattr("experiment.lab.window.software_renderer", lambda: "")
        monkeypatch.setattr("experiment.lab.opening.bring_fonts", lambda: None)
        monkeypatch.setattr("experiment.lab.window.ScreenRuler", Ruler)
        monkeypatch.setattr("experiment.lab.opening.display_size", lambda: self.window.size)
        monkeypatch.setattr("experiment.lab.station.displays", lambda: [Display(0, "", *self.window.size)])
        # Here a person is as quick as a test is written; what comes too soon has tests of its own.
        monkeypatch.setattr("experiment.lab.window.DEAD_TIME", 0.0)
        monkeypatch.setattr("experiment.lab.hand.HESITATION", 0.0)

    def _window(self, **options: Any) -> GlassWindow:
        self.window.options, self.window.open = options, True
        return self.window

    @property
    def sounds(self) -> list[Sound]:
        """The sounds that were played, in their order."""
        return [s for s in Sound.made if s.played]

    def page(self) -> Page:
        """What stands there now, as a person reads it."""
        shown = []
        for shape, d in self.window.drawn:
            x, y = d.get("pos", (0.0, 0.0))
            at = [round(640 + x * 800), round(400 - y * 800)]
            if isinstance(shape, TextStim):
                shown.append({"text": d["says"], "at": at} | ({"keys": True} if d["keys"] else {}))
            elif isinstance(shape, Rect):
                shown.append({"box": [round(d["width"] * 800), round(d["height"] * 800)], "at": at})
            elif isinstance(shape, Line):
                ends = [[round(640 + p[0] * 800), round(400 - p[1] * 800)] for p in (d["start"], d["end"])]
                shown.append({"line": ends})
        return Page.of(shown)


class GlassHand(Hand):
    """The desk's hand in a glass world: one thing a frame, a few frames after it saw the screen.

    It reads the glass itself, and sees to it that a marker tells the same.
    """

    def __init__(self, world: World, rng: np.random.Generator, phrases: Phrases, keyboard: bool = False, wait: int = 3):
        super().__init__(Desk({}, None), rng, phrases, keyboard)  # type: ignore[arg-type]
        self.world, self.wait = world, wait
        self.pages: list[tuple[str, Page]] = []
        self.acted: list[float] = []

    def click(self, point: Point) -> None:
        self._later(lambda: self.world.window.click(point))

    def press(self, *keys: str) -> None:
        for key in keys:
            self._later(lambda key=key: self.world.window.tap(key))  # type: ignore[misc]

    def write(self, words: str) -> None:
        self._later(lambda: self.world.window.type(words))

    def _later(self, what: Callable[[], None]) -> None:
        for _ in range(self.wait):
            self.world.window.todo.append(lambda: None)
        self.world.window.todo.append(what)

    def answer(self, marker: dict[str, Any]) -> None:
        page = self.world.page()
        assert Page.of(marker["shown"]) == page
        self.pages.append((marker["screen"], page))
        super().answer(marker)
