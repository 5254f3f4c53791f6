"""Variances by group against lme4 and nlme."""

from __future__ import annotations

import numpy as np
import pytest

from analysis.engines.spread import of_factor, of_residual
from benchmarks.mixed import study

D = study(np.random.default_rng([5, 5]), people=111)
TASTE = D.taste.to_numpy(str)
Y = D.y.to_numpy() * np.where(TASTE == "sweet", 1.6, 1.0)
X = np.column_stack([t == TASTE for t in sorted(set(TASTE))]).astype(float)
FACTORS = {"people": D.participant.to_numpy(), "pair": D["first"].to_numpy()}


def test_clips_by_taste_are_lme4s() -> None:
    """m0 <- lmer(y ~ 0 + taste + (1 | participant) + (1 | first)); m1 with (0 + dummy(taste, "bitter") | first) and so on, four times;
    bobyqa, rhoend = 1e-10: REMLcrit 2591.035194 and 2576.706962."""
    found = of_factor(Y, X, FACTORS, "pair", TASTE)
    assert found is not None
    assert found.groups == ("bitter", "salty", "sour", "sweet")
    assert found.each == pytest.approx((0.12599616, 0.74635564, 0.0, 2.3343519), abs=2e-6)
    assert found.common == pytest.approx(1.2438654, rel=1e-6)
    assert found.chi_squared == pytest.approx(14.32823221, abs=1e-6)
    assert (found.df, found.p) == (3, pytest.approx(0.0024907684, rel=1e-6))


def test_residuals_by_taste_are_nlmes() -> None:
    """n0 <- lme(y ~ 0 + taste, random = list(one = pdBlocked(list(pdIdent(~participant - 1), pdIdent(~first - 1)))));
    n1 <- update(n0, weights = varIdent(form = ~1 | taste)): -2 logLik 2591.035194 and 2557.751729."""
    found = of_residual(Y, X, FACTORS, TASTE)
    assert found is not None
    assert found.chi_squared == pytest.approx(2591.035194 - 2557.751729, abs=2e-5)
    assert found.each[1:] == pytest.approx((2.0078115, 2.1487718, 3.1007647), rel=1e-4)
    assert found.each[0] == pytest.approx(2.0539481, rel=1e-4)
    assert found.df == 3
    assert found.p < 1e-6


def test_what_a_group_cannot_tell_is_not_tested() -> None:
    alone = np.where(TASTE == "sweet", "sweet-0", FACTORS["pair"])  # one clip of sweet
    assert of_factor(Y, X, FACTORS | {"pair": alone}, "pair", TASTE) is None
    few = np.where(np.arange(len(Y)) < 3, "a", "b")
    assert of_residual(Y, X, FACTORS, few) is None
    assert of_residual(Y, X, FACTORS, np.full(len(Y), "a")) is None


def test_residuals_that_can_be_fitted_to_the_point_are_not_compared() -> None:
    """Five people, hardly more answers than clips: the residual of a taste goes to nothing, and no number of it is told."""
    from analysis.config import AnalysisConfig
    from analysis.preference.robust import preference
    from benchmarks.grid import made, unsaid

    found = preference(made(5, 13, 2).preference, 5.0, AnalysisConfig(resamples=100))
    assert unsaid({"variances": found["variances"]}) == []
    assert all(np.isfinite([r["sd"], r["p"], r["chi_squared"]]).all() for r in found["variances"])


def test_clips_that_are_the_only_thing_that_varies_are_compared_too() -> None:
    """Nobody answers twice: m0 <- lmer(y ~ 0 + taste + (1 | first)), m1 with a variance a taste; as above."""
    found = of_factor(Y, X, {"pair": FACTORS["pair"]}, "pair", TASTE)
    assert found is not None
    assert found.groups == ("bitter", "salty", "sour", "sweet")
    assert found.each == pytest.approx((0.10648168, 0.76634262, 0.0, 2.2815012), abs=2e-6)
    assert found.common == pytest.approx(1.2196446, rel=1e-6)
    assert found.chi_squared == pytest.approx(2593.6270994 - 2579.5913766, abs=1e-6)
