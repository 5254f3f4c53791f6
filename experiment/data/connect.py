"""Reach a database: an engine for its URL, its schema brought to the present, and which of its errors pass by waiting."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from experiment.data.looking import SETTLED, looking, way
from experiment.data.private import own_file
from experiment.errors import ExperimentError

DEFAULT_URL = "sqlite:///participants.db"
OURS = {"alembic_version", "participant", "session"}  # tables by which a database of ours is known
VERSIONS = Path(__file__).parent / "migrations" / "versions"


def sqlite_url(path: Path) -> URL:
    """The URL of an SQLite file, whatever its folders are called (``a%20b``, ``what?``)."""
    return URL.create("sqlite", database=str(path))


def file_of(url: str | URL) -> Path | None:
    """The file of an SQLite URL; none of another database, or of one in memory or opened by a ``file:`` URI."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        return None
    return None if parsed.database.startswith((":memory:", "file:")) else Path(parsed.database)


def look(path: Path) -> str:
    """What lies at an SQLite file's place before anything is opened for writing: ``"nothing"`` or ``"ours"``.

    Raises
    ------
    ExperimentError
        If it is another program's, or of a newer tastelab; nothing was written.
    """
    if not path.exists() or path.stat().st_size == 0:
        return "nothing"
    try:
        try:
            tables, revision = _tables(path, way(path))
        except sqlite3.OperationalError as error:
            if "locked" in str(error):
                return "ours"  # whoever opens it waits for the lock and says what it is
            tables, revision = _tables(path, SETTLED)  # in a folder that can only be read
    except sqlite3.Error as error:
        raise ExperimentError(f"--db {path}: {error}") from None
    if tables and not tables >= OURS:
        raise ExperimentError(f"--db {path} is another program's database; nothing was written to it")
    refuse_newer(str(path), revision)
    return "ours" if tables else "nothing"


def _tables(path: Path, how: str) -> tuple[set[str], str | None]:
    with looking(path, how) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        if not tables >= OURS:
            return tables, None
        row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        return tables, row[0] if row else None


def refuse_newer(where: str, revision: str | None) -> None:
    """Refuse a database whose schema this tastelab does not know.

    Raises
    ------
    ExperimentError
        With both versions, and what to do.
    """
    known = sorted(p.name[:4] for p in VERSIONS.glob("[0-9]*.py"))
    if revision is not None and revision not in known:
        raise ExperimentError(
            f"--db {where} was made by a newer tastelab (its tables are of version {revision}, this one knows up to "
            f"{known[-1]}); update tastelab here, or use the computer that made it"
        )


def create(url: str | URL, wait: float = 30.0) -> Engine:
    """Make an engine; SQLite gets WAL, foreign keys, synchronous=FULL and `wait` seconds for a lock.

    A new SQLite file is for its owner alone, and so becomes an older one that others could read.
    """
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ExperimentError(f"--db {url!r} is not a database URL; e.g. {DEFAULT_URL}") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        folder = Path(str(parsed.database).removeprefix("file:")).resolve().parent
        if not folder.is_dir():
            raise ExperimentError(f"--db {shown(url)}: directory {folder} does not exist")
    path = file_of(parsed)
    if path is not None:
        look(path)
        _for_its_owner(path)
    arguments: dict[str, Any] = {"timeout": wait}
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": 10}
    elif parsed.get_backend_name() != "sqlite":
        raise ExperimentError(f"--db {parsed.get_backend_name()}: tastelab keeps its data in SQLite or PostgreSQL")
    try:
        # What a statement carried is people's answers: it has no place in an error's words.
        engine = create_engine(parsed, connect_args=arguments, pool_pre_ping=True, hide_parameters=True)
    except ModuleNotFoundError as error:
        raise ExperimentError(f"--db {shown(url)}: driver {error.name} is not installed") from None
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def _for_its_owner(path: Path) -> None:
    """As far as that is ours to say; a file that can't be written says so when it is."""
    try:
        own_file(path)
        for beside in (path.with_name(f"{path.name}-wal"), path.with_name(f"{path.name}-shm")):
            if beside.exists():
                beside.chmod(0o600)
    except OSError:
        return


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database up or down to `revision` (``"head"`` is the present one, ``"base"`` an empty database)."""
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two booths that start at once: one migrates, the other waits.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7461737465)")
        config.attributes["connection"] = connection
        present = MigrationContext.configure(connection).get_current_revision()
        refuse_newer(shown(engine.url), present)
        down = revision == "base" or (revision != "head" and present is not None and revision < present)
        (command.downgrade if down else command.upgrade)(config, revision)


def shown(url: str | URL) -> str:
    """A database URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def first_line(error: DBAPIError) -> str:
    """What the database said, in one line."""
    words = str(error.orig).strip().splitlines()
    return words[0] if words else type(error.orig).__name__


def full(error: DBAPIError) -> bool:
    """Whether the disk is full, here or at the server."""
    words = str(error.orig).lower()
    return "disk is full" in words or "no space left" in words or "disk quota" in words


def passing(error: DBAPIError) -> bool:
    """Whether waiting may help: the server went away or comes up, or another booth holds the lock."""
    words = str(error.orig).lower()
    if "sqlite" in type(error.orig).__module__:
        return "locked" in words
    # psycopg's OperationalError is all that lies between us and the server: refused, reset, shutting down, starting.
    wrong = ("authentication failed", "does not exist", "permission denied", "translate host name")
    gone = isinstance(error, OperationalError) or error.connection_invalidated or "closed" in words
    return gone and not any(sign in words for sign in wrong)
