"""Measurement invariance: lavaan's values, the gradient, and steps that hold or break where they should.

Expected values: R 4.2.2 with lavaan 0.6.14, tests/golden/likert.R on tests/golden/likert.csv.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.factors import invariance
from analysis.factors.extraction import extract
from analysis.factors.invariance import GroupFit, fit_groups

DATA = pd.read_csv(Path(__file__).parents[2] / "golden" / "likert.csv")
ITEMS = tuple(DATA.columns[:9])
X = DATA[list(ITEMS)].to_numpy(float)
R = np.corrcoef(X, rowvar=False)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


# lavaan: cfa(model, group = "group", group.equal = ...): chi-square, df, p, CFI, RMSEA
LAVAAN = {
    "configural": (73.42628073, 48, 0.01053892472, 0.97323492776, 0.05942581829),
    "metric": (74.87727946344, 54, 0.03154178910, 0.97802345145, 0.05076851297),
    "scalar": (100.1816728, 60, 8.806160610e-04, 0.9577026076, 0.06681788913),
}


@pytest.mark.parametrize("step", LAVAAN)
def test_invariance_equals_lavaan(step: str) -> None:
    found = fit_groups(X, DATA["group"].to_numpy(), np.repeat([0, 1, 2], 3), step)
    chi, df, p, cfi, rmsea = LAVAAN[step]
    assert found.converged
    assert found.df == df
    assert found.chi_square == pytest.approx(chi, rel=1e-6)
    assert found.p == pytest.approx(p, rel=1e-4)
    assert found.cfi == pytest.approx(cfi, rel=1e-5)
    assert found.rmsea == pytest.approx(rmsea, rel=1e-5)


def test_a_moved_intercept_breaks_the_scalar_step_alone() -> None:
    """In likert.csv group b answers item b higher, at the same latent value: the R figures above say the same."""
    side = DATA["group"].to_numpy()
    loadings = extract(R, ITEMS, 3).loadings
    rows = invariance.analyse(X, np.arange(300), dict(enumerate(side)), loadings, 39, np.random.default_rng(0))
    assert [r["holds"] for r in rows] == [True, True, False]
    assert rows[2]["p_permutation"] < 0.05 < rows[1]["p_permutation"]


def test_a_small_group_is_named() -> None:
    side = np.where(np.arange(300) < 8, "a", "b")
    with pytest.raises(AnalysisError, match="8 rows"):
        fit_groups(X, side, np.repeat([0, 1, 2], 3), "configural")


def test_groups_in_any_order_and_items_in_any_order_fit_alike() -> None:
    side, of_item = DATA["group"].to_numpy(), np.repeat([0, 1, 2], 3)
    one = fit_groups(X, side, of_item, "scalar")
    order = np.array([0, 3, 6, 1, 4, 7, 2, 5, 8])
    for other in (
        fit_groups(X, np.where(side == "a", "z", "b"), of_item, "scalar"),
        fit_groups(X[:, order], side, of_item[order], "scalar"),
        fit_groups(X * 2 + 1, side, of_item, "scalar"),
    ):
        assert (other.chi_square, other.df, other.cfi) == pytest.approx((one.chi_square, one.df, one.cfi), rel=1e-4)


@pytest.mark.parametrize("step", invariance.STEPS)
def test_gradient_is_that_of_differences(step: str) -> None:
    side = np.where(np.arange(300) % 3 == 0, "a", "b")
    groups = invariance._groups(X[:, :6], side)
    layout = invariance._Layout(np.array([0, 0, 0, 1, 1, 1]), 2, step)
    theta = layout.start(groups) + np.random.default_rng(0).normal(0, 0.1, layout.size)
    value, gradient = layout.objective(theta, groups)
    assert np.isfinite(value)
    for i in range(layout.size):
        move = np.eye(layout.size)[i] * 1e-5
        slope = (layout.objective(theta + move, groups)[0] - layout.objective(theta - move, groups)[0]) / 2e-5
        assert gradient[i] == pytest.approx(slope, rel=1e-4, abs=1e-7)


def test_what_can_not_be_fitted_is_named() -> None:
    x = X[:40].copy()
    x[:20, 2] = 3
    with pytest.raises(AnalysisError, match="never varies"):
        fit_groups(x, np.repeat(["a", "b"], 20), np.repeat([0, 1, 2], 3), "configural")
    edge = np.where(np.arange(300) < 10, "a", "b")  # nine items need eleven rows
    with pytest.raises(AnalysisError, match="10 rows"):
        fit_groups(X, edge, np.repeat([0, 1, 2], 3), "configural")
    crossed = np.array([[0.9, 0.0], [0.0, 0.8]])
    with pytest.raises(AnalysisError, match="no factor has two items"):
        invariance.analyse(
            X[:, :2], np.arange(300), dict(enumerate(DATA["group"])), crossed, 1, np.random.default_rng(0)
        )


def steps(
    monkeypatch: pytest.MonkeyPatch, cfi: list[float], converged: list[bool] | None = None, drawn: float = 50.0
) -> list[dict]:
    """Rows for constructed fits; shuffled groups' chi-squares grow by `drawn` a step, the real ones by 100 and 200."""
    real = [
        GroupFit(c, 10 * k, 0.1, f, 0.05, ok)
        for k, (c, f, ok) in enumerate(zip((100.0, 200.0, 400.0), cfi, converged or [True] * 3, strict=True))
    ]
    null = [GroupFit(100 + drawn * k, 10, 0.1, 0.9, 0.05, True) for k in range(3)]
    given = iter([*real, *null * 4])
    seen: list[np.ndarray] = []

    def fit(values: np.ndarray, side: np.ndarray, of_item: np.ndarray, step: str) -> GroupFit:
        seen.append(values)
        return next(given)

    monkeypatch.setattr(invariance, "fit_groups", fit)
    people, group = np.repeat(np.arange(100), 3), {p: "ab"[p % 2] for p in range(99)}
    loads = extract(R, ITEMS, 3).loadings.copy()
    loads[4] *= -1
    rows = invariance.analyse(X, people, group, loads, 4, np.random.default_rng(0))
    assert seen[0].shape == (297, 9)  # the person of no group is left out
    assert seen[0][:, 4] == pytest.approx(-X[:297, 4])  # an item that loads negatively is turned round
    assert seen[0][:, 3] == pytest.approx(X[:297, 3])
    return rows


def test_a_step_holds_while_cfi_falls_by_a_hundredth_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    for cfi, holds in (
        ([0.95, 0.945, 0.940], [True, True, True]),
        ([0.95, 0.93, 0.93], [True, False, False]),
        ([0.95, 0.95, 0.939], [True, True, False]),
        ([0.95, 0.93, 0.95], [True, False, False]),
        ([0.90, 0.90, 0.90], [True, True, True]),
        ([0.89, 0.89, 0.89], [False, False, False]),
    ):
        rows = steps(monkeypatch, cfi)
        assert [r["holds"] for r in rows] == holds
        assert [r["cfi"] for r in rows] == cfi
        assert rows[0]["cfi_fall"] is None
        assert [r["cfi_fall"] for r in rows[1:]] == pytest.approx([cfi[0] - cfi[1], cfi[1] - cfi[2]])
    assert [r["holds"] for r in steps(monkeypatch, [0.95] * 3, [True, False, True])] == [True, False, False]


@pytest.mark.parametrize(
    ("drawn", "p"), [(50.0, [1 / 5, 1 / 5]), (100.0, [1.0, 1 / 5]), (150.0, [1.0, 1 / 5]), (300.0, [1.0, 1.0])]
)
def test_p_counts_shuffled_groups_that_differ_as_much(
    monkeypatch: pytest.MonkeyPatch, drawn: float, p: list[float]
) -> None:
    rows = steps(monkeypatch, [0.95, 0.95, 0.95], drawn=drawn)
    assert rows[0]["p_permutation"] is None
    assert [r["p_permutation"] for r in rows[1:]] == pytest.approx(p)
    assert {(r["permutations"], r["groups"], r["n"], r["n_items"]) for r in rows} == {(4, "a | b", 297, 9)}


def test_single_items_are_left_out_with_their_factor() -> None:
    loads = np.zeros((9, 3))
    loads[[0, 1, 2, 3], 0], loads[4, 1], loads[[5, 6, 7, 8], 2] = 0.8, 0.8, 0.8
    rows = invariance.analyse(X, np.arange(300), dict(enumerate(DATA["group"])), loads, 0, np.random.default_rng(0))
    assert {r["n_items"] for r in rows} == {8}
    assert all(r["p_permutation"] is None for r in rows)
