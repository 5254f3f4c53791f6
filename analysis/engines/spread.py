"""Do groups of answers share their variances? Restricted likelihood-ratio tests of common variances against one a group.

The fixed effects are the same in both models, so that restricted likelihoods may be compared. A variance that is zero in the
larger model makes the chi-squared distribution too wide, so p is too large there, never too small.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.engines.mixed import SINGULAR, fit, identified
from analysis.engines.reml import Design
from analysis.engines.search import follow


@dataclass(frozen=True)
class Spread:
    """A standard deviation in common and one a group, with the test of the first against the second."""

    groups: tuple[str, ...]
    common: float
    each: tuple[float, ...]
    chi_squared: float
    df: int
    p: float


def of_factor(
    y: np.ndarray, x: np.ndarray, factors: dict[str, np.ndarray], name: str, group: np.ndarray
) -> Spread | None:
    """Does a random factor vary equally in all groups of answers? None where some group's variance can't be told."""
    groups = tuple(np.unique(group.astype(str)).tolist())
    split = apart(factors, name, group)
    others = {k: v for k, v in factors.items() if k != name}
    one, many = fit(y, x, factors), fit(y, x, split)
    sds = tuple(many.sd[len(others) :])
    if np.isnan(sds).any() or "not converged" in (one.state, many.state):
        return None
    return _tested(groups, one.sd[list(factors).index(name)], sds, one.reml - many.reml)


def apart(factors: dict[str, np.ndarray], name: str, group: np.ndarray) -> dict[str, np.ndarray]:
    """The same factors, one of them with a variance of its own in each group of answers."""
    levels = factors[name] if factors[name].ndim == 2 else _indicators(factors[name])
    labels = group.astype(str)
    split = {f"{name} {g}": levels * (labels == g)[:, None] for g in np.unique(labels).tolist()}
    return {k: v for k, v in factors.items() if k != name} | split


def of_residual(y: np.ndarray, x: np.ndarray, factors: dict[str, np.ndarray], group: np.ndarray) -> Spread | None:
    """Is the residual equally wide in all groups of answers? None where a group has too few, or can be fitted to the point."""
    from scipy.optimize import minimize

    groups, codes = np.unique(group.astype(str), return_inverse=True)
    sizes = np.bincount(codes)
    one = fit(y, x, factors)
    if sizes.min() <= x.shape[1] + 1 or len(groups) < 2 or one.state == "not converged":
        return None
    levels, confounded, merged = identified(x, factors)
    kept = [k for k in levels if k not in confounded + merged]
    blocks = [levels[k] for k in kept]
    if any(_to_the_point(y, x, blocks, codes == g) for g in range(len(groups))):
        return None
    start = np.array([max(sd, SINGULAR * one.residual_sd) for k, sd in zip(levels, one.sd, strict=True) if k in kept])
    ratios = (start / one.residual_sd) ** 2

    def scaled(free: np.ndarray) -> tuple[np.ndarray, float]:
        """Deviations of every group over the geometric mean's, and the log-determinant that they add."""
        log = np.append(free, -(free * sizes[:-1]).sum() / sizes[-1])
        return np.exp(log), float(2 * (log * sizes).sum())

    def criterion(free: np.ndarray) -> float:
        relative, log_det = scaled(free)
        w = (1 / relative)[codes]
        design = Design(x, blocks, w)
        _, value, _ = follow(design, design.answers((y * w)[:, None]), ratios)
        return float(value + log_det)

    try:
        found = minimize(
            criterion, np.zeros(len(groups) - 1), method="L-BFGS-B", options={"ftol": 1e-10, "maxiter": 60}
        )
    except np.linalg.LinAlgError:  # it went after a variance that goes to nothing
        return None
    relative, _ = scaled(found.x)
    w = (1 / relative)[codes]
    design = Design(x, blocks, w)
    at = design.answers((y * w)[:, None])
    gamma, _, _ = follow(design, at, ratios)
    base = (
        float(np.sqrt(design.slopes(gamma[None], at).rss[0] / design.free))
        if blocks
        else float(np.sqrt(at.square[0] / design.free))
    )
    if not (np.isfinite(found.fun) and np.isfinite(base) and np.isfinite(relative).all()):
        return None  # some group's answers are fitted to the point
    return _tested(
        tuple(groups.tolist()), one.residual_sd, tuple((base * relative).tolist()), one.reml - float(found.fun)
    )


def _to_the_point(y: np.ndarray, x: np.ndarray, blocks: list[np.ndarray], rows: np.ndarray) -> bool:
    """Whether effects alone give a group's answers exactly, although these are more: its variance goes to zero without end.

    So it is where all people agree about a taste, or each says one thing of all its clips.
    """
    from scipy import sparse
    from scipy.sparse.linalg import lsqr

    size = int(rows.sum())
    columns = [sparse.csr_matrix(x[rows])]
    for block in blocks:
        own = block[rows]
        columns.append(
            sparse.csr_matrix(own)
            if own.ndim == 2
            else sparse.csr_matrix((np.ones(size), (np.arange(size), np.unique(own, return_inverse=True)[1])))
        )
    matrix = sparse.hstack(columns).tocsr()
    if size <= len(np.unique(matrix.indices)):
        return False  # with as many effects as answers the likelihood ends somewhere
    solution = lsqr(matrix, y[rows], atol=1e-12, btol=1e-12, iter_lim=1000)[0]
    return bool(np.linalg.norm(y[rows] - matrix @ solution) <= 1e-7 * np.linalg.norm(y))


def _tested(groups: tuple[str, ...], common: float, each: tuple[float, ...], chi_squared: float) -> Spread:
    from scipy import stats

    chi_squared = max(chi_squared, 0.0)
    return Spread(
        groups, common, each, chi_squared, len(groups) - 1, float(stats.chi2.sf(chi_squared, len(groups) - 1))
    )


def _indicators(labels: np.ndarray) -> np.ndarray:
    names, codes = np.unique(labels, return_inverse=True)
    return np.asarray(np.eye(len(names))[codes])
