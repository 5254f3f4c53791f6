"""The engine: what comes next, by what is stored alone; what is done is stored once, whoever is killed in between."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import func, select

from experiment import answering, launch
from experiment.config import ExperimentConfig, LevelConfig
from experiment.data.store import Store
from experiment.data.tables import Event, Response, Screening, Seen, Stimulus, Superseded, Trial
from experiment.errors import ExperimentError
from experiment.headphones import HeadphoneTrial
from experiment.launch import Prepared
from experiment.question import Answer, Back, Question
from experiment.session import perform, run_session
from experiment.steps import Ask, Consent, End, Headphones, Page, next_step, part_title
from experiment.texts import texts
from tests.conftest import TASTES

DEMOGRAPHICS = [
    "sex", "age", "hearing_experience", "eating_experience", "ethnicity", "hearing_impairments", "taste_impairments", "device",
]  # fmt: skip


class Killed(BaseException):
    """The process is gone: nothing after it is stored."""


class Listener:
    """Hears everything, answers by what is asked alone, and is killed at its `life`-th call."""

    gain_db = 0.0

    def __init__(self, life: int | None = None, right: bool = True):
        self.life, self.right = life, right
        self.calls: list[str] = []
        self.gains: list[float] = []

    def _call(self, name: str) -> None:
        if self.life is not None and len(self.calls) == self.life:
            raise Killed
        self.calls.append(name)

    def consent(self) -> tuple[bool, bool]:
        self._call("consent")
        return True, True

    def sound_check(self) -> dict[str, Any] | None:
        self._call("sound")
        return {"plays": 1}

    def adjust_level(self, softest: int) -> float | None:
        self._call("level")
        return -40.0

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        self._call(f"headphones {test}")
        return [t.right if self.right else 1 + t.right % 3 for t in trials]

    def practice(self, question: Question) -> None:
        self._call("practice")

    def page(self, title: str, text: str) -> None:
        self._call(f"page {title}")

    def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
        self._call("listen " + " ".join(c.clip for c in clips))
        self.gains.append(self.gain_db)
        return [{"clip": c.clip} for c in clips]

    def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer | Back:
        self._call(f"ask {question.item} {progress[0]}/{progress[1]}")
        if question.options:
            return Answer(choice=list(question.options)[trial.position % len(question.options)], response_time=1.5)
        if question.kind == "number":
            return Answer(value=30.0, response_time=2.0, interaction={"moves": 1})
        place = sum(map(ord, question.item)) + trial.position
        return Answer(value=float(question.low + place % (question.high - question.low + 1)), response_time=0.5)

    def fill(self, questions: Sequence[Question], trial: Trial, progress: tuple[int, int]) -> dict[str, Answer]:
        self._call(f"fill {' '.join(q.item for q in questions)} {progress[0]}/{progress[1]}")
        values = {q.item: sum(map(ord, q.item)) + trial.position for q in questions}
        return {
            q.item: Answer(float(q.low + values[q.item] % 5), response_time=0.25, interaction={"moves": 1})
            for q in questions
        }


@pytest.fixture
def short(config: ExperimentConfig) -> ExperimentConfig:
    """Four pairs, one clip rated on two adjectives."""
    assert config.preference is not None
    assert config.ratings is not None
    return config.model_copy(
        update={
            "preference": config.preference.model_copy(update={"trials": 4}),
            "ratings": config.ratings.model_copy(update={"clips": 1, "adjectives": config.ratings.adjectives[:2]}),
            "level": LevelConfig(by="participant", softest=-24),
            "headphones": "antiphase",
        }
    )


def entered(folder: Path, config: ExperimentConfig) -> Prepared:
    store = Store(f"sqlite:///{folder / 'p.db'}")
    study = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t in TASTES
        for m in ("base", "finetuned")
        for n in range(5)
    ]
    return Prepared(store, study, config, store.ensure_stimuli(study, rows))


def begun(prepared: Prepared, code: str = "b") -> int:
    return launch.begin(prepared, code, "bot", "en", "station")


def rows_of(store: Store) -> list[tuple[Any, ...]]:
    """Answers as they are stored, without times of the day."""
    with store.transaction() as s:
        query = (
            select(Trial.position, Response.item, Response.value, Response.choice, Response.response_time)
            .join(Trial, Trial.id == Response.trial_id)
            .order_by(Response.id)
        )
        return [tuple(row) for row in s.execute(query)]


def count(store: Store, kind: type[Any]) -> int:
    with store.transaction() as s:
        return int(s.scalar(select(func.count()).select_from(kind)) or 0)


def test_a_session_from_consent_to_the_end(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared, who = entered(tmp_path, short), Listener()
    assert run_session(prepared.store, begun(prepared), short, who) == "complete"
    kinds = [c.split()[0] if not c.startswith("ask") else c for c in who.calls]
    assert kinds[: 1 + 8] == ["consent", *(f"ask {item} {i}/14" for i, item in enumerate(DEMOGRAPHICS))]
    # Before the first clip: tones, level, headphones, a page and practice; then the task's page, and two clips a pair.
    assert kinds[9:14] == ["sound", "level", "headphones", "page", "practice"]
    # Of four comparisons (6 s each) and two ratings (3 s) three comparisons are 18 of 30 s: a break before the fourth.
    assert kinds[14:24] == [
        "page", "listen", "ask preference 8/14", "listen", "ask preference 9/14",
        "listen", "ask preference 10/14", "page", "listen", "ask preference 11/14",
    ]  # fmt: skip
    # The second task's page, its clip, two adjectives, the last page.
    assert [k.split()[0] for k in kinds[24:]] == ["page", "listen", "ask", "ask", "page"]
    assert {k.split()[2] for k in kinds[26:28]} == {"12/14", "13/14"}
    assert set(who.gains) == {-24.0}  # -40 dB is softer than the study lets one go
    with prepared.store.transaction() as s:
        assert s.scalars(select(Event.name).where(Event.name.in_(("start", "end")))).all() == ["start", "end"]
        heard = [
            e.detail["clip"] for e in s.scalars(select(Event).where(Event.name == "audio_onset").order_by(Event.id))
        ]
    assert heard == [c for k in who.calls if k.startswith("listen") for c in k.split()[1:]]


def test_nothing_is_carried_that_is_not_stored(tmp_path: Path, short: ExperimentConfig) -> None:
    """A loop that forgets everything between two steps does the same steps and stores the same rows."""
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    carrying, forgetting = entered(tmp_path / "a", short), entered(tmp_path / "b", short)
    first, second = Listener(), Listener()
    run_session(carrying.store, begun(carrying), short, first)
    session = begun(forgetting)
    answering.started(forgetting.store, session)
    while not isinstance(step := next_step(stored := answering.read(forgetting.store, session), short), End):
        second.gain_db = stored.gain_db or 0.0
        perform(step, forgetting.store, stored, short, second, 0.0)
    assert second.calls == first.calls
    assert second.gains == first.gains
    assert rows_of(forgetting.store) == rows_of(carrying.store)
    assert answering.read(forgetting.store, session).status == "complete"
    for kind in (Seen, Event, Screening):
        assert count(forgetting.store, kind) == count(carrying.store, kind)


def test_killed_at_any_moment_a_session_goes_on_and_ends_with_the_same_rows(
    tmp_path: Path, short: ExperimentConfig
) -> None:
    (tmp_path / "whole").mkdir()
    whole, who = entered(tmp_path / "whole", short), Listener()
    run_session(whole.store, begun(whole), short, who)
    for life in range(0, len(who.calls), 3):
        (tmp_path / str(life)).mkdir()
        broken = entered(tmp_path / str(life), short)
        session = begun(broken)
        with pytest.raises(Killed):
            run_session(broken.store, session, short, Listener(life))
        answers = len(rows_of(broken.store))
        session, _ = launch.resume(broken, "b")
        again = Listener()
        assert run_session(broken.store, session, short, again) == "complete"
        assert rows_of(broken.store) == rows_of(whole.store)
        asked = [c for c in again.calls if c.startswith("ask")]
        assert len(asked) == 14 - answers  # nothing is asked twice
        if asked and asked[0].split()[1] not in DEMOGRAPHICS:
            # Whoever comes back hears the clip, or the pair, before the next answer about it.
            at = again.calls.index(asked[0])
            assert again.calls[at - 1].startswith("listen")
        assert count(broken.store, Screening) == 1  # a test that was passed is not made again
        broken.store.close()


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


def test_whoever_declines_is_asked_nothing_and_leaves_nothing(tmp_path: Path, short: ExperimentConfig) -> None:
    class No(Listener):
        def consent(self) -> tuple[bool, bool]:
            return False, False

    prepared, who = entered(tmp_path, short), No()
    assert run_session(prepared.store, begun(prepared), short, who) == "refused"
    assert who.calls == []
    assert rows_of(prepared.store) == []


def test_without_the_special_consent_three_questions_fall_away(tmp_path: Path, short: ExperimentConfig) -> None:
    class Private(Listener):
        def consent(self) -> tuple[bool, bool]:
            return True, False

    prepared, who = entered(tmp_path, short), Private()
    assert run_session(prepared.store, begun(prepared), short, who) == "complete"
    asked = [c.split()[1:] for c in who.calls if c.startswith("ask")]
    assert [a for a, _ in asked[:5]] == ["sex", "age", "hearing_experience", "eating_experience", "device"]
    assert [p for _, p in asked] == [f"{i}/11" for i in range(11)]


def test_a_required_headphone_test_that_is_failed_ends_kindly_and_is_made_anew(
    tmp_path: Path, short: ExperimentConfig
) -> None:
    strict = short.model_copy(update={"headphones_required": True})
    prepared = entered(tmp_path, strict)
    session, deaf = begun(prepared), Listener(right=False)
    assert run_session(prepared.store, session, strict, deaf) == "stopped"
    assert deaf.calls[-2] == "headphones antiphase"
    assert deaf.calls[-1].startswith("page ")
    assert not any(c.startswith("listen") for c in deaf.calls)
    session, _ = launch.resume(prepared, "b")
    assert run_session(prepared.store, session, strict, Listener()) == "complete"
    with prepared.store.transaction() as s:
        made = s.scalars(select(Screening).order_by(Screening.id)).all()
    assert [x.passed for x in made] == [False, True]
    assert made[0].detail["right"] != made[1].detail["right"]  # other sounds the second time


def test_a_child_reads_why_and_nothing_of_it_is_kept(tmp_path: Path, short: ExperimentConfig) -> None:
    class Child(Listener):
        def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
            answer = super().ask(question, trial, progress)
            return Answer(value=17.0) if question.item == "age" else answer

    prepared, who = entered(tmp_path, short), Child()
    session = begun(prepared)
    assert run_session(prepared.store, session, short, who) == "too_young"
    assert [c.split()[0] for c in who.calls] == ["consent", "ask", "ask", "page"]
    assert rows_of(prepared.store) == []
    # Killed while the page stood there: it still stands there, and nothing is asked.
    stored = answering.read(prepared.store, session)
    page = next_step(replace(stored, seen=stored.seen - {"page:too_young"}), short)
    assert isinstance(page, Page)
    assert (page.id, page.title) == ("page:too_young", who.calls[-1].removeprefix("page "))


def test_headphone_trials_are_the_same_each_time_they_are_looked_for(tmp_path: Path) -> None:
    step = Headphones("huggins", (111, 5, 0))
    a, b = step.trials(), step.trials()
    assert [t.right for t in a] == [t.right for t in b]
    assert all(np.array_equal(x.audio, y.audio) for x, y in zip(a, b, strict=True))
    assert [t.right for t in a] != [t.right for t in Headphones("huggins", (111, 6, 0)).trials()]


def test_clips_are_heard_under_their_titles(tmp_path: Path, short: ExperimentConfig) -> None:
    prepared = entered(tmp_path, short)
    session = begun(prepared)
    shown: list[tuple[int, list[str]]] = []

    class Reader(Listener):
        def listen(self, clips: list[Stimulus], titles: list[str]) -> list[dict[str, Any]]:
            shown.append((len(clips), titles))
            return super().listen(clips, titles)

    run_session(prepared.store, session, short, Reader())
    assert [n for n, _ in shown] == [2, 2, 2, 2, 1]
    first, second = shown[0][1]
    assert "first" in first.lower()
    assert "second" in second.lower()


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


def test_parts_are_called_by_their_place_unless_a_studys_own_texts_name_them() -> None:
    words = texts("en")
    names = ["First part", "Second part", "Third part", "Fourth part", "Another part", "Another part"]
    assert [part_title(words, "ratings", part) for part in range(6)] == names
    own = {"ratings": {"intro_title": "Words"}, "preference": {}, "parts": words["parts"]}
    assert part_title(own, "ratings", 1) == "Words"
    assert part_title(own, "preference", 1) == "Second part"


def test_the_break_comes_when_half_of_equal_parts_are_done(tmp_path: Path, config: ExperimentConfig) -> None:
    """Before the second of two, the third of three, the third of four; none where there is one alone."""
    scales = {"labels": {"en": ["no", "yes"]}, "adjectives": [{"name": "hot", "words": {"en": "hot"}}]}
    for parts, before in ((1, None), (2, 1), (3, 2), (4, 2)):
        tasks = [{"kind": "ratings", "name": f"part{k}", "clips": 1, **scales} for k in range(parts)]
        asked = ExperimentConfig.model_validate({"tasks": tasks, "sound_check": False})
        (tmp_path / str(parts)).mkdir()
        prepared, who = entered(tmp_path / str(parts), asked), Listener()
        assert run_session(prepared.store, begun(prepared), asked, who) == "complete"
        pages = [c.removeprefix("page ") for c in who.calls if c.startswith("page ")]
        titles = ["First part", "Second part", "Third part", "Fourth part"][:parts]
        if before is not None:
            titles.insert(before, "About half of the music is over")
        assert pages == [*titles, "Thank you"]


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
