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

from experiment.config import ExperimentConfig
from experiment.design import DEMOGRAPHICS
from experiment.errors import ExperimentError
from experiment.texts import texts

Point = tuple[float, float]


def seen(widget: Any, size: tuple[int, int]) -> list[dict[str, Any]]:
    """What a widget drew on a window of `size` (width, height): its texts, boxes and lines, in pixels."""
    found = []
    for part in getattr(widget, "parts", None) or [widget]:
        if hasattr(part, "text"):
            found.append({"text": str(part.text), "at": _pixels(part.pos, size)})
        elif hasattr(part, "radius"):
            continue  # the slider's marker, which stands nowhere before the first touch
        elif hasattr(part, "start"):
            found.append({"line": [_pixels(part.start, size), _pixels(part.end, size)]})
        else:
            box = [round(float(part.width) * size[1]), round(float(part.height) * size[1])]
            found.append({"box": box, "at": _pixels(part.pos, size)})
    return found


def _pixels(point: Sequence[float], size: tuple[int, int]) -> list[int]:
    return [round(size[0] / 2 + float(point[0]) * size[1]), round(size[1] / 2 - float(point[1]) * size[1])]


@dataclass(frozen=True)
class Page:
    """A screen as it is read: buttons by their words, other words, ticks from left to right; places in pixels."""

    buttons: dict[str, Point]
    words: tuple[tuple[str, Point], ...]
    ticks: tuple[Point, ...]

    @classmethod
    def of(cls, shown: Sequence[dict[str, Any]]) -> Page:
        """Read what was drawn; buttons are ordered as one reads, line by line."""
        boxes = [(x["at"], x["box"]) for x in shown if "box" in x]
        buttons: list[tuple[str, Point]] = []
        words: list[tuple[str, Point]] = []
        for x in shown:
            if "text" not in x:
                continue
            at = (float(x["at"][0]), float(x["at"][1]))
            on = any(abs(at[0] - c[0]) <= w / 2 and abs(at[1] - c[1]) <= h / 2 for c, (w, h) in boxes)
            (buttons if on else words).append((x["text"], at))
        lines = [x["line"] for x in shown if "line" in x]
        ticks = sorted((float(a[0]), (a[1] + b[1]) / 2) for a, b in lines if abs(a[0] - b[0]) < abs(a[1] - b[1]))
        buttons.sort(key=lambda b: (b[1][1], b[1][0]))
        return cls(dict(buttons), tuple(words), tuple(ticks))

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
        numbered = [at for words, at in self.buttons.items() if words.isdigit()]
        return list(self.ticks) or sorted(numbered)

    def across(self, words: str) -> float:
        """How far from the left words stand that are no button's."""
        return next(at[0] for found, at in self.words if found == words)


@dataclass(frozen=True)
class Asked:
    """What a question means: the item, the taste asked about, and which answer the words stand for.

    `answers` are words of buttons; a scale whose steps bear no words has `ends`, the words at `low` and at `high`.
    """

    item: str
    taste: str | None = None
    answers: dict[str, str | float] = field(default_factory=dict)
    ends: tuple[str, str] | None = None
    low: int = 0
    high: int = 0


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
        By all words of a question's screen but for its buttons and the progress.
    """

    agree: str
    yes: str
    onward: str
    play: str
    progress: str
    questions: dict[frozenset[str], Asked]

    def asked(self, page: Page) -> Asked:
        """What a screen asks.

        Raises
        ------
        ExperimentError
            If it is no question that this reader knows, with the words read.
        """
        # A field to type into holds no letters.
        words = frozenset(w for w, _ in page.words if self.counted(w) is None and any(map(str.isalpha, w)))
        if words not in self.questions:
            raise ExperimentError(f"no question that is known here says: {' | '.join(sorted(words))}")
        return self.questions[words]

    def counted(self, words: str) -> tuple[int, int] | None:
        """The progress, where these words tell it."""
        pattern = re.escape(self.progress).replace(r"\{done\}", r"(\d+)").replace(r"\{total\}", r"(\d+)")
        found = re.fullmatch(pattern, words)
        return (int(found[1]), int(found[2])) if found else None


def phrases(config: ExperimentConfig, language: str) -> Phrases:
    """What a reader of the study's own words knows; questions that a study words alike can't be told apart."""
    w = texts(language, config.texts)
    ends = (w["preference"]["low"], w["preference"]["high"])
    asked: dict[frozenset[str], Asked] = {}
    for item in DEMOGRAPHICS:
        entry = w["demographics"][item]
        asked[frozenset([entry["question"]])] = Asked(item, answers={b: a for a, b in entry.get("options", {}).items()})
    if config.preference:
        low, high = config.preference.low, config.preference.high
        practice = frozenset([w["practice"]["title"], w["practice"]["question"], *ends])
        asked[practice] = Asked("practice", ends=ends, low=low, high=high)
        for taste, word in config.taste_words.get(language, {}).items():
            words = frozenset([w["preference"]["question"].format(taste=word.upper()), *ends])
            asked[words] = Asked("preference", taste, ends=ends, low=low, high=high)
    for felt in config.affect:
        entry = w["affect"][felt]
        ends = (entry["low"], entry["high"])
        asked[frozenset([entry["question"], *ends])] = Asked(felt, ends=ends, low=1, high=9)
    scales: list[tuple[str, str, tuple[str, ...], str, int, int]] = []
    for q in config.questionnaires:
        labels = tuple(q.labels[language])
        scales += [(i.name, q.question[language], labels, i.words[language], q.low, q.high) for i in q.items]
    if config.ratings:
        r = config.ratings
        for a in r.adjectives:
            word, labels, question = a.words[language], tuple(r.labels[language]), w["ratings"]["question"]
            if a.opposite is not None:
                word, labels, question = "", (a.opposite[language], word), w["ratings"]["question_bipolar"]
            scales.append((a.name, question, labels, word, r.low, r.high))
    for name, question, labels, word, low, high in scales:
        above = {x for x in (question, word) if x}
        if len(labels) == high - low + 1:
            asked[frozenset(above)] = Asked(name, answers={x: float(low + i) for i, x in enumerate(labels)})
        else:
            ends = (labels[0], labels[-1])
            asked[frozenset(above | set(ends))] = Asked(name, ends=ends, low=low, high=high)
    return Phrases(w["agree"], w["yes"], w["next"], w["play"], w["progress"], asked)
