"""What this participant should see next: a pure function of what is stored.

Nothing about where a person is lives in memory alone. A session is a series of sittings (one more at each resume); consent,
answers and a passed headphone test count for the whole session, everything else that was done (pages, sound check, level, a
clip that was heard) for its sitting: who comes back hears the clips again before answering for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from experiment import minutes
from experiment.config import ExperimentConfig
from experiment.data.tables import Stimulus, Trial
from experiment.design import SPECIAL
from experiment.headphones import PLACES, PROOF, HeadphoneTrial, tests_of, trials
from experiment.items import consent_more, practice_question, question, titles
from experiment.question import Question
from experiment.tasks import attention
from experiment.tasks.pages import PageTask
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import Task
from experiment.texts import texts

LAST = "end"
DEBRIEF = "debrief"
TOO_YOUNG = "too_young"
NOT_PASSED = "headphones_failed"


@dataclass(frozen=True)
class Consent:
    """Whether the person takes part, and answers special-category questions (where there are any: `special`); told how many
    minutes it takes, about; `more` are paragraphs under the text.
    """

    id: str = "consent"
    minutes: int = 0
    special: bool = True
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Page:
    """A text to read."""

    id: str
    title: str
    text: str


@dataclass(frozen=True)
class SoundCheck:
    """Tones left, right, on both sides."""

    id: str = "sound"


@dataclass(frozen=True)
class Level:
    """The level is set on noise, from `softest` dB to 0."""

    softest: int
    id: str = "level"


@dataclass(frozen=True)
class Headphones:
    """One headphone test, or (with its `place` among them, from 0) tones to be counted; `draw` seeds its trials."""

    test: str
    draw: tuple[int, ...]
    place: int | None = None

    @property
    def id(self) -> str:
        """The step's name."""
        return f"headphones:{self.test}" + ("" if self.place is None else f":{self.place}")

    @property
    def answers(self) -> int:
        """How many answers there are, from 1."""
        return PLACES.get(self.test, 3)

    def trials(self) -> list[HeadphoneTrial]:
        """Sound and right answers, the same each time."""
        return trials(self.test, np.random.default_rng(self.draw))


@dataclass(frozen=True)
class Practice:
    """A question to try; nothing of it is kept."""

    question: Question
    id: str = "practice"


@dataclass(frozen=True)
class Listen:
    """Clips to hear to their ends, with the words over each."""

    id: str
    trial: Trial
    clips: tuple[Stimulus, ...]
    titles: tuple[str, ...]


@dataclass(frozen=True)
class Ask:
    """One item to answer; `progress` is how many are answered, of how many."""

    id: str
    trial: Trial
    question: Question
    progress: tuple[int, int]


@dataclass(frozen=True)
class Form:
    """Several items of a trial to answer on one screen, below each other; `progress` as of one."""

    id: str
    trial: Trial
    questions: tuple[Question, ...]
    progress: tuple[int, int]


@dataclass(frozen=True)
class End:
    """Nothing is left to do: the session's status."""

    status: str
    id: str = "over"


Step = Consent | Page | SoundCheck | Level | Headphones | Practice | Listen | Ask | Form | End


@dataclass(frozen=True)
class Stored:
    """What is stored of a session, as far as it decides what comes next.

    `special` is None until consent was given; `seen` are the steps done in this sitting; `passed` holds the outcome of each
    headphone test, `screenings` how many were made, `proofs` of them how often tones were counted; `sitting` is the one that may write; `superseded` counts the answers of an item that were given anew.
    """

    session_id: int
    code: str
    language: str
    seed: int
    status: str
    plan: Sequence[Trial]
    special: bool | None = None
    answered: frozenset[tuple[int, str]] = frozenset()
    seen: frozenset[str] = frozenset()
    passed: dict[str, bool] = field(default_factory=dict)
    screenings: int = 0
    gain_db: float | None = None
    sitting: int = 0
    superseded: dict[tuple[int, str], int] = field(default_factory=dict)
    proofs: int = 0

    def items(self, trial: Trial) -> list[str]:
        """Items of a trial that this person is asked."""
        return [i for i in trial.items if self.special or i not in SPECIAL]

    def open(self, trial: Trial) -> list[str]:
        """Items of a trial that are still to be answered."""
        return [i for i in self.items(trial) if (trial.id, i) not in self.answered]

    def reopened(self, trial: Trial) -> list[str]:
        """Items of a trial that the person went back to and has not answered anew; their answers count until then."""
        return [i for i in self.items(trial) if self.back(trial, i) in self.seen and (trial.id, i) in self.answered]

    def back(self, trial: Trial, item: str) -> str:
        """The step of going back to an answer as it is now: once it is given anew, going back is another step."""
        return f"back:{trial.position}:{item}:{self.superseded.get((trial.id, item), 0)}"

    def before(self, trial: Trial, item: str) -> str | None:
        """The answered item of the same trial before this one, to which one can go back."""
        items = self.items(trial)
        earlier = [i for i in items[: items.index(item)] if (trial.id, i) in self.answered]
        return earlier[-1] if earlier else None

    def having(self, *steps: str, **changes: Any) -> Stored:
        """The same after more steps were done."""
        return replace(self, seen=self.seen | set(steps), **changes)


def next_step(stored: Stored, config: ExperimentConfig) -> Step:
    """What comes next; the same for the same `stored`."""
    words = texts(stored.language, config.texts)
    for ended, mark, section, title, text in (
        (stored.status == TOO_YOUNG, TOO_YOUNG, "too_young", "title", "text"),
        (NOT_PASSED in stored.seen, NOT_PASSED, "headphones", "failed_title", "failed"),
    ):
        if ended and f"page:{mark}" not in stored.seen:
            return Page(f"page:{mark}", words[section][title], words[section][text])
    if stored.status != "running":
        return End(stored.status)
    if stored.special is None:
        asked = any(item in SPECIAL for trial in stored.plan for item in trial.items)
        takes = minutes.of_session(stored.plan, config, words, stored.language)
        return Consent(minutes=takes, special=asked, more=tuple(consent_more(config, stored.language)))
    tasks = {task.block: task for task in config.sequence()}
    for trial in stored.plan:
        page = _page(stored, tasks.get(trial.block), trial)
        if page:
            return page
        items = stored.reopened(trial) or stored.open(trial)
        if items:
            return _before(stored, config, tasks, trial) or _asked(stored, config, tasks.get(trial.block), trial, items)
    if config.debrief is not None and DEBRIEF not in stored.seen:
        return Page(DEBRIEF, *config.debrief.read(stored.language, stored.code))
    if config.completion is not None:
        return Page(LAST, *config.completion.read(stored.language, stored.code))
    return Page(LAST, words["end"]["title"], words["end"]["text"].format(code=stored.code))


def _before(stored: Stored, config: ExperimentConfig, tasks: dict[str, Task], trial: Trial) -> Step | None:
    """What must be done before a trial's next question."""
    if trial.first is not None:
        step = _ears(stored, config, tasks.get(trial.block), trial)
        if step is not None:
            return step
    task = tasks.get(trial.block)
    if task is None or not task.heard:
        return None
    words = texts(stored.language, config.texts)
    parts = list(dict.fromkeys(t.block for t in stored.plan if t.block in tasks and tasks[t.block].heard))
    part = parts.index(trial.block)
    begun = any(f"heard:{t.position}" in stored.seen for t in stored.plan if t.position < trial.position)
    if (
        config.pause
        and begun
        and "pause" not in stored.seen
        and minutes.half(stored.plan, config, parts) == trial.position
    ):
        return Page("pause", words["pause"]["title"], words["pause"]["text"])
    if f"intro:{trial.block}" not in stored.seen:
        return Page(f"intro:{trial.block}", part_title(words, task.kind, part), words[task.kind]["intro"])
    if f"heard:{trial.position}" not in stored.seen:
        proof = _proof(stored, config, parts, trial)
        if proof is not None:
            return proof
        clips = tuple(c for c in (trial.first, trial.second) if c is not None)
        if clips:
            return Listen(f"heard:{trial.position}", trial, clips, tuple(titles(config, trial, stored.language)))
    return None


def _proof(stored: Stored, config: ExperimentConfig, parts: Sequence[str], trial: Trial) -> Headphones | None:
    """Tones to count before a trial is listened to, where fewer were counted than should have been by then."""
    heard = [t.position for t in stored.plan if t.block in parts]
    done = max(stored.proofs, sum(x.startswith(f"headphones:{PROOF}:") for x in stored.seen))
    if done >= attention.due(config.attention.listening, len(heard), heard.index(trial.position)):
        return None
    return Headphones(PROOF, (stored.seed, stored.session_id, stored.screenings), done)


def part_title(words: dict[str, Any], kind: str, part: int) -> str:
    """What stands over the introduction of a part, from 0: as a study's own texts word it for a task, or by its place."""
    own = words[kind].get("intro_title")
    return str(own if own is not None else list(words["parts"].values())[: part + 1][-1])


def _page(stored: Stored, task: Task | None, trial: Trial) -> Page | None:
    """A page of the study's own, where nothing behind it was answered yet."""
    step = f"page:{trial.block}"
    if not isinstance(task, PageTask) or step in stored.seen:
        return None
    if any((t.id, i) in stored.answered for t in stored.plan if t.position > trial.position for i in t.items):
        return None
    return Page(step, task.title[stored.language], task.text[stored.language])


def _ears(stored: Stored, config: ExperimentConfig, task: Task | None, trial: Trial) -> Step | None:
    """Sound check, level and headphone tests before the first clip of a sitting; practice before the first comparison."""
    if config.sound_check and "sound" not in stored.seen:
        return SoundCheck()
    if config.level.by == "participant" and "level" not in stored.seen:
        return Level(config.level.softest)
    for test in tests_of(config.headphones, config.sides):
        if not stored.passed.get(test) and f"headphones:{test}" not in stored.seen:
            return Headphones(test, (stored.seed, stored.session_id, stored.screenings))
    begun = any((t.id, i) in stored.answered for t in stored.plan if t.block == trial.block for i in t.items)
    compared = isinstance(task, PreferenceTask)
    if config.practice and compared and not begun and "practice" not in stored.seen:
        words = texts(stored.language, config.texts)["practice"]
        if "page:practice" not in stored.seen:
            return Page("page:practice", words["title"], words["text"])
        return Practice(practice_question(config, stored.language))
    return None


def _asked(
    stored: Stored, config: ExperimentConfig, task: Task | None, trial: Trial, items: Sequence[str]
) -> Ask | Form:
    """The first of some items, or those that stand on one screen with it."""
    progress = (len(stored.answered), sum(len(stored.items(t)) for t in stored.plan))
    if isinstance(task, RatingsTask) and task.one_page:
        asked = tuple(question(config, trial, i, stored.language, stored.plan) for i in task.together(items))
        return Form(f"form:{trial.position}:{items[0]}", trial, asked, progress)
    return _ask(stored, config, trial, items[0], progress)


def _ask(stored: Stored, config: ExperimentConfig, trial: Trial, item: str, progress: tuple[int, int]) -> Ask:
    asked = question(config, trial, item, stored.language, stored.plan)
    doubt = config.minimum_age if item == "age" else None
    asked = replace(asked, back=config.back and stored.before(trial, item) is not None, doubt=doubt)
    return Ask(f"ask:{trial.position}:{item}", trial, asked, progress)
