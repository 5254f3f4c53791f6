"""Sessions that are no data and go whole: pilots, simulated people, and imports, which can be made again."""

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
    Stimulus,
    StudyRow,
    Superseded,
    Trial,
)
from experiment.data.tombstones import WITHDRAWN

PILOT, BOT, IMPORTED = "pilot", "bot", "imported"  # people's own sessions go by withdrawal alone
BATCH = 1000  # sessions a statement: databases take so many numbers in one


def discard(store: Store, study: str, kind: str = PILOT) -> int:
    """Delete every session of a kind of a study and whoever had no other one; returns how many sessions there were.

    What stays of somebody who withdrew is not among them: who withdrew from a study is not imported into it again. Clips that
    an import alone knows of go with the last session that heard them.

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
        which = [SessionRow.study_id == study_id, SessionRow.kind == kind]
        if kind == IMPORTED:
            which.append(SessionRow.status != WITHDRAWN)
        sat = [(i, p) for i, p in s.execute(select(SessionRow.id, SessionRow.participant_id).where(*which))]
        for k in range(0, len(sat), BATCH):
            _delete(s, study_id, sat[k : k + BATCH])
        if kind == IMPORTED:
            heard = [select(x).where(x.is_not(None)) for x in (Trial.first_id, Trial.second_id)]
            alone_known = (Stimulus.study_id == study_id, Stimulus.sha256.is_(None), Stimulus.path.is_(None))
            s.execute(delete(Stimulus).where(*alone_known, *(Stimulus.id.not_in(query) for query in heard)))
        return len(sat)

    return store.do(work)


def _delete(s: Session, study_id: int | None, sat: list[tuple[int, int]]) -> None:
    """Delete some sessions, by their number and their person's."""
    ids, people = [i for i, _ in sat], {p for _, p in sat}
    trials = select(Trial.id).where(Trial.session_id.in_(ids)).scalar_subquery()
    for table in (Response, Superseded):
        s.execute(delete(table).where(table.trial_id.in_(trials)))
    for of_session in (Event, Seen, Screening, Sitting, Trial):
        s.execute(delete(of_session).where(of_session.session_id.in_(ids)))
    s.execute(delete(SessionRow).where(SessionRow.id.in_(ids)))
    left = select(SessionRow.participant_id).where(SessionRow.participant_id.in_(people))
    kept = set(s.scalars(left))
    here = set(s.scalars(left.where(SessionRow.study_id == study_id)))
    s.execute(delete(Consent).where(Consent.participant_id.in_(people - here), Consent.study_id == study_id))
    s.execute(delete(Participant).where(Participant.id.in_(people - kept)))
