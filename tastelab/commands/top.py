"""tastelab doctor and tastelab trace."""

from __future__ import annotations

from typing import Annotated

import typer

from tastelab.context import ONLY_JSON, read_study, say, show, stimuli_folder
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
        ONLY_JSON,
    )
    failed = [c.check for c in found if c.state == "FAILED"]
    if failed:
        raise UserError(f"not ready for a session: {', '.join(failed)}; the table says what to do")


@grouped
def trace(
    what: Annotated[
        str,
        typer.Argument(
            help="A clip's name or hash, or part of a prompt; a number or table of the report, as its links end; a person of the "
            "report (person-3) or a code; a checkpoint."
        ),
    ],
    place: Place,
    *,
    as_json: JsonOption = False,
) -> None:
    """Follow a number of the report back to answers, clips, seeds and code, or a clip, person or checkpoint to its numbers."""
    from tastelab.following import follow

    found = follow(read_study(place.study), place.db, place.out, what)
    tables = found.tables if as_json else {name: found.tables[name] for name in found.shown}
    show("trace", "robust", found.digest, tables, as_json, None, ONLY_JSON)
    for line in found.lines:
        say(line, as_json)
