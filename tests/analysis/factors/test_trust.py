"""Expected values: R 4.2.2 with psych 2.2.9 and lavaan 0.6.14, tests/golden/likert.R on tests/golden/likert.csv."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.factors import invariance
from analysis.factors.extraction import extract
from analysis.factors.invariance import fit_groups
from analysis.factors.polychoric import polychoric, smoothed
from analysis.factors.retention import ordinal_parallel
from analysis.factors.trust import (
    aligned,
    between_groups,
    congruence,
    loading_intervals,
    omega,
    people_groups,
    second_order,
    subscales,
)

DATA = pd.read_csv(Path(__file__).parents[2] / "golden" / "likert.csv")
ITEMS = tuple(DATA.columns[:9])
X = DATA[list(ITEMS)].to_numpy(float)
R = np.corrcoef(X, rowvar=False)
# psych::polychoric(x, correct = 0)$rho, lower triangle by columns; psych stops at a tolerance of about 1e-5.
POLYCHORIC = [
    0.5622819571, 0.6689665039, 0.1341709686, 0.3481956950, 0.1439228070, 0.3498331832, 0.4248989686, 0.4019863987,
    0.6152244058, 0.1880469551, 0.3972282316, 0.2337589833, 0.1913586127, 0.2530208768, 0.2429383673, 0.2001169673,
    0.3856366920, 0.2196969125, 0.2442836174, 0.3376370273, 0.3467232847, 0.5651367420, 0.4577212559, 0.2360250140,
    0.2272222104, 0.2038303840, 0.4579662877, 0.3231050338, 0.3250564831, 0.2907344791, 0.2084187771, 0.1204805544,
    0.1635364439, 0.7200883387, 0.6733723372, 0.7102606875,
]  # fmt: skip


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def test_polychoric_equals_psych() -> None:
    found = polychoric(X)
    low = [found[i, j] for j in range(9) for i in range(j + 1, 9)]
    assert low == pytest.approx(POLYCHORIC, abs=5e-5)


@given(st.floats(-0.95, 0.95), st.integers(0, 1000))
@settings(max_examples=15, deadline=None)
def test_polychoric_finds_the_correlation_under_the_categories(rho: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 4000)
    cut = np.column_stack([np.searchsorted([-1, 0.2, 1.1], z[:, 0]), np.searchsorted([-0.5, 0.9], z[:, 1])])
    assert polychoric(cut)[0, 1] == pytest.approx(rho, abs=0.08)
    assert polychoric(cut[:, ::-1])[0, 1] == pytest.approx(polychoric(cut)[0, 1], abs=1e-6)
    assert polychoric(-cut)[0, 1] == pytest.approx(polychoric(cut)[0, 1], abs=1e-6)


def test_polychoric_names_an_item_that_never_varies() -> None:
    with pytest.raises(AnalysisError, match="item 2 never varies"):
        polychoric(np.column_stack([[1, 2, 3, 1], [2, 2, 2, 2]]))


def test_contradicting_correlations_become_a_matrix() -> None:
    r = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])
    found = smoothed(r)
    assert np.linalg.eigvalsh(found)[0] > 0
    assert np.diag(found) == pytest.approx(1)


def test_ordinal_parallel_analysis_finds_three_factors() -> None:
    kept, actual, threshold = ordinal_parallel(X, np.random.default_rng(0), simulations=10)
    assert kept == 3
    assert actual[:3].min() > threshold[:3].min()


def test_second_order_equals_fa_multi() -> None:
    found = second_order(R, 3, 1)
    assert found.higher[:, 0] == pytest.approx([0.6094041005, 0.7133233672, 0.5237512921], abs=1e-4)
    assert found.phi[0, 1:] == pytest.approx([0.4347021745, 0.3191761541], abs=1e-4)
    assert found.loadings[0] == pytest.approx([0.174262807334, 0.69036839889, -0.07201957867], abs=1e-4)
    assert found.identified
    with pytest.raises(AnalysisError, match="three are needed"):
        second_order(R, 2, 1)


def test_two_factors_over_four_are_said_to_be_not_identified() -> None:
    assert not second_order(R, 4, 2).identified


def test_omega_equals_psych() -> None:
    found = omega(R, 3)
    assert found["omega_h"] == pytest.approx(0.5741371586, abs=1e-5)
    assert found["omega_total"] == pytest.approx(0.8792818581, abs=1e-5)
    assert found["alpha"] == pytest.approx(0.8091314152, abs=1e-9)
    # An item turned round is turned back first.
    turned = R.copy()
    turned[0] *= -1
    turned[:, 0] *= -1
    assert omega(turned, 3)["omega_h"] == pytest.approx(found["omega_h"], abs=1e-4)


def test_subscales_equal_psych() -> None:
    rows = {r["items"]: r for r in subscales(X, ITEMS, extract(R, ITEMS, 3).loadings)}
    assert rows["a, b, c"]["alpha"] == pytest.approx(0.7916591905, abs=1e-9)
    assert rows["a, b, c"]["omega"] == pytest.approx(0.7943283113, abs=1e-6)


def test_congruence_and_alignment() -> None:
    loadings = extract(R, ITEMS, 3).loadings
    shuffled = loadings[:, [2, 0, 1]] * [-1, 1, -1]
    assert aligned(shuffled, loadings) == pytest.approx(loadings)
    assert np.diag(congruence(loadings, loadings)) == pytest.approx(1)


def test_loading_intervals_hold_the_loadings() -> None:
    solution = extract(R, ITEMS, 3)
    low, high, used = loading_intervals(X, np.arange(300) // 3, solution, 30, np.random.default_rng(0))
    assert used == 30
    inside = (low <= solution.loadings) & (solution.loadings <= high)
    assert inside.mean() > 0.9
    assert (low[np.abs(solution.loadings) > 0.6] > 0).all()


def test_shuffled_people_agree_as_well_as_the_groups() -> None:
    people = np.arange(300) // 3
    rows = between_groups(
        X, people, {i: "ab"[i % 2] for i in range(100)}, extract(R, ITEMS, 3), 19, np.random.default_rng(0)
    )
    assert all(r["congruence"] > 0.9 for r in rows)
    assert all(r["p"] >= 0.05 for r in rows)


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


def test_groups_of_people() -> None:
    people = pd.DataFrame(
        {"participant": range(60), "age": range(20, 80), "sex": ["male"] * 35 + ["female"] * 22 + ["other"] * 3}
    )
    ages = people_groups(people, "age")
    assert ages is not None
    assert sorted(set(ages.values())) == ["49.5 and over", "under 49.5"]
    sexes = people_groups(people, "sex")
    assert sexes is not None
    assert len(sexes) == 57
    assert people_groups(people, "sex", smallest=30) is None
    assert people_groups(people, "language") is None
