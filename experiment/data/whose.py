"""Whom a code means in a database, however it is written."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from experiment.data.codes import same
from experiment.data.tables import Participant, SessionRow


def find_person(s: Session, code: str) -> Participant | None:
    """The participant of a code: the one whose code is written so, else the one whose code means the same."""
    exact = s.scalar(select(Participant).where(Participant.code == code))
    return exact or s.scalar(select(Participant).where(Participant.norm == same(code)))


def last_session(s: Session, study_id: int, code: str) -> SessionRow | None:
    """The last session of a code in a study."""
    person = find_person(s, code)
    if person is None:
        return None
    query = select(SessionRow).where(SessionRow.participant_id == person.id, SessionRow.study_id == study_id)
    return s.scalar(query.order_by(SessionRow.id.desc()).limit(1))
