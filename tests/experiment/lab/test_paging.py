"""Pages of a long text: all of it, in order, each on the screen."""

from __future__ import annotations

import textwrap

from hypothesis import given
from hypothesis import strategies as st

from experiment.lab.paging import paged


def narrow(lines: int, letters: int = 10):  # type: ignore[no-untyped-def]
    """Whether a text takes at most so many lines of so many letters; a line that is typed counts as one."""

    def fits(words: str) -> bool:
        used = sum(max(1, len(textwrap.wrap(line, letters))) for line in words.split("\n"))
        return used <= lines

    return fits


def test_a_text_that_fits_is_one_page() -> None:
    assert paged("one two", narrow(1)) == ["one two"]
    assert paged("", narrow(1)) == [""]


def test_it_breaks_between_paragraphs_then_sentences_then_words() -> None:
    assert paged("aa bb cc\n\ndd ee ff gg", narrow(3)) == ["aa bb cc", "dd ee ff gg"]
    assert paged("Aa bb cc dd ee. Ff gg hh ii jj kk.", narrow(3)) == ["Aa bb cc dd ee.", "Ff gg hh ii jj kk."]
    assert paged("aa bb cc dd ee ff gg hh", narrow(1)) == ["aa bb cc", "dd ee ff", "gg hh"]


def test_a_text_without_blanks_breaks_after_letters() -> None:
    assert paged("一二三四五六七八九十一二三", lambda words: len(words) <= 5) == ["一二三四五", "六七八九十", "一二三"]


@given(st.text(alphabet="ab .\n", max_size=200), st.integers(1, 6))
def test_pages_are_the_text_and_each_fits(words: str, lines: int) -> None:
    pages = paged(words, narrow(lines))
    assert "".join("".join(pages).split()) == "".join(words.split())
    assert all(narrow(lines)(page) for page in pages)
    assert all(page.strip() for page in pages) or not words.strip()
