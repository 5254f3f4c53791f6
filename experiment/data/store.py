"""participants.db as sessions see it: transactions that outlast a restart, and the few writes they are made of."""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import URL, inspect, select, text, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from experiment.data.allotment import Places, allot, lapse
from experiment.data.connect import (
    DEFAULT_URL,
    OURS,
    create,
    file_of,
    first_line,
    full,
    look,
    migrate,
    passing,
    shown,
    sqlite_url,
)
from experiment.data.declared import Texts, enter_study, number_of
from experiment.data.tables import (
    Participant,
    SessionRow,
    Stimulus,
    StudyRow,
    Trial,
    utc_now,
)
from experiment.data.temporary import swept, temporary
from experiment.data.tombstones import find
from experiment.data.whose import find_person
from experiment.errors import ExperimentError, NoDatabaseError
from experiment.tasks.task import PlannedTrial

PATIENCE = 90.0  # s that a booth waits for a server that restarts, or for a lock, before it gives up
READING = "reading"  # what a copy of a database is called by that can only be read
T = TypeVar("T")


@dataclass(frozen=True)
class Header:
    """What a session's row says of how it was run.

    Attributes
    ----------
    calibration : dict or None
        How the station's level was set.
    overrides : list of str or None
        Checks that failed and were overridden.
    declared : int or None
        Number of the study's version that it is shown by; None: the one that counts when it begins.
    """

    kind: str
    station: str
    language: str
    seed: int
    versions: dict[str, Any]
    calibration: dict[str, Any] | None = None
    overrides: list[str] | None = None
    declared: int | None = None


def alone(s: Session) -> None:
    """Let nobody else decide the same at the same time: from here on others wait for the end of this transaction."""
    if s.get_bind().dialect.name == "sqlite":
        # A write that changes nothing takes SQLite's one write lock before anything is read.
        s.execute(update(StudyRow).where(StudyRow.id == -1).values(name=StudyRow.name))
    else:
        s.execute(text("SELECT pg_advisory_xact_lock(7461737466)"))


class Store:
    """A database of one URL, at the present schema.

    Parameters
    ----------
    new : bool
        Whether one is made where there is none. Whoever only reads makes none, and reads an SQLite file that can't be written
        (a backup on another medium) from a copy that goes when the store is closed.
    """

    def __init__(self, url: str | URL = DEFAULT_URL, wait: float = 30.0, new: bool = True):
        self.url = url
        self._copied: Path | None = None
        if not new:
            url = self._there(url)
        self.engine = create(url, wait)
        try:
            if not new and self.engine.dialect.name != "sqlite":
                self._known()
            self.patiently(lambda: migrate(self.engine), min(wait, 10.0))
            self.patiently(self._writable, min(wait, 10.0))
        except (OperationalError, DBAPIError) as error:
            raise ExperimentError(f"--db {shown(url)}: {first_line(error)}") from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)
        # SQLite has one write lock, which is polled for: threads of one process come in turn instead.
        one = self.engine.dialect.name == "sqlite"
        self._turn: AbstractContextManager[Any] = threading.Lock() if one else nullcontext()
        self._joined = threading.local()  # the transaction that all work of a thread is part of, while there is one

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()
        if self._copied is not None:
            shutil.rmtree(self._copied, ignore_errors=True)

    @property
    def reads_a_copy(self) -> bool:
        """Whether what is written to this store goes when it is closed."""
        return self._copied is not None

    def _there(self, url: str | URL) -> str | URL:
        """The URL of a database that is there, or of a private copy where it can't be written."""
        path = file_of(url) if str(url).startswith("sqlite") else None
        if path is None:
            return url
        if look(path) == "nothing":
            if not path.absolute().parent.is_dir():
                return url  # whoever opens it says that the folder is missing
            raise NoDatabaseError(
                f"--db {shown(url)}: there is no such database; is its name right? The first session, or an import, makes it"
            )
        if os.access(path, os.W_OK) and os.access(path.absolute().parent, os.W_OK):
            return url
        swept(READING)
        self._copied = temporary(READING)
        for suffix in ("", "-wal"):
            beside = path.with_name(path.name + suffix)
            if beside.exists():
                shutil.copyfile(beside, self._copied / f"p.db{suffix}")
        return sqlite_url(self._copied / "p.db")

    def _known(self) -> None:
        """Refuse a server's database that is none of ours, before anything is written."""
        if not set(inspect(self.engine).get_table_names()) >= OURS:
            raise NoDatabaseError(f"--db {shown(self.url)}: there are no tables of tastelab; is its name right?")

    def _writable(self) -> None:
        """Fail now, not after the first answer, where the database can only be read."""
        with self.engine.begin() as connection:
            connection.execute(update(StudyRow).where(StudyRow.id == -1).values(name=StudyRow.name))

    def do(self, work: Callable[[Session], T]) -> T:
        """Do `work` in one transaction, patiently.

        It may be done again, even when it was committed and only the acknowledgement was lost: doing it twice must be as
        doing it once. A new row is for `add`.
        """

        joined: Session | None = getattr(self._joined, "session", None)
        if joined is not None:
            return work(joined)

        def once() -> T:
            with self.transaction() as s:
                return work(s)

        return self.patiently(once)

    def together(self, work: Callable[[], T]) -> T:
        """Do all that `work` does by `do` in one transaction, patiently: it is committed as a whole, or, on an error, not at all."""

        def once() -> T:
            with self._turn, self.transaction() as s:
                self._joined.session = s
                try:
                    return work()
                finally:
                    self._joined.session = None

        return self.patiently(once)

    def patiently(self, work: Callable[[], T], patience: float = PATIENCE) -> T:
        """Do one transaction's work; again while a server restarts or a lock is held, for up to `patience` seconds.

        Where it clashed with a row that is there already it is done once more: another booth may have entered the same
        study, clip or code between our look and our write, and a second look sees it.

        Raises
        ------
        ExperimentError
            When patience ends: what the database said last.
        """
        deadline, wait, clashed = time.monotonic() + patience, 0.05, False
        while True:
            try:
                return work()
            except IntegrityError:
                if clashed:
                    raise
                clashed = True
            except (OperationalError, DBAPIError) as error:
                if not passing(error):
                    raise
                if time.monotonic() > deadline:
                    raise ExperimentError(
                        f"the database {shown(self.url)} did not come back within {patience:.0f} s "
                        f"({first_line(error)}); what was answered is stored, go on with --resume"
                    ) from None
            time.sleep(wait)
            wait = min(2.0, 2 * wait)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an error."""
        try:
            with self._sessions.begin() as session:
                yield session
        except DBAPIError as error:
            if full(error):
                raise ExperimentError(
                    f"the disk of the database {shown(self.url)} is full ({first_line(error)}); free some space and run the "
                    "same command again: what was acknowledged is stored"
                ) from None
            raise

    def study(self, name: str) -> StudyRow:
        """Return a study by name, or raise with the names there are."""

        def find(s: Session) -> StudyRow:
            row = s.scalar(select(StudyRow).where(StudyRow.name == name))
            if row is None:
                known = ", ".join(s.scalars(select(StudyRow.name))) or "none"
                raise ExperimentError(
                    f"study {name!r} is not in {shown(self.url)} (there: {known}); run a session first"
                )
            return row

        return self.do(find)

    def ensure_study(
        self, name: str, title: str, definition: dict[str, Any], texts: Texts | None = None, going_on: bool = False
    ) -> int:
        """Return the id of a study, entering it on the first call.

        A study with sessions keeps the way in which its clips are dealt: the database's definition says which (`design`).

        Parameters
        ----------
        texts : dict or None
            All that participants read, by language.
        going_on : bool
            Whether a session that began is gone on with, which counts what was declared, whatever the study file says now.

        Raises
        ------
        ExperimentError
            If the database holds sessions of this study under another definition of its design, or under other limits or
            words that nobody amended.
        """

        return self.do(lambda s: enter_study(s, name, title, definition, texts, going_on))

    def ensure_stimuli(self, study_id: int, rows: list[dict[str, Any]]) -> list[Stimulus]:
        """Enter clips (by study and clip name); a clip whose file changed after it was heard is refused.

        A clip that was made anew under another name is the one of its taste, condition and number that was there.
        """

        def enter(s: Session) -> list[Stimulus]:
            known = {x.clip: x for x in s.scalars(select(Stimulus).where(Stimulus.study_id == study_id))}
            asked = {row["clip"] for row in rows}
            places = {(x.taste, x.model, x.number): x for x in known.values() if x.clip not in asked}
            out = []
            for row in rows:
                old = known.get(row["clip"]) or places.get((row["taste"], row["model"], row["number"]))
                if old is None:
                    old = Stimulus(study_id=study_id, **row)
                    s.add(old)
                elif old.sha256 != row.get("sha256"):
                    heard = s.scalar(
                        select(Trial.id)
                        .join(SessionRow, SessionRow.id == Trial.session_id)
                        .where((Trial.first_id == old.id) | (Trial.second_id == old.id), SessionRow.kind != "pilot")
                        .limit(1)
                    )
                    if heard is not None:
                        raise ExperimentError(
                            f"clip {row['clip']} differs from the one that earlier sessions heard; "
                            "restore it, or use another --db or study name"
                        )
                    for key, value in row.items():
                        setattr(old, key, value)
                else:
                    old.clip, old.path = row["clip"], row.get("path")
                out.append(old)
            s.flush()
            return out

        return self.do(enter)

    def begin(
        self,
        study_id: int,
        code: str,
        header: Header,
        plan_for_row: Callable[..., list[PlannedTrial]],
        *,
        places: Places = Places(),
        lapse_hours: float = 24.0,
        holder: str | None = None,
    ) -> int:
        """Reserve a design row and write the whole plan, in one transaction; returns the session's id.

        Where the server went away between the commit and its acknowledgement, the session is there already: it is found
        by its start, which is the call's.

        Parameters
        ----------
        plan_for_row : callable
            ``plan_for_row(row) -> list of PlannedTrial``, or ``plan_for_row(row, group)`` where there are groups. The
            row is one that no running or complete session of this study, kind and group holds, so that a dropout gives
            its row back and two booths never take the same: of the cells of the design (rows modulo the period) one
            that was taken least often, and in it the lowest row.
        places : Places
            What there is to give; a full study or group is refused.
        lapse_hours : float
            A session of which nothing was heard for so long is a dropout too (a booth that lost its power).
        holder : str or None
            The computer and process that runs it (`lease`).
        """
        started = utc_now()
        return self.patiently(
            lambda: self._begin(study_id, code, header, plan_for_row, places, lapse_hours, started, holder)
        )

    def _begin(
        self,
        study_id: int,
        code: str,
        header: Header,
        plan_for_row: Callable[..., list[PlannedTrial]],
        places: Places,
        lapse_hours: float,
        started: datetime,
        holder: str | None,
    ) -> int:
        with self.transaction() as s:
            if self.engine.dialect.name == "sqlite":
                alone(s)
            else:
                s.execute(select(StudyRow).where(StudyRow.id == study_id).with_for_update())
            person = self._person(s, study_id, code)
            own = select(SessionRow.id).where(SessionRow.participant_id == person.id, SessionRow.study_id == study_id)
            written = s.scalar(own.filter_by(station=header.station, started_at=started))
            if written is not None:
                return written
            if s.scalar(own.limit(1)) is not None:
                alike = "" if person.code == code else f" (as {person.code})"
                raise ExperimentError(
                    f"participant {code} already has a session in this study{alike}; "
                    f"'tastelab experiment run --resume {code}' goes on with an unfinished one"
                )
            lapse(s, study_id, lapse_hours)
            group, row = allot(s, study_id, header.kind, places)
            told = vars(header) | {"declared": header.declared or number_of(s, study_id)}
            if group is not None and group.language is not None and places.language is None:
                told = told | {"language": group.language}
            session = SessionRow(
                study_id=study_id,
                participant_id=person.id,
                design_row=row,
                started_at=started,
                group_name=group.name if group else None,
                alive_at=started,
                holder=holder,
                **told,
            )
            s.add(session)
            s.flush()
            planned = plan_for_row(row) if group is None else plan_for_row(row, group.name)
            for position, trial in enumerate(planned):
                s.add(
                    Trial(
                        session_id=session.id,
                        position=position,
                        block=trial.block,
                        taste=trial.taste,
                        first_id=trial.first,
                        second_id=trial.second,
                        items=list(trial.items),
                        repeated=trial.repeated,
                    )
                )
            return session.id

    def _person(self, s: Session, study_id: int, code: str) -> Participant:
        """The participant of a code, entered where it is new; refused where whoever had it is out of the study."""
        person = find_person(s, code)
        stone = find(s, s.get_one(StudyRow, study_id).name, code)
        if stone is not None or (person is not None and person.withdrawn_at is not None):
            how = {"refused": "did not agree to take part", "too_young": "was too young"}
            why = "has withdrawn" if stone is None else how.get(stone.outcome, "has withdrawn")
            raise ExperimentError(f"participant {code} {why}; use another code")
        if person is None:
            person = Participant(code=code)
            s.add(person)
            s.flush()
        return person
