"""Open participants.db, bring it to the present schema, and the few writes that sessions are made of."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, create_engine, event, select, update
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from experiment.database import Event, Participant, Response, SessionRow, Stimulus, StudyRow, Trial
from experiment.design import PlannedTrial
from experiment.errors import ExperimentError

DEFAULT_URL = "sqlite:///participants.db"


def create(url: str) -> Engine:
    """Make an engine; SQLite gets WAL, foreign keys, synchronous=FULL and a patient lock."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ExperimentError(f"--db {url!r} is not a database URL; e.g. {DEFAULT_URL}") from None
    if parsed.get_backend_name() == "sqlite" and parsed.database not in (None, "", ":memory:"):
        folder = Path(str(parsed.database)).resolve().parent
        if not folder.is_dir():
            raise ExperimentError(f"--db {url}: directory {folder} does not exist")
    try:
        engine = create_engine(parsed, connect_args={"timeout": 30} if parsed.get_backend_name() == "sqlite" else {})
    except ModuleNotFoundError as error:
        raise ExperimentError(f"--db {url}: driver {error.name} is not installed") from None
    if engine.dialect.name == "sqlite":

        @event.listens_for(engine, "connect")
        def _pragmas(connection: Any, _: Any) -> None:
            cursor = connection.cursor()
            for pragma in ("journal_mode=WAL", "foreign_keys=ON", "synchronous=FULL"):
                cursor.execute(f"PRAGMA {pragma}")
            cursor.close()

    return engine


def migrate(engine: Engine, revision: str = "head") -> None:
    """Bring the database to `revision` (``"head"`` is the present one, ``"base"`` an empty database)."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        (command.downgrade if revision == "base" else command.upgrade)(config, revision)


class Store:
    """A database of one URL, at the present schema."""

    def __init__(self, url: str = DEFAULT_URL):
        self.url = url
        self.engine = create(url)
        try:
            migrate(self.engine)
        except (OperationalError, DBAPIError) as error:
            raise ExperimentError(f"--db {url}: {str(error.orig).splitlines()[0]}") from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """One transaction: committed at the end, rolled back on an error."""
        with self._sessions.begin() as session:
            yield session

    def study(self, name: str) -> StudyRow:
        """Return a study by name, or raise with the names there are."""
        with self.transaction() as s:
            row = s.scalar(select(StudyRow).where(StudyRow.name == name))
            if row is None:
                known = ", ".join(s.scalars(select(StudyRow.name))) or "none"
                raise ExperimentError(f"study {name!r} is not in {self.url} (there: {known}); run a session first")
            return row

    def ensure_study(self, name: str, title: str, definition: dict[str, Any]) -> int:
        """Return the id of a study, entering it on the first call.

        Raises
        ------
        ExperimentError
            If the database holds sessions of this study under another definition of its design.
        """
        with self.transaction() as s:
            row = s.scalar(select(StudyRow).where(StudyRow.name == name))
            if row is None:
                row = StudyRow(name=name, title=title, definition=definition)
                s.add(row)
                s.flush()
            elif row.definition.get("experiment") != definition.get("experiment"):
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

    def ensure_stimuli(self, study_id: int, rows: list[dict[str, Any]]) -> list[Stimulus]:
        """Enter clips (by study and clip name); a clip whose file changed after it was heard is refused."""
        with self.transaction() as s:
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
    ) -> int:
        """Reserve a design row and write the whole plan, in one transaction; returns the session's id.

        Parameters
        ----------
        plan_for_row : callable
            ``plan_for_row(row) -> list of PlannedTrial``. The row is the lowest that no running or complete session
            of this study and kind holds, so that a dropout gives its row back and two booths never take the same.
        """
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
            taken = set(
                s.scalars(
                    select(SessionRow.design_row).where(
                        SessionRow.study_id == study_id,
                        SessionRow.kind == kind,
                        SessionRow.status.in_(("running", "complete")),
                    )
                )
            )
            row = next(i for i in range(len(taken) + 1) if i not in taken)
            session = SessionRow(
                study_id=study_id,
                participant_id=person.id,
                kind=kind,
                station=station,
                language=language,
                design_row=row,
                seed=seed,
                versions=versions,
                calibration=calibration,
            )
            s.add(session)
            s.flush()
            plan: list[PlannedTrial] = plan_for_row(row)
            for position, trial in enumerate(plan):
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
        self, trial_id: int, item: str, value: float | None, choice: str | None, response_time: float | None
    ) -> None:
        """Write one answer in one transaction."""
        with self.transaction() as s:
            number = None if value is None else float(value)
            s.add(Response(trial_id=trial_id, item=item, value=number, choice=choice, response_time=response_time))

    def log(self, session_id: int, name: str, at: float, trial_id: int | None = None, **detail: Any) -> None:
        """Write one event."""
        with self.transaction() as s:
            s.add(Event(session_id=session_id, trial_id=trial_id, name=name, at=float(at), detail=detail))
