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

from analysis.engines import search
from analysis.engines.mixed import Fit, fit, fit_many
from analysis.errors import AnalysisError
from benchmarks.mixed import ours, study


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


@settings(max_examples=15)
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
    monkeypatch.setattr(search, "_shortened", lambda design, at, t, *_: t.copy())
    d = crossed()
    found = fit(d.y, np.ones((len(d), 1)), [d.p, d.c])
    assert not found.converged
    assert found.state == "not converged"


def test_answers_without_anything_but_clips_run_into_the_bound_and_say_so() -> None:
    """No residual is left: the relative deviation has no upper end."""
    clips = np.repeat(np.arange(6), 5)
    y = np.array([1.0, 4.0, 2.0, 7.0, 3.0, 5.0])[clips] + 1e-4 * np.sin(np.arange(30))
    assert fit(y, np.ones((30, 1)), [clips]).state == "not converged"


# 40 people, bitter: who answered, which of five clips, the score less the middle.
WHO = [0, 0, 1, 2, 3, 3, 4, 5, 6, 7, 8, 9, 9, 10, 11, 12, 13, 14, 15, 16, 17, 17, 18, 19, 20, 20, 21, 22, 23, 24, 25, 26, 27, 28,
       29, 29, 30, 31, 32, 33, 33, 34, 34, 35, 35, 36, 37, 38, 39]  # fmt: skip
CLIP = list("bdbedebcabecccdaccecbdaedceaebaccccdecdabcaeecacc")
SCORE = np.array([4, 6, 3, 7, 9, 9, 6, 5, 4, 10, 3, 5, 7, 3, 8, 10, 3, 5, 4, 6, 3, 5, 10, 3, 7, 7, 7, 5, 7, 4, 7, 2, 5, 3, 8, 5,
                  7, 5, 7, 6, 5, 8, 8, 2, 6, 10, 5, 4, 3]) - 5  # fmt: skip


def test_a_small_variance_of_clips_is_not_taken_for_none() -> None:
    """lmer(y ~ 1 + (1 | participant) + (1 | clip)), bobyqa with rhoend = 1e-10. In the relative deviations zero is always
    stationary: a search may stop there with df 36.7 and p .028, and call itself converged."""
    found = fit(SCORE, np.ones((49, 1)), {"people": WHO, "clips": CLIP})
    assert (*found.sd, found.residual_sd) == pytest.approx((1.6517242935, 0.1978768713, 1.5138369839), rel=1e-6)
    assert found.reml <= 214.588709178 + 1e-6
    assert found.state == "ok"
    c = found.test(np.ones(1), "greater")
    assert (c.estimate, c.error, c.df) == pytest.approx((0.68970301614, 0.356008270741, 5.86679306168), rel=1e-6)
    assert c.p == pytest.approx(0.101911877523 / 2, rel=1e-6)


def strong() -> pd.DataFrame:
    return study(np.random.default_rng([9, 0]), clip_sd=2.0)


def test_people_are_not_lost_beside_strong_clips() -> None:
    """lmer(y ~ 0 + taste + (1 | participant) + (1 | first)): one of the fits that ended at people 0, 4.5 over R's criterion."""
    d = strong()
    x = np.column_stack([d.taste == t for t in ("bitter", "salty", "sour", "sweet")]).astype(float)
    found = fit(d.y, x, {"people": d.participant, "clips": d["first"]})
    assert (*found.sd, found.residual_sd) == pytest.approx((0.6030740817, 2.7189196357, 1.8318692784), rel=1e-6)
    assert found.reml == pytest.approx(1295.8972982810367, abs=1e-6)
    c = found.test(np.array([0, 1.0, 0, 0]))
    assert (c.estimate, c.error, c.df, c.p) == pytest.approx(
        (-1.3066926606850475, 1.2374385257445182, 16.08552064694609, 0.306586413027808), rel=1e-6
    )


def test_clips_inside_the_fixed_effects_are_left_out_and_said() -> None:
    """One clip a taste: its variance has no likelihood. lmer(y ~ 0 + taste + (1 | participant)) is what is left."""
    d = strong()
    x = np.column_stack([d.taste == t for t in ("bitter", "salty", "sour", "sweet")]).astype(float)
    found = fit(d.y, x, {"people": d.participant, "clips": d.taste + "-0"})
    alone = fit(d.y, x, {"people": d.participant})
    assert found.state == "confounded: clips"
    assert alone.state == "ok"
    assert np.isnan(found.sd[1])
    assert (found.sd[0], found.residual_sd, found.reml) == (alone.sd[0], alone.residual_sd, alone.reml)
    assert found.test(np.eye(4)[0]) == alone.test(np.eye(4)[0])
    # It is the space that counts, not the number of levels: five clips whose tastes are four and one by one.
    nested = np.where(d.taste == "sweet", d["first"], d.taste)
    assert fit(d.y, x, {"people": d.participant, "clips": nested}).state in ("ok", "singular: clips")
    slopes = np.column_stack([x, *(d["first"] == c for c in sorted(set(d["first"][d.taste == "sweet"]))[1:])]).astype(
        float
    )
    assert fit(d.y, slopes, {"people": d.participant, "clips": nested}).state == "confounded: clips"
    assert fit(d.y, x, {"clips": np.zeros(len(d)), "people": d.participant}).state == "confounded: clips"


def test_what_parts_the_answers_as_another_factor_or_the_residual_is_one_with_it() -> None:
    d = strong()
    x = np.ones((len(d), 1))
    found = fit(d.y, x, {"people": d.participant, "first": d["first"], "second": d["second"]})
    assert found.merged == ("second",)
    assert found.state == "ok"
    assert found.test(np.ones(1)) == fit(d.y, x, [d.participant, d["first"]]).test(np.ones(1))
    single = fit(d.y, x, {"answers": np.arange(len(d)), "clips": d["first"]})
    assert single.merged == ("answers",)
    assert single.state == "ok"
    assert single.reml == fit(d.y, x, {"clips": d["first"]}).reml


@pytest.mark.parametrize("ratio", [1.001, 1.05, 1.5, 30.0])
def test_a_variance_next_to_none_is_the_analysis_of_variances(ratio: float) -> None:
    """Balanced: its ratio to the residual's is (MSB / MSW - 1) / m exactly, down to where lme4 would call it singular."""
    y = np.random.default_rng(8).normal(size=(30, 4))
    means = y.mean(axis=1, keepdims=True)
    within = y - means
    spread = 4 * means.var(ddof=1) / (within.var() * 120 / 90)
    y = within + (means - means.mean()) * np.sqrt(ratio / spread) + 0.3
    found = fit(y.ravel(), np.ones((120, 1)), [np.repeat(np.arange(30), 4)])
    assert (found.sd[0] / found.residual_sd) ** 2 == pytest.approx((ratio - 1) / 4, rel=1e-4)
    assert found.state == "ok"


def test_singular_factors_are_named() -> None:
    rng = np.random.default_rng(3)
    y = rng.normal(0.4, 1, (30, 4))
    y = (y - y.mean(axis=1, keepdims=True) + 0.3).ravel()
    factors = {"people": np.repeat(np.arange(30), 4), "clips": np.tile(np.arange(4), 30)}
    assert fit(y, np.ones((120, 1)), factors).state.startswith("singular: people")


def test_studies_of_one_design_are_fitted_together_as_alone() -> None:
    d = crossed()
    x = np.column_stack([np.ones(len(d)), d.g])
    rng = np.random.default_rng(5)
    y = np.column_stack(
        [rng.permutation(d.y) + 3 * u * (np.asarray(d.c) % 3) for u in range(4)] + [np.full(len(d), 3.0)]
    )
    many = fit_many(y, x, {"people": d.p, "clips": d.c})
    estimate, error, df = many.test(np.array([[0, 1.0], [1, 0]]))
    assert many.states[4] == "too few"
    for k in range(4):
        alone = fit(y[:, k], x, {"people": d.p, "clips": d.c})
        assert alone.state == many.states[k]
        c = alone.test(np.array([0, 1.0]))
        assert (estimate[k, 0], error[k, 0], df[k, 0]) == pytest.approx((c.estimate, c.error, c.df), rel=1e-6)
        assert many.reml[k] == pytest.approx(alone.reml, abs=1e-9)


def test_a_boundary_avoiding_fit_is_chungs() -> None:
    """One factor, balanced, people more alike than chance: REML is at zero. With S the sums of squares between (n - 1 = 29 df) and within
    (90 df) the penalised criterion is 29 log(1 + 4g) + 119 log(SB / (1 + 4g) + SW) - 1.5 log g; its minimum by R's optimize."""
    rng = np.random.default_rng(3)
    y = rng.normal(0.4, 1, (30, 4))
    means = y.mean(axis=1, keepdims=True)
    y = (y - means + 0.4 * (means - means.mean()) + 0.3).ravel()
    who = np.repeat(np.arange(30), 4)
    assert fit(y, np.ones((120, 1)), [who]).sd == (0.0,)
    table = y.reshape(30, 4)
    between = 4 * ((table.mean(axis=1) - y.mean()) ** 2).sum()
    within = ((table - table.mean(axis=1, keepdims=True)) ** 2).sum()
    g = np.exp(np.linspace(-9, 2, 200_001))
    value = 29 * np.log(1 + 4 * g) + 119 * np.log(between / (1 + 4 * g) + within) - 1.5 * np.log(g)
    found = fit(y, np.ones((120, 1)), [who], penalty=1.5)
    assert (found.sd[0] / found.residual_sd) ** 2 == pytest.approx(g[np.argmin(value)], rel=1e-3)
    assert found.state == "ok"
    plain, careful = fit(y, np.ones((120, 1)), [who]).test(np.ones(1)), found.test(np.ones(1))
    assert careful.estimate == pytest.approx(plain.estimate)
    assert careful.error > plain.error
    assert careful.df < plain.df


def test_weights_of_plus_and_minus_one_are_lme4s_with_its_zt_set_by_hand() -> None:
    """benchmarks.mixed, three conditions, seed 3: Zt of clips is +1 for the first clip, -1 for the second; lmerTest's contest1D."""
    d = study(np.random.default_rng([7, 3]), conditions=3)
    found = ours(d)
    assert found["reml"] == pytest.approx(1347.6753109352674, abs=1e-6)
    assert found["sd"] == pytest.approx([0.0, 0.5477186814153613, 2.26573131860399], rel=1e-5, abs=1e-5)
    assert found["tests"][[0, 5]] == pytest.approx(
        np.array(
            [
                [-1.13651944177, 0.556651578612, 41.3207683201, 0.0475994384583, -2.26043514236, -0.0126037411788],
                [-0.0714117165758, 0.526646322584, 34.6722525231, 0.89292399014, -1.14092198233, 0.998098549179],
            ]
        ),
        rel=1e-5,
    )


def test_weights_that_are_turned_are_the_same_variance() -> None:
    """Z Z' is all that the model knows of a factor: Z times an orthogonal matrix (here without a zero), or beside empty columns, is Z."""
    rng = np.random.default_rng(5)
    people, clips = np.repeat(np.arange(20), 8), np.tile(np.arange(4), 40)
    y = rng.normal(0, 1, 20)[people] + rng.normal(0, 1, 4)[clips] + rng.normal(0, 1, 160)
    weights = np.eye(4)[clips]
    turn = np.array([[1, 1, 1, 1], [1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]) / 2
    wanted = fit(y, np.ones((160, 1)), {"people": people, "clips": clips})
    assert min(wanted.sd) > 0.1
    for turned in (weights, weights @ turn, np.column_stack([np.zeros(160), weights])):
        found = fit(y, np.ones((160, 1)), {"people": people, "clips": turned})
        assert (found.state, found.sd) == (wanted.state, pytest.approx(wanted.sd, rel=1e-5))
        assert found.covariance == pytest.approx(wanted.covariance, rel=1e-5)


def test_a_search_that_ends_beside_zero_has_ended() -> None:
    """Five variances, some of them estimated as zero: one fit in fifteen stopped a rounding error above zero and counted as none."""
    rng = np.random.default_rng(8)
    people, clip = np.repeat(np.arange(60), 8), np.tile(np.arange(20), 24)
    taste = clip // 5
    factors = {"people": people} | {f"clips {t}": np.eye(20)[clip] * (taste == t)[:, None] for t in range(4)}
    y = (0.8 * rng.normal(size=(20, 200)))[clip] + 2.2 * rng.normal(size=(480, 200))
    found = fit_many(y, np.eye(4)[taste], factors)
    assert (found.sd == 0).any(axis=1).mean() > 0.3
    assert found.converged.all()
    assert all(s == "ok" or s.startswith("singular") for s in found.states)
