"""Which piece fits a taste better: what may be declared, and what stands on the screen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experiment.tasks.preference import PreferenceTask
from experiment.tasks.task import Reader
from experiment.texts import texts

PAIRS = [["b", "a"]]
READER = Reader("en", texts("en"), {"sweet": "sweet", "sour": "tart"})


def task(**more: Any) -> PreferenceTask:
    return PreferenceTask.model_validate({"pairs": PAIRS} | more)


def test_the_question_names_the_taste_in_the_studys_words() -> None:
    asked = task().asks("preference", "sour", READER)
    assert (asked.kind, asked.text) == ("slider", "Which piece fits the taste TART better?")
    assert (asked.low, asked.high, asked.labels, asked.start) == (0, 10, ("the first piece", "the second piece"), None)
    assert asked.item == "preference"
    assert task().asks("preference", "salty", READER).text == "Which piece fits the taste SALTY better?"
    assert [(t, q.text) for t, q in task().questions(READER)] == [
        ("sweet", "Which piece fits the taste SWEET better?"),
        ("sour", "Which piece fits the taste TART better?"),
    ]
    assert task().titles(READER) == ["First piece", "Second piece"]


def test_a_replication_starts_in_the_middle() -> None:
    """The seed study's slider stood at 5 of 0 to 10 before it was touched."""
    assert task(replicate=True).asks("preference", "sweet", READER).start == 5.0
    assert task(replicate=True, low=-3, high=4).asks("preference", "sweet", READER).start == 0.5
    assert task(low=-3, high=4).middle == 0.5
    assert task(start="middle").asks("preference", "sweet", READER).start == 5.0
    with pytest.raises(ValidationError, match="'nowhere' or 'middle'"):
        task(start="left")


def test_practice_is_about_no_taste() -> None:
    asked = task(low=1, high=7).practice(READER)
    assert (asked.item, asked.kind, asked.text) == ("practice", "slider", "Which sound is higher?")
    assert (asked.low, asked.high, asked.labels) == (1, 7, ("the first piece", "the second piece"))


def test_it_is_called_as_its_trials_are() -> None:
    assert task().block == "preference"
    assert task(name="fit").block == "fit"
    assert task().heard
    assert task().tastes_named
    assert (task().trials, task().match, task().order, task().repeats) == (5, "number", "latin", 0)


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"pairs": []}, "at least 1 item"),
        ({"pairs": [["a"]]}, "Field required"),
        ({"pairs": [["a", "b", "c"]]}, "at most 2 items"),
        ({"pairs": [["a", "a"]]}, "'a' is compared with itself"),
        ({"pairs": [["a", "b"], ["b", "a"]]}, "both ways round"),
        ({"match": "random"}, "'number' or 'crossed'"),
        ({"replicate": True, "match": "crossed"}, "no crossed pairs"),
        ({"replicate": True, "repeats": 1}, "no repeats"),
        ({"trials": 2, "repeats": 3}, "repeats = 3 are more than the 2 trials"),
        ({"repeats": -1}, "greater than or equal to 0"),
        ({"low": 5, "high": 5}, "not under"),
        ({"low": 0, "high": 101}, "102 steps"),
        ({"name": "Fit"}, "should match pattern"),
        ({"name": "f" * 21}, "at most 20 characters"),
        ({"after": ["joy"]}, "'valence', 'arousal', 'familiarity', 'liking' or 'quality'"),
        ({"after": ["liking", "liking"]}, "named twice: liking"),
        ({"replicate": True, "after": ["liking"]}, "nothing asked after a clip"),
    ],
)
def test_what_can_not_be_run_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        task(**table)
    assert task(trials=3, repeats=3, low=0, high=100).repeats == 3
    assert (task(trials=1).trials, task(trials=100, repeats=20).repeats) == (1, 20)
    for trials, repeats in ((0, 0), (101, 0), (100, 21)):
        with pytest.raises(ValidationError, match="than or equal to"):
            task(trials=trials, repeats=repeats)
