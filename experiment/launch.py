"""Begin, resume and simulate sessions: what the command line and the end-to-end study both call."""

from __future__ import annotations

import platform
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment.bots import bots
from experiment.bots.effects import Effects
from experiment.config import ExperimentConfig, stored_config
from experiment.data.allotment import Places
from experiment.data.store import Header, Store
from experiment.data.tables import Participant, Response, SessionRow, Stimulus, Trial, utc_now
from experiment.design import period, plan
from experiment.errors import ExperimentError
from experiment.session import check_files
from experiment.tasks.task import Clip
from stimuli.manifest import ClipRow


@dataclass
class Prepared:
    """A study entered into a database: its id, its design, its clips."""

    store: Store
    study_id: int
    config: ExperimentConfig
    stimuli: list[Stimulus]

    @property
    def clips(self) -> list[Clip]:
        """The clips as the design sees them."""
        return [Clip(x.id, x.taste, x.model, x.number) for x in self.stimuli]


def prepare(
    store: Store,
    name: str,
    title: str,
    definition: dict[str, Any],
    config: ExperimentConfig,
    rows: Sequence[ClipRow],
    folder: Path,
) -> Prepared:
    """Enter a study and its clips into the database; a study that began keeps the design that it began with."""
    study_id = store.ensure_study(name, title, definition)
    config = config.model_copy(update={"design": stored_config(store.study(name).definition).design})
    entries = [
        {
            "clip": r.clip,
            "taste": r.taste,
            "model": r.model,
            "number": r.number,
            "path": str((folder / r.file).resolve()),
            "sha256": r.sha256,
            "seconds": r.seconds,
            "prompt": r.prompt or r.track or None,
            "seed": r.seed,
            "checkpoint_sha256": r.checkpoint_sha256,
        }
        for r in rows
    ]
    return Prepared(store, study_id, config, store.ensure_stimuli(study_id, entries))


def versions() -> dict[str, str]:
    """Versions that a session's header records."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("tastelab", "psychopy", "psychtoolbox", "SQLAlchemy", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def begin(
    prepared: Prepared,
    code: str,
    kind: str,
    language: str | None,
    station: str,
    calibration: dict[str, Any] | None = None,
    overrides: list[str] | None = None,
    group: str | None = None,
    told: dict[str, str] | None = None,
) -> int:
    """Begin a session; its files are checked against their hashes first. Returns the session's id.

    `told` is what its header says beside the versions: of simulated people which effects they follow.

    Raises
    ------
    ExperimentError
        If the code is not one, the language is not the study's, a file has changed, or the participant has a session
        already.
    """
    check_code(code)
    config = prepared.config
    if language is not None and language not in config.languages:
        raise ExperimentError(f"--language {language!r}: this study declares {', '.join(config.languages)}")
    if group is not None and not config.groups:
        raise ExperimentError(f"--group {group!r}: this study has no groups")
    if kind != "bot":
        check_files(prepared.stimuli)
    clips = prepared.clips
    return prepared.store.begin(
        prepared.study_id,
        code,
        Header(
            kind,
            station,
            language or config.languages[0],
            config.seed,
            versions() | (told or {}),
            calibration,
            overrides,
        ),
        lambda row, chosen=None: plan(config, clips, row, chosen),
        places=Places(period(config, clips), config.target, config.groups, group, language, kind != "bot"),
        lapse_hours=config.resume_hours,
    )


def language_of(prepared: Prepared, session_id: int) -> str:
    """The language in which a session began: the one asked for, its group's, or the study's first."""
    return prepared.store.do(lambda s: s.get_one(SessionRow, session_id).language)


def check_code(code: str) -> None:
    """Refuse what can't be a pseudonymous code.

    Raises
    ------
    ExperimentError
        If it is not 1 to 40 letters, digits, ``-``, ``_`` or ``.``, beginning with a letter or digit.
    """
    if not re.fullmatch(r"[^\W_][\w.\-]{0,39}", code):
        raise ExperimentError(
            f"--code {code[:60]!r} is not a code: 1 to 40 letters, digits, '-', '_' or '.'; no names, no spaces"
        )


def station_level(store: Store, config: ExperimentConfig, station: str) -> dict[str, Any] | None:
    """The gain of a calibrated station, as a session's header keeps it."""
    from experiment.lab.station import valid_calibration

    found = valid_calibration(store, station) if config.level.by == "station" else None
    if found is None:
        return None
    return {"by": "station", "gain_db": found.gain_db, "dba": config.level.dba, "device": found.device}


def resume(prepared: Prepared, code: str, overrides: list[str] | None = None) -> tuple[int, str]:
    """Return the id and the language of a participant's unfinished session, made running again.

    Raises
    ------
    ExperimentError
        If there is none, saying what there is, or if its last sign of life is older than the study allows.
    """

    def find(s: Session) -> tuple[int, str]:
        row = s.scalar(
            select(SessionRow)
            .join(Participant)
            .where(Participant.code == code, SessionRow.study_id == prepared.study_id)
            .order_by(SessionRow.id.desc())
        )
        if row is None:
            raise ExperimentError(f"participant {code} has no session in this study; run without --resume")
        if row.status in ("complete", "withdrawn"):
            raise ExperimentError(f"the session of participant {code} is {row.status}; there is nothing to go on with")
        last = (
            s.scalar(select(func.max(Response.answered_at)).join(Trial).where(Trial.session_id == row.id))
            or row.started_at
        )
        hours = (utc_now() - last.replace(tzinfo=last.tzinfo or UTC)).total_seconds() / 3600
        if hours > prepared.config.resume_hours:
            raise ExperimentError(
                f"the session of participant {code} was left {hours:.0f} h ago; this study lets one go on within "
                f"{prepared.config.resume_hours:g} h (resume_hours). Its answers stay; begin again under a new code"
            )
        row.status = "running"
        row.ended_at = None
        if overrides:
            row.overrides = list(dict.fromkeys([*(row.overrides or []), *overrides]))
        return row.id, row.language

    return prepared.store.do(find)


def simulate(
    prepared: Prepared, effects: Effects, n: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> int:
    """Run `n` simulated participants; finished ones stay, unfinished ones go on. Returns how many ran now."""

    told = {"effects": effects.shown, "effects_sha256": effects.sha256}

    def start(index: int, code: str) -> int:
        query = (
            select(SessionRow)
            .join(Participant)
            .where(Participant.code == code, SessionRow.study_id == prepared.study_id)
        )
        old = prepared.store.do(lambda s: s.scalar(query))
        if old is None:
            return begin(prepared, code, "bot", None, "simulation", told=told)
        return resume(prepared, code)[0] if old.status in ("running", "stopped") else -1

    return len(bots.simulate(prepared.store, start, prepared.config, effects, n, seed, progress))
