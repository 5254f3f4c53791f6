"""Enter what somebody else's file says as sessions: many in a transaction, each once, none of who withdrew since."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from experiment.data.known import Known
from experiment.data.store import Store, alone
from experiment.data.tables import Participant, Response, SessionRow, Stimulus, StudyRow, Tombstone, Trial, utc_now
from experiment.data.tombstones import EVERY, entry_of
from models.conditions import GIVEN
from stimuli.names import told

Row = dict[str | Any, Any]  # a line of a CSV: by column; what csv.DictReader has no column for stands under None
BATCH = 200  # people a transaction
OTHERWISE = "the same participant is there with other answers"


@dataclass
class PlannedRow:
    """One trial as a file tells of it: clips by their names, and the answers by item (value, choice)."""

    block: str
    taste: str | None
    first: str | None
    second: str | None
    answers: dict[str, tuple[float | None, str | None]]


@dataclass(frozen=True)
class _Person:
    line: int
    known: Known
    plan: list[PlannedRow]
    complete: bool

    @property
    def answers(self) -> int:
        return sum(len(p.answers) for p in self.plan)


class Entering:
    """People of one file on their way into a study.

    Parameters
    ----------
    language : str
        In which they were asked.
    """

    def __init__(self, store: Store, study_id: int, language: str):
        self.store, self.study_id, self.language = store, study_id, language
        self._waiting: list[_Person] = []
        self._became: list[tuple[int, int, str]] = []

    def add(self, line: int, known: Known, plan: list[PlannedRow], complete: bool) -> None:
        """Enter a person by the next transaction, unless they are there."""
        self._waiting.append(_Person(line, known, plan, complete))
        if len(self._waiting) == BATCH:
            self._write()

    def done(self) -> list[tuple[int, int, str]]:
        """Line and answers of each, and what became of them: ``imported``, ``already``, ``withdrawn``, or why not."""
        self._write()
        return self._became

    def _write(self) -> None:
        people, self._waiting = self._waiting, []
        if people:
            self._became += self.store.do(lambda s: self._enter(s, people))

    def _enter(self, s: Session, people: list[_Person]) -> list[tuple[int, int, str]]:
        alone(s)
        name = s.get_one(StudyRow, self.study_id).name
        stones = [entry_of(x) for x in s.scalars(select(Tombstone).where(Tombstone.study.in_((name, EVERY))))]
        there: dict[str, str | None] = {
            code: (versions or {}).get("row_sha256")
            for code, versions in s.execute(
                select(Participant.code, SessionRow.versions)
                .join(SessionRow, SessionRow.participant_id == Participant.id)
                .where(Participant.code.in_([code for p in people for code in p.known.codes]))
            )
        }
        clips = {
            told(c.clip, c.model, c.taste, c.number, c.prompt or ""): c.id
            for c in s.scalars(select(Stimulus).where(Stimulus.study_id == self.study_id))
        }
        became, new = [], []
        for person in people:
            codes, said = person.known.codes, person.known.said
            if any(e.means(name, code) for e in stones for code in codes):
                became.append((person.line, 0, "withdrawn"))
            elif met := [there[code] for code in codes if code in there]:
                same = any(x in (None, *said) for x in met)  # older versions did not note what the row said
                became.append((person.line, 0, "already" if same else OTHERWISE))
            else:
                new.append(person)
                there[codes[0]] = said[0]
                became.append((person.line, person.answers, "imported"))
        self._all(s, new, clips)
        return became

    def _all(self, s: Session, people: list[_Person], clips: dict[str, int]) -> None:
        """Enter people at once: each table is written once, in the order of the file."""
        found: dict[str, Stimulus] = {}
        for trial in [t for p in people for t in p.plan]:
            for name in (trial.first, trial.second):
                if name is not None and name not in clips and name not in found:
                    found[name] = Stimulus(study_id=self.study_id, **_clip(name, trial))
        s.add_all(found.values())
        rows = [Participant(code=person.known.codes[0]) for person in people]
        s.add_all(rows)
        s.flush()
        clips = clips | {name: clip.id for name, clip in found.items()}
        sessions = [
            SessionRow(
                study_id=self.study_id,
                participant_id=row.id,
                kind="imported",
                status="complete" if person.complete else "stopped",
                station="import",
                language=self.language,
                design_row=None,
                seed=0,
                versions={"row_sha256": person.known.said[0]},
                ended_at=utc_now(),
            )
            for person, row in zip(people, rows, strict=True)
        ]
        s.add_all(sessions)
        s.flush()
        planned = [
            (trial, {
                "session_id": session.id,
                "position": position,
                "block": trial.block,
                "taste": trial.taste,
                "first_id": clips[trial.first] if trial.first else None,
                "second_id": clips[trial.second] if trial.second else None,
                "items": list(trial.answers),
            })
            for person, session in zip(people, sessions, strict=True)
            for position, trial in enumerate(person.plan)
        ]  # fmt: skip
        if not planned:
            return
        made = s.scalars(insert(Trial).returning(Trial.id, sort_by_parameter_order=True), [row for _, row in planned])
        at = utc_now()
        answers = [
            {"trial_id": number, "item": item, "value": value, "choice": choice, "answered_at": at}
            for number, (trial, _) in zip(made.all(), planned, strict=True)
            for item, (value, choice) in trial.answers.items()
        ]
        s.execute(insert(Response), answers)


def _clip(name: str, trial: PlannedRow) -> dict[str, Any]:
    if name == trial.taste:  # a track, whatever it is called
        return {"clip": name, "taste": name, "model": GIVEN, "number": 0}
    # Tastes and conditions may have a '-' in their names.
    taste = trial.taste or ""
    condition, number = name.removeprefix(f"{taste}-").rsplit("-", 1)
    return {"clip": name, "taste": taste, "model": condition, "number": int(number)}
