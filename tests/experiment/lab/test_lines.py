"""Texts as lines: nothing is lost, no line is wider than there is room, scripts break where they may."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.lab.lines import broken, drawn, longest, pieces


def em(words: str) -> float:
    """Every letter is one wide."""
    return len(words)


@given(st.text("ab \n音。「」字", max_size=60), st.integers(3, 12))
def test_nothing_is_lost_and_no_line_is_too_wide(words: str, room: int) -> None:
    lines = broken(words, room, em)
    assert "".join(lines).replace(" ", "") == "".join(words.split())
    assert max(map(len, lines)) <= room


@given(st.lists(st.text("abc", min_size=1, max_size=5), min_size=1, max_size=12), st.integers(5, 12))
def test_a_line_ends_where_the_next_word_has_no_room(words: list[str], room: int) -> None:
    lines = broken(" ".join(words), room, em)
    assert " ".join(lines).split() == words
    for line, then in itertools.pairwise(lines):
        assert len(line) + 1 + len(then.split()[0]) > room


def test_words_break_at_blanks_and_paragraphs_stay() -> None:
    assert broken("one two three", 7, em) == ["one two", "three"]
    assert broken("one\n\ntwo", 7, em) == ["one", "", "two"]
    assert broken("", 7, em) == [""]
    assert broken("unbreakable", 4, em) == ["unbr", "eaka", "ble"]
    assert broken("an unbreakable", 4, em) == ["an", "unbr", "eaka", "ble"]
    assert broken("ab", 0.5, em) == ["a", "b"]  # a letter that is wider than the line has one of its own


def test_chinese_and_japanese_break_anywhere_but_at_their_signs() -> None:
    """No line begins with a full stop or ends with a bracket that opens; Latin words among them are not broken."""
    assert broken("音楽を聴く。", 3, em) == ["音楽を", "聴く。"]
    assert broken("音楽を聴く。", 5, em) == ["音楽を聴", "く。"]
    assert broken("字字「音」字", 4, em) == ["字字", "「音」字"]
    assert broken("字字「音」字", 3, em) == ["字字", "「音」", "字"]
    assert broken("字字music字", 7, em) == ["字字music", "字"]
    assert broken("字字music字", 5, em) == ["字字", "music", "字"]
    for first, last in (("\u2e80", "\u9fff"), ("\uac00", "\ud7a3"), ("\uff00", "\uffef")):
        assert broken((first + last) * 3, 4, em) == [(first + last) * 2, first + last]


def test_right_to_left_lines_are_broken_before_they_are_turned() -> None:
    """Two Hebrew words of four letters: on one line of nine the first stands at the right; on lines of eight it is on top."""
    assert broken("שלום עולם", 9, em, "RTL") == ["םלוע םולש"]
    assert broken("שלום עולם", 8, em, "RTL") == ["םולש", "םלוע"]
    assert broken("שלום\n\nעולם", 8, em, "RTL") == ["םולש", "", "םלוע"]
    # Arabic letters are joined too: beh, alef, beh have other shapes in a word than alone.
    assert drawn("\u0628\u0627\u0628", "Arabic") == "\ufe8f\ufe8e\ufe91"
    assert broken("\u0628\u0627\u0628", 9, em, "Arabic") == ["\ufe8f\ufe8e\ufe91"]
    assert drawn("ab", "LTR") == "ab"


@pytest.mark.parametrize(
    ("words", "wide"), [("one three two", 5), ("音楽を", 1), ("聴く。", 2), ("字music", 5), ("", 0)]
)
def test_the_widest_of_what_is_not_broken(words: str, wide: int) -> None:
    assert longest(words, em) == wide


def test_pieces_know_the_blank_before_them() -> None:
    assert list(pieces("a 字b  c")) == [("a", False), ("字", True), ("b", False), ("c", True)]
