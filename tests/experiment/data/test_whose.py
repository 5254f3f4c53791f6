"""Whom a code means in a database, and which of their sessions is the last."""

from __future__ import annotations

import pytest
from sqlalchemy import insert, select

from experiment.data.store import Header, Store
from experiment.data.tables import Participant, StudyRow
from experiment.data.whose import find_person, last_session
from experiment.errors import ExperimentError
from tests.experiment.data.rows import sat


def test_two_codes_of_an_older_database_stay_two(store: Store) -> None:
    """What was written apart before is found as it is written; a third way means the first of them."""
    sat(store, "p1")
    with store.engine.begin() as c:  # as the migration leaves them: only one has the form
        c.execute(insert(Participant).values(code="P001", norm=None))
    for code in ("P001", "P2"):
        sat(store, code)
    with store.transaction() as s:
        found = {c: (p.code if (p := find_person(s, c)) else None) for c in ("p1", "P001", "P01", "p002", "x")}
        last = last_session(s, 1, "p002")
        assert last is not None
        study_id = last.study_id
    assert found == {"p1": "p1", "P001": "P001", "P01": "p1", "p002": "P2", "x": None}
    with pytest.raises(ExperimentError, match=r"participant p02 already has a session in this study \(as P2\)"):
        store.begin(study_id, "p02", Header("person", "x", "en", 0, {}), lambda row: [])


def test_the_last_session_of_a_code_in_a_study(store: Store) -> None:
    """Of three visits the third; of somebody else's none, nor one of another study, though it came later."""
    first, elsewhere = sat(store, "P1", study="s"), sat(store, "P1", study="t")
    sat(store, "P2", study="s")
    visits = [first, sat(store, "P1", study="s", status="stopped"), sat(store, "P1", study="s")]
    later = sat(store, "P2", study="t")
    with store.transaction() as s:
        of = {row.name: row.id for row in s.scalars(select(StudyRow))}
        found = {
            (code, name): None if (row := last_session(s, number, code)) is None else row.id
            for code in ("P1", "p001", "P2", "P3")
            for name, number in [*of.items(), ("none", 99)]
        }
    assert found == {
        ("P1", "s"): visits[2], ("P1", "t"): elsewhere, ("P1", "none"): None,
        ("p001", "s"): visits[2], ("p001", "t"): elsewhere, ("p001", "none"): None,
        ("P2", "s"): first + 2, ("P2", "t"): later, ("P2", "none"): None,
        ("P3", "s"): None, ("P3", "t"): None, ("P3", "none"): None,
    }  # fmt: skip
