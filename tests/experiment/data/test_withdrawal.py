"""Withdrawal: everything that a person left goes, nothing of anybody else, and a tombstone stays."""

from __future__ import annotations

import hashlib
import hmac
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from experiment import answering, launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.lease import LostError
from experiment.data.store import Header, Store
from experiment.data.tables import (
    Base,
    Participant,
    Place,
    SessionRow,
    StudyRow,
    Superseded,
    Tombstone,
    Trial,
    utc_now,
)
from experiment.data.tombstones import entry
from experiment.data.withdrawal import bury, studies_of, withdraw
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.session import run_session
from tests.experiment.data.rows import Asked, sat

ANSWERED = [
    Asked("demographics", {"sex": (None, "female", 1.0), "age": (33.0, None, 2.0)}),
    Asked(
        "ratings",
        {"happy": (4.0, None, 3.0), "sad": (1.0, None, 4.0), "cold": (2.0, None, 5.0)},
        "sour",
        "sour-base-000",
    ),
]


def everything(store: Store) -> dict[str, list[dict[str, Any]]]:
    """All rows of all tables."""
    with store.engine.connect() as c:
        return {
            t.name: [dict(r) for r in c.execute(select(t).order_by(t.c.id)).mappings()]
            for t in Base.metadata.sorted_tables
        }


def test_all_of_a_person_goes_and_all_of_the_others_stays(store: Store) -> None:
    """Two sessions of one person, between people whose rows lie before and after; another study of the same code stays."""
    sat(store, "before", ANSWERED, secret="kept")
    mine = [
        sat(store, "gone", ANSWERED, secret="UNMISTAKABLE", status="stopped", overrides=["UNMISTAKABLE"]),
        sat(store, "gone", ANSWERED, secret="UNMISTAKABLE"),
    ]
    theirs = sat(store, "gone", ANSWERED[:1], "t", secret="kept", status="running")
    sat(store, "after", ANSWERED, secret="kept", special=False)
    sat(store, "after", ANSWERED, "t", secret="kept")
    was = everything(store)
    with store.transaction() as s:
        trials = {t.id for x in mine for t in s.get_one(SessionRow, x).trials}
        person = s.scalars(select(Participant.id).where(Participant.code == "gone")).one()
        study = s.get_one(SessionRow, theirs).study_id

    def of_others(rows: dict[str, list[dict[str, Any]]]) -> dict[str, list[dict[str, Any]]]:
        out = {name: rows[name] for name in ("study", "stimulus", "calibration")}
        for name in ("trial", "event", "screening"):
            out[name] = [r for r in rows[name] if r["session_id"] not in mine]
        out["response"] = [r for r in rows["response"] if r["trial_id"] not in trials]
        out["consent"] = [r for r in rows["consent"] if r["participant_id"] != person or r["study_id"] == study]
        out["session"] = [r for r in rows["session"] if r["id"] not in mine]
        out["participant"] = [r for r in rows["participant"] if r["withdrawn_at"] is None]
        return out

    with pytest.raises(ExperimentError, match=r"took part in s, t; say which is asked for \(--study FILE\)"):
        withdraw(store, "gone")
    assert everything(store) == was
    did = withdraw(store, "gone", "s")
    assert (did.study, did.sessions, did.answers, did.elsewhere) == ("s", 2, 10, ["t"])
    now = everything(store)
    assert of_others(now) == of_others(was)
    left = {name: [r for r in rows if r not in of_others(now).get(name, [])] for name, rows in now.items()}
    assert {name: len(rows) for name, rows in left.items() if rows} == {"participant": 1, "session": 2, "tombstone": 1}
    shell, stone = left["participant"][0], left["tombstone"][0]
    assert shell["code"] == f"withdrawn-{stone['digest'][:12]}"
    assert (shell["norm"], shell["withdrawn_at"] is not None) == (None, True)
    assert {
        (r["status"], r["calibration"], r["ended_at"], r["overrides"], str(r["versions"])) for r in left["session"]
    } == {("withdrawn", None, None, None, "{}")}
    # The hash is the one that the guide describes: HMAC-SHA-256 of study and code under the stone's own key.
    key = bytes.fromhex(stone["key"])
    assert len(key) == 32
    assert stone["digest"] == hmac.new(key, b"s\ngone", hashlib.sha256).hexdigest()
    assert "UNMISTAKABLE" not in str(now)
    assert str(now).count("kept") > 3
    # Then from the other: of the code nothing is left anywhere.
    assert withdraw(store, "GONE").study == "t"
    assert "'gone'" not in str(everything(store))
    assert len({r["code"] for r in everything(store)["participant"]}) == 4


def test_who_is_not_there_and_who_has_gone_before(store: Store) -> None:
    sat(store, "A", ANSWERED)
    was = everything(store)
    for study in (None, "s"):
        with pytest.raises(ExperimentError, match="participant B is not in"):
            withdraw(store, "B", study)
    with pytest.raises(ExperimentError, match=r"participant A is not in study other of"):
        withdraw(store, "A", "other")
    assert everything(store) == was
    first = withdraw(store, "A", places=[Place(kind="key", path="/far/participants.key")])
    now = everything(store)
    # Not done yet: asked again it goes on, and deletes nothing twice.
    again = withdraw(store, "a")
    assert (again.tombstone, again.sessions, again.answers) == (first.tombstone, 0, 0)
    assert everything(store) == now
    with store.transaction() as s:
        s.get_one(Tombstone, first.tombstone).done_at = utc_now()
    with pytest.raises(ExperimentError, match=r"participant A has already withdrawn from s \(\d{4}-\d\d-\d\d\)"):
        withdraw(store, "A")


def test_the_studies_of_a_person(store: Store) -> None:
    for study in ("z", "a"):
        sat(store, "A", ANSWERED, study)
    sat(store, "A", ANSWERED, "z")
    sat(store, "B", ANSWERED, "b")
    assert studies_of(store, "A") == ["a", "z"]
    assert studies_of(store, "C") == []
    withdraw(store, "A", "z")
    assert studies_of(store, "A") == ["a"]


def test_tombstones_of_another_copy_leave_people_out_and_their_codes_unused(store: Store) -> None:
    """Of those named some are in this database, in the study that is meant or in another, and some are not yet."""
    for code, study in (("A", "s"), ("A", "t"), ("B", "t"), ("C", "s")):
        sat(store, code, ANSWERED, study, secret=f"of {code} in {study}")
    stones = [entry("s", "a"), entry("s", "B"), entry("s", "late"), entry("*", "C")]
    left_out, new = bury(store, stones)
    assert (left_out, len(new)) == (2, 4)
    assert bury(store, stones) == (0, [])
    text = str(everything(store))
    assert [x for x in ("of A in s", "of A in t", "of B in t", "of C in s") if x in text] == ["of A in t", "of B in t"]
    with store.transaction() as s:
        study_id = s.scalars(select(StudyRow.id).where(StudyRow.name == "s")).one()
    header = Header("person", "x", "en", 0, {})
    for code in ("A", "B", "LATE", "C"):
        with pytest.raises(ExperimentError, match=f"participant {code} has withdrawn; use another code"):
            store.begin(study_id, code, header, lambda row: [])
    assert store.begin(study_id, "D", header, lambda row: []) > 0


def test_a_session_that_is_withdrawn_while_it_runs_ends_and_leaves_nothing(prepared: Prepared) -> None:
    """At each step of a session in turn: the booth learns of it at its next write, and nothing that it writes then stays."""
    kinds = set()
    for k, stop in enumerate((0, 1, 4, 9, 30)):
        code = f"P{k + 1}"
        session = launch.begin(prepared, code, "bot", "en", "x")

        class Leaves(Bot):
            left, gone, stop, code = 0, False, 0, ""

            def _may_go(self) -> None:
                if self.left == self.stop and not self.gone:
                    self.gone = True
                    outside = Store(prepared.store.url)
                    withdraw(outside, self.code)
                    outside.close()
                self.left += 1

            def consent(self) -> tuple[bool, bool]:
                self._may_go()
                return True, True

            def page(self, title: str, text: str) -> None:
                kinds.add("page")
                self._may_go()

            def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
                kinds.add("ask")
                self._may_go()
                return super().ask(question, trial, progress)

        bot = Leaves(prepared.config, load_effects(), np.random.default_rng(k), 0)
        bot.stop, bot.code = stop, code
        assert run_session(prepared.store, session, prepared.config, bot) == "withdrawn"
        now = everything(prepared.store)
        assert {n for n, rows in now.items() if rows} == {
                "study", "declaration", "stimulus", "participant", "session", "tombstone",
            }  # fmt: skip
        assert {r["status"] for r in now["session"]} == {"withdrawn"}
        with pytest.raises(ExperimentError, match=f"participant {code}: has withdrawn; there is nothing to go on with"):
            launch.resume(prepared, code)
    assert kinds == {"page", "ask"}


def test_stopping_a_session_that_was_withdrawn_does_not_bring_it_back(prepared: Prepared) -> None:
    session = launch.begin(prepared, "P1", "bot", "en", "x")
    stored = answering.started(prepared.store, session)
    withdraw(prepared.store, "P1")
    with pytest.raises(LostError, match="the participant withdrew while the session ran"):
        answering.stopped(prepared.store, stored, 1.0)
    with prepared.store.transaction() as s:
        assert s.get_one(SessionRow, session).status == "withdrawn"


def test_answers_that_were_given_anew_go_too(store: Store) -> None:
    """Of whoever withdraws; another's stay."""
    sat(store, "A")
    sat(store, "B")
    with store.transaction() as s:
        for trial in s.scalars(select(Trial).order_by(Trial.id)):
            s.add(Superseded(trial_id=trial.id, item="sex", choice="male", answered_at=utc_now()))
        before = s.scalar(select(func.count()).select_from(Superseded))
    withdraw(store, "A")
    with store.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Superseded)) == (before or 0) // 2 > 0
        kept = s.scalars(select(Participant.code).join(SessionRow).join(Trial).join(Superseded).distinct()).all()
    assert kept == ["B"]
