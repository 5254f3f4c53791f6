"""Statements about oneself: what may be declared, and what stands on the screen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experiment.tasks.questionnaire import QuestionnaireTask
from experiment.tasks.task import Reader
from experiment.texts import texts

SOUNDS: dict[str, Any] = {
    "name": "sounds",
    "question": {"en": "Agree?", "it": "D'accordo?"},
    "labels": {"en": ["no", "yes"], "it": ["no", "sì"]},
    "items": [{"name": "plays", "words": {"en": "I play.", "it": "Suono."}}, {"name": "sings", "words": {"en": "I sing."}}],
}  # fmt: skip


def reader(language: str) -> Reader:
    return Reader(language, texts(language), {})


def test_a_statement_stands_over_its_scale() -> None:
    task = QuestionnaireTask.model_validate(SOUNDS)
    asked = task.asks("plays", None, reader("it"))
    assert (asked.kind, asked.text, asked.word, asked.labels) == ("steps", "D'accordo?", "Suono.", ("no", "sì"))
    assert (asked.low, asked.high) == (1, 7)
    assert [q.word for _, q in task.questions(reader("en"))] == ["I play.", "I sing."]
    assert (task.block, task.heard, task.titles(reader("en"))) == ("sounds", False, [])
    assert task.lacking("en") is None
    assert task.lacking("it") == "item 'sings' of 'sounds' has no words in 'it'"
    assert task.lacking("fr") == "questionnaire 'sounds' has no question or labels in 'fr'"
    for lone in ({"question": {"en": "Agree?"}}, {"labels": {"en": ["no", "yes"]}}):
        half = QuestionnaireTask.model_validate(SOUNDS | lone)
        assert half.lacking("it") == "questionnaire 'sounds' has no question or labels in 'it'"
    assert [i.reverse for i in task.items] == [False, False]  # agreeing counts as it is said, unless it is declared


def test_names_have_one_to_twenty_letters() -> None:
    for name in ("q", "q" * 20, "q_2"):
        assert QuestionnaireTask.model_validate(SOUNDS | {"name": name}).block == name
    for name in ("q" * 21, "Q", "2q", "a b"):
        with pytest.raises(ValidationError, match="name"):
            QuestionnaireTask.model_validate(SOUNDS | {"name": name})


@pytest.mark.parametrize("taken", ["age", "demographics", "affect", "preference", "ratings"])
def test_a_statement_is_not_called_as_what_every_session_asks(taken: str) -> None:
    items = [{"name": taken, "words": {"en": "x"}}]
    with pytest.raises(ValidationError, match="name of a question that every session asks"):
        QuestionnaireTask.model_validate(SOUNDS | {"items": items})


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"low": 7}, "low = 7 is not under high = 7"),
        ({"high": 12}, "12 steps from 1 to 12"),
        ({"labels": {"en": ["a", "b", "c"]}}, "labels.en has 3 words; the scale needs 7, or 2"),
        ({"items": SOUNDS["items"][:1] * 2}, "items are named twice: plays"),
        ({"items": []}, "at least 1 item"),
        ({"name": ""}, "name"),
    ],
)
def test_what_can_not_be_asked_is_refused(table: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        QuestionnaireTask.model_validate(SOUNDS | table)
    assert QuestionnaireTask.model_validate(SOUNDS | {"labels": {"en": list("abcdefg")}}).high == 7
