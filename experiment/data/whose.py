"""Whom a code means in a database, however it is written."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from experiment.data.codes import imported_code, same
from experiment.data.tables import Participant, SessionRow, StudyRow
from experiment.data.tombstones import find
from experiment.errors import ExperimentError


def find_person(s: Session, code: str) -> Participant | None:
    """The participant of a code: the one whose code is written so, else the one whose code means the same."""
    exact = s.scalar(select(Participant).where(Participant.code == code))
    return exact or s.scalar(select(Participant).where(Participant.norm == same(code)))


def code_of(s: Session, word: str, study: str | None = None) -> str:
    """The code that a word means: itself, or that of the imported person whom the survey's file calls so, here or withdrawn.

    Raises
    ------
    ExperimentError
        If imports of several studies know such a person, and none is named.
    """
    if find_person(s, word) is not None:
        return word
    found: dict[str, str] = {}
    for number, name in s.execute(select(StudyRow.id, StudyRow.name).order_by(StudyRow.id)):
        for written in (word, same(word)):  # as version 0.1.0 took a name at first, and however it is written
            code = imported_code(number, written)
            if study in (None, name) and (find_person(s, code) is not None or find(s, name, code) is not None):
                found.setdefault(name, code)
    if len(found) > 1:
        raise ExperimentError(
            f"participant {word} was imported into {', '.join(found)}; say which is asked for (--study FILE)"
        )
    return next(iter(found.values()), word)


def last_session(s: Session, study_id: int, code: str) -> SessionRow | None:
    """The last session of a code in a study."""
    person = find_person(s, code)
    if person is None:
        return None
    query = select(SessionRow).where(SessionRow.participant_id == person.id, SessionRow.study_id == study_id)
    return s.scalar(query.order_by(SessionRow.id.desc()).limit(1))
