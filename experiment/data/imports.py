"""Read survey files of PsyToolkit (wide CSV) into participants.db: every row is imported, or listed with the reason.

The seed study's file: per person the tastes drawn (`random_taste_label_k_1`), the model of the left clip
(`rng_model_label_k_1`), the slider (`task1_k_1`), clip numbers, twelve ratings for each of three clips
(`task_2_j_i`), and demographics. The follow-up's: one column per track and adjective (`<track>_<i>`), declared in the
study file's `[experiment.psytoolkit]`.
"""

from __future__ import annotations

import csv
import hashlib
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from sqlalchemy import select

from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow, Stimulus, Trial, utc_now
from experiment.errors import ExperimentError
from experiment.first_design import REUSED_TRIALS
from experiment.tasks.preference import ITEM, PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import DEMOGRAPHICS
from models.conditions import GIVEN
from stimuli.names import told

CODES: dict[str, dict[str, str]] = {
    "sex": {"1": "male", "2": "female", "3": "other", "4": "not_said"},
    "hearing_experience": {"1": "professional", "2": "amateur", "3": "none"},
    "eating_experience": {"1": "professional", "2": "amateur", "3": "none"},
    "hearing_impairments": {"1": "yes", "2": "no"},
    "taste_impairments": {"1": "yes", "2": "no"},
    "device": {"1": "headphones", "2": "speakers", "3": "hifi", "4": "other"},
}
COLUMNS = {"sex": ("anagrafica", "gender"), "ethnicity": ("etnia", "ethnicity")}
REUSED_CLIPS = (4, 5, 1)  # random numbers that the clips of task 2 come from, in the order of REUSED_TRIALS
CLIPS = 25


@dataclass
class ImportReport:
    """What became of each row: imported, or skipped with the reason (by line number, never by content)."""

    imported: int = 0
    answers: int = 0
    already: int = 0
    skipped: list[tuple[int, str]] = field(default_factory=list)


@dataclass
class _Planned:
    block: str
    taste: str | None
    first: str | None
    second: str | None
    answers: dict[str, tuple[float | None, str | None]]


def read_rows(path: Path) -> list[dict[str, str]]:
    """Read a CSV with a header line.

    Raises
    ------
    ExperimentError
        If it is missing, empty or not text.
    """
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            rows = list(csv.DictReader(file, restval=""))
    except FileNotFoundError:
        raise ExperimentError(f"survey file {path} does not exist") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ExperimentError(f"survey file {path} is not a CSV in UTF-8: {error}") from None
    if not rows:
        raise ExperimentError(f"survey file {path} has no rows")
    return rows


def import_psytoolkit(
    store: Store,
    study_id: int,
    config: ExperimentConfig,
    path: Path,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Import a survey file; rows that an earlier call imported are recognised and left alone.

    Raises
    ------
    ExperimentError
        If the columns are neither the seed study's nor those that the study file declares.
    """
    rows = read_rows(path)
    header = set(rows[0])
    parse: Callable[[dict[str, str]], list[_Planned]]
    if "random_taste_label_1_1" in header:
        parse = partial(_seed_row, config=config)
    elif config.psytoolkit is not None:
        tracks = _tracks(header, config.psytoolkit.items)
        parse = partial(_wide_row, tracks=tracks, config=config)
    else:
        raise ExperimentError(
            f"{path}: no column random_taste_label_1_1 (the seed study's format), and the study file declares no "
            "[experiment.psytoolkit] items"
        )
    report = ImportReport()
    for i, row in enumerate(rows):
        line = i + 2
        try:
            plan = parse(row)
        except ValueError as error:
            report.skipped.append((line, str(error)))
            continue
        answers = sum(len(p.answers) for p in plan)
        if not answers:
            report.skipped.append((line, "no answers"))
            continue
        # A code that tells nothing, the same for the same row of the same file.
        name = row.get("participant") or f"{path.name}:{line}"
        code = "imp-" + hashlib.sha256(f"{study_id}/{name}".encode()).hexdigest()[:12]
        if _write(store, study_id, code, plan):
            report.imported += 1
            report.answers += answers
        else:
            report.already += 1
        if progress:
            progress(i + 1, len(rows))
    return report


def _tracks(header: set[str], items: list[str]) -> list[str]:
    names = sorted({c.rsplit("_", 1)[0] for c in header if c.rsplit("_", 1)[-1] == "1"})
    tracks = [n for n in names if all(f"{n}_{k + 1}" in header for k in range(len(items)))]
    if not tracks:
        raise ExperimentError(f"no columns <track>_1 .. <track>_{len(items)} are in the file")
    return tracks


def _number(text: str | None, low: float, high: float, what: str) -> float | None:
    if text is None or text.strip() == "":
        return None
    try:
        value = float(text)
    except ValueError:
        raise ValueError(f"{what} is not a number") from None
    if not low <= value <= high:
        raise ValueError(f"{what} is outside {low:g}-{high:g}")
    return value


def _demographics(row: dict[str, str]) -> _Planned:
    answers: dict[str, tuple[float | None, str | None]] = {}
    for item in DEMOGRAPHICS:
        names = [n for base in (item, *COLUMNS.get(item, ())) for n in (f"{base}_1", base)]
        raw = next((row[n].strip() for n in names if row.get(n, "").strip()), "")
        if not raw:
            continue
        if item == "age":
            answers[item] = (_number(raw, 0, 120, "age"), None)
        else:
            answers[item] = (None, CODES.get(item, {}).get(raw, raw))
    return _Planned("demographics", None, None, None, answers)


def _seed_row(row: dict[str, str], config: ExperimentConfig) -> list[_Planned]:
    preference, ratings = config.task(PreferenceTask), config.task(RatingsTask)
    if preference is None or ratings is None:
        raise ValueError("the study file declares no preference or no ratings, which this file has")
    plan = [_demographics(row)]
    tastes: dict[int, str] = {}
    start = _number(row.get("random_number_1_1"), 0, 10_000, "random_number_1_1")
    for k in range(1, 6):
        taste = (row.get(f"random_taste_label_{k}_1") or "").strip().lower()
        value = _number(row.get(f"task1_{k}_1"), preference.low, preference.high, f"task1_{k}_1")
        left = (row.get(f"rng_model_label_{k}_1") or "").strip().lower()
        if not taste:
            continue
        tastes[k] = taste  # task 2 is told by it, whether the slider was moved or not
        if value is None:
            continue
        tuned_first = left.startswith(("fine", "tasty", "tuned")) or left == "finetuned"
        number = (int(start or 0) + k - 1) % CLIPS
        order = ("finetuned", "base") if tuned_first else ("base", "finetuned")
        first, second = (f"{taste}-{m}-{number:03d}" for m in order)
        plan.append(_Planned(preference.block, taste, first, second, {ITEM: (value, None)}))
    for j, (trial, clip) in enumerate(zip(REUSED_TRIALS, REUSED_CLIPS, strict=True), start=1):
        if trial not in tastes:
            continue
        number = int(_number(row.get(f"random_number_{clip}_1"), 0, 10_000, "random_number") or 0) % CLIPS
        answers: dict[str, tuple[float | None, str | None]] = {}
        for i, item in enumerate(ratings.items, start=1):
            column = f"task_2_{j}_{i}"
            value = _number(row.get(column), ratings.low, ratings.high, column)
            if value is not None:
                answers[item] = (value, None)
        if answers:
            plan.append(
                _Planned(ratings.block, tastes[trial], f"{tastes[trial]}-finetuned-{number:03d}", None, answers)
            )
    return plan


def _wide_row(row: dict[str, str], tracks: list[str], config: ExperimentConfig) -> list[_Planned]:
    assert config.psytoolkit is not None
    ratings = config.task(RatingsTask)
    if ratings is None:
        raise ValueError("the study file declares no ratings")
    plan = [_demographics(row)]
    for track in tracks:
        answers: dict[str, tuple[float | None, str | None]] = {}
        for k, item in enumerate(config.psytoolkit.items, start=1):
            column = f"{track}_{k}"
            value = _number(row.get(column), ratings.low, ratings.high, column)
            if value is not None:
                answers[item] = (value, None)
        if answers:
            plan.append(_Planned(ratings.block, track, track, None, answers))
    return plan


def _write(store: Store, study_id: int, code: str, plan: list[_Planned]) -> bool:
    with store.transaction() as s:
        if s.scalar(select(Participant.id).where(Participant.code == code)) is not None:
            return False
        there = s.scalars(select(Stimulus).where(Stimulus.study_id == study_id))
        clips = {told(c.clip, c.model, c.taste, c.number, c.prompt or ""): c for c in there}
        for trial in plan:
            for name in (trial.first, trial.second):
                if name is not None and name not in clips:
                    clips[name] = Stimulus(study_id=study_id, **_clip(name, trial))
                    s.add(clips[name])
        person = Participant(code=code)
        s.add(person)
        s.flush()
        session = SessionRow(
            study_id=study_id,
            participant_id=person.id,
            kind="imported",
            status="complete",
            station="import",
            language="it",
            design_row=None,
            seed=0,
            versions={},
            ended_at=utc_now(),
        )
        s.add(session)
        s.flush()
        for position, trial in enumerate(plan):
            row = Trial(
                session_id=session.id,
                position=position,
                block=trial.block,
                taste=trial.taste,
                first_id=clips[trial.first].id if trial.first else None,
                second_id=clips[trial.second].id if trial.second else None,
                items=list(trial.answers),
            )
            s.add(row)
            s.flush()
            for item, (value, choice) in trial.answers.items():
                s.add(Response(trial_id=row.id, item=item, value=value, choice=choice))
    return True


def _clip(name: str, trial: _Planned) -> dict[str, Any]:
    if name == trial.taste:  # a track, whatever it is called
        return {"clip": name, "taste": name, "model": GIVEN, "number": 0}
    taste, condition, number = name.rsplit("-", 2)
    return {"clip": name, "taste": taste, "model": condition, "number": int(number)}
