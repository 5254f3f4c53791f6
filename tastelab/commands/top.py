"""tastelab doctor and tastelab trace."""

from __future__ import annotations

import json
import os
import shutil
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from tastelab.context import (
    DB,
    OUT,
    STUDY,
    DbOption,
    JsonOption,
    OutOption,
    StudyOption,
    open_store,
    read_study,
    say,
    show,
)
from tastelab.context import stimuli_folder as folder_of
from tastelab.errors import UserError


def doctor(study: StudyOption = STUDY, db: DbOption = DB, out: OutOption = OUT, as_json: JsonOption = False) -> None:
    """Check what a session needs on this machine: sound, screen, database, stimuli, disk."""
    loaded = read_study(study)
    rows: list[dict[str, Any]] = []

    def check(name: str, good: bool | None, found: str, mend: str = "") -> None:
        state = "ok" if good else "warning" if good is None else "FAILED"
        rows.append({"check": name, "state": state, "found": found, "mend": "" if good else mend})

    check("python", (3, 11) <= sys.version_info[:2] <= (3, 12), sys.version.split()[0], "install Python 3.11 or 3.12")
    free = shutil.disk_usage(".").free / 1e9
    check("disk", free > 2, f"{free:.0f} GB free", "free some space: a study needs 2 GB")
    display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
    native = sys.platform in ("win32", "darwin")
    check(
        "screen",
        bool(display) or native or None,
        display or ("native" if native else "none"),
        "start a desktop, or use the virtual desk",
    )
    try:
        from experiment.desk import missing_programs

        missing = missing_programs()
        check(
            "virtual desk",
            not missing or None,
            "ready" if not missing else f"missing: {', '.join(missing)}",
            "run 'make setup'",
        )
    except ImportError as error:
        check("virtual desk", None, str(error), "pip install tastelab[lab]")
    found, mend = _audio()
    check("sound", True if found else None, found or "no audio device", mend)
    try:
        from sqlalchemy import insert

        from experiment.database import Participant

        with open_store(db) as store, store.engine.connect() as connection, connection.begin() as transaction:
            connection.execute(insert(Participant).values(code="doctor"))
            transaction.rollback()
        check("database", True, f"{db}: written and rolled back")
    except Exception as error:
        check("database", False, f"{type(error).__name__}: {str(error).splitlines()[0]}", "see --db")
    from stimuli.errors import StimulusError
    from stimuli.manifest import read_manifest, verify

    try:
        folder = folder_of(loaded, out)
        problems = verify(folder)
        n = len(read_manifest(folder))
        check(
            "stimuli",
            not problems,
            problems[0] if problems else f"{n} clips, all hashes right",
            "run 'tastelab stimuli generate'",
        )
    except StimulusError as error:
        check("stimuli", False, str(error), "run 'tastelab stimuli generate'")
    show("doctor", "paper", None, {"checks": rows}, as_json, None)
    failed = [r["check"] for r in rows if r["state"] == "FAILED"]
    if failed:
        raise UserError(f"not ready for a session: {', '.join(failed)}; the table says what to do")


def _audio() -> tuple[str, str]:
    """Name of the audio device that would be used, without opening it."""
    try:
        import sounddevice

        devices = [d for d in sounddevice.query_devices() if d["max_output_channels"] > 0]
    except (ImportError, OSError) as error:
        return "", f"{error}; install libportaudio2 and pip install tastelab[lab]"
    if not devices:
        return "", "plug in headphones or a sound card"
    first = devices[0]
    return f"{first['name']}, {first['default_samplerate']:.0f} Hz, {min(2, first['max_output_channels'])} channels", ""


def trace(
    what: Annotated[str, typer.Argument(help="A clip's name or hash, or part of a prompt.")],
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
    as_json: JsonOption = False,
) -> None:
    """Follow a clip: prompt, checkpoint, seed, hash, trials, answers, tests."""
    from sqlalchemy import func, or_, select

    from experiment.database import Participant, Response, SessionRow, Stimulus, StudyRow, Trial
    from stimuli.manifest import read_manifest

    loaded = read_study(study)
    rows = [
        r
        for r in read_manifest(folder_of(loaded, out))
        if what in (r.clip, r.sha256)
        or (len(what) >= 6 and (r.sha256.startswith(what) or what.lower() in (r.prompt or "").lower()))
    ]
    if not rows:
        raise UserError(f"no clip of {loaded.name} is named {what!r}, has that hash, or was prompted with it")
    made = [
        {
            "clip": r.clip,
            "prompt": r.prompt,
            "checkpoint": r.checkpoint,
            "checkpoint_sha256": (r.checkpoint_sha256 or "")[:12],
            "seed": r.seed,
            "sha256": r.sha256[:12],
            "loudness": r.loudness,
            "caption": r.caption,
        }
        for r in rows
    ]
    names = [r.clip for r in rows]
    query = (
        select(
            Stimulus.clip,
            SessionRow.kind,
            Trial.block,
            Response.item,
            func.count(Response.id).label("answers"),
            func.avg(Response.value).label("mean"),
        )
        .join(Trial, or_(Trial.first_id == Stimulus.id, Trial.second_id == Stimulus.id))
        .join(SessionRow, SessionRow.id == Trial.session_id)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .join(Response, Response.trial_id == Trial.id)
        .where(StudyRow.name == loaded.name, Stimulus.clip.in_(names))
        .group_by(Stimulus.clip, SessionRow.kind, Trial.block, Response.item)
        .order_by(Stimulus.clip, SessionRow.kind, Trial.block, Response.item)
    )
    with open_store(db) as store, store.engine.connect() as connection:
        answers = [dict(row) for row in connection.execute(query).mappings()]
    tests = _tests(out / loaded.name, {r.taste for r in rows})
    show("trace", "paper", None, {"clips": made, "answers": answers, "tests": tests}, as_json, None)
    if not as_json and not answers:
        say("No session has heard it yet.")


def _tests(folder: Path, tastes: set[str]) -> list[dict[str, Any]]:
    """The last report's tests that the clips' answers went into."""
    import csv

    path = folder / "tables" / "preference_tests.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        rows = [r for r in csv.DictReader(file) if r["taste"] in tastes | {"all"}]
    stamp = folder / "manifest.json"
    digest = json.loads(stamp.read_text(encoding="utf-8"))["data_sha256"][:12] if stamp.exists() else None
    return [
        {
            "taste": r["taste"],
            "alternative": r["alternative"],
            "n": r["n"],
            "p": r["p"],
            "p_adjusted": r["p_adjusted"],
            "data_sha256": digest,
        }
        for r in rows
    ]
