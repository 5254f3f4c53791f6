"""Databases by URL: what is refused in one line, what is hidden, which errors pass, and schemas of other times."""

from __future__ import annotations

import os
import stat
import uuid
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy.exc
from sqlalchemy import create_engine, event, func, inspect, select, text

from experiment.data import connect
from experiment.data.backups import backup
from experiment.data.connect import create, file_of, first_line, migrate, passing, shown, sqlite_url
from experiment.data.store import Store
from experiment.data.tables import Base, Calibration, Response
from experiment.errors import ExperimentError
from tests.experiment.data.rows import sat
from tests.postgres import Postgres


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("nonsense", "'nonsense' is not a database URL; e.g. sqlite:///participants.db"),
        ("mysql://u:secret@h/x", "tastelab keeps its data in SQLite or PostgreSQL"),
        ("sqlite:////nowhere/at/all/p.db", "directory /nowhere/at/all does not exist"),
        ("sqlite:///file:/nowhere/at/all/p.db?uri=true", "directory /nowhere/at/all does not exist"),
        ("postgresql+nothing://u:secret@h/x", ""),
    ],
)
def test_a_url_that_is_none(url: str, told: str) -> None:
    with pytest.raises((ExperimentError, sqlalchemy.exc.NoSuchModuleError)) as refused:
        create(url)
    assert told in str(refused.value)
    assert "secret" not in str(refused.value)


def test_a_password_is_not_shown() -> None:
    assert shown("postgresql://u:secret@h:5/x") == "postgresql://u:***@h:5/x"


def test_what_statements_carried_stands_in_no_error(tmp_path: Path) -> None:
    engine = create(f"sqlite:///{tmp_path / 'p.db'}")
    with engine.connect() as c, pytest.raises(sqlalchemy.exc.OperationalError) as told:
        c.execute(text("INSERT INTO nothing VALUES (:x)"), {"x": "SECRET"})
    assert "SECRET" not in str(told.value)


def test_sqlite_is_set_for_booths(tmp_path: Path) -> None:
    """Readers beside a writer, nothing lost when the power goes, deleted rows overwritten, and patience for a lock."""
    engine = create(f"sqlite:///{tmp_path / 'p.db'}", wait=7.0)
    with engine.connect() as c:
        found = {
            p: c.execute(text(f"PRAGMA {p}")).scalar()
            for p in ("journal_mode", "foreign_keys", "synchronous", "secure_delete", "busy_timeout")
        }
    assert found == {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "synchronous": 2,
        "secure_delete": 1,
        "busy_timeout": 7000,
    }


class Said(Exception):
    pass


def failed(words: str, kind: type = sqlalchemy.exc.OperationalError, module: str = "psycopg", cut: bool = False) -> Any:
    """An error as SQLAlchemy hands it on from a driver."""
    origin = type("Origin", (Said,), {"__module__": module})(words)
    return kind("SELECT", {}, origin, connection_invalidated=cut)


@pytest.mark.parametrize(
    ("error", "passes"),
    [
        (failed("database is locked", module="sqlite3"), True),
        (failed("no such table: trial", module="sqlite3"), False),
        (failed("disk I/O error", module="sqlite3"), False),
        (failed("connection refused"), True),
        (failed("the database system is starting up"), True),
        (failed('password authentication failed for user "u"'), False),
        (failed('database "x" does not exist'), False),
        (failed("permission denied for table trial"), False),
        (failed("could not translate host name"), False),
        (failed("the connection is CLOSED", sqlalchemy.exc.InterfaceError), True),
        (failed("syntax error", sqlalchemy.exc.ProgrammingError), False),
        (failed("syntax error", sqlalchemy.exc.ProgrammingError, cut=True), True),
    ],
)
def test_which_errors_pass_by_waiting(error: sqlalchemy.exc.DBAPIError, passes: bool) -> None:
    assert passing(error) is passes


def test_what_the_database_said_is_one_line() -> None:
    assert first_line(failed("  it fell\nHINT: catch it")) == "it fell"
    assert first_line(failed("")) == "Origin"


def test_a_database_that_can_only_be_read_is_refused_at_once(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    Store(f"sqlite:///{path}").close()
    with pytest.raises(ExperimentError, match="readonly"):
        Store(f"sqlite:///file:{path}?mode=ro&uri=true", wait=0.2)


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    path.write_bytes(b"not a database at all" * 100)
    with pytest.raises(ExperimentError, match="file is not a database"):
        Store(f"sqlite:///{path}")
    assert path.read_bytes().startswith(b"not a database")


def test_a_schema_of_before_gets_what_came_later_and_keeps_its_answers(store: Store) -> None:
    """Down to the first tables and up again: answers stay, what later tables held goes with them."""
    sat(store, "A", overrides=["audio"])
    with store.engine.connect() as c:
        answers = [tuple(r) for r in c.execute(select(Response.__table__).order_by(Response.id))]
    assert len(answers) == 6
    migrate(store.engine, "0001")
    with store.engine.connect() as c:
        assert c.execute(text("SELECT version_num FROM alembic_version")).scalar() == "0001"
        assert c.execute(text("SELECT count(*) FROM response")).scalar() == 6
    assert not inspect(store.engine).has_table("calibration")
    assert "overrides" not in {c["name"] for c in inspect(store.engine).get_columns("session")}
    migrate(store.engine)
    with store.engine.connect() as c:
        assert [tuple(r) for r in c.execute(select(Response.__table__).order_by(Response.id))] == answers
        assert c.execute(select(func.count()).select_from(Calibration)).scalar() == 0
    there = {t for t in inspect(store.engine).get_table_names() if t != "alembic_version"}
    assert there == {t.name for t in Base.metadata.sorted_tables}


def test_another_program_s_database_is_left_alone(tmp_path: Path) -> None:
    """Whoever opens it, for reading or to begin a study: one line, and not a byte of it changes."""
    path = tmp_path / "p.db"
    with create_engine(f"sqlite:///{path}").begin() as c:
        c.execute(text("CREATE TABLE theirs (x)"))
        c.execute(text("INSERT INTO theirs VALUES (7)"))
    before = path.read_bytes()
    for new in (True, False):
        with pytest.raises(ExperimentError, match="is another program's database; nothing was written"):
            Store(f"sqlite:///{path}", new=new)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["p.db"]
    assert connect.DEFAULT_URL == "sqlite:///participants.db"


def test_whoever_only_reads_makes_no_database(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match="there is no such database; is its name right"):
        Store(f"sqlite:///{tmp_path / 'typo.db'}", new=False)
    assert list(tmp_path.iterdir()) == []


def test_a_server_s_database_without_our_tables_is_left_alone(postgres: Postgres) -> None:
    url = postgres.database(f"t{uuid.uuid4().hex[:12]}")
    with pytest.raises(ExperimentError, match="there are no tables of tastelab"):
        Store(url, new=False)
    engine = create(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_database_that_can_only_be_read_is_read(tmp_path: Path) -> None:
    """A backup on another medium, in write-ahead mode as SQLite's own copies are: read from a copy that goes with the store."""
    folder = tmp_path / "medium"
    folder.mkdir()
    path = folder / "p.db"
    opened = Store(f"sqlite:///{path}")
    sat(opened, "A")
    opened.close()
    before = path.read_bytes()
    assert _read_as_if_read_only(path) == 6
    assert path.read_bytes() == before
    assert [p.name for p in folder.iterdir()] == ["p.db"]


def _read_as_if_read_only(path: Path) -> int:
    """Root may write anywhere: what the system would say to others is said here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "access", lambda where, how: how != os.W_OK)
        reading = Store(sqlite_url(path), new=False)
    assert reading.reads_a_copy
    with reading.engine.connect() as c:
        found = c.execute(select(func.count()).select_from(Response)).scalar_one()
    copied = file_of(reading.engine.url)
    assert copied is not None
    assert stat.S_IMODE(copied.parent.stat().st_mode) == 0o700
    reading.close()
    assert not copied.exists()
    return int(found)


@pytest.mark.parametrize("new", [True, False])
def test_a_newer_database_is_one_line(url: str, new: bool) -> None:
    Store(url).close()
    engine = create(url)
    with engine.begin() as c:
        c.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(
        ExperimentError, match=r"made by a newer tastelab .*version 9999, this one knows up to 00\d\d"
    ) as said:
        Store(url, new=new)
    assert len(str(said.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["a%20b", "what?", "a b", "x#y", "ü&=+", "100%"])
def test_folders_may_be_called_anything(tmp_path: Path, name: str) -> None:
    """The file lies where it was meant to, not where a URL's escapes would put it."""
    folder = tmp_path / name
    folder.mkdir()
    store = Store(sqlite_url(folder / "p?.db"))
    sat(store, "A")
    assert file_of(store.url) == folder / "p?.db"
    assert backup(store).parent == folder / "backups"
    store.close()
    assert {p.name for p in tmp_path.iterdir()} == {name}
    assert {"p?.db", "backups"} <= {p.name for p in folder.iterdir()}


def test_files_of_people_are_for_their_owner_whatever_the_umask(tmp_path: Path) -> None:
    path = tmp_path / "p.db"
    old = os.umask(0)
    try:
        store = Store(f"sqlite:///{path}")
        sat(store, "A")
        modes = {p.name: stat.S_IMODE(p.stat().st_mode) for p in tmp_path.iterdir()}
        assert {"p.db", "p.db-wal", "p.db-shm"} == set(modes)
        assert set(modes.values()) == {0o600}
        store.close()
        # One that an older version left open to all.
        path.chmod(0o666)
        Store(f"sqlite:///{path}").close()
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(old)


def test_a_full_disk_is_one_line(tmp_path: Path) -> None:
    """SQLite says so when it may grow no further."""
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    with store.engine.connect() as c:
        pages = c.exec_driver_sql("PRAGMA page_count").scalar_one()

    @event.listens_for(store.engine, "checkout")
    def _no_more(connection: Any, *_: Any) -> None:
        connection.execute(f"PRAGMA max_page_count={pages}")

    with pytest.raises(ExperimentError, match=r"the disk of the database .* is full .*free some space"):
        sat(store, "A", secret="x" * 100_000)
    store.close()
