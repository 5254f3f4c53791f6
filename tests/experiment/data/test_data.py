"""What happens to people's data: exports that read back equal, withdrawal everywhere, backups, the key file, replay."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import stat
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import DateTime, func, select, text
from sqlalchemy.exc import IntegrityError

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.config import ExperimentConfig
from experiment.data.ages import age_band
from experiment.data.backups import MARKER, apply_marker, backup, forget
from experiment.data.exports.tidy import COLUMNS, tidy
from experiment.data.exports.write import export
from experiment.data.keyfile import KeyFile
from experiment.data.replay import timeline
from experiment.data.store import Header, Store
from experiment.data.tables import Base, Event, Participant, Response, SessionRow, Stimulus, Trial
from experiment.data.withdrawal import studies_of, withdraw
from experiment.design import SPECIAL, PlannedTrial, plan
from experiment.errors import ExperimentError
from experiment.headphones import HeadphoneTrial
from experiment.launch import Prepared
from experiment.session import run_session
from tests.postgres import Postgres

Answers = dict[int, list[tuple[str, str, str]]]


def number(value: object) -> str:
    return "" if value in (None, "", "n/a") else f"{float(str(value)):.6g}"


def in_database(store: Store) -> Answers:
    """Item, value, choice by participant, as an export must give them back."""
    found: Answers = {}
    with store.transaction() as s:
        query = select(SessionRow, Trial, Response).join(Trial, Trial.session_id == SessionRow.id).join(Response)
        codes: dict[int, int] = {}
        for session, _, r in s.execute(query.order_by(SessionRow.id, Trial.position, Response.id)):
            if r.item in SPECIAL:
                continue
            value, choice = (None, age_band(r.value)) if r.item == "age" else (r.value, r.choice)
            who = codes.setdefault(session.participant_id, len(codes) + 1)
            found.setdefault(who, []).append((r.item, number(value), choice or ""))
    return found


def rows_of(path: Path, delimiter: str = ",") -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8-sig")), delimiter=delimiter))


@pytest.fixture
def filled(prepared: Prepared) -> Prepared:
    launch.simulate(prepared, load_effects(), 4, seed=1)
    return prepared


def read_back(folder: Path, format: str) -> Answers:
    """Answers of an export by participant."""
    found: Answers = {}
    if format == "csv":
        for r in rows_of(folder / "s.csv"):
            found.setdefault(int(r["participant"]), []).append((r["item"], number(r["value"]), r["choice"]))
    elif format == "psychds":
        for path in sorted((folder / "data").glob("*.csv")):
            for r in rows_of(path):
                found.setdefault(int(r["participant"]), []).append((r["item"], number(r["value"]), r["choice"]))
    elif format == "psychopy":
        for path in sorted(folder.glob("*.csv")):
            for r in rows_of(path):
                answer = (r["item"], number(r["slider.response"]), r["key_resp.keys"])
                found.setdefault(int(r["participant"]), []).append(answer)
    else:
        order = {"demographics": 0, "preference": 1, "ratings": 2}
        paths = sorted(
            folder.glob("sub-*/beh/*.tsv"), key=lambda p: (p.parts[-3], order[p.name.split("task-")[1][:-8]])
        )
        for path in paths:
            for r in rows_of(path, "\t"):
                answer = (r["item"], number(r["value"]), r["choice"].replace("n/a", ""))
                found.setdefault(int(path.parts[-3][4:]), []).append(answer)
    return found


@pytest.mark.parametrize("format", ["csv", "psychds", "bids", "psychopy"])
def test_an_export_reads_back_equal_and_forgets_the_withdrawn(filled: Prepared, tmp_path: Path, format: str) -> None:
    store = filled.store
    folder, _ = export(store, "s", format, tmp_path)
    assert read_back(folder, format) == in_database(store)
    everything = "".join(p.read_text(encoding="utf-8") for p in folder.rglob("*") if p.is_file())
    assert "bot-" not in everything
    assert not any(item in everything for item in SPECIAL)
    withdraw(store, "bot-1-0001")
    again, _ = export(store, "s", format, tmp_path)
    assert again == folder
    assert read_back(folder, format) == in_database(store)
    assert len(read_back(folder, format)) == 3
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name or "old" in p.name] == []


def test_psychds_follows_its_schema(filled: Prepared, tmp_path: Path) -> None:
    """Rules of psych-ds.github.io's schema 1.0: required fields, file names, every column declared."""
    folder, _ = export(filled.store, "s", "psychds", tmp_path)
    described = json.loads((folder / "dataset_description.json").read_text())
    for field in ("@context", "@type", "name", "description", "variableMeasured"):
        assert described[field], field
    assert described["@context"] == "https://schema.org"
    assert described["@type"] == "Dataset"
    declared = {v["name"] for v in described["variableMeasured"]}
    files = sorted((folder / "data").iterdir())
    assert len(files) == 4
    for path in files:
        assert re.fullmatch(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.csv", path.name)
        head, *lines = path.read_text().splitlines()
        assert set(head.split(",")) == set(COLUMNS) == declared
        assert all(len(next(csv.reader([line]))) == len(COLUMNS) for line in lines)


def test_bids_names_and_sidecars(filled: Prepared, tmp_path: Path) -> None:
    """BIDS 1.10: entities in names, participants.tsv names every subject folder, each column is described."""
    folder, _ = export(filled.store, "s", "bids", tmp_path)
    described = json.loads((folder / "dataset_description.json").read_text())
    assert described["Name"]
    assert described["BIDSVersion"]
    people = [r["participant_id"] for r in rows_of(folder / "participants.tsv", "\t")]
    assert people == sorted(p.name for p in folder.glob("sub-*")) == [f"sub-{i:03d}" for i in range(1, 5)]
    for path in folder.glob("sub-*/beh/*.tsv"):
        assert re.fullmatch(rf"{path.parts[-3]}_task-[a-zA-Z0-9]+_beh\.tsv", path.name)
        sidecar = json.loads(path.with_suffix(".json").read_text())
        assert set(path.read_text().splitlines()[0].split("\t")) <= set(sidecar)


def test_an_unknown_format_names_the_known(filled: Prepared, tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="csv, psychds, bids, psychopy"):
        export(filled.store, "s", "xml", tmp_path)
    assert list(tmp_path.glob("xml*")) == []


def test_small_cells_are_flagged_for_people(prepared: Prepared) -> None:
    for i in range(6):
        session = prepared.store.begin(
            prepared.study_id, f"p{i}", Header("person", "x", "en", 0, {}), lambda row: plan(prepared.config, prepared.clips, row),
        )  # fmt: skip
        run_session(
            prepared.store, session, prepared.config, Bot(prepared.config, load_effects(), np.random.default_rng(i), 0)
        )
    flagged = tidy(prepared.store, "s").small_cells
    assert flagged
    assert all(int(line.rsplit(": ", 1)[1]) < 5 for line in flagged)


def test_backup_while_sessions_go_on_and_withdrawal_reaches_it(filled: Prepared, tmp_path: Path) -> None:
    store, folder = filled.store, tmp_path / "backups"
    path = backup(store, folder)
    if os.name == "posix":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    copy = Store(f"sqlite:///{path}")
    assert in_database(copy) == in_database(store)
    copy.close()
    assert studies_of(store, "bot-1-0002") == ["s"]
    withdraw(store, "bot-1-0002")
    assert forget(folder, "bot-1-0002") == (1, 1)
    assert "bot-1-0002" in (folder / MARKER).read_text()
    copy = Store(f"sqlite:///{path}")
    assert in_database(copy) == in_database(store)
    copy.close()
    # A copy that lay elsewhere meanwhile still has them; restoring it beside the marker leaves them out.
    launch.simulate(filled, load_effects(), 5, seed=2)
    older = backup(store, folder)
    (folder / MARKER).write_text("2026-01-01 bot-2-0003\n")
    restored = Store(f"sqlite:///{older}")
    assert apply_marker(restored, folder) == ["bot-2-0003"]
    assert apply_marker(restored, folder) == []
    restored.close()


def test_nothing_of_the_withdrawn_stays_in_the_file(config: ExperimentConfig, tmp_path: Path) -> None:
    """SQLite keeps deleted rows in free pages unless told otherwise."""
    path = tmp_path / "p.db"
    store = Store(f"sqlite:///{path}")
    study_id = store.ensure_study("s", "S", {})
    with store.transaction() as s:
        person = Participant(code="gone")
        s.add(person)
        s.flush()
        row = SessionRow(
            study_id=study_id, participant_id=person.id, kind="person", station="x", language="en", seed=0, versions={}
        )
        s.add(row)
        s.flush()
        s.add(Event(session_id=row.id, name="note", at=0.0, detail={"words": "UNMISTAKABLE"}))
    with store.engine.connect() as c:
        c.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    assert b"UNMISTAKABLE" in path.read_bytes()
    withdraw(store, "gone")
    with store.engine.connect() as c:
        c.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    store.close()
    assert b"UNMISTAKABLE" not in path.read_bytes()


def test_replay_shows_every_answer_in_order_and_writes_nothing(filled: Prepared) -> None:
    before = in_database(filled.store)
    rows = timeline(filled.store, filled.study_id, "bot-1-0000")
    items = [r["what"] for r in rows if r["time"] is not None]
    with filled.store.transaction() as s:
        stored = s.scalars(
            select(Response.item).join(Trial).join(SessionRow).join(Participant)
            .where(Participant.code == "bot-1-0000").order_by(Response.id)
        ).all()  # fmt: skip
    assert items == list(stored)
    assert in_database(filled.store) == before
    withdraw(filled.store, "bot-1-0000")
    with pytest.raises(ExperimentError, match="withdrawn"):
        timeline(filled.store, filled.study_id, "bot-1-0000")


def test_key_file_is_private_and_encrypted_by_choice(tmp_path: Path) -> None:
    path = tmp_path / "participants.key"
    keys = KeyFile(path)
    keys.add("P01", "Ada, ada@example.org")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert KeyFile(path).show("P01") == "Ada, ada@example.org"
    with pytest.raises(ExperimentError, match="already"):
        keys.add("P01", "Eve")
    keys.encrypt("correct horse")
    assert b"Ada" not in path.read_bytes()
    with pytest.raises(ExperimentError, match="encrypted"):
        KeyFile(path)
    with pytest.raises(ExperimentError, match="wrong"):
        KeyFile(path, "battery staple")
    opened = KeyFile(path, "correct horse")
    assert opened.show("P01") == "Ada, ada@example.org"
    assert opened.remove("P01")
    assert not KeyFile(path, "correct horse").contacts
    path.chmod(0o644)
    with pytest.raises(ExperimentError, match="chmod 600"):
        KeyFile(path, "correct horse")


def test_an_answer_survives_a_crash_of_the_server() -> None:
    """With how it came about: the transaction is done again as a whole, once."""
    server = Postgres()
    try:
        store = Store(server.database("crash"))
        study_id = store.ensure_study("s", "S", {})
        session = store.begin(
            study_id, "A", Header("person", "x", "en", 0, {}), lambda row: [PlannedTrial("demographics", None, None, None, ("sex", "age"))],
        )  # fmt: skip
        with store.transaction() as s:
            trial = s.scalars(select(Trial.id)).one()
        store.record(trial, "sex", None, "other", 1.0, (session, 0.5, {"item": "sex"}))
        server.stop("immediate")
        back = threading.Timer(1.5, server.start)
        back.start()
        store.record(trial, "age", 33.0, None, 2.0, (session, 2.5, {"item": "age"}))
        back.join()
        with store.transaction() as s:
            assert s.scalars(select(Response.item).order_by(Response.id)).all() == ["sex", "age"]
            assert s.scalars(select(Event.detail).where(Event.name == "answer")).all() == [
                {"item": "sex"},
                {"item": "age"},
            ]
        store.record(trial, "age", 33.0, None, 2.0)  # acknowledged late: the same answer again is no error
        with pytest.raises(IntegrityError) as refused:
            store.record(trial, "age", 34.0, None, 2.0)
        assert "34.0" not in str(refused.value)  # no answer in an error's words
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


def test_migrations_keep_real_data_up_and_down(filled: Prepared) -> None:
    from experiment.data.connect import migrate

    before = in_database(filled.store)
    migrate(filled.store.engine, "0001")
    with filled.store.engine.connect() as c:
        assert c.execute(select(func.count()).select_from(Response)).scalar() == sum(map(len, before.values())) + 4 * 3
    migrate(filled.store.engine)
    assert in_database(filled.store) == before


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
