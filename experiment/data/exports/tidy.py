"""What leaves the database: one tidy table of answers, which every format writes.

Codes never leave; participants are numbered anew in each export. Special-category answers (ethnicity, impairments) stay
behind, ages are banded, and a withdrawn person is in none of them.
"""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select

from experiment.data.ages import age_band
from experiment.data.store import Store
from experiment.data.tables import Response, SessionRow, Stimulus, StudyRow, Trial
from experiment.design import SPECIAL
from stimuli.names import told

SMALL_CELL = 5  # an age band or answer that fewer people share is flagged before the data is published
MEANINGS = {
    "participant": "number within this export, in order of first session; not the code",
    "kind": "person, driven (test on a virtual desk), bot (simulated) or imported",
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
    "choice": "option chosen",
    "response_time": "seconds from the question to the answer, monotonic clock",
}
COLUMNS = tuple(MEANINGS)
# Columns of studies whose clips have names that tell nothing, and of those that have groups or hidden repeats.
MORE = {
    "first": "what the first clip is: taste, condition, number; or its track (where the clip's name does not tell)",
    "second": "what the second clip is",
    "group": "group of the session",
    "repeated": "yes: the clip or pair was heard and answered for before, in the same block of the session",
}
UNITS = {"response_time": "s"}
NUMBERS = ("participant", "trial", "value", "response_time")


@dataclass(frozen=True)
class Tidy:
    """A study's answers, one row each in the order given, with what describes them."""

    study: str
    title: str
    rows: list[dict[str, Any]]
    small_cells: list[str]
    more: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns of the table: `COLUMNS`, and those of `MORE` that this study has."""
        return (*COLUMNS, *self.more)

    @property
    def meanings(self) -> dict[str, str]:
        """What each column means."""
        return {c: MEANINGS.get(c) or MORE[c] for c in self.columns}

    def people(self) -> dict[int, list[dict[str, Any]]]:
        """Rows by participant."""
        found: dict[int, list[dict[str, Any]]] = {}
        for row in self.rows:
            found.setdefault(row["participant"], []).append(row)
        return found


def tidy(store: Store, study: str) -> Tidy:
    """Read a study's answers as they may leave the database."""
    row = store.study(study)
    rows: list[dict[str, Any]] = []
    numbers: dict[int, int] = {}
    with store.transaction() as s:
        clips = {c.id: c for c in s.scalars(select(Stimulus).where(Stimulus.study_id == row.id))}
        query = (
            select(SessionRow, Trial, Response)
            .join(Trial, Trial.session_id == SessionRow.id)
            .join(Response, Response.trial_id == Trial.id)
            .join(StudyRow, StudyRow.id == SessionRow.study_id)
            .where(StudyRow.name == study, SessionRow.status != "withdrawn")
            .order_by(SessionRow.id, Trial.position, Response.id)
        )
        for session, trial, response in s.execute(query):
            if response.item in SPECIAL:
                continue
            first, second = clips.get(trial.first_id or 0), clips.get(trial.second_id or 0)
            value: float | None = response.value
            choice: str | None = response.choice
            if response.item == "age" and response.value is not None:
                value, choice = None, age_band(response.value)
            rows.append(
                {
                    "participant": numbers.setdefault(session.participant_id, len(numbers) + 1),
                    "kind": session.kind,
                    "status": session.status,
                    "language": session.language,
                    "block": trial.block,
                    "trial": trial.position,
                    "taste": trial.taste,
                    "first_clip": first.clip if first else None,
                    "second_clip": second.clip if second else None,
                    "first_model": first.model if first else None,
                    "item": response.item,
                    "value": value,
                    "choice": choice,
                    "response_time": response.response_time,
                    "first": _told(first),
                    "second": _told(second),
                    "group": session.group_name,
                    "repeated": "yes" if trial.repeated else None,
                }
            )
    more = tuple(c for c in MORE if any(r[c] is not None for r in rows))
    for r in rows:
        for c in MORE:
            if c not in more:
                del r[c]
    return Tidy(study, row.title, rows, _small_cells(rows), more)


def _told(clip: Stimulus | None) -> str | None:
    """What a clip is, where its name does not say it."""
    if clip is None:
        return None
    found = told(clip.clip, clip.model, clip.taste, clip.number, clip.prompt or "")
    return None if found == clip.clip else found


def _small_cells(rows: list[dict[str, Any]]) -> list[str]:
    """Options of demographic questions that fewer than `SMALL_CELL` people of one kind chose."""
    people: dict[tuple[str, str, str], set[int]] = {}
    for r in rows:
        if r["block"] == "demographics" and r["choice"] is not None and r["kind"] in ("person", "imported"):
            people.setdefault((r["kind"], r["item"], r["choice"]), set()).add(r["participant"])
    cells = sorted((cell, len(who)) for cell, who in people.items())
    return [f"{item} = {choice}: {n}" for (_, item, choice), n in cells if n < SMALL_CELL]


def table(rows: list[dict[str, Any]], columns: tuple[str, ...] = COLUMNS, delimiter: str = ",") -> str:
    """Rows as CSV or TSV text; BIDS writes a missing value as ``n/a``, CSV leaves it empty."""
    out = io.StringIO()
    writer = csv.DictWriter(
        out, columns, delimiter=delimiter, lineterminator="\n", restval="n/a" if delimiter == "\t" else ""
    )
    writer.writeheader()
    for row in rows:
        kept = {k: v for k, v in row.items() if k in columns}
        writer.writerow({k: v for k, v in kept.items() if v is not None} if delimiter == "\t" else kept)
    return out.getvalue()


def dump(value: Any) -> str:
    """JSON text."""
    return json.dumps(value, indent=2, ensure_ascii=False) + "\n"
