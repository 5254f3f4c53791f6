"""Mixed models against lme4 and lmerTest, against exact results of balanced designs, and what they can't depend on.

R 4.2.2, lme4 1.1-31, lmerTest 3.1-3; the calls stand beside the values.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.optimize import OptimizeResult

from analysis.engines.mixed import Fit, fit
from analysis.errors import AnalysisError


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


@pytest.fixture(scope="module")
def both() -> Fit:
    """lmer(y ~ 1 + g + (1 | p) + (1 | c))"""
    d = crossed()
    return fit(d.y, np.column_stack([np.ones(len(d)), d.g]), [d.p, d.c])


def test_estimates_and_variances_are_lme4s(both: Fit) -> None:
    """summary(m), VarCorr(m), REMLcrit(m)"""
    assert both.converged
    assert both.beta == pytest.approx([5.239024760466, -0.368980201938], rel=3e-6)
    assert np.sqrt(np.diag(both.covariance)) == pytest.approx([0.178820283218, 0.241811270452], rel=1e-5)
    assert both.sd == pytest.approx([0.529667684852, 0.294097599422], rel=1e-4)
    assert both.residual_sd == pytest.approx(2.334928280732, rel=1e-5)
    assert both.reml == pytest.approx(2549.90390866, rel=1e-9)


@pytest.mark.parametrize(
    ("contrast", "estimate", "df", "t", "p"),
    [
        # lmerTest: contest1D(m, contrast)
        ((0, 1), -0.368980201938, 17.2443728061, -1.52590158948, 0.145166072561),
        ((1, 0), 5.239024760466, 19.66675284034, 29.29770977978, 1.074428217025e-17),
        ((1, 1), 4.870044558528, 18.40782112155, 27.72497386642, 1.804820538502e-16),
        ((1, 0.5), 5.054534659497, 19.88776266637, 38.99936245867, 2.911113262402e-20),
    ],
)
def test_contrasts_are_lmertests(
    both: Fit, contrast: tuple[float, ...], estimate: float, df: float, t: float, p: float
) -> None:
    found = both.test(np.array(contrast))
    assert (found.estimate, found.t) == pytest.approx((estimate, t), rel=1e-5)
    assert found.df == pytest.approx(df, rel=1e-4)
    assert found.p == pytest.approx(p, rel=1e-3, abs=0)
    error = estimate / t
    half = stats.t.ppf(0.975, df) * error
    assert (found.ci_low, found.ci_high) == pytest.approx((estimate - half, estimate + half), rel=1e-4)


def test_directions_of_a_contrast(both: Fit) -> None:
    """Against the other direction is one less; the sign of a contrast turned is the other direction, however strong."""
    c = np.array([0.0, 1.0])
    greater, less, either = (both.test(c, a).p for a in ("greater", "less", "two-sided"))
    assert less == pytest.approx(stats.t.cdf(-1.52590158948, 17.2443728061), rel=1e-4)
    assert greater == pytest.approx(1 - less)
    assert either == pytest.approx(2 * less)
    strong = np.array([1.0, 0.0])
    assert both.test(-strong).p == pytest.approx(both.test(strong).p, rel=1e-9, abs=0)
    assert both.test(-strong, "less").p == pytest.approx(both.test(strong, "greater").p, rel=1e-9, abs=0)
    assert both.test(strong, "less").p == pytest.approx(1.0)


def test_covariance_of_the_deviations_is_lmertests(both: Fit) -> None:
    """m <- as_lmerModLmerTest(m); J %*% m@vcov_varpar %*% t(J), J from (theta, sigma) to deviations."""
    wanted = [
        [0.036396058376573, 0.00229963686702, -0.005816966887929],
        [0.002299636867020, 0.02814517829190, -0.002026179871650],
        [-0.005816966887929, -0.00202617987165, 0.006438578370168],
    ]
    found = both.deviations_covariance()
    assert found is not None
    assert found == pytest.approx(np.array(wanted), rel=2e-3)


def test_one_random_factor_is_lme4s() -> None:
    """lmer(y ~ 1 + (1 | p)): every person gave five answers, so df is people less one."""
    d = crossed()
    alone = fit(d.y, np.ones((len(d), 1)), [d.p])
    one = alone.test(np.ones(1))
    assert (one.estimate, one.t) == pytest.approx((5.05045045045, 45.0000866), rel=1e-5)
    assert one.df == pytest.approx(110, rel=1e-4)
    assert (*alone.sd, alone.residual_sd) == pytest.approx((0.5387308120065, 2.3536439189956), rel=1e-4)
    assert alone.reml == pytest.approx(2552.504901685, rel=1e-9)
    two = fit(d.y, np.ones((len(d), 1)), [d.p, d.c]).test(np.ones(1))
    assert (two.t, two.df) == (pytest.approx(38.4259428936, rel=1e-5), pytest.approx(19.898700631, rel=1e-4))


def test_a_third_factor_without_variance_changes_nothing_as_in_lme4() -> None:
    """d$h <- d$c %% 5; lmer(y ~ 1 + g + (1 | p) + (1 | c) + (1 | h)): singular, sd of h is 0."""
    d = crossed()
    found = fit(d.y, np.column_stack([np.ones(len(d)), d.g]), [d.p, d.c, d.c % 5])
    assert found.sd == pytest.approx((0.5296641826091, 0.2941015655305, 0.0), rel=1e-3, abs=2e-3)
    assert found.reml == pytest.approx(2549.903908655, rel=1e-9)
    assert found.converged
    c = found.test(np.array([0.0, 1.0]))
    assert (c.t, c.df) == pytest.approx((-1.525899381265, 17.24432582813), rel=1e-3)
    covariance = found.deviations_covariance()
    assert covariance is not None
    if found.sd[2] == 0:
        assert not covariance[2].any()
        assert not covariance[:, 2].any()


def test_no_random_factor_is_least_squares() -> None:
    """summary(lm(y ~ g)), confint"""
    d = crossed()
    found = fit(d.y, np.column_stack([np.ones(len(d)), d.g]), [])
    assert found.converged
    assert found.sd == ()
    assert found.residual_sd == pytest.approx(2.409400764835, rel=1e-9)
    slope = found.test(np.array([0.0, 1.0]))
    assert (slope.estimate, slope.t) == pytest.approx((-0.3633528265107, -1.775731584959), rel=1e-9)
    assert slope.df == pytest.approx(len(d) - 2, rel=1e-4)
    assert slope.p == pytest.approx(7.632702313502e-02, rel=1e-5)
    assert (slope.ci_low, slope.ci_high) == pytest.approx((-0.7652832407238, 0.03857758770234), rel=1e-5)


def balanced(people: int, answers: int, sd: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    who = np.repeat(np.arange(people), answers)
    return who, rng.normal(1, 1, people * answers) + rng.normal(0, sd, people)[who]


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000), st.integers(5, 20), st.integers(2, 6))
def test_a_balanced_study_is_the_t_test_of_peoples_means(seed: int, people: int, answers: int) -> None:
    """Exact: equal numbers of answers make REML the analysis of variance's estimate and the test that of the means."""
    who, y = balanced(people, answers, 1.5, seed)
    means = y.reshape(people, answers).mean(axis=1)
    within = y.reshape(people, answers).var(axis=1, ddof=1).mean()
    between = means.var(ddof=1) - within / answers
    if between < 0.05:
        return  # the boundary: see the next test
    found = fit(y, np.ones((len(y), 1)), [who])
    assert found.sd[0] ** 2 == pytest.approx(between, rel=1e-3)
    assert found.residual_sd**2 == pytest.approx(within, rel=1e-4)
    for alternative in ("two-sided", "greater", "less"):
        mine, theirs = found.test(np.ones(1), alternative), stats.ttest_1samp(means, 0, alternative=alternative)
        assert mine.t == pytest.approx(theirs.statistic, rel=1e-4)
        assert mine.p == pytest.approx(theirs.pvalue, rel=5e-3, abs=1e-9)
    assert found.test(np.ones(1)).df == pytest.approx(people - 1, rel=1e-3)


def test_people_more_alike_than_chance_lie_on_the_boundary() -> None:
    """Everybody's answers have the same mean: no variance of people, so it is the t-test of all answers."""
    rng = np.random.default_rng(3)
    y = rng.normal(0.4, 1, (30, 4))
    y = (y - y.mean(axis=1, keepdims=True) + 0.3).ravel()
    found = fit(y, np.ones((120, 1)), [np.repeat(np.arange(30), 4)])
    assert found.sd == (0.0,)
    assert found.converged
    c = found.test(np.ones(1))
    plain = stats.ttest_1samp(y, 0)
    assert (c.t, c.p) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-3)
    assert c.df == pytest.approx(119, rel=1e-3)


def test_what_a_fit_depends_on(both: Fit) -> None:
    """Stretching, shifting, other names, other rows, factors in another order: the same test."""
    d = crossed()
    c = np.array([0.0, 1.0])
    x = np.column_stack([np.ones(len(d)), d.g])
    mine = both.test(c)
    stretched = fit(3 * d.y - 7, x, [d.p, d.c])
    assert stretched.beta == pytest.approx([3 * both.beta[0] - 7, 3 * both.beta[1]], rel=1e-5)
    assert (*stretched.sd, stretched.residual_sd) == pytest.approx(
        tuple(3 * s for s in (*both.sd, both.residual_sd)), rel=1e-3
    )
    order = np.random.default_rng(0).permutation(len(d))
    names = np.array([f"{'zyx'[p % 3]}{p}" for p in d.p])
    for other in (
        stretched, fit(d.y[order], x[order], [d.p[order], d.c[order]]), fit(d.y, x, [names, d.c]), fit(d.y, x, [d.c, d.p])
    ):  # fmt: skip
        theirs = other.test(c)
        assert (theirs.t, theirs.p) == pytest.approx((mine.t, mine.p), rel=1e-3)
        assert theirs.df == pytest.approx(mine.df, rel=1e-3)
    assert fit(d.y, x, [d.c, d.p]).sd == pytest.approx(both.sd[::-1], rel=1e-3)


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
    for seed in range(20):
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
        (np.arange(2.0), np.ones((2, 1)), np.arange(2) % 2, "more of them than unknowns"),
        (np.arange(10.0), np.ones((10, 2)), np.arange(10) % 3, "depend"),
        (np.arange(10.0), np.ones((10, 1)), np.zeros(10), "random effect 1 .* 1 levels in 10"),
        (np.arange(10.0), np.ones((10, 1)), np.arange(10), "10 levels"),
        (np.array([np.nan, *range(9)]), np.ones((10, 1)), np.arange(10) % 3, "missing"),
        (np.arange(10.0), np.array([[np.inf], *[[1.0]] * 9]), np.arange(10) % 3, "missing"),
    ],
)
def test_what_cannot_be_fitted_is_said(y: np.ndarray, x: np.ndarray, factor: np.ndarray, words: str) -> None:
    with pytest.raises(AnalysisError, match=words):
        fit(y, x, [factor])


def test_as_few_answers_as_can_be_fitted() -> None:
    assert fit(np.array([1.0, 2, 4]), np.ones((3, 1)), [[1, 1, 2]]).beta == pytest.approx([2.33], abs=0.7)


def test_a_search_that_was_cut_short_does_not_count_as_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scipy.optimize.minimize", lambda f, x0, **_: OptimizeResult(x=x0, fun=f(x0)))
    d = crossed()
    assert not fit(d.y, np.ones((len(d), 1)), [d.p, d.c]).converged
