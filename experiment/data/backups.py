"""Backups of participants.db, and how a withdrawal reaches them.

A backup is always an SQLite file with the same tables, whatever the database is: SQLite's own backup interface makes it
from SQLite, a copy of all rows in one transaction from PostgreSQL. Any tastelab command reads it with ``--db``.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import insert, select
from sqlalchemy.engine import make_url

from experiment.data.connect import create, migrate
from experiment.data.store import Store
from experiment.data.tables import Base, Participant
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError

MARKER = "WITHDRAWN.txt"


def folder_for(url: str) -> Path:
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
    try:
        folder.mkdir(parents=True, exist_ok=True)
        partial.unlink(missing_ok=True)
        if store.engine.dialect.name == "sqlite":
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
    except (OSError, sqlite3.Error) as error:
        with suppress(OSError):
            partial.unlink(missing_ok=True)
        raise ExperimentError(f"backup {target} cannot be written: {error}") from None
    return target


def _copy_rows(store: Store, target: Path) -> None:
    engine = create(f"sqlite:///{target}")
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


def forget(folder: Path, code: str) -> tuple[int, int]:
    """Withdraw a participant from every backup in `folder`, and mark the folder for copies that lie elsewhere.

    Returns
    -------
    tuple of int
        How many backups held the participant, and how many there are.
    """
    files = sorted(folder.glob("participants-*.db"))
    held = 0
    for path in files:
        old = Store(f"sqlite:///{path}")
        try:
            withdraw(old, code)
            held += 1
        except ExperimentError:
            continue  # not in this one, or withdrawn before it was made
        finally:
            old.close()
            with sqlite3.connect(path) as connection:
                # Deleted rows stay in free pages until the file is written anew.
                connection.execute("PRAGMA journal_mode=DELETE")
                connection.execute("VACUUM")
            connection.close()
    if folder.is_dir():
        with (folder / MARKER).open("a", encoding="utf-8") as marker:
            marker.write(f"{datetime.now(UTC):%Y-%m-%d} {code}\n")
    return held, len(files)


def apply_marker(store: Store, folder: Path) -> list[str]:
    """Withdraw whoever the folder's marker names from a restored database; returns the codes."""
    path = folder / MARKER
    if not path.exists():
        return []
    lines = [x.split(maxsplit=1) for x in path.read_text(encoding="utf-8", errors="replace").splitlines()]
    codes = dict.fromkeys(parts[1].strip() for parts in lines if len(parts) == 2)
    done = []
    for code in codes:
        with store.transaction() as s:
            person = s.scalar(select(Participant).where(Participant.code == code))
        if person is not None and person.withdrawn_at is None:
            withdraw(store, code)
            done.append(code)
    return done
