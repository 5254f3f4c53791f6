"""Backups: complete, for their owner alone, and reached by a withdrawal wherever they lie."""

from __future__ import annotations

import os
import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from experiment.data import backups
from experiment.data.backups import backup, folder_for, forget
from experiment.data.store import Store
from experiment.data.tables import Base
from experiment.data.tombstones import MARKER, Entry, all_of
from experiment.data.withdrawal import withdraw
from experiment.errors import ExperimentError
from tests.experiment.data.rows import Asked, sat

SECRET = [Asked("demographics", {"sex": (None, "UNMISTAKABLE", 1.0)})]


def rows(store: Store) -> dict[str, list[Any]]:
    """All rows of all tables, times without their zone (SQLite keeps none)."""
    with store.engine.connect() as c:
        return {
            t.name: [
                tuple(v.replace(tzinfo=None) if hasattr(v, "tzinfo") else v for v in r)
                for r in c.execute(select(t).order_by(t.c.id))
            ]
            for t in Base.metadata.sorted_tables
        }


def of(path: Path) -> dict[str, list[Any]]:
    opened = Store(f"sqlite:///{path}")
    try:
        return rows(opened)
    finally:
        opened.close()


def test_a_backup_holds_every_row_and_is_for_its_owner(store: Store, tmp_path: Path) -> None:
    sat(store, "A", station="left")
    sat(store, "B", kind="driven", status="stopped", language="it", overrides=["audio"])
    folder = tmp_path / "far" / "backups"
    path = backup(store, folder)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert path.parent == folder
    assert sorted(p.name for p in folder.iterdir()) == [".tastelab-id", path.name]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    here = rows(store)
    if store.engine.dialect.name == "postgresql":
        # Times of the server's zone are the same moments.
        from datetime import UTC

        with store.engine.connect() as c:
            here = {
                t.name: [
                    tuple(v.astimezone(UTC).replace(tzinfo=None) if hasattr(v, "tzinfo") else v for v in r)
                    for r in c.execute(select(t).order_by(t.c.id))
                ]
                for t in Base.metadata.sorted_tables
            }
    assert of(path) == here
    assert len(here["response"]) == 12
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT version_num FROM alembic_version").fetchall() != []
    connection.close()
    sat(store, "C")
    second = backup(store, folder)
    assert second.name > path.name  # the later one sorts later
    assert len(of(second)["response"]) == 18
    assert len(of(path)["response"]) == 12


def test_what_is_written_yet_is_for_its_owner_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever may read a folder reads what stands in it meanwhile: not even the half of a backup."""
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    sat(store, "A")
    connect, modes = sqlite3.connect, []

    def opened(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute("PRAGMA user_version = 1")  # something is written
        modes.append(stat.S_IMODE(path.stat().st_mode))
        return connection

    umask = os.umask(0)
    try:
        monkeypatch.setattr(backups.sqlite3, "connect", opened)
        backup(store, tmp_path / "backups")
    finally:
        os.umask(umask)
    assert modes == [0o600]


def test_where_backups_lie(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert folder_for(f"sqlite:///{tmp_path}/deep/p.db") == tmp_path / "deep" / "backups"
    assert folder_for("sqlite:///p.db") == tmp_path / "backups"
    assert folder_for("postgresql://u@h/x") == Path("backups")
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    assert backup(opened).parent == tmp_path / "backups"
    opened.close()


def test_a_backup_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    (tmp_path / "backups").write_text("in the way")
    with pytest.raises(ExperimentError, match="cannot be written"):
        backup(opened)
    opened.close()


def stones(store: Store) -> list[Entry]:
    with store.transaction() as s:
        return all_of(s)


def test_a_withdrawal_reaches_every_backup(store: Store, tmp_path: Path) -> None:
    """Of three backups two hold the person; nothing of the person stays in any file, all of the others does."""
    folder = tmp_path / "backups"
    sat(store, "stays", secret="kept")
    first = backup(store, folder)
    sat(store, "gone", SECRET, secret="UNMISTAKABLE")
    second = backup(store, folder)
    sat(store, "late", secret="kept")
    third = backup(store, folder)
    left = folder / ".participants-1.db.77.partial"
    left.write_bytes(b"UNMISTAKABLE")  # of a backup that was broken off
    assert sum(b"UNMISTAKABLE" in p.read_bytes() for p in folder.iterdir()) == 3
    early = {name: found for name, found in of(first).items() if name != "tombstone"}
    withdraw(store, "gone")
    assert forget(folder, stones(store)) == "deleted from 2 of 3 backups"
    for path in folder.iterdir():
        assert b"UNMISTAKABLE" not in path.read_bytes(), path
        assert b"gone" not in path.read_bytes(), path
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, path
    names = sorted(p.name for p in folder.iterdir() if not p.name.startswith("."))
    assert names == sorted([MARKER, first.name, second.name, third.name])
    assert {name: found for name, found in of(first).items() if name != "tombstone"} == early
    assert len(of(second)["response"]) == 6
    assert len(of(third)["response"]) == 12
    assert {s[4] for s in of(third)["session"]} == {"complete", "withdrawn"}
    # In each of them the code can't be used again, in that from before the person came too.
    assert [len(of(p)["tombstone"]) for p in (first, second, third)] == [1, 1, 1]
    assert forget(folder, stones(store)) == "deleted from 0 of 3 backups"
    assert forget(folder, []) == "deleted from 0 of 3 backups"
    assert [line.split(" ")[1] for line in (folder / MARKER).read_text().splitlines()] == ["s"]


def test_a_backup_that_cannot_be_opened_is_named_and_all_others_are_done(tmp_path: Path) -> None:
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    folder = tmp_path / "backups"
    sat(opened, "gone", SECRET)
    saved = [backup(opened, folder) for _ in range(3)]
    withdraw(opened, "gone")
    whole = saved[0].read_bytes()
    saved[0].write_bytes(b"no database" * 1000)
    with sqlite3.connect(saved[1]) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(ExperimentError, match=r"delete it, or mend it, and run this again") as said:
        forget(folder, stones(opened))
    assert f"{saved[0].name} can't be opened" in str(said.value)
    assert f"{saved[1].name} can't be opened" in str(said.value)
    assert "made by a newer tastelab" in str(said.value)
    assert b"UNMISTAKABLE" not in saved[2].read_bytes()
    saved[0].write_bytes(whole)
    saved[1].unlink()
    assert forget(folder, stones(opened)) == "deleted from 1 of 2 backups"
    assert b"UNMISTAKABLE" not in saved[0].read_bytes()
    opened.close()


def test_what_was_deleted_before_goes_from_free_pages_too(tmp_path: Path) -> None:
    """A backup that another program deleted from without overwriting; or in which the person had withdrawn before."""
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    folder = tmp_path / "backups"
    sat(opened, "gone", SECRET)
    path = backup(opened, folder)
    withdraw(opened, "gone")
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("DELETE FROM response")
    connection.close()
    assert b"UNMISTAKABLE" in path.read_bytes()
    assert forget(folder, stones(opened)) == "deleted from 1 of 1 backups"
    assert b"UNMISTAKABLE" not in path.read_bytes()
    opened.close()


def test_who_withdraws_while_a_backup_is_written_is_in_no_file(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From a server the copy is gone through once more, since nobody else reaches a booth's folder; beside an SQLite file the
    withdrawal takes away what is not finished, and the backup says that it could not be written."""
    folder = tmp_path / "backups"
    sat(store, "stays", secret="kept")
    sat(store, "gone", SECRET, secret="UNMISTAKABLE")
    copied, replace = backups._copy_rows, os.replace

    def copy(store: Store, target: Path) -> None:
        copied(store, target)
        assert b"UNMISTAKABLE" in target.read_bytes()
        withdraw(store, "gone")

    def finish(partial: Path, target: Path) -> None:
        monkeypatch.undo()
        assert b"UNMISTAKABLE" in partial.read_bytes()
        withdraw(store, "gone")
        forget(folder, stones(store))
        replace(partial, target)

    if store.engine.dialect.name == "postgresql":
        monkeypatch.setattr(backups, "_copy_rows", copy)
        found = of(backup(store, folder))
        assert (len(found["response"]), len(found["tombstone"])) == (6, 1)
    else:
        monkeypatch.setattr("experiment.data.backups.os.replace", finish)
        with pytest.raises(ExperimentError, match="cannot be written"):
            backup(store, folder)
    assert [p for p in folder.iterdir() if b"UNMISTAKABLE" in p.read_bytes()] == []
