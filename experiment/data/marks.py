"""What is marked of how people attended and heard: it stands beside their answers wherever these go, and leaves none of them out."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pydantic import ValidationError
from sqlalchemy import Connection, func, select

from experiment.config import stored_config
from experiment.data.tables import Event, Response, Screening, SessionRow, StudyRow, Trial
from experiment.headphones import PROOF
from experiment.tasks import attention
from experiment.tasks.task import ATTENTION


@dataclass(frozen=True)
class Marking:
    """How answers of one study are marked: on which scale an end was asked for, and how fast is too fast (s; None: not said)."""

    task: attention.Scaled | None = None
    fastest: float | None = None

    def attended(self, block: str, item: str, value: float | None) -> bool | None:
        """Whether an answer is the end of the scale that was asked for; None of other questions."""
        if block != ATTENTION or self.task is None:
            return None
        return value == attention.right(item, self.task)

    def fast(self, seconds: float | None) -> bool:
        """Whether an answer came sooner than it can have been read."""
        return self.fastest is not None and seconds is not None and seconds < self.fastest


def marking(definition: dict[str, Any]) -> Marking:
    """How a stored study marks; what an older version stored, and this one can't read, marks nothing."""
    try:
        config = stored_config(definition)
    except ValidationError:
        return Marking()
    return Marking(attention.scaled(config.sequence()), config.attention.fastest)


def screened(outcomes: Iterable[tuple[str, bool]]) -> str:
    """The checks of one session in words, e.g. ``sides: passed; huggins: failed; tones: 2 of 3``; of one made twice the last counts."""
    passed: dict[str, bool] = {}
    proofs: list[bool] = []
    for test, good in outcomes:
        if test == PROOF:
            proofs.append(good)
        else:
            passed[test] = good
    said = [f"{test}: {'passed' if good else 'failed'}" for test, good in passed.items()]
    return "; ".join([*said, *([f"{PROOF}: {sum(proofs)} of {len(proofs)}"] if proofs else [])])


def screenings(connection: Connection, study: str | None = None) -> dict[int, str]:
    """The checks of each session that had any, in words."""
    query = _of(study, select(Screening.session_id, Screening.test, Screening.passed), Screening.session_id)
    found: dict[int, list[tuple[str, bool]]] = defaultdict(list)
    for session, test, good in connection.execute(query.order_by(Screening.id)):
        found[session].append((test, good))
    return {session: screened(some) for session, some in found.items()}


def of_sessions(connection: Connection, study: str | None = None) -> dict[int, str]:
    """What is marked of each session, in words; sessions of which nothing is are not there."""
    said: dict[int, list[str]] = defaultdict(list)
    ways = {name: marking(told or {}) for name, told in connection.execute(select(StudyRow.name, StudyRow.definition))}
    asked, right, fast = Counter[int](), Counter[int](), Counter[int]()
    if any(way.fastest is not None for way in ways.values()) or _any(connection, Trial.block == ATTENTION):
        given = select(
            Trial.session_id, StudyRow.name, Trial.block, Response.item, Response.value, Response.response_time
        ).join(Response, Response.trial_id == Trial.id)
        for session, name, block, item, value, seconds in connection.execute(_of(study, given, Trial.session_id)):
            good = ways[name].attended(block, item, value)
            asked[session] += good is not None
            right[session] += bool(good)
            fast[session] += ways[name].fast(seconds)
    for session in sorted(asked):
        if asked[session]:
            said[session].append(f"attention: {right[session]} of {asked[session]}")
    for session, words in screenings(connection, study).items():
        said[session].append(words)
    for session in sorted(fast):
        if fast[session]:
            said[session].append(f"fast: {fast[session]}")
    gone = select(Event.session_id, func.count()).where(Event.name == "left").group_by(Event.session_id)
    for session, n in connection.execute(_of(study, gone, Event.session_id)):
        said[session].append(f"left: {n}")
    return {session: "; ".join(some) for session, some in said.items()}


def _any(connection: Connection, condition: Any) -> bool:
    return connection.execute(select(Trial.id).where(condition).limit(1)).first() is not None


def _of(study: str | None, query: Any, session: Any) -> Any:
    """A query of sessions' rows, for one study or all."""
    query = query.join(SessionRow, SessionRow.id == session).join(StudyRow, StudyRow.id == SessionRow.study_id)
    return query if study is None else query.where(StudyRow.name == study)
