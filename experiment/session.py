"""A session for whoever answers while the engine waits: PsychoPy's screens before a person, or a bot.

The engine is `steps` (what comes next) and `answering` (what is stored); this is the loop between them. Either kind of presenter
gives the same rows in the same order, and can be stopped anywhere and go on at the next unanswered item.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy.orm.attributes import set_committed_value

from experiment import answering
from experiment.config import ExperimentConfig
from experiment.data.lease import LostError, alive
from experiment.data.store import Store
from experiment.data.tables import Stimulus, Trial
from experiment.errors import ExperimentError
from experiment.headphones import HeadphoneTrial
from experiment.question import Answer, Back, Question
from experiment.steps import (
    Ask,
    Consent,
    End,
    Form,
    Headphones,
    Level,
    Listen,
    Page,
    Practice,
    SoundCheck,
    Step,
    Stored,
    next_step,
)


class Stopped(Exception):
    """The participant, or whoever watches, ended the session early; what was answered is stored."""


class SoundFailed(Stopped):
    """Twice a sound did not play to its end: nothing can be asked about it, and the session ends until it is seen to.

    Attributes
    ----------
    detail : dict
        Which clip, None for a tone, and of each attempt the seconds played, the driver's underruns and how long samples were held up.
    """

    def __init__(self, detail: dict[str, Any]):
        super().__init__()
        self.detail = detail


class Presenter(Protocol):
    """Whoever is asked. `minutes`, which a session takes about, is set before the consent, `gain_db` before the first sound.

    `asks_special`, set before the consent too, is whether the study asks special-category questions at all; `more` are
    paragraphs under the consent's text.
    """

    gain_db: float
    minutes: int
    asks_special: bool
    more: tuple[str, ...]

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

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer | Back:
        """Ask one question; where `question.back` says so, one may go back instead."""

    def fill(self, questions: Sequence[Question], trial: Trial, progress: tuple[int, int]) -> dict[str, Answer]:
        """Ask several questions on one screen; return the answer to each item."""


def check_files(clips: list[Stimulus]) -> None:
    """Refuse clips whose file is missing or is not the one in the manifest.

    Raises
    ------
    ExperimentError
        Names the clip and what to do.
    """
    for clip in clips:
        if clip.path is None or not Path(clip.path).is_file():
            raise ExperimentError(f"clip {clip.clip}: file {clip.path} is missing; {_mend(clip)}")
        digest = hashlib.sha256(Path(clip.path).read_bytes()).hexdigest()
        if digest != clip.sha256:
            raise ExperimentError(
                f"clip {clip.clip}: the file differs from its manifest (SHA-256); delete it and {_mend(clip)} again"
            )


def _mend(clip: Stimulus) -> str:
    from stimuli.manifest import mend

    return mend(Path(clip.path).parents[1] if clip.path else Path("stimuli"))


def run_session(
    store: Store,
    session_id: int,
    config: ExperimentConfig,
    presenter: Presenter,
    announce: Callable[[str], None] | None = None,
    watched: bool = False,
    own: Sequence[Stimulus] = (),
) -> str:
    """Run, or go on with, a stored session; returns its status, e.g. ``"complete"``, ``"stopped"``, ``"withdrawn"``.

    `announce` is told of each item whose answer is stored; where it is `watched`, signs of life are given between answers. `own` are
    the clips as they lie at this booth: in the database a clip lies where the booth says that looked last.

    Raises
    ------
    ExperimentError
        If it was taken over by another booth meanwhile.
    """
    began = time.monotonic()
    stored = answering.started(store, session_id)
    here = {clip.id: clip for clip in own}
    for trial in stored.plan if here else ():
        for side, clip in (("first", trial.first_id), ("second", trial.second_id)):
            if clip in here:  # one that is in the manifest no more is played from where it lay
                set_committed_value(trial, side, here[clip])
    with alive(store, session_id, stored.sitting) if watched else nullcontext():
        try:
            try:
                while not isinstance(step := next_step(stored, config), End):
                    if stored.gain_db is not None:
                        presenter.gain_db = float(stored.gain_db)
                    stored = perform(step, store, stored, config, presenter, began)
                    if announce and isinstance(step, Ask):
                        announce(step.question.item)
                    elif announce and isinstance(step, Form):
                        for asked in step.questions:
                            announce(asked.item)
            except (Stopped, KeyboardInterrupt) as early:
                failed = early.detail if isinstance(early, SoundFailed) else None
                stored = answering.stopped(store, stored, time.monotonic() - began, failed)
        except LostError as lost:
            if lost.status is None:
                raise
            return lost.status
    return stored.status


def perform(
    step: Step, store: Store, stored: Stored, config: ExperimentConfig, presenter: Presenter, began: float
) -> Stored:
    """Let a step be done, and store that it was."""

    def now() -> float:
        return time.monotonic() - began

    match step:
        case Consent():
            presenter.minutes, presenter.asks_special = step.minutes, step.special
            presenter.more = step.more
            takes_part, special = presenter.consent()
            return answering.agreed(store, stored, config, takes_part, special, now())
        case Page():
            presenter.page(step.title, step.text)
        case SoundCheck():
            found = presenter.sound_check()
            if found is not None:
                at, detail = _begun(found, began)
                return answering.seen(store, stored, step.id, at, "sound_check", **detail)
        case Level():
            gain = presenter.adjust_level(step.softest)
            return answering.level(store, stored, gain, step.softest, now())
        case Headphones():
            given = presenter.screen_headphones(step.test, step.trials())
            return answering.screened(store, stored, step, given, config.headphones_required, now())
        case Practice():
            presenter.practice(step.question)
        case Listen():
            records = [_begun(r, began) for r in presenter.listen(list(step.clips), list(step.titles))]
            return answering.heard(store, stored, step.id, step.trial.id, records)
        case Ask():
            answer = presenter.ask(step.question, step.trial, step.progress)
            if isinstance(answer, Back):
                return answering.back(store, stored, step, now())
            return answering.answered(store, stored, step, answer, config, now())
        case Form():
            answers = presenter.fill(step.questions, step.trial, step.progress)
            return answering.filled(store, stored, step, answers, now())
    return answering.seen(store, stored, step.id, now())


def _begun(record: dict[str, Any], start: float) -> tuple[float, dict[str, Any]]:
    """When a sound began, in seconds of the sitting (it began before it was over), and the rest of its record."""
    rest = {k: v for k, v in record.items() if k != "began"}
    return float(record.get("began", time.monotonic())) - start, rest


def unanswered(store: Store, session_id: int) -> tuple[int, int]:
    """Return how many answers the plan expects (less refused special categories) and how many are stored."""
    stored = answering.read(store, session_id)
    return sum(len(stored.items(t)) for t in stored.plan), len(stored.answered)
