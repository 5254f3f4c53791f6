"""tastelab experiment ..."""

from __future__ import annotations

import json
import sys
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from tastelab.context import (
    about_effects,
    effects_of,
    open_store,
    prepared,
    progress,
    read_study,
    say,
    show,
    stimuli_folder,
)
from tastelab.errors import UserError
from tastelab.options import (
    DB,
    STATION,
    STUDY,
    Booth,
    DbOption,
    EffectsOption,
    JsonOption,
    Place,
    QuietOption,
    StationOption,
    StudyOption,
    grouped,
)

app = typer.Typer(no_args_is_help=True)
OVER = {
    "refused": "the person did not agree to take part; nothing is kept but that",
    "too_young": "the person is younger than the study's minimum age; nothing is kept but that",
    "withdrawn": "the participant withdrew while it ran; nothing of it is kept",
}


@app.command()
@grouped
def run(
    *,
    code: Annotated[str | None, typer.Option("--code", help="Pseudonymous code of the participant.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="CODE", help="Go on with CODE's session.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Language of the screens.")] = None,
    group: Annotated[str | None, typer.Option("--group", help="Group of the session, if not the emptiest.")] = None,
    booth: Booth,
    override: Annotated[
        list[str] | None, typer.Option("--override", help="Go on although this check failed; stored in the session.")
    ] = None,
    place: Place,
) -> None:
    """Run one session on this screen."""
    if (code is None) == (resume is None):
        raise UserError("give either --code CODE (a new session) or --resume CODE (go on with one)")
    if resume is not None and group is not None:
        raise UserError("--group is chosen when a session begins; --resume goes on in the session's own")
    _sit(code, resume, language, booth, override or [], place, group)


def _sit(
    code: str | None,
    resume: str | None,
    language: str | None,
    booth: Booth,
    override: list[str],
    place: Place,
    group: str | None = None,
) -> None:
    """Check the station, begin or resume a session, show it, and say what was stored."""
    from experiment import launch
    from experiment.data.backups import backup
    from experiment.lab.station import refuse, station_checks, station_level
    from experiment.session import run_session, unanswered
    from tastelab.withdrawing import at_this_booth

    loaded = read_study(place.study)
    if booth.trigger_port is not None and loaded.experiment.triggers is None:
        raise UserError(f"--trigger-port: {place.study} declares no [experiment.triggers]")
    folder = stimuli_folder(loaded, place.out)
    checks = station_checks(
        place.db, loaded.name, loaded.experiment, folder, booth.station, screen=False, port=booth.trigger_port
    )
    overridden = refuse(checks, override, say)
    with open_store(place.db) as store:
        at_this_booth(store)
        ready = prepared(store, loaded, place.out, going_on=resume is not None)
        if ready.otherwise:
            say(f"{place.study} says otherwise than what counts, and is not followed: {ready.otherwise[0].line()}")
            say(f"  ({len(ready.otherwise)} in all; 'tastelab study amend --note WHY' makes the study file count)")
        level = station_level(store, loaded.experiment, booth.station)
        if resume is not None:
            session_id, chosen = launch.resume(ready, resume, overridden, booth.station, level)
        else:
            kind = "driven" if booth.driven else "pilot" if booth.pilot else "person"
            session_id = launch.begin(ready, str(code), kind, language, booth.station, level, overridden, group)
            chosen = launch.language_of(ready, session_id)
        from experiment.lab.screens import Screens
        from experiment.lab.triggers import Triggers

        def mark(marker: dict[str, Any]) -> None:
            sys.stdout.write(json.dumps(marker) + "\n")
            sys.stdout.flush()

        asked = ready.config
        marker = mark if booth.markers else None
        set_in = (asked.font, asked.texts, asked.dead_time, asked.text_size, asked.logo)
        screens = Screens(chosen, asked.replays, not booth.window, marker, *set_in)
        silent = any(x.startswith("triggers:") for x in overridden)
        with closing(screens), closing(Triggers(None if silent else asked.triggers, booth.trigger_port)) as triggers:
            screens.triggers = triggers
            if asked.triggers and not triggers.awaited():
                say(f"nobody listens to the stream {asked.triggers.lsl!r} yet; the session goes on")
            triggers.send("begin", session=session_id)
            status = run_session(store, session_id, asked, screens, watched=True)
            triggers.send("over")
        expected, stored = unanswered(store, session_id)
        saved = backup(store)
    if status in OVER:
        say(f"session {status}: {OVER[status]}; backup {saved}")
        return
    say(f"session {status}: {stored} of {expected} answers stored; backup {saved}")
    if screens.failed:
        say(f"{screens.failed}; see to it first: tastelab doctor{place.repeated()}")
    if status != "complete":
        say(f"go on with: tastelab experiment run --resume {code or resume}{place.repeated()}")


@app.command()
@grouped
def launch(booth: Booth, place: Place) -> None:
    """Ask for code, language and station in a dialog, then run the session."""
    from experiment.data.codes import check_code, same
    from experiment.data.queries import status_rows
    from experiment.lab.dialog import Launch, ask

    loaded = read_study(place.study)
    with open_store(place.db) as store:
        rows = status_rows(store, loaded.name)
    open_ones = [str(r["participant"]) for r in rows if r["status"] in ("running", "stopped") and r["kind"] != "bot"]
    groups = [g.name for g in loaded.experiment.groups]
    taken = {same(str(r["participant"])): str(r["participant"]) for r in rows}

    def refused(entered: Launch) -> str | None:
        if entered.resume:
            return None
        check_code(entered.code)
        known = taken.get(same(entered.code))
        return None if known is None else f"{known} has been here; choose another code, or go on with the session below"

    chosen = ask(loaded.title, loaded.experiment.languages, booth.station, open_ones, groups, refused)
    if chosen is None:
        say("cancelled; nothing was started")
        return
    code, again = (None, chosen.code) if chosen.resume else (chosen.code, None)
    booth = replace(booth, station=chosen.station or booth.station)
    _sit(code, again, chosen.language, booth, [], place, chosen.group)


@app.command()
def calibrate(
    station: StationOption = STATION,
    study: StudyOption = STUDY,
    db: DbOption = DB,
) -> None:
    """Set this station's level with a level meter; it is locked until it expires."""
    from experiment.lab.calibrate import calibrate as run_calibrate
    from experiment.lab.calibrate import play_reference

    loaded = read_study(study)

    def read(words: str) -> float:
        return float(typer.prompt(words, type=float))

    with open_store(db) as store:
        found = run_calibrate(store, station, loaded.experiment.level, read, play_reference)
    say(f"station {station}: {found.gain_db:+.1f} dB with {found.device}, valid until {found.expires_at:%Y-%m-%d}")


@app.command()
@grouped
def simulate(
    *,
    n: Annotated[int, typer.Option("-n", min=1, help="Simulated participants.")] = 111,
    effects: EffectsOption = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the participants.")] = 1,
    place: Place,
    quiet: QuietOption = False,
) -> None:
    """Run simulated participants through the same engine and database as people."""
    from experiment import launch

    loaded = read_study(place.study)
    told = effects_of(loaded, effects)
    unknown = about_effects(loaded, told)
    if unknown:
        say(unknown, quiet)
    with open_store(place.db) as store, progress("bots", quiet) as update:
        ran = launch.simulate(prepared(store, loaded, place.out), told, n, seed, update)
    say(f"{ran} simulated sessions run, {n - ran} were there already", quiet)


@app.command()
def status(
    study: StudyOption = STUDY,
    db: DbOption = DB,
    everything: Annotated[bool, typer.Option("--all", help="Bots too, and every study.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.2, help="Seconds between looks (--watch).")] = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Show the day: sessions by booth and outcome, what wants a look, and each session with how far it is."""
    from experiment.data.queries import status_rows
    from tastelab.watch import so_far, to_look_at
    from tastelab.watch import watch as run_watch

    loaded = read_study(study)
    if watch:
        with open_store(db, new=False) as store:
            run_watch(store, None if everything else loaded.name, everything, every)
        return
    with open_store(db, new=False) as store:
        rows = status_rows(store, None if everything else loaded.name)
    shown = rows if everything else [r for r in rows if r["kind"] != "bot"]
    bots = len(rows) - len(shown)
    day = {"so_far": so_far(shown, loaded.experiment.target), "to_look_at": to_look_at(shown, datetime.now(UTC))}
    show("status", "paper", None, {**(day if shown else {}), "sessions": shown}, as_json, None)
    if bots and not as_json:
        say(f"and {bots} simulated sessions (--all shows them)")


@app.command("discard-pilots")
def discard_pilots(study: StudyOption = STUDY, db: DbOption = DB) -> None:
    """Delete the study's pilot sessions whole, before the first participant; codes of their people are free again."""
    from experiment.data.pilots import discard

    loaded = read_study(study)
    with open_store(db, new=False) as store:
        n = discard(store, loaded.name)
    say(
        f"{n} pilot sessions of {loaded.name} deleted; backups and exports made meanwhile still hold them"
        if n
        else "no pilots"
    )
