"""Open participants.db, bring it to the present schema, and the few writes that sessions are made of."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Engine, create_engine, event, func, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from experiment.config import ExperimentConfig
from experiment.database import Event, Participant, Response, SessionRow, Stimulus, StudyRow, Trial, utc_now
from experiment.design import PlannedTrial
from experiment.errors import ExperimentError

DEFAULT_URL = "sqlite:///participants.db"
PATIENCE = 90.0  # s that a booth waits for a server that restarts, or for a lock, before it gives up
T = TypeVar("T")
Interaction = tuple[int, float, dict[str, Any]]  # session, s since its start, how an answer came about


def create(url: str, wait: float = 30.0) -> Engine:
    """Make an engine; SQLite gets WAL, foreign keys, synchronous=FULL and `wait` seconds for a lock."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ExperimentError(f"--db {url!r} is not a database URL; e.g. {DEFAULT_URL}") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        folder = Path(str(parsed.database).removeprefix("file:")).resolve().parent
        if not folder.is_dir():
            raise ExperimentError(f"--db {url}: directory {folder} does not exist")
    arguments: dict[str, Any] = {"timeout": wait}
    if parsed.get_backend_name() == "postgresql":
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        arguments = {"connect_timeout": 10}
    elif parsed.get_backend_name() != "sqlite":
        raise ExperimentError(f"--db {parsed.get_backend_name()}: tastelab keeps its data in SQLite or PostgreSQL")
    try:
        engine = create_engine(parsed, connect_args=arguments, pool_pre_ping=True)
    except ModuleNotFoundError as error:
        raise ExperimentError(f"--db {shown(url)}: driver {error.name} is not installed") from None
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database up or down to `revision` (``"head"`` is the present one, ``"base"`` an empty database)."""
    from alembic import command
    from alembic.config import Config
    from alembic.migration import MigrationContext

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            # Two booths that start at once: one migrates, the other waits.
            connection.exec_driver_sql("SELECT pg_advisory_xact_lock(7461737465)")
        config.attributes["connection"] = connection
        present = MigrationContext.configure(connection).get_current_revision()
        down = revision == "base" or (revision != "head" and present is not None and revision < present)
        (command.downgrade if down else command.upgrade)(config, revision)


def shown(url: str) -> str:
    """A database URL without its password."""
    return make_url(url).render_as_string(hide_password=True)


def _first_line(error: DBAPIError) -> str:
    words = str(error.orig).strip().splitlines()
    return words[0] if words else type(error.orig).__name__


def _passing(error: DBAPIError) -> bool:
    """Whether waiting may help: the server went away or comes up, or another booth holds the lock."""
    words = str(error.orig).lower()
    if "sqlite" in type(error.orig).__module__:
        return "locked" in words
    # psycopg's OperationalError is all that lies between us and the server: refused, reset, shutting down, starting.
    wrong = ("authentication failed", "does not exist", "permission denied", "translate host name")
    gone = isinstance(error, OperationalError) or error.connection_invalidated or "closed" in words
    return gone and not any(sign in words for sign in wrong)


class Store:
    """A database of one URL, at the present schema."""

    def __init__(self, url: str = DEFAULT_URL, wait: float = 30.0):
        self.url = url
        self.engine = create(url, wait)
        try:
            self.patiently(lambda: migrate(self.engine), min(wait, 10.0))
            self.patiently(self._writable, min(wait, 10.0))
        except (OperationalError, DBAPIError) as error:
            raise ExperimentError(f"--db {shown(url)}: {_first_line(error)}") from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    def _writable(self) -> None:
        """Fail now, not after the first answer, where the database can only be read."""
        with self.engine.begin() as connection:
            connection.execute(update(StudyRow).where(StudyRow.id == -1).values(name=StudyRow.name))

    def do(self, work: Callable[[Session], T]) -> T:
        """Do `work` in one transaction, patiently; it may be done again and must not change anything else."""

        def once() -> T:
            with self.transaction() as s:
                return work(s)

        return self.patiently(once)

    def patiently(self, work: Callable[[], T], patience: float = PATIENCE) -> T:
        """Do one transaction's work; again while a server restarts or a lock is held, for up to `patience` seconds.

        Raises
        ------
        ExperimentError
            When patience ends: what the database said last.
        """
        deadline, wait = time.monotonic() + patience, 0.05
        while True:
            try:
                return work()
            except IntegrityError:
                raise
            except (OperationalError, DBAPIError) as error:
                if not _passing(error):
                    raise
                if time.monotonic() > deadline:
                    raise ExperimentError(
                        f"the database {shown(self.url)} did not come back within {patience:.0f} s "
                        f"({_first_line(error)}); what was answered is stored, go on with --resume"
                    ) from None
            time.sleep(wait)
            wait = min(2.0, 2 * wait)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an error."""
        with self._sessions.begin() as session:
            yield session

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

    def ensure_study(self, name: str, title: str, definition: dict[str, Any]) -> int:
        """Return the id of a study, entering it on the first call.

        Raises
        ------
        ExperimentError
            If the database holds sessions of this study under another definition of its design.
        """

        def enter(s: Session) -> int:
            row = s.scalar(select(StudyRow).where(StudyRow.name == name))
            if row is None:
                row = StudyRow(name=name, title=title, definition=definition)
                s.add(row)
                s.flush()
            elif not _same_design(row.definition, definition):
                used = s.scalar(
                    select(SessionRow.id).where(SessionRow.study_id == row.id, SessionRow.kind != "imported").limit(1)
                )
                if used is not None:
                    raise ExperimentError(
                        f"study {name!r} already has sessions under another [experiment] table; give the new design "
                        "another name, or another --db"
                    )
                row.definition = definition
            return row.id

        return self.do(enter)

    def ensure_stimuli(self, study_id: int, rows: list[dict[str, Any]]) -> list[Stimulus]:
        """Enter clips (by study and clip name); a clip whose file changed after it was heard is refused."""

        def enter(s: Session) -> list[Stimulus]:
            known = {x.clip: x for x in s.scalars(select(Stimulus).where(Stimulus.study_id == study_id))}
            out = []
            for row in rows:
                old = known.get(row["clip"])
                if old is None:
                    old = Stimulus(study_id=study_id, **row)
                    s.add(old)
                elif old.sha256 != row.get("sha256"):
                    heard = s.scalar(
                        select(Trial.id).where((Trial.first_id == old.id) | (Trial.second_id == old.id)).limit(1)
                    )
                    if heard is not None:
                        raise ExperimentError(
                            f"clip {row['clip']} differs from the one that earlier sessions heard; "
                            "restore it, or use another --db or study name"
                        )
                    for key, value in row.items():
                        setattr(old, key, value)
                else:
                    old.path = row.get("path")
                out.append(old)
            s.flush()
            return out

        return self.do(enter)

    def begin(
        self,
        study_id: int,
        code: str,
        kind: str,
        plan_for_row: Any,
        *,
        seed: int,
        station: str,
        language: str,
        versions: dict[str, Any],
        calibration: dict[str, Any] | None = None,
        overrides: list[str] | None = None,
        period: int = 1,
        lapse_hours: float = 24.0,
    ) -> int:
        """Reserve a design row and write the whole plan, in one transaction; returns the session's id.

        Parameters
        ----------
        plan_for_row : callable
            ``plan_for_row(row) -> list of PlannedTrial``. The row is one that no running or complete session of this
            study and kind holds, so that a dropout gives its row back and two booths never take the same: of the cells
            of the design (rows modulo `period`) one that was taken least often, and in it the lowest row.
        lapse_hours : float
            A session of which nothing was heard for so long is a dropout too (a booth that lost its power).
        """
        return self.patiently(
            lambda: self._begin(
                study_id, code, kind, plan_for_row, period, lapse_hours,
                dict(seed=seed, station=station, language=language, versions=versions, calibration=calibration,
                     overrides=overrides),
            )
        )  # fmt: skip

    def _begin(
        self,
        study_id: int,
        code: str,
        kind: str,
        plan_for_row: Callable[[int], list[PlannedTrial]],
        period: int,
        lapse_hours: float,
        header: dict[str, Any],
    ) -> int:
        with self.transaction() as s:
            if self.engine.dialect.name == "sqlite":
                # A write that changes nothing takes SQLite's one write lock before anything is read.
                s.execute(update(StudyRow).where(StudyRow.id == -1).values(name=StudyRow.name))
            else:
                s.execute(select(StudyRow).where(StudyRow.id == study_id).with_for_update())
            person = s.scalar(select(Participant).where(Participant.code == code))
            if person is None:
                person = Participant(code=code)
                s.add(person)
                s.flush()
            elif person.withdrawn_at is not None:
                raise ExperimentError(f"participant {code} has withdrawn; use another code")
            elif s.scalar(
                select(SessionRow.id).where(
                    SessionRow.participant_id == person.id,
                    SessionRow.study_id == study_id,
                    SessionRow.status.in_(("running", "complete")),
                )
            ):
                raise ExperimentError(
                    f"participant {code} already has a session in this study; "
                    f"'tastelab experiment run --resume {code}' goes on with an unfinished one"
                )
            _lapse(s, study_id, lapse_hours)
            taken = list(
                s.scalars(
                    select(SessionRow.design_row).where(
                        SessionRow.study_id == study_id,
                        SessionRow.kind == kind,
                        SessionRow.status.in_(("running", "complete")),
                    )
                )
            )
            row = free_row([r for r in taken if r is not None], period)
            session = SessionRow(study_id=study_id, participant_id=person.id, kind=kind, design_row=row, **header)
            s.add(session)
            s.flush()
            for position, trial in enumerate(plan_for_row(row)):
                s.add(
                    Trial(
                        session_id=session.id,
                        position=position,
                        block=trial.block,
                        taste=trial.taste,
                        first_id=trial.first,
                        second_id=trial.second,
                        items=list(trial.items),
                    )
                )
            return session.id

    def record(
        self,
        trial_id: int,
        item: str,
        value: float | None,
        choice: str | None,
        response_time: float | None,
        interaction: Interaction | None = None,
    ) -> None:
        """Write one answer in one transaction, with how it came about where that was seen.

        Where the server went away between the commit and its acknowledgement, the answer may be there already: the same
        one is then taken as written.
        """
        number = None if value is None else float(value)

        def write() -> None:
            with self.transaction() as s:
                s.add(Response(trial_id=trial_id, item=item, value=number, choice=choice, response_time=response_time))
                if interaction is not None:
                    session_id, at, detail = interaction
                    s.add(Event(session_id=session_id, trial_id=trial_id, name="answer", at=at, detail=detail))

        try:
            self.patiently(write)
        except IntegrityError:
            old = self.do(
                lambda s: s.scalar(select(Response).where(Response.trial_id == trial_id, Response.item == item))
            )
            if old is None or (old.value, old.choice, old.response_time) != (number, choice, response_time):
                raise

    def log(self, session_id: int, name: str, at: float, trial_id: int | None = None, **detail: Any) -> None:
        """Write one event."""

        def write() -> None:
            with self.transaction() as s:
                s.add(Event(session_id=session_id, trial_id=trial_id, name=name, at=float(at), detail=detail))

        self.patiently(write)


def free_row(taken: list[int], period: int) -> int:
    """The lowest free design row of a cell (row modulo `period`) that was taken least often."""
    cells = Counter(row % period for row in taken)
    least = min(cells.get(cell, 0) for cell in range(period))
    used = set(taken)
    return next(
        row for row in range(period * (len(taken) + 1)) if cells.get(row % period, 0) == least and row not in used
    )


def _lapse(s: Session, study_id: int, hours: float) -> None:
    """Running sessions of which nothing was heard for `hours` become stopped; they can be gone on with no more."""
    limit = datetime.now(UTC) - timedelta(hours=hours)
    last = (
        select(func.max(Response.answered_at))
        .join(Trial, Trial.id == Response.trial_id)
        .where(Trial.session_id == SessionRow.id)
        .scalar_subquery()
    )
    silent = s.scalars(
        select(SessionRow).where(
            SessionRow.study_id == study_id,
            SessionRow.status == "running",
            func.coalesce(last, SessionRow.started_at) < limit,
        )
    )
    for row in silent:
        row.status, row.ended_at = "stopped", utc_now()


def _same_design(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two definitions declare the same sessions; options that came later have their defaults in the older one."""
    from pydantic import ValidationError

    try:
        # Where texts lie, fonts and disk space differ from booth to booth and are no part of the design.
        kinds = {"texts", "font", "disk_gb"}
        tables = [ExperimentConfig.model_validate(d.get("experiment")).model_dump(exclude=kinds) for d in (old, new)]
    except ValidationError:
        return old.get("experiment") == new.get("experiment")
    return tables[0] == tables[1]
