"""The engine over lines of JSON: the same rows as without them, whatever is sent twice, and no word of what a clip is."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from experiment import launch
from experiment.bots.remote import run_remote
from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.data.tables import Consent, Event, Response, Screening, Seen, SessionRow, Stimulus
from experiment.errors import ExperimentError
from experiment.session import run_session
from experiment.wire import Engine, serve
from tests.experiment.test_steps import Listener, begun, count, entered, rows_of, short

__all__ = ["short"]  # a fixture

Message = dict[str, Any]


def ear(store: Store) -> dict[int, Stimulus]:
    with store.transaction() as s:
        return {c.id: c for c in s.scalars(select(Stimulus))}


def statuses(store: Store) -> list[str]:
    with store.transaction() as s:
        return list(s.scalars(select(SessionRow.status)))


def test_rows_are_those_of_a_session_in_one_process(tmp_path: Path, short: ExperimentConfig) -> None:
    """Each message to an engine that knows nothing but the database, and sent again as if its answer had been lost."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here, there = entered(tmp_path / "a", short), entered(tmp_path / "b", short)
    first, second = Listener(), Listener()
    assert run_session(here.store, begun(here), short, first) == "complete"
    said = []

    def call(message: Message) -> Message:
        for _ in range(2):
            answer = Engine(there.store).answer(json.loads(json.dumps(message)))
        said.append(answer)
        return dict(json.loads(json.dumps(answer)))

    assert run_remote(call, begun(there), second, ear(there.store)) == "complete"
    assert second.calls == first.calls
    assert second.gains == first.gains
    assert rows_of(there.store) == rows_of(here.store)
    for kind in (Seen, Event, Screening, Response):
        assert count(there.store, kind) == count(here.store, kind)
    assert statuses(there.store) == ["complete"]
    # What a clip is stands in no message: a taste is named by what is asked (words, item) alone.
    for step in said:
        bare = json.dumps({k: v for k, v in step.items() if k not in ("question", "text", "id")})
        assert [x for x in ("sweet", "salty", "bitter", "sour", "base", "finetuned", ".wav") if x in bare] == [], bare


def test_another_answer_to_what_was_answered_is_refused_and_the_same_is_not(
    tmp_path: Path, short: ExperimentConfig
) -> None:
    prepared = entered(tmp_path, short)
    engine, session = Engine(prepared.store), begun(prepared)
    me = {"session": session, "token": "t"}
    assert engine.answer({"open": session, "token": "t"})["kind"] == "consent"
    agreed = {**me, "step": "consent", "at": 1.0, "did": {"takes_part": True, "special": False}}
    asked = engine.answer(agreed)
    assert (asked["kind"], asked["id"], asked["question"]["item"]) == ("ask", "ask:0:sex", "sex")
    given = {**me, "step": "ask:0:sex", "at": 2.0, "did": {"choice": "female", "response_time": 1.0}}
    assert engine.answer(given)["id"] == "ask:0:age"
    assert engine.answer(given)["id"] == "ask:0:age"
    assert "answered already" in engine.answer({**given, "did": {"choice": "male", "response_time": 1.0}})["error"]
    assert rows_of(prepared.store) == [(0, "sex", None, "female", 1.0)]
    assert engine.answer({**me, "step": "ask:0:age", "at": 3.0, "did": {"stopped": True}})["status"] == "stopped"
    assert statuses(prepared.store) == ["stopped"]


def test_a_sitting_belongs_to_its_token(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    engine, session = Engine(prepared.store), begun(prepared)
    consent = {"session": session, "step": "consent", "at": 0.0, "did": {"takes_part": True, "special": True}}
    for token in ("one", "one", "two"):
        assert engine.answer({"open": session, "token": token})["kind"] == "consent"
    with prepared.store.transaction() as s:
        assert [e.detail for e in s.scalars(select(Event).where(Event.name == "start"))] == [
            {"token": "one"},
            {"token": "two"},
        ]
        assert s.scalars(select(SessionRow.sitting)).one() == 2
    assert "another window" in engine.answer({**consent, "token": "one"})["error"]
    assert engine.answer({**consent, "token": "two"})["kind"] == "ask"


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("{", "no JSON"),
        ("[1]", "a message is a JSON object"),
        ('{"token": "t"}', "not understood (KeyError: 'session')"),
        ('{"open": 77, "token": "t"}', "there is no session 77"),
        ('{"open": "x", "token": "t"}', "not understood (ValueError"),
        ('{"open": 1, "token": NaN}', "not understood (ValueError: token = nan is no finite number)"),
        ('{"open": 1' + "0" * 5000 + ', "token": "t"}', "no JSON"),
        ("[" * 100_000, "no JSON"),
        ('{"open": 1' + "0" * 30 + ', "token": "t"}', "not understood (OverflowError"),
        ('{"open": 1, "\\ud800": NaN}', "not understood (ValueError"),
    ],
)
def test_what_is_no_message_is_told_and_the_next_one_is_answered(
    tmp_path: Path, short: ExperimentConfig, line: str, why: str
) -> None:
    prepared, out = entered(tmp_path, short), io.TextIOWrapper(io.BytesIO(), encoding="utf-8")
    good = json.dumps({"open": begun(prepared), "token": "t"})
    serve(prepared.store, [line, good], out)
    out.seek(0)
    first, second = (json.loads(x) for x in out.read().splitlines())
    assert why in first["error"]
    assert second["kind"] == "consent"


def test_a_presenter_that_stops_ends_the_session_and_what_the_engine_refuses_is_raised(
    tmp_path: Path, short: ExperimentConfig
) -> None:
    from experiment.session import Stopped

    class Leaver(Listener):
        def _call(self, name: str) -> None:
            if name.startswith("ask age"):
                raise Stopped
            super()._call(name)

    prepared = entered(tmp_path, short)
    session = begun(prepared)
    assert run_remote(Engine(prepared.store).answer, session, Leaver(), {}) == "stopped"
    assert [r[1] for r in rows_of(prepared.store)] == ["sex"]
    launch.resume(prepared, "b")
    assert run_remote(Engine(prepared.store).answer, session, Listener(), ear(prepared.store)) == "complete"
    with pytest.raises(ExperimentError, match="there is no session 99"):
        run_remote(Engine(prepared.store).answer, 99, Listener(), {})


def agreed_with(tmp_path: Path, short: ExperimentConfig) -> tuple[Store, int]:
    """A session whose person agreed, which is asked for the sex next."""
    prepared = entered(tmp_path, short)
    session, engine = begun(prepared), Engine(prepared.store)
    engine.answer({"open": session, "token": "t"})
    did = {"takes_part": True, "special": True}
    answer = engine.answer({"session": session, "token": "t", "step": "consent", "at": 1.0, "did": did})
    assert answer["id"] == "ask:0:sex"
    return prepared.store, session


@pytest.mark.parametrize(
    "said",
    [
        '"at": NaN, "did": {"stopped": true}',
        '"at": 1e999, "did": {"stopped": true}',
        '"at": "soon", "did": {"stopped": true}',
        '"at": NaN, "did": {"choice": "female"}',
        '"at": 2, "did": {"choice": "female", "response_time": NaN}',
        '"at": 2, "did": {"choice": "female", "response_time": "quick"}',
        '"at": 2, "did": {"choice": "female", "interaction": {"moves": -Infinity}}',
        '"at": 2, "did": {"choice": "female", "interaction": [1]}',
        '"at": 1' + "0" * 400 + ', "did": {"stopped": true}',
        '"at": 2, "did": {"choice": "female", "response_time": 1' + "0" * 400 + "}",
        '"at": 2, "did": {"choice": "female", "response_time": true}',
        '"at": 2, "did": {"value": true, "choice": "female"}',
        '"at": 2, "did": []',
        '"at": 2, "did": null',
    ],
)
def test_a_message_with_what_is_no_number_stores_nothing_and_ends_nothing(
    tmp_path: Path, short: ExperimentConfig, said: str
) -> None:
    """The process had ended at most of these, with the line of the next person still to be read; or kept an end at infinity."""
    (store, session), out = agreed_with(tmp_path, short), io.StringIO()
    head = f'{{"session": {session}, "token": "t", "step": "ask:0:sex", '
    serve(store, [f"{head}{said}}}", f'{head}"at": 2, "did": {{"choice": "female"}}}}'], out)
    first, second = (json.loads(x) for x in out.getvalue().splitlines())
    assert "not understood" in first["error"]
    assert second["id"] == "ask:0:age"
    assert rows_of(store) == [(0, "sex", None, "female", None)]
    assert statuses(store) == ["running"]
    assert count(store, Event) == 1  # that it began


@pytest.mark.parametrize("word", ["false", "no", "", 1, None])
def test_only_true_is_a_consent(tmp_path: Path, short: ExperimentConfig, word: object) -> None:
    prepared = entered(tmp_path, short)
    engine, session = Engine(prepared.store), begun(prepared)
    engine.answer({"open": session, "token": "t"})
    for did in ({"takes_part": word, "special": False}, {"takes_part": True, "special": word}):
        answer = engine.answer({"session": session, "token": "t", "step": "consent", "at": 1.0, "did": did})
        assert "not understood" in answer["error"]
    assert count(prepared.store, Consent) == 0
    assert statuses(prepared.store) == ["running"]
