"""Polychoric correlations: psych's values, the correlation under the categories, and matrices that contradict themselves.

Expected values: R 4.2.2 with psych 2.2.9, tests/golden/likert.R on tests/golden/likert.csv.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.factors.polychoric import polychoric, smoothed

X = pd.read_csv(Path(__file__).parents[2] / "golden" / "likert.csv").iloc[:, :9].to_numpy(float)
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
    assert found == pytest.approx(found.T)
    assert np.diag(found).tolist() == [1.0] * 9


@given(st.floats(-0.95, 0.95), st.integers(0, 1000))
@settings(max_examples=15)
def test_polychoric_finds_the_correlation_under_the_categories(rho: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    z = rng.multivariate_normal([0, 0], [[1, rho], [rho, 1]], 4000)
    cut = np.column_stack([np.searchsorted([-1, 0.2, 1.1], z[:, 0]), np.searchsorted([-0.5, 0.9], z[:, 1])])
    assert polychoric(cut)[0, 1] == pytest.approx(rho, abs=0.08)
    assert polychoric(cut[:, ::-1])[0, 1] == pytest.approx(polychoric(cut)[0, 1], abs=1e-6)
    assert polychoric(-cut)[0, 1] == pytest.approx(polychoric(cut)[0, 1], abs=1e-6)


@pytest.mark.parametrize(("n", "wanted"), [(30, 0.7071067812), (25, 0.3826834324), (20, 0.0), (10, -0.7071067812)])
def test_two_by_two_halves_have_an_exact_value(n: int, wanted: float) -> None:
    """Both items cut in the middle: P(both over) = 1/4 + asin(rho) / (2 pi) (Sheppard 1899), here n of 80 answers."""
    cells = {(1, 1): n, (1, 0): 40 - n, (0, 1): 40 - n, (0, 0): n}
    x = np.array([cell for cell, count in cells.items() for _ in range(count)])
    assert polychoric(x)[0, 1] == pytest.approx(wanted, abs=1e-6)


def test_it_maximises_the_likelihood_of_the_table() -> None:
    """Thresholds from the margins, scipy's bivariate normal; the correlation by a plain search over a grid."""
    from scipy.stats import multivariate_normal, norm

    table = np.array([[12, 5, 1], [7, 14, 6], [2, 6, 17]])
    x = np.array([(i, j) for i in range(3) for j in range(3) for _ in range(table[i, j])])
    rows, columns = (
        np.concatenate([[-8], norm.ppf(np.cumsum(table.sum(axis=k))[:-1] / table.sum()), [8]]) for k in (1, 0)
    )

    def likelihood(rho: float) -> float:
        cdf = multivariate_normal([0, 0], [[1, rho], [rho, 1]]).cdf
        at = np.array([[cdf([a, b]) for b in columns] for a in rows])
        p = np.diff(np.diff(at, axis=0), axis=1)
        return float((table * np.log(np.maximum(p, 1e-12))).sum())

    grid = np.arange(0.60, 0.86, 0.01)
    best = grid[int(np.argmax([likelihood(r) for r in grid]))]
    assert polychoric(x)[0, 1] == pytest.approx(best, abs=0.0051)


def test_answers_are_categories_whatever_their_names() -> None:
    """1 to 5 or 10, 20, ...: the same; an item of two and one of five together; a column that is another's reverse."""
    assert polychoric(10 * X[:, :3] - 3) == pytest.approx(polychoric(X[:, :3]), abs=1e-9)
    halved = np.column_stack([X[:, 0], X[:, 1] > 3])
    assert 0.3 < polychoric(halved)[0, 1] < 0.9
    both = np.column_stack([X[:, 0], -X[:, 0], X[:, 1]])
    found = polychoric(both)
    assert found[0, 1] < -0.99
    assert found[0, 2] == pytest.approx(-found[1, 2], abs=1e-3)


def test_polychoric_names_an_item_that_never_varies() -> None:
    with pytest.raises(AnalysisError, match="item 2 never varies"):
        polychoric(np.column_stack([[1, 2, 3, 1], [2, 2, 2, 2]]))


def test_contradicting_correlations_become_a_matrix() -> None:
    """psych: cor.smooth(matrix(c(1, .9, .9, .9, 1, -.9, .9, -.9, 1), 3))."""
    r = np.array([[1, 0.9, 0.9], [0.9, 1, -0.9], [0.9, -0.9, 1]])
    found = smoothed(r)
    assert np.linalg.eigvalsh(found)[0] > 0
    assert np.diag(found) == pytest.approx(1)
    assert [found[0, 1], found[0, 2], found[1, 2]] == pytest.approx([0.5, 0.5, -0.5], abs=1e-6)
    good = np.array([[1, 0.5], [0.5, 1]])
    assert smoothed(good) is good
