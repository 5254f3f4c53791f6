"""Which answers are kept: options, texts and numbers of their questions, levels within their limits."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import select

from experiment import answering
from experiment.config import ExperimentConfig
from experiment.data.tables import SessionRow, Sitting
from experiment.errors import ExperimentError
from experiment.question import Answer, Question
from tests.experiment.test_answering import asked_in, events_of
from tests.experiment.test_steps import begun, entered, rows_of, short

__all__ = ["short"]  # a fixture


@pytest.mark.parametrize(("set_to", "kept"), [(3.0, 0.0), (0.0, 0.0), (-7.5, -7.5), (-24.0, -24.0), (-24.5, -24.0)])
def test_the_level_is_kept_within_its_limits_and_with_its_sitting(
    tmp_path: Path, short: ExperimentConfig, set_to: float, kept: float
) -> None:
    """Never louder than 0 dB, whatever comes; another sitting's is another."""
    prepared = entered(tmp_path, short)
    store, session = prepared.store, begun(prepared)
    first = answering.started(store, session)
    assert answering.level(store, first, -2.0, -24, 1.0).gain_db == -2.0
    second = answering.started(store, session)
    assert "level" not in second.seen
    told = [answering.level(store, second, value, -24, 2.0) for value in (set_to, -1.0)]  # the same step, done twice
    assert told[0].gain_db == kept
    with store.transaction() as s:
        own = {"by": "participant", "gain_db": kept}
        assert s.get_one(SessionRow, session).calibration == own
        sat = list(s.scalars(select(Sitting).order_by(Sitting.number)))
        assert [(x.number, x.calibration) for x in sat] == [(1, {"by": "participant", "gain_db": -2.0}), (2, own)]
        assert {x.station for x in sat} == {"station"}
    assert events_of(store)[-1] == ("level", 2.0, None, {"gain_db": kept})
    assert answering.read(store, session).gain_db == kept


@pytest.mark.parametrize(("age", "status"), [(18.0, "running"), (17.0, "too_young")])
def test_of_eighteen_years_one_is_old_enough(tmp_path: Path, short: ExperimentConfig, age: float, status: str) -> None:
    assert short.minimum_age == 18
    prepared = entered(tmp_path, short)
    stored = answering.started(prepared.store, begun(prepared))
    stored = answering.agreed(prepared.store, stored, short, True, False, 0.0)
    stored = answering.answered(prepared.store, stored, asked_in(stored, short), Answer(choice="male"), short, 1.0)
    step = asked_in(stored, short)
    assert step.question.item == "age"
    after = answering.answered(prepared.store, stored, step, Answer(value=age, response_time=2.0), short, 2.0)
    assert after.status == status
    kept = [r[1:3] for r in rows_of(prepared.store)]
    assert kept == ([("sex", None), ("age", 18.0)] if status == "running" else [])


INSTRUMENTS = {"piano": "Piano", "voice": "Voice", "none": "None"}


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("voice;piano", "piano;voice"), ("piano", "piano"), ("none", "none"), (";piano;", "piano"), ("piano;voice;none", None),
        ("piano;none", None), ("", None), (None, None), ("drums", None), ("piano;drums", None), ("piano;piano", None),
    ],
)  # fmt: skip
def test_options_are_kept_in_the_questions_order_or_not_at_all(given: str | None, kept: str | None) -> None:
    """From one to two, and none alone."""
    question = Question("plays", "multiple", "What do you play?", INSTRUMENTS, 1, 2, alone="none")
    if kept is None:
        with pytest.raises(ExperimentError, match="plays: these options can't be chosen together"):
            answering._possible(question, Answer(choice=given))
    else:
        assert answering._possible(question, Answer(choice=given, response_time=2.0)) == Answer(None, kept, 2.0)


@pytest.mark.parametrize(
    ("given", "kept"),
    [(" a\tlot \n of it ", "a lot of it"), ("abcdefghijkl", "abcdefghijkl"), ("ab", "ab"), ("a", None), ("abcdefghijklm", None)],
)  # fmt: skip
def test_a_text_is_one_line_of_its_length(given: str, kept: str | None) -> None:
    question = Question("why", "text", "Why?", low=2, high=12)
    if kept is None:
        with pytest.raises(ExperimentError, match=f"why: a text of {len(given)} characters, 2 to 12 may be"):
            answering._possible(question, Answer(said=given))
    else:
        assert answering._possible(question, Answer(said=given)).said == kept
    assert answering._possible(replace(question, low=0), Answer(said=" \n")).said is None
    assert answering._possible(replace(question, low=0), Answer()).said is None


@pytest.mark.parametrize("kind", ["number", "slider", "steps"])
def test_numbers_are_whole_and_on_their_scale(kind: str) -> None:
    question = Question("x", kind, "?", low=-2, high=4)
    for good in (-2.0, 0.0, 4.0):
        assert answering._possible(question, Answer(good)) == Answer(good)
    for bad in (-3.0, 5.0, 1.5, None, float("nan"), float("inf")):
        with pytest.raises(ExperimentError, match="is no whole number from -2 to 4"):
            answering._possible(question, Answer(bad))
    one = Question("diet", "choice", "?", INSTRUMENTS)
    assert answering._possible(one, Answer(choice="piano")).choice == "piano"
    for other in ("Piano", "", None):
        with pytest.raises(ExperimentError, match="is none of its options"):
            answering._possible(one, Answer(choice=other))
