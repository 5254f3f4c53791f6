"""What is asked of the database in more than one place: consents and how far sessions are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest
from sqlalchemy import select, update

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.declared import Change
from experiment.data.queries import (
    amendments,
    answers_of,
    consent_to,
    effects_followed,
    last_status,
    status_rows,
)
from experiment.data.store import Store
from experiment.data.tables import Declaration, Response, SessionRow, StudyRow, Trial
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
    ears = {"marks": "huggins: passed"}
    rows = [
        a | {"started_at": began, "answers": 6, "expected": 7, "last_answer": "2026-03-04 07:06:12"} | ears,
        b | {"started_at": began, "answers": 0, "expected": 2, "last_answer": None} | ears,
        c | {"started_at": began, "answers": 0, "expected": 0, "last_answer": None} | ears,
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


def test_status_tells_groups_where_there_are_any(store: Store) -> None:
    sat(store, "A", group_name="plain")
    sat(store, "B")
    sat(store, "C", study="t")
    assert [(r["participant"], r["group"]) for r in status_rows(store, "s")] == [("A", "plain"), ("B", None)]
    assert "group" not in status_rows(store, "t")[0]


def test_effects_are_those_that_bots_of_the_study_followed(store: Store) -> None:
    """Each file once, by its content; people follow none, and older sessions do not say."""
    for code, kind, study, versions in (
        ("A", "bot", "s", {"effects_sha256": "1" * 64, "effects": "one.toml"}),
        ("B", "bot", "s", {"effects_sha256": "2" * 64, "effects": "two.toml"}),
        ("C", "bot", "s", {"effects_sha256": "1" * 64, "effects": "one.toml"}),
        ("D", "bot", "s", {"tastelab": "0.1"}),
        ("E", "person", "s", {"effects_sha256": "3" * 64, "effects": "three.toml"}),
        ("F", "bot", "t", {"effects_sha256": "4" * 64, "effects": "four.toml"}),
    ):
        sat(store, code, [], study, kind, versions=versions)
    assert effects_followed(store, "s") == {"1" * 64: "one.toml", "2" * 64: "two.toml"}
    assert effects_followed(store, "t") == {"4" * 64: "four.toml"}
    assert effects_followed(store, "u") == {}


def test_amendments_count_who_sat_before_and_since(store: Store) -> None:
    """Version 1 with three, 2 with two, 3 with one session (one of them a bot's); what was never amended is none."""
    for number, n in ((1, 3), (2, 2), (3, 1)):
        for k in range(n):
            sat(store, f"P{number}{k}", [], kind="bot" if (number, k) == (2, 0) else "person", declared=number)
    sat(store, "elsewhere", [], "t", declared=3)
    with store.transaction() as s:
        of = {row.name: row.id for row in s.scalars(select(StudyRow))}
        for number, note in ((1, None), (3, "a spelling"), (2, "longer to go on")):
            changes = [] if note is None else [{"where": note, "was": "a", "now": "b", "weight": "limit"}]
            s.add(
                Declaration(
                    study_id=of["s"], number=number, note=note, wording="why" if number == 3 else None, definition={},
                    changes=changes,
                )
            )  # fmt: skip
    told = [{k: x[k] for k in ("number", "note", "wording", "before", "since")} for x in amendments(store, "s")]
    assert told == [
        {"number": 2, "note": "longer to go on", "wording": None, "before": 3, "since": 3},
        {"number": 3, "note": "a spelling", "wording": "why", "before": 5, "since": 1},
    ]
    assert [(x["before"], x["since"]) for x in amendments(store, "s", "person")] == [(3, 2), (4, 1)]
    assert [x["changes"] for x in amendments(store, "s")] == [
        [Change(note, "a", "b", "limit")] for note in ("longer to go on", "a spelling")
    ]
    assert amendments(store, "t") == []
