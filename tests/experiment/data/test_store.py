"""The store: what begins, what is recorded, once and as it is; and what is waited for."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, text, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from experiment import answering
from experiment.config import ExperimentConfig, Group
from experiment.data.allotment import Places
from experiment.data.store import Header, Store
from experiment.data.tables import (
    Event,
    Participant,
    Response,
    SessionRow,
    Stimulus,
    StudyRow,
    Trial,
)
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from experiment.question import Answer, Question
from experiment.steps import Ask, Stored
from experiment.tasks.task import PlannedTrial
from tests.experiment.data.rows import sat

HEADER = Header("person", "booth", "it", 7, {"python": "3.11"}, {"by": "station", "gain_db": -3.5}, ["audio"])
CLIP = {"taste": "sweet", "model": "base", "number": 0, "path": "/a.wav", "sha256": "1" * 64}


def asked(row: int) -> list[PlannedTrial]:
    """A plan that tells its row."""
    return [
        PlannedTrial("demographics", None, None, None, ("sex", "age")),
        PlannedTrial("ratings", f"taste {row}", 1, None, ("happy",)),
        PlannedTrial("preference", "sweet", 1, 2, ("preference",)),
    ]


@pytest.fixture
def entered(store: Store) -> tuple[Store, int]:
    """A store with a study of two clips."""
    study_id = store.ensure_study("s", "S", {})
    store.ensure_stimuli(study_id, [{"clip": "one", **CLIP}, {"clip": "two", **CLIP, "number": 1}])
    return store, study_id


def test_a_session_begins_with_its_header_and_its_whole_plan(entered: tuple[Store, int]) -> None:
    store, study_id = entered
    before = datetime.now(UTC)
    session = store.begin(study_id, "A", HEADER, asked)
    with store.transaction() as s:
        row = s.get_one(SessionRow, session)
        told = (row.study_id, row.kind, row.status, row.station, row.language, row.seed, row.design_row)
        assert told == (study_id, "person", "running", "booth", "it", 7, 0)
        assert (row.versions, row.calibration, row.overrides) == (
            {"python": "3.11"},
            {"by": "station", "gain_db": -3.5},
            ["audio"],
        )
        begun = row.started_at if row.started_at.tzinfo else row.started_at.replace(tzinfo=UTC)
        assert before - timedelta(seconds=1) <= begun <= datetime.now(UTC) + timedelta(seconds=1)
        assert row.ended_at is None
        assert row.participant.code == "A"
        assert [(t.position, t.block, t.taste, t.first_id, t.second_id, t.items) for t in row.trials] == [
            (0, "demographics", None, None, None, ["sex", "age"]),
            (1, "ratings", "taste 0", 1, None, ["happy"]),
            (2, "preference", "sweet", 1, 2, ["preference"]),
        ]


def test_places_are_given_out_once_and_given_back(entered: tuple[Store, int]) -> None:
    """Per study and kind; of three cells the emptiest."""
    store, study_id = entered

    def begin(code: str, kind: str = "person", study: int = study_id) -> int | None:
        number = store.begin(study, code, Header(kind, "x", "en", 0, {}), lambda row: [], places=Places(3))
        with store.transaction() as s:
            return s.get_one(SessionRow, number).design_row

    def becomes(code: str, status: str) -> None:
        with store.transaction() as s:
            person = select(Participant.id).where(Participant.code == code).scalar_subquery()
            s.execute(update(SessionRow).where(SessionRow.participant_id == person).values(status=status))

    assert [begin(code) for code in "ABCDE"] == [0, 1, 2, 3, 4]
    assert begin("bot", "bot") == 0
    assert begin("other", study=store.ensure_study("t", "T", {})) == 0
    becomes("A", "complete")
    becomes("B", "stopped")
    becomes("C", "withdrawn")
    assert begin("F") == 2  # cells: 0 has two, 1 has one, 2 has none
    assert begin("G") == 1
    assert begin("H") == 5
    assert begin("I") == 6


def test_who_may_not_begin(entered: tuple[Store, int]) -> None:
    store, study_id = entered
    session = store.begin(study_id, "A", HEADER, asked)
    with pytest.raises(ExperimentError, match="'tastelab experiment run --resume A' goes on"):
        store.begin(study_id, "A", HEADER, asked)
    with store.transaction() as s:
        s.get_one(SessionRow, session).status = "complete"
    with pytest.raises(ExperimentError, match="already has a session in this study"):
        store.begin(study_id, "A", HEADER, asked)
    other = store.ensure_study("t", "T", {})
    assert store.begin(other, "A", HEADER, asked) != session  # another study is another matter
    with store.transaction() as s:
        s.get_one(SessionRow, session).status = "stopped"
    # Who stopped goes on with the session there is, however the code is written; a second one would double every key.
    for alike in ("A", "a", "Ａ"):
        with pytest.raises(ExperimentError, match=f"'tastelab experiment run --resume {alike}' goes on"):
            store.begin(study_id, alike, HEADER, asked)
    withdraw(store, "A", "s")
    with pytest.raises(ExperimentError, match="participant a has withdrawn; use another code"):
        store.begin(study_id, "a", HEADER, asked)
    with pytest.raises(ExperimentError, match="participant A already has a session in this study"):
        store.begin(other, "A", HEADER, asked)  # it withdrew from one study, not from both


def test_a_plan_that_cannot_be_made_leaves_nothing(entered: tuple[Store, int]) -> None:
    store, study_id = entered

    def too_few(row: int) -> list[PlannedTrial]:
        raise ExperimentError("too few clips")

    with pytest.raises(ExperimentError, match="too few"):
        store.begin(study_id, "A", HEADER, too_few)
    with store.transaction() as s:
        assert s.scalar(select(func.count()).select_from(Participant)) == 0
        assert s.scalar(select(func.count()).select_from(SessionRow)) == 0


def test_a_dropout_of_yesterday_gives_its_place_back(entered: tuple[Store, int]) -> None:
    store, study_id = entered
    old = store.begin(study_id, "A", HEADER, asked)
    with store.transaction() as s:
        s.get_one(SessionRow, old).started_at = datetime.now(UTC) - timedelta(hours=25)
    new = store.begin(study_id, "B", HEADER, asked)
    with store.transaction() as s:
        assert (s.get_one(SessionRow, old).status, s.get_one(SessionRow, new).design_row) == ("stopped", 0)
        s.get_one(SessionRow, new).started_at = datetime.now(UTC) - timedelta(hours=2)
    assert store.begin(study_id, "C", HEADER, asked, lapse_hours=2.5) > new
    with store.transaction() as s:
        assert s.get_one(SessionRow, new).status == "running"
    store.begin(study_id, "D", HEADER, asked, lapse_hours=1.5)
    with store.transaction() as s:
        assert s.get_one(SessionRow, new).status == "stopped"


def definition(config: ExperimentConfig, **changes: Any) -> dict[str, Any]:
    return {"experiment": config.model_copy(update=changes).model_dump(mode="json")}


def test_a_study_keeps_its_design_once_somebody_sat(store: Store, config: ExperimentConfig) -> None:
    first = store.ensure_study("s", "S", definition(config))
    assert store.ensure_study("s", "S", definition(config)) == first
    assert store.ensure_study("t", "T", definition(config)) != first
    changed = definition(config, seed=config.seed + 1)
    assert store.ensure_study("s", "S", changed) == first  # nobody sat: it may change
    assert store.study("s").definition == changed
    sat(store, "imported", kind="imported")
    assert store.ensure_study("s", "S", definition(config)) == first  # imports ran under no design of ours
    sat(store, "A", kind="bot")
    with pytest.raises(ExperimentError, match="already has sessions under another"):
        store.ensure_study("s", "S", changed)
    assert store.study("s").definition == definition(config)
    # Where texts lie, fonts and disk space differ from booth to booth; what came later has its default in the older one.
    for same in (definition(config, font="Noto", disk_gb=9.0, texts=Path("/elsewhere")), definition(config)):
        assert store.ensure_study("s", "S", same) == first
    older = definition(config)
    del older["experiment"]["practice"], older["experiment"]["questionnaires"]
    assert store.ensure_study("s", "S", older) == first
    for change in ({"practice": False}, {"shuffle": True}, {"headphones": "both"}, {"back": False}, {"seed": 7}):
        with pytest.raises(ExperimentError, match="another"):
            store.ensure_study("s", "S", definition(config, **change))
    for change, told in (
        ({"resume_hours": 1.0}, "resume_hours: 24.0 -> 1.0;"),
        ({"languages": ["it", "en"]}, "languages: en, it -> it, en;"),
        ({"minimum_age": 17, "target": 40}, r"minimum_age: 18 -> 17 \(and 1 more\);"),
    ):
        with pytest.raises(
            ExperimentError, match=f"declared otherwise when it began: {told} say why with 'tastelab study"
        ):
            store.ensure_study("s", "S", definition(config, **change))
        assert store.ensure_study("s", "S", definition(config, **change), going_on=True) == first
    assert store.study("s").definition == definition(config)
    with pytest.raises(ExperimentError, match="another"):
        store.ensure_study("s", "S", {"experiment": {"unheard": 1}})


def test_a_study_that_is_not_there_names_those_that_are(store: Store) -> None:
    with pytest.raises(ExperimentError, match=r"'x' is not in .*there: none\); run a session first"):
        store.study("x")
    store.ensure_study("s", "S", {})
    assert (store.study("s").name, store.study("s").title) == ("s", "S")
    with pytest.raises(ExperimentError, match="there: s"):
        store.study("x")


def test_a_clip_that_was_heard_stays_the_clip_that_was_heard(entered: tuple[Store, int]) -> None:
    store, study_id = entered

    def clips(**changes: Any) -> list[dict[str, Any]]:
        return [{"clip": "one", **CLIP}, {"clip": "two", **CLIP, "number": 1, **changes}]

    first = store.ensure_stimuli(study_id, clips())
    assert [c.clip for c in first] == ["one", "two"]
    assert [c.id for c in store.ensure_stimuli(study_id, clips(path="/moved.wav"))] == [c.id for c in first]
    with store.transaction() as s:
        assert s.scalars(select(Stimulus.path).order_by(Stimulus.id)).all() == ["/a.wav", "/moved.wav"]
    made_anew = clips(sha256="2" * 64, path="/b.wav", number=9)
    assert [c.id for c in store.ensure_stimuli(study_id, made_anew)] == [c.id for c in first]  # nobody heard it
    with store.transaction() as s:
        assert s.execute(
            select(Stimulus.sha256, Stimulus.path, Stimulus.number).where(Stimulus.clip == "two")
        ).one() == ("2" * 64, "/b.wav", 9)
    for heard_as, plan in (
        ("second", PlannedTrial("preference", "sweet", first[0].id, first[1].id, ("preference",))),
        ("first", PlannedTrial("ratings", "sweet", first[1].id, None, ("happy",))),
    ):
        session = store.begin(study_id, heard_as, HEADER, lambda row, plan=plan: [plan])
        with pytest.raises(ExperimentError, match="clip two differs from the one that earlier sessions heard"):
            store.ensure_stimuli(study_id, clips())
        assert len(store.ensure_stimuli(study_id, made_anew)) == 2
        with store.transaction() as s:
            for trial in s.scalars(select(Trial).where(Trial.session_id == session)):
                s.delete(trial)
    other = store.ensure_study("t", "T", {})
    assert {c.id for c in store.ensure_stimuli(other, clips())} & {c.id for c in first} == set()


def ask(stored: Stored, item: str) -> Ask:
    """The step that asks an item."""
    trial = next(t for t in stored.plan if item in t.items)
    question = Question(item, "number", item, high=110)
    if item == "sex":
        question = Question(item, "choice", item, {"male": "male", "other": "other"})
    return Ask(f"ask:{trial.position}:{item}", trial, question, (0, 1))


def test_an_answer_is_stored_with_its_time_and_how_it_came_about(
    entered: tuple[Store, int], config: ExperimentConfig
) -> None:
    store, study_id = entered
    session = store.begin(study_id, "A", HEADER, asked)
    stored = answering.read(store, session)
    stored = answering.answered(store, stored, ask(stored, "sex"), Answer(None, "other", 1.25), config, 3.0)
    answering.answered(store, stored, ask(stored, "age"), Answer(33, None, None, {"moves": 2}), config, 9.5)
    with store.transaction() as s:
        trial = s.scalars(select(Trial.id).where(Trial.position == 0)).one()
        rows = s.scalars(select(Response).order_by(Response.id)).all()
        assert [(r.trial_id, r.item, r.value, r.choice, r.response_time) for r in rows] == [
            (trial, "sex", None, "other", 1.25),
            (trial, "age", 33.0, None, None),
        ]
        events = s.scalars(select(Event)).all()
        assert [(e.session_id, e.trial_id, e.name, e.at, e.detail) for e in events] == [
            (session, trial, "answer", 9.5, {"item": "age", "moves": 2})
        ]


@pytest.mark.parametrize(
    "other", [{"value": 34.0}, {"choice": "x"}, {"response_time": 3.0}, {"value": None}, {"response_time": None}]
)
def test_the_same_answer_again_is_no_error_and_another_is(
    entered: tuple[Store, int], config: ExperimentConfig, other: dict[str, Any]
) -> None:
    store, study_id = entered
    stored = answering.read(store, store.begin(study_id, "A", HEADER, asked))
    answer = {"value": 33.0, "choice": None, "response_time": 2.0}
    for _ in range(2):
        answering.answered(store, stored, ask(stored, "happy"), Answer(**answer), config, 1.0)
    with pytest.raises(ExperimentError, match=r"answered already|happy: None is no whole number"):
        answering.answered(store, stored, ask(stored, "happy"), Answer(**(answer | other)), config, 1.0)
    with store.transaction() as s:
        row = s.scalars(select(Response)).one()
        assert (row.item, row.value, row.choice, row.response_time) == ("happy", 33.0, None, 2.0)


def test_a_lock_is_waited_for_and_told_when_patience_ends(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    store = Store(f"sqlite:///{path}", wait=0.05)
    session = sat(store, "A", [], status="running")
    holder = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    threading.Timer(0.6, lambda: holder.execute("ROLLBACK")).start()
    began = time.monotonic()
    answering.stopped(store, answering.read(store, session), 1.0)
    assert time.monotonic() - began > 0.3
    holder.execute("BEGIN IMMEDIATE")

    def write() -> None:
        with store.transaction() as s:
            s.add(StudyRow(name="x", title="", definition={}))

    with pytest.raises(
        ExperimentError, match=r"did not come back within 0 s \(database is locked\); .* go on with --resume"
    ):
        store.patiently(write, 0.3)
    holder.execute("ROLLBACK")
    holder.close()
    with store.transaction() as s:
        assert s.scalars(select(Event.name).order_by(Event.id)).all()[-1] == "end"
        assert s.scalars(select(StudyRow.name)).all() == ["s"]


def test_a_clash_is_tried_once_more_and_no_more(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    tries = []

    def clash() -> str:
        tries.append(1)
        if len(tries) == 1:
            raise IntegrityError("INSERT", {}, Exception("UNIQUE"))
        return "done"

    assert store.patiently(clash) == "done"
    assert len(tries) == 2

    def always() -> None:
        tries.append(1)
        raise IntegrityError("INSERT", {}, Exception("UNIQUE"))

    tries.clear()
    with pytest.raises(IntegrityError):
        store.patiently(always)
    assert len(tries) == 2


def test_an_error_that_does_not_pass_is_not_waited_for(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    began = time.monotonic()
    with pytest.raises(Exception, match="no such table"):
        store.do(lambda s: s.execute(text("SELECT * FROM nowhere")))
    assert time.monotonic() - began < 2


def test_a_group_s_own_language_stands_back_behind_the_one_that_was_asked_for(entered: tuple[Store, int]) -> None:
    store, study_id = entered
    groups = [Group(name="a", language="it")]
    header = Header("person", "x", "en", 0, {})
    spoken = []
    for code, language in (("A", None), ("B", "en")):
        number = store.begin(
            study_id, code, header, lambda row, group: [], places=Places(1, groups=groups, language=language)
        )
        with store.transaction() as s:
            spoken.append(s.get_one(SessionRow, number).language)
    assert spoken == ["it", "en"]


def test_what_is_done_together_gives_its_results_and_is_kept_as_a_whole(store: Store) -> None:
    def enter(name: str) -> int:
        def work(s: Session) -> int:
            s.add(StudyRow(name=name, title="", definition={}))
            s.flush()
            return len(s.scalars(select(StudyRow)).all())

        return store.do(work)

    before = store.do(lambda s: len(s.scalars(select(StudyRow)).all()))
    assert store.together(lambda: (enter("one"), enter("two"))) == (before + 1, before + 2)

    def breaks() -> None:
        enter("three")
        raise ValueError("after it")

    with pytest.raises(ValueError, match="after it"):
        store.together(breaks)
    assert store.do(lambda s: len(s.scalars(select(StudyRow)).all())) == before + 2
    assert enter("three") == before + 3  # nothing of the former transaction is joined
