"""The fast generator beside the session engine, its test beside the analysis', and the laws that power obeys."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from analysis.config import AnalysisConfig
from analysis.data.frames import load
from analysis.power.power import Answers, Simulation, clip_table, detected, generate, null, power
from experiment import launch
from experiment.bots.effects import Effects, load_effects
from experiment.data.store import Store
from experiment.launch import Prepared
from tastelab.study import load_study
from tests.conftest import ROOT

STUDY = load_study(ROOT / "study.toml")
TASTES = [t.name for t in STUDY.stimuli.tastes]


def simulation(effects: Effects, studies: int, seed: int = 0, analysis: AnalysisConfig = STUDY.analysis) -> Simulation:
    """The default study with five clips a taste."""
    return Simulation(STUDY.experiment, effects, tuple(clip_table(TASTES, 5)), analysis, studies, seed)


def through_the_engine(folder: Path, effects: Effects, n: int, seed: int) -> np.ndarray:
    """(participants, trials) of the fine-tuned model's scores by taste order, as stored sessions give them."""
    store = Store(f"sqlite:///{folder / f'{seed}.db'}")
    config = STUDY.experiment
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    rows = [
        {"clip": f"{c.taste}-{c.model}-{c.number}", "taste": c.taste, "model": c.model, "number": c.number}
        | {"path": None, "sha256": "0" * 64}
        for c in clip_table(TASTES, 5)
    ]
    prepared = Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
    launch.simulate(prepared, effects, n, seed)
    data = load(store.engine, "s", "bot").preference
    store.close()
    return data[["taste", "score"]].to_numpy()


def test_generator_and_engine_draw_from_the_same_distribution(tmp_path: Path) -> None:
    """Scores by taste: Kolmogorov-Smirnov over 3 studies of 48 sessions against 400 of the generator's."""
    effects = load_effects()
    # Without clip effects, so that answers of one taste are exchangeable between studies.
    flat = effects.model_copy(update={"preference": effects.preference.model_copy(update={"clip_sd": 0.0})})
    engine = np.concatenate([through_the_engine(tmp_path, flat, 48, seed) for seed in (1, 2, 3)])
    drawn = generate(STUDY.experiment, flat, clip_table(TASTES, 5), 48, 400, np.random.default_rng(0))
    for k, name in enumerate(drawn.names):
        a = engine[engine[:, 0] == name, 1].astype(float)
        b = drawn.scores[:, drawn.tastes == k].ravel()
        assert len(a) == 3 * (drawn.tastes == k).sum()  # the same design rows
        assert stats.ks_2samp(a, b).pvalue > 0.001, name
        assert a.mean() == pytest.approx(b.mean(), abs=4 * b.std() / np.sqrt(len(a)))


def test_false_positives_are_as_declared_and_power_grows() -> None:
    rows = power(simulation(null(load_effects(), 5.0), 4000), [60])
    overall = next(r for r in rows if r["taste"] == "all")
    assert overall["power"] == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 4000) ** 0.5)
    family = next(r for r in rows if r["taste"] == "any taste")
    assert family["power"] <= 0.06
    rows = power(simulation(load_effects(), 400), [20, 80, 200], jobs=2)
    sweet = [r["power"] for r in rows if r["taste"] == "sweet"]
    assert sweet == sorted(sweet)
    assert sweet[0] < 0.6 < 0.9 < sweet[2]
    assert power(simulation(load_effects(), 400), [20, 80, 200]) == rows


def test_detection_follows_the_declared_direction() -> None:
    high = Answers(np.full((1, 40, 4), 9.0), np.tile(np.arange(4), (40, 1)), tuple(sorted(TASTES)))
    found = detected(high, 5.0, AnalysisConfig(hypotheses=[{"taste": "salty", "alternative": "less"}]))
    assert not found["salty", "less"][0]
    assert found["sweet", "two-sided"][0]
    assert found["all", "greater"][0]
