"""A text that is longer than the screen, as pages: nothing of it is left out, nothing stands over something else."""

from __future__ import annotations

import re
from collections.abc import Callable


def paged(words: str, fits: Callable[[str], bool]) -> list[str]:
    """Break a text into pages that fit, where a paragraph ends if one does in the page's second half, else a sentence, else a word.

    Parameters
    ----------
    fits : callable
        Whether a text fits on a page; whatever is shorter than a text that fits has to fit too.

    Returns
    -------
    list of str
        At least one page. What stands on them, one after the other, is the text, less the blanks at which it was broken.
        A single letter that does not fit stands on a page of its own.
    """
    rest, pages = words.strip(), []
    while rest and not fits(rest):
        cut = _longest(rest, fits)
        cut = next((at for at in map(lambda ends: _last(ends, rest, cut), ENDS) if at), cut)
        pages.append(rest[:cut].rstrip())
        rest = rest[cut:].lstrip()
    return [*pages, rest] if rest or not pages else pages


ENDS = (re.compile(r"\n\s*\n"), re.compile(r"[.!?:;]\s|[\u3002\uff01\uff1f]|\n"), re.compile(r"\s"))


def _longest(words: str, fits: Callable[[str], bool]) -> int:
    """How many letters of a text that does not fit do."""
    low, high = 1, len(words)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(words[:middle].rstrip()) else (low, middle)
    return low


def _last(ends: re.Pattern[str], words: str, cut: int) -> int | None:
    """Behind the last of these ends in the second half of the first `cut` letters."""
    found = [m.end() for m in ends.finditer(words[: cut + 1]) if cut <= 2 * m.end() <= 2 * cut + 2]
    return found[-1] if found else None
