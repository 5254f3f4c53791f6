"""Several questions on one screen: asked together, stored together or not at all, over messages as in one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from experiment import answering
from experiment.bots.remote import run_remote
from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.data.tables import Event, Stimulus
from experiment.launch import Prepared
from experiment.question import Answer
from experiment.session import run_session
from experiment.steps import Ask, End, Form, Stored, next_step
from experiment.wire import Engine
from tests.experiment.test_steps import Listener, begun, count, entered, rows_of

Message = dict[str, Any]
# As the study file has them (and the seed study had them).
IN_ORDER = ["salty", "sweet", "bitter", "sour", "happy", "sad", "anger", "disgust", "fear", "surprise", "hot", "cold"]


@pytest.fixture
def paper(config: ExperimentConfig) -> ExperimentConfig:
    """The seed study's own way."""
    assert config.preference is not None
    return config.model_copy(update={"preference": config.preference.model_copy(update={"replicate": True})})


def at_a_form(prepared: Prepared, config: ExperimentConfig) -> tuple[Stored, Form]:
    """A session up to its first screen with several questions."""
    from experiment.session import perform

    stored, listener = answering.started(prepared.store, begun(prepared)), Listener()
    while not isinstance(step := next_step(stored, config), Form):
        stored = perform(step, prepared.store, stored, config, listener, 0.0)
    return stored, step


def answers(step: Form, **other: Answer) -> dict[str, Answer]:
    given = {q.item: Answer(float(1 + k % 5), response_time=1.0 + k) for k, q in enumerate(step.questions)}
    return given | other


def test_every_clip_has_one_page_with_all_adjectives_in_the_files_order(
    tmp_path: Path, paper: ExperimentConfig
) -> None:
    prepared, listener, told = entered(tmp_path, paper), Listener(), []
    assert run_session(prepared.store, begun(prepared), paper, listener, told.append) == "complete"
    filled = [c for c in listener.calls if c.startswith("fill")]
    assert filled == [f"fill {' '.join(IN_ORDER)} {n}/49" for n in (13, 25, 37)]
    assert [c for c in listener.calls if c.startswith("ask")][-1].startswith("ask preference 12/")
    assert [item for _, item, *_ in rows_of(prepared.store)[13:]] == IN_ORDER * 3
    assert told == [item for _, item, *_ in rows_of(prepared.store)]
    with prepared.store.transaction() as s:
        came_about = [e.detail for e in s.scalars(select(Event).where(Event.name == "answer").order_by(Event.id))]
    assert came_about[-36:] == [{"item": item, "moves": 1} for item in IN_ORDER * 3]


def test_killed_at_any_call_the_rows_are_the_same(tmp_path: Path, paper: ExperimentConfig) -> None:
    from experiment import launch
    from tests.experiment.test_steps import Killed

    (tmp_path / "whole").mkdir()
    whole = entered(tmp_path / "whole", paper)
    there = Listener()
    run_session(whole.store, begun(whole), paper, there)
    first = next(k for k, call in enumerate(there.calls) if call.startswith("fill"))
    for life, answered in (
        (first, 13),
        (first + 1, 25),
        (first + 2, 25),
        (first + 6, 49),
    ):  # a break after the first page
        folder = tmp_path / str(life)
        folder.mkdir()
        prepared, listener = entered(folder, paper), Listener(life)
        session = begun(prepared)
        with pytest.raises(Killed):
            run_session(prepared.store, session, paper, listener)
        assert len(rows_of(prepared.store)) == answered
        launch.resume(prepared, "b")
        assert run_session(prepared.store, session, paper, Listener()) == "complete"
        assert rows_of(prepared.store) == rows_of(whole.store)
        prepared.store.close()


def test_what_was_answered_alone_before_is_not_asked_again(tmp_path: Path, paper: ExperimentConfig) -> None:
    """A session that was begun where adjectives came one a screen goes on with a page of the others."""
    prepared = entered(tmp_path, paper)
    stored, step = at_a_form(prepared, paper)
    asked = Ask(f"ask:{step.trial.position}:salty", step.trial, step.questions[0], (13, 49))
    stored = answering.answered(prepared.store, stored, asked, Answer(3.0, response_time=1.0), paper, 1.0)
    rest = next_step(stored, paper)
    assert isinstance(rest, Form)
    assert [q.item for q in rest.questions] == IN_ORDER[1:]
    assert rest.id != step.id
    assert rest.progress == (14, 49)


def test_over_messages_the_rows_are_the_same(tmp_path: Path, paper: ExperimentConfig) -> None:
    """Each message sent twice, as if its answer had been lost."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    here, there = entered(tmp_path / "a", paper), entered(tmp_path / "b", paper)
    first, second, said = Listener(), Listener(), []
    run_session(here.store, begun(here), paper, first)

    def call(message: Message) -> Message:
        for _ in range(2):
            answer = Engine(there.store).answer(json.loads(json.dumps(message)))
        said.append(answer)
        return dict(json.loads(json.dumps(answer)))

    assert run_remote(call, begun(there), second, ear(there.store)) == "complete"
    assert second.calls == first.calls
    assert rows_of(there.store) == rows_of(here.store)
    assert count(there.store, Event) == count(here.store, Event)
    forms = [s for s in said if s["kind"] == "form"]
    assert len(forms) == 3
    assert [q["item"] for q in forms[0]["questions"]] == IN_ORDER
    assert (forms[0]["block"], forms[0]["progress"], len(forms[0]["clips"])) == ("ratings", [13, 49], 1)
    bare = json.dumps({k: v for k, v in forms[0].items() if k not in ("questions", "id")})
    assert [x for x in ("sweet", "salty", "bitter", "sour", "base", "finetuned", ".wav") if x in bare] == []


def test_a_page_by_messages_needs_every_answer_and_refuses_another(tmp_path: Path, paper: ExperimentConfig) -> None:
    prepared = entered(tmp_path, paper)
    stored, step = at_a_form(prepared, paper)
    engine, me = Engine(prepared.store), {"session": stored.session_id, "token": "t"}
    now = engine.answer({"open": stored.session_id, "token": "t"})
    while now["kind"] != "form":
        did = {"soundcheck": {"record": None}, "listen": {"records": []}}.get(now["kind"], {})
        now = engine.answer({**me, "step": now["id"], "at": 1.0, "did": did})
    assert now["id"] == step.id
    given = {q["item"]: {"value": 2.0, "response_time": 1.0} for q in now["questions"]}
    lacking = {k: v for k, v in given.items() if k != "fear"}
    assert "'fear'" in engine.answer({**me, "step": now["id"], "at": 2.0, "did": {"answers": lacking}})["error"]
    assert len(rows_of(prepared.store)) == 13
    message = {**me, "step": now["id"], "at": 2.0, "did": {"answers": given}}
    for _ in range(2):  # about half of the music is over
        pause = engine.answer(message)
        assert (pause["kind"], pause["title"]) == ("page", "About half of the music is over")
    other = given | {"hot": {"value": 3.0, "response_time": 1.0}}
    assert "hot was answered already" in engine.answer({**message, "did": {"answers": other}})["error"]
    assert len(rows_of(prepared.store)) == 25


def ear(store: Store) -> dict[int, Stimulus]:
    with store.transaction() as s:
        return {c.id: c for c in s.scalars(select(Stimulus))}


def test_elsewhere_adjectives_come_one_a_screen(tmp_path: Path, config: ExperimentConfig) -> None:
    prepared, listener = entered(tmp_path, config), Listener()
    stored = answering.started(prepared.store, begun(prepared))
    assert not isinstance(next_step(stored, config), End)
    run_session(prepared.store, stored.session_id, config, listener)
    assert not [c for c in listener.calls if c.startswith("fill")]
    assert len([c for c in listener.calls if c.startswith("ask")]) == 49
