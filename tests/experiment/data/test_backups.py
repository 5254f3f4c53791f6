"""Backups: complete, for their owner alone, and reached by a withdrawal wherever they lie."""

from __future__ import annotations

import sqlite3
import stat
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from experiment.data.backups import MARKER, apply_marker, backup, folder_for, forget
from experiment.data.store import Store
from experiment.data.tables import Base
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
    assert [p.name for p in folder.iterdir()] == [path.name]
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


def test_a_withdrawal_reaches_every_backup(store: Store, tmp_path: Path) -> None:
    """Of three backups two hold the person; nothing of the person stays in any file, all of the others does."""
    folder = tmp_path / "backups"
    sat(store, "stays", secret="kept")
    first = backup(store, folder)
    sat(store, "gone", SECRET, secret="UNMISTAKABLE")
    second = backup(store, folder)
    sat(store, "late", secret="kept")
    third = backup(store, folder)
    assert sum(b"UNMISTAKABLE" in p.read_bytes() for p in folder.iterdir()) == 2
    early = of(first)
    withdraw(store, "gone")
    assert forget(folder, "gone") == (2, 3)
    for path in folder.iterdir():
        assert b"UNMISTAKABLE" not in path.read_bytes(), path
    assert sorted(p.name for p in folder.iterdir()) == sorted([MARKER, first.name, second.name, third.name])
    assert of(first) == early
    assert len(of(second)["response"]) == 6
    assert len(of(third)["response"]) == 12
    assert {s[4] for s in of(third)["session"]} == {"complete", "withdrawn"}
    assert forget(folder, "gone") == (0, 3)
    assert forget(folder, "nobody") == (0, 3)
    assert [line.split(" ", 1)[1] for line in (folder / MARKER).read_text().splitlines()] == ["gone", "gone", "nobody"]


def test_what_was_deleted_before_goes_from_free_pages_too(tmp_path: Path) -> None:
    """A backup that another program deleted from without overwriting; or in which the person had withdrawn before."""
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    folder = tmp_path / "backups"
    sat(opened, "gone", SECRET)
    path = backup(opened, folder)
    opened.close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA secure_delete=OFF")
        connection.execute("DELETE FROM response")
    connection.close()
    assert b"UNMISTAKABLE" in path.read_bytes()
    assert forget(folder, "gone") == (1, 1)
    assert b"UNMISTAKABLE" not in path.read_bytes()


def test_there_may_be_no_backups(tmp_path: Path) -> None:
    assert forget(tmp_path / "nowhere", "gone") == (0, 0)
    assert not (tmp_path / "nowhere").exists()


def test_a_restored_database_leaves_out_who_withdrew_since(tmp_path: Path) -> None:
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    folder = tmp_path / "backups"
    for code in ("A", "B b", "C", "D"):
        sat(opened, code, secret=f"of {code}")
    withdraw(opened, "D")
    assert apply_marker(opened, folder) == []  # no backups, no marker
    folder.mkdir()
    lines = ["2026-01-02 B b", "2026-01-02 A", "", "2026-01-03 A", "2026-01-03", "2026-01-03 unknown", "2026-01-03 D"]
    (folder / MARKER).write_text("\n".join(lines) + "\n")
    assert apply_marker(opened, folder) == ["B b", "A"]
    assert apply_marker(opened, folder) == []
    found = rows(opened)
    assert len(found["response"]) == 6
    assert "of A" not in str(found)
    assert "of B" not in str(found)
    assert "of C" in str(found)
    opened.close()
