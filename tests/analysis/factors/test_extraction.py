"""Expected values: R 4.2.2 with psych 2.2.9, tests/golden/golden.R on tests/golden/factors.csv."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.engines.threads import one_thread
from analysis.factors import extraction
from analysis.factors.extraction import FactorSolution, extract

DATA = pd.read_csv(Path(__file__).parents[2] / "golden" / "factors.csv")
LOADINGS = np.array(
    [
        [0.806254677, -0.0492338077],
        [0.744442210, 0.0877362610],
        [0.819011784, -0.0056421185],
        [-0.090963136, 0.8042966526],
        [0.144062994, 0.7049382756],
        [0.022909380, 0.6122237423],
    ]
)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def test_loadings_phi_and_scores_equal_psych() -> None:
    r = np.corrcoef(DATA.to_numpy(), rowvar=False)
    solution = extract(r, tuple(DATA.columns), 2)
    assert solution.loadings == pytest.approx(LOADINGS, abs=1e-4)
    assert solution.phi[0, 1] == pytest.approx(0.40512286, abs=1e-4)
    z = (DATA - DATA.mean()) / DATA.std(ddof=1)
    scores = solution.scores(z.to_numpy())
    assert scores[:2] == pytest.approx(np.array([[1.3427698, 0.68077531], [2.2094887, 0.76905084]]), abs=2e-4)


@pytest.mark.reference
def test_published_loadings_come_back_from_published_correlations(reference_data: Path) -> None:
    """The seed study's table (CC BY 4.0): ML, oblimin, four factors; blanks in it are under .1."""
    folder = reference_data / "seed-study"
    r = pd.read_csv(folder / "correlation_matrix_2dp.csv", index_col=0)
    published = pd.read_csv(folder / "factor_loadings.csv", index_col=0)
    found = extract(r.to_numpy(), tuple(r.index), 4).loadings
    for column in published.columns:
        wanted = published.loc[r.index, column]
        congruence = [
            abs(float(wanted.fillna(0) @ f)) / np.sqrt(float(wanted.fillna(0) @ wanted.fillna(0)) * float(f @ f))
            for f in found.T
        ]
        best = found[:, int(np.argmax(congruence))]
        assert max(congruence) > 0.98  # blanks count as zero here
        known = wanted.notna().to_numpy()
        sign = np.sign(float(best[known] @ wanted[known]))
        assert np.abs(sign * best[known] - wanted[known]).max() < 0.02
        a, b = best[known], wanted[known].to_numpy(float)
        assert abs(float(a @ b)) / np.sqrt(float(a @ a) * float(b @ b)) > 0.999


# R 4.2.2, psych 2.2.9: fa(likert[, 1:9], 3, fm = "ml", rotate = "oblimin"): loadings, Phi, uniquenesses, scores
THREE = np.array(
    [
        [0.173828220774, 0.68947500835, -0.06894394371], [-0.098594646447, 0.70998780395, 0.11224803165],
        [-0.002555164162, 0.80552850168, 0.01210560190], [0.019349423066, -0.08007252828, 0.73998079470],
        [0.059511564707, 0.16117269936, 0.65233183629], [-0.025724834780, 0.02691356842, 0.57461871771],
        [0.808774743729, -0.08753752776, 0.08164567234], [0.828975410015, 0.04721800910, -0.01913140061],
        [0.757381483758, 0.06834152943, -0.02449630891],
    ]
)  # fmt: skip
PHI = [0.4341718049, 0.3216363430, 0.3766882125]
UNIQUE = [
    0.4291046103, 0.4814607121, 0.3454314505, 0.4824164403, 0.4324348437, 0.6668862590, 0.3559389218, 0.2870975375, 0.3893525700,
]  # fmt: skip
SCORES = [
    [0.2126360033, 1.6089039408, 0.8466568873],
    [0.3442740304, 1.4101033860, 0.8714649215],
    [-0.3845616839, -0.6043570404, -1.6364902721],
]
LIKERT = pd.read_csv(Path(__file__).parents[2] / "golden" / "likert.csv").iloc[:, :9]


def three(columns: np.ndarray | None = None, signs: np.ndarray | float = 1.0) -> FactorSolution:
    x = LIKERT.to_numpy(float)[:, np.arange(9) if columns is None else columns] * signs
    return extract(np.corrcoef(x, rowvar=False), tuple("abcdefghi"), 3)


def test_three_factors_in_psychs_order_with_its_signs_phi_and_scores() -> None:
    found = three()
    assert found.loadings == pytest.approx(THREE, abs=1e-4)
    assert [found.phi[0, 1], found.phi[0, 2], found.phi[1, 2]] == pytest.approx(PHI, abs=1e-4)
    assert found.phi == pytest.approx(found.phi.T)
    assert np.diag(found.phi) == pytest.approx(1, abs=1e-6)
    assert found.uniqueness == pytest.approx(UNIQUE, abs=1e-4)
    z = ((LIKERT - LIKERT.mean()) / LIKERT.std(ddof=1)).to_numpy()
    assert found.scores(z)[:3] == pytest.approx(np.array(SCORES), abs=1e-3)
    assert found.items == tuple("abcdefghi")


def test_items_in_another_order_have_the_same_loadings() -> None:
    order = np.array([8, 3, 1, 0, 7, 5, 2, 6, 4])
    assert three(order).loadings == pytest.approx(THREE[order], abs=1e-4)


def test_an_item_turned_round_loads_the_other_way() -> None:
    signs = np.where(np.arange(9) == 4, -1.0, 1.0)
    found = three(signs=signs)
    assert found.loadings == pytest.approx(THREE * signs[:, None], abs=1e-4)
    # All of one factor's items turned: the factor turns, its column stays positive, its correlations change their signs.
    all_three = np.where(np.arange(9) < 3, -1.0, 1.0)
    turned = three(signs=all_three)
    assert (turned.loadings.sum(axis=0) > 0).all()
    assert turned.loadings[:3, 1] == pytest.approx(THREE[:3, 1], abs=1e-4)
    assert [turned.phi[0, 1], turned.phi[0, 2], turned.phi[1, 2]] == pytest.approx([-PHI[0], PHI[1], -PHI[2]], abs=1e-4)


def test_factors_stand_from_the_greatest_to_the_least() -> None:
    """By phi-weighted variance, psych's "SS loadings": 2.00721799, 1.74391428, 1.37874439."""
    found = three()
    weighted = np.diag(found.phi @ found.loadings.T @ found.loadings)
    assert weighted == pytest.approx([2.0072179883, 1.7439142774, 1.3787443891], abs=1e-4)


def test_correlated_factors_that_explain_more_together_come_before_a_lone_one() -> None:
    """R: fa(r, 3, n.obs = 300, fm = "ml", rotate = "oblimin") on the same matrix: loadings, Phi, SS loadings.

    The lone factor's own loadings are larger than the first one's; the engine gives it first.
    """
    pattern = np.zeros((9, 3))
    pattern[:3, 0], pattern[3:6, 1], pattern[6:, 2] = 0.7, 0.62, 0.8
    pattern[:2, 1], pattern[3, 0], pattern[0, 2] = 0.2, 0.25, 0.1
    r = pattern @ np.array([[1, 0.6, 0.1], [0.6, 1, 0.1], [0.1, 0.1, 1]]) @ pattern.T
    np.fill_diagonal(r, 1)
    found = extract(r, tuple("abcdefghi"), 3)
    assert found.loadings[[0, 3, 6]] == pytest.approx(
        np.array(
            [
                [0.77168450727, 0.0727349886, 0.0894126291], [0.23748913218, -0.0073073693, 0.6073333655],
                [0.00071964818, 0.8001547240, -0.0025124289],
            ]
        ), abs=1e-4,
    )  # fmt: skip
    assert [found.phi[0, 1], found.phi[0, 2], found.phi[1, 2]] == pytest.approx(
        [0.14167457, 0.72450105, 0.10287733], abs=1e-4
    )
    weighted = np.diag(found.phi @ found.loadings.T @ found.loadings)
    assert weighted == pytest.approx([1.9655257, 1.9294959, 1.3406883], abs=1e-4)


def test_discrepancys_gradient_is_that_of_differences() -> None:
    r = np.corrcoef(DATA.to_numpy(), rowvar=False)
    psi = np.linspace(0.3, 0.8, 6)
    value, gradient = extraction._discrepancy(psi, r, 2)
    for i in range(6):
        step = np.eye(6)[i] * 1e-6
        up, down = (extraction._discrepancy(psi + s * step, r, 2)[0] for s in (1, -1))
        assert gradient[i] == pytest.approx((up - down) / 2e-6, rel=1e-4, abs=1e-7)
    assert value > 0


def test_discrepancy_is_nothing_for_a_model_that_holds() -> None:
    """Correlations made of two factors and uniquenesses: their own uniquenesses leave nothing, others more."""
    load = np.array([[0.8, 0], [0.7, 0.1], [0.6, 0], [0, 0.9], [0.1, 0.5], [0, 0.7]])
    psi = 1 - (load**2).sum(axis=1)
    r = load @ load.T + np.diag(psi)
    assert extraction._discrepancy(psi, r, 2)[0] == pytest.approx(0, abs=1e-10)
    assert extraction._discrepancy(psi * 1.1, r, 2)[0] > 1e-3
    found = extract(r, tuple("abcdef"), 2, rotate=False)
    assert found.uniqueness == pytest.approx(psi, abs=1e-5)
    assert (found.phi == np.eye(2)).all()
    minres = extract(r, tuple("abcdef"), 2, method="minres", rotate=False)
    assert minres.loadings @ minres.loadings.T + np.diag(psi) == pytest.approx(r, abs=1e-4)


def test_a_heywood_case_ends_where_psychs_does() -> None:
    """R: fa(r, 1, n.obs = 300, fm = "ml") on the same matrix: two items that are all but one stop at the bound of .005."""
    r = np.full((4, 4), 0.6)
    np.fill_diagonal(r, 1)
    r[0, 1] = r[1, 0] = 0.999
    r[2, 3] = r[3, 2] = 0.4
    found = extract(r, tuple("abcd"), 1)
    assert found.uniqueness == pytest.approx([0.003000430647, 0.003000430647, 0.638806562545, 0.638806562545], abs=1e-7)
    assert found.loadings[:, 0] == pytest.approx([0.9984986577, 0.9984986577, 0.6009937083, 0.6009937083], abs=1e-7)


def test_a_rough_rotation_is_near_the_precise_one() -> None:
    r = np.corrcoef(LIKERT.to_numpy(float), rowvar=False)
    rough = extract(r, tuple("abcdefghi"), 3, precise=False)
    assert rough.loadings == pytest.approx(THREE, abs=2e-3)


@pytest.mark.parametrize("method", ["ml", "minres"])
@pytest.mark.parametrize(
    ("success", "message", "state"),
    [
        (True, "CONVERGENCE: RELATIVE REDUCTION OF F", "ok"),
        (False, "STOP: TOTAL NO. OF ITERATIONS REACHED LIMIT", "not converged"),
        (False, "ABNORMAL: ", "ok"),  # no step goes lower any more: it stands at the minimum, to the last digit
    ],
)
def test_a_search_that_is_broken_off_says_so(
    success: bool, message: str, state: str, method: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    import factor_analyzer.factor_analyzer as theirs
    import scipy.optimize

    minimize = scipy.optimize.minimize

    def ended(*given: object, **options: object) -> object:
        found = minimize(*given, **options)
        found.success, found.message = success, message
        return found

    for place in (scipy.optimize, theirs):
        monkeypatch.setattr(place, "minimize", ended)
    extraction._engine.cache_clear()
    r = np.corrcoef(DATA.to_numpy(), rowvar=False)
    assert extract(r, tuple(DATA.columns), 2, method=method, rotate=False).state == state
    monkeypatch.undo()
    extraction._engine.cache_clear()
    assert extract(r, tuple(DATA.columns), 2, method=method).state == "ok"
