"""The robust plan: its error rates, what it asks, and what it says about broken data."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.config import AnalysisConfig
from analysis.preference.robust import preference, ratings


def scores(rng: np.random.Generator, effect: float, people: int = 60) -> pd.DataFrame:
    liking, clips = rng.normal(0, 1, people), rng.normal(0, 0.6, (4, 5))
    rows = [
        (p, t, f"{t}-{c}", float(np.clip(round(5 + effect + liking[p] + clips[k, c] + rng.normal(0, 2)), 0, 10)))
        for p in range(people)
        for k, t in enumerate(("bitter", "salty", "sour", "sweet"))
        for c in [int(rng.integers(5))]
    ]
    return pd.DataFrame(rows, columns=["participant", "taste", "clip_finetuned", "score"])


def test_the_declared_tests_hold_five_percent_under_participant_and_clip_variance() -> None:
    """60 null studies: the mixed model's overall test errs no more often than 5 % allows (binomial 99.9 %: 9)."""
    rng = np.random.default_rng(0)
    config = AnalysisConfig(resamples=100)
    p = [preference(scores(rng, 0.0), 5.0, config)["tests"][0]["p"] for _ in range(60)]
    assert sum(x < 0.05 for x in p) <= 9
    strong = preference(scores(rng, 1.8), 5.0, config)["tests"]
    assert strong[0]["p"] < 0.01
    assert strong[0]["ci_low"] < 1.8 < strong[0]["ci_high"]
    assert all(r["p_adjusted"] >= r["p"] for r in strong[1:])
    assert all(r["p_bonferroni"] >= r["p_adjusted"] for r in strong[1:])


def test_own_words_are_found_and_a_broken_taste_is_flagged() -> None:
    rng = np.random.default_rng(5)
    tastes = ("bitter", "salty", "sour", "sweet")
    rows = [
        (p, t, f"{t}-{p % 5}", a, float(np.clip(round(2 + (1.2 if a == t else 0) + rng.normal(0, 1)), 1, 5)))
        for p in range(40)
        for t in tastes
        for a in (*tastes, "happy")
    ]
    data = pd.DataFrame(rows, columns=["participant", "prompt", "clip", "adjective", "value"])
    found = ratings(data, AnalysisConfig())
    assert [r["adjective"] for r in found["own_word"]] == list(tastes)
    assert all(r["p_adjusted"] < 0.01 and r["converged"] for r in found["own_word"])
    assert len(found["prompts"]) == 4 * 5
    assert all(r["effect"] > 0 and r["p_adjusted"] < 0.01 and r["converged"] for r in found["own_word_ordinal"])
    data.loc[data["adjective"] == "sour", "value"] = 3.0  # constant ratings
    flagged = next(r for r in ratings(data, AnalysisConfig())["own_word"] if r["adjective"] == "sour")
    assert flagged["p"] is None
    assert flagged["converged"] is False
    assert flagged["note"]
