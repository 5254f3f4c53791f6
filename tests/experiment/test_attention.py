"""Checks of attention: where they come, that they end nothing, and that what was missed stands beside the answers."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import soundfile
from pydantic import ValidationError
from sqlalchemy import select

from experiment import launch
from experiment.config import ExperimentConfig
from experiment.data.exports.tidy import tidy
from experiment.data.queries import status_rows
from experiment.data.tables import Event, Response, Screening, SessionRow, StudyRow, Trial
from experiment.design import plan
from experiment.headphones import trials
from experiment.launch import Prepared
from experiment.question import Answer, Question
from experiment.session import run_session
from experiment.tasks.attention import among, due
from experiment.tasks.task import PlannedTrial
from experiment.web.showing import made
from tests.experiment.test_session import Person, run, under
from tests.experiment.test_steps import rows_of
from tests.experiment.web.test_site import Person as Visiting
from tests.experiment.web.test_site import home
from tests.experiment.web.visitor import Visitor, at

__all__ = ["home"]  # a fixture

CHECKS = {"questions": 3, "listening": 2, "fastest": 10}
SAYS = "This is not about the music. To show that you read it, "


class Reader(Person):
    """Does what the words say."""

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
        given = super().ask(question, trial, progress)
        if not question.text.startswith(SAYS):
            return given
        wanted = question.text.rpartition(": ")[2]
        value = {question.labels[0]: question.low, question.labels[-1]: question.high}[wanted]
        return Answer(value=float(value), response_time=20.0)


def declared(booth: Prepared, **more: Any) -> Prepared:
    """The study with checks, as its database knows it."""
    asked = under(booth, attention=CHECKS, **more)
    with booth.store.transaction() as s:
        s.get_one(StudyRow, booth.study_id).definition = {"experiment": asked.config.model_dump(mode="json")}
    return asked


def test_checks_come_among_what_is_heard_and_end_nothing(booth: Prepared) -> None:
    """Eight trials are heard: a question in each stretch of three, two and three; tones before the fourth and the sixth."""
    who = Person(right=0)  # hears no number of tones right, and answers every question in the middle
    session, status = run(declared(booth, headphones_required=True), who)
    assert status == "complete"
    assert who.happened.count("tones") == 2
    listened = [k for k, x in enumerate(who.happened) if x == "listen"]
    assert [sum(k < at for k in listened) for at, x in enumerate(who.happened) if x == "tones"] == [3, 5]
    with booth.store.transaction() as s:
        planned = s.scalars(select(Trial).where(Trial.session_id == session).order_by(Trial.position)).all()
        checks = [t for t in planned if t.block == "attention_check"]
        assert all(t.first_id is None for t in checks)
        items = [i for t in checks for i in t.items]
        assert items in (["lowest", "highest", "lowest"], ["highest", "lowest", "highest"])
        heard = [sum(o.first_id is not None for o in planned[: t.position]) for t in checks]
        given = s.scalars(select(Response.value).join(Trial).where(Trial.block == "attention_check")).all()
        assert [x.passed for x in s.scalars(select(Screening))] == [False, False]
    assert [1 <= heard[0] <= 3, 4 <= heard[1] <= 5, 6 <= heard[2] <= 8] == [True] * 3
    assert given == [3.0, 3.0, 3.0]
    assert [q.labels for q in who.asked if q.item in ("lowest", "highest")] == [who.asked[-1].labels] * 3
    (row,) = status_rows(booth.store, "s")
    # Of the answers' times that `Person` gives (1.25 s, .5 s, their number and an eighth) fifteen are under 10 s.
    assert row["marks"] == f"attention: 0 of 3; tones: 0 of 2; fast: {sum(fast(booth))}"
    written = tidy(booth.store, "s").rows
    assert len(written) == row["answers"] - 3  # special categories stay behind
    assert [r["attention"] for r in written if r["block"] == "attention_check"] == ["wrong"] * 3
    assert {r["screening"] for r in written} == {"tones: 0 of 2"}
    assert Counter(r["fast"] for r in written if r["item"] == "age") == {"yes": 1}


def fast(booth: Prepared) -> list[bool]:
    with booth.store.transaction() as s:
        return [x < 10 for x in s.scalars(select(Response.response_time)) if x is not None]


def test_who_does_what_the_words_say_is_right_on_either_scale(booth: Prepared) -> None:
    asked = declared(booth)
    assert run(asked, Reader(), "A")[1] == "complete"
    assert {r["attention"] for r in tidy(booth.store, "s").rows} == {None, "right"}
    sliding = booth.config.model_dump() | {"ratings": None, "attention": CHECKS}
    config = ExperimentConfig.model_validate(sliding)
    with booth.store.transaction() as s:
        s.get_one(StudyRow, booth.study_id).definition = {"experiment": config.model_dump(mode="json")}
    one = Reader()
    assert run(Prepared(booth.store, booth.study_id, config, booth.stimuli), one, "B")[1] == "complete"
    told = [q for q in one.asked if q.text.startswith(SAYS)]
    assert [(q.kind, q.low, q.high, q.labels) for q in told] == [
        ("slider", 0, 10, ("the first piece", "the second piece"))
    ] * 3
    assert {r["attention"] for r in tidy(booth.store, "s").rows if r["participant"] == 2} == {None, "right"}


def test_tones_that_were_counted_are_not_counted_again_after_a_break(booth: Prepared) -> None:
    asked = declared(booth)
    who = Person(leaves_after=15)
    assert run(asked, who)[1] == "stopped"
    first = who.happened.count("tones")
    session, _ = launch.resume(asked, "A")
    later = Person()
    assert run_session(booth.store, session, asked.config, later) == "complete"
    assert first > 0
    assert first + later.happened.count("tones") == 2


def test_the_same_checks_in_a_browser(home: Callable[..., Prepared]) -> None:
    """The rows of a booth; which end is right, and how many tones there were, stands in nothing that a browser gets."""
    here, there = (home(attention={"questions": 2, "listening": 1}) for _ in range(2))
    begun = launch.begin(here, "a", "person", "en", "x")
    assert run_session(here.store, begun, here.config, Visiting()) == "complete"
    with at(there, "person") as client:
        visitor = Visitor(client, there)
        assert visitor.run(Visiting())["kind"] == "over"
    assert rows_of(there.store) == rows_of(here.store)
    assert [r[1] for r in rows_of(there.store) if r[1] in ("lowest", "highest")]
    crawled = str(visitor.screens)
    assert "lowest" not in crawled
    assert "attention" not in crawled
    (counting,) = [x for x in visitor.screens if x["kind"] == "headphones"]
    assert len(counting["intervals"]) == 6
    with there.store.transaction() as s:
        assert [(x.test, x.passed, len(x.detail["right"])) for x in s.scalars(select(Screening))] == [
            ("tones", True, 1)
        ]


def test_leaving_is_stored_with_the_next_answer_once(home: Callable[..., Prepared]) -> None:
    prepared = home(web={"fullscreen": True})
    with at(prepared, "person") as client:
        visitor = Visitor(client, prepared)
        screen = visitor.begin()
        assert screen["fullscreen"] is True
        gone = [{"what": "page", "at": 2.0, "seconds": 1.5}, {"what": "fullscreen", "at": 4.0, "seconds": None}]
        message = {"tab": visitor.tab, "step": screen["step"], "turn": screen["turn"], "at": 5.0, "left": gone,
                   "did": {"takes_part": True, "special": True}}  # fmt: skip
        visitor.post("did", message | {"did": {}}, 400)
        for _ in range(2):
            visitor.post("did", message)
        asked = visitor.open()
        refused = message | {"step": asked["step"], "turn": asked["turn"], "did": {"answer": {"chosen": []}}}
        visitor.post("did", refused, 422)  # neither the answer nor what came with it
        for wrong in ({"what": "house"}, {"seconds": -1.0}, {"more": 1}):
            visitor.post("did", message | {"left": [gone[0] | wrong]}, 400)
    with prepared.store.transaction() as s:
        stored = s.scalars(select(Event).where(Event.name == "left").order_by(Event.id)).all()
        assert [(x.at, x.detail) for x in stored] == [
            (2.0, {"what": "page", "seconds": 1.5}), (4.0, {"what": "fullscreen", "seconds": None}),
        ]  # fmt: skip
        assert s.scalars(select(SessionRow.status)).all() == ["running"]
    assert [r["marks"] for r in status_rows(prepared.store)] == ["left: 2"]


def test_tones_are_as_many_as_is_right_and_can_not_be_told_by_size() -> None:
    """Counted in the sound by when it begins after a tenth of a second of nothing; every number comes."""
    numbers = Counter[int]()
    sizes = set()
    for seed in range(40):
        (one,) = trials("tones", np.random.default_rng([seed]))
        loud = np.abs(one.audio[:, 0]) > 0.005
        starts = [k for k in np.flatnonzero(loud) if not loud[max(0, k - 4800) : k].any()]
        assert len(starts) == one.right
        assert np.diff(starts).min(initial=48000) >= 0.36 * 48000  # .12 s of tone, .25 s between
        numbers[one.right] += 1
        sizes.add(len(made(("test", "tones", (seed,), 0))))
    assert set(numbers) == {2, 3, 4, 5, 6}
    assert len(sizes) == 1
    assert soundfile.read(io.BytesIO(made(("test", "tones", (1,), 0))))[0].shape == (4 * 48000, 2)


def test_where_checks_come() -> None:
    """By hand: of ten trials two numbers of tones before the fourth and the eighth; of one trial before none but a second."""
    assert [due(2, 10, k) for k in range(10)] == [0, 0, 0, 1, 1, 1, 1, 2, 2, 2]
    assert [due(1, 1, 0), due(0, 5, 4), due(3, 2, 1)] == [0, 0, 2]
    music = [PlannedTrial(b, None, None, None, ()) for b in ("demographics", "a", "affect", "a", "affect", "own", "a")]
    for seed in range(20):
        out = among(music, {"a"}, 3, np.random.default_rng(seed))
        assert [t for t in out if t.block != "attention_check"] == music
        assert [t.block for t in out] == [
            "demographics", "a", "affect", "attention_check", "a", "affect", "attention_check", "own", "a", "attention_check",
        ]  # fmt: skip
    assert among(music, set(), 3, np.random.default_rng(0)) == music


def test_the_plan_without_checks_is_what_it_was(booth: Prepared) -> None:
    checked = under(booth, attention=CHECKS).config
    for row in range(6):
        without = [t for t in plan(checked, booth.clips, row) if t.block != "attention_check"]
        assert without == plan(booth.config, booth.clips, row)


def test_an_end_is_asked_for_only_where_there_is_a_scale() -> None:
    naming = {"tasks": [{"kind": "identification"}], "attention": {"questions": 1}}
    with pytest.raises(ValidationError, match="asked on the scale of ratings or comparisons"):
        ExperimentConfig.model_validate(naming)
