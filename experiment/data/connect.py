"""Reach a database: an engine for its URL, its schema brought to the present, and which of its errors pass by waiting."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError

from experiment.errors import ExperimentError

DEFAULT_URL = "sqlite:///participants.db"


def create(url: str, wait: float = 30.0) -> Engine:
    """Make an engine; SQLite gets WAL, foreign keys, synchronous=FULL and `wait` seconds for a lock."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ExperimentError(f"--db {url!r} is not a database URL; e.g. {DEFAULT_URL}") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        folder = Path(str(parsed.database).removeprefix("file:")).resolve().parent
        if not folder.is_dir():
            raise ExperimentError(f"--db {url}: directory {folder} does not exist")
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
        down = revision == "base" or (revision != "head" and present is not None and revision < present)
        (command.downgrade if down else command.upgrade)(config, revision)


def shown(url: str) -> str:
    """A database URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def first_line(error: DBAPIError) -> str:
    """What the database said, in one line."""
    words = str(error.orig).strip().splitlines()
    return words[0] if words else type(error.orig).__name__


def passing(error: DBAPIError) -> bool:
    """Whether waiting may help: the server went away or comes up, or another booth holds the lock."""
    words = str(error.orig).lower()
    if "sqlite" in type(error.orig).__module__:
        return "locked" in words
    # psycopg's OperationalError is all that lies between us and the server: refused, reset, shutting down, starting.
    wrong = ("authentication failed", "does not exist", "permission denied", "translate host name")
    gone = isinstance(error, OperationalError) or error.connection_invalidated or "closed" in words
    return gone and not any(sign in words for sign in wrong)
