"""What screens are made of: texts, buttons in rows and lists, their sizes; and how these are fitted onto a screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from experiment.choices import Choice
from experiment.lab.layout import FIRST_FLOOR, FLOOR, GAP, SCALES, Block, Sheet, across, sized, stacked, within
from experiment.lab.widgets import INSET, ROOM, Button, Pen, Picture, Text, within_box
from experiment.looks import CORNER, FOOT, INK, LABEL, MUTED

LOGO = 0.1  # height of a logo
EDGE_Y = 0.4775  # how far from the middle the progress and the ways to stop and back begin
BESIDE = 0.02  # between the ways to stop and back
ROWS, ROW_GAP = 0.075, 0.012  # of a list of choices
PAD = 0.0055  # above and below words in a box

Build = Callable[[float], "list[Block] | None"]


@lru_cache(maxsize=8)
def pixels(picture: Path) -> tuple[int, int]:
    """Width and height of a picture."""
    from PIL import Image

    with Image.open(picture) as opened:
        return opened.size


class Blocks:
    """What screens of one size are made of: texts, rows and lists of buttons, as large as wanted or as there is room for.

    Parameters
    ----------
    sheet : Sheet
        What there is room for.
    enlarged : float
        How much larger than usual letters are wanted.
    logo : path, optional
        A picture over pages of text.

    Attributes
    ----------
    smallest : float
        Size of the smallest letters that were set.
    """

    def __init__(self, pen: Pen, sheet: Sheet, enlarged: float = 1.0, logo: Path | None = None):
        self.pen, self.sheet, self.enlarged, self.logo = pen, sheet, enlarged, logo
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

    def keys(self, words: str, beside: Sequence[Button]) -> Text | None:
        """How the keyboard answers, small in the lower right; None where there is nothing to say, or no room beside the foot.

        Where room is short its letters are no larger than usual.
        """
        left = max((b.x + b.width / 2 + BESIDE for b in beside), default=-self.sheet.half)
        y, room = -EDGE_Y + self._foot_height() / 2, self.sheet.half - left
        sizes = (CORNER * self.enlarged, CORNER) if words else ()
        size = next((x for x in sizes if self.pen.ruler.wide(words, x) <= room), None)
        if size is None:
            return None
        width = self.pen.ruler.wide(words, size)
        return Text(self.pen, words, self.sheet.half - width / 2, y, size, self.sheet.room, MUTED, keys=True)

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

    def _pictured(self, body: str, scale: float) -> list[Block]:
        """The logo over a page of text; nothing where there is none."""
        if self.logo is None or not body:
            return []
        path, (wide, high) = self.logo, pixels(self.logo)
        height = min(LOGO * scale, self.sheet.room * high / wide)
        return [Block(height, 0.4, lambda y: Picture(self.pen, path, y, height * wide / high, height))]

    def _cells(self, labels: Sequence[str], width: float, columns: int, gap: float, scale: float) -> Any:
        """Size of the letters, width and height that boxes beside each other need; None where a word is wider than its box."""
        size = self._size(LABEL, scale)
        most = (self.sheet.room - gap * (columns - 1)) / columns
        wanted = max(self.pen.ruler.wide(label, size) for label in labels) + 2 * INSET
        cell = min(most, max(width, wanted))
        whole = all(self.pen.longest(label, size) <= within_box(cell) for label in labels)
        if not whole and scale > SCALES[-1]:
            return None
        high = max(self.pen.takes(label, size, within_box(cell))[1] for label in labels)
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
