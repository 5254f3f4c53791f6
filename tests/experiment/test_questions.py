"""Every question of a session: its words, its scale, and what it is stored as."""

from __future__ import annotations

import pytest

from experiment.config import ExperimentConfig
from experiment.data.tables import Trial
from experiment.items import practice_question, question
from experiment.question import Question
from tests.experiment import readers


def trial(block: str, taste: str | None = None, *items: str) -> Trial:
    return Trial(block=block, taste=taste, items=list(items))


@pytest.mark.parametrize("language", ["en", "it"])
def test_every_question_says_what_it_is_stored_as(config: ExperimentConfig, language: str) -> None:
    def asked(where: Trial, item: str) -> Question:
        return question(config, where, item, language)

    for item, (words, options) in readers.CHOICES[language].items():
        stored = {key: label for label, key in options.items()}
        assert asked(trial("demographics"), item) == Question(item, "choice", words, options=stored)
    age = asked(trial("demographics"), "age")
    assert (age.kind, age.text, age.low, age.high) == ("number", readers.AGE[language], 1, 110)
    first, second = readers.FIRST_SECOND[language]
    for taste, word in readers.TASTES[language].items():
        q = asked(trial("preference", taste), "preference")
        words = readers.FITS[language].format(word)
        assert q == Question("preference", "slider", words, low=0, high=10, labels=(first, second))
        for item, adjective in readers.ADJECTIVES[language].items():
            steps = tuple(readers.STEPS[language])
            q = asked(trial("ratings", taste), item)
            assert q == Question(
                item, "steps", readers.RECOGNISE[language], low=1, high=5, labels=steps, word=adjective
            )
    for item, (words, low, high) in readers.FELT[language].items():
        assert asked(trial("affect"), item) == Question(item, "steps", words, low=1, high=9, labels=(low, high))
    tried = practice_question(config, language)
    words = readers.PRACTICE[language][1]
    assert tried == Question("practice", "slider", words, low=0, high=10, labels=(first, second))


def test_own_scales_questionnaires_and_two_ended_adjectives(config: ExperimentConfig) -> None:
    more = {
        "preference": {"trials": 5, "low": -3, "high": 3},
        "questionnaires": [
            {
                "name": "sounds", "low": 0, "high": 6,
                "question": {"en": "Do you agree?", "it": "D'accordo?"},
                "labels": {"en": ["no", "yes"], "it": ["no", "sì"]},
                "items": [
                    {"name": "q1", "words": {"en": "I sing.", "it": "Canto."}},
                    {"name": "q2", "words": {"en": "I dance.", "it": "Ballo."}},
                ],
            }
        ],
    }  # fmt: skip
    ratings = config.ratings.model_dump() if config.ratings else {}
    ratings["adjectives"] = [
        {"name": "hot", "words": {"en": "warm", "it": "caldo"}, "opposite": {"en": "cold", "it": "freddo"}},
        {"name": "sad", "words": {"en": "sadness", "it": "tristezza"}},
    ]
    ratings |= {"low": 0, "high": 4}
    own = ExperimentConfig.model_validate(config.model_dump() | more | {"ratings": ratings})
    q = question(own, trial("preference", "sour"), "preference", "en")
    assert (q.low, q.high, q.labels) == (-3, 3, ("the first piece", "the second piece"))
    assert practice_question(own, "it").labels == ("il primo brano", "il secondo brano")
    assert (practice_question(own, "it").low, practice_question(own, "it").high) == (-3, 3)
    for language, agree, ends, words in (
        ("en", "Do you agree?", ("no", "yes"), "I dance."), ("it", "D'accordo?", ("no", "sì"), "Ballo."),
    ):  # fmt: skip
        q = question(own, trial("sounds"), "q2", language)
        assert q == Question("q2", "steps", agree, low=0, high=6, labels=ends, word=words)
    for language, asked, ends in (
        ("en", "Where between the two words is the music?", ("cold", "warm")),
        ("it", "Dove sta la musica tra le due parole?", ("freddo", "caldo")),
    ):
        q = question(own, trial("ratings", "sweet"), "hot", language)
        assert q == Question("hot", "steps", asked, low=0, high=4, labels=ends)
    # A taste without a word of its own is asked about by its name.
    bare = ExperimentConfig.model_validate(config.model_dump() | {"taste_words": {}})
    assert question(bare, trial("preference", "umami"), "preference", "en").text == readers.FITS["en"].format("UMAMI")
