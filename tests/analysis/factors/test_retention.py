"""How many factors, and whether there are any: R's values, and random data written out.

Expected values: R 4.2.2 with psych 2.2.9, tests/golden/golden.R on tests/golden/factors.csv.
"""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.engines.threads import one_thread
from analysis.factors import retention
from analysis.factors.retention import adequacy, ordinal_parallel, parallel_analysis, reduced_eigenvalues

GOLDEN = Path(__file__).parents[2] / "golden"
DATA = pd.read_csv(GOLDEN / "factors.csv")
R = np.corrcoef(DATA.to_numpy(), rowvar=False)
LIKERT = pd.read_csv(GOLDEN / "likert.csv").iloc[:, :9].to_numpy(float)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def test_reduced_eigenvalues_equal_psych() -> None:
    """psych: fa(f, 1, fm = "ml")$values; the matrix itself stays as it was."""
    wanted = [2.38101748, 0.70162774, -0.00106937, -0.04702222, -0.29118813, -0.41645866]
    assert reduced_eigenvalues(R) == pytest.approx(wanted, abs=1e-4)
    assert np.diag(R) == pytest.approx(1)


def test_parallel_analysis_finds_the_factors_that_were_put_in() -> None:
    kept, actual, threshold = parallel_analysis(R, len(DATA), np.random.default_rng(0), simulations=20)
    assert kept == 2
    assert actual == pytest.approx(reduced_eigenvalues(R))
    assert (actual[:2] > threshold[:2]).all()
    assert actual[2] <= threshold[2]


def test_thresholds_are_the_95_percent_quantile_of_random_normal_data() -> None:
    """The same draws, written out: as many rows and items, independent."""
    rng = np.random.default_rng(4)
    drawn = [reduced_eigenvalues(np.corrcoef(rng.standard_normal((len(DATA), 6)), rowvar=False)) for _ in range(12)]
    _, _, threshold = parallel_analysis(R, len(DATA), np.random.default_rng(4), simulations=12)
    assert threshold == pytest.approx(np.quantile(drawn, 0.95, axis=0))


def test_ordinal_thresholds_are_those_of_the_same_answers_shuffled() -> None:
    rng = np.random.default_rng(4)
    drawn = [
        reduced_eigenvalues(retention.polychoric(np.column_stack([rng.permutation(np.sort(c)) for c in LIKERT.T])))
        for _ in range(5)
    ]
    kept, actual, threshold = ordinal_parallel(LIKERT, np.random.default_rng(4), simulations=5)
    again = ordinal_parallel(LIKERT[::-1], np.random.default_rng(4), simulations=5)[2]
    assert again.tolist() == threshold.tolist()  # rows in another order are the same answers
    assert threshold == pytest.approx(np.quantile(drawn, 0.95, axis=0))
    assert kept == 3
    assert actual == pytest.approx(reduced_eigenvalues(retention.polychoric(LIKERT)))
    assert actual[:3].min() > threshold[:3].min()


@pytest.mark.parametrize(
    ("actual", "kept"),
    [
        ([3.0, 2.0, 0.5, 0.1], 2),
        ([3.0, 0.5, 2.0, 0.1], 1),  # what comes after the first that fails does not count
        ([0.9, 0.5, 0.2, 0.1], 0),
        ([3.0, 1.0, 0.5, 0.1], 1),  # as large as random is not larger
        ([5.0, 4.0, 3.0, 2.0], 4),
    ],
)
def test_factors_are_kept_up_to_the_first_that_is_no_larger_than_random(
    monkeypatch: pytest.MonkeyPatch, actual: list[float], kept: int
) -> None:
    """Random data's eigenvalues are all one here."""
    given = iter([np.array(actual), *[np.ones(4)] * 50])
    monkeypatch.setattr(retention, "reduced_eigenvalues", lambda r: next(given))
    found, values, threshold = parallel_analysis(np.eye(4), 30, np.random.default_rng(0))
    assert found == kept
    assert values.tolist() == actual
    assert threshold.tolist() == [1.0] * 4
    assert next(given, None) is None  # fifty simulations, psych's n.iter of the paper


def test_adequacy_equals_psych() -> None:
    """psych: KMO(f)$MSA, cortest.bartlett(cor(f), 300)$chisq; 15 pairs of six items; R: pchisq(627.634, 15, lower = FALSE)."""
    kmo, bartlett = adequacy(DATA)
    assert kmo["value"] == pytest.approx(0.769351105, rel=1e-6)
    assert bartlett["value"] == pytest.approx(627.634372005, rel=1e-6)
    assert bartlett["df"] == 15
    assert 0 < bartlett["p"] < 1e-100
    assert (kmo["measure"], kmo["df"], kmo["p"]) == ("KMO", None, None)
    noise = pd.DataFrame(np.random.default_rng(0).normal(size=(100, 4)))
    assert adequacy(noise)[1]["p"] > 0.05
