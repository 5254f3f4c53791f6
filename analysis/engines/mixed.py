"""Linear mixed models with crossed random intercepts, by REML, with Satterthwaite's degrees of freedom.

The model that the seed paper's data ask for: answers of one person are alike, and so are answers about one clip. The
likelihood is profiled over the fixed effects and the residual variance (Bates, Maechler, Bolker & Walker 2015, eq. 39 and
41), so that only one relative standard deviation a factor is searched; degrees of freedom follow Giesbrecht & Burns (1985)
as lmerTest has them (Kuznetsova, Brockhoff & Christensen 2017). Held to lme4 and lmerTest by tests.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.engines.tails import p_value
from analysis.errors import AnalysisError

LARGEST = 50.0  # of a random effect's deviation over the residual's: a first step far out would lose all digits
TOLERANCE = 1e-4  # of the projected gradient, below which a fit counts as converged


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes
    ----------
    beta, covariance : ndarray
        Fixed effects (p,) and their covariance (p, p).
    sd : tuple of float
        Standard deviations of the random intercepts, one a factor, in the answers' unit; 0 on the boundary.
    residual_sd : float
        Of the residual.
    reml : float
        The REML criterion, -2 log restricted likelihood.
    converged : bool
        Whether the gradient vanished, or points out of the boundary.
    """

    beta: np.ndarray
    covariance: np.ndarray
    sd: tuple[float, ...]
    residual_sd: float
    reml: float
    converged: bool
    _model: _Model

    def test(self, contrast: np.ndarray, alternative: str = "two-sided") -> Contrast:
        """Test a contrast of the fixed effects; the interval is two-sided, 95 %."""
        from scipy import stats

        c = np.asarray(contrast, dtype=float)
        estimate = float(c @ self.beta)
        error = float(np.sqrt(c @ self.covariance @ c))
        df = self._model.satterthwaite(np.array([*self.sd, self.residual_sd]), c)
        t = estimate / error
        p = float(p_value(stats.t.sf(t, df), stats.t.cdf(t, df), alternative))
        half = float(stats.t.ppf(0.975, df)) * error
        return Contrast(estimate, t, df, p, estimate - half, estimate + half)

    def deviations_covariance(self) -> np.ndarray | None:
        """Asymptotic covariance of the standard deviations (random ..., residual).

        A deviation on the boundary counts as known; None where the criterion is flat.
        """
        sds = np.array([*self.sd, self.residual_sd])
        inside = sds > 1e-6 * sds[-1]
        hessian = self._model.hessian(sds, inside)
        if np.linalg.eigvalsh(hessian)[0] <= 0:
            return None
        out = np.zeros((len(sds), len(sds)))
        out[np.ix_(inside, inside)] = 2 * np.linalg.inv(hessian)
        return out


@dataclass(frozen=True)
class Contrast:
    """Estimate, t, Satterthwaite's degrees of freedom, p, and 95 % interval of a contrast."""

    estimate: float
    t: float
    df: float
    p: float
    ci_low: float
    ci_high: float


class _Model:
    """The data in the form that every evaluation needs: cross-products, computed once."""

    def __init__(self, y: np.ndarray, x: np.ndarray, factors: Sequence[np.ndarray]):
        self.n, self.p = x.shape
        # Without random effects the answers are one group without variance of its own: ordinary least squares.
        factors = factors or [np.zeros(self.n, dtype=int)]
        sizes = [int(f.max()) + 1 for f in factors]
        # The factor with most levels (people) has a diagonal block: it is eliminated, so that only the others' (clips)
        # are factored, and ten thousand people cost a hundred times what a hundred do, not a million times.
        self.large = int(np.argmax(sizes))
        self.rest = [k for k in range(len(sizes)) if k != self.large]
        self.sizes = [sizes[k] for k in self.rest]
        starts = np.concatenate([[0], np.cumsum(self.sizes)]).astype(int)
        q, most, first = int(starts[-1]), sizes[self.large], factors[self.large]
        columns = [factors[k] + starts[i] for i, k in enumerate(self.rest)]
        self.counts = np.bincount(first, minlength=most).astype(float)
        self.cross, self.small = np.zeros((most, q)), np.zeros((q, q))
        for c in columns:
            np.add.at(self.cross, (first, c), 1.0)
            for d in columns:
                np.add.at(self.small, (c, d), 1.0)
        right = np.column_stack([x, y])
        self.large_right, self.small_right = np.zeros((most, self.p + 1)), np.zeros((q, self.p + 1))
        np.add.at(self.large_right, first, right)
        for c in columns:
            np.add.at(self.small_right, c, right)
        self.right = right.T @ right
        self._curvature: tuple[bytes, np.ndarray] | None = None

    def solve(self, theta: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
        """Fixed effects, their unscaled covariance, penalised residual sum of squares and log-determinants."""
        from scipy.linalg import cho_factor, cho_solve

        theta = np.asarray(theta, dtype=float)
        scale = np.repeat(theta[self.rest], self.sizes)
        spread = theta[self.large] if len(theta) else 0.0
        diagonal = spread**2 * self.counts + 1
        r1 = spread * self.large_right
        product = r1.T @ (r1 / diagonal[:, None])
        log_det = float(np.log(diagonal).sum())
        if len(scale):
            b = spread * self.cross * scale
            thin = b / diagonal[:, None]
            inner = scale[:, None] * self.small * scale + np.eye(len(scale)) - b.T @ thin
            r2 = scale[:, None] * self.small_right - thin.T @ r1
            factor = cho_factor(inner, lower=True, check_finite=False)
            product += r2.T @ cho_solve(factor, r2, check_finite=False)
            log_det += 2 * float(np.log(np.diag(factor[0])).sum())
        left = self.right - product
        xvx, xvy = left[:-1, :-1], left[:-1, -1]
        covariance = np.linalg.inv(xvx)
        beta = covariance @ xvy
        rss = left[-1, -1] - beta @ xvy
        return beta, covariance, float(rss), log_det + float(np.linalg.slogdet(xvx)[1])

    def criterion(self, theta: np.ndarray) -> float:
        """-2 log restricted likelihood, profiled over the residual variance."""
        _, _, rss, log_det = self.solve(theta)
        free = self.n - self.p
        return log_det + free * (1 + float(np.log(2 * np.pi * max(rss, 1e-300) / free)))

    def deviance(self, sds: np.ndarray) -> float:
        """-2 log restricted likelihood at standard deviations (random ..., residual)."""
        sigma = float(sds[-1])
        _, _, rss, log_det = self.solve(sds[:-1] / sigma)
        free = self.n - self.p
        return log_det + free * float(np.log(2 * np.pi * sigma**2)) + rss / sigma**2

    def variance(self, sds: np.ndarray, c: np.ndarray) -> float:
        """Variance of a contrast at standard deviations."""
        sigma = float(sds[-1])
        return float(sigma**2 * (c @ self.solve(sds[:-1] / sigma)[1] @ c))

    def _steps(self, sds: np.ndarray, inside: np.ndarray) -> np.ndarray:
        return np.asarray(1e-4 * np.maximum(sds[inside], 1e-3 * sds[-1]))

    def hessian(self, sds: np.ndarray, inside: np.ndarray) -> np.ndarray:
        """Second derivatives of the deviance in the deviations that are `inside` the boundary; kept for the next contrast."""
        if self._curvature is None or self._curvature[0] != sds.tobytes():
            step = self._steps(sds, inside)
            k = len(step)
            hessian = np.zeros((k, k))
            places = np.flatnonzero(inside)
            for i in range(k):
                for j in range(i, k):
                    a, b = np.zeros_like(sds), np.zeros_like(sds)
                    a[places[i]], b[places[j]] = step[i] * 10, step[j] * 10
                    start = np.where(inside, sds, 0.0)
                    values = [self.deviance(start + u * a + v * b) for u, v in ((1, 1), (1, -1), (-1, 1), (-1, -1))]
                    size = 400 * step[i] * step[j]
                    hessian[i, j] = hessian[j, i] = (values[0] - values[1] - values[2] + values[3]) / size
            self._curvature = (sds.tobytes(), hessian)
        return self._curvature[1]

    def satterthwaite(self, sds: np.ndarray, c: np.ndarray) -> float:
        """Degrees of freedom 2 V^2 / (g' A g), A the inverse of half the deviance's Hessian in the deviations."""
        inside = sds > 1e-6 * sds[-1]  # a factor on the boundary is taken as known to be 0, as lmerTest does
        at = sds[inside]
        step = self._steps(sds, inside)

        def full(s: np.ndarray) -> np.ndarray:
            out = np.zeros_like(sds)
            out[inside] = s
            return out

        hessian = self.hessian(sds, inside)
        gradient = np.array(
            [
                (self.variance(full(at + d), c) - self.variance(full(at - d), c)) / (2 * step[i])
                for i, d in enumerate(np.diag(step))
            ]
        )
        # Close to the boundary the criterion is flat in a deviation that the variance hardly depends on: the
        # pseudo-inverse leaves that direction out.
        spread = float(gradient @ np.linalg.pinv(hessian / 2, rcond=1e-8, hermitian=True) @ gradient)
        v = self.variance(sds, c)
        return float(2 * v**2 / spread) if spread > 0 else float(self.n - self.p)


def _best(model: _Model, factors: int) -> np.ndarray:
    """Relative standard deviations at the smallest criterion, from a large and a small start."""
    from scipy.optimize import minimize

    best = None
    for start in (0.5, 0.05):
        found = minimize(
            model.criterion,
            np.full(factors, start),
            method="L-BFGS-B",
            bounds=[(0, LARGEST)] * factors,
            options={"ftol": 1e-13, "gtol": 1e-7, "maxiter": 300},
        )
        if best is None or found.fun < best.fun - 1e-9:
            best = found
    assert best is not None
    return np.where(best.x < 1e-5, 0.0, best.x)


def fit(y: np.ndarray, x: np.ndarray, factors: Sequence[np.ndarray]) -> Fit:
    """Fit by REML.

    Parameters
    ----------
    y : ndarray
        (n,) answers.
    x : ndarray
        (n, p) fixed effects of full column rank.
    factors : sequence of ndarray
        For each random intercept (n,) labels of any kind; none: ordinary least squares.

    Raises
    ------
    AnalysisError
        If there is nothing to fit: fewer answers than unknowns, constant answers, dependent columns, or a factor with
        a single level, or as many as answers.
    """
    y, x = np.asarray(y, dtype=float), np.asarray(x, dtype=float)
    codes = [np.unique(f, return_inverse=True)[1] for f in factors]
    if not np.isfinite(y).all() or not np.isfinite(x).all():
        raise AnalysisError("the mixed model was given missing or infinite answers; drop them first")
    if len(y) <= x.shape[1] + len(codes) or np.ptp(y) == 0:
        raise AnalysisError("the mixed model needs answers that vary, and more of them than unknowns")
    if np.linalg.matrix_rank(x) < x.shape[1]:
        raise AnalysisError("the mixed model's fixed effects depend on each other; leave one out")
    for k, f in enumerate(codes):
        if f.max() == 0 or f.max() + 1 >= len(y):
            raise AnalysisError(
                f"random effect {k + 1} of the mixed model has {f.max() + 1} levels in {len(y)} answers"
            )
    model = _Model(y, x, codes)
    theta = _best(model, len(codes)) if codes else np.zeros(0)
    h = 1e-5
    slope = np.array(
        [
            (model.criterion(theta + h * e) - model.criterion(np.maximum(theta - h * e, 0))) / (h if t < h else 2 * h)
            for t, e in zip(theta, np.eye(len(theta)), strict=True)
        ]
    )
    converged = bool(np.all((np.abs(slope) < TOLERANCE * len(y)) | ((theta == 0) & (slope > 0))))
    beta, covariance, rss, _ = model.solve(theta)
    sigma = float(np.sqrt(rss / (model.n - model.p)))
    return Fit(
        beta,
        covariance * sigma**2,
        tuple(float(t * sigma) for t in theta),
        sigma,
        model.criterion(theta),
        converged,
        model,
    )
