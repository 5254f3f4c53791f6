"""The few things that stand on a screen: text, buttons, a slider, steps, a bar. Units: share of the screen's height."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

PAPER = "#F6F4EF"
INK = "#1F2A33"
MUTED = "#68737C"
ACCENT = "#2A6F97"
SOFT = "#DDE6EA"
WHITE = "#FFFFFF"
FONT = "Noto Sans"


def text(window: Any, words: str, y: float, height: float = 0.034, color: str = INK, **more: Any) -> Any:
    """Text centred at (`x`, `y`); `more` goes to psychopy's TextStim."""
    from psychopy import visual

    options = {"wrapWidth": 1.15, "bold": False, "alignText": "center", "anchorHoriz": "center"} | more
    x = options.pop("x", 0.0)
    return visual.TextStim(
        window, text=words, pos=(x, y), height=height, color=color, font=FONT, autoLog=False, **options
    )


@dataclass
class Button:
    """A labelled rectangle; `key` answers it from the keyboard."""

    window: Any
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
    _parts: list[Any] = field(default_factory=list)

    def contains(self, point: tuple[float, float]) -> bool:
        """Whether a point lies on the button."""
        return abs(point[0] - self.x) <= self.width / 2 and abs(point[1] - self.y) <= self.height / 2

    def draw(self, hover: bool = False) -> None:
        """Draw in its present state."""
        from psychopy import visual

        if not self._parts:
            size = min(0.03, self.width / max(6.0, len(self.label) * 0.62))
            self._parts = [
                visual.Rect(self.window, self.width, self.height, pos=(self.x, self.y), lineWidth=1.5, autoLog=False),
                text(self.window, self.label, self.y, size, x=self.x, wrapWidth=self.width),
            ]
        box, label = self._parts
        filled = (self.primary and self.enabled) or self.selected
        box.fillColor = ACCENT if filled else SOFT if hover and self.enabled else WHITE if not self.quiet else PAPER
        box.lineColor = ACCENT if self.enabled and not self.quiet else SOFT
        label.color = WHITE if filled else INK if self.enabled and not self.quiet else MUTED
        box.draw()
        label.draw()


@dataclass
class Slider:
    """A line with a tick at every whole number and no marker until it is touched."""

    window: Any
    low: int
    high: int
    labels: tuple[str, ...]
    y: float = -0.08
    width: float = 1.1
    value: float | None = None
    _parts: list[Any] = field(default_factory=list)

    def place(self, value: float) -> float:
        """Horizontal place of a value."""
        return (value - self.low) / (self.high - self.low) * self.width - self.width / 2

    def touch(self, point: tuple[float, float]) -> bool:
        """Set the value where the line is touched; returns whether it was."""
        if abs(point[1] - self.y) > 0.06 or abs(point[0]) > self.width / 2 + 0.03:
            return False
        share = (point[0] + self.width / 2) / self.width
        self.value = float(min(self.high, max(self.low, round(self.low + share * (self.high - self.low)))))
        return True

    def nudge(self, step: int) -> None:
        """Move by a step from the keyboard; the first touch starts from the middle."""
        start = (self.low + self.high) // 2 if self.value is None else self.value
        self.value = float(min(self.high, max(self.low, start + step)))

    def draw(self) -> None:
        """Draw line, ticks, words at the ends, and the marker once touched."""
        from psychopy import visual

        if not self._parts:
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
                text(self.window, self.labels[0], self.y - 0.075, 0.028, x=-half, wrapWidth=0.4),
                text(self.window, self.labels[-1], self.y - 0.075, 0.028, x=half, wrapWidth=0.4),
            ]
            marker = visual.Circle(
                self.window, radius=0.022, fillColor=ACCENT, lineColor=WHITE, lineWidth=2, autoLog=False
            )
            self._parts = [line, *ticks, *ends, marker]
        for part in self._parts[:-1]:
            part.draw()
        if self.value is not None:
            self._parts[-1].pos = (self.place(self.value), self.y)
            self._parts[-1].draw()


@dataclass
class Bar:
    """How far a clip has played."""

    window: Any
    y: float = -0.05
    width: float = 0.7
    share: float = 0.0
    _parts: list[Any] = field(default_factory=list)

    def draw(self) -> None:
        """Draw the trough and the filled part."""
        from psychopy import visual

        if not self._parts:
            self._parts = [
                visual.Rect(
                    self.window, self.width, 0.018, pos=(0, self.y), fillColor=SOFT, lineColor=SOFT, autoLog=False
                ),
                visual.Rect(
                    self.window, 0.001, 0.018, pos=(0, self.y), fillColor=ACCENT, lineColor=ACCENT, autoLog=False
                ),
            ]
        trough, filled = self._parts
        filled.width = max(0.001, self.width * self.share)
        filled.pos = (-self.width / 2 + filled.width / 2, self.y)
        trough.draw()
        filled.draw()
