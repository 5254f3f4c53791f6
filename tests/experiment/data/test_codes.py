"""Codes: what may be one, which are tastelab's own, and when two mean one person."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select

from experiment import launch
from experiment.data.codes import check_code, checked, same
from experiment.data.tables import Participant
from experiment.errors import ExperimentError
from experiment.launch import Prepared

# Written by hand: each row is one person.
ALIKE = [
    ("P001", "p001", "Ｐ００１", "P1", "p01", "Ｐ1"),
    ("12", "0012", "００１２", "012"),
    ("A-007.b", "a-7.B", "a-07.b"),
    ("STRASSE", "straße", "Strasse"),
    ("Ä1", "ä01"),
    ("0", "00", "000"),
    ("a0", "A00"),
]
OTHERS = ["P10", "P100", "P0010", "120", "1", "2", "a-70.b", "a7b", "P-1", "P_1", "P.1", "1P", "a"]


@pytest.mark.parametrize("codes", ALIKE)
def test_ways_of_writing_one_code(codes: tuple[str, ...]) -> None:
    assert len({same(c) for c in codes}) == 1


def test_other_codes_are_others() -> None:
    assert len({same(c) for c in OTHERS}) == len(OTHERS) - 1  # P10 and P0010 are one
    firsts = {same(codes[0]) for codes in ALIKE}
    assert len(firsts) == len(ALIKE)
    assert not firsts & {same(c) for c in OTHERS}


@given(st.text(st.characters(categories=["L", "N", "P"]), max_size=12), st.integers(0, 10**6), st.integers(0, 5))
def test_the_form_of_a_form_is_itself_and_numbers_keep_their_worth(before: str, number: int, zeros: int) -> None:
    letters = before.rstrip("0123456789") + "-"
    assert same(same(before)) == same(before)
    assert same(f"{letters}{'0' * zeros}{number}") == same(f"{letters}{number}")
    assert same(f"{letters}{number}") != same(f"{letters}{number + 1}")


def test_codes_of_our_own_are_for_their_kind_alone() -> None:
    for code in ("bot-1-0000", "BOT-9", "Ｂot-1", "imp-a", "driven-0001", "withdrawn-a", "refused-1", "too_young-1"):
        with pytest.raises(ExperimentError, match="are tastelab's own; choose another"):
            check_code(code)
    assert checked("bot-1-0000", "bot") == "bot-1-0000"
    assert checked("driven-0001", "driven") == "driven-0001"
    for code in ("both-1", "robot-1", "bot1", "important"):
        check_code(code)
    with pytest.raises(ExperimentError):
        checked("bot-1-0000", "driven")
    assert checked("Ｐ００３") == "P003"


def test_one_person_however_the_code_is_written(booth: Prepared) -> None:
    """Begun, found, refused a second time and gone on with under each way of writing it."""
    session = launch.begin(booth, "Ｐ００１", "person", "en", "x")
    with booth.store.transaction() as s:
        assert s.scalars(select(Participant.code)).all() == ["P001"]
    for code in ("p1", "P0001", "P001"):
        with pytest.raises(ExperimentError, match="already has a session in this study"):
            launch.begin(booth, code, "person", "en", "x")
        assert launch.resume(booth, code)[0] == session
    assert launch.begin(booth, "P10", "person", "en", "x") != session
