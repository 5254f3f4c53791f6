"""Whose answers are analysed, and the numbers that stand for these people in place of their codes."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, Engine, Select
    from sqlalchemy.orm import InstrumentedAttribute

T = TypeVar("T")


def answering(study: str, kind: str | None = None) -> tuple[ColumnElement[bool], ...]:
    """Which rows of sessions, with their participant and study, are analysed; without `kind` those of any."""
    from experiment.data.tables import Participant, SessionRow, StudyRow

    return (
        StudyRow.name == study,
        *([] if kind is None else [SessionRow.kind == kind]),
        SessionRow.status.in_(("complete", "running", "stopped")),
        Participant.withdrawn_at.is_(None),
    )


def answered(column: InstrumentedAttribute[T], study: str, kind: str | None = None) -> Select[T]:
    """The different values of a column of sessions or their participants, of those of which there is an answer."""
    from sqlalchemy import select

    from experiment.data.tables import Participant, Response, SessionRow, StudyRow, Trial

    return (
        select(column)
        .distinct()
        .select_from(SessionRow)
        .join(Participant, Participant.id == SessionRow.participant_id)
        .join(StudyRow, StudyRow.id == SessionRow.study_id)
        .join(Trial, Trial.session_id == SessionRow.id)
        .join(Response, Response.trial_id == Trial.id)
        .where(*answering(study, kind))
    )


def numbered(people: Iterable[int]) -> dict[int, int]:
    """The numbers that analyses know people by, by those of the database."""
    return {int(p): k + 1 for k, p in enumerate(sorted(people))}


def number_of(engine: Engine, study: str, kind: str, code: str) -> int | None:
    """The number of the person with a code, or with this name in an imported file; None where that is nobody with answers of this kind."""
    from sqlalchemy.orm import Session

    from experiment.data.tables import Participant
    from experiment.data.whose import code_of, find_person

    with Session(engine) as s:
        person = find_person(s, code_of(s, code, study))
        return None if person is None else numbered(s.scalars(answered(Participant.id, study, kind))).get(person.id)
