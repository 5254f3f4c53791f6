"""What leaves the database: one tidy table of answers, which every format writes.

Codes never leave; participants are numbered anew in each export. Special-category answers (ethnicity, impairments) stay
behind, and so does free text, unless it is asked for; ages are banded, and a withdrawn person is in none of them.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import case, func, select

from experiment.data.ages import age_band
from experiment.data.marks import Marking, marking, screenings
from experiment.data.store import Store
from experiment.data.tables import Response, SessionRow, Stimulus, Trial
from experiment.design import SPECIAL
from experiment.tasks.task import ATTENTION
from stimuli.names import told

ANSWERED = ("complete", "stopped", "running")  # of other sessions nothing is kept
AT_ONCE = 50  # sessions, or people, whose answers are read at once
SMALL_CELL = 5  # an age band or answer that fewer people share is flagged before the data is published
MEANINGS = {
    "participant": "number within this export, in order of first session; not the code",
    "kind": "person, pilot (tried the study: no data), driven (test on a virtual desk), bot (simulated) or imported",
    "status": "complete, stopped or running",
    "language": "language of the session",
    "block": "demographics, preference, ratings or another questionnaire of the study",
    "trial": "position of the trial in the session, from 0",
    "taste": "taste asked about (preference) or prompted (ratings; not shown to the participant)",
    "first_clip": "clip heard first",
    "second_clip": "clip heard second (preference only)",
    "first_model": "condition of the first clip, as the study file names it",
    "item": "what was asked: preference, an adjective, or a question (age in bands)",
    "value": "number on the item's scale; preference: low = first clip, high = second clip",
    "choice": "option chosen; of several, those chosen with ; between them",
    "response_time": "seconds from the question to the answer, monotonic clock",
}
COLUMNS = tuple(MEANINGS)
# Columns of studies whose clips have names that tell nothing, and of those that have groups or hidden repeats.
MORE = {
    "first": "what the first clip is: taste, condition, number; or its track (where the clip's name does not tell)",
    "second": "what the second clip is",
    "group": "group of the session",
    "attention": "right or wrong, of a question that asks for one end of the scale; nothing is left out for it",
    "fast": "yes: the answer took less than the study says that reading takes",
    "screening": "checks of ears and of listening in the session, and whether they were passed",
    "repeated": "yes: the clip or pair was heard and answered for before, in the same block of the session",
}
SAID = "said"
FREE = {SAID: "free text as it was typed, which may tell who somebody is"}
FORMULA = ("=", "+", "-", "@", "\t")
UNITS = {"response_time": "s"}
NUMBERS = ("participant", "trial", "value", "response_time")


@dataclass(frozen=True)
class Tidy:
    """A study's answers as they may leave the database, read as they are written: never all of them at once.

    Attributes
    ----------
    answers, participants : int
        How many rows and people there are.
    small_cells : list of str
        Answers that fewer than `SMALL_CELL` people share.
    more : tuple of str
        Columns of `MORE` that this study has, and `SAID` where free text leaves too.
    read : callable
        Rows of some sessions, given their numbers in order.
    sessions : dict of int to list of int
        Sessions by participant's number.
    """

    study: str
    title: str
    answers: int
    participants: int
    small_cells: list[str]
    more: tuple[str, ...]
    read: Callable[[Sequence[int]], list[dict[str, Any]]]
    sessions: dict[int, list[int]]

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table: `COLUMNS`, and `more`."""
        return (*COLUMNS, *self.more)

    @property
    def meanings(self) -> dict[str, str]:
        """What each column means."""
        return {c: (MEANINGS | MORE | FREE)[c] for c in self.columns}

    def parts(self) -> Iterator[list[dict[str, Any]]]:
        """All rows in the order of the sessions, some sessions at a time."""
        every = sorted(number for own in self.sessions.values() for number in own)
        for k in range(0, len(every), AT_ONCE):
            yield self.read(every[k : k + AT_ONCE])

    def by_person(self) -> Iterator[tuple[int, list[dict[str, Any]]]]:
        """Rows of each participant, by number."""
        numbers = sorted(self.sessions)
        for k in range(0, len(numbers), AT_ONCE):
            some = numbers[k : k + AT_ONCE]
            rows: dict[int, list[dict[str, Any]]] = {number: [] for number in some}
            for row in self.read(sorted(x for number in some for x in self.sessions[number])):
                rows[row["participant"]].append(row)
            yield from rows.items()

    @property
    def rows(self) -> list[dict[str, Any]]:
        """All rows at once, of a study that is small enough."""
        return [row for part in self.parts() for row in part]

    def people(self) -> dict[int, list[dict[str, Any]]]:
        """All rows at once, by participant."""
        return dict(self.by_person())


def tidy(store: Store, study: str, free: bool = False) -> Tidy:
    """A study's answers up to now; what is answered while they are written is left for the next time.

    Free text leaves where it is asked for (`free`) alone; else its answers stand there without a word of it.
    """
    row = store.study(study)
    of_study = (SessionRow.study_id == row.id, SessionRow.status.in_(ANSWERED))
    with store.transaction() as s:
        last = s.scalar(select(func.max(Response.id))) or 0
        may_leave = (Response.id <= last, Response.item.not_in(SPECIAL))
        given = (
            select(
                SessionRow.id,
                SessionRow.participant_id,
                SessionRow.group_name,
                func.count(),
                _any(Trial.repeated),
                _any(Trial.block == ATTENTION),
            )
            .join(Trial, Trial.session_id == SessionRow.id)
            .join(Response, Response.trial_id == Trial.id)
            .where(*of_study, *may_leave)
            .group_by(SessionRow.id)
            .order_by(SessionRow.id)
        )
        found = s.execute(given).all()
        numbers: dict[int, int] = {}
        sessions: dict[int, list[int]] = {}
        for session, person, *_ in found:
            sessions.setdefault(numbers.setdefault(person, len(numbers) + 1), []).append(session)
        demographic = (
            select(SessionRow.participant_id, SessionRow.kind, Response.item, Response.choice, Response.value)
            .join(Trial, Trial.session_id == SessionRow.id)
            .join(Response, Response.trial_id == Trial.id)
            .where(*of_study, *may_leave, Trial.block == "demographics")
        )
        cells = _small_cells(tuple(r) for r in s.execute(demographic))
        clips = {c.id: c for c in s.scalars(select(Stimulus).where(Stimulus.study_id == row.id))}
        answered = select(Trial.first_id, Trial.second_id).join(SessionRow, SessionRow.id == Trial.session_id)
        heard = s.execute(
            answered.join(Response, Response.trial_id == Trial.id).where(*of_study, *may_leave).distinct()
        ).all()
    marks = marking(row.definition)
    with store.engine.connect() as connection:
        checked = screenings(connection, study)
    there = {
        "first": any(_told(clips.get(first or 0)) for first, _ in heard),
        "second": any(_told(clips.get(second or 0)) for _, second in heard),
        "group": any(r[2] is not None for r in found),
        "repeated": any(r[4] for r in found),
        "attention": any(r[5] for r in found),
        "fast": marks.fastest is not None,
        "screening": bool({r[0] for r in found} & set(checked)),
    }
    more = (*(c for c in MORE if there[c]), *((SAID,) if free else ()))

    def read(some: Sequence[int]) -> list[dict[str, Any]]:
        query = (
            select(
                SessionRow.id, SessionRow.participant_id, SessionRow.kind, SessionRow.status, SessionRow.language,
                SessionRow.group_name, Trial.block, Trial.position, Trial.taste, Trial.first_id, Trial.second_id, Trial.repeated,
                Response.item, Response.value, Response.choice, Response.response_time,
                *((Response.said,) if free else ()),
            )
            .join(Trial, Trial.session_id == SessionRow.id)
            .join(Response, Response.trial_id == Trial.id)
            .where(SessionRow.id.in_(some), *of_study, *may_leave)
            .order_by(SessionRow.id, Trial.position, Response.id)
        )  # fmt: skip
        with store.engine.connect() as connection:
            return [_row(r, numbers, clips, more, marks, checked) for r in connection.execute(query)]

    return Tidy(study, row.title, sum(r[3] for r in found), len(numbers), cells, more, read, sessions)


def _told(clip: Stimulus | None) -> str | None:
    """What a clip is, where its name does not say it."""
    if clip is None:
        return None
    found = told(clip.clip, clip.model, clip.taste, clip.number, clip.prompt or "")
    return None if found == clip.clip else found


def _any(condition: Any) -> Any:
    return func.max(case((condition, 1), else_=0))


def _row(
    r: Any,
    numbers: dict[int, int],
    clips: dict[int, Stimulus],
    more: Sequence[str],
    marks: Marking,
    checked: dict[int, str],
) -> dict[str, Any]:
    """One answer as it may leave: the participant's number, ages in bands."""
    first, second = clips.get(r.first_id or 0), clips.get(r.second_id or 0)
    value: float | None = r.value
    choice: str | None = r.choice
    if r.item == "age" and r.value is not None:
        value, choice = None, age_band(r.value)
    row = {
        "participant": numbers[r.participant_id],
        "kind": r.kind,
        "status": r.status,
        "language": r.language,
        "block": r.block,
        "trial": r.position,
        "taste": r.taste,
        "first_clip": first.clip if first else None,
        "second_clip": second.clip if second else None,
        "first_model": first.model if first else None,
        "item": r.item,
        "value": value,
        "choice": choice,
        "response_time": r.response_time,
    }
    others = {
        "first": _told(first),
        "second": _told(second),
        "group": r.group_name,
        "repeated": "yes" if r.repeated else None,
        "attention": {None: None, True: "right", False: "wrong"}[marks.attended(r.block, r.item, r.value)],
        "fast": "yes" if marks.fast(r.response_time) else None,
        "screening": checked.get(r.id),
        SAID: r.said if SAID in more else None,
    }
    return row | {c: others[c] for c in more}


def _small_cells(answers: Iterable[tuple[Any, ...]]) -> list[str]:
    """Options of demographic questions that fewer than `SMALL_CELL` people of one kind chose."""
    people: dict[tuple[str, str, str], set[int]] = {}
    for person, kind, item, choice, value in answers:
        said = age_band(value) if item == "age" and value is not None else choice
        if said is not None and kind in ("person", "imported"):
            people.setdefault((kind, item, said), set()).add(person)
    cells = sorted((cell, len(who)) for cell, who in people.items())
    return [f"{item} = {choice}: {n}" for (_, item, choice), n in cells if n < SMALL_CELL]


def table(
    rows: Sequence[dict[str, Any]], columns: tuple[str, ...] = COLUMNS, delimiter: str = ",", header: bool = True
) -> str:
    """Rows as CSV or TSV text; BIDS writes a missing value as ``n/a``, CSV leaves it empty."""
    out = io.StringIO()
    writer = csv.DictWriter(
        out, columns, delimiter=delimiter, lineterminator="\n", restval="n/a" if delimiter == "\t" else ""
    )
    if header:
        writer.writeheader()
    for row in rows:
        kept = {k: _no_formula(v) for k, v in row.items() if k in columns}
        writer.writerow({k: v for k, v in kept.items() if v is not None} if delimiter == "\t" else kept)
    return out.getvalue()


def _no_formula(value: Any) -> Any:
    """A text that a spreadsheet would run, as text: an apostrophe stands before it; none breaks its line."""
    if not isinstance(value, str):
        return value
    value = value.replace("\r", " ")
    return f"'{value}" if value.startswith(FORMULA) else value


def dump(value: Any) -> str:
    """JSON text."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
