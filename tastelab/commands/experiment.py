"""tastelab experiment ..."""

from __future__ import annotations

import json
import platform
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastelab.context import (
    DB,
    OUT,
    STUDY,
    DbOption,
    JsonOption,
    OutOption,
    QuietOption,
    StudyOption,
    open_store,
    progress,
    read_study,
    say,
    show,
    stimuli_folder,
)
from tastelab.errors import UserError

if TYPE_CHECKING:
    from experiment.data.store import Store
    from experiment.launch import Prepared
    from tastelab.study import Study

app = typer.Typer(no_args_is_help=True)


def prepared(store: Store, study: Study, out: Path) -> Prepared:
    """Enter a study and its clips into an open database."""
    from experiment.launch import prepare
    from stimuli.manifest import read_manifest

    folder = stimuli_folder(study, out)
    definition: dict[str, Any] = json.loads(study.model_dump_json())
    return prepare(store, study.name, study.title, definition, study.experiment, read_manifest(folder), folder)


@app.command()
def run(
    code: Annotated[str | None, typer.Option("--code", help="Pseudonymous code of the participant.")] = None,
    resume: Annotated[str | None, typer.Option("--resume", metavar="CODE", help="Go on with CODE's session.")] = None,
    language: Annotated[str | None, typer.Option("--language", help="Language of the screens.")] = None,
    station: Annotated[str, typer.Option("--station", help="Name of this booth.")] = platform.node() or "station",
    window: Annotated[bool, typer.Option("--window", help="A window instead of the whole screen.")] = False,
    override: Annotated[
        list[str] | None, typer.Option("--override", help="Go on although this check failed; stored in the session.")
    ] = None,
    markers: Annotated[
        bool, typer.Option("--markers", help="Print a JSON line a screen (for tests).", hidden=True)
    ] = False,
    driven: Annotated[bool, typer.Option("--driven", help="Mark as a test, not a person.", hidden=True)] = False,
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
) -> None:
    """Run one session on this screen."""
    from experiment import launch
    from experiment.data.backups import backup
    from experiment.lab.station import refuse, station_checks
    from experiment.session import run_session, unanswered

    if (code is None) == (resume is None):
        raise UserError("give either --code CODE (a new session) or --resume CODE (go on with one)")
    loaded = read_study(study)
    chosen = language or loaded.experiment.languages[0]
    checks = station_checks(db, loaded.name, loaded.experiment, stimuli_folder(loaded, out), station, screen=False)
    overridden = refuse(checks, override or [], say)
    with open_store(db) as store:
        ready = prepared(store, loaded, out)
        if resume is not None:
            session_id, chosen = launch.resume(ready, resume, overridden)
        else:
            level = launch.station_level(store, loaded.experiment, station)
            kind = "driven" if driven else "person"
            session_id = launch.begin(ready, str(code), kind, chosen, station, level, overridden)
        from experiment.lab.screens import Screens

        def mark(marker: dict[str, Any]) -> None:
            sys.stdout.write(json.dumps(marker) + "\n")
            sys.stdout.flush()

        asked = loaded.experiment
        screens = Screens(chosen, asked.replays, not window, mark if markers else None, asked.font, asked.texts)
        try:
            status = run_session(store, session_id, loaded.experiment, screens)
        finally:
            screens.close()
        expected, stored = unanswered(store, session_id)
        saved = backup(store)
    say(f"session {status}: {stored} of {expected} answers stored; backup {saved}")
    if status != "complete":
        say(f"go on with: tastelab experiment run --resume {code or resume}")


@app.command()
def launch(
    station: Annotated[str, typer.Option("--station", help="Name of this booth.")] = platform.node() or "station",
    window: Annotated[bool, typer.Option("--window", help="A window instead of the whole screen.")] = False,
    markers: Annotated[bool, typer.Option("--markers", hidden=True)] = False,
    driven: Annotated[bool, typer.Option("--driven", hidden=True)] = False,
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
) -> None:
    """Ask for code, language and station in a dialog, then run the session."""
    from experiment.data.queries import status_rows
    from experiment.lab.dialog import ask

    loaded = read_study(study)
    with open_store(db) as store:
        rows = status_rows(store, loaded.name)
    open_ones = [str(r["participant"]) for r in rows if r["status"] in ("running", "stopped") and r["kind"] != "bot"]
    chosen = ask(loaded.title, loaded.experiment.languages, station, open_ones)
    if chosen is None:
        say("cancelled; nothing was started")
        return
    code, again = (None, chosen.code) if chosen.resume else (chosen.code, None)
    run(code, again, chosen.language, chosen.station or station, window, None, markers, driven, study, db, out)


@app.command()
def calibrate(
    station: Annotated[str, typer.Option("--station", help="Name of this booth.")] = platform.node() or "station",
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
def simulate(
    n: Annotated[int, typer.Option("-n", min=1, help="Simulated participants.")] = 111,
    effects: Annotated[Path | None, typer.Option("--effects", help="Declared effects (TOML).")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Seed of the participants.")] = 1,
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
    quiet: QuietOption = False,
) -> None:
    """Run simulated participants through the same engine and database as people."""
    from experiment import launch
    from experiment.bots.effects import load_effects

    loaded = read_study(study)
    told = load_effects(effects)
    with open_store(db) as store, progress("bots", quiet) as update:
        ran = launch.simulate(prepared(store, loaded, out), told, n, seed, update)
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
    """Show sessions: who, where, how far, last answer, problems."""
    from experiment.data.queries import status_rows

    loaded = read_study(study)
    if watch:
        from tastelab.watch import watch as run_watch

        with open_store(db) as store:
            run_watch(store, None if everything else loaded.name, everything, every)
        return
    with open_store(db) as store:
        rows = status_rows(store, None if everything else loaded.name)
    shown = rows if everything else [r for r in rows if r["kind"] != "bot"]
    bots = len(rows) - len(shown)
    show("status", "paper", None, {"sessions": shown}, as_json, None)
    if bots and not as_json:
        say(f"and {bots} simulated sessions (--all shows them)")
