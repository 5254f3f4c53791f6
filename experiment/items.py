"""What is asked, in words: the question of each item of a trial, the consent text's fingerprint, the clips' titles."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from experiment.config import ExperimentConfig
from experiment.data.tables import Trial
from experiment.question import Question
from experiment.tasks import after, attention
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.task import AFTER, ATTENTION, Reader
from experiment.texts import texts


def consent_sha256(words: dict[str, Any], more: Sequence[str] = ()) -> str:
    """Fingerprint of the consent text shown, with what a study file says under it."""
    shown = [*sorted(words["consent"].items()), *more]
    return hashlib.sha256(repr(shown).encode()).hexdigest()


def consent_more(config: ExperimentConfig, language: str) -> list[str]:
    """Paragraphs under the text of the consent."""
    return config.consent.paragraphs(language, texts(language, config.texts).get("told", {}))


def reader(config: ExperimentConfig, language: str) -> Reader:
    """Who reads a study's questions in a language."""
    return Reader(language, texts(language, config.texts), config.taste_words.get(language, {}))


def titles(config: ExperimentConfig, trial: Trial, language: str) -> list[str]:
    """What stands over each clip of a trial while it is heard."""
    return config.named(trial.block).titles(reader(config, language))


def question(config: ExperimentConfig, trial: Trial, item: str, language: str, plan: Sequence[Trial] = ()) -> Question:
    """Word the question of one item of a trial; what is asked after one of two clips says of which, by the session's plan."""
    reading = reader(config, language)
    if trial.block == "demographics":
        return demographic(item, reading)
    if trial.block == AFTER:
        return after.question(item, reading, _piece(config, trial, plan, reading))
    if trial.block == ATTENTION:
        return attentive(config, item, reading)
    return config.named(trial.block).asks(item, trial.taste, reading)


def attentive(config: ExperimentConfig, item: str, reading: Reader) -> Question:
    """To choose a named end of the study's scale.

    Raises
    ------
    ValueError
        If the study has none.
    """
    task = attention.scaled(config.sequence())
    if task is None:
        raise ValueError("a study without a scale asks for no end of it")
    return attention.question(item, task, reading)


def _piece(config: ExperimentConfig, trial: Trial, plan: Sequence[Trial], reading: Reader) -> str:
    """What the clip was called of which something is asked after a comparison; empty where one was heard alone."""
    before = [t for t in plan if t.position < trial.position and t.block not in (AFTER, ATTENTION)]
    if not before or before[-1].second is None:
        return ""
    return config.named(before[-1].block).titles(reading)[trial.position - before[-1].position - 1]


def demographic(item: str, reading: Reader) -> Question:
    """A question about the person: a choice, or a number."""
    entry = reading.words["demographics"][item]
    if "options" in entry:
        return Question(item, "choice", entry["question"], options=entry["options"])
    return Question(item, "number", entry["question"], low=1, high=110)


def practice_question(config: ExperimentConfig, language: str) -> Question:
    """A comparison about no taste of the study.

    Raises
    ------
    ValueError
        If the study has none.
    """
    task = config.task(PreferenceTask)
    if task is None:
        raise ValueError("a study without comparisons has nothing to practise")
    return task.practice(reader(config, language))


def every_question(config: ExperimentConfig, language: str) -> list[tuple[str | None, Question]]:
    """All questions that a study can ask in a language, each with the taste that it is about."""
    reading = reader(config, language)
    found: list[tuple[str | None, Question]] = [(None, demographic(item, reading)) for item in config.demographics]
    if config.task(PreferenceTask) is not None:
        found.append((None, practice_question(config, language)))
    felt: dict[tuple[str, str], None] = {}
    for task in config.sequence():
        pieces = task.titles(reading) if isinstance(task, PreferenceTask) else [""]
        felt |= dict.fromkeys((item, piece) for item in getattr(task, "after", ()) for piece in pieces)
        found += task.questions(reading)
    if config.attention.questions:
        found += [(None, attentive(config, item, reading)) for item in attention.ENDS]
    return found + [(None, after.question(item, reading, piece)) for item, piece in felt]
