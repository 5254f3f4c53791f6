"""A session as it went: in order, with what was heard, and nothing of it changed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import select, update

from experiment.data.replay import timeline
from experiment.data.store import Store
from experiment.data.tables import Event, Response, StudyRow, Superseded, Trial
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from tests.experiment.data.rows import Asked, sat

ASKED = [
    Asked("demographics", {"sex": (None, "female", 1.55), "age": (33.0, None, None)}),
    Asked("preference", {"preference": (2.5, None, 7.125)}, "sweet", "sweet-finetuned-003", "sweet-base-003"),
    Asked("ratings", {"cold": (1.0, None, 3.0)}, "sour", "sour-base-001"),
]


def test_events_and_answers_stand_in_the_order_in_which_they_happened(store: Store) -> None:
    sat(store, "B", ASKED)
    sat(store, "A", ASKED[:1], status="stopped")
    session = sat(store, "A", ASKED)  # the last one is shown
    at = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    with store.transaction() as s:
        study = s.scalars(select(StudyRow.id)).one()
        trials = [t.id for t in s.scalars(select(Trial).where(Trial.session_id == session).order_by(Trial.position))]
        s.execute(update(Response).values(answered_at=at))
        for event in s.scalars(select(Event).where(Event.session_id == session)):
            s.delete(event)
    happened: list[tuple[str, float, int | None, dict[str, Any]]] = [
        ("start", 0.0, None, {}),
        ("answer", 2.0004, 0, {"item": "sex", "moves": 2, "late": 0}),
        ("audio_onset", 3.25, 1, {"clip": "sweet-finetuned-003", "play": 1}),
        ("answer", 9.5, 1, {"item": "preference"}),
        ("answer", 9.75, 1, {"item": "forgotten"}),
        ("end", 12.0, None, {"status": "complete"}),
    ]
    with store.transaction() as s:
        for name, seconds, trial, detail in happened:
            of = None if trial is None else trials[trial]
            s.add(Event(session_id=session, trial_id=of, name=name, at=seconds, detail=detail))
            s.flush()
    rows = timeline(store, study, "A")
    clock = "05:06:07" if store.engine.dialect.name == "sqlite" else rows[1]["time"]
    empty = {"time": None, "trial": None, "block": None}
    assert rows == [
        empty | {"at": 0.0, "what": "start", "detail": ""},
        {"time": clock, "at": 2.0, "trial": 0, "block": "demographics", "what": "sex", "detail": "female after 1.6 s (moves 2)"},
        {"time": None, "at": 3.25, "trial": 1, "block": "preference", "what": "audio_onset", "detail": "clip sweet-finetuned-003, play 1"},
        {"time": clock, "at": 9.5, "trial": 1, "block": "preference", "what": "preference", "detail": "2.5 after 7.1 s"},
        empty | {"at": 12.0, "what": "end", "detail": "status complete"},
        {"time": clock, "at": None, "trial": 0, "block": "demographics", "what": "age", "detail": "33"},
        {"time": clock, "at": None, "trial": 2, "block": "ratings", "what": "cold", "detail": "1 after 3.0 s (sour-base-001)"},
    ]  # fmt: skip


def test_what_nobody_saw_stands_in_the_order_of_the_plan(store: Store) -> None:
    """Imported answers have no events; both clips of a pair are named in the order heard."""
    session = sat(store, "A", ASKED, kind="imported")
    with store.transaction() as s:
        study = s.scalars(select(StudyRow.id)).one()
        for event in s.scalars(select(Event).where(Event.session_id == session)):
            s.delete(event)
    rows = timeline(store, study, "A")
    assert [(r["trial"], r["what"], r["at"]) for r in rows] == [
        (0, "sex", None), (0, "age", None), (1, "preference", None), (2, "cold", None)
    ]  # fmt: skip
    assert rows[2]["detail"] == "2.5 after 7.1 s (sweet-finetuned-003 / sweet-base-003)"


def test_who_has_no_session_to_show(store: Store) -> None:
    sat(store, "A", ASKED)
    sat(store, "B", ASKED, study="t")
    with store.transaction() as s:
        study = s.scalars(select(StudyRow.id).where(StudyRow.name == "s")).one()
    for code in ("B", "C"):
        with pytest.raises(ExperimentError, match=f"participant {code} has no session in this study"):
            timeline(store, study, code)
    withdraw(store, "A")
    with pytest.raises(ExperimentError, match="nothing is kept of participant A"):
        timeline(store, study, "A")


def test_an_answer_that_was_given_anew_stands_where_it_was_given(store: Store) -> None:
    session = sat(store, "A", ASKED[:1])
    early = datetime(2026, 3, 4, 5, 6, 1, tzinfo=UTC)
    with store.transaction() as s:
        study = s.scalars(select(StudyRow.id)).one()
        trial = s.scalars(select(Trial.id).where(Trial.session_id == session)).one()
        for event in s.scalars(select(Event).where(Event.session_id == session)):
            s.delete(event)
        s.add(Superseded(trial_id=trial, item="sex", choice="male", response_time=0.5, answered_at=early))
        for name, at, detail in (
            ("answer", 1.0, {"item": "sex"}),
            ("back", 2.0, {"item": "sex"}),
            ("answer", 3.0, {"item": "sex"}),
        ):
            s.add(Event(session_id=session, trial_id=trial, name=name, at=at, detail=detail))
            s.flush()
    rows = timeline(store, study, "A")
    assert [(r["at"], r["what"], r["detail"]) for r in rows] == [
        (1.0, "sex", "male after 0.5 s, given anew later"), (2.0, "back", "item sex"), (3.0, "sex", "female after 1.6 s"),
        (None, "age", "33"),
    ]  # fmt: skip
    assert rows[0]["time"] == "05:06:01" or store.engine.dialect.name != "sqlite"
