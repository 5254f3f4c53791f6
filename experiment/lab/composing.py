"""Every kind of screen, composed: what stands on it, as large as it is wanted or as there is room for, and where.

Nothing is drawn here, so that a study can be tried on any screen, and on none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.choices import Choice, hint, listed, number_pad
from experiment.lab.blocks import PAD, Blocks
from experiment.lab.layout import GAP, SCALES, Block
from experiment.lab.paging import paged
from experiment.lab.widgets import INSET, REACH, ROOM, Bar, Button, Field, Slider, Text
from experiment.looks import ASKED, BODY, LABEL, LONG_WORD, MANY, MUTED, TITLE, WORD
from experiment.question import Question

STEP, STEP_GAP = 0.24, 0.015
STEP_APART = 0.16  # of a step's share of a narrow sheet: no more than this lies between two
LETTER = 0.5  # width of a letter, about, in sizes of letters


@dataclass
class Composed:
    """What stands on a screen: what is shown, what is pressed, and what is set while it stands."""

    parts: list[Any] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    slider: Slider | None = None
    entry: Text | None = None
    field: Field | None = None
    onward: Button | None = None
    bar: Bar | None = None


class Composer(Blocks):
    """Composes screens of one size."""

    def pages(self, title: str, body: str, choices: Sequence[Choice]) -> list[str]:
        """A text as pages that fit between a title and buttons, in letters of their usual size."""
        if not body:
            return [body]
        size, room = self._size(BODY, 1.0), min(ROOM, self.sheet.room)
        heading = self._said(title, TITLE, 0.3, 1.0, True).height
        heading += sum(picture.height + GAP for picture in self._pictured(body, 1.0))
        rows = (self._row(choices, -0.28, scale, 0.36, 0.06) for scale in SCALES)
        buttons = next(row.height for row in rows if row is not None)
        left = max(self.top - self.bottom - heading - buttons - 2 * GAP, 3 * self.pen.ruler.line(size))
        return paged(body, lambda words: self.pen.takes(words, size, room)[1] <= left)

    def choose(self, title: str, body: str, choices: Sequence[Choice]) -> Composed:
        """A title, a text, and buttons beside each other."""

        def build(scale: float) -> list[Block] | None:
            row = self._row(choices, -0.28, scale, 0.36, 0.06)
            if row is None:
                return None
            said = [*self._pictured(body, scale), self._said(title, TITLE, 0.3, scale, bold=True)]
            return [*said, *([self._said(body, BODY, 0.02, scale)] if body else []), row]

        *parts, buttons = self._fitted(build)
        return Composed(parts, buttons)

    def asked_whether(self, question: str, choices: Sequence[Choice]) -> Composed:
        """A question alone, and buttons: whether to stop."""

        def build(scale: float) -> list[Block] | None:
            row = self._row(choices, -0.2, scale, 0.26, 0.14)
            return None if row is None else [self._said(question, 0.04, 0.1, scale), row]

        *parts, buttons = self._fitted(build)
        return Composed(parts, buttons)

    def pick(self, title: str, text: str, choices: Sequence[Choice], onward: str, hint: str = "") -> Composed:
        """A text (under a title, where there is one; over a hint), choices below each other, and a button that confirms."""

        def build(columns: int, scale: float) -> list[Block] | None:
            chosen = self._list(choices, 0.2375, scale, columns, 0.75 if columns == 1 else 0.3)
            on = self._onward(onward, -0.395, scale, 0.055)
            if chosen is None or on is None:
                return None
            if title:
                said = [self._said(title, 0.045, 0.42, scale, bold=True), self._said(text, LABEL, 0.31, scale)]
            else:
                said = [self._said(text, ASKED, 0.3, scale)]
            if hint:
                said.append(self._said(hint, LABEL, 0.3, scale, color=MUTED))
            return [*said, chosen, on]

        *parts, buttons, [on] = self._fitted(*((lambda scale, n=n: build(n, scale)) for n in (1, 2, 3)))
        return Composed(parts, [*buttons, on], onward=on)

    def number(self, question: str, keys: Sequence[Choice], onward: str) -> Composed:
        """A question, a field, the keys of a number pad, and a button that goes on."""

        def build(scale: float) -> list[Block] | None:
            on = self._onward(onward, -0.37, scale)
            pad = self._list(keys, 0.09, scale, 3, 0.11)
            if on is None or pad is None:
                return None
            return [self._said(question, ASKED, 0.3, scale), self._said("_", 0.08, 0.16, scale, bold=True), pad, on]

        question_text, entry, buttons, [on] = self._fitted(build)
        return Composed([question_text, entry], [*buttons, on], entry=entry, onward=on)

    def write(self, question: Question, hint: str, onward: str) -> Composed:
        """A question, a hint, a box to write into that is as high as the longest answer needs, and a button that goes on."""

        def build(scale: float) -> list[Block] | None:
            on = self._onward(onward, -0.395, scale, 0.055)
            if on is None:
                return None
            size, width = self._size(BODY, scale), min(ROOM, self.sheet.room)
            lines = -(-question.high * LETTER * size // (width - 2 * INSET))
            height = (lines + 1) * self.pen.ruler.line(size) + 2 * PAD

            def put(y: float) -> Field:
                self.smallest = min(self.smallest, size)
                return Field(self.pen, 0.0, y, width, height, size)

            said = [self._said(question.text, ASKED, 0.3, scale)]
            if hint:
                said.append(self._said(hint, LABEL, 0.2, scale, color=MUTED))
            return [*said, Block(height, 0.0, put), on]

        *said, field, [on] = self._fitted(build)
        return Composed([*said, field], [on], field=field, onward=on)

    def _slides(self, question: Question, wish: float, scale: float, value: float | None) -> Block:
        """A slider; its words and the reach of its line count."""
        size = self._size(0.028, scale)
        width = min(1.1, self.sheet.room - 0.06)
        at = Slider(self.pen, question.low, question.high, question.labels, 0.0, width, self.sheet.half, size, value)
        under = at.under()

        def put(y: float) -> Slider:
            self.smallest = min(self.smallest, size)
            at.y = y - (REACH - under) / 2
            return at

        return Block(REACH + under, wish + (REACH - under) / 2, put)

    def slider(self, question: Question, onward: str) -> Composed:
        """A question, its word where it has one, a slider, and a button that goes on."""

        def build(scale: float) -> list[Block] | None:
            on = self._onward(onward, -0.3, scale)
            if on is None:
                return None
            said = [self._said(question.text, ASKED, 0.3, scale), *self._word(question, scale)]
            return [*said, self._slides(question, -0.08, scale, question.start), on]

        *said, slider, [on] = self._fitted(build)
        return Composed([*said, slider], [on], slider=slider, onward=on)

    def level(self, title: str, text: str, question: Question, onward: str) -> Composed:
        """A title, a text, a slider that stands somewhere, and a button that goes on."""

        def build(scale: float) -> list[Block] | None:
            on = self._onward(onward, -0.3, scale)
            said = [self._said(title, TITLE, 0.3, scale, bold=True), self._said(text, BODY, 0.12, scale)]
            return None if on is None else [*said, self._slides(question, -0.08, scale, question.start), on]

        *said, slider, [on] = self._fitted(build)
        return Composed([*said, slider], [on], slider=slider, onward=on)

    def _word(self, question: Question, scale: float) -> list[Block]:
        if not question.word:
            return []
        return [self._said(question.word, WORD if len(question.word) < MANY else LONG_WORD, 0.16, scale, bold=True)]

    def steps(self, question: Question, onward: str) -> Composed:
        """A question, its word, and steps beside each other: each with its words, or numbered with words below the ends.

        Steps whose words have no room beside each other stand below each other.
        """
        n = question.high - question.low + 1
        named = len(question.labels) == n
        labels = question.labels if named else [str(question.low + i) for i in range(n)]
        choices = [Choice(str(question.low + i), x, str(question.low + i)) for i, x in enumerate(labels)]

        gap = min(STEP_GAP, STEP_APART * self.sheet.room / n)

        def build(listed: bool, scale: float) -> list[Block] | None:
            on = self._onward(onward, -0.395 if listed else -0.3, scale, 0.055 if listed else 0.075)
            width = min(STEP, (1.5 - STEP_GAP * n) / n)
            row = self._list(choices, 0.1, scale) if listed else self._row(choices, -0.04, scale, width, gap, 0.085)
            if row is None or on is None:
                return None
            said = [self._said(question.text, ASKED, 0.3, scale), *self._word(question, scale), row]
            if not named:
                outer = (n - 1) * (row.width + gap) / 2
                # Without a word of its own the item is its two ends.
                ends = (question.labels[0], question.labels[-1])
                under = self._ends(ends, 0.028 if question.word else 0.045, outer, scale, not question.word)
                if under is None:
                    return None
                said.append(under)
            return [*said, on]

        ways = (False, True) if named else (False,)
        found = self._fitted(*((lambda scale, way=way: build(way, scale)) for way in ways))
        at = 2 if question.word else 1
        below = found[at + 1] if not named else []
        [on] = found[-1]
        return Composed([*found[:at], *below], [*found[at], on], onward=on)

    def question(self, question: Question, words: dict[str, Any]) -> Composed:
        """The screen on which a question is asked."""
        if question.kind in ("choice", "multiple"):
            return self.pick("", question.text, listed(question.options or {}), words["next"], hint(question, words))
        if question.kind == "text":
            return self.write(question, hint(question, words), words["next"])
        if question.kind == "number":
            return self.number(question.text, number_pad(words), words["next"])
        return (self.slider if question.kind == "slider" else self.steps)(question, words["next"])

    def playing(self, title: str) -> Composed:
        """What plays, and how far it has come."""

        def build(scale: float) -> list[Block]:
            put = Block(0.018, -0.05, lambda y: Bar(self.pen, y, min(0.7, self.sheet.room)))
            return [self._said(title, 0.045, 0.12, scale, bold=True), put]

        said, bar = self._fitted(build)
        return Composed([said, bar], bar=bar)

    def sounding(self, title: str, words: str = "") -> Composed:
        """What is heard now."""

        def build(scale: float) -> list[Block]:
            more = [self._said(words, 0.05, 0.06, scale)] if words else []
            return [self._said(title, TITLE if words else 0.045, 0.3 if words else 0.12, scale, bold=True), *more]

        return Composed(self._fitted(build))
