"""Cumulative link mixed models (proportional odds, logit) with crossed random intercepts, by Laplace's approximation.

Ratings from 1 to 5 are ordered words, not lengths. The model is R's ``ordinal::clmm(y ~ x + (1 | a) + (1 | b))``
(Christensen 2019): P(y <= k) = logistic(theta_k - x beta - u_a - v_b) with normal u and v. Held to clmm by a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.engines.mixed import Factors, identified, state_of
from analysis.engines.tails import p_value
from analysis.errors import AnalysisError

Slopes = Callable[[np.ndarray], tuple[float, np.ndarray]]
LOWEST, HIGHEST = -6.0, 3.0  # of the log standard deviations
NOTHING = -4.5  # of the same: one percent of a logit, from where down the likelihood is flat
ENDLESS = 20.0  # logits: an effect over its whole range that is no surer than this has no estimate
BEGIN, SOME = -0.7, (-3.0, -1.5, -0.7)  # of the same: where a search begins, and what is tried where it ended at none


@dataclass(frozen=True)
class OrdinalFit:
    """A fitted model.

    Attributes
    ----------
    beta, covariance : ndarray
        Effects on the latent logit scale (p,), and the covariance of these and of the thresholds' free parameters (first, then log gaps).
    thresholds : ndarray
        (K - 1,) cut points between K ordered answers.
    sd : tuple of float
        Standard deviations of the random intercepts, one a given factor; 0 on the boundary, nan where it was left out.
    log_likelihood : float
        Laplace's approximation of it.
    converged : bool
        Whether the gradient vanished.
    state : str
        As that of `analysis.engines.mixed.Fit`.
    """

    beta: np.ndarray
    covariance: np.ndarray
    thresholds: np.ndarray
    sd: tuple[float, ...]
    log_likelihood: float
    converged: bool
    state: str = "ok"

    def test(self, contrast: np.ndarray, alternative: str = "two-sided") -> tuple[float, float, float, float]:
        """Estimate (log odds), standard error, z and p (Wald) of a contrast of beta."""
        from scipy.special import ndtr

        c = np.asarray(contrast, dtype=float)
        p = len(self.beta)
        estimate = float(c @ self.beta)
        error = float(np.sqrt(c @ self.covariance[:p, :p] @ c))
        z = estimate / error
        return estimate, error, z, float(p_value(ndtr(-z), ndtr(z), alternative))


class _Ordinal:
    """Data and the inner problem: the random effects' mode for given parameters, started from the last one."""

    def __init__(self, y: np.ndarray, x: np.ndarray, factors: Sequence[np.ndarray]):
        self.y, self.x = y, x
        self.k = int(y.max()) + 1
        self.sizes = [int(f.max()) + 1 for f in factors]  # none: proportional odds without random effects
        starts = np.concatenate([[0], np.cumsum(self.sizes)])
        self.columns = [f + starts[i] for i, f in enumerate(factors)]
        self.q = int(starts[-1])
        self.u = np.zeros(self.q)
        # As in `analysis.engines.mixed`: the block of the factor with most levels is diagonal and is eliminated.
        large = self.largest = int(np.argmax(self.sizes)) if self.sizes else 0
        self.large = slice(int(starts[large]), int(starts[large + 1])) if self.sizes else slice(0, 0)
        self.rest = np.setdiff1d(np.arange(self.q), np.arange(self.large.start, self.large.stop))
        place = np.zeros(self.q, dtype=int)
        place[self.rest] = np.arange(len(self.rest))
        # Each answer's level of each factor, as a place in its block.
        self.rows = [f if k == large else place[c] for k, (f, c) in enumerate(zip(factors, self.columns, strict=True))]
        self.first = self.rows[large] if self.sizes else np.zeros(0, dtype=int)
        self.others = [r for k, r in enumerate(self.rows) if k != large]

    def parts(self, parameters: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Effects, increasing thresholds (first, then log gaps) and standard deviations from the free parameters."""
        p, m = self.x.shape[1], len(parameters) - len(self.sizes)
        gaps = parameters[p : p + self.k - 1]
        thresholds = gaps[0] + np.concatenate([[0.0], np.cumsum(np.exp(gaps[1:]))])
        return parameters[:p], thresholds, np.exp(parameters[m:])

    def _terms(self, eta: np.ndarray, thresholds: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Log-likelihood, its slope and minus its curvature in eta, per answer."""
        from scipy.special import expit

        cuts = np.concatenate([[-np.inf], thresholds, [np.inf]])
        above, below = expit(cuts[self.y + 1] - eta), expit(cuts[self.y] - eta)
        p = np.maximum(above - below, 1e-300)
        fa, fb = above * (1 - above), below * (1 - below)
        slope = -(fa - fb) / p
        second = (fa * (1 - 2 * above) - fb * (1 - 2 * below)) / p - slope**2
        return float(np.log(p).sum()), slope, np.maximum(-second, 1e-12)

    def deviance(self, parameters: np.ndarray) -> float:
        """-2 log likelihood by Laplace's approximation."""
        return self._at(parameters)[0]

    def slopes(self, parameters: np.ndarray) -> tuple[float, np.ndarray]:
        """The deviance, and its derivative by each of the free parameters.

        At the mode the likelihood's own derivative is that with the random effects held. What they move with the parameters counts
        in the determinant alone: through the curvature of each answer, which is a third derivative.
        """
        value, curve = self._at(parameters)
        beta, thresholds, sds = self.parts(parameters)
        scale, u = np.repeat(sds, self.sizes), self.u
        eta = self.x @ beta + sum(scale[c] * u[c] for c in self.columns)
        d = _Derivatives(eta, self.y, thresholds)
        leverage, by_factor = curve.leverage(scale)
        # What a push at the random effects adds by the determinant.
        z = curve.solve(self._spread(leverage * d.weight_eta, scale))
        moved = sum((scale[c] * z[c] for c in self.columns), np.zeros(len(eta)))
        # Of an answer's predictor, of its upper and of its lower cut.
        by_eta = -2 * d.slope + leverage * d.weight_eta - moved * d.weight
        by_above = -2 * d.above + leverage * d.weight_above + moved * d.slope_above
        by_below = -2 * d.below + leverage * d.weight_below + moved * d.slope_below
        cuts = np.bincount(self.y, by_above, minlength=self.k)[: self.k - 1]
        cuts = cuts + np.bincount(self.y, by_below, minlength=self.k)[1:]
        gaps = np.exp(parameters[self.x.shape[1] + 1 : self.x.shape[1] + self.k - 1])
        behind = np.cumsum(cuts[::-1])[::-1]
        deviations = [
            float((scale[c] * (by_eta * u[c] + d.slope * z[c]) + 2 * d.weight * own).sum())
            for c, own in zip(self.columns, by_factor, strict=True)
        ]
        return value, np.concatenate([self.x.T @ by_eta, behind[:1], gaps * behind[1:], deviations])

    def _spread(self, of_answers: np.ndarray, scale: np.ndarray) -> np.ndarray:
        """S Z' times what each answer has."""
        out = np.zeros(self.q)
        for c in self.columns:
            out += np.bincount(c, scale[c] * of_answers, minlength=self.q)
        return out

    def _at(self, parameters: np.ndarray) -> tuple[float, _Curve]:
        """The deviance, and the curvature of the random effects at their mode, which is kept."""
        beta, thresholds, sds = self.parts(parameters)
        fixed = self.x @ beta
        scale = np.repeat(sds, self.sizes)
        u = self.u
        for _ in range(60):
            eta = fixed + sum(scale[c] * u[c] for c in self.columns)
            value, slope, weight = self._terms(eta, thresholds)
            value -= 0.5 * float(u @ u)
            gradient = self._spread(slope, scale) - u
            curve = _Curve(self, weight, scale)
            step = curve.solve(gradient)
            if abs(float(gradient @ step)) < 1e-20 * max(1.0, 1e-3 * len(self.y)):
                break
            share = 1.0
            while share > 1e-6:
                trial = u + share * step
                eta = fixed + sum(scale[c] * trial[c] for c in self.columns)
                if self._terms(eta, thresholds)[0] - 0.5 * float(trial @ trial) >= value - 1e-12 * max(1.0, abs(value)):
                    break
                share /= 2
            u = u + share * step
        self.u = u
        return -2 * value + curve.log_det, curve


class _Derivatives:
    """Of each answer's log-likelihood: by its predictor, by its upper and its lower cut, and of the weight by the same."""

    def __init__(self, eta: np.ndarray, y: np.ndarray, thresholds: np.ndarray):
        from scipy.special import expit

        cuts = np.concatenate([[-np.inf], thresholds, [np.inf]])
        a, b = expit(cuts[y + 1] - eta), expit(cuts[y] - eta)
        p = np.maximum(a - b, 1e-300)
        # First, second and third derivative of the logistic at both cuts, as shares of the probability between them.
        a1, b1 = a * (1 - a) / p, b * (1 - b) / p
        a2, b2 = a1 * (1 - 2 * a), b1 * (1 - 2 * b)
        a3, b3 = a2 * (1 - 2 * a) - 2 * a1 * a * (1 - a), b2 * (1 - 2 * b) - 2 * b1 * b * (1 - b)
        n1, n2, n3 = a1 - b1, a2 - b2, a3 - b3
        self.slope, self.above, self.below = -n1, a1, -b1
        self.slope_above, self.slope_below = n1 * a1 - a2, b2 - n1 * b1
        free = n1**2 - n2 > 1e-12
        self.weight = np.maximum(n1**2 - n2, 1e-12)
        self.weight_eta = free * (n3 - 3 * n1 * n2 + 2 * n1**3)
        self.weight_above = free * (n2 * a1 - a3 + 2 * n1 * a2 - 2 * n1**2 * a1)
        self.weight_below = free * (b3 - n2 * b1 - 2 * n1 * b2 + 2 * n1**2 * b1)


class _Curve:
    """The random effects' curvature I + S Z' W Z S, factored."""

    def __init__(self, of: _Ordinal, weight: np.ndarray, scale: np.ndarray):
        from scipy.linalg import cho_factor

        self.of = of
        size, q = of.large.stop - of.large.start, len(of.rest)
        s1, s2 = scale[of.large], scale[of.rest]
        self.diagonal = 1 + s1**2 * np.bincount(of.first, weight, minlength=size) if size else np.zeros(0)
        self.log_det = float(np.log(self.diagonal).sum())
        self.thin, self.factor = np.zeros((size, 0)), None
        if q == 0:
            return
        cross, small = np.zeros(size * q), np.zeros(q * q)
        for a in of.others:
            cross += np.bincount(of.first * q + a, weight, minlength=size * q)
            for b in of.others:
                small += np.bincount(a * q + b, weight, minlength=q * q)
        self.b = s1[:, None] * cross.reshape(size, q) * s2
        self.thin = self.b / self.diagonal[:, None]
        inner = s2[:, None] * small.reshape(q, q) * s2 + np.eye(q) - self.b.T @ self.thin
        self.factor = cho_factor(inner, lower=True, check_finite=False)
        self.log_det += 2 * float(np.log(np.diag(self.factor[0])).sum())

    def solve(self, right: np.ndarray) -> np.ndarray:
        """Newton's step for a gradient."""
        from scipy.linalg import cho_solve

        out = np.empty_like(right)
        first = right[self.of.large]
        if self.factor is None:
            out[self.of.large] = first / self.diagonal
            return out
        out[self.of.rest] = cho_solve(self.factor, right[self.of.rest] - self.thin.T @ first, check_finite=False)
        out[self.of.large] = (first - self.b @ out[self.of.rest]) / self.diagonal
        return out

    def leverage(self, scale: np.ndarray) -> tuple[np.ndarray, list[np.ndarray]]:
        """m' H^-1 m of each answer's row m of Z S, and m' H^-1 m_k with what a factor k alone has in that row."""
        from scipy.linalg import cho_solve

        of = self.of
        if not of.sizes:
            return np.zeros(len(of.y)), []
        rows, large = of.rows, of.largest
        own = 1 / self.diagonal
        q = self.thin.shape[1]
        inverse = cho_solve(self.factor, np.eye(q), check_finite=False) if self.factor is not None else np.zeros((0, 0))
        across = -self.thin @ inverse
        own = own - (across * self.thin).sum(axis=1)

        def entry(j: int, k: int) -> np.ndarray:
            if j == k == large:
                return own[rows[j]]
            if large in (j, k):
                return across[of.first, rows[k if j == large else j]]
            return inverse[rows[j], rows[k]]

        every = range(len(of.sizes))
        factors = [scale[of.columns[k]] * sum(scale[of.columns[j]] * entry(j, k) for j in every) for k in every]
        return np.sum(factors, axis=0), factors


def fit_ordinal(y: np.ndarray, x: np.ndarray, factors: Factors) -> OrdinalFit:
    """Fit by maximum likelihood.

    Parameters
    ----------
    y : ndarray
        (n,) ordered answers; only their order counts.
    x : ndarray
        (n, p) effects without an intercept (the thresholds are one).
    factors : mapping or sequence
        Labels (n,) of each random intercept. What has no variance of its own in this design is left out, and said.

    Raises
    ------
    AnalysisError
        If all answers are the same, or there are fewer answers than unknowns.
    """
    levels, codes = np.unique(np.asarray(y, dtype=float), return_inverse=True)
    x = np.asarray(x, dtype=float).reshape(len(codes), -1)
    if not isinstance(factors, Mapping):
        factors = {f"factor {k + 1}": f for k, f in enumerate(factors)}
    if len(levels) < 2 or len(codes) <= x.shape[1] + len(levels) + len(factors):
        raise AnalysisError("the ordinal model needs answers that vary, and more of them than unknowns")
    whole = np.column_stack([np.ones(len(codes)), x])
    if np.linalg.matrix_rank(whole) < whole.shape[1]:
        raise AnalysisError("the ordinal model's effects depend on each other; leave one out")
    groups, confounded, merged = identified(whole, factors)
    kept = [name for name in groups if name not in confounded + merged]
    model = _Ordinal(codes, x, [groups[name] for name in kept])
    found, sds, good = _fitted(model, len(levels), codes)
    sd = tuple(float(sds[kept.index(name)]) if name in kept else float("nan") for name in groups)
    beta, covariance, thresholds, value = found
    state = state_of(list(groups), sd, confounded, converged=good)
    return OrdinalFit(beta, covariance, thresholds, sd, -value / 2, good, state)


def _fitted(
    model: _Ordinal, levels: int, codes: np.ndarray
) -> tuple[tuple[np.ndarray, np.ndarray, np.ndarray, float], np.ndarray, bool]:
    """Effects, their covariance, thresholds and deviance; standard deviations, 0 on the boundary; whether the slope vanished."""
    from scipy.optimize import minimize

    share = np.cumsum(np.bincount(codes))[:-1] / len(codes)
    cuts = np.log(share / (1 - share))
    p, q = model.x.shape[1], len(model.sizes)
    fixed = np.concatenate([np.zeros(p), cuts[:1], np.log(np.maximum(np.diff(cuts), 1e-3))])
    bounds = [(None, None)] * (p + levels - 1) + [(LOWEST, HIGHEST)] * q

    def searched(start: np.ndarray) -> tuple[np.ndarray, float]:
        model.u = np.zeros(model.q)
        found = minimize(
            model.slopes,
            start,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"ftol": 1e-12, "maxiter": 400},
        )
        return np.array(found.x, dtype=float), float(found.fun)

    at, value = searched(np.concatenate([fixed, np.full(q, BEGIN)]))
    # In the log of a deviation the likelihood is flat towards none, so that a search may stay there: none counts only where
    # some is no better.
    for k in range(p + levels - 1, p + levels - 1 + q):
        if at[k] <= NOTHING:
            begin = min((np.where(np.arange(len(at)) == k, some, at) for some in SOME), key=model.deviance)
            if model.deviance(begin) < value - 1e-9:
                at, value = min((at, value), searched(begin), key=lambda ended: ended[1])
    lowest = [b[0] for b in bounds]
    free = [i for i, low in enumerate(lowest) if low is None or at[i] > NOTHING]
    slope = float("inf")
    # L-BFGS ends a little early; Newton's steps go the rest of the way.
    for _ in range(8):
        gradient = model.slopes(at)[1][free]
        hessian = _hessian(model.slopes, at, free)
        slope = float(np.abs(gradient).max())
        if slope < 1e-4:
            break
        step = np.zeros_like(at)
        try:
            step[free] = -np.linalg.solve(hessian, gradient)
        except np.linalg.LinAlgError:  # a direction that says nothing
            break
        for length in (1.0, 0.5, 0.25, 0.1):
            try:
                there = model.deviance(at + length * step)
            except np.linalg.LinAlgError:  # so far out that nothing can be computed
                continue
            if there < value:
                at, value = at + length * step, there
                break
        else:
            break
    beta, thresholds, sds = model.parts(at)
    # The thresholds' covariance is left in their free parameters; beta stands first and is what is tested.
    try:
        covariance = np.linalg.inv(hessian / 2)[: p + levels - 1, : p + levels - 1]
    except np.linalg.LinAlgError:
        covariance = np.full((p + levels - 1, p + levels - 1), np.nan)
    # A slope of .01 moves the log likelihood by less than a thousandth; with more answers it is steeper everywhere.
    good = slope < 1e-2 * max(1.0, len(codes) / 1000) and bool(np.all(np.diag(covariance) > 0))
    good = good and bool(np.all(at[p + levels - 1 :] < HIGHEST - 1e-3))
    # Where all answers to something lie at one end, its effect has none: the search stops where the likelihood is flat.
    over = np.concatenate([np.ptp(model.x, axis=0), np.ones(levels - 1)])
    good = good and bool(np.all(np.sqrt(np.diag(covariance)) * over < ENDLESS))
    sds = np.where(at[p + levels - 1 :] <= NOTHING, 0.0, sds)
    return (beta, covariance, thresholds, value), sds, good


def _hessian(slopes: Slopes, at: np.ndarray, free: list[int]) -> np.ndarray:
    """Central differences of the slopes, in the free parameters."""
    e = np.eye(len(at))[free] * 1e-4
    found = np.array([(slopes(at + d)[1] - slopes(at - d)[1])[free] / 2e-4 for d in e])
    return (found + found.T) / 2
