"""Tombstones: found by whoever has the code, read by nobody, and kept beside backups."""

from __future__ import annotations

import hashlib
import hmac
import stat
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from experiment.data import tombstones
from experiment.data.store import Store
from experiment.data.tables import Tombstone
from experiment.data.tombstones import (
    EVERY,
    MARKER,
    Entry,
    all_of,
    entry,
    entry_of,
    find,
    keyed,
    lay,
    number_of,
    read_marker,
    write_marker,
)
from experiment.data.withdrawal import bury
from tests.experiment.data.rows import sat
from tests.experiment.data.test_backups import rows

KEY = "0f" * 32


def test_the_hash_is_an_hmac_of_study_and_code() -> None:
    """By Python's own hmac; of a code as it is meant, however it is written."""
    wanted = hmac.new(bytes([15] * 32), b"taste\np1", hashlib.sha256).hexdigest()
    assert {keyed(KEY, "taste", code) for code in ("P001", "p1", "Ｐ０１")} == {wanted}
    others = {keyed(KEY, "taste", "P2"), keyed(KEY, "tastes", "P1"), keyed("f0" * 32, "taste", "P1")}
    assert len(others | {wanted}) == 4


def test_an_entry_means_one_code_of_one_study() -> None:
    one, other = entry("s", "P001"), entry("s", "P001")
    assert one.key != other.key
    assert one.digest != other.digest
    assert len(bytes.fromhex(one.key)) == 32
    assert abs(one.at - datetime.now(UTC)) < timedelta(minutes=1)
    assert one.means("s", "p1")
    assert other.means("s", "P001")
    assert not one.means("s", "P002")
    assert not one.means("t", "P001")
    # Of versions that knew no studies: the code in any of them, and no other.
    every = entry(EVERY, "P001")
    assert every.means("s", "p1")
    assert every.means("t", "p1")
    assert not every.means("s", "p2")
    assert not Entry(EVERY, one.key, one.digest, one.at).means("s", "P001")  # a hash of another study's words


def test_what_is_laid_says_why_and_whether_anything_is_left_to_do(store: Store) -> None:
    with store.transaction() as s:
        gone = lay(s, "s", "P1", "withdrawn", ["person", "driven"])
        young = lay(s, "s", "P2", "too_young")
        assert (gone.outcome, gone.kinds, gone.done_at) == ("withdrawn", ["person", "driven"], None)
        assert (young.outcome, young.kinds, young.done_at) == ("too_young", [], young.at)
        assert number_of(s) == 2
        # A withdrawal alone is taken to copies: whoever was never asked anything left nothing there.
        assert [e.digest for e in all_of(s)] == [gone.digest]
        assert all_of(s)[0].means("s", "p01")


def test_the_last_tombstone_of_a_code_is_found(store: Store) -> None:
    with store.transaction() as s:
        first = lay(s, "s", "P1", "refused")
        lay(s, "t", "P1", "withdrawn")
        lay(s, "s", "P2", "withdrawn")
        last = lay(s, "s", "P1", "withdrawn")
        every = lay(s, EVERY, "P9", "withdrawn")
        assert last.id > first.id
        found = {(study, code): find(s, study, code) for study in ("s", "u") for code in ("p001", "P9", "P3")}
        assert {k: row.id for k, row in found.items() if row is not None} == {
            ("s", "p001"): last.id,
            ("s", "P9"): every.id,
            ("u", "P9"): every.id,
        }


def test_times_are_of_the_world(store: Store) -> None:
    """SQLite gives them back without their zone."""
    at = datetime(2026, 3, 4, 5, 6, tzinfo=UTC)
    row = Tombstone(study="s", outcome="withdrawn", key=KEY, digest="0" * 64, at=at)
    assert entry_of(row) == Entry("s", KEY, "0" * 64, at)
    row.at = at.replace(tzinfo=None)
    assert entry_of(row).at == at
    with store.transaction() as s:
        s.add(row)
    with store.transaction() as s:
        (found,) = all_of(s)
    assert found.at == at


def test_the_marker_holds_each_tombstone_once_and_is_its_owners(tmp_path: Path) -> None:
    folder = tmp_path / "backups"
    entries = [entry("s", f"P{k}") for k in range(3)]
    write_marker(folder, entries[:2])
    write_marker(folder, entries[1:])
    write_marker(folder, [])
    text = (folder / MARKER).read_text()
    assert text.splitlines() == [f"{e.at:%Y-%m-%d} s {e.key} {e.digest}" for e in entries]
    assert stat.S_IMODE((folder / MARKER).stat().st_mode) == 0o600
    assert {p.name for p in folder.iterdir() if p.name.endswith("partial")} == set()
    found = read_marker(folder)
    assert [(e.study, e.key, e.digest) for e in found] == [(e.study, e.key, e.digest) for e in entries]
    assert [e.at for e in found] == [datetime(e.at.year, e.at.month, e.at.day, tzinfo=UTC) for e in entries]
    assert (folder / MARKER).read_text() == text
    write_marker(folder, entries[:1], anew=True)
    assert (folder / MARKER).read_text() == text.splitlines(keepends=True)[0]


def test_two_who_write_the_marker_at_once_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What another wrote after the first had looked is there when the first writes."""
    mine, theirs = entry("s", "P1"), entry("s", "P2")
    locked = tombstones.locked

    def late(path: Path) -> AbstractContextManager[None]:
        monkeypatch.setattr(tombstones, "locked", locked)
        write_marker(tmp_path, [theirs])
        return locked(path)

    monkeypatch.setattr(tombstones, "locked", late)
    write_marker(tmp_path, [mine])
    assert {e.digest for e in read_marker(tmp_path)} == {mine.digest, theirs.digest}


def test_a_marker_of_an_older_version_names_codes_and_does_so_no_more(tmp_path: Path) -> None:
    """What it says is kept, as hashes that are good for every study."""
    folder = tmp_path / "backups"
    folder.mkdir()
    assert read_marker(folder) == []
    lines = ["2026-01-02 B9", "2026-01-02 A", "", "2026-01-03", "2026-01-03 unknown"]
    (folder / MARKER).write_text("\n".join(lines) + "\n")
    found = read_marker(folder)
    assert "B9" not in (folder / MARKER).read_text()
    assert [f"{e.at:%Y-%m-%d}" for e in found] == ["2026-01-02", "2026-01-02", "2026-01-03"]
    assert read_marker(folder) == found
    opened = Store(f"sqlite:///{tmp_path}/p.db")
    for code in ("A", "b9", "C"):
        sat(opened, code, secret=f"of {code}")
    assert bury(opened, found)[0] == 2
    text = str(rows(opened))
    assert ("of A" in text, "of b9" in text, "of C" in text) == (False, False, True)
    opened.close()
