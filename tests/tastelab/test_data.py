"""tastelab experiment import, export, withdraw, key, backup, restore, replay: what a person sees of them."""

from __future__ import annotations

import contextlib
import csv
import errno
import json
import shutil
import sqlite3
import stat
from pathlib import Path

import pytest

from experiment.data.backups import backup
from experiment.data.keyfile import KeyFile
from experiment.data.store import Store
from tests.experiment.data.rows import sat
from tests.tastelab.conftest import Lived, call

GONE = "bot-1-0003"


def exports(mine: Lived) -> str:
    """Everything that lies in the folder of exports."""
    return "".join(
        p.read_text(encoding="utf-8") for p in sorted((mine.out / "small" / "export").rglob("*")) if p.is_file()
    )


def participants(mine: Lived) -> set[str]:
    with (mine.out / "small" / "export" / "csv" / "small.csv").open(newline="") as file:
        return {row["participant"] for row in csv.DictReader(file)}


def test_a_withdrawal_reaches_every_place_and_says_so(mine: Lived) -> None:
    """Database, key file, backups, exports, snapshots; and what it can't reach is named."""
    key, backups = mine.folder / "participants.key", mine.folder / "backups"
    for code, contact in ((GONE, "Ada, ada@example.org"), ("bot-1-0004", "Bruno")):
        KeyFile(key).add(code, contact)
    assert call("experiment", "backup", "--db", mine.db).status == 0
    for format in ("csv", "bids"):
        assert call("experiment", "export", "--format", format, *mine.where).status == 0
    assert len(participants(mine)) == 24
    assert call("analysis", "freeze", *mine.where).status == 0
    rows = mine.asked("SELECT r.value FROM response r JOIN trial t ON t.id = r.trial_id")
    said = call("experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", key)
    assert said.status == 0
    lines = said.out.splitlines()
    assert lines[0] == (
        "study small: 36 answers of 1 session(s) deleted; that there was a session stays, and a tombstone, without the code"
    )
    assert [x.split()[:2] for x in lines[1:6]] == [
        ["done:", x] for x in ("database", "key", "backups", "exports", "snapshots")
    ]
    assert f"done: key {key}: the contact is deleted" in lines
    assert f"done: backups {backups}: deleted from 1 of 1 backups" in lines
    assert f"done: exports {mine.out / 'small' / 'export'}: exported anew: csv, bids" in lines
    frozen = next(x for x in lines if x.startswith("done: snapshots"))
    assert "with 23 people; 1 older deleted" in frozen
    assert lines[6] == "WITHDRAWN: every place on the list is done"
    assert lines[7].startswith("out of tastelab's reach, for you to see to: copies that you deposited or sent, ")
    (snapshot,) = (mine.out / "small" / "snapshots").glob("*/snapshot.json")
    assert snapshot.parent.name in frozen
    assert len(mine.asked("SELECT r.value FROM response r JOIN trial t ON t.id = r.trial_id")) == len(rows) - 36
    assert mine.asked("SELECT count(*) FROM session WHERE status = 'withdrawn'") == [(1,)]
    assert mine.asked("SELECT code FROM participant WHERE code = ?", [GONE]) == []
    assert json.loads(key.read_text())["contacts"] == {"bot-1-0004": "Bruno"}
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    (saved,) = backups.glob("*.db")
    for database in (saved, mine.database):
        assert GONE.encode() not in database.read_bytes()
    assert len(participants(mine)) == 23
    again = call("experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", key)
    assert (again.status, again.err.count("already withdrawn")) == (2, 1)
    # Nobody else is asked for twice, and no database is made by a mistyped name.
    said = call("experiment", "withdraw", GONE, "--db", f"sqlite:///{mine.folder / 'typo.db'}")
    assert (said.status, "there is no such database" in said.err) == (2, True)
    assert not (mine.folder / "typo.db").exists()
    for words in ([], [GONE, "--pending"]):
        assert call("experiment", "withdraw", *words, "--db", mine.db).status == 2


def test_an_encrypted_key_file_is_asked_for_before_anything_is_deleted(mine: Lived) -> None:
    key = mine.folder / "participants.key"
    KeyFile(key).add(GONE, "Ada")
    assert call("experiment", "key", "encrypt", "--new", "horse", "--key", key).status == 0
    before = mine.asked("SELECT count(*) FROM response")
    words = ["experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--key", key]
    said = call(*words)
    assert (said.status, said.err.count("is encrypted")) == (2, 1)
    assert mine.asked("SELECT count(*) FROM response") == before
    assert call(*words, "--passphrase", "horse").status == 0
    shown = call("experiment", "key", "show", GONE, "--key", key, "--passphrase", "horse")
    assert (shown.status, shown.out) == (2, "")


def test_restoring_leaves_out_who_withdrew_since(mine: Lived, tmp_path: Path) -> None:
    """The copy lay elsewhere when the person withdrew; the folder's marker names the code."""
    far = tmp_path / "far"
    assert call("experiment", "backup", "--db", mine.db, "--folder", far).status == 0
    (saved,) = far.glob("*.db")
    bytes_then = saved.read_bytes()
    assert call("experiment", "backup", "--db", mine.db).status == 0
    call("experiment", "withdraw", GONE, "--db", mine.db, "--out", mine.out, "--no-key", "--gone", far)
    saved.write_bytes(bytes_then)  # the copy lay elsewhere
    new = tmp_path / "restored.db"
    said = call("experiment", "restore", saved, new, "--db", mine.db)
    told = f"{new} made; 1 withdrawn since and left out\nwho withdrew is known by "
    assert said.out == f"{told}{mine.db}\n"
    new.unlink()
    nowhere = ["--db", f"sqlite:///{tmp_path / 'lost.db'}"]
    (far / "WITHDRAWN.txt").unlink(missing_ok=True)
    said = call("experiment", "restore", saved, new, *nowhere)
    assert said.out == (
        f"{new} made; 0 withdrawn since and left out\nnobody knows who withdrew since: there is no WITHDRAWN.txt beside {saved}, "
        f"and no database at --db; name it if there is one\n"
    )
    new.unlink()
    said = call("experiment", "restore", saved, new, *nowhere, "--marker", tmp_path)
    assert (said.status, said.err) == (2, f"tastelab: --marker {tmp_path}: there is no WITHDRAWN.txt in it\n")
    said = call("experiment", "restore", saved, tmp_path / "deep" / "new.db", *nowhere)
    assert (said.status, f"there is no folder {tmp_path / 'deep'}; make it" in said.err) == (2, True)
    # What an earlier try left is no part of this one.
    (tmp_path / f".{new.name}.partial-wal").write_bytes(b"\x37\x7f\x06\x82 of another file")
    said = call("experiment", "restore", saved, new, *nowhere, "--marker", mine.folder / "backups")
    pending = f"1 withdrawal(s) may have places left to do: tastelab experiment withdraw --pending --db sqlite:///{new}"
    lost = f"there is no database sqlite:///{tmp_path / 'lost.db'}"
    assert said.out == f"{told}{mine.folder / 'backups' / 'WITHDRAWN.txt'} alone ({lost})\n{pending}\n"
    assert GONE.encode() in saved.read_bytes()
    # What is known of the folders is gone through again: here it had been missed.
    list_ = call("experiment", "withdraw", "--pending", "--db", f"sqlite:///{new}", "--out", mine.out, "--no-key")
    assert list_.status == 0
    first, second, third = list_.out.splitlines()
    assert first == f"done: backups {far}: deleted from 1 of 1 backups"
    assert second.startswith("study small, asked on 2")
    assert second.endswith(": WITHDRAWN: every place on the list is done")
    assert third == "no withdrawal is pending"
    assert GONE.encode() not in saved.read_bytes()
    there = Lived(tmp_path)
    (tmp_path / "restored.db").rename(there.database)
    codes = {c for (c,) in there.asked("SELECT code FROM participant WHERE withdrawn_at IS NULL")}
    assert GONE not in codes
    assert GONE.encode() not in there.database.read_bytes()
    assert stat.S_IMODE(there.database.stat().st_mode) == 0o600
    assert there.asked("SELECT study, outcome FROM tombstone") == [("small", "withdrawn")]
    assert len(codes) == 23
    assert there.asked("SELECT count(*) FROM response") == mine.asked("SELECT count(*) FROM response")
    assert [p.name for p in tmp_path.iterdir() if "partial" in p.name or "new.db-" in p.name] == []
    # Nothing is written over, and what is no database of ours is no backup.
    there.database.rename(new)
    said = call("experiment", "restore", saved, new)
    assert (said.status, "exists; name a new file" in said.err) == (2, True)
    (tmp_path / "torn.db").write_bytes(saved.read_bytes()[:5000])
    said = call("experiment", "restore", tmp_path / "torn.db", tmp_path / "x.db", "--db", mine.db)
    assert (said.status, said.err) == (
        2,
        f"tastelab: backup {tmp_path / 'torn.db'}: database disk image is malformed\n",
    )
    said = call("experiment", "restore", tmp_path / "nothing.db", tmp_path / "x.db")
    assert (said.status, "does not exist" in said.err) == (2, True)


@pytest.mark.parametrize("log", ["-wal", "-journal"])
def test_the_log_of_a_moved_database_is_not_written_into_the_restored_one(tmp_path: Path, log: str) -> None:
    """The booth was switched off while it wrote; then its file, which nobody could open, was moved away, and its log was not."""
    there = Lived(tmp_path)
    store = Store(there.db)
    sat(store, "before")
    saved = backup(store)
    sat(store, "after")
    there.database.rename(tmp_path / "broken.db")
    if log != "-wal":
        (tmp_path / "participants.db-wal").rename(tmp_path / f"participants.db{log}")
    said = call("experiment", "restore", saved, there.database, "--db", f"sqlite:///{tmp_path / 'lost.db'}")
    assert (said.status, said.out) == (2, "")
    assert f"{there.database}{log}" in said.err
    assert not there.database.exists()
    (tmp_path / f"participants.db{log}").rename(tmp_path / "broken.db-wal")
    (tmp_path / f"participants.db{log}").touch()  # an empty one holds nothing of anybody
    assert call("experiment", "restore", saved, there.database, "--db", f"sqlite:///{tmp_path / 'lost.db'}").status == 0
    assert there.asked("SELECT code FROM participant") == [("before",)]
    store.close()


def test_an_export_says_how_much_and_warns_of_few(mine: Lived) -> None:
    said = call("experiment", "export", "--format", "psychds", *mine.where)
    # 24 people; of 36 answers each, 3 of special categories stay behind.
    assert f"{24 * 33} answers of 24 participants in {mine.out / 'small' / 'export' / 'psychds'}" in said.out
    assert "before publishing" not in said.out  # they are bots
    assert said.out.splitlines()[1] == "SIMULATED: all of them are no people; the column 'kind' says so in each row"
    with contextlib.closing(sqlite3.connect(mine.folder / "participants.db")) as db:
        db.execute("update session set kind = 'person' where id < 4")
        db.commit()
    said = call("experiment", "export", "--format", "psychds", *mine.where)
    assert (
        said.out.splitlines()[1] == f"SIMULATED: {24 - 3} of them are no people; the column 'kind' says so in each row"
    )
    with contextlib.closing(sqlite3.connect(mine.folder / "participants.db")) as db:
        db.execute("update session set kind = 'pilot' where id = 4")
        db.execute("update session set kind = 'driven' where id in (5, 6)")
        db.commit()
    said = call("experiment", "export", "--format", "psychds", *mine.where)
    assert said.out.splitlines()[1:4] == [
        "SIMULATED: 18 of them are no people; the column 'kind' says so in each row",
        "DRIVEN TEST SESSION: 2 of them are no people; the column 'kind' says so in each row",
        "PILOT: 1 of them tried the study, which is no data of it; the column 'kind' says so in each row",
    ]
    with contextlib.closing(sqlite3.connect(mine.folder / "participants.db")) as db:
        db.execute("update session set kind = 'person'")
        db.commit()
    assert "SIMULATED" not in call("experiment", "export", "--format", "psychds", *mine.where).out
    assert "bot-1-" not in exports(mine)
    said = call("experiment", "export", "--format", "xml", *mine.where)
    assert (said.status, "csv, psychds, bids, psychopy" in said.err) == (2, True)


def test_an_import_says_what_became_of_each_row(mine: Lived, tmp_path: Path) -> None:
    from tests.experiment.data.surveys import Seen

    rows = [Seen().row("a"), Seen().row("b") | {"age_1": "old"}]
    file = tmp_path / "survey.csv"
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    said = call("experiment", "import", "psytoolkit", file, *mine.answers)
    assert (
        said.out
        == "1 people imported with 45 answers, 0 were there already\nline 3 not imported: age is not a number\n"
    )
    said = call("experiment", "import", "psytoolkit", file, *mine.answers)
    assert said.out.startswith("0 people imported with 0 answers, 1 were there already\n")
    assert said.status == 0
    with file.open("w", newline="") as out:
        writer = csv.DictWriter(out, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows[1:])
    said = call("experiment", "import", "psytoolkit", file, *mine.answers)
    assert said.out.endswith("line 2 not imported: age is not a number\n")
    assert (said.status, "no row was imported" in said.err) == (2, True)
    said = call("experiment", "import", "qualtrics", file, *mine.answers)
    assert (said.status, "there is: psytoolkit" in said.err) == (2, True)


def test_the_key_file_s_commands(tmp_path: Path) -> None:
    key = tmp_path / "participants.key"
    assert (
        call("experiment", "key", "add", "P01", "--contact", "Ada Byron", "--key", key).out
        == f"code P01 entered in {key}\n"
    )
    assert call("experiment", "key", "show", "P01", "--key", key).out == "Ada Byron\n"
    said = call("experiment", "key", "add", "Ada Lovelace", "--contact", "Ada Byron", "--key", key)
    assert (said.status, "no names, no spaces" in said.err) == (2, True)
    said = call("experiment", "key", "encrypt", "--new", "", "--key", key)
    assert said.status == 2
    assert key.read_bytes().count(b"Ada Byron") == 1
    assert call("experiment", "key", "encrypt", "--new", "horse", "--key", key).status == 0
    assert b"Ada Byron" not in key.read_bytes()
    opens = ["--key", key, "--passphrase", "horse"]
    assert call("experiment", "key", "show", "P01", *opens).out == "Ada Byron\n"
    assert call("experiment", "key", "remove", "p1", *opens).out == f"code p1 is no more in {key}\n"
    for words in (("remove", "P01"), ("show", "P01")):
        said = call("experiment", "key", *words, *opens)
        assert (said.status, "is not in" in said.err) == (2, True)
    said = call("experiment", "key", "add", "bot-1-0000", "--contact", "Ada Byron", "--key", tmp_path / "new.key")
    assert (said.status, "codes that begin with 'bot-' are tastelab's own" in said.err) == (2, True)


def test_a_replay_writes_nothing(mine: Lived) -> None:
    before = mine.asked("SELECT count(*), max(id) FROM event") + mine.asked("SELECT count(*), max(id) FROM response")
    said = call("experiment", "replay", GONE, *mine.answers, "--json")
    rows = json.loads(said.out)["tables"]["timeline"]
    given = mine.asked(
        "SELECT r.item FROM response r JOIN trial t ON t.id = r.trial_id JOIN session s ON s.id = t.session_id "
        "JOIN participant p ON p.id = s.participant_id WHERE p.code = ? ORDER BY r.id",
        [GONE],
    )
    assert [(r["what"],) for r in rows if r["time"] is not None] == given
    assert (
        mine.asked("SELECT count(*), max(id) FROM event") + mine.asked("SELECT count(*), max(id) FROM response")
        == before
    )
    assert len(given) == 36


def test_a_full_disk_is_one_line_and_leaves_the_export_that_was_there(
    mine: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    from experiment.data.exports import write

    assert call("experiment", "export", *mine.where).status == 0
    before = exports(mine)

    def full(path: Path, *_: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(write, "write_own", full)
    said = call("experiment", "export", *mine.where)
    assert (said.status, len(said.err.splitlines())) == (2, 1)
    assert "the disk is full" in said.err
    assert exports(mine) == before


def test_looking_writes_nothing(mine: Lived, tmp_path: Path) -> None:
    """Another program's file, a mistyped name, a newer database: one line, and what lies there stays as it is."""
    theirs = tmp_path / "theirs.db"
    with contextlib.closing(sqlite3.connect(theirs)) as connection, connection:
        connection.execute("CREATE TABLE theirs (x)")
    newer = tmp_path / "newer.db"
    shutil.copy(mine.database, newer)
    with contextlib.closing(sqlite3.connect(newer)) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()}
    for name, told in (
        ("theirs.db", "is another program's database; nothing was written to it"),
        ("typo.db", "there is no such database; is its name right?"),
        ("newer.db", "made by a newer tastelab"),
    ):
        for words in (("status",), ("replay", GONE), ("export",), ("backup",)):
            where = ["--db", f"sqlite:///{tmp_path / name}"]
            study = [] if words == ("backup",) else ["--study", mine.study]
            said = call("experiment", *words, *where, *study)
            assert (said.status, told in said.err, len(said.err.splitlines())) == (2, True, 1), (name, words)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir() if p.is_file()} == before
