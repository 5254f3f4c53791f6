"""tastelab doctor and tastelab trace."""

from __future__ import annotations

import json
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastelab.context import open_store, read_study, say, show, stimuli_folder
from tastelab.errors import UserError
from tastelab.hints import repeated
from tastelab.options import (
    STATION,
    DisplayOption,
    JsonOption,
    Place,
    SoundOption,
    StationOption,
    TriggerPortOption,
    grouped,
)

if TYPE_CHECKING:
    from stimuli.manifest import ClipRow


@grouped
def doctor(
    *,
    station: StationOption = STATION,
    tones: Annotated[bool, typer.Option("--tones", help="Play a tone left, then right.")] = False,
    screen: Annotated[bool, typer.Option("--screen/--no-screen", help="Open a window for a moment.")] = True,
    trigger_port: TriggerPortOption = None,
    display: DisplayOption = None,
    sound: SoundOption = None,
    place: Place,
    as_json: JsonOption = False,
) -> None:
    """Check what a session needs on this machine: sound, screen, database, stimuli, disk, calibration, versions."""
    from experiment.lab.hardware import choose_for
    from experiment.lab.station import station_checks

    loaded = read_study(place.study)
    choose_for(loaded.experiment, station, display, sound)
    folder = stimuli_folder(loaded, place.out)
    found = list(station_checks(place.db, loaded.name, loaded.experiment, folder, station, screen, trigger_port))
    if tones:
        from experiment.lab.playback import play_tone

        for side in ("left", "right"):
            say(f"a tone on the {side} now", as_json)
            play_tone(side)
    show(
        "doctor",
        "paper",
        None,
        {"checks": [{k: repeated(v) if isinstance(v, str) else v for k, v in c.row().items()} for c in found]},
        as_json,
        None,
    )
    failed = [c.check for c in found if c.state == "FAILED"]
    if failed:
        raise UserError(f"not ready for a session: {', '.join(failed)}; the table says what to do")


@grouped
def trace(
    what: Annotated[str, typer.Argument(help="A clip's name or hash, or part of a prompt.")],
    place: Place,
    *,
    as_json: JsonOption = False,
) -> None:
    """Follow a clip: prompt, checkpoint, seed, hash, trials, answers, tests."""
    from experiment.data.connect import file_of
    from experiment.data.queries import answers_to
    from stimuli.manifest import read_manifest

    loaded = read_study(place.study)
    rows = [r for r in read_manifest(stimuli_folder(loaded, place.out)) if _meant(what, r)]
    if not rows:
        raise UserError(f"no clip of {loaded.name} is named {what!r}, has that hash, or was prompted with it")
    made = [
        {
            "clip": r.clip,
            "condition": r.model,
            "taste": r.taste,
            "number": r.number,
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
    path = file_of(place.db)
    nowhere: list[dict[str, Any]] = []
    with nullcontext() if path is not None and not path.exists() else open_store(place.db, new=False) as store:
        answers = nowhere if store is None else answers_to(store, loaded.name, [r.clip for r in rows])
    tests = _tests(place.out / loaded.name, {r.taste for r in rows})
    show("trace", "paper", None, {"clips": made, "answers": answers, "tests": tests}, as_json, None)
    if not as_json and not answers:
        say("No session has heard it yet.")


def _meant(what: str, row: ClipRow) -> bool:
    """Whether a clip has this name or hash, or (from six letters on) a hash that begins so or a prompt that says so."""
    if what in (row.clip, row.told, row.sha256):
        return True
    return len(what) >= 6 and (row.sha256.startswith(what) or what.lower() in (row.prompt or "").lower())


def _tests(folder: Path, tastes: set[str]) -> list[dict[str, Any]]:
    """The last report's tests that the clips' answers went into, by both plans, in the report's own numbers."""
    import csv

    stamp = folder / "manifest.json"
    digest = json.loads(stamp.read_text(encoding="utf-8"))["data_sha256"][:12] if stamp.exists() else None
    found = []
    for plan, name in (("robust", "preference_mixed"), ("paper", "preference_tests")):
        path = folder / "tables" / f"{name}.csv"
        if not path.exists():
            continue
        with path.open(newline="", encoding="utf-8") as file:
            for r in csv.DictReader(file):
                if r["taste"] in tastes | {"all"}:
                    found.append(
                        {
                            "taste": r["taste"], "plan": plan, "alternative": r["alternative"], "n": int(r["n"]),
                            "p": float(r["p"]) if r["p"] else None,
                            "p_adjusted": float(r["p_adjusted"]) if r["p_adjusted"] else None, "data_sha256": digest,
                        }
                    )  # fmt: skip
    return found
