"""A text to read between two tasks."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from experiment.tasks.pages import Notice, PageTask
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
    half = PageTask.model_validate({"name": "b", "title": {"en": "A", "it": "Una"}, "text": {"en": "B", "fr": "C"}})
    assert half.lacking("en") is None
    for language in ("it", "fr"):
        assert half.lacking(language) == f"page 'b' has no title or text in {language!r}"


def test_the_last_page_names_the_persons_code_where_the_text_says_so() -> None:
    notice = Notice(title={"en": "Done", "it": "Fatto"}, text={"en": "Code {code}, {{no}} other.", "fr": "Merci"})
    assert notice.read("en", "P7") == ("Done", "Code P7, {no} other.")
    assert Notice(title={"fr": "Fini"}, text={"fr": "Merci"}).read("fr", "P7") == ("Fini", "Merci")
    assert [notice.lacking(language) for language in ("en", "it", "fr", "de")] == [False, True, True, True]
    for wrong, says in (("{name}", "text.en may have {code}, and no other braces"), ("{", "text.en: ")):
        with pytest.raises(ValidationError, match=says):
            Notice(title={"en": "Done"}, text={"en": f"{{code}} {wrong}"})
