"""The store: what begins, what is recorded, once and as it is; and what outlasts a crash, a lock, another booth."""

from __future__ import annotations

import sqlite3
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import DateTime, func, select, text, update
from sqlalchemy.exc import IntegrityError

from experiment import answering, launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.config import ExperimentConfig
from experiment.data.allotment import Places
from experiment.data.store import Header, Store
from experiment.data.tables import (
    Base,
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
from experiment.headphones import HeadphoneTrial
from experiment.question import Answer, Question
from experiment.session import run_session
from experiment.steps import Ask, Stored
from experiment.tasks.task import PlannedTrial
from tests.experiment.data.rows import sat
from tests.postgres import Postgres

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
    return Ask(f"ask:{trial.position}:{item}", trial, Question(item, "number", item), (0, 1))


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
    with pytest.raises(ExperimentError, match="answered already"):
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


def test_an_answer_survives_a_crash_of_the_server(config: ExperimentConfig) -> None:
    """With how it came about: the transaction is done again as a whole, once."""
    server = Postgres()
    try:
        store = Store(server.database("crash"))
        study_id = store.ensure_study("s", "S", {})
        session = store.begin(
            study_id, "A", Header("person", "x", "en", 0, {}), lambda row: [PlannedTrial("demographics", None, None, None, ("sex", "age"))],
        )  # fmt: skip
        stored = answering.read(store, session)
        sex, age = ask(stored, "sex"), ask(stored, "age")
        answering.answered(store, stored, sex, Answer(None, "other", 1.0, {"moves": 1}), config, 0.5)
        server.stop("immediate")
        back = threading.Timer(1.5, server.start)
        back.start()
        answering.answered(store, stored, age, Answer(33.0, None, 2.0, {"moves": 3}), config, 2.5)
        back.join()
        with store.transaction() as s:
            assert s.scalars(select(Response.item).order_by(Response.id)).all() == ["sex", "age"]
            assert s.scalars(select(Event.detail).where(Event.name == "answer").order_by(Event.id)).all() == [
                {"item": "sex", "moves": 1},
                {"item": "age", "moves": 3},
            ]
        answering.answered(store, stored, age, Answer(33.0, None, 2.0), config, 2.5)  # acknowledged late: no error
        with pytest.raises(ExperimentError) as refused:
            answering.answered(store, stored, age, Answer(34.0, None, 2.0), config, 2.5)
        assert "34" not in str(refused.value)  # no answer in an error's words
        store.close()
    finally:
        server.close()


class Listener(Bot):
    """A bot that says it heard all, and picks the first interval in every screening trial."""

    def sound_check(self) -> dict[str, Any]:
        return {"left": True, "right": True}

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int]:
        return [1] * len(trials)

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        return [{"clip": c.clip} for c in clips]


def whole_session(url: str, at: str, monkeypatch: pytest.MonkeyPatch) -> tuple[dict[str, list[Any]], int]:
    """One session whose every commit is cut off once, before or after it reached the server; all rows, and how many cuts."""
    import psycopg

    from benchmarks.booths import prepared

    ready = prepared(url)
    store = ready.store
    config = ready.config.model_copy(update={"headphones": "both", "headphones_required": False, "practice": False})
    commit, cuts, calls = store.engine.dialect.do_commit, 0, 0

    def cut_off(connection: Any) -> None:
        nonlocal cuts, calls
        calls += 1
        if at == "never" or calls % 2 == 0:
            return commit(connection)
        cuts += 1
        if at == "after":
            commit(connection)
        connection.dbapi_connection.close()
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    monkeypatch.setattr(store.engine.dialect, "do_commit", cut_off)
    session = launch.begin(ready, "P01", "bot", "en", "x")
    run_session(store, session, config, Listener(config, load_effects(), np.random.default_rng(3), 0))
    monkeypatch.setattr(store.engine.dialect, "do_commit", commit)
    rows: dict[str, list[Any]] = {}
    with store.transaction() as s:
        for table in Base.metadata.sorted_tables:
            kept = [c for c in table.c if c.name not in ("id", "at") and not isinstance(c.type, DateTime)]
            rows[table.name] = [tuple(r) for r in s.execute(select(*kept).order_by(table.c.id))]
    store.close()
    return rows, cuts


@pytest.mark.parametrize("at", ["before", "after"])
def test_what_was_cut_off_is_written_once(at: str, postgres: Postgres, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection lost at a commit leaves open whether it was made; either way the session is that of a quiet day."""
    quiet, none = whole_session(postgres.database(f"quiet_{at}"), "never", monkeypatch)
    rough, cuts = whole_session(postgres.database(f"rough_{at}"), at, monkeypatch)
    assert none == 0
    assert cuts > sum(len(quiet[t]) for t in ("consent", "response", "event", "screening"))
    assert len(quiet["screening"]) == 2
    assert {name: len(rows) for name, rows in rough.items()} == {name: len(rows) for name, rows in quiet.items()}
    # Numbers of sessions and trials differ: those of a try that was lost are not given again.
    assert [r[1:] for r in rough["response"]] == [r[1:] for r in quiet["response"]]
    assert [r[2:] for r in rough["event"]] == [r[2:] for r in quiet["event"]]


def test_booths_that_open_a_new_study_at_once_share_it(postgres: Postgres) -> None:
    """Study, clips and participants' codes are entered by whoever comes first; the others find them."""
    from concurrent.futures import ThreadPoolExecutor

    url = postgres.database("at_once")
    stores = [Store(url) for _ in range(8)]
    clip = {"taste": "sweet", "model": "base", "path": None, "sha256": "0" * 64}

    def enter(number: int, name: str, gate: threading.Barrier) -> tuple[int, list[int], int]:
        gate.wait()
        study_id = stores[number].ensure_study(name, "S", {})
        rows = [{"clip": f"c{k}", "number": k, **clip} for k in range(5)]
        clips = [x.id for x in stores[number].ensure_stimuli(study_id, rows)]
        gate.wait()
        session = stores[number].begin(study_id, f"{name}-{number}", Header("bot", "x", "en", 0, {}), lambda row: [])
        return study_id, clips, session

    with ThreadPoolExecutor(8) as pool:
        for k in range(5):
            gate = threading.Barrier(8, timeout=20)
            found = list(pool.map(lambda number, k=k, gate=gate: enter(number, f"s{k}", gate), range(8)))
            assert len({study_id for study_id, _, _ in found}) == 1
            assert len({tuple(clips) for _, clips, _ in found}) == 1
            assert len({session for _, _, session in found}) == 8
    with stores[0].transaction() as s:
        assert s.scalar(select(func.count()).select_from(Stimulus)) == 5 * 5
    for store in stores:
        store.close()


def test_booths_with_kills_and_a_crashing_server() -> None:
    """Every acknowledged answer stored once, every row taken once; full counts: benchmarks.evidence booths."""
    import time

    from benchmarks.booths import run

    # A server of its own: crashing the other one would end other tests' connections.
    server = Postgres()

    def crash() -> None:
        server.stop("immediate")
        time.sleep(1)
        server.start()

    try:
        found = run(server.database("booths"), booths=4, sessions=4, kills=4, restart=crash)
    finally:
        server.close()
    assert found["failures"] == []
    assert found["complete"] == found["sessions"] >= 16
    assert found["server_restarts"] == 1
    assert found["acknowledged_but_not_stored"] == 0
    assert found["stored_twice"] == found["design_rows_twice"] == 0
    assert found["answers_stored"] == found["answers_planned"]
    least, most = found["fewest_and_most_in_a_cell"]
    assert most - least <= 1
