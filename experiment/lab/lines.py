"""A text as lines that are no wider than there is room, in the order and the shapes in which its letters are drawn."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from functools import lru_cache

# Chinese, Japanese and Korean letters: a line may break after each.
WIDE = "\u2e80-\u9fff\uac00-\ud7a3\uf900-\ufaff\uff00-\uffef"
# No line ends with the first of these, none begins with the others.
OPENING = "（「『【〔《〈"
CLOSING = "。、，．：；？！）」』】〕》〉ー々ぁぃぅぇぉっゃゅょァィゥェォッャュョ…"
# What is not broken: a letter of these scripts, or a word, with the signs that belong to it.
PIECE = re.compile(rf"[{OPENING}]*(?:[{WIDE}]|[^\s{WIDE}]+)[{CLOSING}]*|[{OPENING}]+")

ROUNDING = 1e-9  # of sums of widths

Measure = Callable[[str], float]


def pieces(words: str) -> Iterator[tuple[str, bool]]:
    """What a line may be broken between, and whether a blank stands before it."""
    end = None
    for found in PIECE.finditer(words):
        yield found[0], end is not None and found.start() > end
        end = found.end()


def longest(words: str, wide: Measure, style: str = "LTR") -> float:
    """Width of the widest of the pieces that are not broken."""
    return max((wide(drawn(piece, style)) for piece, _ in pieces(words)), default=0.0)


def broken(words: str, room: float, wide: Measure, style: str = "LTR") -> list[str]:
    """Break a text into lines.

    Parameters
    ----------
    room : float
        How wide a line may be, in the unit of `wide`; a single letter that is wider has a line of its own.
    wide : callable
        How wide words are that are drawn as they stand.
    style : {"LTR", "RTL", "Arabic"}
        Lines that run from right to left are broken first and then turned; Arabic letters are joined.

    Returns
    -------
    list of str
        Lines as they are drawn, from the top. Empty ones stay.
    """
    return [drawn(line, style) for part in words.split("\n") for line in _filled(part, room, wide, style)]


@lru_cache(maxsize=4096)
def drawn(line: str, style: str) -> str:
    """A line as its letters are drawn from left to right."""
    if style == "LTR":
        return line
    from bidi.algorithm import get_display

    if style == "Arabic":
        import arabic_reshaper

        line = arabic_reshaper.reshape(line)
    return str(get_display(line))


def _filled(words: str, room: float, wide: Measure, style: str) -> list[str]:
    lines: list[str] = []
    line, used, blank = "", 0.0, wide(" ")
    for piece, apart in pieces(words):
        # Letters join within a word alone, so that a line is as wide as its words and blanks.
        width = wide(drawn(piece, style))
        space = blank if apart and line else 0.0
        if not line or used + space + width <= room + ROUNDING:
            line, used = f"{line} {piece}" if space else line + piece, used + space + width
        else:
            lines.append(line)
            line, used = piece, width
        while len(line) > 1 and used > room + ROUNDING:
            fits = max((n for n in range(1, len(line)) if wide(drawn(line[:n], style)) <= room), default=1)
            lines.append(line[:fits])
            line = line[fits:]
            used = wide(drawn(line, style))
    return [*lines, line]
