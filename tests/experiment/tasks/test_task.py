"""What every task has: scales, labels, names, words."""

from __future__ import annotations

from inspect import isabstract

import pytest
from pydantic import BaseModel, TypeAdapter, ValidationError

from experiment.data.tables import Response, Stimulus, Trial
from experiment.design import SPECIAL
from experiment.tasks import identification, own, pages, preference, questionnaire, ratings, task
from experiment.tasks.task import (
    DEMOGRAPHICS,
    STEPS,
    BlockName,
    ConditionName,
    ItemName,
    PlannedTrial,
    Reader,
    Task,
    check_labels,
    check_scale,
    scale_question,
    twice,
)
from experiment.texts import texts


def reader(language: str) -> Reader:
    return Reader(language, texts(language), {})


def test_scales_labels_and_names() -> None:
    check_scale(0, 1, 2)
    with pytest.raises(ValueError, match="low = 1 is not under high = 1"):
        check_scale(1, 1, 5)
    check_scale(5, 7, 3)
    with pytest.raises(ValueError, match="3 steps from 5 to 7 are more than the 2"):
        check_scale(5, 7, 2)
    with pytest.raises(ValueError, match="3 steps from 0 to 2 are more than the 2"):
        check_scale(0, 2, 2)
    check_labels({"en": ["a", "b"]}, 5)
    check_labels({"en": list("abcde")}, 5)
    with pytest.raises(ValueError, match=r"labels.it has 3 words; the scale needs 5, or 2"):
        check_labels({"en": ["a", "b"], "it": list("abc")}, 5)
    assert twice(["a", "b", "a", "c", "c"]) == "a, c"
    assert twice(["a", "b"]) == ""
    assert Reader("en", {}, {"sweet": "honey"}).taste("sweet") == "honey"
    assert Reader("en", {}, {}).taste("sweet") == "sweet"
    with pytest.raises(LookupError, match="asks no"):
        Task(kind="x").asks("a", None, reader("en"))


def test_a_task_is_shown_to_nobody_before_it_says_so() -> None:
    """Neither clips nor tastes nor titles: what a kind of task has of these it declares."""
    bare = Task(kind="x")
    assert (bare.heard, bare.tastes_named, bare.titles(reader("en")), list(bare.questions(reader("en")))) == (
        False, False, [], [],
    )  # fmt: skip
    assert bare.lacking("en") is None
    assert PlannedTrial("x", None, None, None, ()).repeated is False


def test_what_is_asked_about_a_person_stands_in_the_order_of_the_texts() -> None:
    """Its own data last but how one listens: the three questions that may fall away follow each other."""
    assert list(DEMOGRAPHICS) == [k for k in texts("en")["demographics"] if k != "title"]
    at = DEMOGRAPHICS.index(SPECIAL[0])
    assert DEMOGRAPHICS[at : at + 3] == SPECIAL


MODELS = {
    found
    for module in (identification, own, pages, preference, questionnaire, ratings, task)
    for found in vars(module).values()
    if isinstance(found, type) and issubclass(found, BaseModel) and found.model_fields and not isabstract(found)
}


@pytest.mark.parametrize("model", sorted(MODELS, key=lambda m: m.__name__))
def test_settings_stay_as_they_were_read(model: type[BaseModel]) -> None:
    """What was refused when the file was read can't come in later."""
    field = next(iter(model.model_fields))
    with pytest.raises(ValidationError, match="frozen"):
        setattr(model.model_construct(), field, None)


@pytest.mark.parametrize(
    ("kind", "column"),
    [(BlockName, Trial.block), (ItemName, Response.item), (ConditionName, Stimulus.model)],
    ids=["block", "item", "condition"],
)
def test_names_are_as_long_as_the_database_keeps_them(kind: object, column: object) -> None:
    """PostgreSQL would refuse a longer one in mid-session."""
    room = getattr(column, "type").length  # noqa: B009
    names = TypeAdapter(kind)
    for good in ("a", "a" * room):
        assert names.validate_python(good) == good
    for bad in ("", "a" * (room + 1)):
        with pytest.raises(ValidationError):
            names.validate_python(bad)


def test_more_than_eleven_steps_are_no_scale() -> None:
    """0 to 10, as the seed study's slider; a twelfth button stands too close to the others."""
    check_scale(0, 10, STEPS)
    with pytest.raises(ValueError, match="12 steps from 0 to 11 are more than the 11"):
        check_scale(0, 11, STEPS)


def test_a_scale_is_asked_as_steps() -> None:
    asked = scale_question("hot", "How hot?", 1, 3, ["cold", "hot"], "tea")
    assert (asked.item, asked.kind, asked.text, asked.word) == ("hot", "steps", "How hot?", "tea")
    assert (asked.low, asked.high, asked.labels, asked.options, asked.start) == (1, 3, ("cold", "hot"), None, None)
    assert scale_question("hot", "How hot?", 1, 3, ["cold", "hot"]).word == ""


@pytest.mark.parametrize(
    ("name", "good"), [("a" * 20, True), ("a" * 21, False), ("a_1", True), ("1a", False), ("", True)]
)
def test_names_fit_into_the_database(name: str, good: bool) -> None:
    if good:
        assert Task(kind="x", name=name).block == (name or "x")
    else:
        with pytest.raises(ValidationError):
            Task(kind="x", name=name)
