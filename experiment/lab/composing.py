"""Every kind of screen, composed: what stands on it, as large as it is wanted or as there is room for, and where.

Nothing is drawn here, so that a study can be tried on any screen, and on none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from experiment.lab.choices import Choice, listed, number_pad
from experiment.lab.layout import FIRST_FLOOR, FLOOR, GAP, SCALES, Block, Sheet, across, sized, stacked, within
from experiment.lab.paging import paged
from experiment.lab.widgets import INK, INSET, MUTED, REACH, ROOM, Bar, Button, Pen, Slider, Text
from experiment.question import Question

CORNER, FOOT = 0.0245, 0.0267  # letters of the progress, and of the ways to stop and back
EDGE_Y = 0.4775  # how far from the middle the progress and the ways to stop and back begin
BESIDE = 0.02  # between the ways to stop and back
TITLE, ASKED, BODY, LABEL = 0.055, 0.042, 0.032, 0.03
WORD, LONG_WORD = 0.075, 0.04
MANY = 20  # letters from which on a word is a long one
STEP, STEP_GAP = 0.24, 0.015
ROWS, ROW_GAP = 0.075, 0.012  # of a list of choices
PAD = 0.0055  # above and below words in a box

Build = Callable[[float], "list[Block] | None"]


@dataclass
class Composed:
    """What stands on a screen: what is shown, what is pressed, and what is set while it stands."""

    parts: list[Any] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)
    slider: Slider | None = None
    entry: Text | None = None
    onward: Button | None = None
    bar: Bar | None = None


class Composer:
    """Composes screens of one size.

    Parameters
    ----------
    sheet : Sheet
        What there is room for.
    enlarged : float
        How much larger than usual letters are wanted.

    Attributes
    ----------
    smallest : float
        Size of the smallest letters that were set.
    """

    def __init__(self, pen: Pen, sheet: Sheet, enlarged: float = 1.0):
        self.pen, self.sheet, self.enlarged = pen, sheet, enlarged
        self.smallest = 1.0
        foot = self._foot_height()
        self.top = EDGE_Y - self.pen.ruler.line(CORNER * enlarged) - GAP
        self.bottom = -EDGE_Y + foot + 0.0075

    # What every screen has ---------------------------------------------------------------------------------------

    def _foot_height(self) -> float:
        return max(0.045, self.pen.ruler.line(FOOT * self.enlarged) + 0.008)

    def foot(self, *named: tuple[str, str]) -> list[Button]:
        """The quiet buttons in the corner, by name and words, beside each other from the left."""
        height, size = self._foot_height(), FOOT * self.enlarged
        found, left = [], -self.sheet.half
        for name, label in named:
            width = max(0.16, self.pen.ruler.wide(label, size) + 2 * INSET)
            y = -EDGE_Y + height / 2
            found.append(Button(self.pen, name, label, left + width / 2, y, width, height, quiet=True, size=size))
            left += width + BESIDE
        self.smallest = min(self.smallest, size)
        return found

    def corner(self, words: str) -> Text:
        """What stands small in the upper right: how far one has come."""
        size = CORNER * self.enlarged
        width, height = self.pen.takes(words, size, self.sheet.room)
        self.smallest = min(self.smallest, size)
        return Text(self.pen, words, self.sheet.half - width / 2, EDGE_Y - height / 2, size, self.sheet.room, MUTED)

    # Blocks ------------------------------------------------------------------------------------------------------

    def _size(self, wanted: float, scale: float) -> float:
        return sized(wanted * self.enlarged, scale, FLOOR * self.enlarged)

    def _said(
        self, words: str, wanted: float, wish: float, scale: float, bold: bool = False, color: str = INK
    ) -> Block:
        """A text."""
        size, room = self._size(wanted, scale), min(ROOM, self.sheet.room)
        _, height = self.pen.takes(words, size, room, bold)
        return Block(height, wish, lambda y: self._put(Text(self.pen, words, 0.0, y, size, room, color, bold)))

    def _put(self, text: Text) -> Text:
        self.smallest = min(self.smallest, text.size)
        return text

    def _cells(self, labels: Sequence[str], width: float, columns: int, gap: float, scale: float) -> Any:
        """Size of the letters, width and height that boxes beside each other need; None where a word is wider than its box."""
        size = self._size(LABEL, scale)
        most = (self.sheet.room - gap * (columns - 1)) / columns
        wanted = max(self.pen.ruler.wide(label, size) for label in labels) + 2 * INSET
        cell = min(most, max(width, wanted))
        whole = all(self.pen.longest(label, size) <= cell - 2 * INSET for label in labels)
        if not whole and scale > SCALES[-1]:
            return None
        high = max(self.pen.takes(label, size, cell - 2 * INSET)[1] for label in labels)
        return size, cell, high + 2 * PAD

    def _row(
        self, choices: Sequence[Choice], wish: float, scale: float, width: float, gap: float, height: float = 0.075
    ) -> Block | None:
        """Buttons beside each other, all alike; None where a label has a word that is too long for them."""
        cells = self._cells([c.label for c in choices], width, len(choices), gap, scale)
        if cells is None:
            return None
        size, cell, high = cells
        tall = max(height * max(scale, FIRST_FLOOR), high)

        def put(y: float) -> list[Button]:
            self.smallest = min(self.smallest, size)
            return [
                Button(self.pen, c.name, c.label, x, y, cell, tall, c.key, c.primary, size=size)
                for c, x in zip(choices, across([cell] * len(choices), gap), strict=True)
            ]

        return Block(tall, wish, put, cell)

    def _list(
        self, choices: Sequence[Choice], first: float, scale: float, columns: int = 1, width: float = 0.75
    ) -> Block | None:
        """Buttons below each other, in lines from the left where there are columns; the first one's upper edge wants to be at `first`."""
        gap = ROW_GAP * max(scale, FIRST_FLOOR)
        cells = self._cells([c.label for c in choices], width, columns, ROW_GAP, scale)
        if cells is None:
            return None
        size, cell, high = cells
        tall = max(ROWS * scale, high)
        rows = -(-len(choices) // columns)
        height = rows * tall + (rows - 1) * gap

        def put(y: float) -> list[Button]:
            self.smallest = min(self.smallest, size)
            xs = across([cell] * columns, ROW_GAP)
            return [
                Button(
                    self.pen, c.name, c.label, xs[i % columns],
                    y + height / 2 - tall / 2 - (i // columns) * (tall + gap), cell, tall, c.key, c.primary, size=size,
                )
                for i, c in enumerate(choices)
            ]  # fmt: skip

        return Block(height, first - height / 2, put)

    def _onward(self, label: str, wish: float, scale: float, height: float = 0.075) -> Block | None:
        """The button that goes on, answered by the return key."""
        return self._row([Choice("next", label, "return", True)], wish, scale, 0.26, 0.0, height)

    def _ends(self, words: Sequence[str], wanted: float, outer: float, scale: float, bold: bool) -> Block | None:
        """Two texts beside each other, below the two ends of a row; None where a word is too long for its side."""
        size, room = self._size(wanted, scale), min(0.45, self.sheet.half - GAP)
        if scale > SCALES[-1] and max(self.pen.longest(x, size, bold) for x in words) > room:
            return None
        takes = [self.pen.takes(x, size, room, bold) for x in words]
        height = max(h for _, h in takes)

        def put(y: float) -> list[Text]:
            found = []
            for side, (x, (width, tall)) in zip((-1, 1), zip(words, takes, strict=True), strict=True):
                middle = within(side * outer, width, self.sheet.half)
                top = y + height / 2 - tall / 2
                found.append(self._put(Text(self.pen, x, middle, top, size, room, INK, bold)))
            return found

        return Block(height, -0.135, put)

    def _fitted(self, *builds: Build) -> list[Any]:
        """What the blocks of the first way to build a screen put that has room; letters go under their floor last of all."""
        tries = [(build, scale) for build in builds for scale in SCALES if scale >= FIRST_FLOOR]
        tries += [(build, scale) for scale in SCALES if scale < FIRST_FLOOR for build in builds]
        for build, scale in tries:
            blocks = build(scale)
            middles = None if blocks is None else stacked(blocks, self.top, self.bottom)
            if blocks is not None and middles is not None:
                return [block.put(y) for block, y in zip(blocks, middles, strict=True)]
        # Longer than anything that can be read: as it may, rather than not at all.
        blocks = builds[-1](SCALES[-1]) or []
        self.smallest = 0.0
        share = (self.top - self.bottom) / sum(b.height for b in blocks)
        found, edge = [], self.top
        for block in blocks:
            found.append(block.put(edge - block.height * share / 2))
            edge -= block.height * share
        return found

    # Screens -----------------------------------------------------------------------------------------------------

    def pages(self, title: str, body: str, choices: Sequence[Choice]) -> list[str]:
        """A text as pages that fit between a title and buttons, in letters of their usual size."""
        if not body:
            return [body]
        size, room = self._size(BODY, 1.0), min(ROOM, self.sheet.room)
        heading = self._said(title, TITLE, 0.3, 1.0, True).height
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
            said = [self._said(title, TITLE, 0.3, scale, bold=True)]
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

    def pick(self, title: str, text: str, choices: Sequence[Choice], onward: str) -> Composed:
        """A text (under a title, where there is one), choices below each other, and a button that confirms."""

        def build(columns: int, scale: float) -> list[Block] | None:
            chosen = self._list(choices, 0.2375, scale, columns, 0.75 if columns == 1 else 0.3)
            on = self._onward(onward, -0.395, scale, 0.055)
            if chosen is None or on is None:
                return None
            if title:
                said = [self._said(title, 0.045, 0.42, scale, bold=True), self._said(text, LABEL, 0.31, scale)]
            else:
                said = [self._said(text, ASKED, 0.3, scale)]
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

        def build(listed: bool, scale: float) -> list[Block] | None:
            on = self._onward(onward, -0.395 if listed else -0.3, scale, 0.055 if listed else 0.075)
            width = min(STEP, (1.5 - STEP_GAP * n) / n)
            row = (
                self._list(choices, 0.1, scale) if listed else self._row(choices, -0.04, scale, width, STEP_GAP, 0.085)
            )
            if row is None or on is None:
                return None
            said = [self._said(question.text, ASKED, 0.3, scale), *self._word(question, scale), row]
            if not named:
                outer = (n - 1) * (row.width + STEP_GAP) / 2
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
        if question.kind == "choice":
            return self.pick("", question.text, listed(question.options or {}), words["next"])
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
