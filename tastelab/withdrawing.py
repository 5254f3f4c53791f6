"""A withdrawal as the command line carries it out: every place of its list, snapshots and reports among them, and what it says."""

from __future__ import annotations

import contextlib
import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tastelab.context import open_store, say
from tastelab.errors import UserError

if TYPE_CHECKING:
    from experiment.data.erasure import Step, Told
    from experiment.data.store import Store
    from experiment.data.tables import Place, Tombstone
    from tastelab.study import Study

# What a report consists of, beside its clips; sections are what it is made of again.
REPORT = ("report.html", "manifest.json", "tables", "figures", "trace", "sections")
FOLDER = "its folder"


@dataclass(frozen=True)
class Asked:
    """Where else something of the person may lie, as the command was told."""

    out: Path
    key: Path
    passphrase: str | None = None
    no_key: bool = False
    backups: Path | None = None
    gone: tuple[str, ...] = ()


def withdraw_from(store: Store, code: str, study: str | None, asked: Asked) -> bool:
    """Withdraw a code from a study, or go on with it; says what was done, and returns whether all is."""
    from experiment.data.erasure import is_gone, places_here
    from experiment.data.keyfile import KeyFile
    from experiment.data.whose import code_of
    from experiment.data.withdrawal import studies_of, withdraw

    if asked.key.exists() and not asked.no_key:
        KeyFile(asked.key, asked.passphrase)  # before anything is deleted: it may want a passphrase
    with store.transaction() as s:
        code = code_of(s, code, study)
    took_part = studies_of(store, code)
    name = study or (took_part[0] if len(took_part) == 1 else None)
    places = places_here(store, name or "", asked.out, asked.key, asked.backups, asked.no_key)
    did = withdraw(store, code, study, places)
    if did.since is None:
        say(
            f"study {did.study}: {did.answers} answers of {did.sessions} session(s) deleted; that there was a session stays, and "
            "a tombstone, without the code"
        )
    else:
        say(
            f"study {did.study}: the answers were deleted on {did.since:%Y-%m-%d}, when this was asked first; it is gone on with"
        )
    for other in did.elsewhere:
        say(f"the same code took part in study {other}, which was not asked about: all of that stays")
    for path in asked.gone:
        is_gone(store, [did.tombstone], path)
    return _finish(store, asked, did.tombstone)


def go_on(store: Store, asked: Asked) -> bool:
    """Go on with every withdrawal that is not done."""
    from experiment.data.erasure import at_start, is_gone, open_ones, over

    waiting = open_ones(store)
    for path in asked.gone:  # of whichever of them it is a place
        is_gone(store, waiting, path)
    _say(at_start(store, _steps(asked)))
    left = sorted(open_ones(store))
    for number in sorted(waiting - set(left)):
        say(f"{_which(store, number)}: {over(store, number)}")
    if not left:
        say("no withdrawal is pending")
    done = []
    for number in left:
        say(f"{_which(store, number)}:")
        done.append(_finish(store, asked, number))
    return all(done)


def _which(store: Store, number: int) -> str:
    """A withdrawal as people tell it from others; nothing else is known of it."""
    from experiment.data.tables import Tombstone

    with store.transaction() as s:
        stone = s.get_one(Tombstone, number)
        return f"study {stone.study}, asked on {stone.at:%Y-%m-%d}"


def at_this_booth(store: Store) -> None:
    """What is pending here, before a session starts; says what was done, and when a withdrawal is over by it."""
    from experiment.data.erasure import at_start, open_ones, over

    waiting = open_ones(store)
    for told in at_start(store):
        say(f"of a withdrawal: {told.line()}")
    for number in sorted(waiting - open_ones(store)):
        say(f"of a withdrawal: {over(store, number)}")


def places_online(store: Store, study: Study, out: Path) -> list[Place]:
    """Where else something may lie of somebody who withdraws at a link.

    Of who came by a link for all there is a contact alone where a key file lies; of who got a link of one's own there may be one
    elsewhere.
    """
    from experiment.data.erasure import places_here
    from experiment.data.keyfile import DEFAULT

    no_key = study.experiment.web.entry != "invited" and not DEFAULT.exists()
    return places_here(store, study.name, out, DEFAULT, None, no_key)


class Afterwards:
    """Work that is done once after the last of several calls, in a thread of its own: nobody waits for it.

    Whoever calls while it runs is followed by one more run.
    """

    def __init__(self, work: Callable[[], None]) -> None:
        self._work, self._turn, self._wanted, self._over = work, threading.Condition(), False, False
        self._thread = threading.Thread(target=self._run, name="after a withdrawal", daemon=True)
        self._thread.start()

    def __call__(self) -> None:
        """Have it done."""
        with self._turn:
            self._wanted = True
            self._turn.notify()

    def close(self) -> None:
        """Do what is wanted still, and end."""
        with self._turn:
            self._over = True
            self._turn.notify()
        self._thread.join()

    def _run(self) -> None:
        while True:
            with self._turn:
                self._turn.wait_for(lambda: self._wanted or self._over)
                if not self._wanted:
                    return
                self._wanted = False
            try:
                self._work()
            except Exception as error:  # the list stands in the database, and is gone on with at the next start; errors may name people
                say(f"of a withdrawal: not done ({type(error).__name__}): tastelab experiment withdraw --pending")


def withdrew_online(store: Store) -> None:
    """What the server does when somebody withdrew at a link; what it can't do is said to whoever runs it."""
    from experiment.data.erasure import open_ones

    at_this_booth(store)
    if left := len(open_ones(store)):
        say(
            f"of {left} withdrawal(s) places are left to do that a server does not see to: tastelab experiment withdraw --pending"
        )


def _finish(store: Store, asked: Asked, number: int) -> bool:
    from experiment.data.erasure import BEYOND, answered_for_key, carry_out, list_of, over

    answered_for_key(store, number, asked.key, asked.no_key)
    _say(carry_out(store, _steps(asked), number))
    left = [x for x in list_of(store, number) if x["state"] != "done"]
    if left:
        say(
            f"NOT WITHDRAWN YET: {len(left)} of {len(list_of(store, number))} places left to do; mend what is said above and run"
        )
        say("'tastelab experiment withdraw --pending' (a booth does its own when a session starts there)")
    else:
        say(over(store, number))
    say(BEYOND)
    return not left


def _say(told: Sequence[Told]) -> None:
    for one in told:
        say(one.line())


def _steps(asked: Asked) -> dict[str, Step]:
    from experiment.data.erasure import key_step

    return {"key": key_step(asked.passphrase), "snapshots": snapshots}


def snapshots(store: Store, stone: Tombstone, place: Place) -> str:
    """Freeze anew what was frozen while the person was in it, under a new checksum; old snapshots and their report go."""
    from experiment.data.erasure import NotYetError, reached

    folder = reached(place)
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path)
    stamp = _read(folder.parent / "manifest.json", "it with report.html, tables, figures, trace and sections")
    over = _withdrawn(store, stone)
    old = [p.parent for p in sorted(folder.glob("*/snapshot.json")) if _held(p, stone, over)]
    words = ["the report made of them is deleted"] if _report_goes(folder.parent, stamp, stone) else []
    if not old:
        return "; ".join([*words, "nothing frozen before is there"])
    try:
        from analysis.data.frames import load
        from analysis.data.freeze import freeze
        from analysis.errors import AnalysisError
    except ImportError as error:
        raise NotYetError(f'{error}; pip install "tastelab[analysis]" and run this again') from None
    definition = store.study(stone.study).definition
    for kind in sorted({str((_read(p / "snapshot.json", FOLDER) or {})["kind"]) for p in old}):
        try:
            data = load(store.engine, stone.study, kind)
            new = freeze(data, definition, folder)
            words.append(f"{kind}: {new.name} with {len(data.people)} people")
            old = [p for p in old if p != new]
        except AnalysisError:
            words.append(f"{kind}: nobody's answers are left")
    for path in old:
        shutil.rmtree(path)
    return "; ".join([*words, f"{len(old)} older deleted; 'tastelab analysis report' makes a report anew"])


def _read(path: Path, with_it: str) -> dict[str, Any] | None:
    """What a file of JSON says; None where there is none.

    Raises
    ------
    NotYetError
        If it can't be read: nobody knows then whether what is `with_it` holds the person, so that it has to go.
    """
    from experiment.data.erasure import NotYetError

    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(found, dict):
            return found
    except FileNotFoundError:
        return None
    except (OSError, ValueError):
        pass
    raise NotYetError(f"{path} can't be read; delete {with_it} and run this again")


def _withdrawn(store: Store, stone: Tombstone) -> dict[str, int]:
    """How many sessions of the study are over as this one is, by kind."""
    from sqlalchemy import func, select

    from experiment.data.tables import SessionRow, StudyRow

    query = select(SessionRow.kind, func.count()).join(StudyRow)
    query = query.where(StudyRow.name == stone.study, SessionRow.status == stone.outcome).group_by(SessionRow.kind)
    with store.transaction() as s:
        return {kind: int(n) for kind, n in s.execute(query)}


def _held(path: Path, stone: Tombstone, withdrawn: dict[str, int]) -> bool:
    """Whether a snapshot may hold the person: of a kind of theirs, frozen before they withdrew.

    Clocks are put right, and differ between computers: one that knows of fewer withdrawals than the database is older than the
    last of them whatever its date.
    """
    from experiment.data.erasure import NotYetError

    told = _read(path, FOLDER) or {}
    try:
        frozen = datetime.fromisoformat(told["frozen_at"])
        at = stone.at if stone.at.tzinfo else stone.at.replace(tzinfo=UTC)
        fewer = told["sessions"].get(stone.outcome, 0) < withdrawn.get(told["kind"], 0)
        return bool(told["kind"] in stone.kinds and (frozen <= at or fewer))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise NotYetError(f"{path} can't be read; delete {FOLDER} and run this again") from None


def _report_goes(base: Path, stamp: dict[str, Any] | None, stone: Tombstone) -> bool:
    """Delete a study's report, if it is on people of that kind by its stamp."""
    if stamp is None or stamp.get("kind") not in stone.kinds:
        return False
    for name in sorted(REPORT, key=lambda x: x == "manifest.json"):  # the stamp last: who is interrupted begins again
        path = base / name
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    return True


@dataclass(frozen=True)
class Restored:
    """What became of a backup.

    Attributes
    ----------
    left_out : int
        How many were in it and withdrew since.
    known_by : list of str
        Where it was looked who withdrew: markers, and the database at ``--db`` where there is one.
    pending : int
        Withdrawals that are not over in the new database: places may be left to do.
    """

    left_out: int
    known_by: list[str]
    pending: int


def restore(file: Path, to: Path, marker: Path | None, db: str) -> Restored:
    """Make a database of a backup without whoever withdrew since, by the markers beside it and in `marker`, and by `db`."""
    from experiment.data.connect import file_of, shown, sqlite_url
    from experiment.data.erasure import list_anew, open_ones, over_ones
    from experiment.data.private import own_file
    from experiment.data.tombstones import MARKER, all_of, read_marker
    from experiment.data.withdrawal import bury

    if not to.parent.is_dir():
        raise UserError(f"{to}: there is no folder {to.parent}; make it, or name another")
    for log in (to.with_name(to.name + x) for x in ("-wal", "-journal")):
        if log.exists() and log.stat().st_size:  # SQLite would write it into whatever has this name next
            raise UserError(
                f"{log} is what another database of that name had not written to its file yet, and would be written into this one; "
                "move it to where that file is now, or name another"
            )
    if marker is not None and not (marker / MARKER).is_file():
        raise UserError(f"--marker {marker}: there is no {MARKER} in it")
    folders = [x for x in (file.parent, marker) if x is not None and (x / MARKER).is_file()]
    entries = [e for folder in folders for e in read_marker(folder)]
    known_by = [str(folder / MARKER) for folder in folders]
    over: set[str] = set()  # what the present database knows to be over is not begun again
    live = file_of(db)
    if live is None or live.exists():
        with open_store(db, new=False) as store, store.transaction() as s:
            entries += all_of(s)
            over = over_ones(s)
        known_by.append(shown(db))
    elif known_by:
        known_by[-1] += f" alone (there is no database {shown(db)})"
    partial = to.with_name(f".{to.name}.partial")
    beside = [partial.with_name(partial.name + x) for x in ("", "-wal", "-shm")]
    try:
        for path in beside:  # what was broken off is no part of this
            path.unlink(missing_ok=True)
        own_file(partial)
        with contextlib.closing(_opened(file)) as saved, saved.engine.connect() as connection:
            source = connection.connection.driver_connection
            assert isinstance(source, sqlite3.Connection)
            with contextlib.closing(sqlite3.connect(partial)) as copy:
                source.backup(copy)
        with open_store(sqlite_url(partial)) as store:
            left_out, new = bury(store, entries)
            store.do(lambda s: list_anew(s, new, over=over))
            with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as vacuum:
                vacuum.exec_driver_sql("VACUUM")
                vacuum.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
            pending = len(open_ones(store))
        partial.replace(to)
    finally:
        for path in beside:
            path.unlink(missing_ok=True)
    return Restored(left_out, known_by, pending)


def _opened(file: Path) -> Store:
    """A backup: a database of ours, or one line says why it is none."""
    from experiment.data.connect import sqlite_url
    from experiment.data.store import Store as Opened
    from experiment.errors import ExperimentError

    try:
        return Opened(sqlite_url(file), new=False)
    except ExperimentError as error:
        raise UserError(f"backup {file}: {str(error).rpartition(f'{file}: ')[2]}") from None
