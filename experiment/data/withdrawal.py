"""Withdrawal: a participant's answers leave the database, a tombstone stays."""

from __future__ import annotations

from sqlalchemy import delete, select

from experiment.data.connect import shown
from experiment.data.store import Store
from experiment.data.tables import (
    Consent,
    Event,
    Participant,
    Response,
    Screening,
    Seen,
    SessionRow,
    StudyRow,
    Trial,
    utc_now,
)
from experiment.errors import ExperimentError


def withdraw(store: Store, code: str) -> dict[str, int]:
    """Delete everything a participant answered; a tombstone (code and time) stays. Returns how much was deleted.

    Raises
    ------
    ExperimentError
        If there is no such participant, or it has withdrawn before.
    """
    with store.transaction() as s:
        person = s.scalar(select(Participant).where(Participant.code == code))
        if person is None:
            raise ExperimentError(f"participant {code} is not in {shown(store.url)}")
        if person.withdrawn_at is not None:
            raise ExperimentError(f"participant {code} has already withdrawn ({person.withdrawn_at:%Y-%m-%d})")
        sessions = list(s.scalars(select(SessionRow).where(SessionRow.participant_id == person.id)))
        ids = [x.id for x in sessions]
        trials = list(s.scalars(select(Trial.id).where(Trial.session_id.in_(ids))))
        answers = len(list(s.scalars(select(Response.id).where(Response.trial_id.in_(trials)))))
        s.execute(delete(Response).where(Response.trial_id.in_(trials)))
        s.execute(delete(Event).where(Event.session_id.in_(ids)))
        s.execute(delete(Seen).where(Seen.session_id.in_(ids)))
        s.execute(delete(Screening).where(Screening.session_id.in_(ids)))
        s.execute(delete(Trial).where(Trial.session_id.in_(ids)))
        s.execute(delete(Consent).where(Consent.participant_id == person.id))
        for row in sessions:
            row.status = "withdrawn"
            row.calibration = None
            row.ended_at = None
        person.withdrawn_at = utc_now()
    if store.engine.dialect.name == "sqlite":
        # What was written before stands in SQLite's log beside the file until it is emptied; others may keep that open.
        with store.engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
    return {"sessions": len(ids), "answers": answers}


def studies_of(store: Store, code: str) -> list[str]:
    """Names of the studies a participant took part in."""
    with store.transaction() as s:
        found = s.scalars(
            select(StudyRow.name).distinct().join(SessionRow).join(Participant).where(Participant.code == code)
        )
        return sorted(found)
