"""Withdrawal from a study: a person's rows leave the database, a tombstone and the list of other places stay.

Deleting the rows and storing the list are one transaction, so that nothing that happens in between can lose either; what is
done at each place, and when, is `erasure`'s.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from experiment.data.connect import shown
from experiment.data.copies import known
from experiment.data.store import Store, alone
from experiment.data.tables import (
    Consent,
    Event,
    Participant,
    Place,
    Response,
    Screening,
    Seen,
    SessionRow,
    Sitting,
    StudyRow,
    Superseded,
    Tombstone,
    Trial,
    utc_now,
)
from experiment.data.tombstones import WITHDRAWN, Entry, entry_of, find, lay
from experiment.data.whose import find_person
from experiment.errors import ExperimentError


@dataclass(frozen=True)
class Withdrawn:
    """What a withdrawal did to the database.

    Attributes
    ----------
    study : str
        The study that the person withdrew from.
    sessions, answers : int
        Deleted now; 0 where an earlier call deleted them.
    elsewhere : list of str
        Studies that the same code took part in and that were not asked about: all of it stays there.
    tombstone : int
        Its row.
    since : datetime or None
        When an earlier call deleted the answers; None where this one did.
    """

    study: str
    sessions: int
    answers: int
    elsewhere: list[str]
    tombstone: int
    since: datetime | None = None


def withdraw(store: Store, code: str, study: str | None = None, places: Sequence[Place] = ()) -> Withdrawn:
    """Delete everything a participant answered to a study, and store where else something of it may lie.

    Parameters
    ----------
    study : str or None
        Its name; None where the code took part in one study alone.
    places : sequence of Place
        Where else something may lie that the database does not know of: what it knows (`copies`) is listed anyway.

    Raises
    ------
    ExperimentError
        If there is no such participant, if the code took part in several studies and none is named, or if all of it was done
        before.
    """

    def work(s: Session) -> Withdrawn:
        alone(s)
        person = find_person(s, code)
        took_part = _studies(s, person) if person is not None else {}
        left = {
            name: stone for name in _names(s) if (stone := find(s, name, code)) is not None and name not in took_part
        }
        if study is not None:
            took_part_here = {k: v for k, v in took_part.items() if k == study}
            left = {k: v for k, v in left.items() if k == study}
        else:
            took_part_here = took_part
        if len(took_part_here) > 1:
            raise ExperimentError(
                f"participant {code} took part in {', '.join(sorted(took_part_here))}; say which is asked for (--study FILE), "
                "once for each"
            )
        if not took_part_here:
            return _again(code, study, left, sorted(set(took_part) - {study}), shown(store.url))
        assert person is not None
        ((name, study_id),) = took_part_here.items()
        stone = lay(s, name, code, WITHDRAWN, _kinds(s, person, study_id))
        gone = erase(s, person, study_id, stone)
        listed = {(p.kind, p.path): p for p in [*places, *known(s, name)]}
        for p in listed.values():
            s.add(Place(tombstone_id=stone.id, kind=p.kind, path=p.path, mark=p.mark, machine=p.machine))
        return Withdrawn(name, *gone, sorted(set(took_part) - {name}), stone.id)

    return store.do(work)


def _again(code: str, study: str | None, left: dict[str, Tombstone], elsewhere: list[str], url: str) -> Withdrawn:
    """A withdrawal that began before and is not over."""
    open_ones = {name: stone for name, stone in left.items() if stone.done_at is None}
    if open_ones:
        name, stone = next(iter(open_ones.items()))
        return Withdrawn(name, 0, 0, elsewhere, stone.id, stone.at)
    if left:
        name, stone = next(iter(left.items()))
        if stone.outcome != WITHDRAWN:
            raise ExperimentError(
                f"participant {code} was not asked anything ({stone.outcome}); there is nothing to delete"
            )
        raise ExperimentError(
            f"participant {code} has already withdrawn from {name} ({stone.at:%Y-%m-%d}); all was done"
        )
    where = f"{url}" if study is None else f"study {study} of {url}"
    raise ExperimentError(f"participant {code} is not in {where}")


def _names(s: Session) -> list[str]:
    return list(s.scalars(select(StudyRow.name).order_by(StudyRow.id)))


def _studies(s: Session, person: Participant) -> dict[str, int]:
    """Studies of which something of a person is there: name and number."""
    sat = select(SessionRow.study_id).where(SessionRow.participant_id == person.id)
    agreed = select(Consent.study_id).where(Consent.participant_id == person.id)
    found = s.execute(select(StudyRow.name, StudyRow.id).where(StudyRow.id.in_(sat) | StudyRow.id.in_(agreed)))
    return {name: number for name, number in found}


def _kinds(s: Session, person: Participant, study_id: int) -> list[str]:
    query = select(SessionRow.kind).where(SessionRow.participant_id == person.id, SessionRow.study_id == study_id)
    return sorted(set(s.scalars(query)))


def studies_of(store: Store, code: str) -> list[str]:
    """Names of the studies a participant took part in."""
    with store.transaction() as s:
        person = find_person(s, code)
        return [] if person is None else sorted(_studies(s, person))


def erase(s: Session, person: Participant, study_id: int, stone: Tombstone) -> tuple[int, int]:
    """Delete what a person left in a study; returns how many sessions and answers.

    A session that runs meanwhile waits for its row, finds it withdrawn and writes nothing any more. Of the sessions there stays
    that they were, under a code made of the tombstone's hash; of the person nothing where there is no other study.
    """
    query = select(SessionRow).where(SessionRow.participant_id == person.id, SessionRow.study_id == study_id)
    sessions = list(s.scalars(query.order_by(SessionRow.id).with_for_update()))
    ids = [x.id for x in sessions]
    trials = list(s.scalars(select(Trial.id).where(Trial.session_id.in_(ids))))
    answers = len(list(s.scalars(select(Response.id).where(Response.trial_id.in_(trials)))))
    for table in (Response, Superseded):
        s.execute(delete(table).where(table.trial_id.in_(trials)))
    for of_session in (Event, Seen, Screening, Sitting, Trial):
        s.execute(delete(of_session).where(of_session.session_id.in_(ids)))
    s.execute(delete(Consent).where(Consent.participant_id == person.id, Consent.study_id == study_id))
    for row in sessions:
        row.status = stone.outcome
        row.calibration, row.overrides, row.versions = None, None, {}
        row.ended_at, row.alive_at, row.holder = None, None, None
    _without_code(s, person, sessions, f"{stone.outcome}-{stone.digest[:12]}", study_id)
    s.flush()
    return len(ids), answers


def _without_code(s: Session, person: Participant, sessions: list[SessionRow], made_up: str, study_id: int) -> None:
    """Put the shells of sessions under a made-up code; the person's own goes where no other study needs it."""
    others = s.scalar(
        select(SessionRow.id).where(SessionRow.participant_id == person.id, SessionRow.study_id != study_id).limit(1)
    )
    shell = s.scalar(select(Participant).where(Participant.code == made_up))
    if shell is None and others is None:
        person.code, person.norm, person.withdrawn_at = made_up, None, utc_now()
        return
    if shell is None:
        shell = Participant(code=made_up, withdrawn_at=utc_now())
        s.add(shell)
        s.flush()
        shell.norm = None
    for row in sessions:
        row.participant_id = shell.id
    s.flush()
    if others is None:
        s.execute(delete(Participant).where(Participant.id == person.id))


def _everybody(s: Session) -> list[tuple[int, str, str, int]]:
    """Who is in which study: the participant's number and code, the study's name and number."""
    query = select(Participant.id, Participant.code, StudyRow.name, StudyRow.id).where(
        Participant.withdrawn_at.is_(None)
    )
    found = set()
    for table in (SessionRow, Consent):
        joined = query.join(table, table.participant_id == Participant.id).join(StudyRow, StudyRow.id == table.study_id)
        found |= {(int(a), str(b), str(c), int(d)) for a, b, c, d in s.execute(joined.distinct())}
    return sorted(found)


def bury(store: Store, entries: Iterable[Entry]) -> tuple[int, list[int]]:
    """Leave out of a database whoever has one of these tombstones, and keep them in it, so that no code is used again.

    Returns
    -------
    int
        How many people were left out of a study.
    list of int
        Tombstones that were not there before.
    """
    given = list(entries)

    def work(s: Session) -> tuple[int, list[int]]:
        alone(s)
        known = {row.digest: row for row in s.scalars(select(Tombstone))}
        new = []
        for e in given:
            if e.digest not in known:
                row = Tombstone(study=e.study, outcome=WITHDRAWN, key=e.key, digest=e.digest, kinds=[], at=e.at)
                row.done_at = utc_now()
                s.add(row)
                s.flush()
                known[e.digest] = row
                new.append(row.id)
        left_out = 0
        stones = [(entry_of(row), row) for row in known.values() if row.outcome == WITHDRAWN]
        for number, code, name, study_id in _everybody(s) if stones else []:
            stone = next((row for e, row in stones if e.means(name, code)), None)
            if stone is not None:
                person = s.get_one(Participant, number)
                stone.kinds = sorted({*stone.kinds, *_kinds(s, person, study_id)})
                erase(s, person, study_id, stone)
                left_out += 1
        return left_out, new

    return store.do(work)
