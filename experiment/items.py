"""What is asked, in words: the question of each item of a trial, the consent text's fingerprint, the clips' titles."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from experiment.config import ExperimentConfig
from experiment.data.tables import Trial
from experiment.texts import texts


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


def consent_sha256(words: dict[str, Any]) -> str:
    """Fingerprint of the consent text shown."""
    return hashlib.sha256(repr(sorted(words["consent"].items())).encode()).hexdigest()


def titles(trial: Trial, words: dict[str, Any]) -> list[str]:
    """What stands over each clip of a trial while it is heard."""
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
