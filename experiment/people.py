"""Withdrawal and export: what leaves the database, and what never does."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path
from typing import Any

from sqlalchemy import delete, select

from experiment.database import (
    Consent,
    Event,
    Participant,
    Response,
    Screening,
    SessionRow,
    Stimulus,
    StudyRow,
    Trial,
    utc_now,
)
from experiment.design import SPECIAL
from experiment.errors import ExperimentError
from experiment.store import Store

AGE_BANDS = ((0, 17), (18, 24), (25, 34), (35, 44), (45, 54), (55, 64), (65, 120))
COLUMNS = (
    "participant",
    "kind",
    "status",
    "language",
    "block",
    "trial",
    "taste",
    "first_clip",
    "second_clip",
    "first_model",
    "item",
    "value",
    "choice",
    "response_time",
)
MEANINGS = {
    "participant": "number within this export, in order of first session; not the code",
    "kind": "person, driven (test on a virtual desk), bot (simulated) or imported",
    "status": "complete, stopped or running",
    "language": "language of the session",
    "block": "demographics, preference or ratings",
    "trial": "position of the trial in the session, from 0",
    "taste": "taste asked about (preference) or prompted (ratings; not shown to the participant)",
    "first_clip": "clip heard first",
    "second_clip": "clip heard second (preference only)",
    "first_model": "model of the first clip: base, finetuned or given",
    "item": "what was asked: preference, an adjective, or a demographic question (age in bands)",
    "value": "number on the item's scale; preference: low = first clip, high = second clip",
    "choice": "option chosen",
    "response_time": "seconds from the question to the answer, monotonic clock",
}


def withdraw(store: Store, code: str) -> dict[str, int]:
    """Delete everything a participant answered; a tombstone (code and time) stays. Returns how much was deleted.

    Raises
    ------
    ExperimentError
        If there is no such participant, or it has withdrawn before.
    """
    with store.transaction() as s:
        person = s.scalar(select(Participant).where(Participant.code == code))
        if person is None:
            raise ExperimentError(f"participant {code} is not in {store.url}")
        if person.withdrawn_at is not None:
            raise ExperimentError(f"participant {code} has already withdrawn ({person.withdrawn_at:%Y-%m-%d})")
        sessions = list(s.scalars(select(SessionRow).where(SessionRow.participant_id == person.id)))
        ids = [x.id for x in sessions]
        trials = list(s.scalars(select(Trial.id).where(Trial.session_id.in_(ids))))
        answers = len(list(s.scalars(select(Response.id).where(Response.trial_id.in_(trials)))))
        s.execute(delete(Response).where(Response.trial_id.in_(trials)))
        s.execute(delete(Event).where(Event.session_id.in_(ids)))
        s.execute(delete(Screening).where(Screening.session_id.in_(ids)))
        s.execute(delete(Trial).where(Trial.session_id.in_(ids)))
        s.execute(delete(Consent).where(Consent.participant_id == person.id))
        for row in sessions:
            row.status = "withdrawn"
            row.calibration = None
            row.ended_at = None
        person.withdrawn_at = utc_now()
    return {"sessions": len(ids), "answers": answers}


def export_csv(store: Store, study: str, out: Path) -> tuple[Path, int]:
    """Write all answers of a study as one tidy CSV with a data dictionary beside it (JSON).

    Special-category answers are left out and ages are banded; codes never leave the database.
    """
    row = store.study(study)
    rows: list[dict[str, Any]] = []
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
        numbers: dict[int, int] = {}
        for session, trial, response in s.execute(query):
            if response.item in SPECIAL:
                continue
            number = numbers.setdefault(session.participant_id, len(numbers) + 1)
            first, second = clips.get(trial.first_id or 0), clips.get(trial.second_id or 0)
            value, choice = response.value, response.choice
            if response.item == "age" and value is not None:
                band = next((b for b in AGE_BANDS if b[0] <= value <= b[1]), AGE_BANDS[-1])
                value, choice = None, f"{band[0]}-{band[1]}"
            rows.append(
                {
                    "participant": number,
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
                }
            )
    out.mkdir(parents=True, exist_ok=True)
    path = out / f"{study}.csv"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    with partial.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)
    os.replace(partial, path)
    (out / f"{study}.json").write_text(json.dumps({"columns": MEANINGS}, indent=2) + "\n", encoding="utf-8")
    return path, len(rows)
