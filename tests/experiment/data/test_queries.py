"""What is asked of the database in more than one place: consents and how far sessions are."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.queries import answers_of, answers_to, consent_to, last_status, status_rows
from experiment.data.store import Store
from experiment.data.tables import Response, SessionRow, Trial
from experiment.launch import Prepared
from experiment.session import run_session, unanswered
from tests.experiment.data.rows import Asked, sat


class Asks(Bot):
    """Agrees to take part, and to questions of special categories where told so."""

    special = True

    def consent(self) -> tuple[bool, bool]:
        return True, self.special


@pytest.mark.parametrize("first", [True, False])
def test_consent_to_one_study_says_nothing_of_another(prepared: Prepared, first: bool) -> None:
    """A person sits for two studies and agrees to the optional questions of one of them alone."""
    store, config = prepared.store, prepared.config
    other_id = store.ensure_study("t", "T", {"experiment": config.model_dump(mode="json")})
    clips = [
        {"clip": x.clip, "taste": x.taste, "model": x.model, "number": x.number, "path": None, "sha256": "0" * 64}
        for x in prepared.stimuli
    ]
    other = Prepared(store, other_id, config, store.ensure_stimuli(other_id, clips))
    sessions = []
    for ready, special in ((prepared, first), (other, not first)):
        bot = Asks(config, load_effects(), np.random.default_rng(1), 0)
        bot.special = special
        sessions.append(launch.begin(ready, "P1", "bot", "en", "x"))
        assert run_session(store, sessions[-1], config, bot) == "complete"
    # 8 questions about oneself, of them 3 optional; 5 preferences; 3 clips of 12 adjectives.
    whole, part = (49, 49), (46, 46)
    assert [unanswered(store, x) for x in sessions] == ([whole, part] if first else [part, whole])
    with store.transaction() as s:
        given = [consent_to(s, s.get_one(SessionRow, x)) for x in sessions]
    assert [c is not None and c.special_categories for c in given] == [first, not first]


def test_nobody_who_did_not_agree_has_agreed(store: Store) -> None:
    sat(store, "A")
    alone = sat(store, "B", study="t")
    with store.transaction() as s:
        mine = s.get_one(SessionRow, alone)
        s.execute(update(SessionRow).where(SessionRow.id == alone).values(study_id=1))
        s.refresh(mine)
        assert consent_to(s, mine) is None


def test_status_counts_what_is_given_and_what_is_expected(store: Store) -> None:
    start = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
    sat(store, "A", station="left", started=start)
    sat(
        store,
        "B",
        [Asked("ratings", {}, "sour", "sour-base-000", open=["happy", "sad"])],
        kind="driven",
        status="running",
        started=start,
    )
    sat(store, "C", [], study="t", kind="imported", started=start)
    ended = start + timedelta(hours=2, seconds=5)
    with store.transaction() as s:
        asked = select(Response.id).join(Trial).join(SessionRow).where(SessionRow.station == "left")
        ids = list(s.scalars(asked.order_by(Response.id)))
        s.execute(update(Response).values(answered_at=start))
        # Written with another zone by a server elsewhere: shown in UTC.
        there = ended if store.engine.dialect.name == "sqlite" else ended.astimezone(timezone(timedelta(hours=9)))
        s.execute(update(Response).where(Response.id == ids[1]).values(answered_at=there))
    began = "2026-03-04 05:06:07"
    a = {"study": "s", "participant": "A", "kind": "person", "status": "complete", "station": "left"}
    b = {"study": "s", "participant": "B", "kind": "driven", "status": "running", "station": "x"}
    c = {"study": "t", "participant": "C", "kind": "imported", "status": "complete", "station": "x"}
    rows = [
        a | {"started_at": began, "answers": 6, "expected": 7, "last_answer": "2026-03-04 07:06:12"},
        b | {"started_at": began, "answers": 0, "expected": 2, "last_answer": None},
        c | {"started_at": began, "answers": 0, "expected": 0, "last_answer": None},
    ]
    assert status_rows(store) == rows
    assert status_rows(store, "s") == rows[:2]
    assert status_rows(store, "t") == rows[2:]
    assert status_rows(store, "u") == []


HEARD = [
    Asked("demographics", {"age": (33.0, None, None)}),
    Asked("preference", {"preference": (2.0, None, None)}, "sweet", "sweet-finetuned-000", "sweet-base-000"),
    Asked("ratings", {"happy": (4.0, None, None), "sad": (1.0, None, None)}, "sweet", "sweet-finetuned-000"),
]


def test_answers_of_a_participant_in_the_order_in_which_they_came(store: Store) -> None:
    """Of one study alone, all sittings; the last sitting's status."""
    sat(store, "A", HEARD[:1], status="stopped")
    sat(store, "B", HEARD)
    sat(store, "A", HEARD[1:], status="complete")
    sat(store, "A", HEARD[2:], study="t", status="running")
    given = [("age", None, 33.0), ("preference", None, 2.0), ("happy", None, 4.0), ("sad", None, 1.0)]
    assert answers_of(store, "s", "A") == given
    assert answers_of(store, "t", "A") == given[2:]
    assert answers_of(store, "s", "C") == []
    assert [last_status(store, *x) for x in (("s", "A"), ("t", "A"), ("s", "C"))] == ["complete", "running", None]


def test_answers_to_a_clip_whether_it_came_first_or_second(store: Store) -> None:
    sat(store, "A", HEARD)
    sat(store, "B", [replace(HEARD[1], answers={"preference": (9.0, None, None)})])
    sat(store, "C", HEARD[2:], kind="bot")
    sat(store, "D", HEARD, study="t")

    def row(clip: str, kind: str, block: str, item: str, answers: int, mean: float) -> dict[str, Any]:
        return {"clip": clip, "kind": kind, "block": block, "item": item, "answers": answers, "mean": mean}

    tuned, base = "sweet-finetuned-000", "sweet-base-000"
    assert answers_to(store, "s", [tuned]) == [
        row(tuned, "bot", "ratings", "happy", 1, 4.0),
        row(tuned, "bot", "ratings", "sad", 1, 1.0),
        row(tuned, "person", "preference", "preference", 2, 5.5),
        row(tuned, "person", "ratings", "happy", 1, 4.0),
        row(tuned, "person", "ratings", "sad", 1, 1.0),
    ]
    assert answers_to(store, "s", [base, "sour-base-000"]) == [row(base, "person", "preference", "preference", 2, 5.5)]
    assert answers_to(store, "s", []) == []
