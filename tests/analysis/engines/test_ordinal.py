"""Cumulative link mixed models against R's ordinal, MASS and lme4, and what they can't depend on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from scipy.optimize import OptimizeResult

from analysis.engines.ordinal import OrdinalFit, _Ordinal, fit_ordinal
from analysis.errors import AnalysisError


def ordered() -> pd.DataFrame:
    """60 people, 15 clips, 4 answers each of five ordered steps: the data of the R figures below."""
    rng = np.random.default_rng(2)
    people, clips = rng.normal(0, 0.8, 60), rng.normal(0, 0.5, 15)
    rows = []
    for i in range(60):
        for _ in range(4):
            c = int(rng.integers(15))
            z = 0.9 * (c % 3 == 1) - 0.4 * (c % 3 == 2) + people[i] + clips[c] + rng.logistic()
            rows.append((i, c, c % 3, int(np.searchsorted([-1.5, -0.3, 0.9, 2.2], z)) + 1))
    return pd.DataFrame(rows, columns=["p", "c", "g", "y"])


DATA = ordered()
X = np.column_stack([DATA.g == 1, DATA.g == 2]).astype(float)


@pytest.fixture(scope="module")
def both() -> OrdinalFit:
    return fit_ordinal(DATA.y, X, [DATA.p, DATA.c])


def test_ordered_answers_are_clmms(both: OrdinalFit) -> None:
    """R's ordinal 2022.11-16: m <- clmm(y ~ a + b + (1 | p) + (1 | c)), a: g == 1, b: g == 2; coefficients, logLik, ST, vcov."""
    assert both.converged
    assert both.beta == pytest.approx([1.1844103757, -0.5386761434], abs=2e-5)
    assert both.thresholds == pytest.approx([-1.2182313188, -0.2700379998, 1.0731020905, 2.2376864130], abs=2e-5)
    assert both.sd == pytest.approx([0.76631143, 0.25404211], abs=1e-4)
    assert both.log_likelihood == pytest.approx(-364.33704445, abs=1e-5)
    covariance = np.array([[0.14091135910740, 0.05155107930869], [0.05155107930869, 0.11713649186175]])
    assert both.covariance[:2, :2] == pytest.approx(covariance, rel=6e-3)
    estimate, error, z, p = both.test(np.array([1.0, 0.0]))
    assert error == pytest.approx(0.3753815148, rel=3e-3)
    assert z == pytest.approx(3.155217636, rel=3e-3)
    assert p == pytest.approx(0.001603784225, rel=0.03)
    assert estimate == pytest.approx(z * error)
    assert both.test(np.array([0.0, 1.0]))[3] == pytest.approx(0.1155067900074, rel=0.01)


@pytest.mark.parametrize("sizes", [(), (30,), (40, 8), (8, 40), (20, 10, 5)], ids=str)
def test_the_slopes_are_those_of_the_deviance(sizes: tuple[int, ...]) -> None:
    """By central differences, at a place that is no optimum; thresholds far from the answers, deviations small and large."""
    rng = np.random.default_rng(len(sizes))
    n = 300
    x = rng.normal(size=(n, 2))
    factors = [np.concatenate([np.arange(m), rng.integers(0, m, n - m)]) for m in sizes]
    eta = x @ [0.5, -0.3] + sum((0.8 * rng.normal(size=m))[f] for m, f in zip(sizes, factors, strict=True))
    y = np.digitize(eta + rng.logistic(size=n), [-1.5, -0.5, 0.5, 1.5])
    model = _Ordinal(y, x, factors)
    for sds in (0.6, 0.05, 3.0):
        at = np.array([0.3, -0.2, -2.2, 0.0, -0.1, 0.3, *np.log(sds) + 0.2 * rng.normal(size=len(sizes))])
        value, slopes = model.slopes(at)
        assert value == pytest.approx(model.deviance(at), rel=1e-12)
        each = [(model.deviance(at + d) - model.deviance(at - d)) / 2e-5 for d in 1e-5 * np.eye(len(at))]
        assert slopes == pytest.approx(each, abs=2e-5 * np.abs(each).max())


def test_contrasts_and_their_directions(both: OrdinalFit) -> None:
    c = np.array([0.5, 0.5])
    estimate, error, z, either = both.test(c)
    assert estimate == pytest.approx((1.1844103757 - 0.5386761434) / 2, abs=2e-5)
    assert error**2 == pytest.approx((0.14091135910740 + 0.11713649186175 + 2 * 0.05155107930869) / 4, rel=6e-3)
    assert either == pytest.approx(2 * stats.norm.sf(abs(z)))
    assert both.test(c, "greater")[3] == pytest.approx(stats.norm.sf(z))
    assert both.test(c, "less")[3] == pytest.approx(stats.norm.cdf(z))
    strong = np.array([40.0, -40.0])
    far = OrdinalFit(both.beta, both.covariance / 9, both.thresholds, both.sd, 0.0, True)
    assert far.test(-strong)[3] == pytest.approx(far.test(strong)[3], rel=1e-9, abs=0)
    assert 0 < far.test(-strong)[3] < 1e-20


def test_one_random_factor_is_clmms() -> None:
    """clmm(y ~ a + b + (1 | p), control = clmm.control(gradTol = 1e-8)); with its default the inner search ends early."""
    found = fit_ordinal(DATA.y, X, [DATA.p])
    assert found.beta == pytest.approx([1.1092462577141, -0.5381155179461], abs=2e-5)
    assert found.thresholds == pytest.approx(
        [-1.2162682958087, -0.2791047344341, 1.0454676711824, 2.1938328921611], abs=2e-5
    )
    assert found.sd == pytest.approx([0.7521105074436], abs=1e-4)
    assert found.log_likelihood == pytest.approx(-364.541444915, abs=1e-5)
    assert np.sqrt(np.diag(found.covariance)[:2]) == pytest.approx([0.3146635515261, 0.2995264629253], rel=5e-3)


def test_no_random_factor_is_polr() -> None:
    """MASS 7.3-58: p <- polr(factor(y) ~ a + b, Hess = TRUE); coef(summary(p)), logLik(p), vcov(p)"""
    found = fit_ordinal(DATA.y, X, [])
    assert found.converged
    assert found.sd == ()
    assert found.beta == pytest.approx([0.9695028442246, -0.5214921788643], abs=1e-4)
    assert found.thresholds == pytest.approx(
        [-1.1211017400697, -0.2906378365572, 0.8925362198484, 1.9484581741564], abs=1e-4
    )
    assert found.log_likelihood == pytest.approx(-367.8910177823, abs=1e-6)
    covariance = np.array([[0.08099539274546, 0.03283773456108], [0.03283773456108, 0.07836953994325]])
    assert found.covariance[:2, :2] == pytest.approx(covariance, rel=2e-3)


def test_two_steps_are_a_logistic_mixed_model() -> None:
    """lme4: glmer(y >= 3 ~ a + b + (1 | p) + (1 | c), family = binomial); the clips' variance is 0 (singular)."""
    found = fit_ordinal(DATA.y >= 3, X, [DATA.p, DATA.c])
    assert -found.thresholds[0] == pytest.approx(0.3339137184695, abs=1e-3)
    assert found.beta == pytest.approx([1.0540047786135, -0.5755599819093], abs=1e-3)
    assert found.sd[0] == pytest.approx(0.7649007805536, abs=2e-3)
    assert found.sd[1] == 0
    assert found.state == "singular: factor 2"
    assert found.log_likelihood == pytest.approx(-151.3931339218, abs=1e-3)


def test_only_the_order_counts(both: OrdinalFit) -> None:
    """Other numbers in the same order, other rows, other names, factors in another order: the same model."""
    order = np.random.default_rng(0).permutation(len(DATA))
    d = DATA.iloc[order]
    names = np.array([f"{'ba'[p % 2]}{p}" for p in d.p])
    other = fit_ordinal(d.y**2 + 3, X[order], [d.c, names])
    assert other.beta == pytest.approx(both.beta, abs=1e-4)
    assert other.thresholds == pytest.approx(both.thresholds, abs=1e-4)
    assert other.sd == pytest.approx(both.sd[::-1], abs=1e-3)
    assert other.log_likelihood == pytest.approx(both.log_likelihood, abs=1e-6)


def test_the_turned_scale_turns_the_effects(both: OrdinalFit) -> None:
    turned = fit_ordinal(6 - DATA.y, X, [DATA.p, DATA.c])
    assert turned.beta == pytest.approx(-both.beta, abs=1e-4)
    assert turned.thresholds == pytest.approx(-both.thresholds[::-1], abs=1e-4)
    assert turned.log_likelihood == pytest.approx(both.log_likelihood, abs=1e-6)


def test_a_factor_inside_the_effects_is_left_out_and_said(both: OrdinalFit) -> None:
    """Three clips, one a value of g: their variance has no likelihood beside the effects of g."""
    found = fit_ordinal(DATA.y, X, {"people": DATA.p, "clips": DATA.g})
    alone = fit_ordinal(DATA.y, X, {"people": DATA.p})
    assert (both.state, alone.state, found.state) == ("ok", "ok", "confounded: clips")
    assert np.isnan(found.sd[1])
    assert (found.log_likelihood, found.sd[0]) == (alone.log_likelihood, alone.sd[0])
    assert (found.beta == alone.beta).all()
    with pytest.raises(AnalysisError, match="depend on each other"):
        fit_ordinal(DATA.y, np.column_stack([X, DATA.g == 0]), {"people": DATA.p})


def test_a_search_that_ends_at_no_variance_is_not_believed(monkeypatch: pytest.MonkeyPatch, both: OrdinalFit) -> None:
    """The first search is put where the likelihood is flat, at next to no variance of clips: the fit is R's all the same."""
    from scipy.optimize import minimize

    searches = []

    def lost(f, x0, **given):
        searches.append(x0)
        if len(searches) > 1:
            return minimize(f, x0, **given)
        x = np.append(minimize(f, x0, **given).x[:-1], -5.5)
        return OptimizeResult(x=x, fun=f(x)[0])

    monkeypatch.setattr("scipy.optimize.minimize", lost)
    found = fit_ordinal(DATA.y, X, {"people": DATA.p, "clips": DATA.c})
    assert len(searches) == 2
    assert found.sd == pytest.approx([0.76631143, 0.25404211], abs=1e-4)
    assert found.state == "ok"


@pytest.mark.parametrize(
    "y", [np.full(240, 3.0), np.array([1.0, 2, 3, 4, 5])], ids=["all the same", "fewer answers than unknowns"]
)
def test_what_cannot_be_fitted_is_said(y: np.ndarray) -> None:
    n = len(y)
    with pytest.raises(AnalysisError, match="answers that vary, and more of them than unknowns"):
        fit_ordinal(y, X[:n], [DATA.p[:n]])


@pytest.mark.parametrize("people", [60, 12])
@pytest.mark.parametrize("end", [1, 5])
@pytest.mark.parametrize("factors", ["pc", "p", ""], ids=str)
def test_an_effect_without_an_end_is_no_estimate(end: int, factors: str, people: int) -> None:
    """All answers to one of three lie at an end: R's clm and clmm give 20 to 30 with errors of thousands, and warn."""
    data = DATA[DATA.p < people]
    x, groups = X[data.index], [data[f] for f in factors]
    assert fit_ordinal(data.y, x, groups).converged
    fit = fit_ordinal(np.where(data.g == 2, end, data.y), x, groups)
    assert not fit.converged
    assert fit.state == "not converged"
    # What is measured in other units is as sure as it was.
    assert fit_ordinal(data.y, x * 1e-4, groups).converged


def test_a_search_that_was_cut_short_does_not_count_as_converged(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search stays where it began, and Newton's steps after it are next to nothing."""
    monkeypatch.setattr("scipy.optimize.minimize", lambda f, x0, **_: OptimizeResult(x=x0, fun=f(x0)[0]))
    monkeypatch.setattr("analysis.engines.ordinal._hessian", lambda f, at, free: 1e9 * np.eye(len(free)))
    assert not fit_ordinal(DATA.y, X, [DATA.p]).converged
