"""How many factors to keep, and whether correlations are fit for factors at all.

Parallel analysis follows psych::fa.parallel(fa = "fa"): eigenvalues of the correlation matrix with 1-factor maximum
likelihood communalities on its diagonal, against the 95 % quantile of the same for random normal data of equal size.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.factors.extraction import extract
from analysis.factors.polychoric import polychoric

if TYPE_CHECKING:
    import pandas as pd


def reduced_eigenvalues(r: np.ndarray) -> np.ndarray:
    """Eigenvalues, largest first, of `r` with 1-factor ML communalities on the diagonal."""
    one = extract(r, tuple(str(i) for i in range(len(r))), 1, rotate=False).loadings[:, 0]
    reduced = r.copy()
    np.fill_diagonal(reduced, one**2)
    return np.sort(np.linalg.eigvalsh(reduced))[::-1]


def parallel_analysis(
    r: np.ndarray, n: int, rng: np.random.Generator, simulations: int = 50, quantile: float = 0.95
) -> tuple[int, np.ndarray, np.ndarray]:
    """Return the number of factors to keep, the actual eigenvalues and their thresholds.

    Parameters
    ----------
    n : int
        Rows that the correlations came from.
    """
    actual = reduced_eigenvalues(r)
    simulated = []
    for _ in range(simulations):
        z = rng.standard_normal((n, len(r)))
        simulated.append(reduced_eigenvalues(np.corrcoef(z, rowvar=False)))
    return _compared(actual, simulated, quantile)


def _compared(actual: np.ndarray, simulated: list[np.ndarray], quantile: float) -> tuple[int, np.ndarray, np.ndarray]:
    """Factors whose eigenvalues, from the first one on, lie over the quantile of random data's; both lists."""
    threshold = np.quantile(np.array(simulated), quantile, axis=0)
    failing = np.flatnonzero(actual <= threshold)
    return int(failing[0]) if len(failing) else len(actual), actual, threshold


def ordinal_parallel(
    x: np.ndarray, rng: np.random.Generator, simulations: int = 50, quantile: float = 0.95
) -> tuple[int, np.ndarray, np.ndarray]:
    """Parallel analysis on polychoric correlations: factors to keep, eigenvalues, thresholds.

    Random data are the same answers with every column shuffled by itself: unrelated, with the very same margins (Timmerman
    & Lorenzo-Seva 2011). Columns are sorted before, so that the order of rows decides nothing.
    """
    x = np.asarray(x, dtype=float)
    actual = reduced_eigenvalues(polychoric(x))
    simulated = [
        reduced_eigenvalues(polychoric(np.column_stack([rng.permutation(column) for column in np.sort(x, axis=0).T])))
        for _ in range(simulations)
    ]
    return _compared(actual, simulated, quantile)


def adequacy(wide: pd.DataFrame) -> list[dict[str, Any]]:
    """Kaiser-Meyer-Olkin measure and Bartlett's test of sphericity (factor_analyzer)."""
    from factor_analyzer.factor_analyzer import calculate_bartlett_sphericity, calculate_kmo

    chi, p = calculate_bartlett_sphericity(wide.to_numpy(float))
    _, kmo = calculate_kmo(wide.to_numpy(float))
    k = wide.shape[1]
    return [
        {"measure": "KMO", "value": float(kmo), "df": None, "p": None},
        {"measure": "Bartlett's chi-square", "value": float(chi), "df": k * (k - 1) // 2, "p": float(p)},
    ]
