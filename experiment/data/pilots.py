"""Pilots: sessions that try a study out, kept apart from its data and deleted whole before the first participant."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from experiment.data.store import Store, alone
from experiment.data.tables import (
    Consent,
    Event,
    Participant,
    Response,
    Screening,
    Seen,
    SessionRow,
    Sitting,
    StudyRow,
    Superseded,
    Trial,
)

PILOT = "pilot"


def discard(store: Store, study: str) -> int:
    """Delete every pilot session of a study and whoever had no other one; returns how many sessions there were."""

    def work(s: Session) -> int:
        alone(s)
        study_id = s.scalar(select(StudyRow.id).where(StudyRow.name == study))
        pilots = s.execute(
            select(SessionRow.id, SessionRow.participant_id).where(
                SessionRow.study_id == study_id, SessionRow.kind == PILOT
            )
        ).all()
        ids, people = [i for i, _ in pilots], {p for _, p in pilots}
        trials = select(Trial.id).where(Trial.session_id.in_(ids)).scalar_subquery()
        for table in (Response, Superseded):
            s.execute(delete(table).where(table.trial_id.in_(trials)))
        for of_session in (Event, Seen, Screening, Sitting, Trial):
            s.execute(delete(of_session).where(of_session.session_id.in_(ids)))
        s.execute(delete(SessionRow).where(SessionRow.id.in_(ids)))
        kept = set(s.scalars(select(SessionRow.participant_id).where(SessionRow.participant_id.in_(people))))
        here = set(
            s.scalars(
                select(SessionRow.participant_id).where(
                    SessionRow.participant_id.in_(people), SessionRow.study_id == study_id
                )
            )
        )
        s.execute(delete(Consent).where(Consent.participant_id.in_(people - here), Consent.study_id == study_id))
        s.execute(delete(Participant).where(Participant.id.in_(people - kept)))
        return len(ids)

    return store.do(work)
