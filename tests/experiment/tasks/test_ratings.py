"""How much is recognised in a clip: what may be declared, and what stands on the screen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experiment.tasks.ratings import RatingsConfig, RatingsTask
from experiment.tasks.task import Reader
from experiment.texts import texts

ADJECTIVES = [
    {"name": "hot", "words": {"en": "warm", "it": "caldo"}},
    {"name": "mood", "words": {"en": "happy", "it": "felice"}, "opposite": {"en": "sad", "it": "triste"}},
]
LABELS = {"en": list("abcde"), "it": list("vwxyz")}
READER = Reader("it", texts("it"), {})


def task(**more: Any) -> RatingsTask:
    return RatingsTask.model_validate({"labels": LABELS, "adjectives": ADJECTIVES} | more)


def test_an_adjective_stands_over_labelled_steps_and_two_ends_beside_numbers() -> None:
    hot = task().asks("hot", "sweet", READER)
    assert (hot.kind, hot.text, hot.word) == ("steps", "Quanto riconosci questa qualità nella musica?", "caldo")
    assert (hot.low, hot.high, hot.labels) == (1, 5, tuple("vwxyz"))
    mood = task().asks("mood", "sweet", READER)
    assert (mood.text, mood.word, mood.labels) == ("Dove sta la musica tra le due parole?", "", ("triste", "felice"))
    assert (mood.low, mood.high) == (1, 5)
    assert [(t, q.item) for t, q in task().questions(READER)] == [(None, "hot"), (None, "mood")]
    assert task().titles(READER) == ["Ascolta"]
    assert task().items == ("hot", "mood")


def test_all_adjectives_stand_on_one_page_where_it_is_declared() -> None:
    """Those that are asked alike, and no more than there is room for: 14, or as many on each page."""
    assert task().together(["hot", "mood"]) == ["hot"]
    assert task(one_page=True).together(["hot", "mood"]) == ["hot"]  # from nothing to much, and between two words
    assert task(one_page=True).together(["mood"]) == ["mood"]
    names = [f"word_{chr(97 + k)}" for k in range(20)]
    many = task(one_page=True, adjectives=[{**ADJECTIVES[0], "name": n} for n in names])
    assert many.together(names[:14]) == names[:14]
    assert many.together(names[:15]) == names[:8]
    assert many.together(names) == names[:10]
    assert many.together(names[::-1][:3]) == names[::-1][:3]
    mixed = task(one_page=True, adjectives=[ADJECTIVES[0], {**ADJECTIVES[0], "name": "cold"}, ADJECTIVES[1]])
    assert mixed.together(["cold", "hot", "mood"]) == ["cold", "hot"]
    assert mixed.together(["mood", "hot", "cold"]) == ["mood"]


def test_one_page_asks_about_each_word() -> None:
    hot = task(one_page=True).asks("hot", "sweet", READER)
    assert (hot.text, hot.word) == ("Quanto riconosci ogni parola nella musica?", "caldo")
    assert task(one_page=True).asks("mood", "sweet", READER) == task().asks("mood", "sweet", READER)
    earlier = {k: v for k, v in texts("it")["ratings"].items() if k != "question_all"}  # a study's own older texts
    older = Reader("it", texts("it") | {"ratings": earlier}, {})
    assert task(one_page=True).asks("hot", "sweet", older).text == "Quanto riconosci questa qualità nella musica?"


def test_what_a_language_lacks_is_named() -> None:
    assert task().lacking("en") is None
    assert task().lacking("it") is None
    assert task().lacking("fr") == "ratings.labels has no words in 'fr'"
    assert task(name="taste", labels={"en": list("abcde")}).lacking("it") == "taste.labels has no words in 'it'"
    lone = [ADJECTIVES[0], {**ADJECTIVES[1], "opposite": {"en": "sad"}}]
    assert task(adjectives=lone).lacking("it") == "adjective 'mood' has no word in 'it'"
    assert task(adjectives=lone).lacking("en") is None


def test_what_nothing_is_said_about() -> None:
    plain = task()
    assert (plain.block, plain.clips, plain.low, plain.high, plain.conditions) == ("ratings", 3, 1, 5, [])
    assert (plain.after, plain.shuffled, plain.repeats, plain.heard) == ([], True, 0, True)
    assert not plain.one_page


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"conditions": ["a", "a"]}, "named twice: a"),
        ({"after": ["liking", "liking"]}, "named twice: liking"),
        ({"after": ["joy"]}, "'valence', 'arousal', 'familiarity', 'liking' or 'quality'"),
        ({"clips": 2, "repeats": 3}, "repeats = 3 are more than the 2 clips"),
        ({"adjectives": [ADJECTIVES[0]] * 2}, "adjectives are named twice: hot"),
        ({"adjectives": [{**ADJECTIVES[0], "name": "preference"}]}, "item of the other task"),
        ({"high": 12}, "12 steps"),
        ({"labels": {"en": list("abcd"), "it": list("vwxyz")}}, "labels.en has 4 words; the scale needs 5"),
        ({"low": 5}, "low = 5 is not under high = 5"),
        ({"models": ["a"]}, "Extra inputs"),
    ],
)
def test_what_can_not_be_run_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        task(**table)
    assert task(clips=2, repeats=2, conditions=["a", "b"]).repeats == 2
    assert task(clips=100, repeats=20).repeats == 20
    long = [{**ADJECTIVES[0], "name": "w" * n} for n in (60, 61)]  # the database keeps 60 characters
    assert task(adjectives=long[:1]).items == ("w" * 60,)
    assert task(repeats=0).repeats == 0
    for much in ({"repeats": -1}, {"clips": 100, "repeats": 21}, {"adjectives": long[1:]}):
        with pytest.raises(ValidationError, match=r"than or equal to|at most 60 characters"):
            task(**much)


def test_version_0_1_names_models_once() -> None:
    table = {"labels": LABELS, "adjectives": ADJECTIVES[:1]}
    assert RatingsConfig.model_validate(table | {"models": ["base", "finetuned"]}).models == ["base", "finetuned"]
    for wrong in ([], ["base", "base"]):
        with pytest.raises(ValidationError, match="names each model that is rated once"):
            RatingsConfig.model_validate(table | {"models": wrong})
    assert task(clips=1, adjectives=ADJECTIVES[:1]).items == ("hot",)
    assert task(adjectives=[{"name": "a", "words": {}}]).items == ("a",)
    for wrong_task in ({"adjectives": []}, {"clips": 0}, {"clips": 101}, {"adjectives": [{"name": "", "words": {}}]}):
        with pytest.raises(ValidationError):
            task(**wrong_task)
