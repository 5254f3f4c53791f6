"""What a study may ask for beside the two tasks: headphones, level, practice, valence, questionnaires, two-ended scales."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError
from sqlalchemy import select

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.config import Adjective, ExperimentConfig, LevelConfig, Questionnaire
from experiment.data.tables import Response, Screening, SessionRow, Trial
from experiment.design import plan
from experiment.headphones import RATE, HeadphoneTrial, antiphase_interval, huggins_interval, passed, trials
from experiment.lab.playback import reference_noise, two_chords
from experiment.launch import Prepared
from experiment.session import Question, question, run_session, unanswered

SCALE = {"question": {"en": "Agree?", "it": "D'accordo?"}, "labels": {"en": ["no", "yes"], "it": ["no", "sì"]}}


def with_options(prepared: Prepared, **options: Any) -> Prepared:
    config = ExperimentConfig.model_validate(prepared.config.model_dump() | options)
    return Prepared(prepared.store, prepared.study_id, config, prepared.stimuli)


class Listener(Bot):
    """A bot that says how often it was asked, and chooses as told in headphone trials."""

    correct = 6
    chosen_gain: float | None = -9.0

    def __init__(self, prepared: Prepared):
        super().__init__(prepared.config, load_effects(), np.random.default_rng(0), 0)
        self.pages: list[str] = []
        self.practised: list[str] = []
        self.gains: list[float] = []

    def screen_headphones(self, test: str, trials: list[HeadphoneTrial]) -> list[int] | None:
        return [t.right if k < self.correct else t.right % 3 + 1 for k, t in enumerate(trials)]

    def adjust_level(self, softest: int) -> float | None:
        return self.chosen_gain

    def practice(self, question: Question) -> None:
        self.practised.append(question.item)

    def page(self, title: str, text: str) -> None:
        self.pages.append(title)

    def listen(self, clips: list[Any], titles: list[str]) -> list[dict[str, Any]]:
        self.gains.append(self.gain_db)
        return []


def run(prepared: Prepared, code: str, who: Listener) -> int:
    session = launch.begin(prepared, code, "bot", "en", "x")
    run_session(prepared.store, session, prepared.config, who)
    return session


def test_huggins_pitch_is_in_neither_ear_alone() -> None:
    """Both ears have the same spectrum; only their phases differ, and only within 6 % of 600 Hz (Milne et al. 2021)."""
    x = huggins_interval(np.random.default_rng(0), True)
    diotic = huggins_interval(np.random.default_rng(0), False)
    assert np.array_equal(diotic[:, 0], diotic[:, 1])
    middle = slice(round(0.1 * RATE), round(0.9 * RATE))
    left, right = (np.abs(np.fft.rfft(x[middle, k])) for k in (0, 1))
    f = np.fft.rfftfreq(len(x[middle]), 1 / RATE)
    band = (f > 560) & (f < 640)
    assert left[band].sum() == pytest.approx(right[band].sum(), rel=0.1)
    difference = np.abs(np.fft.rfft(x[middle, 0] - x[middle, 1])) ** 2
    inside = difference[(f > 520) & (f < 680)].sum()
    assert inside / difference.sum() > 0.95


def test_antiphase_tones_cancel_on_loudspeakers_and_the_soft_one_is_6_db_softer() -> None:
    loud, soft, anti = (antiphase_interval(k) for k in ("in", "soft", "anti"))
    assert np.abs(anti.sum(axis=1)).max() < 1e-12
    assert 20 * np.log10(loud.std() / soft.std()) == pytest.approx(6, abs=0.01)


@pytest.mark.parametrize("test", ["huggins", "antiphase"])
def test_each_place_is_right_twice_and_the_published_rule_holds(test: str) -> None:
    drawn = trials(test, np.random.default_rng(3))
    right = [t.right for t in drawn]
    assert sorted(right) == [1, 1, 2, 2, 3, 3]
    assert all(t.audio.shape[1] == 2 and np.abs(t.audio).max() < 0.5 for t in drawn)
    wrong_one = [right[0] % 3 + 1, *right[1:]]
    wrong_two = [right[0] % 3 + 1, right[1] % 3 + 1, *right[2:]]
    assert passed(test, right, right)
    assert passed(test, wrong_one, right) is (test == "antiphase")
    assert not passed(test, wrong_two, right)


def test_screening_is_stored_and_may_end_the_session(prepared: Prepared) -> None:
    both = with_options(prepared, headphones="both")
    who = Listener(both)
    who.correct = 5
    session = run(both, "A", who)
    with both.store.transaction() as s:
        found = {x.test: (x.passed, len(x.detail["given"])) for x in s.scalars(select(Screening))}
        assert s.get_one(SessionRow, session).status == "complete"
    assert found == {"huggins": (False, 6), "antiphase": (True, 6)}
    strict = with_options(prepared, headphones="huggins", headphones_required=True)
    session = run(strict, "B", who)
    with both.store.transaction() as s:
        assert s.get_one(SessionRow, session).status == "stopped"
    assert "headphones" in who.pages[-1]
    # Gone on with, it is asked again; now it passes.
    who.correct = 6
    assert launch.resume(strict, "B")[0] == session
    assert run_session(strict.store, session, strict.config, who) == "complete"


def test_an_adjusted_level_is_stored_limited_and_applied(prepared: Prepared) -> None:
    chosen = with_options(prepared, level={"by": "participant", "softest": -12})
    who = Listener(chosen)
    who.chosen_gain = -50.0
    session = run(chosen, "A", who)
    with chosen.store.transaction() as s:
        assert s.get_one(SessionRow, session).calibration == {"by": "participant", "gain_db": -12.0}
    assert set(who.gains) == {-12.0}
    with pytest.raises(ValidationError, match="needs dba"):
        LevelConfig(by="station")


def test_the_reference_noise_has_the_clips_loudness() -> None:
    import pyloudnorm

    noise = reference_noise(4.0)
    assert pyloudnorm.Meter(RATE).integrated_loudness(noise.astype(float)) == pytest.approx(-23, abs=0.3)
    assert np.abs(noise).max() < 1.0
    assert np.array_equal(noise, reference_noise(4.0))
    high, low = two_chords()
    assert max(np.abs(high).max(), np.abs(low).max()) < 0.5


def test_practice_once_and_a_break_between_the_tasks(prepared: Prepared) -> None:
    who = Listener(prepared)
    session = run(prepared, "A", who)
    assert who.practised == ["practice"]
    assert "Practice" in who.pages
    assert "Half of it is done" in who.pages
    with prepared.store.transaction() as s:
        assert "practice" not in set(s.scalars(select(Response.item)))
    none = with_options(prepared, practice=False, pause=False)
    who = Listener(none)
    run(none, "B", who)
    assert who.practised == []
    assert "Half of it is done" not in who.pages
    assert unanswered(prepared.store, session)[0] == unanswered(prepared.store, session)[1]


def test_valence_and_questionnaires_are_asked_and_stored(prepared: Prepared) -> None:
    items = [{"name": f"q{i}", "words": {"en": f"Statement {i}", "it": f"Frase {i}"}} for i in range(3)]
    asked = with_options(
        prepared,
        affect=["valence", "arousal"],
        questionnaires=[{"name": "sounds", **SCALE, "low": 1, "high": 7, "items": items}],
    )
    planned = plan(asked.config, asked.clips, 0)
    assert [t.block for t in planned][:2] == ["demographics", "sounds"]
    rated = [k for k, t in enumerate(planned) if t.block == "ratings"]
    assert all(planned[k + 1].block == "affect" and planned[k + 1].first == planned[k].first for k in rated)
    who = Listener(asked)
    run(asked, "A", who)
    assert len(who.gains) == 5 + 3  # a clip is not played again for valence
    with asked.store.transaction() as s:
        values = dict(s.execute(select(Response.item, Response.value).join(Trial).where(Trial.block == "sounds")).all())
        felt = s.scalars(select(Response.value).join(Trial).where(Trial.block == "affect")).all()
    assert set(values) == {"q0", "q1", "q2"}
    assert len(felt) == 6
    assert all(1 <= v <= 9 for v in felt)


def test_a_two_ended_scale_names_both_ends(prepared: Prepared) -> None:
    warm = Adjective(name="hot", words={"en": "warm", "it": "caldo"}, opposite={"en": "cold", "it": "freddo"})
    others = [a for a in prepared.config.ratings.adjectives if a.name != "hot"]
    config = prepared.config.model_copy(
        update={"ratings": prepared.config.ratings.model_copy(update={"adjectives": [warm, *others]})}
    )
    trial = Trial(block="ratings", taste="sweet", items=["hot"])
    asked = question(config, trial, "hot", "en")
    assert (asked.labels, asked.word) == (("cold", "warm"), "")


def test_a_questionnaire_without_a_language_is_refused(prepared: Prepared) -> None:
    item = {"name": "q", "words": {"en": "only English"}}
    with pytest.raises(ValidationError, match="no words in 'it'"):
        with_options(prepared, questionnaires=[Questionnaire(name="q", **SCALE, items=[item]).model_dump()])
