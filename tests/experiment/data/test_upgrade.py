"""A database of version 0.1 with a half-done session: opens, says what it said, goes on where it stopped.

How it was made, and what that version said of it: tests/golden/participants-0.1.md.
"""

from __future__ import annotations

import csv
import hashlib
import json
import math
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select, update

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.data.allotment import Places
from experiment.data.exports.write import export
from experiment.data.queries import status_rows
from experiment.data.replay import timeline
from experiment.data.store import Header, Store
from experiment.data.tables import Participant, Response, SessionRow, Stimulus, Trial
from experiment.design import plan
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.session import run_session
from tastelab.study import load_study
from tests.conftest import ROOT, TASTES

GOLDEN = ROOT / "tests" / "golden"
SAID: dict[str, Any] = json.loads((GOLDEN / "participants-0.1.json").read_text())
HALF_ANSWERED = 17


@pytest.fixture
def old(tmp_path: Path) -> Any:
    """A copy of the old database, opened by the code of today, whose half-done session was left an hour ago."""
    shutil.copy(GOLDEN / "participants-0.1.db", tmp_path / "p.db")
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    yield store
    store.close()


def entered(store: Store) -> Prepared:
    """The study file of then, read today, and its clips, whose files lie elsewhere by now."""
    study = load_study(GOLDEN / "participants-0.1.toml")
    study_id = store.ensure_study(study.name, study.title, json.loads(study.model_dump_json()))
    rows = []
    for taste in TASTES:
        for model in ("base", "finetuned"):
            for number in range(4):
                name = f"{taste}-{model}-{number:03d}"
                digest = hashlib.sha256(name.encode()).hexdigest()
                rows.append(
                    {
                        "clip": name,
                        "taste": taste,
                        "model": model,
                        "number": number,
                        "path": f"/new/{name}.wav",
                        "sha256": digest,
                    }
                )
    return Prepared(store, study_id, study.experiment, store.ensure_stimuli(study_id, rows))


def left_an_hour_ago(store: Store) -> int:
    """Move the half-done session's answers to an hour ago; returns its id."""
    with store.transaction() as s:
        session = s.scalars(select(SessionRow.id).join(Participant).where(Participant.code == "HALF")).one()
        trials = select(Trial.id).where(Trial.session_id == session)
        ago = datetime.now(UTC) - timedelta(hours=1)
        s.execute(update(Response).where(Response.trial_id.in_(trials)).values(answered_at=ago))
    return session


def without_version(text: str) -> str:
    """PsychoPy's table without the column that names the PsychoPy of this computer."""
    rows = text.splitlines()
    k = rows[0].split(",").index("psychopyVersion")
    return "\n".join(",".join(c for i, c in enumerate(r.split(",")) if i != k) for r in rows)


@pytest.mark.parametrize("format", ["csv", "psychds", "bids", "psychopy"])
def test_exports_are_what_they_were(old: Store, tmp_path: Path, format: str) -> None:
    entered(old)
    folder, _ = export(old, "old", format, tmp_path / "out")
    if format == "csv":
        assert (folder / "old.csv").read_text() == (GOLDEN / "participants-0.1.csv").read_text()
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            text = path.read_text(encoding="utf-8-sig" if format == "psychopy" else "utf-8")
            text = without_version(text) if format == "psychopy" else text
            # What is said of one column no longer names one paper's conditions.
            text = text.replace(
                "condition of the first clip, as the study file names it",
                "model of the first clip: base, finetuned or given",
            )
            # Since several options can be chosen, that is said.
            text = text.replace("option chosen; of several, those chosen with ; between them", "option chosen")
            # Pilots are exported as what they are.
            text = text.replace("person, pilot (tried the study: no data), driven", "person, driven")
            # Psych-DS knows the keyword `subject`; version 0.1 said `sub`.
            name = path.relative_to(folder).as_posix().replace("_subject-", "_sub-")
            # A sidecar of a block stands once for all; version 0.1 wrote it beside each table.
            tables = folder.glob(f"sub-*/beh/*_{name.removesuffix('.json')}.tsv") if name.startswith("task-") else []
            beside = [p.with_suffix(".json").relative_to(folder).as_posix() for p in tables]
            for one in beside or [name]:
                found[f"{format}/{one}"] = hashlib.sha256(text.encode()).hexdigest()
    assert found == {k: v for k, v in SAID["exports"].items() if k.startswith(f"{format}/")}


def rows_equal(found: list[dict[str, Any]], said: list[dict[str, Any]]) -> None:
    """Everything said then stands there, numbers to a billionth; further columns may stand beside it."""
    assert len(found) == len(said)
    for now, then in zip(found, said, strict=True):
        for name, value in then.items():
            told = now[name]
            if isinstance(value, float):
                value = pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True)
            assert (None if isinstance(told, float) and math.isnan(told) else told) == value, name


def test_the_analysis_of_what_was_there_is_what_it_was(old: Store) -> None:
    from analysis.data.frames import load
    from analysis.preference import paper as preference
    from analysis.ratings import paper as ratings

    study = load_study(GOLDEN / "participants-0.1.toml")
    data = load(old.engine, "old")
    assert data.digest == SAID["data_sha256"]
    assert data.sessions == {"complete": 8, "stopped": 1, "withdrawn": 1}
    found = preference.analyse(data.preference, data.middle, study.analysis)
    # What was declared of a test was its `status` then, and is its `role` now.
    then = [
        {("role" if name == "status" else name): v for name, v in row.items()} for row in SAID["preference"]["tests"]
    ]
    rows_equal(found["tests"], then)
    rows_equal(found["normality"], SAID["preference"]["normality"])
    found = ratings.analyse(data.ratings, data.people)
    rows_equal(found["anova"], SAID["ratings"]["anova"])
    rows_equal(found["means"], SAID["ratings"]["means"])


def test_status_and_replay_say_what_they_said(old: Store) -> None:
    ready = entered(old)
    shown = [r for r in status_rows(old, "old") if r["kind"] != "bot"]
    # Of whoever withdrew under version 0.1 the code was kept; now a hash of it is.
    (gone,) = [r for r in shown if r["status"] == "withdrawn"]
    assert str(gone["participant"]).startswith("withdrawn-")
    gone["participant"] = "GONE"
    assert shown == SAID["status"]
    with pytest.raises(ExperimentError, match="participant gone has withdrawn; use another code"):
        old.begin(ready.study_id, "gone", Header("person", "x", "en", 0, {}), lambda row: [])
    assert timeline(old, ready.study_id, "HALF") == SAID["replay"]


class Remembering(Bot):
    """Answers, and remembers what it was asked and heard."""

    def __init__(self, *arguments: Any):
        super().__init__(*arguments)
        self.asked: list[tuple[int, str]] = []
        self.heard: list[str] = []

    def consent(self) -> tuple[bool, bool]:
        raise AssertionError("consent was given before")

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        self.heard += [c.clip for c in clips]
        return []

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
        self.asked.append((trial.position, question.item))
        return super().ask(question, trial, progress)


def test_the_half_done_session_goes_on_at_its_item(old: Store) -> None:
    ready = entered(old)
    with pytest.raises(ExperimentError, match=r"was left [\d.]+ h ago"):
        launch.resume(ready, "HALF")
    session = left_an_hour_ago(old)
    with old.transaction() as s:
        plan = [
            (t.position, i)
            for t in s.scalars(select(Trial).where(Trial.session_id == session).order_by(Trial.position))
            for i in t.items
        ]
        third = s.scalars(select(Trial).where(Trial.session_id == session, Trial.position == 5)).one()
        rated = third.first.clip if third.first else ""
        before = {
            (r.trial_id, r.item): (r.id, r.value, r.choice, r.response_time, r.answered_at)
            for r in s.scalars(select(Response))
        }
    assert len(plan) == 36
    assert launch.resume(ready, "HALF") == (session, "en")
    bot = Remembering(ready.config, load_effects(), np.random.default_rng(5), 0)
    assert run_session(old, session, ready.config, bot) == "complete"
    assert bot.asked == plan[HALF_ANSWERED:]
    assert bot.heard[0] == rated  # what is to be rated is heard again
    with old.transaction() as s:
        after = {
            (r.trial_id, r.item): (r.id, r.value, r.choice, r.response_time, r.answered_at)
            for r in s.scalars(select(Response))
        }
    assert {k: after[k] for k in before} == before
    assert len(after) == len(before) + 36 - HALF_ANSWERED
    row = next(r for r in status_rows(old, "old") if r["participant"] == "HALF")
    assert (row["status"], row["answers"], row["expected"]) == ("complete", 36, 36)


def test_a_new_participant_gets_the_place_that_is_free(old: Store) -> None:
    """Eight sat, GONE withdrew and HALF stopped: both gave their places back, rows 8 and after."""
    ready = entered(old)
    rows = []
    for code in ("N1", "N2"):
        session = old.begin(
            ready.study_id,
            code,
            Header("person", "x", "en", 0, {}),
            lambda row: rows.append(row) or [],
            places=Places(16),
        )
        with old.transaction() as s:
            assert s.get_one(SessionRow, session).design_row == rows[-1]
    assert rows == [8, 9]


def test_old_answers_stand_in_the_export_of_the_completed_session(old: Store, tmp_path: Path) -> None:
    ready = entered(old)
    session = left_an_hour_ago(old)
    launch.resume(ready, "HALF")
    run_session(old, session, ready.config, Bot(ready.config, load_effects(), np.random.default_rng(5), 0))
    folder, _ = export(old, "old", "csv", tmp_path / "out")

    def rows(path: Path) -> list[dict[str, str]]:
        with path.open(newline="") as file:
            return list(csv.DictReader(file))

    then, now = rows(GOLDEN / "participants-0.1.csv"), rows(folder / "old.csv")
    for row in then:
        if row["status"] == "stopped":
            row["status"] = "complete"
    added = [r for r in now if r not in then]
    assert [r for r in now if r in then] == then
    assert len(added) == 36 - HALF_ANSWERED
    assert {r["participant"] for r in added} == {"9"}
    assert {r["block"] for r in added} == {"ratings"}


def test_a_study_that_began_keeps_its_design(old: Store, tmp_path: Path) -> None:
    """Read with the study file of then, every row of the design is what version 0.1 stored for who got it."""
    study = load_study(GOLDEN / "participants-0.1.toml")
    assert study.experiment.design == "0.2"
    clips = [
        SimpleNamespace(
            clip=x.clip, taste=x.taste, model=x.model, number=x.number, file=f"{x.clip}.wav", sha256=x.sha256,
            seconds=2.0, prompt="", seed=0, checkpoint_sha256=None, track="",
        )
        for x in entered(old).stimuli
    ]  # fmt: skip
    definition = json.loads(study.model_dump_json())
    # The clips are what a manifest's rows are to `prepare`, no more.
    ready = launch.prepare(old, study.name, study.title, definition, study.experiment, clips, tmp_path)  # type: ignore[arg-type]  # rows of the older version
    assert ready.config.design == "0.1"
    with old.transaction() as s:
        query = select(SessionRow).where(SessionRow.kind == "person", SessionRow.design_row.is_not(None))
        stored = {
            row.design_row: [(t.block, t.taste, t.first_id, t.second_id, tuple(t.items)) for t in row.trials]
            for row in s.scalars(query)
            if row.trials
        }
    assert len(stored) >= 8
    for row, trials in stored.items():
        planned = plan(ready.config, ready.clips, int(row or 0))
        assert [(t.block, t.taste, t.first, t.second, t.items) for t in planned] == trials
    begun = launch.begin(ready, "BOT2", "bot", None, "x")
    with old.transaction() as s:
        new = s.get_one(SessionRow, begun)
        assert (new.design_row, new.language, new.group_name) == (1, "en", None)
        assert [t.first_id for t in new.trials] == [first for _, _, first, _, _ in stored[1]]
    # The same file under another name is a study of its own, with the design of today.
    fresh = launch.prepare(old, "other", study.title, definition, study.experiment, clips, tmp_path)  # type: ignore[arg-type]  # rows of the older version
    assert fresh.config.design == "0.2"
    again = launch.prepare(old, "other", study.title, definition, study.experiment, clips, tmp_path)  # type: ignore[arg-type]  # rows of the older version
    assert again.config.design == "0.2"


def test_a_study_that_began_under_the_new_design_does_not_go_back(tmp_path: Path) -> None:
    study = load_study(ROOT / "study.toml")
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    new = json.loads(study.model_dump_json())
    back = new | {"experiment": new["experiment"] | {"design": "0.1"}}
    more = new | {"experiment": new["experiment"] | {"disk_gb": 40.0, "font": "Noto Serif"}}
    study_id = store.ensure_study("s", "S", new)
    store.begin(study_id, "A", Header("person", "x", "en", 0, {}), lambda row: [])
    assert store.ensure_study("s", "S", more) == study_id
    with pytest.raises(ExperimentError, match=r"another .experiment. table"):
        store.ensure_study("s", "S", back)
    store.close()


def test_the_tables_of_version_0_1_are_the_tasks_that_they_meant(tmp_path: Path) -> None:
    """Declared as tasks, a study that began with the old tables is the same study; with one word changed it is not."""
    study = load_study(ROOT / "study.toml")
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    said = json.loads(study.model_dump_json())
    table = said["experiment"]
    preference, ratings = dict(table["preference"]), dict(table["ratings"])
    tasks = [
        {"kind": "preference", "pairs": [["finetuned", "base"]], **preference},
        {"kind": "ratings", "conditions": ratings.pop("models"), "after": [], **ratings},
    ]
    told = {"experiment": {**table, "preference": None, "ratings": None, "tasks": tasks}}
    study_id = store.ensure_study("s", "S", said)
    store.begin(study_id, "A", Header("person", "x", "en", 0, {}), lambda row: [])
    assert store.ensure_study("s", "S", told) == study_id
    tasks[0]["pairs"] = [["base", "finetuned"]]
    with pytest.raises(ExperimentError, match=r"another .experiment. table"):
        store.ensure_study("s", "S", told)
    store.close()
