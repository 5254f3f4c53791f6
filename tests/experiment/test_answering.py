"""The only writer of a session: what was done twice is stored once, what was given anew counts, what is returned is what is stored."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from experiment import answering, launch
from experiment.config import ExperimentConfig
from experiment.data import tables
from experiment.data.lease import LostError
from experiment.data.store import Store
from experiment.data.tables import Event, Response, Screening, Seen, SessionRow, Sitting, Superseded, Tombstone, Trial
from experiment.errors import ExperimentError
from experiment.question import Answer, Back, Question
from experiment.session import perform, run_session
from experiment.steps import Ask, Consent, End, Headphones, Stored, next_step
from experiment.texts import texts
from tests.experiment.test_forms import IN_ORDER, answers, at_a_form, paper
from tests.experiment.test_steps import Killed, Listener, begun, count, entered, rows_of, short

__all__ = ["paper", "short"]  # fixtures


def test_a_step_that_is_done_twice_is_stored_once(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    store, session, who = prepared.store, begun(prepared), Listener()
    stored = answering.started(store, session)
    while not isinstance(step := next_step(stored, short), End):
        perform(step, store, stored, short, who, 0.0)
        stored = perform(step, store, stored, short, who, 0.0)  # as if the first time had not been acknowledged
    assert len(rows_of(store)) == 14
    assert count(store, Screening) == 1
    with store.transaction() as s:
        names = list(s.scalars(select(Event.name)))
    assert {n: names.count(n) for n in set(names)} == {
        "start": 1, "sound_check": 1, "level": 1, "audio_onset": 2 * 4 + 1, "answer": 1, "end": 1,
    }  # fmt: skip


def test_another_answer_to_what_was_answered_is_refused(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    stored = answering.started(prepared.store, begun(prepared))
    assert isinstance(next_step(stored, short), Consent)
    stored = answering.agreed(prepared.store, stored, short, True, False, 0.0)
    step = next_step(stored, short)
    assert isinstance(step, Ask)
    assert step.question.item == "sex"
    answering.answered(prepared.store, stored, step, Answer(choice="female", response_time=1.0), short, 0.0)
    with pytest.raises(ExperimentError, match="answered already"):
        answering.answered(prepared.store, stored, step, Answer(choice="male", response_time=1.0), short, 0.0)
    assert rows_of(prepared.store) == [(0, "sex", None, "female", 1.0)]


class Returner(Listener):
    """Goes back from the questions named, once each, and gives another answer then."""

    def __init__(self, *from_items: str, life: int | None = None):
        super().__init__(life)
        self.returns, self.given = list(from_items), {}  # type: ignore[var-annotated]
        self.offered: dict[str, bool] = {}

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer | Back:
        self.offered.setdefault(question.item, question.back)
        if question.back and question.item in self.returns:
            self.returns.remove(question.item)
            self._call(f"back from {question.item}")
            return Back()
        answer = super().ask(question, trial, progress)
        assert isinstance(answer, Answer)
        self.given[question.item] = self.given.get(question.item, 0) + 1
        return replace(answer, response_time=float(self.given[question.item]))


def superseded_of(store: Store) -> list[tuple[Any, ...]]:
    with store.transaction() as s:
        return [
            (x.item, x.value, x.choice, x.response_time) for x in s.scalars(select(Superseded).order_by(Superseded.id))
        ]


def test_going_back_keeps_both_answers_and_the_later_counts(tmp_path: Path, short: ExperimentConfig) -> None:
    """From the second question to the first, from the third to the second; and within a clip, never out of it."""
    prepared = entered(tmp_path, short)
    assert short.ratings is not None
    first, second = (a.name for a in short.ratings.adjectives)
    items = {first, second}
    who = Returner("hearing_experience", "age", *items)
    assert run_session(prepared.store, begun(prepared), short, who) == "complete"
    steps = [" ".join(c.split()[:3]) for c in who.calls if c.startswith(("ask", "back"))]
    assert [x.rsplit(" ", 1)[0] if x.startswith("ask") else x for x in steps[:7]] == [
        "ask sex", "back from age", "ask sex", "ask age", "back from hearing_experience", "ask age", "ask hearing_experience",
    ]  # fmt: skip
    assert who.offered["sex"] is False
    assert who.offered["age"] is True
    assert who.offered["preference"] is False
    assert sorted(who.offered[i] for i in items) == [False, True]  # the first item of a clip has nothing before it
    counting = {r[1]: r[4] for r in rows_of(prepared.store)}
    again = next(i for i in items if not who.offered[i])
    assert {k for k, v in counting.items() if v == 2.0 and k != "preference"} == {"sex", "age", again}
    assert [(x[0], x[3]) for x in superseded_of(prepared.store)] == [("sex", 1.0), ("age", 1.0), (again, 1.0)]
    assert len(rows_of(prepared.store)) == 14
    listens = [c for c in who.calls if c.startswith("listen")]
    assert len(listens) == 5  # four pairs and a clip: going back does not play them again
    with prepared.store.transaction() as s:
        backs = [e.detail for e in s.scalars(select(Event).where(Event.name == "back").order_by(Event.id))]
    assert backs == [{"item": "sex"}, {"item": "age"}, {"item": again}]


def test_whoever_stops_after_going_back_keeps_the_answer(tmp_path: Path, short: ExperimentConfig) -> None:
    """It counts until another is given; who comes back is asked what is open, not that again."""
    prepared = entered(tmp_path, short)
    session = begun(prepared)
    who = Returner("age", life=3)  # consent, sex, back from age; killed at the question again
    with pytest.raises(Killed):
        run_session(prepared.store, session, short, who)
    assert who.calls[-1] == "back from age"
    assert [r[1] for r in rows_of(prepared.store)] == ["sex"]
    session, _ = launch.resume(prepared, "b")
    again = Listener()
    assert run_session(prepared.store, session, short, again) == "complete"
    assert next(c for c in again.calls if c.startswith("ask")).startswith("ask age")
    assert superseded_of(prepared.store) == []


def test_going_back_and_the_answer_after_it_are_stored_once(tmp_path: Path, short: ExperimentConfig) -> None:
    """Each step done twice, as if the first time had not been acknowledged; with nothing remembered in between."""
    prepared = entered(tmp_path, short)
    store, session, who = prepared.store, begun(prepared), Listener()
    answering.started(store, session)
    went = 0
    while not isinstance(step := next_step(stored := answering.read(store, session), short), End):
        if isinstance(step, Ask) and step.question.item == "age" and went == 0:
            went += 1
            for _ in range(2):
                answering.back(store, stored, step, 1.0)
            continue
        for _ in range(2):
            perform(step, store, stored, short, who, 0.0)
    assert [x[0] for x in superseded_of(store)] == ["sex"]
    assert len(rows_of(store)) == 14
    with store.transaction() as s:
        assert [e.detail for e in s.scalars(select(Event).where(Event.name == "back"))] == [{"item": "sex"}]


def test_a_study_may_do_without_going_back(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short.model_copy(update={"back": False}))
    who = Returner("age")
    assert run_session(prepared.store, begun(prepared), prepared.config, who) == "complete"
    assert not any(who.offered.values())
    assert superseded_of(prepared.store) == []


@pytest.mark.parametrize("right", [True, False])
def test_what_is_returned_is_what_is_stored(tmp_path: Path, short: ExperimentConfig, right: bool) -> None:
    """After every step, going back and headphone tests made twice among them."""
    prepared = entered(tmp_path, short.model_copy(update={"headphones": "both"}))
    store, config, session = prepared.store, prepared.config, begun(prepared)
    who = Returner("age", "hearing_experience", "age")
    who.right = right
    for _ in range(2):  # a second sitting makes the tests anew that were not passed
        stored = answering.started(store, session)
        for _ in range(24):
            step = next_step(stored, config)
            if isinstance(step, End):
                break
            stored = perform(step, store, stored, config, who, 0.0)
            told, kept = (
                {k: v for k, v in vars(x).items() if k != "plan"} for x in (stored, answering.read(store, session))
            )
            assert told == kept, step.id
            # A step that was done already returns what is stored, too.
            again = answering.agreed(store, stored, config, True, True, 0.0)
            assert again.special is stored.special
    assert stored.superseded
    assert stored.screenings == (2 if right else 4)


def test_all_of_a_page_is_stored_or_nothing(
    tmp_path: Path, paper: ExperimentConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = entered(tmp_path, paper)
    stored, step = at_a_form(prepared, paper)
    assert [q.item for q in step.questions] == IN_ORDER
    keep, kept = answering._keep, []

    def breaks(*words: Any) -> None:
        kept.append(words[3])
        if len(kept) == 7:
            raise OSError("the disk is full")
        keep(*words)

    monkeypatch.setattr(answering, "_keep", breaks)
    with pytest.raises(OSError, match="full"):
        answering.filled(prepared.store, stored, step, answers(step), 9.0)
    assert kept == IN_ORDER[:7]
    assert len(rows_of(prepared.store)) == 13
    monkeypatch.setattr(answering, "_keep", keep)
    with pytest.raises(KeyError, match="cold"):
        answering.filled(prepared.store, stored, step, {k: v for k, v in answers(step).items() if k != "cold"}, 9.0)
    assert len(rows_of(prepared.store)) == 13
    after = answering.filled(prepared.store, stored, step, answers(step), 9.0)
    assert after.answered == answering.read(prepared.store, stored.session_id).answered
    assert len(after.answered) == 25
    assert rows_of(prepared.store)[13:] == [
        (step.trial.position, item, float(1 + k % 5), None, 1.0 + k) for k, item in enumerate(IN_ORDER)
    ]


def test_the_same_again_changes_nothing_and_another_answer_is_refused(tmp_path: Path, paper: ExperimentConfig) -> None:
    prepared = entered(tmp_path, paper)
    stored, step = at_a_form(prepared, paper)
    for _ in range(2):
        answering.filled(prepared.store, stored, step, answers(step), 9.0)
    before = rows_of(prepared.store)
    for other in (Answer(5.0, response_time=2.0), Answer(2.0, response_time=2.5), Answer(2.0, "x", 2.0)):
        with pytest.raises(ExperimentError, match="sweet was answered already, otherwise"):
            answering.filled(prepared.store, stored, step, answers(step, sweet=other), 9.0)
    assert rows_of(prepared.store) == before
    assert count(prepared.store, Response) == 25


def test_after_the_end_nothing_is_filled_in(tmp_path: Path, paper: ExperimentConfig) -> None:
    prepared = entered(tmp_path, paper)
    stored, step = at_a_form(prepared, paper)
    answering.stopped(prepared.store, stored, 5.0)
    with pytest.raises(ExperimentError):
        answering.filled(prepared.store, stored, step, answers(step), 9.0)
    assert len(rows_of(prepared.store)) == 13


def events_of(store: Store) -> list[tuple[str, float, int | None, dict[str, Any]]]:
    """What happened, when, in the trial of which place."""
    with store.transaction() as s:
        query = select(Event, Trial.position).outerjoin(Trial, Trial.id == Event.trial_id).order_by(Event.id)
        return [(e.name, e.at, position, e.detail) for e, position in s.execute(query)]


def asked_in(stored: Stored, config: ExperimentConfig) -> Ask:
    step = next_step(stored, config)
    assert isinstance(step, Ask)
    return step


def test_each_step_is_kept_with_when_it_was_and_what_was_found(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    store, session = prepared.store, begun(prepared)
    stored = answering.started(store, session)
    stored = answering.agreed(store, stored, short, True, True, 1.0)
    step = asked_in(stored, short)
    for _ in range(2):
        after = answering.answered(store, stored, step, Answer(choice="female", interaction={"n": 3}), short, 2.0)
    step = asked_in(after, short)
    went = answering.back(store, after, step, 3.0)
    assert went.reopened(step.trial) == ["sex"]
    assert answering.back(store, stored, asked_in(stored, short), 3.5) == stored  # nothing is before the first
    stored = answering.seen(store, went, "page:x", 4.0)
    stored = answering.seen(store, stored, "sound", 5.0, "sound_check", plays=2)
    assert {"page:x", "sound"} <= stored.seen
    trial = stored.plan[1]
    stored = answering.heard(store, stored, "heard:1", trial.id, [(6.0, {"clip": "a"}), (7.0, {"clip": "b"})])
    test = Headphones("antiphase", (1, 2, 3))
    right = [t.right for t in test.trials()]
    stored = answering.screened(store, stored, test, right, True, 8.0)
    stored = answering.stopped(store, stored, 9.0, {"clip": "a", "played": 0.5})
    assert stored.status == "stopped"
    assert events_of(store) == [
        ("start", 0.0, None, {}),
        ("answer", 2.0, 0, {"item": "sex", "n": 3}),
        ("back", 3.0, 0, {"item": "sex"}),
        ("sound_check", 5.0, None, {"plays": 2}),
        ("audio_onset", 6.0, 1, {"clip": "a"}),
        ("audio_onset", 7.0, 1, {"clip": "b"}),
        ("sound_failed", 9.0, None, {"clip": "a", "played": 0.5}),
        ("end", 9.0, None, {"status": "stopped"}),
    ]
    with store.transaction() as s:
        (made,) = s.scalars(select(Screening))
        assert (made.test, made.passed, made.detail) == ("antiphase", True, {"given": right, "right": right})
        assert s.get_one(SessionRow, session).ended_at is not None
    # It is over: nothing ends it another time, and what was complete stays so.
    assert answering.stopped(store, replace(stored, status="complete"), 10.0).status == "complete"
    assert events_of(store)[-1][1] == 9.0


def test_where_nobody_hears_level_and_headphones_are_passed_over(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    stored = answering.started(prepared.store, begun(prepared))
    stored = answering.level(prepared.store, stored, None, -24, 1.0)
    stored = answering.screened(prepared.store, stored, Headphones("huggins", (1, 2, 3)), None, True, 2.0)
    assert (stored.seen, stored.gain_db, stored.passed, stored.status) == (
        {"level", "headphones:huggins"}, None, {}, "running",
    )  # fmt: skip
    assert [e[0] for e in events_of(prepared.store)] == ["start"]
    assert count(prepared.store, Screening) == 0


def test_a_sitting_is_its_tokens_and_the_last_one_writes(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    store, session, other = prepared.store, begun(prepared), begun(prepared, "another")
    assert answering.sitting_of(store, session) is None
    answering.started(store, other, "elsewhere")
    found = [answering.started(store, session, token).sitting for token in ("one", "one", "two", "one")]
    assert found == [1, 1, 2, 3]
    assert answering.sitting_of(store, session) == "one"
    assert answering.started(store, session).sitting == 4  # a booth, which has none
    assert answering.sitting_of(store, session) is None
    stored = answering.started(store, session, "three")
    done = answering.seen(store, stored, "page:x", 0.0)
    assert answering.started(store, session, "three").seen == done.seen == {"page:x"}
    assert answering.started(store, session, "four").seen == frozenset()
    answering.stopped(store, answering.read(store, session), 1.0)
    # What is over is read, and begins no other sitting.
    over = answering.started(store, session, "five")
    assert (over.status, over.sitting) == ("stopped", 6)
    with store.transaction() as s:
        assert list(s.scalars(select(Sitting.number).where(Sitting.session_id == session))) == [1, 2, 3, 4, 5, 6]


def test_consent_is_given_once_to_the_words_that_were_shown(tmp_path: Path, short: ExperimentConfig) -> None:
    """In another window otherwise: the first counts. Its text's fingerprint is of all that stood there."""
    prepared = entered(tmp_path, short)
    store, session = prepared.store, begun(prepared)
    stored = answering.started(store, session)
    step = next_step(stored, short)
    assert isinstance(step, Consent)
    assert answering.agreed(store, stored, short, True, False, 0.0).special is False
    assert answering.agreed(store, stored, short, True, True, 0.0).special is False
    shown = repr([*sorted(texts("en")["consent"].items()), *step.more])
    with store.transaction() as s:
        (given,) = s.scalars(select(tables.Consent))
        row = s.get_one(SessionRow, session)
        assert (given.participant_id, given.study_id) == (row.participant_id, row.study_id)
        assert (given.special_categories, given.text_sha256) == (False, hashlib.sha256(shown.encode()).hexdigest())


def test_whoever_refuses_leaves_that_it_was_and_no_code(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    store, session = prepared.store, begun(prepared)
    stored = answering.started(store, session)
    for _ in range(2):
        after = answering.agreed(store, stored, short, False, True, 0.0)
    assert (after.status, after.plan, after.answered) == ("refused", (), frozenset())
    with store.transaction() as s:
        (stone,) = s.scalars(select(Tombstone))
        assert (stone.study, stone.outcome, stone.kinds) == ("s", "refused", ["bot"])
        row = s.get_one(SessionRow, session)
        assert (row.status, row.participant.code == "b") == ("refused", False)
        assert row.ended_at is not None
    assert (count(store, Trial), count(store, tables.Consent)) == (0, 0)


def test_only_a_test_that_is_required_ends_a_session(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    test = Headphones("antiphase", (1, 2, 3))
    wrong = [1 + t.right % 3 for t in test.trials()]
    for code, required, status in (("one", False, "running"), ("two", True, "stopped")):
        session = begun(prepared, code)
        stored = answering.started(prepared.store, session)
        after = answering.screened(prepared.store, stored, test, wrong, required, 5.0)
        assert (after.status, after.passed, after.screenings) == (status, {"antiphase": False}, 1)
        assert answering.read(prepared.store, session).status == status
        assert ("headphones_failed" in answering.read(prepared.store, session).seen) is required
    assert events_of(prepared.store)[-1] == ("end", 5.0, None, {"status": "stopped"})
    assert count(prepared.store, Seen) == 3


def test_a_sitting_that_lost_its_session_writes_nothing(tmp_path: Path, short: ExperimentConfig) -> None:
    """Another booth goes on with it: here nobody agrees, hears, answers or stops any more."""
    prepared = entered(tmp_path, short)
    store, session = prepared.store, begun(prepared)
    before = answering.started(store, session)
    told = answering.agreed(store, before, short, True, True, 0.0)
    step = asked_in(told, short)
    other = answering.started(store, session)
    assert other.sitting == told.sitting + 1
    test = Headphones("antiphase", (1, 2, 3))
    for write in (
        lambda: answering.agreed(store, before, short, True, False, 1.0),
        lambda: answering.agreed(store, before, short, False, False, 1.0),
        lambda: answering.seen(store, told, "page:x", 1.0),
        lambda: answering.level(store, told, -3.0, -24, 1.0),
        lambda: answering.heard(store, told, "heard:1", told.plan[1].id, [(1.0, {"clip": "a"})]),
        lambda: answering.screened(store, told, test, [t.right for t in test.trials()], False, 1.0),
        lambda: answering.answered(store, told, step, Answer(choice="male"), short, 1.0),
        lambda: answering.stopped(store, told, 1.0),
    ):
        with pytest.raises(LostError, match="goes on at station, in a later sitting"):
            write()
    assert vars(answering.read(store, session)) | {"plan": ()} == vars(other) | {"plan": ()}
    assert [e[0] for e in events_of(store)] == ["start", "start"]
