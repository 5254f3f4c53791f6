"""A study's own questions: what may be declared, and what stands on the screen."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from experiment.tasks.own import QuestionsTask
from experiment.tasks.task import Reader
from experiment.texts import texts

OPTIONS = [
    {"name": "piano", "words": {"en": "Piano", "it": "Pianoforte"}},
    {"name": "guitar", "words": {"en": "Guitar", "it": "Chitarra"}},
    {"name": "none", "words": {"en": "None"}},
]


def item(kind: str, **more: Any) -> dict[str, Any]:
    options = {"options": OPTIONS} if kind in ("choice", "multiple") else {}
    return {"kind": kind, "name": f"my_{kind}", "question": {"en": f"A {kind}?"}, **options, **more}


def task(*items: dict[str, Any]) -> QuestionsTask:
    return QuestionsTask.model_validate({"name": "own", "items": list(items)})


def reader(language: str) -> Reader:
    return Reader(language, texts(language), {})


def test_each_kind_is_asked_in_the_file_s_words_and_order() -> None:
    own = task(
        item("choice"), item("multiple", alone="none"), item("number", low=5, high=1900),
        item("text", most=40), item("text", name="why", required=True), item("number", name="years"),
    )  # fmt: skip
    asked = [q for _, q in own.questions(reader("en"))]
    assert [(q.item, q.kind, q.text, q.low, q.high) for q in asked] == [
        ("my_choice", "choice", "A choice?", 0, 0), ("my_multiple", "multiple", "A multiple?", 1, 2),
        ("my_number", "number", "A number?", 5, 1900), ("my_text", "text", "A text?", 0, 40),
        ("why", "text", "A text?", 1, 200), ("years", "number", "A number?", 0, 100),
    ]  # fmt: skip
    assert asked[0].options == asked[1].options == {"piano": "Piano", "guitar": "Guitar", "none": "None"}
    assert (asked[1].alone, asked[0].alone) == ("none", "")
    assert own.asks("my_number", None, reader("en")) == asked[2]
    assert (own.block, own.heard) == ("own", False)
    for least, most in ((0, 3), (2, 2), (1, 1), (3, 3)):  # two of three: exactly two
        chosen = task(item("multiple", least=least, most=most)).asks("my_multiple", None, reader("en"))
        assert (chosen.low, chosen.high) == (least, most)
    assert task(item("multiple")).asks("my_multiple", None, reader("en")).high == 3


def test_a_screen_has_room_for_fourteen_options_and_one_word_is_a_text() -> None:
    many = [{"name": f"o{k}", "words": {"en": f"Option {k}"}} for k in range(15)]
    assert len(task(item("choice", options=many[:14])).asks("my_choice", None, reader("en")).options or {}) == 14
    with pytest.raises(ValidationError, match="at most 14 items"):
        task(item("choice", options=many))
    assert [task(item("text", most=n)).asks("my_text", None, reader("en")).high for n in (1, 500)] == [1, 500]
    longest = [
        {"name": f"{'n' * 19}{k}", "words": {"en": str(k)}} for k in range(3)
    ]  # 3 times 20 letters, two marks between
    assert task(item("multiple", options=longest)).lacking("en") is None


def test_what_a_language_lacks_is_told() -> None:
    own = task(item("choice"), item("number"))
    assert own.lacking("en") is None
    assert own.lacking("it") == "question 'my_choice' has no words in 'it'"
    named = task(item("choice", question={"it": "Quale?"}))
    assert named.lacking("it") == "option 'none' of 'my_choice' has no words in 'it'"
    assert task(item("number")).lacking("it") == "question 'my_number' has no words in 'it'"


LONG = [{"name": f"a_rather_long_name_{k}", "words": {"en": str(k)}} for k in range(4)]


@pytest.mark.parametrize(
    ("items", "says"),
    [
        ([], "at least 1 item"),
        ([item("choice")] * 2, "questions are named twice: my_choice"),
        ([item("choice", name="age")], "'age' has a name that tables use otherwise"),
        ([item("choice", name="status")], "'status' has a name that tables use otherwise"),
        ([item("choice", name="Age")], "pattern"),
        ([item("choice", options=OPTIONS[:1])], "at least 2 items"),
        ([item("choice", options=[*OPTIONS, OPTIONS[0]])], "options of 'my_choice' are named twice: piano"),
        (
            [item("choice", options=[OPTIONS[0], {"name": "grand", "words": {"en": "Piano"}}])],
            "options of 'my_choice' read alike in 'en': Piano",
        ),
        (
            [item("multiple", alone="drums")],
            "alone = 'drums' is none of the options of 'my_multiple': piano, guitar, none",
        ),
        ([item("multiple", most=3, alone="none")], "1 to 3 options can't be chosen of 2 that go together"),
        ([item("multiple", least=3, most=2)], "3 to 2 options can't be chosen of 3"),
        ([item("multiple", options=LONG)], "have 83 characters; 80 are kept"),
        ([item("number", low=5, high=5)], "'my_number': low = 5 is not under high = 5"),
        ([item("number", low=-1)], "greater than or equal to 0"),
        ([item("number", high=10000)], "less than or equal to 9999"),
        ([item("text", most=501)], "less than or equal to 500"),
        ([item("sketch")], "does not match any of the expected tags"),
    ],
)
def test_what_can_not_be_asked_is_refused(items: list[dict[str, Any]], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        task(*items)
