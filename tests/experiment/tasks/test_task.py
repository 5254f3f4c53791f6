"""What every task has: scales, labels, names, words."""

from __future__ import annotations

import pytest

from experiment.tasks.task import Reader, Task, check_labels, check_scale, twice
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
    with pytest.raises(NotImplementedError):
        Task(kind="x").asks("a", None, reader("en"))
