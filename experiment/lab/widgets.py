"""The few things that stand on a screen: text, buttons, a slider, a bar. Units: share of the screen's height."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from experiment.lab.layout import within
from experiment.lab.lines import broken, longest
from experiment.lab.typefaces import Ruler, Typeface
from experiment.looks import ACCENT, EDGE, INK, MUTED, PAPER, SOFT, WHITE

RING = 0.006  # from a button's edge to the line that shows what the keyboard is at
INSET = 0.012  # between a button's edge and its words
NARROW = 0.1  # of a narrow button's width: no more than this is left free on either side of its number
UNDER = 0.058  # from a slider's line down to the words at its ends
REACH = 0.06  # how far above and below its line a slider is touched
ROOM = 1.15  # how wide a text may be, where there is as much
CARET = "_"  # where one writes on
UNBROKEN = 4.0  # the lines of a text are broken already: the window's own breaking at blanks is left nothing to do


@dataclass(frozen=True)
class Pen:
    """What texts are set with: the window (None: nothing is drawn, only measured), the typeface, its measures."""

    window: Any
    face: Typeface
    ruler: Ruler

    def lines(self, words: str, size: float, room: float, bold: bool = False) -> list[str]:
        """A text as it is drawn in letters of a size, in lines that are no wider than there is room."""
        return broken(words, room, lambda x: self.ruler.wide(x, size, bold), self.face.style)

    def longest(self, words: str, size: float, bold: bool = False) -> float:
        """How wide the widest word is that is not broken."""
        return longest(words, lambda x: self.ruler.wide(x, size, bold), self.face.style)

    def takes(self, words: str, size: float, room: float, bold: bool = False) -> tuple[float, float]:
        """How wide and how high a text is."""
        lines = self.lines(words, size, room, bold)
        width = max(self.ruler.wide(line, size, bold) for line in lines)
        return width, len(lines) * self.ruler.line(size, bold)


@dataclass(eq=False)
class Text:
    """Words with their middle at (`x`, `y`), in lines no wider than there is `room`."""

    pen: Pen
    words: str
    x: float
    y: float
    size: float
    room: float = ROOM
    color: str = INK
    bold: bool = False
    keys: bool = False  # it says how the keyboard answers, and nothing of what is asked
    drawn: tuple[str, str] | None = None
    parts: list[Any] = field(default_factory=list)

    def state(self) -> tuple[str, str]:
        """What its look depends on."""
        return self.words, self.color

    def draw(self) -> None:
        """Draw the words in their present colour."""
        if self.state() != self.drawn:
            lines = "\n".join(self.pen.lines(self.words, self.size, self.room, self.bold))
            if not self.parts:
                self.parts = [self._first(lines)]
            (stim,) = self.parts
            stim.text, stim.color = lines, self.color
            stim.says = self.words  # as it is read: in one line, from its beginning to its end
            stim.keys = self.keys
            self.drawn = self.state()
        self.parts[0].draw()

    def _first(self, lines: str) -> Any:
        from psychopy import visual

        return visual.TextStim(
            self.pen.window,
            text=lines,
            pos=(self.x, self.y),
            height=self.size,
            color=self.color,
            font=self.pen.face.font,
            bold=self.bold,
            wrapWidth=UNBROKEN,
            alignText="center",
            anchorHoriz="center",
            autoLog=False,
        )


def within_box(width: float) -> float:
    """How wide the words in a box of a width may be."""
    return width - 2 * min(INSET, NARROW * width)


@dataclass(eq=False)
class Button:
    """A labelled rectangle; `key` answers it from the keyboard."""

    pen: Pen
    name: str
    label: str
    x: float
    y: float
    width: float = 0.26
    height: float = 0.075
    key: str | None = None
    primary: bool = False
    quiet: bool = False
    size: float = 0.03
    enabled: bool = True
    selected: bool = False
    hover: bool = False
    focus: bool = False
    parts: list[Any] = field(default_factory=list)
    ring: Any = None

    @property
    def within(self) -> float:
        """How wide its words may be."""
        return within_box(self.width)

    def contains(self, point: tuple[float, float]) -> bool:
        """Whether a point lies on the button."""
        return abs(point[0] - self.x) <= self.width / 2 and abs(point[1] - self.y) <= self.height / 2

    def state(self) -> tuple[bool, bool, bool, bool]:
        """What its look depends on."""
        return self.enabled, self.selected, self.hover and self.enabled, self.focus

    def draw(self) -> None:
        """Draw in its present state, over the former one."""
        from psychopy import visual

        if not self.parts:
            box = visual.Rect(
                self.pen.window, self.width, self.height, pos=(self.x, self.y), lineWidth=1.5, autoLog=False
            )
            self.parts = [box, Text(self.pen, self.label, self.x, self.y, self.size, self.within)]
        box, label = self.parts
        filled = (self.primary and self.enabled) or self.selected
        hover = self.hover and self.enabled
        box.fillColor = ACCENT if filled else SOFT if hover else WHITE if not self.quiet else PAPER
        box.lineColor = ACCENT if self.enabled and not self.quiet else EDGE
        label.color = WHITE if filled else INK if self.enabled and not self.quiet else MUTED
        box.draw()
        label.draw()
        if self.focus:
            self._surround(WHITE if filled else INK)

    def _surround(self, color: str) -> None:
        """A line within the edge: what the keyboard is at."""
        from psychopy import visual

        if self.ring is None:
            size = self.width - 2 * RING, self.height - 2 * RING
            self.ring = visual.Rect(
                self.pen.window, *size, pos=(self.x, self.y), fillColor=None, lineWidth=3, autoLog=False
            )
        self.ring.lineColor = color
        self.ring.draw()


@dataclass(eq=False)
class Field:
    """A box into which words are typed; it takes no more than there is room for."""

    pen: Pen
    x: float
    y: float
    width: float
    height: float
    size: float
    words: str = ""
    parts: list[Any] = field(default_factory=list)

    def state(self) -> str:
        """What its look depends on."""
        return self.words

    def takes(self, words: str) -> bool:
        """Whether there is room for so much, and for where one writes on."""
        return self.pen.takes(words + CARET, self.size, self.width - 2 * INSET)[1] <= self.height

    def draw(self) -> None:
        """Draw the box, what was typed, and where one writes on."""
        from psychopy import visual

        if not self.parts:
            box = visual.Rect(
                self.pen.window, self.width, self.height, pos=(self.x, self.y), fillColor=WHITE, lineColor=ACCENT,
                lineWidth=1.5, autoLog=False,
            )  # fmt: skip
            self.parts = [box, Text(self.pen, CARET, self.x, self.y, self.size, self.width - 2 * INSET)]
        box, label = self.parts
        label.words = self.words + CARET
        box.draw()
        label.draw()


@dataclass(eq=False)
class Picture:
    """A picture of so much height and width, e.g. a logo."""

    pen: Pen
    path: Path
    y: float
    width: float
    height: float
    parts: list[Any] = field(default_factory=list)

    def state(self) -> None:
        """It never changes."""

    def draw(self) -> None:
        """Draw it."""
        from psychopy import visual

        if not self.parts:
            self.parts = [
                visual.ImageStim(
                    self.pen.window, image=str(self.path), pos=(0.0, self.y), size=(self.width, self.height),
                    interpolate=True, autoLog=False,
                )
            ]  # fmt: skip
        self.parts[0].draw()


@dataclass(eq=False)
class Slider:
    """A line with a tick at every whole number and no marker until it is touched; it never leaves a sheet of half width `half`."""

    pen: Pen
    low: int
    high: int
    labels: tuple[str, ...]
    y: float = -0.08
    width: float = 1.1
    half: float = 0.78
    size: float = 0.028
    value: float | None = None
    moves: int = 0
    parts: list[Any] = field(default_factory=list)

    @property
    def room(self) -> float:
        """How wide the words at one end may be."""
        return min(0.45, self.half - 0.02)

    def under(self) -> float:
        """How far the slider reaches below its line, with the words at its ends."""
        return UNDER + max(self.pen.takes(words, self.size, self.room)[1] for words in self._ends())

    def _ends(self) -> tuple[str, str]:
        return self.labels[0], self.labels[-1]

    def place(self, value: float) -> float:
        """Horizontal place of a value."""
        return (value - self.low) / (self.high - self.low) * self.width - self.width / 2

    def state(self) -> float | None:
        """What its look depends on."""
        return self.value

    def touch(self, point: tuple[float, float]) -> bool:
        """Set the value where the line is touched; returns whether it was."""
        if abs(point[1] - self.y) > REACH or abs(point[0]) > self.width / 2 + 0.03:
            return False
        self.drag(point)
        return True

    def drag(self, point: tuple[float, float]) -> None:
        """Set the value below, or above, the pointer that holds the marker."""
        share = (point[0] + self.width / 2) / self.width
        self.put(round(self.low + share * (self.high - self.low)))

    def nudge(self, step: int) -> None:
        """Move by a step from the keyboard; the first touch starts from the middle."""
        self.put(((self.low + self.high) // 2 if self.value is None else self.value) + step)

    def put(self, value: float) -> None:
        """Set a value, or the end that is nearest to it."""
        new = float(min(self.high, max(self.low, value)))
        self.moves += new != self.value
        self.value = new

    def _tick(self, value: int) -> float:
        """Half of the height of a tick: where they stand close, every tenth is longer."""
        return 0.014 if self.high - self.low <= 20 or (value - self.low) % 10 == 0 else 0.007

    def draw(self) -> None:
        """Draw line, ticks, words at the ends, and the marker once touched."""
        from psychopy import visual

        window = self.pen.window
        if not self.parts:
            half = self.width / 2
            line = visual.Line(
                window, start=(-half, self.y), end=(half, self.y), lineColor=MUTED, lineWidth=3, autoLog=False
            )
            ticks = [
                visual.Line(
                    window,
                    start=(self.place(v), self.y - self._tick(v)),
                    end=(self.place(v), self.y + self._tick(v)),
                    lineColor=MUTED,
                    lineWidth=2 if self.high - self.low <= 20 else 1,
                    autoLog=False,
                )
                for v in range(self.low, self.high + 1)
            ]
            ends = []
            for words, x in zip(self._ends(), (-half, half), strict=True):
                width, height = self.pen.takes(words, self.size, self.room)
                middle = within(x, width, self.half)
                ends.append(Text(self.pen, words, middle, self.y - UNDER - height / 2, self.size, self.room))
            marker = visual.Circle(window, radius=0.022, fillColor=ACCENT, lineColor=WHITE, lineWidth=2, autoLog=False)
            self.parts = [line, *ticks, *ends, marker]
        for part in self.parts[:-1]:
            part.draw()
        if self.value is not None:
            self.parts[-1].pos = (self.place(self.value), self.y)
            self.parts[-1].draw()


@dataclass(eq=False)
class Bar:
    """How far a clip has played."""

    pen: Pen
    y: float = -0.05
    width: float = 0.7
    share: float = 0.0
    parts: list[Any] = field(default_factory=list)

    def state(self) -> int:
        """What its look depends on: its length in pixels."""
        return round(self.share * self.width * float(self.pen.window.size[1]))

    def draw(self) -> None:
        """Draw the trough and the filled part."""
        from psychopy import visual

        if not self.parts:
            self.parts = [
                visual.Rect(
                    self.pen.window, self.width, 0.018, pos=(0, self.y), fillColor=SOFT, lineColor=EDGE, autoLog=False
                ),
                visual.Rect(
                    self.pen.window, 0.001, 0.018, pos=(0, self.y), fillColor=ACCENT, lineColor=ACCENT, autoLog=False
                ),
            ]
        trough, filled = self.parts
        filled.width = max(0.001, self.width * self.share)
        filled.pos = (-self.width / 2 + filled.width / 2, self.y)
        trough.draw()
        filled.draw()
