"""Answers that are drawn for power: alike those of the engine's bots, with variances of people, clips, pairs and tastes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.data.frames import load
from analysis.power.power import clip_table, generate
from experiment import launch
from experiment.bots.effects import Effects, load_effects
from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.launch import Prepared
from tests.analysis.power.test_power import MEANS, SHORT, STUDY, TASTES, changed, drawn


def through_the_engine(
    folder: Path, effects: Effects, n: int, seed: int, config: ExperimentConfig = STUDY.experiment
) -> np.ndarray:
    """(participants, trials) of the fine-tuned model's scores by taste order, as stored sessions give them."""
    store = Store(f"sqlite:///{folder / f'{seed}.db'}")
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    rows = [
        {"clip": f"{c.taste}-{c.model}-{c.number}", "taste": c.taste, "model": c.model, "number": c.number}
        | {"path": None, "sha256": "0" * 64}
        for c in clip_table(TASTES[::-1], 5)  # as commands register them: people get the last taste declared first
    ]
    prepared = Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
    launch.simulate(prepared, effects, n, seed)
    data = load(store.engine, "s", "bot").preference
    store.close()
    return data[["taste", "score"]].to_numpy()


def test_generator_and_engine_draw_from_the_same_distribution(tmp_path: Path) -> None:
    """Scores by taste: Kolmogorov-Smirnov over a study of 48 sessions against 400 of the generator's."""
    effects = load_effects()
    # Without clip effects, so that answers of one taste are exchangeable between studies.
    flat = effects.model_copy(update={"preference": effects.preference.model_copy(update={"clip_sd": 0.0})})
    engine = through_the_engine(tmp_path, flat, 48, 1, SHORT)
    many = drawn(flat, 48, 400)
    for k, name in enumerate(many.names):
        a = engine[engine[:, 0] == name, 1].astype(float)
        b = many.scores[:, many.tastes == k].ravel()
        assert len(a) == (many.tastes == k).sum()  # the same design rows
        assert stats.ks_2samp(a, b).pvalue > 0.001, name
        assert a.mean() == pytest.approx(b.mean(), abs=4 * b.std() / np.sqrt(len(a)))


def test_generator_asks_what_the_engine_asks_in_the_same_order(tmp_path: Path) -> None:
    """Where nothing varies every answer of 16 sessions is known: that of the engine's and the generator's is the same."""
    engine = through_the_engine(tmp_path, changed(mean=MEANS), 16, 3, SHORT)
    mine = drawn(changed(mean=MEANS), 16, 2)
    assert mine.names == ("bitter", "salty", "sour", "sweet")
    assert [mine.names[k] for k in mine.tastes.ravel()] == engine[:, 0].tolist()
    for study in mine.scores:
        assert study.ravel().tolist() == engine[:, 1].astype(float).tolist()


def test_scores_are_whole_and_stay_on_the_scale() -> None:
    low, high = (
        drawn(changed(mean=dict.fromkeys(TASTES, -3.0)), 8, 1),
        drawn(changed(mean=dict.fromkeys(TASTES, 12.2)), 8, 1),
    )
    assert set(low.scores.ravel()) == {0}
    assert set(high.scores.ravel()) == {10}
    wide = drawn(changed(residual_sd=3.0), 20, 20).scores
    assert set(wide.ravel()) == set(range(11))
    assert drawn(changed(mean={}), 8, 1).scores.mean() == 5  # a taste without a mean is in the middle


def test_variance_of_people_is_between_people() -> None:
    scores = drawn(changed(mean={}, participant_sd=1.5), 40, 50).scores
    assert (np.ptp(scores, axis=2) == 0).all()
    assert scores[:, :, 0].std() == pytest.approx(1.5, rel=0.1)
    assert (scores[0] != scores[1]).any()


def test_variance_of_clips_is_shared_by_all_who_hear_the_clip() -> None:
    """One clip a taste: the score of a taste is the same for everybody, and another in the next study."""
    clips = clip_table(TASTES, 3)
    one = STUDY.experiment.model_copy(
        update={"ratings": None, "preference": STUDY.experiment.preference.model_copy(update={"trials": 4})}
    )
    answers = generate(one, changed(mean={}, clip_sd=1.5), clips, 30, 60, np.random.default_rng(0))
    spread = [np.unique(study[answers.tastes == 0]) for study in answers.scores]
    assert max(len(s) for s in spread) <= 3
    assert np.mean([len(s) > 1 for s in spread]) > 0.8  # three clips, not one
    assert answers.scores.std() == pytest.approx(1.5, rel=0.15)


def test_what_a_person_makes_of_a_taste_is_in_all_answers_about_it() -> None:
    answers = drawn(changed(mean={}, taste_sd=1.5), 40, 50)
    for person in range(40):
        own = answers.scores[:, person]
        for taste in range(4):
            assert (np.ptp(own[:, answers.tastes[person] == taste], axis=1) == 0).all()
    assert answers.scores.std() == pytest.approx(1.5, rel=0.1)
    assert (np.ptp(answers.scores, axis=2) > 0).mean() > 0.9  # another in the next taste


def test_variance_of_pairs_is_shared_by_all_who_hear_the_two() -> None:
    answers = drawn(changed(mean={}, pair_sd=1.5), 60, 20)
    met = answers.heard * 1000 + answers.other
    for study in answers.scores:
        assert all(len(np.unique(study[met == pair])) == 1 for pair in np.unique(met))
    assert answers.scores.std() == pytest.approx(1.5, rel=0.15)
    assert (answers.scores[0] != answers.scores[1]).any()


def test_answers_pile_up_at_the_end_that_they_lean_to() -> None:
    scores = drawn(changed(mean=MEANS, ends=0.3), 60, 60)
    for taste, end in (("bitter", 0), ("sour", 10), ("sweet", 10)):
        own = scores.scores[:, scores.tastes == scores.names.index(taste)]
        assert set(np.unique(own)) == {end, MEANS[taste]}
        assert (own == end).mean() == pytest.approx(0.3, abs=0.03)


def test_careless_people_answer_anything_with_every_answer() -> None:
    everybody = drawn(changed(mean=MEANS, careless=1.0), 40, 40).scores
    shares = np.bincount(everybody.ravel().astype(int), minlength=11) / everybody.size
    assert shares == pytest.approx([1 / 11] * 11, abs=0.012)
    some = drawn(changed(mean={}, careless=0.3), 100, 40).scores
    off = (some != 5).any(axis=2)  # five answers in the middle by chance: one in 160,000
    assert off.mean() == pytest.approx(0.3, abs=0.03)
    assert (some[off] != 5).mean() == pytest.approx(10 / 11, abs=0.02)


def test_clips_are_numbered_within_taste_and_model() -> None:
    table = clip_table(["sweet", "sour"], 2)
    assert [(c.id, c.taste, c.model, c.number) for c in table] == [
        (1, "sweet", "base", 0), (2, "sweet", "base", 1), (3, "sweet", "finetuned", 0), (4, "sweet", "finetuned", 1),
        (5, "sour", "base", 0), (6, "sour", "base", 1), (7, "sour", "finetuned", 0), (8, "sour", "finetuned", 1),
    ]  # fmt: skip
