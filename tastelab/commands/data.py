"""tastelab experiment import, export, withdraw, key, backup, replay: what happens to people's data."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from tastelab.commands.experiment import app
from tastelab.context import open_store, progress, read_study, say, show
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
    from experiment.data.imports import import_psytoolkit

    if format != "psytoolkit":
        raise UserError(f"format {format!r} is not known; there is: psytoolkit")
    loaded = read_study(study)
    with open_store(db) as store, progress("import", quiet) as update:
        definition = json.loads(loaded.model_dump_json())
        study_id = store.ensure_study(loaded.name, loaded.title, definition)
        report = import_psytoolkit(store, study_id, loaded.experiment, file, update)
    say(f"{report.imported} people imported with {report.answers} answers, {report.already} were there already", quiet)
    for line, reason in report.skipped:
        say(f"line {line} not imported: {reason}")


@app.command()
@grouped
def export(
    *,
    format: Annotated[str, typer.Option("--format", help="csv, psychds, bids or psychopy")] = "csv",
    place: Place,
) -> None:
    """Write answers for others: no codes, no special categories, ages in bands."""
    from experiment.data.exports.write import export as run_export

    loaded = read_study(place.study)
    with open_store(place.db) as store:
        path, data = run_export(store, loaded.name, format, place.out / loaded.name / "export")
    say(f"{len(data.rows)} answers of {len(data.people())} participants in {path}")
    if data.small_cells:
        say(f"before publishing, look at answers that fewer than 5 people gave: {'; '.join(data.small_cells)}")


@app.command()
@grouped
def withdraw(
    code: CodeArgument,
    *,
    db: DbOption = DB,
    out: OutOption = OUT,
    keys: Keys,
    backups: Annotated[Path | None, typer.Option("--backups", help="Folder of the backups.")] = None,
) -> None:
    """Delete everything a participant answered: database, backups, key file, exports; a tombstone stays."""
    from experiment.data.backups import folder_for, forget
    from experiment.data.exports.write import export as run_export
    from experiment.data.exports.write import formats
    from experiment.data.keyfile import KeyFile
    from experiment.data.withdrawal import studies_of
    from experiment.data.withdrawal import withdraw as run_withdraw

    # Before anything is deleted: it may want a passphrase.
    contacts = KeyFile(keys.key, keys.passphrase) if keys.key.exists() else None
    stale: list[str] = []
    with open_store(db) as store:
        names = studies_of(store, code)
        gone = run_withdraw(store, code)
        say(f"{gone['answers']} answers of {gone['sessions']} session(s) deleted; a tombstone stays")
        if contacts is not None and contacts.remove(code):
            say(f"{keys.key}: the contact is deleted")
        held, there = forget(backups or folder_for(db), code)
        say(f"deleted from {held} of {there} backups")
        for name in names:
            folder = out / name / "export"
            for format in formats():
                if (folder / format).is_dir():
                    run_export(store, name, format, folder)
                    say(f"exported anew: {folder / format}")
            stale += [str(p.parent) for p in sorted((out / name).glob("snapshots/*/snapshot.json"))]
    if stale:
        say(f"made before, and to be deleted by you when their reports are made anew: {', '.join(stale)}")


@app.command()
def backup(
    db: DbOption = DB,
    folder: Annotated[Path | None, typer.Option("--folder", help="Where to; backups/ beside the database.")] = None,
) -> None:
    """Write a consistent copy of the database while sessions go on."""
    from experiment.data.backups import backup as run_backup

    with open_store(db) as store:
        say(f"backup {run_backup(store, folder)}")


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="A backup.")],
    to: Annotated[Path, typer.Argument(help="The SQLite file to make; it must not exist.")],
    marker: Annotated[
        Path | None, typer.Option("--marker", help="Folder of WITHDRAWN.txt; the backup's by default.")
    ] = None,
) -> None:
    """Make a database of a backup; whoever withdrew since is left out."""
    import shutil

    from experiment.data.backups import apply_marker

    if not file.is_file():
        raise UserError(f"{file} does not exist")
    if to.exists():
        raise UserError(f"{to} exists; name a new file")
    with open_store(f"sqlite:///{file}"):
        pass  # it is a database of ours, or one line says why not
    partial = to.with_name(f".{to.name}.partial")
    shutil.copyfile(file, partial)
    with open_store(f"sqlite:///{partial}") as store:
        left_out = apply_marker(store, marker or file.parent)
    partial.replace(to)
    say(f"{to} made; {len(left_out)} withdrawn since and left out")


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
    with open_store(db) as store:
        rows = timeline(store, store.study(loaded.name).id, code)
    show("replay", "paper", None, {"timeline": rows}, as_json, None)


@key_app.command()
@grouped
def add(
    code: Annotated[str, typer.Argument()],
    *,
    contact: Annotated[str, typer.Option("--contact", prompt=True, help="Name, mail or telephone.")],
    keys: Keys,
) -> None:
    """Enter who is behind a code."""
    from experiment.data.keyfile import KeyFile
    from experiment.launch import check_code

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
