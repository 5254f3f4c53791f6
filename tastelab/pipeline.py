"""The end-to-end study: stimuli -> captions -> sessions -> report. Every stage is skipped where nothing has changed."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.tempo import tempo_class
from tastelab.context import open_store, progress, say, stimuli_folder, tastelab_version
from tastelab.errors import UserError
from tastelab.study import Study, study_digest

if TYPE_CHECKING:
    from analysis.page.inputs import Inputs

Progress = Callable[..., None]


@dataclass
class Stages:
    """Seconds per stage of a run, printed as they end."""

    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)

    def run(self, name: str, work: Callable[[Progress], str]) -> None:
        """Run one stage and print what it did and how long it took."""
        started = time.monotonic()
        with progress(name, self.quiet) as update:
            told = work(update)
        self.seconds[name] = round(time.monotonic() - started, 1)
        say(f"{name:<12} {self.seconds[name]:7.1f} s   {told}", self.quiet)


def asked_words(study: Study) -> dict[str, dict[str, list[str]]]:
    """What each taste's prompt asks for, as words that a caption may use."""
    asked = {}
    for taste in study.stimuli.tastes:
        words: dict[str, list[str]] = {}
        if taste.bpm:
            words["tempo"] = [tempo_class(taste.bpm)]
        register = next((r for r in ("high", "mid", "low") if taste.pitch.startswith(r)), None)
        if register:
            words["register"] = [register]
        articulation = next((a for a in ("legato", "staccato") if a in taste.articulation), None)
        if articulation:
            words["articulation"] = [articulation]
        if taste.instruments:
            words["instrument"] = list(taste.instruments)
        asked[taste.name] = words
    return asked


def build_report(
    study: Study,
    db: str,
    out: Path,
    kind: str | None,
    update: Progress | None = None,
    timings: dict[str, float] | None = None,
) -> tuple[Path, bool]:
    """Freeze the data of one kind of session and build the report from the snapshot."""
    from analysis.report.build import build

    return build(_inputs(study, db, out, kind, timings), update)


def check_report(study: Study, db: str, out: Path, kind: str | None) -> list[str]:
    """What of a report no longer matches data, code, study or its own files; empty where all is current."""
    from analysis.report.provenance import check

    return check(_inputs(study, db, out, kind))


def _inputs(study: Study, db: str, out: Path, kind: str | None, timings: dict[str, float] | None = None) -> Inputs:
    from analysis.data import careless
    from analysis.data.frames import load
    from analysis.data.freeze import freeze, thaw
    from analysis.page.inputs import Inputs
    from experiment.bots.effects import load_effects
    from stimuli.manifest import FILE, read_manifest

    with open_store(db) as store:
        data = load(store.engine, study.name, kind)
    base = out / study.name
    (base / "snapshots").mkdir(parents=True, exist_ok=True)
    frozen = thaw(freeze(data, json.loads(study.model_dump_json()), base / "snapshots"))
    kept, excluded = careless.apply(frozen, study.analysis.exclude)
    folder = stimuli_folder(study, out)
    desk_file = base / "desk.json"
    desk = json.loads(desk_file.read_text(encoding="utf-8")) if desk_file.exists() else None
    return Inputs(
        title=study.title,
        data=kept,
        config=study.analysis,
        embedders=list(study.models.embedders),
        clips=read_manifest(folder) if (folder / FILE).exists() else [],
        folder=folder,
        out=base,
        version=tastelab_version(),
        study_sha256=study_digest(study),
        asked=asked_words(study),
        effects=load_effects() if frozen.kind == "bot" else None,
        desk=desk,
        timings=timings or {},
        excluded=excluded,
    )


def run_study(
    study: Study, study_path: Path, db: str, out: Path, participants: int, person: bool, seed: int, quiet: bool
) -> Path:
    """Run every stage; returns the report."""
    from experiment import launch
    from experiment.bots.effects import load_effects
    from stimuli.describe import describe
    from stimuli.generate import generate
    from stimuli.manifest import read_manifest, verify
    from stimuli.sheet import write_sheet
    from tastelab.commands.experiment import prepared

    folder = stimuli_folder(study, out)
    folder.mkdir(parents=True, exist_ok=True)
    stages = Stages(quiet)

    def make(update: Progress) -> str:
        rows = generate(study.stimuli, study.models, folder, update)
        problems = verify(folder)
        if problems:
            raise UserError(f"stimuli: {problems[0]}; delete the file and run again")
        return f"{len(rows)} clips, {rows[0].loudness:.1f} LUFS"

    def caption(update: Progress) -> str:
        return f"{len(describe(folder, 'captions', study.models, update))} captions"

    def measure(update: Progress) -> str:
        measured = describe(folder, "features", study.models, update)
        sheet = write_sheet(folder, study.name, update)
        return f"{len(measured)} clips measured, contact sheet {sheet}"

    def sit(update: Progress) -> str:
        return (
            person_session(study, study_path, db, out) if person else desk_session(study, study_path, db, out, update)
        )

    def bots(update: Progress) -> str:
        with open_store(db) as store:
            ran = launch.simulate(prepared(store, study, out), load_effects(), participants, seed, update)
        return f"{participants} simulated participants ({ran} now)"

    stages.run("stimuli", make)
    stages.run("captions", caption)
    stages.run("features", measure)
    stages.run("session", sit)
    stages.run("bots", bots)
    result: list[Path] = []

    def conclude(update: Progress) -> str:
        kind = "person" if person else "bot"
        path, built = build_report(study, db, out, kind, update, dict(stages.seconds))
        result.append(path)
        return "built" if built else "nothing has changed"

    stages.run("report", conclude)
    read_manifest(folder)
    return result[0]


def person_session(study: Study, study_path: Path, db: str, out: Path) -> str:
    """Run a session for a person on this screen, as a process of its own."""
    import secrets
    import subprocess

    code = f"p-{secrets.token_hex(3)}"
    command = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--code", code]
    command += ["--study", str(study_path), "--db", db, "--out", str(out)]
    if subprocess.run(command, check=False).returncode != 0:
        raise UserError("the session did not run; see above")
    return "one session with a person"


def desk_session(study: Study, study_path: Path, db: str, out: Path, update: Progress | None = None) -> str:
    """Run one real PsychoPy session on a virtual desk and hold what was stored and heard against what was given."""
    import numpy as np

    from experiment.data.queries import status_rows
    from experiment.lab.desk import RATE, compare_capture, drive, virtual_desk
    from stimuli.manifest import read_manifest

    record = out / study.name / "desk.json"
    code = "driven-0001"
    with open_store(db) as store:
        rows = [r for r in status_rows(store, study.name) if r["participant"] == code]
    state = rows[-1]["status"] if rows else None
    if state == "complete" and record.exists():
        return "one driven session, already there"
    if state == "complete":
        raise UserError(f"the driven session is in {db}, its record {record} is gone; use another --db")
    command = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
    command += ["--resume" if state else "--code", code, "--study", str(study_path.resolve())]
    command += ["--db", _absolute(db), "--out", str(out.resolve())]
    expected = 60

    def watch(count: int, marker: dict[str, Any], _: Any) -> None:
        if update:
            update(min(count, expected * 2), expected * 2, str(marker["screen"]))

    folder = stimuli_folder(study, out)
    clips = {r.clip: r for r in read_manifest(folder)}
    with virtual_desk() as desk:
        capture = desk.folder / "capture.raw"
        result = drive(desk, command, np.random.default_rng(study.experiment.seed), capture, watch)
        if result.status != 0:
            raise UserError(
                f"the driven session ended with status {result.status}: {result.errors.strip().splitlines()[-1:]}"
            )
        heard = np.fromfile(capture, dtype=np.float32).reshape(-1, 2).mean(axis=1)
    audio: list[dict[str, Any]] = []
    start = 0
    for marker in (m for m in result.markers if m["screen"] == "playing"):
        row = clips[marker["clip"]]
        stimulus = _read_mono(folder / row.file, RATE)
        r, at, error = compare_capture(heard, stimulus, start)
        start = at + len(stimulus) // 2
        audio.append({"clip": row.clip, "at_seconds": round(at / RATE, 3), "r": round(r, 6), "error": error})
    stored = _stored_answers(db, study.name, code)
    given = [(g["item"], g.get("choice"), g.get("value")) for g in result.given]
    matching = sum(a == b for a, b in zip(stored[len(stored) - len(given) :], given, strict=False))
    told = {"answers": len(given), "stored": len(stored), "matching": matching, "audio": audio}
    partial = record.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
    os.replace(partial, record)
    worst = min((a["r"] for a in audio), default=float("nan"))
    return f"one real PsychoPy session: {matching} of {len(given)} answers stored as given, audio r >= {worst:.5f}"


def _absolute(db: str) -> str:
    """A relative SQLite path, made absolute: the desk's processes have a home of their own."""
    prefix = "sqlite:///"
    if db.startswith(prefix) and not db.startswith(prefix + "/"):
        return prefix + str(Path(db.removeprefix(prefix)).resolve())
    return db


def _read_mono(path: Path, rate: int) -> Any:
    from stimuli.audio import load_mono

    return load_mono(path, rate)


def _stored_answers(db: str, study: str, code: str) -> list[tuple[str, str | None, float | None]]:
    from sqlalchemy import select

    from experiment.data.tables import Participant, Response, SessionRow, StudyRow, Trial

    query = (
        select(Response.item, Response.choice, Response.value)
        .join(Trial, Trial.id == Response.trial_id)
        .join(SessionRow, SessionRow.id == Trial.session_id)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .where(StudyRow.name == study, Participant.code == code)
        .order_by(Response.id)
    )
    with open_store(db) as store, store.engine.connect() as connection:
        return [(str(i), c, v) for i, c, v in connection.execute(query)]
