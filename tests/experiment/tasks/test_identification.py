"""Which taste does this music call up: what may be declared, and what stands on the screen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experiment.tasks.identification import IdentificationTask
from experiment.tasks.task import Reader
from experiment.texts import texts

READER = Reader("en", texts("en"), {"sweet": "sweet", "sour": "tart"})


def task(**more: Any) -> IdentificationTask:
    return IdentificationTask.model_validate(more)


def test_the_studys_tastes_are_offered_in_its_words_and_order() -> None:
    asked = task().asks("identification", "sour", READER)
    assert (asked.kind, asked.text) == ("choice", "Which taste does this music call up?")
    assert list((asked.options or {}).items()) == [("sweet", "sweet"), ("sour", "tart")]
    none = task(none=True).asks("identification", "sour", READER)
    assert list((none.options or {}).items())[2:] == [("none", "none of these")]
    # Nothing tells which taste was prompted.
    assert asked == task().asks("identification", "sweet", READER)


@pytest.mark.parametrize(("declared", "high"), [(True, 5), (5, 5), (2, 2), (11, 11)])
def test_confidence_is_asked_on_so_many_steps(declared: Any, high: int) -> None:
    sure = task(confidence=declared)
    assert sure.items == ("identification", "confidence")
    asked = sure.asks("confidence", "sour", READER)
    assert (asked.kind, asked.text, asked.low, asked.high) == ("steps", "How sure are you?", 1, high)
    assert asked.labels == ("not at all", "completely")
    assert [q.item for _, q in sure.questions(READER)] == ["identification", "confidence"]


def test_what_nothing_is_said_about() -> None:
    plain = task()
    assert plain.items == ("identification",)
    assert [q.item for _, q in plain.questions(READER)] == ["identification"]
    assert (plain.block, plain.clips, plain.conditions, plain.none, plain.steps) == ("identification", 8, [], False, 0)
    assert (plain.heard, plain.tastes_named, plain.after, plain.repeats) == (True, True, [], 0)
    assert plain.titles(READER) == ["Listen"]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"confidence": 1}, "2 to 11 steps"),
        ({"confidence": 12}, "2 to 11 steps"),
        ({"confidence": -1}, "2 to 11 steps"),
        ({"conditions": ["a", "a"]}, "named twice: a"),
        ({"after": ["quality", "quality"]}, "named twice: quality"),
        ({"clips": 4, "repeats": 5}, "repeats = 5 are more than the 4 clips"),
        ({"clips": 0}, "greater than or equal to 1"),
    ],
)
def test_what_can_not_be_run_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        task(**table)
    assert task(clips=4, repeats=4).repeats == 4
    assert (task(clips=1).clips, task(clips=100, repeats=20).repeats) == (1, 20)
    assert task(repeats=0).repeats == 0
    for much in ({"repeats": -1}, {"clips": 101}, {"clips": 100, "repeats": 21}):
        with pytest.raises(ValidationError, match="than or equal to"):
            task(**much)
