"""The few things that stand on a screen: text, buttons, a slider, a bar. Units: share of the screen's height."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PAPER = "#F6F4EF"
INK = "#1F2A33"
MUTED = "#5A656E"
ACCENT = "#2A6F97"
SOFT = "#DDE6EA"
EDGE = "#7D8891"  # of what is quiet or not open yet
WHITE = "#FFFFFF"
FONT = "Noto Sans"  # ships with PsychoPy
RIGHT_TO_LEFT = {"ar", "fa", "he", "ur"}
# Scripts that Noto Sans has no letters for, and the fonts that systems commonly have for them.
OTHER_FONTS = {
    "ja": "Noto Sans CJK JP",
    "ko": "Noto Sans CJK KR",
    "zh": "Noto Sans CJK SC",
    "ar": "Noto Sans Arabic",
    "fa": "Noto Sans Arabic",
    "ur": "Noto Sans Arabic",
    "he": "Noto Sans Hebrew",
}


@dataclass(frozen=True)
class Typeface:
    """Font and direction of a language."""

    font: str = FONT
    style: str = "LTR"


def typeface(language: str, font: str | None = None) -> Typeface:
    """The typeface of a language; `font` (the study's) comes first."""
    code = language.split("-")[0].split("_")[0]
    style = "Arabic" if code in ("ar", "fa", "ur") else "RTL" if code in RIGHT_TO_LEFT else "LTR"
    return Typeface(font or OTHER_FONTS.get(code, FONT), style)


def laid_out(face: Typeface, words: str, height: float, width: float) -> str:
    """Words as they are drawn: CJK may break after every letter, right-to-left lines are broken first and then turned.

    The window breaks lines at spaces alone, and after the letters' order was turned, which would put the end of a
    right-to-left text on top.
    """
    if face.style == "LTR":
        return "\n".join(line for part in words.split("\n") for line in _broken(part, width / height + 1e-6))
    import textwrap

    from bidi.algorithm import get_display

    letters = max(8, int(width / (0.5 * height)))
    lines = [line for part in words.split("\n") for line in (textwrap.wrap(part, letters) or [""])]
    if face.style == "Arabic":
        import arabic_reshaper

        lines = [arabic_reshaper.reshape(line) for line in lines]
    return "\n".join(str(get_display(line)) for line in lines)


def _broken(words: str, room: float) -> list[str]:
    """A paragraph as lines of at most `room` letter widths, where it has CJK letters; else as it is."""

    def wide(c: str) -> bool:
        return "\u2e80" <= c <= "\u9fff" or "\uac00" <= c <= "\ud7a3" or "\uff00" <= c <= "\uffef"

    if not any(map(wide, words)):
        return [words]
    lines, used = [""], 0.0
    for c in words:
        used += 1.0 if wide(c) else 0.6
        # A line does not begin with a full stop or comma.
        if used > room and c not in "。、，．）」』！？":
            lines.append("")
            used = 1.0 if wide(c) else 0.6
        lines[-1] += c
    return lines


def text(
    window: Any, face: Typeface, words: str, y: float, height: float = 0.034, color: str = INK, **more: Any
) -> Any:
    """Text centred at (`x`, `y`); `more` goes to psychopy's TextStim."""
    from psychopy import visual

    options: dict[str, Any] = {"wrapWidth": 1.15, "bold": False, "alignText": "center", "anchorHoriz": "center"} | more
    x = options.pop("x", 0.0)
    return visual.TextStim(
        window,
        text=laid_out(face, words, height, float(options["wrapWidth"])),
        pos=(x, y),
        height=height,
        color=color,
        font=face.font,
        autoLog=False,
        **options,
    )


def tall(drawn: Any) -> float:
    """How high a text is that is drawn, in shares of the screen's height."""
    return float(drawn.boundingBox[1]) / float(drawn.win.size[1])


@dataclass(eq=False)
class Button:
    """A labelled rectangle; `key` answers it from the keyboard."""

    window: Any
    face: Typeface
    name: str
    label: str
    x: float
    y: float
    width: float = 0.26
    height: float = 0.075
    key: str | None = None
    primary: bool = False
    quiet: bool = False
    enabled: bool = True
    selected: bool = False
    hover: bool = False
    parts: list[Any] = field(default_factory=list)

    def contains(self, point: tuple[float, float]) -> bool:
        """Whether a point lies on the button."""
        return abs(point[0] - self.x) <= self.width / 2 and abs(point[1] - self.y) <= self.height / 2

    def state(self) -> tuple[bool, bool, bool]:
        """What its look depends on."""
        return self.enabled, self.selected, self.hover and self.enabled

    def draw(self) -> None:
        """Draw in its present state, over the former one."""
        from psychopy import visual

        if not self.parts:
            size = min(0.03, self.width / max(6.0, len(self.label) * 0.62))
            self.parts = [
                visual.Rect(self.window, self.width, self.height, pos=(self.x, self.y), lineWidth=1.5, autoLog=False),
                text(self.window, self.face, self.label, self.y, size, x=self.x, wrapWidth=self.width),
            ]
        box, label = self.parts
        filled = (self.primary and self.enabled) or self.selected
        hover = self.hover and self.enabled
        box.fillColor = ACCENT if filled else SOFT if hover else WHITE if not self.quiet else PAPER
        box.lineColor = ACCENT if self.enabled and not self.quiet else EDGE
        label.color = WHITE if filled else INK if self.enabled and not self.quiet else MUTED
        box.draw()
        label.draw()


@dataclass(eq=False)
class Slider:
    """A line with a tick at every whole number and no marker until it is touched."""

    window: Any
    face: Typeface
    low: int
    high: int
    labels: tuple[str, ...]
    y: float = -0.08
    width: float = 1.1
    value: float | None = None
    moves: int = 0
    parts: list[Any] = field(default_factory=list)

    def place(self, value: float) -> float:
        """Horizontal place of a value."""
        return (value - self.low) / (self.high - self.low) * self.width - self.width / 2

    def state(self) -> float | None:
        """What its look depends on."""
        return self.value

    def touch(self, point: tuple[float, float]) -> bool:
        """Set the value where the line is touched; returns whether it was."""
        if abs(point[1] - self.y) > 0.06 or abs(point[0]) > self.width / 2 + 0.03:
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

    def draw(self) -> None:
        """Draw line, ticks, words at the ends, and the marker once touched."""
        from psychopy import visual

        if not self.parts:
            half = self.width / 2
            line = visual.Line(
                self.window, start=(-half, self.y), end=(half, self.y), lineColor=MUTED, lineWidth=3, autoLog=False
            )
            ticks = [
                visual.Line(
                    self.window,
                    start=(self.place(v), self.y - 0.014),
                    end=(self.place(v), self.y + 0.014),
                    lineColor=MUTED,
                    lineWidth=2,
                    autoLog=False,
                )
                for v in range(self.low, self.high + 1)
            ]
            ends = [
                text(self.window, self.face, self.labels[0], self.y - 0.075, 0.028, x=-half, wrapWidth=0.4),
                text(self.window, self.face, self.labels[-1], self.y - 0.075, 0.028, x=half, wrapWidth=0.4),
            ]
            marker = visual.Circle(
                self.window, radius=0.022, fillColor=ACCENT, lineColor=WHITE, lineWidth=2, autoLog=False
            )
            self.parts = [line, *ticks, *ends, marker]
        for part in self.parts[:-1]:
            part.draw()
        if self.value is not None:
            self.parts[-1].pos = (self.place(self.value), self.y)
            self.parts[-1].draw()


@dataclass(eq=False)
class Bar:
    """How far a clip has played."""

    window: Any
    y: float = -0.05
    width: float = 0.7
    share: float = 0.0
    parts: list[Any] = field(default_factory=list)

    def state(self) -> int:
        """What its look depends on: its length in pixels."""
        return round(self.share * self.width * float(self.window.size[1]))

    def draw(self) -> None:
        """Draw the trough and the filled part."""
        from psychopy import visual

        if not self.parts:
            self.parts = [
                visual.Rect(
                    self.window, self.width, 0.018, pos=(0, self.y), fillColor=SOFT, lineColor=EDGE, autoLog=False
                ),
                visual.Rect(
                    self.window, 0.001, 0.018, pos=(0, self.y), fillColor=ACCENT, lineColor=ACCENT, autoLog=False
                ),
            ]
        trough, filled = self.parts
        filled.width = max(0.001, self.width * self.share)
        filled.pos = (-self.width / 2 + filled.width / 2, self.y)
        trough.draw()
        filled.draw()
