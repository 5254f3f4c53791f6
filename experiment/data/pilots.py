"""Sessions that are no data of a study, deleted whole: pilots, simulated people, and surveys that were imported by mistake."""

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

PILOT, BOT, IMPORTED = "pilot", "bot", "imported"  # people's own sessions go by withdrawal alone


def discard(store: Store, study: str, kind: str = PILOT) -> int:
    """Delete every session of a kind of a study and whoever had no other one; returns how many sessions there were.

    Whoever withdrew stays withdrawn.

    Raises
    ------
    ValueError
        If the kind is that of people who took part.
    """
    if kind not in (PILOT, BOT, IMPORTED):
        raise ValueError(f"sessions of kind {kind!r} are data; people withdraw")

    def work(s: Session) -> int:
        alone(s)
        study_id = s.scalar(select(StudyRow.id).where(StudyRow.name == study))
        sessions = s.execute(
            select(SessionRow.id, SessionRow.participant_id).where(
                SessionRow.study_id == study_id, SessionRow.kind == kind
            )
        ).all()
        ids, people = [i for i, _ in sessions], {p for _, p in sessions}
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
