"""Expected values: R 4.2.2 with psych 2.2.9, tests/golden/golden.R on tests/golden/factors.csv."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.factors.extraction import extract
from analysis.factors.paper import analyse
from analysis.factors.retention import adequacy, parallel_analysis, reduced_eigenvalues

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


def test_loadings_phi_and_scores_equal_psych() -> None:
    r = np.corrcoef(DATA.to_numpy(), rowvar=False)
    solution = extract(r, tuple(DATA.columns), 2)
    assert solution.loadings == pytest.approx(LOADINGS, abs=1e-4)
    assert solution.phi[0, 1] == pytest.approx(0.40512286, abs=1e-4)
    z = (DATA - DATA.mean()) / DATA.std(ddof=1)
    scores = solution.scores(z.to_numpy())
    assert scores[:2] == pytest.approx(np.array([[1.3427698, 0.68077531], [2.2094887, 0.76905084]]), abs=2e-4)


def test_reduced_eigenvalues_equal_psych() -> None:
    r = np.corrcoef(DATA.to_numpy(), rowvar=False)
    wanted = [2.38101748, 0.70162774, -0.00106937, -0.04702222, -0.29118813, -0.41645866]
    assert reduced_eigenvalues(r) == pytest.approx(wanted, abs=1e-4)


def test_parallel_analysis_finds_the_factors_that_were_put_in() -> None:
    r = np.corrcoef(DATA.to_numpy(), rowvar=False)
    kept, _, _ = parallel_analysis(r, len(DATA), np.random.default_rng(0), simulations=20)
    assert kept == 2


def test_adequacy_equals_psych() -> None:
    kmo, bartlett = adequacy(DATA)
    assert kmo["value"] == pytest.approx(0.769351105, rel=1e-6)
    assert bartlett["value"] == pytest.approx(627.634372005, rel=1e-6)


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


def test_too_little_data_is_one_clear_line() -> None:
    rows = [(1, t, "sweet", "m", "c", a, 1.0) for t in range(3) for a in "abcdef"]
    frame = pd.DataFrame(rows, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value"])
    with pytest.raises(AnalysisError, match="too few"):
        analyse(frame, "parallel", 0)
