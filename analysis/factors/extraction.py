"""Extraction of factors from correlations: maximum likelihood (factor_analyzer), rotation oblimin with gamma 0.

Factors are ordered by their phi-weighted variance and turned to positive column sums, as psych does; scores are
Thurstone's regression scores.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

SMALLEST_UNIQUENESS = 0.005
LOST = "Failed to converge"  # factor_analyzer's words for a search that was broken off


@dataclass(frozen=True)
class FactorSolution:
    """A rotated solution: pattern `loadings` (items, factors), factor correlations `phi`, correlation matrix `r`.

    `state` is ``ok``, or ``not converged``: the search for the loadings was broken off, and they are where it stopped.
    """

    items: tuple[str, ...]
    loadings: np.ndarray
    phi: np.ndarray
    r: np.ndarray
    state: str = "ok"

    @property
    def uniqueness(self) -> np.ndarray:
        """Share of each item's variance that the factors leave, (items,)."""
        return np.asarray(1 - np.diag(self.loadings @ self.phi @ self.loadings.T))

    def scores(self, z: np.ndarray) -> np.ndarray:
        """Regression scores (Thurstone 1935) of standardised data (rows, items): z R^-1 S with structure S."""
        return np.asarray(z @ np.linalg.solve(self.r, self.loadings @ self.phi))


@lru_cache(maxsize=1)
def _engine() -> Any:
    """factor_analyzer's FactorAnalyzer, its maximum likelihood search given the gradient that R's factanal has.

    Without it every step costs as many evaluations as there are items, and ends earlier than R's.
    """
    from factor_analyzer import FactorAnalyzer
    from scipy.optimize import minimize

    class Engine(FactorAnalyzer):
        def _fit_factor_analysis(self, corr_mtx: np.ndarray) -> np.ndarray:
            if self.method != "ml":
                loadings: np.ndarray = super()._fit_factor_analysis(corr_mtx)
                return loadings
            start = 1 / np.diag(np.linalg.inv(corr_mtx))  # one less the squared multiple correlations
            bounds = [self.bounds] * len(corr_mtx)
            found = minimize(
                _discrepancy, np.clip(start, *self.bounds), args=(corr_mtx, self.n_factors), jac=True, method="L-BFGS-B",
                bounds=bounds, options={"maxiter": 2000, "ftol": 1e-14, "gtol": 1e-8},
            )  # fmt: skip
            if not found.success:
                warnings.warn(f"{LOST}: {found.message}", UserWarning, stacklevel=1)  # as its own search does
            normalised: np.ndarray = self._normalize_ml(found.x, corr_mtx, self.n_factors)
            return normalised

    return Engine


def _discrepancy(psi: np.ndarray, r: np.ndarray, n_factors: int) -> tuple[float, np.ndarray]:
    """Maximum likelihood discrepancy of uniquenesses, and its gradient (R: stats:::factanal.fit.mle)."""
    root = np.sqrt(psi)
    values, vectors = np.linalg.eigh(r / np.outer(root, root))
    rest = np.maximum(values[: len(psi) - n_factors], 1e-300)
    value = -float((np.log(rest) - rest).sum()) + n_factors - len(psi)
    top = vectors[:, len(psi) - n_factors :] * np.sqrt(np.maximum(values[len(psi) - n_factors :] - 1, 0))
    load = root[:, None] * top
    return value, ((load**2).sum(axis=1) + psi - np.diag(r)) / psi**2


def extract(
    r: np.ndarray,
    items: tuple[str, ...],
    n_factors: int,
    rotate: bool = True,
    method: str = "ml",
    precise: bool = True,
) -> FactorSolution:
    """Extract and rotate `n_factors` from a correlation matrix, by ``"ml"`` or ``"minres"``.

    A rotation that is not `precise` ends at psych's tolerance of 1e-5: enough for one of hundreds of resamples.

    factor_analyzer 0.5.1 leaves `phi_` in another order than `loadings_`; phi is solved from loadings and structure,
    and both are then ordered together.
    """
    rotation = "oblimin" if rotate and n_factors > 1 else None
    engine = _engine()(
        n_factors=n_factors,
        rotation=rotation,
        method=method,
        is_corr_matrix=True,
        bounds=(SMALLEST_UNIQUENESS, 1),
        rotation_kwargs={"gamma": 0, "max_iter": 5000 if precise else 400, "tol": 1e-8 if precise else 1e-5}
        if rotation
        else {},
    )
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        engine.fit(r)
    lost = False
    for one in told:
        said = str(one.message)
        # Where no step goes lower any more ("ABNORMAL") the search stands at the minimum, to the last digit.
        lost |= said.startswith(LOST) and "ABNORMAL" not in said
        # Of bounds that are reached (a Heywood case) and of scikit-learn's renamed force_all_finite nothing is said.
        if one.category not in (UserWarning, FutureWarning):
            warnings.warn_explicit(one.message, one.category, one.filename, one.lineno)
    loadings = np.asarray(engine.loadings_, dtype=float)
    phi = np.eye(n_factors)
    if rotation:
        phi = np.linalg.lstsq(loadings, np.asarray(engine.structure_, dtype=float), rcond=None)[0]
        phi = (phi + phi.T) / 2
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    loadings, phi = loadings * signs, phi * np.outer(signs, signs)
    order = np.argsort(-np.diag(phi @ loadings.T @ loadings), kind="stable")
    state = "not converged" if lost else "ok"
    return FactorSolution(items, loadings[:, order], phi[np.ix_(order, order)], r, state)
