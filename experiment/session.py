"""The engine of a session: it walks the stored plan, asks a presenter, and commits each answer before the next.

A presenter is whatever answers: PsychoPy's screens before a person, or a bot. Both go through this engine, so both give
the same rows in the same order, and either can be stopped anywhere and resumed at the next unanswered item.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from sqlalchemy import delete, select
from sqlalchemy.orm import Session, selectinload

from experiment.config import ExperimentConfig
from experiment.data.queries import consent_to
from experiment.data.store import Store
from experiment.data.tables import Consent, Event, Response, Screening, SessionRow, Stimulus, Trial, utc_now
from experiment.design import SPECIAL
from experiment.errors import ExperimentError
from experiment.headphones import HeadphoneTrial, passed
from experiment.headphones import trials as headphone_trials
from experiment.texts import texts


class Stopped(Exception):
    """The participant, or whoever watches, ended the session early; what was answered is stored."""


@dataclass(frozen=True)
class Question:
    """One thing to answer.

    Attributes
    ----------
    kind : {"choice", "number", "slider", "steps"}
        ``choice`` offers `options` (key -> words); ``number`` is typed; ``slider`` and ``steps`` give a value on
        `low`..`high` with words at the ends, or under every step.
    """

    item: str
    kind: str
    text: str
    options: dict[str, str] | None = None
    low: int = 0
    high: int = 0
    labels: tuple[str, ...] = ()
    word: str = ""


@dataclass(frozen=True)
class Answer:
    """An answer and how long it took in seconds of a monotonic clock (None where time means nothing).

    `interaction` is how it came about: moves of the slider, focus lost, frames drawn late.
    """

    value: float | None = None
    choice: str | None = None
    response_time: float | None = None
    interaction: dict[str, Any] | None = None


class Presenter(Protocol):
    """Whoever is asked. `gain_db` is set before the first sound."""

    gain_db: float

    def consent(self) -> tuple[bool, bool]:
        """Return whether the person agrees to take part, and to special-category questions."""

    def sound_check(self) -> dict[str, Any] | None:
        """Play a tone left, right and on both sides; return what was found, or None where there is no sound to check."""

    def adjust_level(self, softest: int) -> float | None:
        """Let the level be set on noise of the clips' loudness; return the gain in dB, `softest` to 0, or None."""

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        """Return which interval was chosen in each trial, or None where nobody hears."""

    def practice(self, question: Question) -> None:
        """Let a trial be tried; nothing of it is kept."""

    def page(self, title: str, text: str) -> None:
        """Show a text."""

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        """Play clips to their ends; return one record of the onset for each."""

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
        """Ask one question."""


def consent_sha256(words: dict[str, Any]) -> str:
    """Fingerprint of the consent text shown."""
    return hashlib.sha256(repr(sorted(words["consent"].items())).encode()).hexdigest()


def check_files(clips: list[Stimulus]) -> None:
    """Refuse clips whose file is missing or is not the one in the manifest.

    Raises
    ------
    ExperimentError
        Names the clip and what to do.
    """
    for clip in clips:
        if clip.path is None or not Path(clip.path).is_file():
            raise ExperimentError(f"clip {clip.clip}: file {clip.path} is missing; run 'tastelab stimuli generate'")
        digest = hashlib.sha256(Path(clip.path).read_bytes()).hexdigest()
        if digest != clip.sha256:
            raise ExperimentError(
                f"clip {clip.clip}: the file differs from its manifest (SHA-256); delete it and run "
                "'tastelab stimuli generate' again"
            )


def run_session(
    store: Store,
    session_id: int,
    config: ExperimentConfig,
    presenter: Presenter,
    announce: Callable[[str], None] | None = None,
) -> str:
    """Run, or go on with, a stored session; returns its status, ``"complete"`` or ``"stopped"``."""
    start = time.monotonic()
    session, rows, agreed = store.do(lambda s: _read(s, session_id))
    language = session.language
    words = texts(language, config.texts)

    def log(name: str, trial_id: int | None = None, **detail: Any) -> None:
        at = float(detail.pop("began", time.monotonic()))  # a sound began before it was over
        store.log(session_id, name, at - start, trial_id, **detail)

    try:
        log("start")
        if agreed is None:
            takes_part, special = presenter.consent()
            if not takes_part:
                raise Stopped
            agreed = store.add(
                Consent,
                participant_id=session.participant_id,
                study_id=session.study_id,
                text_sha256=consent_sha256(words),
                special_categories=special,
            )
        if session.calibration and "gain_db" in session.calibration:
            presenter.gain_db = float(session.calibration["gain_db"])
        todo = [(t, _open_items(t, agreed.special_categories)) for t in rows]
        total = sum(len(items) for _, items in todo)
        begun = any(t.responses for t in rows if t.first is not None)
        done = 0
        heard = False
        block = None
        for trial, items in todo:
            if not items:
                continue
            if trial.first is not None and not heard:
                heard = True
                _prepare_ears(store, session, config, presenter, log)
                if config.practice and config.preference and not begun:
                    presenter.page(words["practice"]["title"], words["practice"]["text"])
                    presenter.practice(practice_question(config, language))
            if trial.block != block and trial.block in ("preference", "ratings"):
                if config.pause and trial.block == "ratings" and block == "preference":
                    presenter.page(words["pause"]["title"], words["pause"]["text"])
                block = trial.block
                presenter.page(words[block]["intro_title"], words[block]["intro"])
            clips = [c for c in (trial.first, trial.second) if c is not None]
            if clips and trial.block in ("preference", "ratings"):
                for record in presenter.listen(clips, _titles(trial, words)):
                    log("audio_onset", trial.id, **record)
            for item in items:
                answer = presenter.ask(question(config, trial, item, language), trial, (done, total))
                if item == "age" and (answer.value or 0) < config.minimum_age:
                    store.do(lambda s: s.execute(delete(Response).where(Response.trial_id.in_([t.id for t in rows]))))
                    presenter.page(words["too_young"]["title"], words["too_young"]["text"])
                    log("too_young")
                    raise Stopped
                seen = None
                if answer.interaction:
                    detail = {"item": item, **answer.interaction}
                    seen = (session_id, time.monotonic() - start, detail)
                store.record(trial.id, item, answer.value, answer.choice, answer.response_time, seen)
                done += 1
                if announce:
                    announce(item)
        status = "complete"
        code = store.do(lambda s: s.get_one(SessionRow, session_id).participant.code)
        presenter.page(words["end"]["title"], words["end"]["text"].format(code=code))
    except (Stopped, KeyboardInterrupt):
        status = "stopped"

    def end(s: Session) -> None:
        row = s.get_one(SessionRow, session_id)
        row.status = status
        row.ended_at = utc_now()

    store.do(end)
    log("end", status=status)
    return status


def _read(s: Session, session_id: int) -> tuple[SessionRow, Sequence[Trial], Consent | None]:
    """A session with its whole plan and the consent given, if any."""
    session = s.get_one(SessionRow, session_id)
    rows = s.scalars(
        select(Trial)
        .where(Trial.session_id == session_id)
        .order_by(Trial.position)
        .options(selectinload(Trial.responses), selectinload(Trial.first), selectinload(Trial.second))
    ).all()
    return session, rows, consent_to(s, session)


def _prepare_ears(
    store: Store, session: SessionRow, config: ExperimentConfig, presenter: Presenter, log: Callable[..., None]
) -> None:
    """Sound check, level and headphone screening; what was found is stored. A screening that was passed stays passed."""
    if config.sound_check:
        found = presenter.sound_check()
        if found is not None:
            log("sound_check", **found)
    if config.level.by == "participant":
        gain = presenter.adjust_level(config.level.softest)
        if gain is not None:
            presenter.gain_db = float(min(0.0, max(float(config.level.softest), gain)))
            chosen = {"by": "participant", "gain_db": presenter.gain_db}
            store.do(lambda s: setattr(s.get_one(SessionRow, session.id), "calibration", chosen))
            log("level", gain_db=presenter.gain_db)
    tests = {"off": (), "both": ("huggins", "antiphase")}.get(config.headphones, (config.headphones,))
    found_before = store.do(lambda s: s.scalars(select(Screening).where(Screening.session_id == session.id)).all())
    known = {x.test: x.passed for x in found_before}
    for test in tests:
        if known.get(test):
            continue
        rng = np.random.default_rng([session.seed, session.id, len(known)])
        trials = headphone_trials(test, rng)
        given = presenter.screen_headphones(test, trials)
        if given is None:
            continue
        right = [t.right for t in trials]
        good = passed(test, given, right)
        detail = {"given": given, "right": right}
        store.add(Screening, session_id=session.id, test=test, passed=good, detail=detail)
        if not good and config.headphones_required:
            words = texts(session.language, config.texts)["headphones"]
            presenter.page(words["failed_title"], words["failed"])
            raise Stopped


def _open_items(trial: Trial, special: bool) -> list[str]:
    answered = {r.item for r in trial.responses}
    return [i for i in trial.items if i not in answered and (special or i not in SPECIAL)]


def _titles(trial: Trial, words: dict[str, Any]) -> list[str]:
    if trial.block == "preference":
        return [words["preference"]["listen_first"], words["preference"]["listen_second"]]
    return [words["ratings"]["listen"]]


def question(config: ExperimentConfig, trial: Trial, item: str, language: str) -> Question:
    """Word the question of one item of a trial."""
    words = texts(language, config.texts)
    if trial.block == "demographics":
        entry = words["demographics"][item]
        if "options" in entry:
            return Question(item, "choice", entry["question"], options=entry["options"])
        return Question(item, "number", entry["question"], low=1, high=110)
    if trial.block == "preference":
        assert config.preference is not None
        taste = config.taste_words.get(language, {}).get(str(trial.taste), str(trial.taste))
        ends = (words["preference"]["low"], words["preference"]["high"])
        text = words["preference"]["question"].format(taste=taste.upper())
        return Question(item, "slider", text, low=config.preference.low, high=config.preference.high, labels=ends)
    if trial.block == "affect":
        asked = words["affect"][item]
        return Question(item, "steps", asked["question"], low=1, high=9, labels=(asked["low"], asked["high"]))
    for q in config.questionnaires:
        if q.name == trial.block:
            statement = next(i for i in q.items if i.name == item)
            return Question(
                item,
                "steps",
                q.question[language],
                low=q.low,
                high=q.high,
                labels=tuple(q.labels[language]),
                word=statement.words[language],
            )
    assert config.ratings is not None
    adjective = next(a for a in config.ratings.adjectives if a.name == item)
    if adjective.opposite is not None:
        ends = (adjective.opposite[language], adjective.words[language])
        asked = words["ratings"]["question_bipolar"]
        return Question(item, "steps", asked, low=config.ratings.low, high=config.ratings.high, labels=ends)
    return Question(
        item,
        "steps",
        words["ratings"]["question"],
        low=config.ratings.low,
        high=config.ratings.high,
        labels=tuple(config.ratings.labels[language]),
        word=adjective.words[language],
    )


def practice_question(config: ExperimentConfig, language: str) -> Question:
    """A preference question about no taste of the study."""
    assert config.preference is not None
    words = texts(language, config.texts)
    return Question(
        "practice",
        "slider",
        words["practice"]["question"],
        low=config.preference.low,
        high=config.preference.high,
        labels=(words["preference"]["low"], words["preference"]["high"]),
    )


def unanswered(store: Store, session_id: int) -> tuple[int, int]:
    """Return how many answers the plan expects (less refused special categories) and how many are stored."""
    with store.transaction() as s:
        session = s.get_one(SessionRow, session_id)
        trials = s.scalars(select(Trial).where(Trial.session_id == session_id)).all()
        given = consent_to(s, session)
        special = bool(given and given.special_categories)
        expected = sum(1 for t in trials for i in t.items if special or i not in SPECIAL)
        ids = [t.id for t in trials]
        stored = len(s.scalars(select(Response.id).where(Response.trial_id.in_(ids))).all())
    return expected, stored


def events(store: Store, session_id: int, name: str) -> list[Event]:
    """Return the events of that name, in time order."""
    with store.transaction() as s:
        found = s.scalars(select(Event).where(Event.session_id == session_id, Event.name == name).order_by(Event.at))
        return list(found)


__all__ = ["Answer", "ExperimentError", "Presenter", "Question", "Stopped", "run_session"]
