"""What a browser says was done, read strictly."""

from __future__ import annotations

import json
from typing import Any

import pytest

from experiment.data.tables import Trial
from experiment.question import Question
from experiment.steps import Ask, Consent, Form, Headphones, Level, Listen, Page, SoundCheck, Step
from experiment.web.messages import Did, Done, MessageError, Opened, did_of, read
from tests.experiment.web.visitor import played

TRIAL = Trial(id=1, position=0, block="x", items=[])
CHOICE = Question("c", "choice", "?", {"a": "A", "b": "B"})
SEVERAL = Question("m", "multiple", "?", {"a": "A", "b": "B", "c": "C"}, 1, 2)
STEPS = Question("s", "steps", "?", low=1, high=5, labels=("no", "yes"))
TEXT = Question("t", "text", "?", high=20)


def ask(question: Question) -> Ask:
    return Ask("ask", TRIAL, question, (0, 1))


def of(step: Step, did: dict[str, Any], hears: bool = True) -> dict[str, Any]:
    return did_of(step, Did.model_validate(did), ["one", "two"], [1.0, 2.0], hears)


def test_what_each_step_takes() -> None:
    agreed = {"takes_part": True, "special": True}
    assert of(Consent(special=True), agreed) == agreed
    assert of(Consent(special=False), agreed) == {"takes_part": True, "special": False}
    assert of(Page("p", "", ""), {}) == {}
    assert of(Level(-24), {"gain_db": -3.0}) == {"gain_db": -3.0}
    assert of(Headphones("huggins", (1,)), {"given": [1, 2, 3, 1, 2, 3]}) == {"given": [1, 2, 3, 1, 2, 3]}
    assert of(ask(CHOICE), {"answer": {"chosen": [1], "response_time": 1.5}})["choice"] == "b"
    assert of(ask(SEVERAL), {"answer": {"chosen": [2, 0]}})["choice"] == "a;c"
    assert of(ask(STEPS), {"answer": {"value": 4.0}})["value"] == 4.0
    assert of(ask(TEXT), {"answer": {"said": "x"}})["said"] == "x"
    given = of(Form("f", TRIAL, (STEPS, STEPS), (0, 2)), {"answers": [{"value": 1.0}, {"value": 2.0}]})
    assert given["answers"]["s"]["value"] == 2.0
    begun, record = of(SoundCheck(), {"plays": 2, "records": [played(0, 0.7, at=4.0)]})["record"]
    assert (begun, record["plays"], record["played"]) == (4.0, 2, 0.7)
    assert "clip" not in record
    records = of(Listen("l", TRIAL, (), ()), {"records": [played(0, 1.0), played(1, 2.0, at=3.0)]})["records"]
    assert [(at, r["clip"]) for at, r in records] == [(1.0, "one"), (3.0, "two")]
    assert of(ask(STEPS), {"stopped": True}) == {"stopped": True, "failed": None}
    failed = of(Listen("l", TRIAL, (), ()), {"stopped": True, "failed": [played(1, 0.3, whole=False)]})["failed"]
    assert (failed["attempts"][0]["clip"], failed["attempts"][0]["played"]) == ("two", 0.3)


@pytest.mark.parametrize(
    ("step", "did"),
    [
        (Consent(), {"takes_part": True}),
        (Page("p", "", ""), {"back": True}),
        (SoundCheck(), {}),
        (Level(-24), {}),
        (Headphones("huggins", (1,)), {}),
        (Headphones("huggins", (1,)), {"given": [1, 2, 3]}),
        (Headphones("sides", (1,)), {"given": [1, 2, 2, 1, 2, 3]}),
        (ask(CHOICE), {}),
        (ask(CHOICE), {"back": True}),
        (ask(CHOICE), {"answer": {"value": 1.0}}),
        (ask(CHOICE), {"answer": {"chosen": [0], "value": 1.0}}),
        (ask(CHOICE), {"answer": {"chosen": [2]}}),
        (ask(CHOICE), {"answer": {"chosen": [0], "said": "x"}}),
        (ask(SEVERAL), {"answer": {"chosen": [0, 0]}}),
        (ask(STEPS), {"answer": {"chosen": [1]}}),
        (ask(TEXT), {"answer": {"said": "x", "value": 1.0}}),
        (ask(STEPS), {"answer": {"value": 1.0}, "given": [1]}),
        (Form("f", TRIAL, (STEPS, STEPS), (0, 2)), {"answers": [{"value": 1.0}]}),
        (Listen("l", TRIAL, (), ()), {"records": [played(0, 1.0), played(1, 1.9)]}),
        (Listen("l", TRIAL, (), ()), {"records": [played(0, 1.0), played(1, 2.0), played(2, 2.0)]}),
    ],
)
def test_what_a_step_does_not_take_is_refused(step: Step, did: dict[str, Any]) -> None:
    with pytest.raises(MessageError, match="did: "):
        of(step, did)


def test_who_does_not_hear_need_not_say_so() -> None:
    assert of(Listen("l", TRIAL, (), ()), {}, hears=False) == {"records": []}
    assert of(SoundCheck(), {}, hears=False) == {"record": None}
    assert of(Level(-24), {}, hears=False) == {"gain_db": None}
    assert of(Headphones("huggins", (1,)), {}, hears=False) == {"given": None}


GOOD: dict[str, Any] = {"tab": "0" * 32, "step": "a" * 16, "turn": 0, "at": 1.0, "did": {}}


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"tab": "x"}, "tab"), ({"turn": -1}, "turn"), ({"turn": 1.5}, "turn"), ({"turn": "1"}, "turn"), ({"at": -1.0}, "at"),
        ({"more": 1}, "more"), ({"did": {"more": 1}}, "did.more"), ({"did": {"given": [7]}}, "did.given.0"), ({"step": "a"}, "step"),
        ({"did": {"answer": {"value": "secret"}}}, "did.answer.value"), ({"did": None}, "did"),
    ],
)  # fmt: skip
def test_what_is_no_message_is_told_by_its_place_without_what_was_said(change: dict[str, Any], where: str) -> None:
    assert read(Done, json.dumps(GOOD).encode()).turn == 0
    with pytest.raises(MessageError, match=f"^{where}: ") as told:
        read(Done, json.dumps(GOOD | change).encode())
    assert "secret" not in str(told.value)


def test_no_json_and_no_number_is_refused() -> None:
    for body in (b"", b"{", b"[]", b"\xff", b'{"tab": NaN}'):
        with pytest.raises(MessageError):
            read(Opened, body)
    with pytest.raises(MessageError):
        read(Done, json.dumps(GOOD).replace("1.0", "NaN").encode())
