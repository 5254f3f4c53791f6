"""Several questions on one screen: an adjective a row, its steps beside it, all answered before one goes on."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.choices import numbered, typed
from experiment.data.tables import Trial
from experiment.lab.asking import GO_ON, Asking
from experiment.lab.blocks import PAD
from experiment.lab.composing import Composer
from experiment.lab.layout import FLOOR, GAP, SCALES, Block, within
from experiment.lab.widgets import Button, Text
from experiment.looks import ACCENT, ASKED, INK, MUTED
from experiment.question import Answer, Question

WORDS, OVER, DIGITS = 0.032, 0.026, FLOOR  # letters of the rows' words, of those over the steps, on the steps
TALLEST, BETWEEN = 0.05, 0.008  # of a step, and between two rows
WIDEST, APART = 0.2, 0.04  # from one step to the next, and of that what lies between two
SIDE = 0.36  # share of the screen that words beside the steps may take


@dataclass(eq=False)
class Row:
    """One question: its words, its steps, what is chosen and when that was."""

    question: Question
    words: list[Text]
    steps: list[Button]
    value: int | None = None
    moves: int = 0
    took: float = 0.0

    def choose(self, value: int, took: float) -> None:
        """Take a step, `took` seconds after the screen stood."""
        self.moves += value != self.value
        self.value, self.took = value, took
        for step in self.steps:
            step.selected = step.label == str(value)


@dataclass
class Form:
    """What stands on such a screen: its rows from the top, what stands over them, and the way on."""

    rows: list[Row] = field(default_factory=list)
    above: list[Text] = field(default_factory=list)
    onward: Button | None = None


@dataclass(frozen=True)
class _Columns:
    """Where the steps of all rows stand, and how much room words have beside them."""

    xs: tuple[float, ...]
    width: float
    left: float
    right: float
    side: float


def columns(compose: Composer, questions: Sequence[Question], size: float) -> _Columns:
    """Words at the left (and, of two words, at the right) as wide as the widest needs, steps in what is left, all in the middle."""
    pen, room = compose.pen, compose.sheet.room
    n, sides = questions[0].high - questions[0].low + 1, 2 if _poles(questions) else 1
    wanted = max(pen.ruler.wide(w, size, True) for q in questions for w in _beside(q))
    side = min(wanted, SIDE * room / sides)
    pitch = min(WIDEST, (room - sides * (side + GAP)) / n)
    start = -(sides * (side + GAP) + n * pitch) / 2 + side + GAP
    xs = tuple(start + (i + 0.5) * pitch for i in range(n))
    return _Columns(xs, pitch - min(APART, 0.2 * pitch), start - GAP, start + n * pitch + GAP, side)


def composed(compose: Composer, questions: Sequence[Question], onward: str) -> Form:
    """Compose a screen for questions that differ in their words alone."""
    pen, first = compose.pen, questions[0]
    named = len(first.labels) == first.high - first.low + 1
    over = [] if _poles(questions) else list(first.labels) if named else [first.labels[0], first.labels[-1]]

    def build(scale: float) -> list[Block] | None:
        on = compose._onward(onward, -0.42, scale, 0.055)
        sizes = [compose._size(x, scale) for x in (WORDS, OVER, DIGITS)]
        at = columns(compose, questions, sizes[0])
        room = 0.98 * (at.xs[1] - at.xs[0]) * len(at.xs) / max(1, len(over))
        whole = all(pen.longest(w, sizes[1]) <= room for w in over)
        whole = whole and all(pen.longest(w, sizes[0], True) <= at.side for q in questions for w in _beside(q))
        if on is None or (not whole and scale > SCALES[-1]):
            return None
        head = [_over(compose, over, at, room, sizes[1])] if over else []
        said = compose._said(first.text, ASKED, 0.385, scale)
        return [said, *head, _rows(compose, questions, at, sizes, scale), on]

    said, *head, rows, [on] = compose._fitted(build)
    return Form(rows, [said, *(x for block in head for x in block)], on)


def _poles(questions: Sequence[Question]) -> bool:
    """Whether each row has two words of its own, left and right."""
    return not any(q.word for q in questions)


def _beside(question: Question) -> tuple[str, ...]:
    return (question.word,) if question.word else (question.labels[0], question.labels[-1])


def _over(compose: Composer, words: Sequence[str], at: _Columns, room: float, size: float) -> Block:
    """What the steps mean: words over each, or over the ends."""
    takes = [compose.pen.takes(w, size, room) for w in words]
    height = max(h for _, h in takes)
    xs = at.xs if len(words) == len(at.xs) else (at.xs[0], at.xs[-1])

    def put(y: float) -> list[Text]:
        middles = [within(x, width, compose.sheet.half) for x, (width, _) in zip(xs, takes, strict=True)]
        return [
            compose._put(Text(compose.pen, w, x, y, size, room, MUTED)) for w, x in zip(words, middles, strict=True)
        ]

    return Block(height, 0.295, put)


def _rows(
    compose: Composer, questions: Sequence[Question], at: _Columns, sizes: Sequence[float], scale: float
) -> Block:
    """A row a question, all of one height."""
    pen = compose.pen
    lines = max(pen.takes(w, sizes[0], at.side, True)[1] for q in questions for w in _beside(q))
    high = max(lines, pen.ruler.line(sizes[2]) + 2 * PAD * scale, TALLEST * scale)
    each = high + BETWEEN * scale
    height = len(questions) * each

    def put(y: float) -> list[Row]:
        compose.smallest = min(compose.smallest, *sizes)
        return [row(q, y + height / 2 - (k + 0.5) * each) for k, q in enumerate(questions)]

    def row(q: Question, y: float) -> Row:
        words = []
        for w, side in zip(_beside(q), (-1, 1), strict=False):
            half = pen.takes(w, sizes[0], at.side, True)[0] / 2
            x = at.left - half if side < 0 else at.right + half
            words.append(Text(pen, w, x, y, sizes[0], at.side, INK, True))
        steps = [
            Button(pen, f"{q.item} {i}", str(q.low + i), x, y, at.width, high, size=sizes[2])
            for i, x in enumerate(at.xs)
        ]
        return Row(q, words, steps)

    return Block(height, 0.265 - height / 2, put)


class Forms(Asking):
    """A window that asks several questions on one screen."""

    def fill(self, questions: Sequence[Question], trial: Trial, progress: tuple[int, int]) -> dict[str, Answer]:
        """Ask questions that differ in their words alone; a response time is from the screen's first frame to the last change.

        Steps are clicked; or a digit answers the row that is set off and goes on to the next, arrows change row and step.
        """
        focus = self.focus_losses
        count = self.words["progress"].format(done=progress[0] + 1, total=progress[1])
        form = composed(self.compose, questions, self.words["next"])
        rows, onward, at = form.rows, form.onward, 0
        assert onward is not None
        parts = [self.compose.corner(count), *form.above, *(w for row in rows for w in row.words)]
        steps = {b.name: (row, b) for row in rows for b in row.steps}
        onward.enabled = False
        keys = numbered(self.words, questions[0].low, questions[0].high, "arrows")
        self.mark("form", keys, items=[q.item for q in questions])
        while True:
            for row in rows:
                for w in row.words:
                    w.color = ACCENT if row is rows[at] else INK
            clicked = self.frame(parts, [*(b for _, b in steps.values()), onward])
            if clicked in steps:
                row, button = steps[clicked]
                row.choose(int(button.label), time.monotonic() - self.shown_at)
                at = _following(rows, rows.index(row))
            for key in self.typed():
                row, digit = rows[at], key.removeprefix("num_")
                low, high = row.question.low, row.question.high
                if key in ("up", "down"):
                    at = min(len(rows) - 1, max(0, at + (1 if key == "down" else -1)))
                elif digit.isdigit() and typed(row.question) and low <= int(digit) <= high:
                    row.choose(int(digit), time.monotonic() - self.shown_at)
                    at = _following(rows, at)
                elif key in ("left", "right"):
                    way = 1 if key == "right" else -1
                    value = (low + high) // 2 if row.value is None else min(high, max(low, row.value + way))
                    row.choose(value, time.monotonic() - self.shown_at)
                elif key in GO_ON:
                    clicked = onward.name
            onward.enabled = all(row.value is not None for row in rows)
            if clicked == onward.name and onward.enabled:
                return self._filled(rows, self.focus_losses - focus)

    def _filled(self, rows: Sequence[Row], focus_losses: int) -> dict[str, Answer]:
        usual = statistics.median(self.flips) if self.flips else 0.0
        seen: dict[str, Any] = {
            "focus_losses": focus_losses,
            "frames": len(self.flips),
            "late_frames": sum(x > 2.5 * usual for x in self.flips),
            "dropped": self.dropped,
        }
        return {
            r.question.item: Answer(
                value=float(r.value or 0), response_time=r.took, interaction={"moves": r.moves, **seen}
            )
            for r in rows
        }


def _following(rows: Sequence[Row], at: int) -> int:
    """The next row without an answer, else the next one."""
    after = [*range(at + 1, len(rows)), *range(at)]
    return next((i for i in after if rows[i].value is None), min(at + 1, len(rows) - 1))
