"""Simulated participants: presenters that answer by a declared effect model, through the same engine as people."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import numpy as np

from experiment.bots.effects import Effects
from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.data.tables import Stimulus, Trial
from experiment.headphones import HeadphoneTrial
from experiment.question import JOINED, Answer, Question
from experiment.session import run_session
from experiment.tasks.attention import ENDS
from experiment.tasks.identification import ITEM as NAMED
from experiment.tasks.own import QuestionsTask
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import ATTENTION, RESERVED
from models.conditions import over_and_under

# Shares of the seed study's 111 people (data published with arXiv 2503.02823), so that simulated tables look alike.
SHARES: dict[str, dict[str, int]] = {
    "sex": {"male": 61, "female": 46, "other": 2, "not_said": 2},
    "hearing_experience": {"professional": 38, "amateur": 43, "none": 30},
    "eating_experience": {"professional": 1, "amateur": 44, "none": 66},
    "ethnicity": {
        "arab": 3,
        "asian": 1,
        "mixed": 1,
        "latino": 4,
        "southeast_asian": 2,
        "white": 90,
        "not_listed": 6,
        "not_said": 4,
    },
    "hearing_impairments": {"yes": 4, "no": 107},
    "taste_impairments": {"yes": 3, "no": 108},
    "device": {"headphones": 60, "speakers": 40, "hifi": 5, "other": 6},
}
# What a clip's effects are drawn with, beside its id: which question it is, never what that is called. The numbers of the
# comparison and of the first twelve adjectives are those with which the default study's people have always answered.
COMPARED, NAMING = 1055, 2
WRITTEN = "simulated"
RATED = (557, 552, 650, 457, 546, 312, 525, 771, 414, 893, 331, 418)


def rated(place: int) -> int:
    """The number of the adjective that stands at a place, from 0, in the study file."""
    return RATED[place] if place < len(RATED) else 10_000 + place


@lru_cache(maxsize=4096)
def latent_mean(mean: float, spread: float, low: int, high: int) -> float:
    """Latent normal mean whose rounded and clipped answer on `low`..`high` has the wanted mean."""

    def answered(mu: float) -> float:
        return low + sum(0.5 * math.erfc((k + 0.5 - mu) / spread / math.sqrt(2)) for k in range(low, high))

    left, right = low - 8.0 * spread, high + 8.0 * spread
    for _ in range(60):
        middle = (left + right) / 2
        left, right = (middle, right) if answered(middle) < mean else (left, middle)
    return (left + right) / 2


class Bot:
    """One simulated participant; a presenter of `experiment.session`."""

    def __init__(self, config: ExperimentConfig, effects: Effects, rng: np.random.Generator, clip_seed: int):
        self.gain_db = 0.0
        self.minutes = 0
        self.asks_special = True
        self.more: tuple[str, ...] = ()
        self.config, self.effects, self.rng, self.clip_seed = config, effects, rng, clip_seed
        p = effects.preference
        self.careless = bool(rng.random() < p.careless)
        self.liking = rng.normal(0, p.participant_sd)
        self.slopes = int(rng.integers(2**32)) if p.taste_sd > 0 else 0
        self.style = rng.normal(0, effects.ratings.participant_sd)
        self.ear = rng.normal(0, effects.identification.participant_sd) if effects.identification.hits else 0.0
        self._own_blocks = {t.block for t in config.sequence() if isinstance(t, QuestionsTask)}
        self._latent: dict[int, dict[str, float]] = {}

    def consent(self) -> tuple[bool, bool]:
        """Agree to everything."""
        return True, self.asks_special

    def sound_check(self) -> dict[str, Any] | None:
        """Bots hear nothing."""
        return None

    def adjust_level(self, softest: int) -> float | None:
        """Bots hear nothing."""
        return None

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        """Bots hear nothing."""
        return None

    def practice(self, question: Question) -> None:
        """Bots need none."""

    def page(self, title: str, text: str) -> None:
        """Read on."""

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        """Bots hear nothing, so no onset is stored."""
        return []

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
        """Answer from the effect model."""
        rt = float(self.rng.lognormal(0.8, 0.4))
        if trial.block in self._own_blocks:
            return self._own(question, rt)
        if question.kind == "number":
            age = round(float(np.clip(self.rng.gamma(6.0, 2.2) + 18.5, 19, 75)))
            return Answer(value=max(age, self.config.minimum_age), response_time=rt)
        if question.kind == "choice":
            assert question.options is not None
            if question.item == NAMED and trial.block not in RESERVED:
                return Answer(choice=self._named(question, trial), response_time=rt)
            known = SHARES.get(question.item, {})
            keys = [k for k in question.options if k in known] or list(question.options)
            weights = np.array([known.get(k, 1) for k in keys], dtype=float)
            return Answer(choice=str(self.rng.choice(keys, p=weights / weights.sum())), response_time=rt)
        if trial.block == ATTENTION and not self.careless:
            return Answer(value=float((question.low, question.high)[ENDS.index(question.item)]), response_time=rt)
        task = None if trial.block in RESERVED else self.config.named(trial.block)
        if not isinstance(task, PreferenceTask | RatingsTask):
            middle = self.rng.normal((question.low + question.high) / 2, (question.high - question.low) / 5)
            return Answer(value=float(np.clip(round(middle), question.low, question.high)), response_time=rt)
        if self.careless:
            return Answer(value=float(self.rng.integers(question.low, question.high + 1)), response_time=rt)
        if isinstance(task, PreferenceTask):
            return Answer(value=self._preference(question, trial, task.pairs), response_time=rt)
        return Answer(value=self._rating(question, trial, task.items), response_time=rt)

    def _own(self, question: Question, rt: float) -> Answer:
        """Anything alike of a study's own question; free text says that nobody wrote it."""
        keys = [k for k in question.options or {} if k != question.alone]
        if question.kind == "choice":
            return Answer(choice=str(self.rng.choice(keys)), response_time=rt)
        if question.kind == "number":
            return Answer(value=float(self.rng.integers(question.low, question.high + 1)), response_time=rt)
        if question.kind == "text":
            return Answer(said=WRITTEN[: question.high], response_time=rt)
        if question.alone and self.rng.random() < 1 / (len(keys) + 1):
            return Answer(choice=question.alone, response_time=rt)
        several = self.rng.choice(len(keys), int(self.rng.integers(question.low, question.high + 1)), replace=False)
        return Answer(choice=JOINED.join(keys[i] for i in sorted(several)), response_time=rt)

    def fill(self, questions: Sequence[Question], trial: Trial, progress: tuple[int, int]) -> dict[str, Answer]:
        """Answer one after the other."""
        return {q.item: self.ask(q, trial, progress) for q in questions}

    def _clip_effect(self, stimulus_id: int | None, question: int, sd: float) -> float:
        # A clip is the same for everyone: its effect depends on the clip and the question alone.
        seed = [self.clip_seed, int(stimulus_id or 0), question]
        return float(np.random.default_rng(seed).normal(0, sd))

    def _preference(self, question: Question, trial: Trial, pairs: list[tuple[str, str]]) -> float:
        p = self.effects.preference
        assert trial.first is not None
        assert trial.second is not None
        clips = {c.model: c for c in (trial.first, trial.second)}
        sides = over_and_under(trial.first.model, trial.second.model, pairs)
        over, under = (clips[name] for name in sides)
        low, high, taste = question.low, question.high, str(trial.taste)
        random = float(self.liking) + self._clip_effect(over.id, COMPARED, p.clip_sd)
        if p.taste_sd > 0:
            known = list(next(iter(self.config.taste_words.values()), {}))
            place = known.index(taste) if taste in known else len(known)  # what tastes are called moves no answer
            random += float(np.random.default_rng([self.slopes, place]).normal(0, p.taste_sd))
        if p.pair_sd > 0:
            together = np.random.default_rng([self.clip_seed, over.id, under.id, 1])
            random += float(together.normal(0, p.pair_sd))
        random += float(self.rng.normal(0, p.residual_sd))
        score = p.score(taste, *sides, low, high) + p.points(low, high) * random
        if p.ends > 0 and self.rng.random() < p.ends:
            score = high if score > (low + high) / 2 else low
        answer = score if trial.second is over else low + high - score
        return float(np.clip(round(answer), low, high))

    def _named(self, question: Question, trial: Trial) -> str:
        """The clip's own taste as often as is declared, else any other alike; any at all where nothing is declared."""
        told, keys, taste = self.effects.identification, list(question.options or {}), str(trial.taste)
        share = None if trial.first is None else told.share(trial.first.model, taste)
        weights = np.full(len(keys), 1 / len(keys))
        if share is not None and taste in keys and len(keys) > 1 and not self.careless:
            lift = float(self.ear) + self._clip_effect(trial.first_id, NAMING, told.clip_sd)
            hit = share if share in (0, 1) else 1 / (1 + math.exp(-(math.log(share / (1 - share)) + lift)))
            weights = np.where(np.array(keys) == taste, hit, (1 - hit) / (len(keys) - 1))
        return str(self.rng.choice(keys, p=weights))

    def _rating(self, question: Question, trial: Trial, items: tuple[str, ...]) -> float:
        r = self.effects.ratings
        if trial.id not in self._latent:
            noise = self.effects.covariance_root(list(items)) @ self.rng.standard_normal(len(items))
            self._latent[trial.id] = dict(zip(items, noise, strict=True))
        low, high = question.low, question.high
        points = r.points(low, high)
        condition = trial.first.model if trial.first else ""
        mean = r.rating(condition, str(trial.taste), question.item, low, high)
        mu = latent_mean(mean, points * r.spread, low, high)
        place = rated(items.index(question.item))
        mu += points * (self.style + self._clip_effect(trial.first_id, place, r.clip_sd))
        drawn = points * r.spread * self._latent[trial.id][question.item]
        return float(np.clip(round(float(mu + drawn)), low, high))


def simulate(
    store: Store,
    begin: Callable[[int, str], int],
    config: ExperimentConfig,
    effects: Effects,
    n: int,
    seed: int,
    progress: Callable[[int, int], None] | None = None,
) -> list[int]:
    """Run `n` simulated participants; those that are already in the database are not run again.

    Parameters
    ----------
    begin : callable
        ``begin(index, code) -> session id``; raises nothing for a new code, returns -1 for a finished one.
    """
    done = []
    for i in range(n):
        code = f"bot-{seed}-{i:04d}"
        session_id = begin(i, code)
        if session_id >= 0:
            bot = Bot(config, effects, np.random.default_rng([seed, i]), seed)
            run_session(store, session_id, config, bot)
            done.append(session_id)
        if progress:
            progress(i + 1, n)
    return done
