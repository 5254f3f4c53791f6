"""Folders that something of a database was written to: entered before it is, found again wherever they are moved."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from sqlalchemy import select

from experiment.data import copies
from experiment.data.connect import sqlite_url
from experiment.data.copies import MARK, here, known, mark_of, register
from experiment.data.erasure import places_here
from experiment.data.store import Store
from experiment.data.tables import Copy, Place


def entered(store: Store) -> list[tuple[str, str | None, str, str]]:
    with store.transaction() as s:
        return [(c.kind, c.study, c.path, c.mark) for c in s.scalars(select(Copy).order_by(Copy.id))]


def test_a_folder_is_made_marked_and_entered_once(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "deep" / "out"
    register(store, "exports", folder, "s")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / MARK).stat().st_mode) == 0o600
    mark = mark_of(folder)
    assert mark is not None
    assert len(mark) == 32
    assert (folder / MARK).read_text() == f"{mark}\n"
    assert entered(store) == [("exports", "s", str(folder), mark)]
    monkeypatch.chdir(tmp_path)
    register(store, "exports", Path("deep/../deep/out"), "s")
    assert entered(store) == [("exports", "s", str(folder), mark)]
    # The same folder for something else is another place; another folder has a mark of its own.
    register(store, "snapshots", folder, "s")
    register(store, "backups", tmp_path / "backups")
    assert entered(store)[1:] == [
        ("snapshots", "s", str(folder), mark),
        ("backups", None, str(tmp_path / "backups"), mark_of(tmp_path / "backups")),
    ]
    assert mark_of(tmp_path / "backups") != mark


def test_a_folder_that_was_moved_is_where_it_was_written_last(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.node", lambda: "booth-1")
    register(store, "backups", tmp_path / "old")
    (tmp_path / "old").rename(tmp_path / "new")
    monkeypatch.setattr("platform.node", lambda: "booth-2")
    with store.transaction() as s:
        before = s.scalars(select(Copy)).one()
    register(store, "backups", tmp_path / "new")
    with store.transaction() as s:
        now = s.scalars(select(Copy)).one()
        places = known(s, "s")
    assert (before.path, before.machine) == (str(tmp_path / "old"), "booth-1")
    assert (now.id, now.path, now.machine, now.mark) == (before.id, str(tmp_path / "new"), "booth-2", before.mark)
    assert now.at > before.at
    assert [(p.kind, p.path, p.machine, p.mark) for p in places] == [("backups", now.path, "booth-2", now.mark)]


def test_an_emptied_mark_is_none_and_is_written_anew(store: Store, tmp_path: Path) -> None:
    assert mark_of(tmp_path / "nowhere") is None
    (tmp_path / MARK).write_text(" \n")
    assert mark_of(tmp_path) is None
    register(store, "backups", tmp_path)
    assert mark_of(tmp_path) == entered(store)[0][3]


def test_a_study_has_its_own_places_and_those_of_all(store: Store, tmp_path: Path) -> None:
    for kind, name, study in (
        ("exports", "a", "s"),
        ("exports", "b", "t"),
        ("backups", "c", None),
        ("snapshots", "d", "s"),
    ):
        register(store, kind, tmp_path / name, study)
    with store.transaction() as s:
        found = {study: [(p.kind, Path(p.path).name) for p in known(s, study)] for study in ("s", "t", "u")}
    assert found == {
        "s": [("exports", "a"), ("backups", "c"), ("snapshots", "d")],
        "t": [("exports", "b"), ("backups", "c")],
        "u": [("backups", "c")],
    }


def test_whoever_reads_a_copy_enters_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A backup on a medium that can't be written: what was entered would go with the copy, and the medium stays as it is."""
    Store(sqlite_url(tmp_path / "p.db")).close()
    access = os.access
    monkeypatch.setattr("os.access", lambda path, *how, **more: path != tmp_path and access(path, *how, **more))
    reading = Store(sqlite_url(tmp_path / "p.db"), new=False)
    assert reading.reads_a_copy
    register(reading, "exports", tmp_path / "out", "s")
    assert entered(reading) == []
    assert not (tmp_path / "out").exists()
    reading.close()


@pytest.mark.parametrize(
    ("stored", "lies", "machine", "found"),
    [
        ("m1", "m1", "booth-1", True),
        ("m1", "m1", "elsewhere", True),  # a folder that two computers share
        ("m1", "m2", "booth-1", False),  # another computer's folder of the same path
        ("m1", None, "booth-1", True),  # somebody tidied up
        ("m1", None, "elsewhere", False),
        (None, "m2", "booth-1", True),  # named by hand
        (None, None, None, True),
    ],
)
def test_a_folder_is_known_by_its_mark(
    stored: str | None,
    lies: str | None,
    machine: str | None,
    found: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(copies, "machine", lambda: "booth-1")
    if lies is not None:
        (tmp_path / MARK).write_text(f"{lies}\n")
    place = Place(kind="backups", path=str(tmp_path), mark=stored, machine=machine)
    assert here(place) == (tmp_path if found else None)
    place.path = str(tmp_path / MARK)  # no folder, or none at all
    assert here(place) is None


def test_a_computer_without_a_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: "")
    assert copies.machine() == "this computer"


def test_a_folder_of_another_account_is_a_place_all_the_same(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody who exports owns a folder that the server is not let in to; who withdraws at a link is not turned away for it."""
    own = tmp_path / "s" / "export"
    own.mkdir(parents=True)
    (own / MARK).write_text("a" * 32)

    def closed(path: Path) -> bool:
        if path.is_relative_to(tmp_path / "s"):
            raise PermissionError(13, "Permission denied", str(path))
        return os.path.isdir(path)

    monkeypatch.setattr(Path, "is_dir", closed)
    monkeypatch.setattr(Path, "is_file", closed)
    found = [(p.kind, p.mark) for p in places_here(store, "s", tmp_path, None, None, True) if p.kind == "exports"]
    assert found == [("exports", None)]
