"""tastelab experiment import, discard-imports, export, withdraw, key, backup, replay: what happens to people's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tastelab.commands.experiment import app
from tastelab.context import ONLY_JSON, open_store, progress, read_study, say, show
from tastelab.errors import UserError
from tastelab.options import (
    DB,
    OUT,
    STUDY,
    CodeArgument,
    DbOption,
    JsonOption,
    Keys,
    OutOption,
    Place,
    QuietOption,
    StudyOption,
    grouped,
)

key_app = typer.Typer(no_args_is_help=True)
app.add_typer(key_app, name="key", help="Who is behind a code: kept apart from the database, for its owner alone.")


@app.command("import")
def import_(
    format: Annotated[str, typer.Argument(help="psytoolkit")],
    file: Annotated[Path, typer.Argument(help="The survey's wide CSV.")],
    study: StudyOption = STUDY,
    db: DbOption = DB,
    quiet: QuietOption = False,
) -> None:
    """Import a survey file; every row is imported or listed with the reason."""
    from experiment.data.entering import OTHERWISE
    from experiment.data.imports import import_psytoolkit, read_survey
    from experiment.data.layouts import PERSON, told

    if format != "psytoolkit":
        raise UserError(f"format {format!r} is not known; there is: psytoolkit")
    loaded = read_study(study)
    survey = read_survey(file, loaded.experiment)  # before a database is made
    with open_store(db) as store, progress("import", quiet) as update:
        definition = json.loads(loaded.model_dump_json())
        study_id = store.ensure_study(loaded.name, loaded.title, definition)
        report = import_psytoolkit(store, study_id, loaded.experiment, survey, update)
    say(f"{report.imported} people imported with {report.answers} answers, {report.already} were there already")
    if report.withdrawn:
        say(f"{report.withdrawn} withdrew after an earlier import and were left out")
    if report.unread:
        say(f"columns of the file that nothing reads: {told(report.unread)}")
    if report.unnamed:
        whose = (
            f"{report.unnamed} rows have an empty {PERSON!r}" if survey.person else f"no column is called {PERSON!r}"
        )
        say(
            f"{whose}: each such row is taken for one new person, known by a hash of its answers, so that a row mended later is "
            f"another person; call the column that says who somebody is {PERSON!r}"
        )
    _skipped(report.skipped)
    if any(reason == OTHERWISE for _, reason in report.skipped):
        say("to take all imports of this study back, and import anew: 'tastelab experiment discard-imports'")
    if report.skipped and not (report.imported or report.already or report.withdrawn):
        raise UserError(f"{file}: no row was imported; the lines above say why")


def _skipped(rows: list[tuple[int, str]]) -> None:
    """Each reason once, with the first of its lines."""
    lines: dict[str, list[int]] = {}
    for line, reason in rows:
        lines.setdefault(reason, []).append(line)
    for reason, some in lines.items():
        first = ", ".join(map(str, some[:5])) + (" ..." if len(some) > 5 else "")
        say(
            f"line {first} not imported: {reason}"
            if len(some) == 1
            else f"{len(some)} lines not imported ({first}): {reason}"
        )


@app.command("discard-imports")
def discard_imports(study: StudyOption = STUDY, db: DbOption = DB) -> None:
    """Delete the study's imported people whole, so that a mended file can be imported; who withdrew stays out."""
    from experiment.data.pilots import IMPORTED, discard

    loaded = read_study(study)
    with open_store(db, new=False) as store:
        n = discard(store, loaded.name, IMPORTED)
    say(
        f"{n} imported people of {loaded.name} deleted with their answers; backups, exports, snapshots and a report made "
        "meanwhile still hold them ('tastelab analysis report' makes it anew)"
        if n
        else "no imports"
    )


# Sessions that an export holds and that are no data of people, and what is said of them.
NO_DATA = {
    "bot": ("SIMULATED", "are no people"),
    "driven": ("DRIVEN TEST SESSION", "are no people"),
    "pilot": ("PILOT", "tried the study, which is no data of it"),
}


@app.command()
@grouped
def export(
    *,
    format: Annotated[str, typer.Option("--format", help="csv, psychds, bids or psychopy")] = "csv",
    free_text: Annotated[bool, typer.Option("--free-text", help="Free text too, which may tell who it is.")] = False,
    place: Place,
) -> None:
    """Write answers for others: no codes, no special categories, no free text, ages in bands."""
    from experiment.data.exports.tidy import ANSWERED
    from experiment.data.exports.write import export as run_export
    from experiment.data.queries import status_rows
    from experiment.tasks.own import Free

    loaded = read_study(place.study)
    with open_store(place.db, new=False) as store:
        path, data = run_export(store, loaded.name, format, place.out / loaded.name / "export", free_text)
        sat = [(r["kind"], r["participant"]) for r in status_rows(store, loaded.name) if r["status"] in ANSWERED]
    say(f"{data.answers} answers of {data.participants} participants in {path}")
    for kind, (label, what) in NO_DATA.items():
        if n := len({person for of, person in sat if of == kind}):
            who = "all of them" if n == data.participants else f"{n} of them"
            say(f"{label}: {who} {what}; the column 'kind' says so in each row")
    if free_text:
        say("free text is among them: read it before anybody else does, and take out what tells who somebody is")
    elif any(isinstance(item, Free) for task in loaded.experiment.sequence() for item in getattr(task, "items", ())):
        say("free text stays in the database (--free-text takes it along)")
    if data.small_cells:
        say(f"before publishing, look at answers that fewer than 5 people gave: {'; '.join(data.small_cells)}")


@app.command()
@grouped
def withdraw(
    code: Annotated[str | None, typer.Argument(help="Code of the participant.")] = None,
    *,
    study: Annotated[
        Path | None, typer.Option("--study", help="Study file, where the code took part in several.")
    ] = None,
    db: DbOption = DB,
    out: OutOption = OUT,
    keys: Keys,
    no_key: Annotated[bool, typer.Option("--no-key", help="No contact is kept of this person.")] = False,
    backups: Annotated[Path | None, typer.Option("--backups", help="A further folder of backups.")] = None,
    gone: Annotated[list[str] | None, typer.Option("--gone", help="This place of the list is no more.")] = None,
    pending: Annotated[bool, typer.Option("--pending", help="Go on with all withdrawals that are not done.")] = False,
) -> None:
    """Delete everything a participant answered to a study, at each place of a list; says when all of it is done."""
    from tastelab.withdrawing import Asked, go_on, withdraw_from

    if (code is None) != pending:
        raise UserError("give the code of whoever withdraws, or --pending to go on with what is not done")
    name = None if study is None else read_study(study).name
    with open_store(db, new=False) as store:
        asked = Asked(out, keys.key, keys.passphrase, no_key, backups, tuple(gone or ()))
        done = go_on(store, asked) if code is None else withdraw_from(store, code, name, asked)
    if not done:
        raise typer.Exit(1)


@app.command()
def backup(
    db: DbOption = DB,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where to; backups/ beside the database.")] = None,
) -> None:
    """Write a consistent copy of the database while sessions go on."""
    from experiment.data.backups import backup as run_backup

    with open_store(db, new=False) as store:
        say(f"backup {run_backup(store, folder)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    to: Annotated[Path, typer.Argument(help="The SQLite file to make; it must not exist.")],
    marker: Annotated[
        Path | None, typer.Option("--marker", help="A further folder with a WITHDRAWN.txt; the backup's is read.")
    ] = None,
    db: DbOption = DB,
) -> None:
    """Make a database of a backup; whoever withdrew since (by the marker, and by --db if it is there) is left out."""
    from experiment.data.connect import sqlite_url
    from tastelab.withdrawing import restore as run_restore

    if not file.is_file():
        raise UserError(f"{file} does not exist")
    if to.exists():
        raise UserError(f"{to} exists; name a new file")
    did = run_restore(file, to, marker, db)
    say(f"{to} made; {did.left_out} withdrawn since and left out")
    if did.known_by:
        say(f"who withdrew is known by {', '.join(did.known_by)}")
    else:
        say(
            f"nobody knows who withdrew since: there is no WITHDRAWN.txt beside {file}, and no database at --db; name it if there is one"
        )
    if did.pending:
        say(
            f"{did.pending} withdrawal(s) may have places left to do: tastelab experiment withdraw --pending --db {sqlite_url(to)}"
        )


@app.command()
def replay(
    code: CodeArgument,
    study: StudyOption = STUDY,
    db: DbOption = DB,
    as_json: JsonOption = False,
) -> None:
    """Show a session as it went: what was heard and answered, when. Nothing is written."""
    from experiment.data.replay import timeline

    loaded = read_study(study)
    with open_store(db, new=False) as store:
        rows = timeline(store, store.study(loaded.name).id, code)
    show("replay", "paper", None, {"timeline": rows}, as_json, None, ONLY_JSON)


@key_app.command()
@grouped
def add(
    code: Annotated[str, typer.Argument()],
    *,
    contact: Annotated[str, typer.Option("--contact", prompt=True, help="Name, mail or telephone.")],
    keys: Keys,
) -> None:
    """Enter who is behind a code."""
    from experiment.data.codes import check_code
    from experiment.data.keyfile import KeyFile

    check_code(code)
    KeyFile(keys.key, keys.passphrase).add(code, contact)
    say(f"code {code} entered in {keys.key}")


@key_app.command("show")
@grouped
def show_key(code: Annotated[str, typer.Argument()], keys: Keys) -> None:
    """Print who is behind a code."""
    from experiment.data.keyfile import KeyFile

    say(KeyFile(keys.key, keys.passphrase).show(code))


@key_app.command()
@grouped
def remove(code: Annotated[str, typer.Argument()], keys: Keys) -> None:
    """Delete who is behind a code; the answers stay."""
    from experiment.data.keyfile import KeyFile

    if not keys.key.exists() or not KeyFile(keys.key, keys.passphrase).remove(code):
        raise UserError(f"code {code} is not in {keys.key}")
    say(f"code {code} is no more in {keys.key}")


@key_app.command()
@grouped
def encrypt(
    keys: Keys,
    *,
    new: Annotated[
        str | None,
        typer.Option("--new", prompt="New passphrase", hide_input=True, confirmation_prompt=True, help="Passphrase."),
    ] = None,
) -> None:
    """Encrypt the key file, or change its passphrase."""
    from experiment.data.keyfile import KeyFile

    if not new:
        raise UserError("an empty passphrase protects nothing; give one")
    KeyFile(keys.key, keys.passphrase).encrypt(new)
    say(f"{keys.key} is encrypted; without the passphrase nobody can read it, neither can we")
