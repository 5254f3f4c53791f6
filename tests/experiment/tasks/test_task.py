"""What every task has: scales, labels, names, words."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from experiment.tasks.task import Reader, Task, check_labels, check_scale, scale_question, twice
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
