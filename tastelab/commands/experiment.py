"""tastelab experiment ..."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastelab.context import (
    ONLY_JSON,
    about_effects,
    clips_of,
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
    OUT,
    SEEDS,
    STATION,
    STUDY,
    Booth,
    DbOption,
    EffectsOption,
    JsonOption,
    OutOption,
    Place,
    QuietOption,
    SoundOption,
    StationOption,
    StudyOption,
    grouped,
)

if TYPE_CHECKING:
    from experiment.data.store import Store
    from tastelab.study import Study

app = typer.Typer(no_args_is_help=True)


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
    from experiment.errors import ExperimentError
    from experiment.lab.hardware import awake, choose_for, used
    from experiment.lab.station import refuse, station_checks, station_level
    from experiment.session import run_session, unanswered
    from tastelab.watch import OVER
    from tastelab.withdrawing import at_this_booth

    loaded = read_study(place.study)
    if booth.trigger_port is not None and loaded.experiment.triggers is None:
        raise UserError(f"--trigger-port: {place.study} declares no [experiment.triggers]")
    kind = "driven" if booth.driven else "pilot" if booth.pilot else "person"
    if code is not None:
        launch.allowed(loaded.experiment, code, kind, language, group)
    if resume is not None:
        with open_store(place.db, new=False) as store:
            launch.expect(store, loaded.name, resume, kind)
    choose_for(loaded.experiment, booth.station, booth.display, booth.sound)
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
            session_id = launch.begin(
                ready, str(code), kind, language, booth.station, level, overridden, group, told=used()
            )
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
        with (
            awake(),
            closing(screens),
            closing(Triggers(None if silent else asked.triggers, booth.trigger_port)) as triggers,
        ):
            screens.triggers = triggers
            if asked.triggers and not triggers.awaited():
                say(f"nobody listens to the stream {asked.triggers.lsl!r} yet; the session goes on")
            triggers.send("begin", session=session_id)
            status = run_session(store, session_id, asked, screens, watched=True, own=ready.stimuli)
            triggers.send("over")
        expected, stored = unanswered(store, session_id)
        try:
            saved, broken = f"backup {backup(store)}", None
        except ExperimentError as error:  # said last: what became of the session does not hang on it
            saved, broken = "no backup", error
    say(f"session {status}: {OVER.get(status) or f'{stored} of {expected} answers stored'}; {saved}")
    if screens.failed:
        say(f"{screens.failed}; see to it first: tastelab doctor{place.repeated()}")
    if status not in ("complete", *OVER):
        say(f"go on with: tastelab experiment run --resume {code or resume}{place.repeated()}")
    if broken is not None:
        raise broken


@app.command()
@grouped
def launch(booth: Booth, place: Place) -> None:
    """Ask for code, language and station in a dialog, then run the session."""
    from experiment.data.codes import check_code, same
    from experiment.lab.dialog import Launch, ask
    from experiment.lab.hardware import displays, sounds
    from experiment.launch import GOES_ON, OPEN
    from tastelab.watch import so_far_there

    loaded = read_study(place.study)
    rows = so_far_there(place.db, loaded.name)  # a dialog that is cancelled makes no database
    mine = GOES_ON["pilot" if booth.pilot else "person"]
    open_ones = [str(r["participant"]) for r in rows if r["status"] in OPEN and r["kind"] in mine]
    taken = {same(str(r["participant"])): str(r["participant"]) for r in rows}

    def refused(entered: Launch) -> str | None:
        if entered.resume:
            return None
        check_code(entered.code)
        known = taken.get(same(entered.code))
        return None if known is None else f"{known} has been here; choose another code, or go on with the session below"

    def devices() -> tuple[list[str], list[str]]:
        return [d.said for d in displays()], sounds()

    spoken, groups = loaded.experiment.languages, [g.name for g in loaded.experiment.groups]
    chosen = ask(loaded.title, spoken, booth.station, open_ones, groups, refused, devices)
    if chosen is None:
        say("cancelled; nothing was started")
        return
    said = {k: getattr(chosen, k) or getattr(booth, k) for k in ("station", "display", "sound")}
    booth = replace(booth, **said)
    new, again = (None, chosen.code) if chosen.resume else (chosen.code, None)
    _sit(new, again, chosen.language, booth, [], place, chosen.group)


@app.command()
def calibrate(
    station: StationOption = STATION,
    sound: SoundOption = None,
    study: StudyOption = STUDY,
    db: DbOption = DB,
) -> None:
    """Set this station's level with a level meter; it is locked until it expires."""
    from experiment.lab.calibrate import calibrate as run_calibrate
    from experiment.lab.calibrate import measurable, play_reference
    from experiment.lab.hardware import choose_for

    loaded = read_study(study)
    choose_for(loaded.experiment, station, sound=sound)

    measurable(loaded.experiment.level)  # before a database is made

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
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEEDS, help="Seed of the participants.")] = 1,
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
    clips = clips_of(loaded, place.out)
    with open_store(place.db) as store, progress("bots", quiet) as update:
        ran = launch.simulate(prepared(store, loaded, place.out, rows=clips), told, n, seed, update)
    say(f"{ran} simulated sessions run, {n - ran} were there already", quiet)


@app.command()
def status(
    study: StudyOption = STUDY,
    db: DbOption = DB,
    everything: Annotated[bool, typer.Option("--all", help="Bots too, and every study.")] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Go on showing, until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option("--every", min=0.2, max=3600, help="Seconds between looks (--watch).")] = 2.0,
    as_json: JsonOption = False,
) -> None:
    """Show the day: sessions by booth and outcome, what wants a look, and each session with how far it is."""
    from experiment.data.queries import status_rows
    from tastelab import watch as day_of

    loaded = read_study(study)
    if watch:
        with open_store(db, new=False) as store:
            day_of.watch(store, None if everything else loaded.name, everything, every)
        return
    with open_store(db, new=False) as store:
        rows, nothing = status_rows(store, None if everything else loaded.name), day_of.none_of(store, loaded.name)
    shown = rows if everything else [r for r in rows if r["kind"] != "bot"]
    bots = len(rows) - len(shown)
    now = datetime.now(UTC)
    day = {"so_far": day_of.so_far(shown, loaded.experiment.target), "to_look_at": day_of.to_look_at(shown, now)}
    show("status", "paper", None, {**(day if shown else {}), "sessions": shown}, as_json, None, ONLY_JSON)
    past = loaded.experiment.consent.over(now.date())
    if past is not None:
        say(past, as_json)
    if bots or not rows:
        say(f"and {bots} simulated sessions (--all shows them)" if bots else nothing, as_json)


@app.command("discard-pilots")
def discard_pilots(study: StudyOption = STUDY, db: DbOption = DB) -> None:
    """Delete the study's pilot sessions whole, before the first participant; codes of their people are free again."""
    _discard(study, db, "pilot", "pilot sessions", "pilots")


@app.command("discard-bots")
def discard_bots(study: StudyOption = STUDY, db: DbOption = DB) -> None:
    """Delete the study's simulated people whole: they bind its design as people do."""
    _discard(study, db, "bot", "simulated sessions", "simulated people")


def _discard(study: Path, db: str, kind: str, sessions: str, them: str) -> None:
    from experiment.data.pilots import discard

    loaded = read_study(study)
    with open_store(db, new=False) as store:
        n = discard(store, loaded.name, kind)
    say(
        f"{n} {sessions} of {loaded.name} deleted; backups, exports and reports made meanwhile still hold them"
        if n
        else f"no {them}"
    )


KeyFileOption = Annotated[Path, typer.Option("--server-key", help="The server's key file; made at the first use.")]


@app.command()
@grouped
def serve(
    *,
    host: Annotated[str, typer.Option("--host", help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option("--port", min=1, max=65535, help="Port to listen at.")] = 8000,
    url: Annotated[
        str | None, typer.Option("--url", help="How people reach it, e.g. https://study.example.org.")
    ] = None,
    lab: Annotated[bool | None, typer.Option("--lab/--no-lab", help="The experimenter's page, /lab.")] = None,
    pilot: Annotated[bool, typer.Option("--pilot", help="Trials of the study: no data of it.")] = False,
    key: KeyFileOption = Path("tastelab-server.key"),
    place: Place,
) -> None:
    """Give the study to people with a browser; answers go to the same database as a booth's."""
    from experiment.session import check_files
    from experiment.texts import FOLDER, texts
    from experiment.web.links import keyed, secret
    from experiment.web.serving import at_home, check_installed
    from experiment.web.serving import serve as run_server
    from experiment.web.site import Site
    from tastelab.withdrawing import Afterwards, at_this_booth, places_online, withdrew_online

    check_installed()
    loaded = read_study(place.study)
    for language in loaded.experiment.languages:
        if "web" not in texts(language, loaded.experiment.texts):
            raise UserError(
                f"the texts in {language!r} have no table [web], which a browser shows; see {FOLDER / 'en.toml'}"
            )
    known = (url or f"http://{host if at_home(host) else 'localhost'}:{port}").rstrip("/")
    if not re.fullmatch(r"https?://[^/\s?#]+", known):
        raise UserError(f"--url {known!r} is no address such as https://study.example.org")
    clips = clips_of(loaded, place.out)
    with open_store(place.db) as store:
        at_this_booth(store)
        ready = prepared(store, loaded, place.out, rows=clips)
        check_files(ready.stimuli)
        own = secret(key)
        kind = "pilot" if pilot else "person"
        entry = loaded.experiment.web
        places = partial(places_online, store, loaded, place.out)
        afterwards = Afterwards(lambda: withdrew_online(store))
        site = Site(ready, own, kind, known, places, afterwards)
        try:
            shown = (at_home(host) and url is None) if lab is None else lab
            begin = {"open": known, "panel": f"{known}/?{entry.panel}=..."}.get(entry.entry)

            def begun() -> None:
                say(
                    f"people begin at {begin}"
                    if begin
                    else "people begin by links of their own: tastelab experiment links"
                )
                if shown:
                    say(f"the experimenter's page is {known}/lab; its key: {keyed(own, 'lab')}")
                say("Ctrl-C ends it; what was answered is stored, and people go on when it is there again")

            run_server(site, host, port, _day(store, loaded, own) if shown else None, begun)
        finally:
            afterwards.close()
            site.close()


def _day(store: Store, study: Study, key: bytes) -> Callable[[str], dict[str, Any] | None]:
    """What the experimenter's page shows whoever has its key: numbers, and what wants a look; nobody by a code."""
    import hmac

    from experiment.data.queries import status_rows
    from experiment.web.links import keyed
    from tastelab.watch import problem, so_far

    def look(given: str) -> dict[str, Any] | None:
        if not hmac.compare_digest(given.encode(), keyed(key, "lab").encode()):
            return None
        now = datetime.now(UTC)
        rows = [r for r in status_rows(store, study.name) if r["kind"] != "bot"]
        problems = [
            {"where": r["station"], "answers": r["answers"], "expected": r["expected"], "look_at": said}
            for r in rows
            if (said := problem(r, now))
        ]
        return {"title": study.title, "so_far": so_far(rows, study.experiment.target), "to_look_at": problems}

    return look


@app.command()
def links(
    n: Annotated[int, typer.Option("-n", min=1, max=10000, help="How many people.")],
    url: Annotated[str, typer.Option("--url", help="How people reach the server.")] = "http://127.0.0.1:8000",
    group: Annotated[str | None, typer.Option("--group", help="Their group, if not the emptiest.")] = None,
    csv: Annotated[Path, typer.Option("--csv", help="Where codes and links are written.")] = Path("links.csv"),
    study: StudyOption = STUDY,
    db: DbOption = DB,
    out: OutOption = OUT,
) -> None:
    """Make a link a person; who opens one begins, or goes on with, the session of its code."""
    from experiment.web.links import written

    loaded = read_study(study)
    if group is not None and group not in {g.name for g in loaded.experiment.groups}:
        raise UserError(f"--group {group!r}: the study has no such group")
    if csv.exists():
        raise UserError(f"--csv {csv} is there already; its links may be in use. Choose another name")
    clips = clips_of(loaded, out)
    with open_store(db) as store:
        written(store, prepared(store, loaded, out, rows=clips).study_id, n, group, url, csv)
    say(f"{n} links in {csv}, for you alone: whoever has a link is the person")
