"""What every command shares: the study, the database, where outputs go, how results and progress are shown."""

from __future__ import annotations

import csv
import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from textwrap import wrap
from typing import TYPE_CHECKING, Any, TextIO

from tastelab.columns import fit, numeric
from tastelab.errors import UserError
from tastelab.hints import reading, repeated

if TYPE_CHECKING:
    from sqlalchemy import URL

    from experiment.bots.effects import Effects
    from experiment.data.store import Store
    from experiment.launch import Prepared
    from stimuli.manifest import ClipRow
    from tastelab.study import Study


def tastelab_version() -> str:
    """Version of the installed tastelab."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("tastelab")
    except PackageNotFoundError:
        return "0+unknown"


def read_study(path: Path) -> Study:
    """Load a study file (late, so that --help stays quick)."""
    from tastelab.study import load_study

    reading(str(path))
    return load_study(path)


def stimuli_folder(study: Study, out: Path) -> Path:
    """Where a study's clips and manifest lie."""
    return out / study.name / "stimuli"


@contextmanager
def open_store(url: str | URL, new: bool = True) -> Iterator[Store]:
    """Open the database, and close it again; `new`: whether one is made where there is none."""
    from experiment.data.store import Store as Opened

    store = Opened(url, new=new)
    try:
        yield store
    finally:
        store.close()


def prepared(
    store: Store, study: Study, out: Path, going_on: bool = False, rows: list[ClipRow] | None = None
) -> Prepared:
    """Enter a study and its clips into an open database; `going_on`: for a session that began, as it was declared.

    `rows` are the manifest's, where they were read before the database was opened (`clips_of`).
    """
    from experiment.launch import prepare
    from stimuli.names import places

    # In the order in which the study declares tastes and conditions, whatever they are called.
    taste, condition = places([t.name for t in study.stimuli.tastes]), {c: k for k, c in enumerate(study.models.names)}
    last = len(taste) + len(condition)
    rows = sorted(
        clips_of(study, out) if rows is None else rows,
        key=lambda r: (taste.get(r.taste, last), condition.get(r.model, last), r.number),
    )
    folder = stimuli_folder(study, out)
    return prepare(store, study.name, study.title, definition_of(study), study.experiment, rows, folder, going_on)


def clips_of(study: Study, out: Path) -> list[ClipRow]:
    """A study's clips; a command that makes a database where there is none reads them first, and leaves none where it refuses."""
    from stimuli.manifest import read_manifest

    return read_manifest(stimuli_folder(study, out))


def effects_of(study: Study, given: Path | None = None) -> Effects:
    """What simulated people are told: the file that is given, else the study file's, else the default study's."""
    from experiment.bots.effects import load_effects

    return load_effects(given or study.experiment.effects)


def about_effects(study: Study, effects: Effects) -> str | None:
    """What of a study its simulated people were told nothing of, and what they do then, in one line; None where they know all."""
    tasks, conditions = study.experiment.sequence(), study.models.names
    neutral, strange = effects.neutral(tasks, conditions), effects.strange(conditions)
    raised = effects.raised(tasks, conditions, [t.name for t in study.stimuli.tastes])
    told = [
        f"nothing of {', '.join(names)} in {at}, neutral there" for at, names in neutral.items() if at not in raised
    ]
    told += [
        f"no ratings of {', '.join(names)} in {at}: a clip's own word is rated at half the scale there, any other at a quarter"
        for at, names in raised.items()
    ]
    if strange:
        told.append(
            f"{'and ' if told else ''}{', '.join(strange)}, which this study does not have: that counts for nothing"
        )
    return f"effects {effects.shown} declare {'; '.join(told)}" if told else None


def definition_of(study: Study) -> dict[str, Any]:
    """A study as databases and snapshots keep it."""
    found: dict[str, Any] = json.loads(study.model_dump_json())
    return found


def told_clips(folder: Path) -> list[ClipRow]:
    """The rows of a manifest under the names by which analyses know the clips."""
    from stimuli.manifest import read_manifest

    return [replace(row, clip=row.told) for row in read_manifest(folder)]


@contextmanager
def progress(title: str, quiet: bool = False) -> Iterator[Callable[..., None]]:
    """A progress bar on standard error, in a log a line now and then; yields ``update(done, total, what="")``."""
    from models.processes import first

    if quiet or not first():
        yield lambda *_: None
        return
    if not sys.stderr.isatty():
        yield _logged(title)
        return
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(title, total=None)

        def update(done: int, total: int, what: Any = "") -> None:
            words = f"{title}: {what}" if isinstance(what, str) and what else title
            bar.update(task, completed=done, total=total, description=words)

        yield update


def _logged(title: str) -> Callable[..., None]:
    last = time.perf_counter()

    def update(done: int, total: int, what: Any = "") -> None:
        nonlocal last
        if (now := time.perf_counter()) - last >= LOGGED:
            last = now
            words = f": {what}" if isinstance(what, str) and what else ""
            sys.stderr.write(f"{title} {int(done)} of {total}{words}\n")
            sys.stderr.flush()

    return update


def say(text: str, quiet: bool = False) -> None:
    """Print a line for a person; of several processes of one command, once."""
    from models.processes import first

    if not quiet and first():
        from rich.console import Console

        Console(highlight=False).print(repeated(text), soft_wrap=True, markup=False)


def show(
    name: str,
    plan: str,
    digest: str | None,
    tables: dict[str, list[dict[str, Any]]],
    as_json: bool,
    csv_path: Path | None,
    elsewhere: str = "--csv and --json",
) -> None:
    """Show an analysis' tables: for people, as the one JSON object of DESIGN, and as CSV.

    `elsewhere` are the command's options that show what a page has no room for.
    """
    if csv_path is not None:
        # The table that the file is called after, else the first that has rows.
        name_of = csv_path.stem if tables.get(csv_path.stem) else next((k for k, rows in tables.items() if rows), "")
        first = tables.get(name_of, [])
        if not csv_path.parent.is_dir():
            raise UserError(f"--csv {csv_path}: directory {csv_path.parent} does not exist")
        with _whole(csv_path) as file:
            writer = csv.DictWriter(file, list(dict.fromkeys(k for row in first for k in row)))
            writer.writeheader()
            writer.writerows(first)
        say(f"table '{name_of}' is written to {csv_path}", quiet=as_json)
    if as_json:
        result = {
            "analysis": name,
            "plan": plan,
            "data_sha256": digest,
            "version": tastelab_version(),
            "tables": tables,
        }
        sys.stdout.write(json.dumps(_plain(result), allow_nan=False) + "\n")
        return
    from rich.console import Console

    console = Console(highlight=False, width=WIDTH)
    for title, rows in tables.items():
        if rows:
            parts, left = _tables(title, rows)
            for part in parts:
                console.print(part)
            if left:
                said = f"  also in {elsewhere}: {', '.join(left)}"
                say(
                    "\n".join(wrap(said, WIDTH, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False))
                )


@contextmanager
def _whole(path: Path) -> Iterator[TextIO]:
    """A file that is written whole or stays as it was; what is no plain file (``/dev/stdout``, a link) is written to as it is."""
    there = path.is_symlink() or path.exists()
    plain = not path.is_symlink() and (not there or (path.is_file() and os.access(path, os.W_OK)))
    if not (plain and os.access(path.parent, os.W_OK)):  # what can't be written says so by its own name
        with path.open("w", newline="", encoding="utf-8") as file:
            yield file
        return
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("w", newline="", encoding="utf-8") as file:
            yield file
        if there:
            shutil.copymode(path, partial)
        os.replace(partial, path)
    finally:
        partial.unlink(missing_ok=True)


WIDTH = 80
LOGGED = 15.0  # s between two lines of progress where it is no terminal that reads them
ONLY_JSON = "--json"  # where a command has no --csv


def _tables(title: str, rows: list[dict[str, Any]]) -> tuple[list[Any], list[str]]:
    """A table in the parts that fit the width, and the columns that it has no room for."""
    from rich.markup import escape
    from rich.table import Table

    from analysis.page.sentences import number

    parts, left = fit(rows, WIDTH, number)
    told = title.replace("_", " ")
    made = []
    for k, part in enumerate(parts):
        table = Table(title=told if k == 0 else f"{told}, continued", title_justify="left")
        for column in part:
            digits = numeric(rows, column.key)
            table.add_column(
                column.key, justify="right" if digits else "left", no_wrap=digits, overflow="fold",
                min_width=len(column.key), max_width=column.width,
            )  # fmt: skip
        for row in rows:
            table.add_row(*[escape(number(row.get(column.key), column.key)) for column in part])
        made.append(table)
    return made, left


def _plain(value: Any) -> Any:
    """JSON has neither NaN nor numpy numbers."""
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float) and (value != value or value in (float("inf"), float("-inf"))):
        return None
    return value
