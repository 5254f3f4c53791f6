"""Mixed models against lme4 and lmerTest, their error rates, and what they say about broken data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.engines.mixed import fit
from analysis.engines.ordinal import fit_ordinal
from analysis.errors import AnalysisError
from analysis.preference.robust import preference, ratings


def crossed() -> pd.DataFrame:
    """111 people, 20 clips, 5 answers each: the data that the R figures below were computed from."""
    rng = np.random.default_rng(1)
    people, clips = rng.normal(0, 0.7, 111), rng.normal(0, 0.6, 20)
    rows = []
    for i in range(111):
        for _ in range(5):
            c = int(rng.integers(20))
            rows.append(
                (i, c, int(c % 4 > 1), float(round(np.clip(5.3 + people[i] + clips[c] + rng.normal(0, 2.4), 0, 10))))
            )
    return pd.DataFrame(rows, columns=["p", "c", "g", "y"])


def test_estimates_tests_and_variances_are_lme4s() -> None:
    """R 4.2.2, lme4 1.1-31, lmerTest 3.1-3: summary(lmer(y ~ 1 + g + (1 | p) + (1 | c))), VarCorr, REMLcrit."""
    d = crossed()
    found = fit(d.y, np.column_stack([np.ones(len(d)), d.g]), [d.p, d.c])
    assert found.converged
    assert found.beta == pytest.approx([5.239024760466, -0.368980201938], rel=3e-6)
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.178820283218, 0.241811270452], rel=1e-5)
    assert found.sd == pytest.approx([0.529667684852, 0.294097599422], rel=1e-4)
    assert found.residual_sd == pytest.approx(2.334928280732, rel=1e-5)
    assert found.reml == pytest.approx(2549.90390866, rel=1e-9)
    g = found.test(np.array([0.0, 1.0]))
    assert g.t == pytest.approx(-1.52590158948, rel=1e-5)
    assert g.df == pytest.approx(17.2443728061, rel=1e-4)
    assert g.p == pytest.approx(0.145166072561, rel=1e-4)
    alone = fit(d.y, np.ones((len(d), 1)), [d.p, d.c])
    one = alone.test(np.ones(1))
    assert (one.t, one.df) == (pytest.approx(38.4259428936, rel=1e-5), pytest.approx(19.898700631, rel=1e-4))


def test_a_factor_without_variance_lies_on_the_boundary() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(size=300)
    found = fit(y, np.ones((300, 1)), [np.arange(300) // 3, rng.integers(0, 10, 300)])
    assert min(found.sd) < 0.25
    assert found.converged
    c = found.test(np.ones(1))
    assert 5 < c.df < 310
    assert 0 < c.p < 1


def test_hardly_any_variance_still_gives_a_number() -> None:
    """Where the criterion is flat near the boundary, degrees of freedom and p stay sensible."""
    for seed in range(40):
        rng = np.random.default_rng(seed)
        people = np.repeat(np.arange(30), 3)
        clips = rng.integers(0, 6, 90)
        y = np.round(rng.normal(0, 2.4, 90) + rng.normal(0, 0.05 * (seed % 4), 30)[people])
        test = fit(y, np.ones((90, 1)), [people, clips]).test(np.ones(1))
        assert 0 < test.p <= 1
        assert 1 < test.df < 1000
        assert test.ci_low < test.estimate < test.ci_high


@pytest.mark.parametrize(
    ("y", "x", "factor", "words"),
    [
        (np.ones(10), np.ones((10, 1)), np.arange(10) % 3, "vary"),
        (np.arange(10.0), np.ones((10, 2)), np.arange(10) % 3, "depend"),
        (np.arange(10.0), np.ones((10, 1)), np.zeros(10), "1 levels"),
        (np.arange(10.0), np.ones((10, 1)), np.arange(10), "10 levels"),
        (np.array([np.nan, *range(9)]), np.ones((10, 1)), np.arange(10) % 3, "missing"),
    ],
)
def test_what_cannot_be_fitted_is_said(y: np.ndarray, x: np.ndarray, factor: np.ndarray, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        fit(y, x, [factor])


def ordered() -> pd.DataFrame:
    """60 people, 15 clips, 4 answers each of five ordered steps: the data of the clmm figures below."""
    rng = np.random.default_rng(2)
    people, clips = rng.normal(0, 0.8, 60), rng.normal(0, 0.5, 15)
    rows = []
    for i in range(60):
        for _ in range(4):
            c = int(rng.integers(15))
            z = 0.9 * (c % 3 == 1) - 0.4 * (c % 3 == 2) + people[i] + clips[c] + rng.logistic()
            rows.append((i, c, c % 3, int(np.searchsorted([-1.5, -0.3, 0.9, 2.2], z)) + 1))
    return pd.DataFrame(rows, columns=["p", "c", "g", "y"])


def test_ordered_answers_are_clmms() -> None:
    """R's ordinal 2022.11-16: clmm(y ~ g + (1 | p) + (1 | c)); coefficients, logLik, ST."""
    d = ordered()
    found = fit_ordinal(d.y, np.column_stack([d.g == 1, d.g == 2]).astype(float), [d.p, d.c])
    assert found.converged
    assert found.beta == pytest.approx([1.1844103757, -0.5386761434], abs=2e-5)
    assert found.thresholds == pytest.approx([-1.2182313188, -0.2700379998, 1.0731020905, 2.2376864130], abs=2e-5)
    assert found.sd == pytest.approx([0.76631143, 0.25404211], abs=1e-4)
    assert found.log_likelihood == pytest.approx(-364.33704445, abs=1e-5)
    estimate, error, z, p = found.test(np.array([1.0, 0.0]))
    assert error == pytest.approx(0.3753815148, rel=3e-3)
    assert z == pytest.approx(3.155217636, rel=3e-3)
    assert p == pytest.approx(0.001603784225, rel=0.03)
    assert estimate == pytest.approx(z * error)


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
