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
from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.data.tables import Event, Response, Screening, Seen, Stimulus, Trial
from experiment.headphones import HeadphoneTrial
from experiment.launch import Prepared
from experiment.question import Answer, Back, Question
from experiment.session import perform, run_session
from experiment.stations import LevelConfig
from experiment.steps import (
    End,
    Headphones,
    Page,
    next_step,
)
from tests.conftest import TASTES

SCALES: dict[str, Any] = {
    "labels": {"en": ["no", "yes"]},
    "adjectives": [{"name": n, "words": {"en": n}} for n in ("hot", "cold")],
}
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
        assert len(self.calls) < 400, f"asked for ever: {self.calls[-3:]}"
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
