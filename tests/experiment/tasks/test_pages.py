"""A text to read between two tasks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from experiment.tasks.pages import PageTask
from experiment.tasks.task import Reader
from experiment.texts import texts


def reader(language: str) -> Reader:
    return Reader(language, texts(language), {})


def test_a_page_has_a_name_and_words() -> None:
    page = PageTask.model_validate({"name": "break", "title": {"en": "A break"}, "text": {"en": "Breathe."}})
    assert (page.block, page.heard, list(page.questions(reader("en")))) == ("break", False, [])
    assert page.lacking("en") is None
    assert page.lacking("it") == "page 'break' has no title or text in 'it'"
    assert PageTask.model_validate({"name": "b", "title": {}, "text": {}}).block == "b"  # one letter, twenty at most
    assert len(PageTask.model_validate({"name": "b" * 20, "title": {}, "text": {}}).block) == 20
    for name in ("b" * 21, "", "B", "1b", "a b"):
        with pytest.raises(ValidationError, match="name"):
            PageTask.model_validate({"name": name, "title": {}, "text": {}})
    with pytest.raises(ValidationError, match="name"):
        PageTask.model_validate({"title": {}, "text": {}})
