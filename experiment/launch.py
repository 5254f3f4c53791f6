"""Begin, resume and simulate sessions: what the command line and the end-to-end study both call."""

from __future__ import annotations

import math
import platform
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment.bots import bots
from experiment.bots.effects import Effects
from experiment.config import ExperimentConfig, stored_config
from experiment.data import lease
from experiment.data.allotment import Places
from experiment.data.codes import check_code, checked
from experiment.data.connect import shown
from experiment.data.declared import Change, current, number_of, told_otherwise
from experiment.data.store import Header, Store, alone
from experiment.data.tables import Response, SessionRow, Stimulus, StudyRow, Trial, utc_now
from experiment.data.tombstones import find
from experiment.data.whose import last_session
from experiment.design import period, plan
from experiment.errors import ExperimentError
from experiment.session import check_files
from experiment.tasks.task import Clip
from experiment.texts import kept, texts
from stimuli.manifest import ClipRow

__all__ = [
    "LateError",
    "Prepared",
    "begin",
    "check_code",
    "language_of",
    "prepare",
    "resume",
    "simulate",
    "versions",
]

OVER = {
    "withdrawn": "has withdrawn",
    "refused": "did not agree to take part",
    "too_young": "is younger than the study's minimum age",
}


class LateError(ExperimentError):
    """A session was left for longer than its study lets one go on."""


GOES_ON = {"person": ("person", "pilot"), "pilot": ("pilot",), "driven": ("driven",)}  # who goes on with which sessions
OPEN = ("running", "stopped")  # sessions that can be gone on with


@dataclass
class Prepared:
    """A study entered into a database: its id, its design, its clips, and the number of the version of it that this is.

    A server that runs while the study is amended goes on with the version that it began with, and says so of its sessions.
    """

    store: Store
    study_id: int
    config: ExperimentConfig
    stimuli: list[Stimulus]
    otherwise: list[Change] = field(default_factory=list)  # what the study file says and does not count
    declared: int | None = None  # None: whichever counts when a session begins

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
    going_on: bool = False,
) -> Prepared:
    """Enter a study and its clips into the database; a study that began keeps the design that it began with.

    A session that is gone on with (`going_on`) has the limits and the words that count, whatever the study file says since.
    """
    read = {language: texts(language, config.texts) for language in config.languages}
    study_id = store.ensure_study(name, title, definition, read, going_on)
    row = store.do(lambda s: current(s, study_id))
    config = config.model_copy(update={"design": stored_config(store.study(name).definition).design})
    otherwise = told_otherwise(row, definition, read) if going_on and row is not None else []
    if otherwise and row is not None:
        own: dict[str, Any] = {
            "font": config.font,
            "disk_gb": config.disk_gb,
            "effects": config.effects,
            "design": config.design,
            "stations": config.stations,
        }
        own |= {"logo": config.logo, "triggers": config.triggers, "web": config.web}
        config = stored_config(row.definition).model_copy(update=own | {"texts": kept(row.texts or read)})
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
    number = None if row is None else row.number
    return Prepared(store, study_id, config, store.ensure_stimuli(study_id, entries), otherwise, number)


@cache
def versions() -> dict[str, str]:
    """Versions that a session's header records."""
    found = {"python": platform.python_version(), "system": platform.platform()}
    for name in ("tastelab", "psychopy", "psychtoolbox", "SQLAlchemy", "numpy"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def allowed(config: ExperimentConfig, code: str, kind: str, language: str | None, group: str | None) -> str:
    """The code under which a session may begin, as far as the study file alone can say.

    Raises
    ------
    ExperimentError
        If the code is not one, or the language or group is not the study's.
    """
    code = checked(code, kind)
    if language is not None and language not in config.languages:
        raise ExperimentError(f"--language {language!r}: this study declares {', '.join(config.languages)}")
    if group is not None and not config.groups:
        raise ExperimentError(f"--group {group!r}: this study has no groups")
    return code


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
    files: bool = True,
) -> int:
    """Begin a session; its files are checked against their hashes first. Returns the session's id.

    `told` is what its header says beside the versions: of simulated people which effects they follow. Without `files` they are
    not checked: whoever plays copies of them has checked these.

    Raises
    ------
    ExperimentError
        If the code is not one, the language is not the study's, a file has changed, or the participant has a session
        already.
    """
    config = prepared.config
    code = allowed(config, code, kind, language, group)
    if files and kind != "bot":
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
            prepared.declared,
        ),
        lambda row, chosen=None: plan(config, clips, row, chosen),
        places=Places(period(config, clips), config.target, config.groups, group, language, kind != "bot"),
        lapse_hours=config.resume_hours,
        holder=lease.holder(),
    )


def expect(store: Store, study: str, code: str, kind: str) -> None:
    """Refuse to go on with a session that nobody here has heard of, or whose answers would be another kind's, before anything is written.

    Parameters
    ----------
    kind : str
        Of whoever sits there: ``person``, ``pilot`` or ``driven``.

    Raises
    ------
    ExperimentError
        Naming study and database (one of them is yesterday's, or another folder's), or the session's kind.
    """

    def known(s: Session) -> str | None:
        row = s.scalar(select(StudyRow).where(StudyRow.name == study))
        session = None if row is None else last_session(s, row.id, code)
        return session.kind if session is not None else kind if find(s, study, code) is not None else None

    found = store.do(known)
    if found is None:
        raise ExperimentError(
            f"participant {code} has no session of study {study!r} in {shown(store.url)}; are --db and --study right? "
            "A new session begins with --code"
        )
    if found not in GOES_ON[kind]:
        raise ExperimentError(
            f"the session of participant {code} is of kind {found}; a session of kind {kind} can't go on with it"
        )


def language_of(prepared: Prepared, session_id: int) -> str:
    """The language in which a session began: the one asked for, its group's, or the study's first."""
    return prepared.store.do(lambda s: s.get_one(SessionRow, session_id).language)


def resume(
    prepared: Prepared,
    code: str,
    overrides: list[str] | None = None,
    station: str | None = None,
    calibration: dict[str, Any] | None = None,
    anywhere: bool = False,
) -> tuple[int, str]:
    """Return the id and the language of a participant's unfinished session, made running again.

    Parameters
    ----------
    station : str or None
        Where it goes on; what belongs to the station that it ran at before (its gain) is left there.
    calibration : dict or None
        How the level of this station was set.
    anywhere : bool
        Whether it may be taken over from where it runs.

    Raises
    ------
    LateError
        If its last sign of life is older than the study allows.
    ExperimentError
        If there is none, saying what there is, or if it runs elsewhere.
    """

    def find_it(s: Session) -> tuple[int, str]:
        alone(s)
        row = last_session(s, prepared.study_id, code)
        if row is None:
            stone = find(s, s.get_one(StudyRow, prepared.study_id).name, code)
            if stone is not None:
                raise ExperimentError(f"participant {code}: {OVER[stone.outcome]}; there is nothing to go on with")
            raise ExperimentError(f"participant {code} has no session in this study; run without --resume")
        if row.status not in OPEN:
            raise ExperimentError(f"the session of participant {code} is {row.status}; there is nothing to go on with")
        where = lease.elsewhere(row)
        if where is not None and not anywhere:
            raise ExperimentError(
                f"the session of participant {code} {where}; end it there (Esc), or wait until nothing was heard of it for "
                f"{lease.LEASE / 60:.0f} minutes"
            )
        hours = _left_for(s, row)
        if hours > prepared.config.resume_hours:
            ago = math.ceil(10 * hours) / 10  # never said to be less than what is allowed
            raise LateError(
                f"the session of participant {code} was left {ago:g} h ago; this study lets one go on within "
                f"{prepared.config.resume_hours:g} h (resume_hours). Its answers stay; begin again under a new code"
            )
        row.status = "running"
        row.ended_at = None
        row.alive_at, row.holder = utc_now(), lease.holder()
        row.declared = prepared.declared or number_of(s, prepared.study_id)
        if station is not None and (station != row.station or calibration is not None):
            row.station, row.calibration = station, calibration
        if overrides:
            row.overrides = list(dict.fromkeys([*(row.overrides or []), *overrides]))
        return row.id, row.language

    return prepared.store.do(find_it)


def late(prepared: Prepared, session_id: int) -> bool:
    """Whether an unfinished session was left for longer than the study lets one go on."""
    return prepared.store.do(lambda s: _left_for(s, s.get_one(SessionRow, session_id))) > prepared.config.resume_hours


def _left_for(s: Session, row: SessionRow) -> float:
    """Hours since a session's last answer, or since it began."""
    answered = select(func.max(Response.answered_at)).join(Trial).where(Trial.session_id == row.id)
    last = s.scalar(answered) or row.started_at
    return (utc_now() - last.replace(tzinfo=last.tzinfo or UTC)).total_seconds() / 3600


def simulate(
    prepared: Prepared, effects: Effects, n: int, seed: int, progress: Callable[[int, int], None] | None = None
) -> int:
    """Run `n` simulated participants; finished ones stay, unfinished ones go on. Returns how many ran now.

    Those that another command simulates meanwhile are left to it.
    """

    told = {"effects": effects.shown, "effects_sha256": effects.sha256}

    def look(code: str) -> SessionRow | None:
        return prepared.store.do(lambda s: last_session(s, prepared.study_id, code))

    def start(index: int, code: str) -> int:
        old = look(code)
        try:
            if old is None or old.kind != "bot":
                return begin(prepared, code, "bot", None, "simulation", told=told)
            return resume(prepared, code)[0] if old.status in OPEN else -1
        except ExperimentError:
            now = look(code)
            if now is None or now.kind != "bot" or (now.status in OPEN and lease.elsewhere(now) is None):
                raise
            return -1  # another command began it, or was quicker

    return len(bots.simulate(prepared.store, start, prepared.config, effects, n, seed, progress))
