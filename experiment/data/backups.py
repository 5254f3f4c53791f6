"""Backups of participants.db, and how a withdrawal reaches them.

A backup is always an SQLite file with the same tables, whatever the database is: SQLite's own backup interface makes it
from SQLite, a copy of all rows in one transaction from PostgreSQL. Any tastelab command reads it with ``--db``.
"""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import URL, insert, select
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError

from experiment.data.connect import create, migrate, sqlite_url
from experiment.data.copies import register
from experiment.data.private import own_file
from experiment.data.store import Store
from experiment.data.tables import Base
from experiment.data.tombstones import Entry, all_of, write_marker
from experiment.data.withdrawal import bury
from experiment.errors import ExperimentError


def folder_for(url: str | URL) -> Path:
    """Where a database's backups lie: ``backups`` beside an SQLite file, else in the present directory."""
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite" and parsed.database:
        return Path(parsed.database.removeprefix("file:")).resolve().parent / "backups"
    return Path("backups")


def backup(store: Store, folder: Path | None = None) -> Path:
    """Write a consistent backup while booths go on; returns its file, named by the time in UTC.

    Raises
    ------
    ExperimentError
        If it can't be written.
    """
    folder = folder or folder_for(store.url)
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    target = folder / f"participants-{stamp}.db"
    partial = folder / f".{target.name}.{os.getpid()}.partial"
    with store.transaction() as s:
        before = len(all_of(s))
    try:
        register(store, "backups", folder)
        partial.unlink(missing_ok=True)
        if store.engine.dialect.name == "sqlite":
            own_file(partial)
            with store.engine.connect() as connection:
                source = connection.connection.driver_connection
                assert isinstance(source, sqlite3.Connection)
                with sqlite3.connect(partial) as copy:
                    source.backup(copy)
                copy.close()
        else:
            _copy_rows(store, partial)
        partial.chmod(0o600)
        os.replace(partial, target)
        # Who withdrew while it was written is in what was read before: nobody else may see that the file is there.
        with store.transaction() as s:
            entries = all_of(s)
        if entries:
            write_marker(folder, entries)
        if store.engine.dialect.name != "sqlite" and len(entries) > before:
            _without(target, entries)
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ExperimentError(f"backup {target} cannot be written: {error}") from None
    return target


def _copy_rows(store: Store, target: Path) -> None:
    engine = create(sqlite_url(target))
    migrate(engine)
    reading = store.engine.connect().execution_options(isolation_level="REPEATABLE READ")
    with reading as source, engine.begin() as copy:
        for table in Base.metadata.sorted_tables:
            rows = [dict(r) for r in source.execute(select(table)).mappings()]
            if rows:
                copy.execute(insert(table), rows)
    engine.dispose()
    with sqlite3.connect(target) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
    connection.close()


def forget(folder: Path, entries: Sequence[Entry]) -> str:
    """Leave out of every backup in a folder whoever has one of these tombstones; says what was done.

    The folder's marker keeps the tombstones for what is restored later, and for copies that lie elsewhere. What a backup left
    that was broken off goes too.

    Raises
    ------
    ExperimentError
        If a backup can't be opened, with its name: all others are done.
    """
    write_marker(folder, entries)
    for path in folder.glob(".participants-*.partial*"):
        path.unlink()
    files = sorted(folder.glob("participants-*.db"))
    held, broken = 0, []
    for path in files:
        try:
            held += _without(path, entries) > 0
        except (ExperimentError, DBAPIError, sqlite3.Error) as error:
            said = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            broken.append(f"{path.name} can't be opened ({said.splitlines()[0]})")
    if broken:
        raise ExperimentError(f"{'; '.join(broken)}: delete it, or mend it, and run this again")
    return f"deleted from {held} of {len(files)} backups"


def _without(path: Path, entries: Sequence[Entry]) -> int:
    """One backup without those people, written anew so that nothing stays in free pages; returns how many it held."""
    copy = Store(sqlite_url(path), new=False)
    try:
        held, _ = bury(copy, entries)
    finally:
        copy.close()
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
        connection.execute("VACUUM")
    return held
