"""A server that goes away, connections that are cut off, many booths at once: every answer is stored once."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import pytest
from sqlalchemy import DateTime, func, select

from experiment import answering, launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.config import ExperimentConfig
from experiment.data.store import Header, Store
from experiment.data.tables import Base, Event, Response, Stimulus
from experiment.errors import ExperimentError
from experiment.headphones import HeadphoneTrial
from experiment.question import Answer
from experiment.session import run_session
from experiment.tasks.task import PlannedTrial
from tests.experiment.data.test_store import ask
from tests.postgres import Postgres


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
