"""participants.db as sessions see it: transactions that outlast a restart, and the few writes they are made of."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session, sessionmaker

from experiment.config import ExperimentConfig, stored_config
from experiment.data.allotment import Places, allot, lapse
from experiment.data.connect import DEFAULT_URL, create, first_line, migrate, passing, shown
from experiment.data.tables import (
    Participant,
    SessionRow,
    Stimulus,
    StudyRow,
    Trial,
    utc_now,
)
from experiment.errors import ExperimentError
from experiment.tasks.task import PlannedTrial

PATIENCE = 90.0  # s that a booth waits for a server that restarts, or for a lock, before it gives up
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
    """

    kind: str
    station: str
    language: str
    seed: int
    versions: dict[str, Any]
    calibration: dict[str, Any] | None = None
    overrides: list[str] | None = None


class Store:
    """A database of one URL, at the present schema."""

    def __init__(self, url: str = DEFAULT_URL, wait: float = 30.0):
        self.url = url
        self.engine = create(url, wait)
        try:
            self.patiently(lambda: migrate(self.engine), min(wait, 10.0))
            self.patiently(self._writable, min(wait, 10.0))
        except (OperationalError, DBAPIError) as error:
            raise ExperimentError(f"--db {shown(url)}: {first_line(error)}") from None
        self._sessions = sessionmaker(self.engine, expire_on_commit=False)

    def close(self) -> None:
        """Release all connections."""
        self.engine.dispose()

    def _writable(self) -> None:
        """Fail now, not after the first answer, where the database can only be read."""
        with self.engine.begin() as connection:
            connection.execute(update(StudyRow).where(StudyRow.id == -1).values(name=StudyRow.name))

    def do(self, work: Callable[[Session], T]) -> T:
        """Do `work` in one transaction, patiently.

        It may be done again, even when it was committed and only the acknowledgement was lost: doing it twice must be as
        doing it once. A new row is for `add`.
        """

        def once() -> T:
            with self.transaction() as s:
                return work(s)

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

        A study with sessions keeps the way in which its clips are dealt: the database's definition says which (`design`).

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
            elif row.definition != definition:
                used = s.scalar(
                    select(SessionRow.id).where(SessionRow.study_id == row.id, SessionRow.kind != "imported").limit(1)
                )
                if used is not None and _same_design(row.definition, definition):
                    return row.id
                if used is not None:
                    raise ExperimentError(
                        f"study {name!r} already has sessions under another [experiment] table; give the new design "
                        "another name, or another --db"
                    )
                row.definition = definition
            return row.id

        return self.do(enter)

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
        """
        started = utc_now()
        return self.patiently(lambda: self._begin(study_id, code, header, plan_for_row, places, lapse_hours, started))

    def _begin(
        self,
        study_id: int,
        code: str,
        header: Header,
        plan_for_row: Callable[..., list[PlannedTrial]],
        places: Places,
        lapse_hours: float,
        started: datetime,
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
            own = select(SessionRow.id).where(SessionRow.participant_id == person.id, SessionRow.study_id == study_id)
            written = s.scalar(own.filter_by(station=header.station, started_at=started))
            if written is not None:
                return written
            if s.scalar(own.where(SessionRow.status.in_(("running", "complete")))) is not None:
                raise ExperimentError(
                    f"participant {code} already has a session in this study; "
                    f"'tastelab experiment run --resume {code}' goes on with an unfinished one"
                )
            lapse(s, study_id, lapse_hours)
            group, row = allot(s, study_id, header.kind, places)
            told = vars(header)
            if group is not None and group.language is not None and places.language is None:
                told = told | {"language": group.language}
            session = SessionRow(
                study_id=study_id,
                participant_id=person.id,
                design_row=row,
                started_at=started,
                group_name=group.name if group else None,
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


def _same_design(old: dict[str, Any], new: dict[str, Any]) -> bool:
    """Whether two definitions declare the same sessions, however they say it; options that came later have their defaults.

    Where texts and effects lie, fonts and disk space differ from booth to booth, how many people are wanted may be amended, and how
    clips are dealt stays as it began: none of these is compared, but a study that began does not go back to an older way.
    """
    from pydantic import ValidationError

    aside = {"texts", "font", "disk_gb", "target", "groups", "design", "effects"}
    tables = {"tasks", "preference", "ratings", "affect", "questionnaires"}
    try:
        then, now = stored_config(old), stored_config(new)
    except ValidationError:
        return old.get("experiment") == new.get("experiment")
    if now.design != then.design and now.design == "0.1":
        return False

    def meant(config: ExperimentConfig) -> dict[str, Any]:
        asked = [task.model_dump() for task in config.model_copy(update={"design": then.design}).sequence()]
        groups = [g.model_dump(exclude={"quota"}) for g in config.groups]
        return config.model_dump(exclude=aside | tables) | {"tasks": asked, "groups": groups}

    return meant(then) == meant(now)
