"""What a withdrawal has to do at each place of its list: done, told, and repeatable until all are done.

A place that is within reach of this computer is done now; one that is not (another booth's backups) when tastelab starts there
next. What was done, or why it is not done yet, is stored with the place. Nothing here needs the code: it is found by its hash.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from sqlalchemy import Connection, select, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from experiment.data.backups import folder_for, forget
from experiment.data.connect import first_line, shown
from experiment.data.copies import here, known, machine, mark_of
from experiment.data.dumps import dumps_in
from experiment.data.exports.write import export, formats
from experiment.data.keyfile import KeyFile
from experiment.data.store import READING, Store
from experiment.data.tables import Base, Consent, Copy, Place, SessionRow, StudyRow, Tombstone, utc_now
from experiment.data.temporary import swept
from experiment.data.tombstones import WITHDRAWN, all_of, entry_of, read_marker
from experiment.data.whose import find_person
from experiment.data.withdrawal import bury
from experiment.errors import ExperimentError

LOG_PATIENCE = 10.0  # s that whoever reads the database is waited for before its log is emptied
REWRITE_PATIENCE = "30s"  # that PostgreSQL waits for sessions before it writes a table anew
BEYOND = (
    "out of tastelab's reach, for you to see to: copies that you deposited or sent, dumps that lie elsewhere, lists of codes and "
    "links, copies of files made by other programs, and (PostgreSQL) the server's own log until it is recycled"
)
DUMPS = "files of pg_dump"
OVER = "WITHDRAWN: every place on the list is done"
SAID = "said"  # begins what is told of a place that nobody looked at


class NotYetError(ExperimentError):
    """A place can't be done now; the words say why and what to do."""


@dataclass(frozen=True)
class Told:
    """What became of one place."""

    kind: str
    path: str
    done: bool
    words: str

    def line(self) -> str:
        """For people."""
        return f"{'done' if self.done else 'NOT YET'}: {self.kind} {self.path}: {self.words}"


Step = Callable[[Store, Tombstone, Place], str]


def places_here(
    store: Store, study: str, out: Path, key: Path | None, backups: Path | None, no_key: bool
) -> list[Place]:
    """Places of a withdrawal that no registry need know of: the database's own files, the key file, the usual folders."""
    found = [Place(kind="database", path=shown(store.url), machine=None)]
    if store.engine.dialect.name == "postgresql":
        found.append(Place(kind="dumps", path=DUMPS, machine=machine()))
    if not no_key:
        found.append(Place(kind="key", path=str((key or Path("participants.key")).resolve()), machine=machine()))
    for kind, folder in (
        ("backups", backups),
        ("backups", folder_for(store.url)),
        ("exports", out / study / "export"),
        ("snapshots", out / study / "snapshots"),
    ):
        if folder is not None and _stands(folder):
            place = Place(kind=kind, path=str(folder.resolve()), mark=mark_of(folder), machine=machine())
            if place.path not in {p.path for p in found if p.kind == kind}:
                found.append(place)
    return found


def _stands(folder: Path) -> bool:
    """Whether there is a folder, or may be one that this account is not let in to see: its withdrawal is then told as not done."""
    try:
        return folder.is_dir()
    except OSError:
        return True


def carry_out(store: Store, steps: Mapping[str, Step] | None = None, only: int | None = None) -> list[Told]:
    """Do what is pending and within reach.

    Parameters
    ----------
    steps : dict
        By kind of place; those of this module (`database`, `backups`, `exports`) need not be given.
    only : int or None
        A tombstone's number; None: of all withdrawals.
    """
    every: dict[str, Step] = {
        "database": _database,
        "backups": _backups,
        "exports": _exports,
        "dumps": _dumps,
        **(steps or {}),
    }
    told = []
    for number, place_id in store.do(lambda s: _pending(s, only)):
        with store.transaction() as s:
            stone, place = s.get_one(Tombstone, number), s.get_one(Place, place_id)
        step = every.get(place.kind)
        try:
            if step is None:
                raise NotYetError(
                    f"is done where tastelab's '{place.kind}' are; run 'tastelab experiment withdraw --pending'"
                )
            words, done = step(store, stone, place), True
        except DBAPIError as error:
            words, done = first_line(error), False
        except (ExperimentError, OSError) as error:
            words, done = str(error), False
        if done or place.told != words:  # what can't be done yet is not written again each time
            store.do(partial(_tell, place_id=place_id, words=words, done=done))
        told.append(Told(place.kind, place.path, done, words))
    return told


def _pending(s: Session, only: int | None) -> list[tuple[int, int]]:
    query = select(Place.tombstone_id, Place.id).where(Place.done_at.is_(None)).order_by(Place.id)
    if only is not None:
        query = query.where(Place.tombstone_id == only)
    return [(int(a), int(b)) for a, b in s.execute(query)]


def _tell(s: Session, place_id: int, words: str, done: bool) -> None:
    place = s.get_one(Place, place_id)
    place.told = words
    if not done:
        return
    place.done_at = utc_now()
    s.flush()
    close(s, place.tombstone_id)


def close(s: Session, number: int) -> None:
    """A withdrawal whose places are all done is done."""
    open_ones = select(Place.id).where(Place.tombstone_id == number, Place.done_at.is_(None)).limit(1)
    if s.scalar(open_ones) is None:
        stone = s.get_one(Tombstone, number)
        stone.done_at = stone.done_at or utc_now()


def is_gone(store: Store, numbers: Collection[int], path: str) -> None:
    """Somebody says that a place of withdrawals is no more (a broken disk, a deleted copy); what was said is stored.

    Raises
    ------
    ExperimentError
        If there is no such place on any of their lists.
    """

    def work(s: Session) -> None:
        wanted = {path, str(Path(path).resolve())}
        query = select(Place).where(Place.tombstone_id.in_(numbers), Place.done_at.is_(None), Place.kind != "database")
        places = list(s.scalars(query.order_by(Place.id)))
        meant = [p for p in places if p.path in wanted]
        if not meant:
            names = ", ".join(dict.fromkeys(p.path for p in places)) or "none"
            raise ExperimentError(f"--gone {path}: not among the places that are left to do ({names})")
        for place in meant:
            place.told, place.done_at = f"{SAID} to be gone, at {machine()}", utc_now()
            s.flush()
            close(s, place.tombstone_id)

    store.do(work)


def answered_for_key(store: Store, number: int, key: Path, no_key: bool) -> None:
    """Where the key file of a pending withdrawal is, or that there is none, as the command was told this time."""

    def work(s: Session) -> None:
        query = select(Place).where(Place.tombstone_id == number, Place.kind == "key", Place.done_at.is_(None))
        for place in s.scalars(query):
            if no_key:
                place.told, place.done_at = f"{SAID} that no contact is kept, at {machine()}", utc_now()
                s.flush()
                close(s, number)
            elif key.exists():
                place.path, place.machine = str(key.resolve()), machine()

    store.do(work)


def at_start(store: Store, steps: Mapping[str, Step] | None = None) -> list[Told]:
    """What a booth does before its first session: who withdrew is left out, and what is pending and lies here is done.

    A database that was put back from an older copy learns from the marker beside its backups who withdrew since.
    """
    entries = read_marker(folder_for(store.url))
    with store.transaction() as s:
        lacking = {e.digest for e in entries} - {e.digest for e in all_of(s)}
    if lacking:
        _, new = bury(store, [e for e in entries if e.digest in lacking])
        path = shown(store.url)
        store.do(partial(list_anew, numbers=new, more=lambda: [Place(kind="database", path=path)]))
    return [t for t in carry_out(store, steps) if t.done]


def list_anew(
    s: Session, numbers: Sequence[int], more: Callable[[], list[Place]] = list, over: Collection[str] = ()
) -> None:
    """Lay the lists of withdrawals that a marker told of, whose own are lost: every folder that is known, though it may be done there.

    Parameters
    ----------
    more : callable
        Makes further places of each list.
    over : collection of str
        Hashes of withdrawals that are known to be over: those are left as they are.
    """
    for number in numbers:
        stone = s.get_one(Tombstone, number)
        if stone.digest in over:
            continue
        stone.done_at = None
        for place in [*more(), *known(s, stone.study)]:
            place.tombstone_id = number
            s.add(place)
        s.flush()
        close(s, number)


def over_ones(s: Session) -> set[str]:
    """Hashes of the withdrawals that are over."""
    return set(s.scalars(select(Tombstone.digest).where(Tombstone.done_at.is_not(None))))


def over(store: Store, number: int) -> str:
    """That a withdrawal is over, and at which places that rests on somebody's word."""
    words = [f"{x['place']} {x['path']}" for x in list_of(store, number) if str(x["told"]).startswith(SAID)]
    return f"{OVER}, {len(words)} of them on somebody's word alone: {', '.join(words)}" if words else OVER


def open_ones(store: Store) -> set[int]:
    """Numbers of the withdrawals that are not over."""
    with store.transaction() as s:
        return set(s.scalars(select(Tombstone.id).where(Tombstone.done_at.is_(None))))


# Steps ----------------------------------------------------------------------------------------------------------------


def _database(store: Store, stone: Tombstone, place: Place) -> str:
    """Write the tables anew, so that nothing deleted stays in free pages, and empty the log beside them; copies that killed readers
    left on this computer go.
    """
    swept(READING)
    with store.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        if store.engine.dialect.name == "sqlite":
            connection.exec_driver_sql("VACUUM")
            usual = connection.exec_driver_sql("PRAGMA busy_timeout").scalar()
            connection.exec_driver_sql("PRAGMA busy_timeout=0")  # else each try waits as long as a booth does
            try:
                deadline = time.monotonic() + LOG_PATIENCE
                while connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").scalar():  # whether it was held
                    if time.monotonic() > deadline:
                        raise NotYetError(
                            "another program reads the database and holds its log; close it and run this again"
                        )
                    time.sleep(0.1)
            finally:
                connection.exec_driver_sql(f"PRAGMA busy_timeout={usual}")
            return "rows deleted and overwritten, file written anew, log emptied"
        connection.execute(text(f"SET lock_timeout = '{REWRITE_PATIENCE}'"))
        try:
            for table in Base.metadata.sorted_tables:
                connection.execute(text(f"VACUUM (FULL, ANALYZE) {table.name}"))
            more = _checkpoint(connection)
        finally:
            connection.execute(text("RESET lock_timeout"))
    return f"rows deleted, tables and statistics written anew, {more}"


def _checkpoint(connection: Connection) -> str:
    """What a server lets its administrators do alone."""
    try:
        connection.execute(text("VACUUM (FULL) pg_catalog.pg_statistic"))
        connection.execute(text("CHECKPOINT"))
    except DBAPIError:
        return "let the server's administrator run CHECKPOINT"
    return "checkpoint made"


def _backups(store: Store, stone: Tombstone, place: Place) -> str:
    folder = reached(place)
    with store.transaction() as s:
        return forget(folder, all_of(s))


def _exports(store: Store, stone: Tombstone, place: Place) -> str:
    """Make anew what was exported of the study; what was broken off goes."""
    folder = reached(place)
    for path in folder.glob(".*.partial"):
        shutil.rmtree(path)
    for path in folder.glob(".*.old"):
        shutil.rmtree(path)
    made = [name for name in formats() if (folder / name).is_dir()]
    for name in made:
        export(store, stone.study, name, folder)
    return f"exported anew: {', '.join(made)}" if made else "nothing is there"


def _dumps(store: Store, stone: Tombstone, place: Place) -> str:
    """Name what pg_dump left where tastelab writes; nobody but a person knows what else there is."""
    with store.transaction() as s:
        copies = [Path(path) for path in s.scalars(select(Copy.path).where(Copy.machine == machine()))]
    folders = {p.resolve() for p in (Path.cwd(), folder_for(store.url), *copies, *(c.parent for c in copies))}
    found = dumps_in(folders)
    if found:
        raise NotYetError(
            f"{', '.join(map(str, found))}: written by pg_dump, which nobody can leave somebody out of; delete them and dump "
            f"anew, then run this again (where they are of something else, say --gone '{DUMPS}')"
        )
    return f"none lies in {', '.join(sorted(map(str, folders)))}; delete those that you wrote elsewhere, and dump anew"


def reached(place: Place) -> Path:
    """The folder of a place; says where it is if it is not within reach."""
    folder = here(place)
    if folder is None:
        where = place.machine or "another computer"
        path = f'"{place.path}"' if " " in place.path else place.path
        raise NotYetError(
            f"not within reach now: is done when tastelab starts next on {where} and finds it there; if it is no more, say so "
            f"with --gone {path}"
        )
    return folder


def key_step(passphrase: str | None) -> Step:
    """The step that deletes the contact; with what opens the key file."""

    def step(store: Store, stone: Tombstone, place: Place) -> str:
        path = Path(place.path)
        if not path.exists():
            raise NotYetError("is not here; name it with --key FILE, or say --no-key where no contact is kept")
        keys = KeyFile(path, passphrase)
        keys.sweep()
        study = None if stone.study == "*" else stone.study
        codes = [c for c in keys.contacts if entry_of(stone).means(study or "*", c)]
        for code in codes:
            others = store.do(partial(_elsewhere, code=code, study=study))
            if others:
                return f"the contact stays for {', '.join(others)}, where the same code took part"
            keys.remove(code)
        return "the contact is deleted" if codes else "no contact of this code is in it"

    return step


def _elsewhere(s: Session, code: str, study: str | None) -> list[str]:
    person = find_person(s, code)
    if person is None:
        return []
    names: set[str] = set()
    for table in (SessionRow, Consent):
        query = select(StudyRow.name).join(table, table.study_id == StudyRow.id)
        names |= set(s.scalars(query.where(table.participant_id == person.id)))
    return sorted(names - {study})


def list_of(store: Store, number: int | None = None) -> list[dict[str, str | None]]:
    """The places of withdrawals that are not done, or of one: what is to be done, where, and what was said last."""
    query = select(Tombstone, Place).join(Place, Place.tombstone_id == Tombstone.id).order_by(Tombstone.id, Place.id)
    if number is not None:
        query = query.where(Tombstone.id == number)
    else:
        query = query.where(Tombstone.done_at.is_(None), Tombstone.outcome == WITHDRAWN)
    with store.transaction() as s:
        return [
            {
                "study": stone.study,
                "asked": f"{stone.at:%Y-%m-%d}",
                "place": place.kind,
                "state": "done" if place.done_at else "NOT YET",
                "path": place.path,
                "told": place.told,
            }
            for stone, place in s.execute(query)
        ]
