"""tastelab doctor and tastelab trace."""

from __future__ import annotations

import json
import platform
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


def doctor(
    station: Annotated[str, typer.Option("--station", help="Name of this booth.")] = platform.node() or "station",
    tones: Annotated[bool, typer.Option("--tones", help="Play a tone left, then right.")] = False,
    screen: Annotated[bool, typer.Option("--screen/--no-screen", help="Open a window for a moment.")] = True,
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
    as_json: JsonOption = False,
) -> None:
    """Check what a session needs on this machine: sound, screen, database, stimuli, disk, calibration, versions."""
    from experiment.lab.station import Check, station_checks

    loaded = read_study(study)
    found: list[Check] = []
    for check in station_checks(db, loaded.name, loaded.experiment, folder_of(loaded, out), station, screen):
        found.append(check)
    if tones:
        from experiment.lab.playback import play_tone

        for side in ("left", "right"):
            say(f"a tone on the {side} now", as_json)
            play_tone(side)
    show("doctor", "paper", None, {"checks": [c.row() for c in found]}, as_json, None)
    failed = [c.check for c in found if c.state == "FAILED"]
    if failed:
        raise UserError(f"not ready for a session: {', '.join(failed)}; the table says what to do")


def trace(
    what: Annotated[str, typer.Argument(help="A clip's name or hash, or part of a prompt.")],
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
    as_json: JsonOption = False,
) -> None:
    """Follow a clip: prompt, checkpoint, seed, hash, trials, answers, tests."""
    from sqlalchemy import func, or_, select

    from experiment.data.tables import Participant, Response, SessionRow, Stimulus, StudyRow, Trial
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
