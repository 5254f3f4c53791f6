"""Sessions written row by row, so that a test knows what is stored without asking the code that it tests."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import (
    Consent,
    Event,
    Participant,
    Response,
    Screening,
    SessionRow,
    Stimulus,
    StudyRow,
    Trial,
)

Given = tuple[float | None, str | None, float | None]  # value, choice, response time in s


@dataclass
class Asked:
    """One trial and what was answered to it."""

    block: str
    answers: dict[str, Given]
    taste: str | None = None
    first: str | None = None
    second: str | None = None
    open: list[str] = field(default_factory=list)  # items that nobody answered


DEFAULT = [
    Asked(
        "demographics", {"sex": (None, "female", 1.5), "age": (33.0, None, 2.25), "ethnicity": (None, "latino", 0.5)}
    ),
    Asked("preference", {"preference": (2.0, None, 7.125)}, "sweet", "sweet-finetuned-000", "sweet-base-000"),
    Asked(
        "ratings", {"happy": (4.0, None, 3.5), "cold": (1.0, None, 2.75)}, "sour", "sour-finetuned-001", open=["sad"]
    ),
]


def clip_id(s: Any, study_id: int, name: str | None) -> int | None:
    """The clip's number, entered where it is not there."""
    if name is None:
        return None
    found = s.scalar(select(Stimulus).where(Stimulus.study_id == study_id, Stimulus.clip == name))
    if found is None:
        taste, model, number = name.split("-")
        found = Stimulus(study_id=study_id, clip=name, taste=taste, model=model, number=int(number))
        s.add(found)
        s.flush()
    return int(found.id)


def sat(
    store: Store,
    code: str,
    asked: list[Asked] | None = None,
    study: str = "s",
    kind: str = "person",
    status: str = "complete",
    language: str = "en",
    secret: str = "noted",
    special: bool = True,
    started: datetime | None = None,
    **header: Any,
) -> int:
    """A participant's session with consent, screening, an event and answers; returns the session's id.

    `secret` stands in the event's, the screening's and the calibration's words.
    """
    with store.transaction() as s:
        row = s.scalar(select(StudyRow).where(StudyRow.name == study))
        if row is None:
            row = StudyRow(name=study, title=study.upper(), definition={})
            s.add(row)
            s.flush()
        person = s.scalar(select(Participant).where(Participant.code == code))
        if person is None:
            person = Participant(code=code)
            s.add(person)
            s.flush()
        times = {"started_at": started} if started else {}
        session = SessionRow(
            study_id=row.id,
            participant_id=person.id,
            kind=kind,
            status=status,
            language=language,
            calibration={"by": secret},
            **{"station": "x", "seed": 0, "versions": {}, **header, **times},
        )
        s.add(session)
        s.add(Consent(participant_id=person.id, study_id=row.id, text_sha256="0" * 64, special_categories=special))
        s.flush()
        s.add(Screening(session_id=session.id, test="huggins", passed=True, detail={"words": secret}))
        s.add(Event(session_id=session.id, name="start", at=0.25, detail={"words": secret}))
        for position, trial in enumerate(DEFAULT if asked is None else asked):
            planned = Trial(
                session_id=session.id,
                position=position,
                block=trial.block,
                taste=trial.taste,
                first_id=clip_id(s, row.id, trial.first),
                second_id=clip_id(s, row.id, trial.second),
                items=[*trial.answers, *trial.open],
            )
            s.add(planned)
            s.flush()
            s.add(Event(session_id=session.id, trial_id=planned.id, name="play", at=1.5, detail={"words": secret}))
            for item, (value, choice, seconds) in trial.answers.items():
                s.add(Response(trial_id=planned.id, item=item, value=value, choice=choice, response_time=seconds))
                s.flush()
        return int(session.id)
