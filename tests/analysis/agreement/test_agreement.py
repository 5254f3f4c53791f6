import numpy as np
import pandas as pd
import pytest

from analysis.agreement.agreement import analyse, mantel, procrustes, read_targets
from analysis.errors import AnalysisError


def test_turned_and_scaled_configuration_agrees_fully() -> None:
    rng = np.random.default_rng(0)
    a = rng.normal(size=(12, 3))
    turn, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    r, p = procrustes(a, 2 * a @ turn + 1, 199, np.random.default_rng(0))
    assert r == pytest.approx(1)
    assert p == pytest.approx(1 / 200)
    r, p = mantel(a, 2 * a @ turn, 199, np.random.default_rng(0))
    assert r == pytest.approx(1)
    assert p == pytest.approx(1 / 200)


def test_p_is_uniform_without_relation() -> None:
    ps = []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        ps.append(mantel(rng.normal(size=(10, 3)), rng.normal(size=(10, 3)), 99, rng)[1])
    assert 0.3 < float(np.mean(ps)) < 0.7


def test_missing_column_is_named(tmp_path) -> None:
    path = tmp_path / "targets.csv"
    path.write_text("track,dolce,amaro\na,1,2\n")
    with pytest.raises(AnalysisError, match="no column for sour"):
        read_targets(path, ["bitter", "sour", "sweet"])


def test_too_few_common_tracks() -> None:
    ratings = pd.DataFrame({"clip": ["a", "b"], "adjective": ["x", "x"], "value": [1.0, 2.0]})
    targets = pd.DataFrame({"x": [1.0, 2.0]}, index=["a", "c"])
    with pytest.raises(AnalysisError, match="only 1 tracks"):
        analyse(ratings, targets, 99, 0)


def test_vectors_ranks_and_components() -> None:
    """Ratings that are their targets: distance 0, rank 1; R: prcomp(scale = TRUE)'s variances are the eigenvalues."""
    rng = np.random.default_rng(0)
    targets = pd.DataFrame(rng.normal(size=(8, 3)), columns=["x", "y", "z"], index=[f"t{i}" for i in range(8)])
    rows = [
        (clip, item, targets.loc[clip, item] + noise) for clip in targets.index for item in targets for noise in (-1, 1)
    ]
    tables = analyse(pd.DataFrame(rows, columns=["clip", "adjective", "value"]), targets, 99, 0)
    assert all(r["distance"] == pytest.approx(0, abs=1e-9) and r["rank"] == 1 for r in tables["vectors"])
    rated = [r for r in tables["pca"] if r["source"] == "rated"]
    assert sum(r["proportion"] for r in rated) == pytest.approx(1)
    assert rated[0]["eigenvalue"] == pytest.approx(np.linalg.eigvalsh(np.corrcoef(targets.T))[-1])
    assert rated[0]["eigenvalue"] == pytest.approx(tables["pca"][3]["eigenvalue"])
