"""Each place of a withdrawal: done where it is within reach, told, and repeated until all are done."""

from __future__ import annotations

import sqlite3
import threading
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import select

from experiment.data import erasure
from experiment.data.backups import backup, forget
from experiment.data.connect import file_of, shown, sqlite_url
from experiment.data.copies import MARK, register
from experiment.data.erasure import (
    NotYetError,
    answered_for_key,
    at_start,
    carry_out,
    is_gone,
    key_step,
    list_anew,
    list_of,
    open_ones,
    over_ones,
    places_here,
)
from experiment.data.exports.write import export
from experiment.data.keyfile import KeyFile
from experiment.data.store import Header, Store
from experiment.data.tables import Participant, Place, StudyRow, Tombstone
from experiment.data.tombstones import EVERY, all_of, entry
from experiment.data.withdrawal import bury, withdraw
from experiment.errors import ExperimentError
from tests.experiment.data.rows import Asked, sat
from tests.experiment.data.test_withdrawal import ANSWERED, everything
from tests.postgres import Postgres

SECRET = [Asked("demographics", {"sex": (None, "UNMISTAKABLE", 1.0)})]
MACHINE = "booth-1"


@pytest.fixture(autouse=True)
def computer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.node", lambda: MACHINE)


@pytest.fixture
def booth(tmp_path: Path) -> Iterator[Store]:
    """A booth whose connections stay open, as during a session."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    yield opened
    opened.close()


def test_nothing_of_the_withdrawn_stays_in_the_files_while_a_booth_goes_on(booth: Store, tmp_path: Path) -> None:
    """SQLite keeps deleted rows in free pages unless told otherwise, and written pages in its log beside the file."""

    def files() -> bytes:
        return b"".join(p.read_bytes() for p in sorted(tmp_path.iterdir()))

    secret = [Asked("demographics", {"sex": (None, "UNMISTAKABLE", 1.0)})]
    sat(booth, "gone", secret, secret="UNMISTAKABLE")
    sat(booth, "stays", ANSWERED, secret="kept")
    assert files().count(b"UNMISTAKABLE") >= 5  # answer, calibration, screening, two events
    outside = Store(booth.url)
    withdraw(outside, "gone", places=[Place(kind="database", path="p.db")])
    assert [t.done for t in carry_out(outside)] == [True]
    outside.close()
    assert b"UNMISTAKABLE" not in files()
    assert b"gone" not in files()
    assert b"kept" in files()
    sat(booth, "next", ANSWERED)  # the booth goes on
    assert len(everything(booth)["response"]) == 10


def test_a_log_that_somebody_holds_is_waited_for_and_told(booth: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader in the middle of a look keeps the log from being emptied; when it is done, so is this."""
    monkeypatch.setattr(erasure, "LOG_PATIENCE", 0.2)
    sat(booth, "gone", ANSWERED)
    reader = sqlite3.connect(str(file_of(booth.url)), isolation_level=None)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM response").fetchone() == (5,)
    withdraw(booth, "gone", places=[Place(kind="database", path="p.db")])
    (told,) = carry_out(booth)
    assert (told.done, "holds its log; close it and run this again" in told.words) == (False, True)
    assert [x["state"] for x in list_of(booth)] == ["NOT YET"]
    reader.execute("COMMIT")
    (told,) = carry_out(booth)
    assert told.done
    assert (list_of(booth), carry_out(booth)) == ([], [])
    reader.close()


def test_a_database_put_back_by_hand_learns_who_withdrew_since(tmp_path: Path) -> None:
    """The file of yesterday copied over that of today: the first start leaves the person out, and keeps the code unused."""
    path, folder = tmp_path / "p.db", tmp_path / "backups"
    opened = Store(sqlite_url(path))
    sat(opened, "gone", SECRET)
    saved = backup(opened, folder).read_bytes()
    withdraw(opened, "gone")
    with opened.transaction() as s:
        forget(folder, all_of(s))
    opened.close()
    path.write_bytes(saved)
    again = Store(sqlite_url(path))
    # Of the backups that lie here nobody knows any more whether they were done.
    assert [(t.kind, t.words[:7]) for t in at_start(again)] == [("database", "rows de"), ("backups", "deleted")]
    assert at_start(again) == []
    with again.transaction() as s:
        assert s.scalars(select(Participant.withdrawn_at)).one() is not None
        study_id = s.scalars(select(StudyRow.id)).one()
    with pytest.raises(ExperimentError, match="participant gone has withdrawn"):
        again.begin(study_id, "gone", Header("person", "x", "en", 0, {}), lambda row: [])
    again.close()
    assert b"UNMISTAKABLE" not in b"".join(p.read_bytes() for p in tmp_path.glob("p.db*"))


def told(store: Store, number: int | None = None) -> dict[tuple[str, str], tuple[str | None, str | None]]:
    """By kind and name of a place: its state, and what was said of it."""
    return {(str(x["place"]), Path(str(x["path"])).name): (x["state"], x["told"]) for x in list_of(store, number)}


def test_places_that_lie_here(booth: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    out = Path("outputs")
    database = ("database", shown(booth.url), None, None)

    def found(**more: Path | None) -> list[tuple[str, str, str | None, str | None]]:
        given = {"key": None, "backups": None, **more}
        places = places_here(booth, "s", out, given["key"], given["backups"], no_key="key" not in more)
        return [(p.kind, p.path, p.mark, p.machine) for p in places]

    assert found() == [database]
    assert found(key=None) == [database, ("key", str(tmp_path / "participants.key"), None, MACHINE)]
    assert found(key=Path("deep/../a.key")) == [database, ("key", str(tmp_path / "a.key"), None, MACHINE)]
    for folder in ("far", "backups", "outputs/s/export", "outputs/s/snapshots", "outputs/t/export"):
        (tmp_path / folder).mkdir(parents=True)
    (tmp_path / "backups" / MARK).write_text("abc\n")
    usual = [
        ("backups", str(tmp_path / "backups"), "abc", MACHINE),
        ("exports", str(tmp_path / "outputs/s/export"), None, MACHINE),
        ("snapshots", str(tmp_path / "outputs/s/snapshots"), None, MACHINE),
    ]
    assert found() == [database, *usual]
    assert found(backups=Path("far/../backups")) == [database, *usual]  # not twice
    assert found(backups=Path("nowhere")) == [database, *usual]
    assert found(backups=Path("far")) == [database, ("backups", str(tmp_path / "far"), None, MACHINE), *usual]


def test_one_place_that_fails_keeps_no_other_from_being_done(booth: Store) -> None:
    """Whatever kind of failure; each is told with its words, and only what is left is done the next time."""
    sat(booth, "A")
    sat(booth, "B")
    kinds = ("good", "refused", "full", "unknown", "later")
    first = withdraw(booth, "A", None, [Place(kind=k, path=f"/{k}") for k in kinds]).tombstone
    second = withdraw(booth, "B", None, [Place(kind="good", path="/other")]).tombstone
    did: list[tuple[str, str, int]] = []
    well = False

    def good(store: Store, stone: Tombstone, place: Place) -> str:
        did.append((place.kind, place.path, stone.id))
        return f"of {stone.study}"

    def refused(store: Store, stone: Tombstone, place: Place) -> str:
        if not well:
            raise NotYetError("somebody else holds it")
        return good(store, stone, place)

    def full(store: Store, stone: Tombstone, place: Place) -> str:
        if not well:
            raise OSError(28, "No space left on device")
        return good(store, stone, place)

    steps = {"good": good, "later": good, "refused": refused, "full": full}
    assert open_ones(booth) == {first, second}
    lines = [t.line() for t in carry_out(booth, steps, first)]
    assert lines == [
        "done: good /good: of s",
        "NOT YET: refused /refused: somebody else holds it",
        "NOT YET: full /full: [Errno 28] No space left on device",
        "NOT YET: unknown /unknown: is done where tastelab's 'unknown' are; run 'tastelab experiment withdraw --pending'",
        "done: later /later: of s",
    ]
    assert did == [("good", "/good", first), ("later", "/later", first)]
    assert told(booth, first)["refused", "refused"] == ("NOT YET", "somebody else holds it")
    assert told(booth, second) == {("good", "other"): ("NOT YET", None)}
    assert open_ones(booth) == {first, second}
    did.clear()
    well = True
    assert [t.done for t in carry_out(booth, steps | {"unknown": good})] == [True, True, True, True]
    assert [path for _, path, _ in did] == ["/refused", "/full", "/unknown", "/other"]
    assert open_ones(booth) == set()
    assert list_of(booth) == []
    assert {x["state"] for x in list_of(booth, first)} == {"done"}
    assert [x["told"] for x in list_of(booth, first)] == ["of s"] * 5
    assert carry_out(booth, steps) == []


def test_the_list_says_of_which_study_since_when_and_where(booth: Store) -> None:
    sat(booth, "A")
    number = withdraw(booth, "A", None, [Place(kind="backups", path="/far/x", machine="booth-2")]).tombstone
    with booth.transaction() as s:
        day = f"{s.get_one(Tombstone, number).at:%Y-%m-%d}"
    (row,) = list_of(booth)
    assert row == {
        "study": "s", "asked": day, "place": "backups", "state": "NOT YET", "path": "/far/x", "told": None,
    }  # fmt: skip
    # What lies at another computer is done there; it is told who can say that it is no more.
    assert at_start(booth) == []
    (row,) = list_of(booth)
    assert row["told"] == (
        "not within reach now: is done when tastelab starts next on booth-2 and finds it there; if it is no more, say so with "
        "--gone /far/x"
    )
    with booth.transaction() as s:
        place = s.scalars(select(Place)).one()
        place.machine, place.path = None, "/far away/x"
    carry_out(booth)
    assert "starts next on another computer and finds" in str(list_of(booth)[0]["told"])
    assert str(list_of(booth)[0]["told"]).endswith('--gone "/far away/x"')  # as a shell takes it


def test_a_booth_that_was_switched_off_does_its_own_when_it_starts(
    booth: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sat(booth, "gone", SECRET, secret="UNMISTAKABLE")
    mine = tmp_path / "lab"
    saved = backup(booth, mine)
    withdraw(booth, "gone")
    mine.rename(tmp_path / "off")
    mine.mkdir()
    (mine / MARK).write_text("of another booth\n")
    assert at_start(booth) == []
    assert b"UNMISTAKABLE" in (tmp_path / "off" / saved.name).read_bytes()
    (mine / MARK).unlink()
    mine.rmdir()
    (tmp_path / "off").rename(mine)
    assert [(t.kind, t.path, t.words) for t in at_start(booth)] == [
        ("backups", str(mine), "deleted from 1 of 1 backups")
    ]
    assert b"UNMISTAKABLE" not in saved.read_bytes()
    assert open_ones(booth) == set()


def test_exports_are_made_anew_in_the_formats_that_are_there(booth: Store, tmp_path: Path) -> None:
    sat(booth, "gone", SECRET)
    sat(booth, "stays", ANSWERED)
    sat(booth, "gone", SECRET, "t")
    folder, other = tmp_path / "s", tmp_path / "t"
    for kind in ("csv", "bids"):
        export(booth, "s", kind, folder)
    export(booth, "t", "csv", other)
    for broken in (".csv.7.partial", ".csv.7.old", "kept"):
        (folder / broken).mkdir()
        (folder / broken / "x").write_text("UNMISTAKABLE")
    number = withdraw(booth, "gone", "s").tombstone
    assert {t.words for t in carry_out(booth, only=number)} == {"exported anew: csv, bids"}
    assert sorted(p.name for p in folder.iterdir()) == [MARK, "bids", "csv", "kept"]  # a folder of the user's own
    text = {p: p.read_text("utf-8-sig") for p in folder.rglob("*.*sv")}
    assert len(text) > 2
    assert not [p for p, words in text.items() if "UNMISTAKABLE" in words]
    assert "female" in (folder / "csv" / "s.csv").read_text()
    assert "UNMISTAKABLE" in (other / "csv" / "t.csv").read_text()
    register(booth, "exports", tmp_path / "empty", "t")
    number = withdraw(booth, "gone").tombstone
    assert {t.words for t in carry_out(booth, only=number)} == {"exported anew: csv", "nothing is there"}


def test_the_contact_goes_however_its_code_is_written(booth: Store, tmp_path: Path) -> None:
    key = tmp_path / "participants.key"
    for code, contact in (("p001", "Ada"), ("P002", "Bruno"), ("P003", "Carla")):
        KeyFile(key).add(code, contact)
    for code, study in (("P001", "s"), ("P002", "s"), ("P002", "t"), ("P9", "s")):
        sat(booth, code, ANSWERED, study)

    def words(code: str, study: str | None = None, passphrase: str | None = None) -> str:
        place = Place(kind="key", path=str(key), machine=MACHINE)
        number = withdraw(booth, code, study, [place]).tombstone
        (one,) = carry_out(booth, {"key": key_step(passphrase)}, number)
        return one.line()

    assert words("P1").endswith(": the contact is deleted")
    assert KeyFile(key).contacts == {"P002": "Bruno", "P003": "Carla"}
    assert words("P2", "s").endswith(": the contact stays for t, where the same code took part")
    assert KeyFile(key).contacts == {"P002": "Bruno", "P003": "Carla"}
    assert words("P9").endswith(": no contact of this code is in it")
    KeyFile(key).encrypt("horse")
    left = words("P2", "t", "battery")
    assert left.startswith("NOT YET: key")
    assert "the passphrase is wrong" in left
    assert [t.words for t in carry_out(booth, {"key": key_step("horse")})] == ["the contact is deleted"]
    assert KeyFile(key, "horse").contacts == {"P003": "Carla"}
    sat(booth, "P003")
    key.rename(tmp_path / "away")
    assert words("P003").endswith("is not here; name it with --key FILE, or say --no-key where no contact is kept")


def test_where_the_key_file_is_can_be_said_later(booth: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for code in ("A", "B"):
        sat(booth, code)
    place = {"kind": "key", "path": "/far/a.key", "machine": "booth-2"}
    first, second = (withdraw(booth, code, None, [Place(**place)]).tombstone for code in ("A", "B"))

    def lies(number: int) -> list[tuple[str, str | None, bool]]:
        with booth.transaction() as s:
            return [
                (p.path, p.machine, p.done_at is not None)
                for p in s.scalars(select(Place).where(Place.tombstone_id == number))
            ]

    answered_for_key(booth, first, tmp_path / "b.key", no_key=False)  # there is none there either
    assert lies(first) == [("/far/a.key", "booth-2", False)]
    (tmp_path / "b.key").write_text("")
    answered_for_key(booth, first, Path("b.key"), no_key=False)
    assert lies(first) == [(str(tmp_path / "b.key"), MACHINE, False)]
    answered_for_key(booth, first, tmp_path / "b.key", no_key=True)
    assert lies(first) == [(str(tmp_path / "b.key"), MACHINE, True)]
    assert told(booth, first) == {("key", "b.key"): ("done", "said that no contact is kept, at booth-1")}
    assert open_ones(booth) == {second}
    assert lies(second) == [("/far/a.key", "booth-2", False)]
    # What was done stays as it was said.
    answered_for_key(booth, first, tmp_path / "nowhere", no_key=False)
    assert lies(first) == [(str(tmp_path / "b.key"), MACHINE, True)]


def test_a_place_can_be_said_to_be_no_more(booth: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    sat(booth, "A")
    places = [
        Place(kind="database", path="p.db"),
        Place(kind="backups", path=str(tmp_path / "one")),
        Place(kind="exports", path="/two"),
    ]
    number = withdraw(booth, "A", None, places).tombstone
    for path in ("p.db", "/three"):  # the database itself is never said to be no more
        with pytest.raises(ExperimentError) as said:
            is_gone(booth, [number], path)
        assert str(said.value) == (
            f"--gone {path}: not among the places that are left to do ({tmp_path / 'one'}, /two)"
        )
    is_gone(booth, [number], "one")
    assert told(booth, number)["backups", "one"] == ("done", "said to be gone, at booth-1")
    with pytest.raises(ExperimentError, match=r"left to do \(/two\)"):
        is_gone(booth, [number], "one")
    assert open_ones(booth) == {number}
    is_gone(booth, [number], "/two")
    with pytest.raises(ExperimentError, match=r"left to do \(none\)"):
        is_gone(booth, [number], "/two")
    assert [t.kind for t in carry_out(booth)] == ["database"]
    assert open_ones(booth) == set()


def test_a_place_of_several_withdrawals_is_said_once_to_be_no_more(booth: Store) -> None:
    """Of those that have it; where none has it that is said, and nothing is written."""
    numbers = []
    for code, paths in (("A", ["/one"]), ("B", ["/one", "/two"]), ("C", ["/two"])):
        sat(booth, code)
        places = [Place(kind="backups", path=p) for p in paths]
        numbers.append(withdraw(booth, code, None, places).tombstone)
    with pytest.raises(ExperimentError, match=r"left to do \(/one, /two\)"):
        is_gone(booth, numbers, "/three")
    assert open_ones(booth) == set(numbers)
    is_gone(booth, numbers, "/one")
    assert open_ones(booth) == set(numbers[1:])
    assert told(booth, numbers[1])["backups", "two"] == ("NOT YET", None)
    is_gone(booth, numbers[2:], "/two")
    assert open_ones(booth) == {numbers[1]}


def test_a_reader_that_is_done_soon_is_waited_for(booth: Store) -> None:
    sat(booth, "gone", ANSWERED)
    reader = sqlite3.connect(str(file_of(booth.url)), isolation_level=None, check_same_thread=False)
    reader.execute("BEGIN")
    assert reader.execute("SELECT count(*) FROM response").fetchone() == (5,)
    withdraw(booth, "gone", places=[Place(kind="database", path="p.db")])
    leaving = threading.Timer(0.4, reader.execute, ["COMMIT"])
    leaving.start()
    began = time.monotonic()
    (one,) = carry_out(booth)
    assert one.line() == "done: database p.db: rows deleted and overwritten, file written anew, log emptied"
    assert 0.3 < time.monotonic() - began < erasure.LOG_PATIENCE
    leaving.join()
    reader.close()


def test_a_table_that_a_server_s_client_holds_is_told_and_done_later(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(erasure, "REWRITE_PATIENCE", "200ms")
    store = Store(postgres.database(f"t{uuid.uuid4().hex[:12]}"))
    sat(store, "gone", SECRET)
    withdraw(store, "gone", places=[Place(kind="database", path="p")])
    with store.engine.connect() as reader:
        reader.exec_driver_sql("SELECT count(*) FROM response")
        (one,) = carry_out(store)
        assert (one.done, one.words.startswith("canceling statement due to lock timeout")) == (False, True)
    (one,) = carry_out(store)
    assert (one.done, one.words) == (True, "rows deleted, tables and statistics written anew, checkpoint made")
    with store.engine.connect() as connection:  # a connection that is used again waits as long as it did before
        assert connection.exec_driver_sql("SHOW lock_timeout").scalar() == "0"
    assert postgres.holding(store, ["UNMISTAKABLE"]) == []
    store.close()


def test_lists_that_were_lost_are_laid_anew(store: Store, tmp_path: Path) -> None:
    """Of each study its own folders and those of all; of versions that knew no studies every folder; what is over stays so."""
    for kind, name, study in (("exports", "a", "s"), ("exports", "b", "t"), ("backups", "c", None)):
        register(store, kind, tmp_path / name, study)
    stones = {study: entry(study, "P1") for study in ("s", "t", "u", EVERY)}
    done = entry("s", "P2")
    _, new = bury(store, [*stones.values(), done])
    assert open_ones(store) == set()
    with store.transaction() as s:
        list_anew(s, new, over={done.digest})
        assert over_ones(s) == {done.digest}
        found = {
            stone.study: [Path(p.path).name for p in stone.places]
            for stone in s.scalars(select(Tombstone).where(Tombstone.digest != done.digest))
        }
    assert found == {"s": ["a", "c"], "t": ["b", "c"], "u": ["c"], EVERY: ["a", "b", "c"]}
    assert open_ones(store) == set(new[:4])
    assert list_of(store, new[4]) == []


def test_what_nobody_looked_at_is_said_when_it_is_over(booth: Store) -> None:
    sat(booth, "A")
    places = [Place(kind=k, path=f"/{k}") for k in ("good", "backups", "key")]
    number = withdraw(booth, "A", None, places).tombstone
    carry_out(booth, {"good": lambda *_: "seen"})
    is_gone(booth, [number], "/backups")
    answered_for_key(booth, number, Path("x"), no_key=True)
    assert erasure.over(booth, number) == (
        "WITHDRAWN: every place on the list is done, 2 of them on somebody's word alone: backups /backups, key /key"
    )
    sat(booth, "B")
    number = withdraw(booth, "B", None, [Place(kind="good", path="/good")]).tombstone
    carry_out(booth, {"good": lambda *_: "seen"}, number)
    assert erasure.over(booth, number) == "WITHDRAWN: every place on the list is done"
