"""What is asked of the database in more than one place: who agreed to what, how far sessions are, what was answered."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import StaticPool, create_engine, func, select
from sqlalchemy.orm import Session

from experiment.data import marks
from experiment.data.declared import Change
from experiment.data.looking import looking
from experiment.data.store import Store
from experiment.data.tables import Consent, Declaration, Participant, Response, Screening, SessionRow, StudyRow, Trial


def consent_to(s: Session, session: SessionRow) -> Consent | None:
    """The consent that a session's participant gave to its study; consent to another study is none."""
    given = select(Consent).where(
        Consent.participant_id == session.participant_id, Consent.study_id == session.study_id
    )
    return s.scalar(given.order_by(Consent.id))


def begun(path: Path, study: str) -> list[tuple[str, int, datetime | None]]:
    """Kind, number and last time (of a beginning or an end, UTC) of a study's sessions in an SQLite file, which is looked into.

    Raises
    ------
    sqlalchemy.exc.SQLAlchemyError
        If it is none of ours.
    """
    last = func.max(func.coalesce(SessionRow.ended_at, SessionRow.started_at))
    query = select(SessionRow.kind, func.count(), last).join(StudyRow, StudyRow.id == SessionRow.study_id)
    query = query.where(StudyRow.name == study).group_by(SessionRow.kind)
    with looking(path) as connection:
        engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
        with engine.connect() as asked:
            return [(kind, n, at) for kind, n, at in asked.execute(query)]


def status_rows(store: Store, study: str | None = None) -> list[dict[str, Any]]:
    """One row a session: study, kind, status, answers given and expected (special categories included), times in UTC; and
    what is marked of a session, where anything is.

    Codes are shown: this is the booth's view.
    """
    query = (
        select(
            SessionRow.id,
            StudyRow.name.label("study"),
            Participant.code.label("participant"),
            SessionRow.kind,
            SessionRow.status,
            SessionRow.station,
            SessionRow.group_name.label("group"),
            SessionRow.started_at,
        )
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .order_by(SessionRow.id)
    )
    # Counted apart, each over its own table: joined into one they are counted over every pair of rows.
    asked = select(Trial.session_id, func.sum(func.json_array_length(Trial.items))).group_by(Trial.session_id)
    given = (
        select(Trial.session_id, func.count(Response.id), func.max(Response.answered_at))
        .join(Response, Response.trial_id == Trial.id)
        .group_by(Trial.session_id)
    )
    if study is not None:
        query = query.where(StudyRow.name == study)
    rows = []
    with store.engine.connect() as connection:
        expected = {int(session): int(n or 0) for session, n in connection.execute(asked)}
        answers = {int(session): (int(n), last) for session, n, last in connection.execute(given)}
        marked = marks.of_sessions(connection, study)
        for found in connection.execute(query).mappings():
            number = int(found["id"])
            count, last = answers.get(number, (0, None))
            told = {**{k: v for k, v in found.items() if k != "id"}, "answers": count, "last_answer": last}
            row: dict[str, Any] = {k: (_utc(v) if isinstance(v, datetime) else v) for k, v in told.items()}
            more = {"marks": marked.get(number)} if marked else {}
            rows.append(row | {"expected": expected.get(number, 0)} | more)
    if all(row["group"] is None for row in rows):
        for row in rows:
            del row["group"]
    return rows


def study_names(store: Store) -> list[str]:
    """Names of the studies that a database holds."""
    return store.do(lambda s: list(s.scalars(select(StudyRow.name).order_by(StudyRow.id))))


def last_status(store: Store, study: str, code: str) -> str | None:
    """Status of a participant's last session in a study; none where there is no session."""
    query = (
        select(SessionRow.status)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .where(StudyRow.name == study, Participant.code == code)
        .order_by(SessionRow.id.desc())
    )
    with store.engine.connect() as connection:
        return connection.execute(query).scalars().first()


def effects_followed(store: Store, study: str) -> dict[str, str]:
    """Which effects the simulated people of a study followed: SHA-256 to name and file. Older sessions do not say."""
    query = (
        select(SessionRow.versions)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .where(StudyRow.name == study, SessionRow.kind == "bot")
        .order_by(SessionRow.id)
    )
    with store.engine.connect() as connection:
        headers = connection.execute(query).scalars().all()
    return {str(h["effects_sha256"]): str(h["effects"]) for h in headers if "effects_sha256" in h}


def answers_of(store: Store, study: str, code: str) -> list[tuple[str, str | None, float | None]]:
    """A participant's answers to a study, in the order in which they were stored: item, choice, value."""
    query = (
        select(Response.item, Response.choice, Response.value)
        .join(Trial, Trial.id == Response.trial_id)
        .join(SessionRow, SessionRow.id == Trial.session_id)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .where(StudyRow.name == study, Participant.code == code)
        .order_by(Response.id)
    )
    with store.engine.connect() as connection:
        return [(str(i), c, v) for i, c, v in connection.execute(query)]


def amendments(store: Store, study: str, kind: str | None = None) -> list[dict[str, Any]]:
    """What was amended of a study, in order: `number`, `at`, `note`, `wording`, `changes`, and how many sessions (of a kind)
    ran `before` and `since`.
    """
    with store.transaction() as s:
        study_id = s.scalar(select(StudyRow.id).where(StudyRow.name == study))
        rows = s.scalars(
            select(Declaration)
            .where(Declaration.study_id == study_id, Declaration.note.is_not(None))
            .order_by(Declaration.number)
        ).all()
        counted = (
            select(SessionRow.declared, func.count())
            .where(SessionRow.study_id == study_id)
            .group_by(SessionRow.declared)
        )
        if kind is not None:
            counted = counted.where(SessionRow.kind == kind)
        sessions = {int(number or 0): int(n) for number, n in s.execute(counted)}
    return [
        {
            "number": row.number,
            "at": row.at,
            "note": row.note,
            "wording": row.wording,
            "changes": [Change(**c) for c in row.changes],
            "before": sum(n for number, n in sessions.items() if number < row.number),
            "since": sum(n for number, n in sessions.items() if number >= row.number),
        }
        for row in rows
    ]


def _utc(moment: datetime) -> str:
    """SQLite gives back UTC without a zone, PostgreSQL the server's zone."""
    return (moment.astimezone(UTC) if moment.tzinfo else moment).strftime("%Y-%m-%d %H:%M:%S")


def failed_most(store: Store, session_id: int) -> int:
    """How often the headphone test was not passed that was failed most often."""
    found = (
        select(func.count())
        .where(Screening.session_id == session_id, Screening.passed.is_(False))
        .group_by(Screening.test)
    )
    return store.do(lambda s: max(s.scalars(found), default=0))
