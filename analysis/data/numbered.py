"""Whose answers are analysed, and the numbers that stand for these people in place of their codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine


def answering(study: str, kind: str) -> tuple[ColumnElement[bool], ...]:
    """Which rows of sessions, with their participant and study, are analysed."""
    from experiment.data.tables import Participant, SessionRow, StudyRow

    return (
        StudyRow.name == study,
        SessionRow.kind == kind,
        SessionRow.status.in_(("complete", "running", "stopped")),
        Participant.withdrawn_at.is_(None),
    )


def numbered(people: Iterable[int]) -> dict[int, int]:
    """The numbers that analyses know people by, by those of the database."""
    return {int(p): k + 1 for k, p in enumerate(sorted(people))}


def number_of(engine: Engine, study: str, kind: str, code: str) -> int | None:
    """The number of the person with a code; None where that is nobody with answers of this kind."""
    from sqlalchemy import select
    from sqlalchemy.orm import Session

    from experiment.data.tables import Participant, Response, SessionRow, StudyRow, Trial
    from experiment.data.whose import find_person

    query = (
        select(Participant.id)
        .distinct()
        .join(SessionRow, SessionRow.participant_id == Participant.id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .join(Trial, Trial.session_id == SessionRow.id)
        .join(Response, Response.trial_id == Trial.id)
        .where(*answering(study, kind))
    )
    with Session(engine) as s:
        person = find_person(s, code)
        return None if person is None else numbered(s.scalars(query)).get(person.id)
