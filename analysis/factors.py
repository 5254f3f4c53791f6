"""Factor analysis of the ratings: how many factors, which adjectives go together, which taste scores where.

Parallel analysis follows psych::fa.parallel(fa = "fa"): eigenvalues of the correlation matrix with 1-factor maximum
likelihood communalities on its diagonal, against the 95 % quantile of the same for random normal data of equal size.
Extraction is maximum likelihood (factor_analyzer), rotation oblimin with gamma 0. Factors are ordered by their
phi-weighted variance and turned to positive column sums, as psych does; scores are Thurstone's regression scores.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.frames import rated_clips
from analysis.threads import one_thread

if TYPE_CHECKING:
    import pandas as pd

SMALLEST_UNIQUENESS = 0.005


@dataclass(frozen=True)
class FactorSolution:
    """A rotated solution: pattern `loadings` (items, factors), factor correlations `phi`, correlation matrix `r`."""

    items: tuple[str, ...]
    loadings: np.ndarray
    phi: np.ndarray
    r: np.ndarray

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
            if not found.success and "ABNORMAL" not in str(found.message):
                warnings.warn(f"maximum likelihood did not converge: {found.message}", UserWarning, stacklevel=2)
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
    with warnings.catch_warnings():
        # Its optimiser warns of bounds that are reached, which is what the bound is for (a Heywood case).
        warnings.filterwarnings("ignore", category=UserWarning, module="factor_analyzer")
        # It still says force_all_finite, which scikit-learn renamed; the pin below 1.8 keeps it working.
        warnings.filterwarnings("ignore", category=FutureWarning, message=".*force_all_finite.*")
        engine.fit(r)
    loadings = np.asarray(engine.loadings_, dtype=float)
    phi = np.eye(n_factors)
    if rotation:
        phi = np.linalg.lstsq(loadings, np.asarray(engine.structure_, dtype=float), rcond=None)[0]
        phi = (phi + phi.T) / 2
    signs = np.where(loadings.sum(axis=0) < 0, -1.0, 1.0)
    loadings, phi = loadings * signs, phi * np.outer(signs, signs)
    order = np.argsort(-np.diag(phi @ loadings.T @ loadings), kind="stable")
    return FactorSolution(items, loadings[:, order], phi[np.ix_(order, order)], r)


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
    threshold = np.quantile(np.array(simulated), quantile, axis=0)
    failing = np.flatnonzero(actual <= threshold)
    return int(failing[0]) if len(failing) else len(actual), actual, threshold


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


@dataclass(frozen=True)
class Rated:
    """What a factor analysis starts from: completely rated clips (`wide`), their `answers` (rows, items), and the correlations `r`."""

    wide: pd.DataFrame
    items: tuple[str, ...]
    answers: np.ndarray
    r: np.ndarray


def prepare(ratings: pd.DataFrame, ordinal: bool = False) -> Rated:
    """Completely rated clips and the correlations of their items, Pearson's or polychoric.

    Raises
    ------
    AnalysisError
        If there are fewer complete rows than a factor analysis can use, or an item never varies, or correlations are
        singular.
    """
    wide = rated_clips(ratings.dropna(subset=["value"]))
    items = tuple(str(c) for c in wide.columns)
    n = len(wide)
    if n < 3 * len(items):
        raise AnalysisError(f"{n} completely rated clips are too few for a factor analysis of {len(items)} items")
    constant = [i for i in items if wide[i].std() == 0]
    if constant:
        raise AnalysisError(f"the answers to {', '.join(constant)} never vary; leave them out of the adjectives")
    values = wide.to_numpy(float)
    r = np.corrcoef(values, rowvar=False)
    if np.linalg.eigvalsh(r)[0] < 1e-8:
        i, j = np.unravel_index(np.argmax(np.abs(r - np.eye(len(r)))), r.shape)
        raise AnalysisError(
            f"the correlations are singular: some adjectives follow from others (closest: {items[i]} and {items[j]}, "
            f"r = {r[i, j]:.3f}); leave one out"
        )
    if ordinal:
        from analysis.polychoric import polychoric

        r = polychoric(values)
    return Rated(wide, items, values, r)


def analyse(
    ratings: pd.DataFrame, n_factors: int | str, seed: int, ordinal: bool = False
) -> dict[str, list[dict[str, Any]]]:
    """Run the factor analysis of all completely rated clips.

    Parameters
    ----------
    n_factors : int or "parallel"
        How many factors; ``"parallel"`` takes what parallel analysis keeps (at least one).
    ordinal : bool
        Take the answers as ordered categories: polychoric correlations, and parallel analysis on them.

    Returns
    -------
    dict
        Tables ``retention``, ``eigenvalues``, ``adequacy``, ``loadings``, ``phi``, ``variance``, ``scores_by_prompt``,
        ``scores`` (one row a rated clip), ``notes`` (what to distrust: Heywood cases).

    Raises
    ------
    AnalysisError
        If there are fewer complete rows than a factor analysis can use, or an item never varies.
    """
    with one_thread():
        return _analyse(prepare(ratings, ordinal), n_factors, seed, ordinal)


def _analyse(rated: Rated, n_factors: int | str, seed: int, ordinal: bool) -> dict[str, list[dict[str, Any]]]:
    from analysis.polychoric import ordinal_parallel

    wide, items, r, n = rated.wide, rated.items, rated.r, len(rated.wide)
    rng = np.random.default_rng(seed)
    if ordinal:
        kept, actual, threshold = ordinal_parallel(rated.answers, rng)
    else:
        kept, actual, threshold = parallel_analysis(r, n, rng)
    # More factors than (items - 1) / 2 have no degrees of freedom left.
    number = int(min(max(1, kept) if n_factors == "parallel" else int(n_factors), max(1, (len(items) - 1) // 2)))
    solution = extract(r, items, number)
    names = [f"F{i + 1}" for i in range(number)]
    at_bound = [i for i, u in zip(items, _uniqueness(solution), strict=True) if u <= SMALLEST_UNIQUENESS * 1.01]
    square = (solution.loadings**2).sum(axis=0)
    weighted = np.diag(solution.phi @ solution.loadings.T @ solution.loadings)
    values = rated.answers
    z = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    scores = solution.scores(z)
    prompts = wide.index.get_level_values("prompt").to_numpy()
    return {
        "retention": [
            {"method": "parallel", "n_factors": kept},
            {"method": "kaiser", "n_factors": int((np.linalg.eigvalsh(r) > 1).sum())},
            {"method": "used", "n_factors": number},
        ],
        "eigenvalues": [
            {"index": i + 1, "actual": float(a), "threshold": float(t)}
            for i, (a, t) in enumerate(zip(actual, threshold, strict=True))
        ],
        "adequacy": adequacy(wide),
        "loadings": [
            {"item": item, **{f: float(v) for f, v in zip(names, row, strict=True)}, "uniqueness": float(u)}
            for item, row, u in zip(items, solution.loadings, _uniqueness(solution), strict=True)
        ],
        "phi": [
            {"factor1": names[i], "factor2": names[j], "r": float(solution.phi[i, j])}
            for i in range(number)
            for j in range(i + 1, number)
        ],
        "variance": [
            {
                "factor": f,
                "ss_loadings": float(s),
                "phi_weighted": float(w),
                "proportion": float(s / len(items)),
                "cumulative": float(square[: i + 1].sum() / len(items)),
            }
            for i, (f, s, w) in enumerate(zip(names, square, weighted, strict=True))
        ],
        "scores_by_prompt": [
            {
                "prompt": str(p),
                "n": int((prompts == p).sum()),
                **{f: float(scores[prompts == p, i].mean()) for i, f in enumerate(names)},
            }
            for p in sorted(set(prompts))
        ],
        "scores": [
            {"prompt": str(p), **{f: float(v) for f, v in zip(names, row, strict=True)}}
            for p, row in zip(prompts, scores, strict=True)
        ],
        "notes": [
            {
                "note": f"Heywood case: the uniqueness of {item} lies on its bound of {SMALLEST_UNIQUENESS}; its loadings are uncertain"
            }
            for item in at_bound
        ],
    }


def _uniqueness(solution: FactorSolution) -> np.ndarray:
    return np.asarray(1 - np.diag(solution.loadings @ solution.phi @ solution.loadings.T))
