"""Measurement invariance: do the adjectives mean the same to two groups of people (languages, ages, cultures)?

Multi-group confirmatory factor analysis by maximum likelihood (Joereskog 1971), in the usual three steps: the same items
load on the same factors (configural), with the same loadings (metric), and with the same intercepts (scalar). Fit measures
as lavaan's cfa(group.equal = ...), which tests hold them to. A step holds while CFI falls by no more than .01 (Cheung &
Rensvold 2002). Clips of one person are not independent, so the chi-square is liberal: the difference between two steps has
its p by shuffling people between the groups.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.errors import AnalysisError

STEPS = ("configural", "metric", "scalar")


@dataclass(frozen=True)
class _Group:
    n: int
    mean: np.ndarray
    covariance: np.ndarray  # of maximum likelihood: divided by n


@dataclass(frozen=True)
class GroupFit:
    """Chi-square of one step, its degrees of freedom, CFI, RMSEA, and whether the search ended at an optimum."""

    chi_square: float
    df: int
    p: float
    cfi: float
    rmsea: float
    converged: bool


class _Layout:
    """Where every unknown of one step lies in the vector that is searched.

    The first item of each factor has loading 1 (the marker); factor covariances are L L' with L lower triangular, residual
    variances exponentials, so every vector is a proper model.
    """

    def __init__(self, of_item: np.ndarray, groups: int, step: str):
        self.of_item, self.groups, self.step = of_item, groups, step
        self.items, self.k = len(of_item), int(of_item.max()) + 1
        self.markers = np.array([int(np.flatnonzero(of_item == f)[0]) for f in range(self.k)])
        self.free_items = np.setdiff1d(np.arange(self.items), self.markers)
        self.lower = np.tril_indices(self.k)
        self._at = 0
        shared = step != "configural"
        self.loadings = [self._take(len(self.free_items)) for _ in range(1 if shared else groups)]
        self.intercepts = [self._take(self.items) for _ in range(1 if step == "scalar" else groups)]
        self.factor = [self._take(len(self.lower[0])) for _ in range(groups)]
        self.residual = [self._take(self.items) for _ in range(groups)]
        self.means = [self._take(self.k) for _ in range(groups - 1 if step == "scalar" else 0)]
        self.size = self._at

    def _take(self, n: int) -> slice:
        out = slice(self._at, self._at + n)
        self._at += n
        return out

    def start(self, data: list[_Group]) -> np.ndarray:
        theta = np.zeros(self.size)
        for s in self.loadings:
            theta[s] = 1.0
        for g, group in enumerate(data):
            variance = np.diag(group.covariance)
            theta[self.intercepts[min(g, len(self.intercepts) - 1)]] = group.mean
            lower = np.zeros((self.k, self.k))
            np.fill_diagonal(lower, np.sqrt(0.4 * variance[self.markers]))
            theta[self.factor[g]] = lower[self.lower]
            theta[self.residual[g]] = np.log(0.6 * variance)
        return theta

    def objective(self, theta: np.ndarray, data: list[_Group]) -> tuple[float, np.ndarray]:
        """Weighted discrepancy and its gradient."""
        total = sum(g.n for g in data)
        value, gradient = 0.0, np.zeros_like(theta)
        for g, group in enumerate(data):
            s_load = self.loadings[min(g, len(self.loadings) - 1)]
            s_cut = self.intercepts[min(g, len(self.intercepts) - 1)]
            load = np.zeros((self.items, self.k))
            load[self.markers, np.arange(self.k)] = 1.0
            load[self.free_items, self.of_item[self.free_items]] = theta[s_load]
            low = np.zeros((self.k, self.k))
            low[self.lower] = theta[self.factor[g]]
            residual = np.exp(theta[self.residual[g]])
            s_mean = self.means[g - 1] if self.means and g > 0 else None
            latent = np.zeros(self.k) if s_mean is None else theta[s_mean]
            phi = low @ low.T
            sigma = load @ phi @ load.T + np.diag(residual)
            off = group.mean - theta[s_cut] - load @ latent
            sign, log_det = np.linalg.slogdet(sigma)
            if sign <= 0 or not np.isfinite(log_det):
                return 1e10, np.zeros_like(theta)
            inverse = np.linalg.inv(sigma)
            share = group.n / total
            value += share * (
                log_det
                + float((group.covariance * inverse).sum())
                + float(off @ inverse @ off)
                - np.linalg.slogdet(group.covariance)[1]
                - self.items
            )
            w = inverse - inverse @ (group.covariance + np.outer(off, off)) @ inverse
            by_mean = -2 * inverse @ off
            by_load = 2 * w @ load @ phi + np.outer(by_mean, latent)
            gradient[s_load] += share * by_load[self.free_items, self.of_item[self.free_items]]
            gradient[s_cut] += share * by_mean
            gradient[self.factor[g]] += share * (2 * load.T @ w @ load @ low)[self.lower]
            gradient[self.residual[g]] += share * np.diag(w) * residual
            if s_mean is not None:
                gradient[s_mean] += share * (load.T @ by_mean)
        return value, gradient


def _groups(values: np.ndarray, side: np.ndarray) -> list[_Group]:
    out = []
    for name in np.unique(side):
        part = values[side == name]
        if len(part) <= values.shape[1] + 1:
            raise AnalysisError(f"a group has {len(part)} rows; a factor model of {values.shape[1]} items needs more")
        covariance = np.cov(part, rowvar=False, ddof=0)
        if np.linalg.eigvalsh(covariance)[0] < 1e-10:
            raise AnalysisError("in a group an item never varies, or follows from others; invariance can't be tested")
        out.append(_Group(len(part), part.mean(axis=0), covariance))
    return out


def fit_groups(values: np.ndarray, side: np.ndarray, of_item: np.ndarray, step: str) -> GroupFit:
    """Fit one step of a multi-group factor model.

    Parameters
    ----------
    values : ndarray
        (rows, items), each item on one factor.
    side : ndarray
        (rows,) the group of every row.
    of_item : ndarray
        (items,) the number of the factor that an item loads on.
    step : {"configural", "metric", "scalar"}

    Raises
    ------
    AnalysisError
        If a group is too small, or its covariance singular.
    """
    from scipy.optimize import minimize
    from scipy.stats import chi2

    data = _groups(np.asarray(values, dtype=float), side)
    layout = _Layout(np.asarray(of_item), len(data), step)
    found = minimize(
        layout.objective, layout.start(data), (data,), jac=True, method="BFGS", options={"gtol": 1e-6, "maxiter": 2000}
    )
    total = sum(g.n for g in data)
    p = layout.items
    df = len(data) * (p * (p + 3) // 2) - layout.size
    statistic = float(total * max(found.fun, 0.0))
    alone = sum(
        g.n * (np.log(np.diag(g.covariance)).sum() - np.linalg.slogdet(g.covariance)[1]) for g in data
    )  # the model without factors
    lost, worst = max(statistic - df, 0.0), max(float(alone) - len(data) * p * (p - 1) / 2, statistic - df, 1e-12)
    return GroupFit(
        statistic,
        df,
        float(chi2.sf(statistic, df)),
        1 - lost / worst,
        float(np.sqrt(lost / (total * df)) * np.sqrt(len(data))),
        bool(np.abs(found.jac).max() < 1e-4),
    )


def analyse(
    values: np.ndarray,
    people: np.ndarray,
    group_of: dict[Any, str],
    loadings: np.ndarray,
    permutations: int,
    rng: np.random.Generator,
) -> list[dict[str, Any]]:
    """All three steps between the groups of `group_of`; items go to the factor of their largest loading.

    Factors with a single item are left out with it: one item measures nothing by itself. Rows: step, chi-square, df, p,
    CFI, its fall since the step before, RMSEA, p of the difference by permutation, and whether the step holds.
    """
    known = np.array([p in group_of for p in people])
    values, people = values[known], people[known]
    strongest = np.abs(loadings).argmax(axis=1)
    kept = [f for f in np.unique(strongest) if (strongest == f).sum() >= 2]
    if not kept:
        raise AnalysisError("no factor has two items of its own; invariance can't be tested")
    own = np.isin(strongest, kept)
    values = values[:, own] * np.sign(loadings[np.arange(len(loadings)), strongest])[own]
    of_item = np.searchsorted(np.array(kept), strongest[own])
    ids = np.unique(people)
    labels = np.array([group_of[p] for p in ids])
    at = np.searchsorted(ids, people)

    fits = [fit_groups(values, labels[at], of_item, step) for step in STEPS]
    falls = [fits[k + 1].chi_square - fits[k].chi_square for k in range(2)]
    null = []
    for _ in range(permutations):
        side = rng.permutation(labels)[at]
        try:
            drawn = [fit_groups(values, side, of_item, step) for step in STEPS]
        except AnalysisError:
            continue
        null.append([drawn[k + 1].chi_square - drawn[k].chi_square for k in range(2)])
    rows: list[dict[str, Any]] = []
    holds = True
    for k, (step, fit) in enumerate(zip(STEPS, fits, strict=True)):
        fall = None if k == 0 else fits[k - 1].cfi - fit.cfi
        p = None
        if k and null:
            p = float((sum(d[k - 1] >= falls[k - 1] for d in null) + 1) / (len(null) + 1))
        holds = holds and fit.converged and (fit.cfi >= 0.90 if fall is None else fall <= 0.01)
        rows.append(
            {
                "step": step, "groups": " | ".join(sorted(set(labels))), "n": len(values), "n_items": int(own.sum()),
                "chi_square": fit.chi_square, "df": fit.df, "p": fit.p, "cfi": fit.cfi, "cfi_fall": fall,
                "rmsea": fit.rmsea, "p_permutation": p, "permutations": len(null), "converged": fit.converged,
                "holds": bool(holds),
            }
        )  # fmt: skip
    return rows
