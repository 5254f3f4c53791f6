"""What stands on a screen, read from the shapes that were drawn: by whoever answers without knowing what was intended.

`seen` says of a widget what it drew, in pixels from the screen's top left; `Page` makes sense of it as a person does: words
on a box are a button, upright lines are a scale's ticks, words elsewhere are to be read. `Phrases` is what a reader of one
language knows: which words mean which answer.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.choices import hint
from experiment.config import ExperimentConfig
from experiment.errors import ExperimentError
from experiment.items import every_question
from experiment.texts import texts

Point = tuple[float, float]
NUMBER = re.compile(r"-?\d+")  # on a step


def seen(widget: Any, size: tuple[int, int]) -> list[dict[str, Any]]:
    """What a widget drew on a window of `size` (width, height): its texts, boxes and lines, in pixels."""
    found: list[dict[str, Any]] = []
    for part in getattr(widget, "parts", None) or [widget]:
        if getattr(part, "parts", None):
            found += seen(part, size)
        elif hasattr(part, "text"):
            # A text is read as a whole, whatever lines it stands in.
            extent = [round(float(x)) for x in part.boundingBox]
            said = {"text": str(part.says), "at": _pixels(part.pos, size), "size": extent}
            found.append(said | ({"keys": True} if part.keys else {}))
        elif hasattr(part, "radius") or hasattr(part, "image"):
            continue  # the slider's marker, which stands nowhere before the first touch; a logo
        elif hasattr(part, "start"):
            found.append({"line": [_pixels(part.start, size), _pixels(part.end, size)]})
        else:
            box = [round(float(part.width) * size[1]), round(float(part.height) * size[1])]
            found.append({"box": box, "at": _pixels(part.pos, size)})
    return found


def _pixels(point: Sequence[float], size: tuple[int, int]) -> list[int]:
    return [round(size[0] / 2 + float(point[0]) * size[1]), round(size[1] / 2 - float(point[1]) * size[1])]


@dataclass(frozen=True)
class Line:
    """Words and numbered buttons beside each other, both from left to right."""

    words: tuple[str, ...]
    places: tuple[Point, ...]


@dataclass(frozen=True)
class Page:
    """A screen as it is read: buttons by their words, other words, ticks from left to right, rows of numbered buttons with
    words beside them from top to bottom, how the keyboard answers; places in pixels.
    """

    buttons: dict[str, Point]
    words: tuple[tuple[str, Point], ...]
    ticks: tuple[Point, ...]
    rows: tuple[Line, ...] = ()
    keys: str = ""

    @classmethod
    def of(cls, shown: Sequence[dict[str, Any]]) -> Page:
        """Read what was drawn; buttons are ordered as one reads, line by line."""
        boxes = [(x["at"], x["box"]) for x in shown if "box" in x]
        buttons: list[tuple[str, Point]] = []
        words: list[tuple[str, Point]] = []
        keys = ""
        for x in shown:
            if "text" not in x:
                continue
            if x.get("keys"):  # set apart in its corner: of what is asked it says nothing
                keys = x["text"]
                continue
            at = (float(x["at"][0]), float(x["at"][1]))
            on = any(abs(at[0] - c[0]) <= w / 2 and abs(at[1] - c[1]) <= h / 2 for c, (w, h) in boxes)
            (buttons if on else words).append((x["text"], at))
        lines = [x["line"] for x in shown if "line" in x]
        ticks = sorted((float(a[0]), (a[1] + b[1]) / 2) for a, b in lines if abs(a[0] - b[0]) < abs(a[1] - b[1]))
        buttons.sort(key=lambda b: (b[1][1], b[1][0]))
        return cls(dict(buttons), tuple(words), tuple(ticks), _rows(buttons, words), keys)

    def button(self, words: str) -> Point:
        """Where a button with these words is.

        Raises
        ------
        ExperimentError
            If there is none, with what stands there.
        """
        if words not in self.buttons:
            raise ExperimentError(f"no button says {words!r}; there are: {', '.join(map(repr, self.buttons))}")
        return self.buttons[words]

    def places(self) -> list[Point]:
        """Where a scale can be answered, from left to right: its ticks, else its numbered buttons."""
        numbered = [at for words, at in self.buttons.items() if NUMBER.fullmatch(words)]
        return list(self.ticks) or sorted(numbered)

    def across(self, words: str) -> float:
        """How far from the left words stand that are no button's."""
        return next(at[0] for found, at in self.words if found == words)


def _rows(buttons: Sequence[tuple[str, Point]], words: Sequence[tuple[str, Point]]) -> tuple[Line, ...]:
    """Numbered buttons on one line with words, in reading order."""
    rows: dict[float, list[Point]] = {}
    for number, at in buttons:
        if NUMBER.fullmatch(number):
            rows.setdefault(at[1], []).append(at)
    beside = {y: tuple(w for w, at in sorted(words, key=lambda x: x[1][0]) if abs(at[1] - y) <= 2) for y in rows}
    return tuple(Line(beside[y], tuple(sorted(places))) for y, places in sorted(rows.items()) if beside[y])


@dataclass(frozen=True)
class Asked:
    """What a question means: the item, the taste asked about, and which answer the words stand for.

    `answers` are words of buttons, of which `several` may be taken (how many at least and at most); a scale whose steps bear no
    words has `ends`, the words at `low` and at `high`; a number is from `low` to `high`, and what is `written` that many letters.
    """

    item: str
    taste: str | None = None
    answers: dict[str, str | float] = field(default_factory=dict)
    ends: tuple[str, str] | None = None
    low: int = 0
    high: int = 0
    several: tuple[int, int] | None = None
    alone: str = ""
    written: bool = False


@dataclass(frozen=True)
class Phrases:
    """What a reader of one language knows.

    Attributes
    ----------
    agree, yes, onward, play : str
        Words of the buttons that let a session go on.
    progress : str
        How the progress is worded, with ``{done}`` and ``{total}``.
    questions : dict
        By all words of a question's screen but for its buttons, the progress and `hints`.
    hints : frozenset of str
        What is said of how one answers.
    """

    agree: str
    yes: str
    onward: str
    play: str
    progress: str
    questions: dict[frozenset[str], Asked]
    hints: frozenset[str] = frozenset()

    def asked(self, page: Page) -> Asked:
        """What a screen asks.

        Raises
        ------
        ExperimentError
            If it is no question that this reader knows, with the words read.
        """
        # A field to type into holds no letters.
        words = frozenset(w for w, _ in page.words if self.counted(w) is None and any(map(str.isalpha, w)))
        words -= self.hints
        if words not in self.questions:
            raise ExperimentError(f"no question that is known here says: {' | '.join(sorted(words))}")
        return self.questions[words]

    def rows(self, page: Page) -> list[tuple[Line, Asked]]:
        """What each row of a screen asks.

        Raises
        ------
        ExperimentError
            If one is no question that this reader knows.
        """
        everything = frozenset(w for w, _ in page.words)
        found = []
        for line in page.rows:
            there = [asked for words, asked in self.questions.items() if set(line.words) <= words <= everything]
            if len(there) != 1:
                raise ExperimentError(f"no question that is known here is asked by {' | '.join(line.words)}")
            found.append((line, there[0]))
        return found

    def counted(self, words: str) -> tuple[int, int] | None:
        """The progress, where these words tell it."""
        pattern = re.escape(self.progress).replace(r"\{done\}", r"(\d+)").replace(r"\{total\}", r"(\d+)")
        found = re.fullmatch(pattern, words)
        return (int(found[1]), int(found[2])) if found else None


def phrases(config: ExperimentConfig, language: str) -> Phrases:
    """What a reader of the study's own words knows; questions that a study words alike can't be told apart."""
    w = texts(language, config.texts)
    asked: dict[frozenset[str], Asked] = {}
    hints: set[str] = set()
    for taste, q in every_question(config, language):
        hints |= {hint(q, w)}
        above = {x for x in (q.text, q.word) if x} | ({w["practice"]["title"]} if q.item == "practice" else set())
        if q.kind == "choice":
            meant = Asked(q.item, answers={words: key for key, words in (q.options or {}).items()})
        elif q.kind == "multiple":
            keys: dict[str, str | float] = {words: key for key, words in (q.options or {}).items()}
            meant = Asked(q.item, answers=keys, several=(q.low, q.high), alone=q.alone)
        elif q.kind in ("number", "text"):
            meant = Asked(q.item, low=q.low, high=q.high, written=q.kind == "text")
        elif q.kind == "steps" and len(q.labels) == q.high - q.low + 1:
            meant = Asked(q.item, taste, answers={x: float(q.low + i) for i, x in enumerate(q.labels)})
        else:
            ends = (q.labels[0], q.labels[-1])
            above |= set(ends)
            meant = Asked(q.item, taste, ends=ends, low=q.low, high=q.high)
        asked[frozenset(above)] = meant
    return Phrases(w["agree"], w["yes"], w["next"], w["play"], w["progress"], asked, frozenset(hints))
