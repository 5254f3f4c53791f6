"""The restricted likelihood of linear mixed models with crossed random intercepts, for many studies of one design at once.

y = X beta + sum_k Z_k b_k + e, with var b_k = gamma_k sigma^2 and var e = sigma^2. The criterion is profiled over beta and
sigma (Bates, Maechler, Bolker & Walker 2015, eq. 41) and written in the variance ratios gamma, not in their roots: in the roots
it is even, so that zero is always a stationary point and a search may stop there; in gamma it has a slope at zero. Gradient
and Hessian are exact (Lindstrom & Bates 1988).

The factor with most levels (people) is eliminated. All that is left of it are sums over the people who gave equally many
answers, so that one evaluation costs the same for a hundred people as for ten thousand; and as X and Z are the same in all studies
of a design, thousands of studies are fitted by a few products of small matrices.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np


@dataclass(frozen=True)
class Slopes:
    """Criterion (studies,), and its gradient (studies, K) and Hessian (studies, K, K) in the variance ratios."""

    value: np.ndarray
    gradient: np.ndarray
    hessian: np.ndarray
    rss: np.ndarray
    traces: np.ndarray  # (studies, K, K) tr(P V_k P V_l)
    quadratics: np.ndarray  # (studies, K, K) y'P V_k P V_l P y
    lengths: np.ndarray  # (studies, K) y'P V_k P y


class Design:
    """Fixed effects and random factors in the form that every evaluation needs: cross-products, computed once.

    Parameters
    ----------
    x : ndarray
        (n, p) fixed effects of full column rank.
    factors : sequence of ndarray
        Random intercepts, each (n,) whole numbers 0, 1, ... (levels), or (n, levels) of any weights, e.g. +1 and -1 for the
        two clips of a comparison.
    scale : ndarray, optional
        (n,) what every row of `x` and of the factors is multiplied by; whoever gives answers multiplies these.
    """

    def __init__(self, x: np.ndarray, factors: Sequence[np.ndarray], scale: np.ndarray | None = None):
        self.n, self.p = x.shape
        self.scale = np.ones(self.n) if scale is None else scale
        self.factors = len(factors)
        labels = [k for k, f in enumerate(factors) if f.ndim == 1]
        sizes = [int(f.max()) + 1 if f.ndim == 1 else f.shape[1] for f in factors]
        self.large = max(labels, key=lambda k: sizes[k]) if labels else None
        self.rest = [k for k in range(len(factors)) if k != self.large]
        self.basis, self.triangle = np.linalg.qr(x * self.scale[:, None])
        blocks = [_columns(factors[k], sizes[k]) * self.scale[:, None] for k in self.rest]
        self.right = np.hstack([*blocks, self.basis])
        ends = np.cumsum([0, *(sizes[k] for k in self.rest)])
        self.blocks = [slice(int(a), int(b)) for a, b in pairwise(ends)]
        self.q, self.r = int(ends[-1]), self.right.shape[1]
        self.owner = np.repeat(np.arange(len(self.rest)), np.diff(ends))
        self.small = self.right.T @ self.right
        if self.large is None:
            self.first, self.levels = np.zeros(self.n, dtype=int), 0
            self.counts, self.members = np.zeros(1), np.zeros(1)
            self.of_level, self.cross = np.zeros(1, dtype=int), np.zeros((1, self.r))
        else:
            self.first, self.levels = factors[self.large], sizes[self.large]
            each = np.bincount(self.first, self.scale**2, minlength=self.levels).round(
                10
            )  # sums of equal weights are equal
            self.counts, self.of_level = np.unique(each, return_inverse=True)
            self.members = np.bincount(self.of_level).astype(float)
            self.cross = self._by_level(self.right)
        # Mean number of answers behind a level: what a ratio is multiplied by to say how much it matters.
        self.weight = np.ones(self.factors)
        for k, f in enumerate(factors):
            squares = self.scale**2 if f.ndim == 1 else ((f * self.scale[:, None]) ** 2)
            self.weight[k] = max(float(squares.sum()) / sizes[k], 1e-9)
        self.cross2 = self._by_class(self.cross, self.cross)
        self.free = self.n - self.p
        self.log_det_x = 2 * float(np.log(np.abs(np.diag(self.triangle))).sum())

    def _by_level(self, columns: np.ndarray) -> np.ndarray:
        from scipy.sparse import csr_array

        sums = csr_array((self.scale, (self.first, np.arange(self.n))), shape=(self.levels, self.n)) @ columns
        return np.asarray(sums)

    def _by_class(self, a: np.ndarray, b: np.ndarray) -> np.ndarray:
        """(classes, columns of a, columns of b): products summed over the levels with equally many answers."""
        return np.stack([a[self.of_level == m].T @ b[self.of_level == m] for m in range(len(self.counts))])

    def answers(self, y: np.ndarray) -> Moments:
        """What the criterion needs of the answers, (n, studies)."""
        start = self.basis.T @ y
        y = y - self.basis @ start  # sums of squares of what the fixed effects leave lose no digits
        by_level = self._by_level(y) if self.large is not None else np.zeros((1, y.shape[1]))
        squares = np.stack([(by_level[self.of_level == m] ** 2).sum(axis=0) for m in range(len(self.counts))], axis=1)
        cross = np.moveaxis(self._by_class(self.cross, by_level), 2, 0)
        return Moments(start.T, (self.right.T @ y).T, (y**2).sum(axis=0), cross, squares)

    def _weights(self, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """gamma_1 / (1 + gamma_1 count) and 1 / (1 + gamma_1 count) of every class."""
        if self.large is None:
            return np.zeros((len(gamma), 1)), np.ones((len(gamma), 1))
        inverse = 1 / (1 + gamma[:, self.large, None] * self.counts)
        return gamma[:, self.large, None] * inverse, inverse

    def _system(self, gamma: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """R'V1^-1R, the scale of its columns, the scaled system, the classes' weights, and the log-determinant so far."""
        w, inverse = self._weights(gamma)
        n = self.small - np.tensordot(w, self.cross2, axes=1)
        scale = np.ones((len(gamma), self.r))
        if self.q:
            scale[:, : self.q] = np.sqrt(gamma[:, self.rest])[:, self.owner]
        system = scale[:, :, None] * n * scale[:, None, :]
        system[:, range(self.q), range(self.q)] += 1
        return n, scale, system, w, -(np.log(inverse) @ self.members)

    def criterion(self, gamma: np.ndarray, at: Moments) -> np.ndarray:
        """-2 log restricted likelihood of every study at its own ratios, (studies,)."""
        _, scale, system, w, log_det = self._system(gamma)
        v = scale * (at.right - np.einsum("sm,smr->sr", w, at.cross))
        rss = at.square - (w * at.squares).sum(axis=1) - (v * np.linalg.solve(system, v[..., None])[..., 0]).sum(axis=1)
        return self._profile(log_det + np.linalg.slogdet(system)[1], rss)

    def everywhere(self, gamma: np.ndarray, at: Moments) -> np.ndarray:
        """The criterion of every study at every one of some ratios, (studies, ratios)."""
        _, scale, system, w, log_det = self._system(gamma)
        log_det = log_det + np.linalg.slogdet(system)[1]
        inverse = np.linalg.inv(system)
        out = np.empty((len(at.square), len(gamma)))
        for g in range(len(gamma)):
            v = scale[g] * (at.right - np.tensordot(at.cross, w[g], axes=([1], [0])))
            rss = at.square - at.squares @ w[g] - ((v @ inverse[g]) * v).sum(axis=1)
            out[:, g] = self._profile(log_det[g], rss)
        return out

    def _profile(self, log_det: np.ndarray, rss: np.ndarray) -> np.ndarray:
        noise = np.log(2 * np.pi * np.maximum(rss, 1e-300) / self.free)
        return np.asarray(log_det + self.log_det_x + self.free * (1 + noise))

    def _solved(self, gamma: np.ndarray) -> tuple[np.ndarray, ...]:
        n, scale, system, w, log_det = self._system(gamma)
        inverse = np.linalg.inv(system)
        b = scale[:, :, None] * inverse * scale[:, None, :]
        return n, b, w, log_det + np.linalg.slogdet(system)[1]

    def slopes(self, gamma: np.ndarray, at: Moments) -> Slopes:
        """The criterion with its exact gradient and Hessian."""
        n, b, w, log_det = self._solved(gamma)
        _, g = self._weights(gamma)
        right = at.right - np.einsum("sm,smr->sr", w, at.cross)
        solution = _times(b, right)
        rss = at.square - (w * at.squares).sum(axis=1) - (right * solution).sum(axis=1)
        bn = b @ n
        left = n - n @ bn  # R'PR
        residual = right - _times(n, solution)  # R'Py
        k = self.factors
        s = len(gamma)
        trace, length = np.zeros((s, k)), np.zeros((s, k))
        traces, quadratics = np.zeros((s, k, k)), np.zeros((s, k, k))
        for i, a in zip(self.rest, self.blocks, strict=True):
            trace[:, i] = np.einsum("sjj->s", left[:, a, a])
            length[:, i] = (residual[:, a] ** 2).sum(axis=1)
            for j, c in zip(self.rest, self.blocks, strict=True):
                part = left[:, a, c]
                traces[:, i, j] = (part**2).sum(axis=(1, 2))
                quadratics[:, i, j] = np.einsum("si,sij,sj->s", residual[:, a], part, residual[:, c], optimize=True)
        if self.large is not None:
            i, d = self.large, g * self.counts
            q1, q2 = np.tensordot(g**2, self.cross2, axes=1), np.tensordot(g**2 * d, self.cross2, axes=1)
            y1, y2 = np.einsum("sm,smr->sr", g**2, at.cross), np.einsum("sm,smr->sr", g**2 * d, at.cross)
            bq = b @ q1
            trace[:, i] = d @ self.members - np.einsum("sjj->s", bq)
            both = np.einsum("sij,sji->s", b, q2)
            traces[:, i, i] = (d**2) @ self.members - 2 * both + np.einsum("sij,sji->s", bq, bq)
            q1s, q2s = _times(q1, solution), _times(q2, solution)
            length[:, i] = (
                (g**2 * at.squares).sum(axis=1) - 2 * (solution * y1).sum(axis=1) + (solution * q1s).sum(axis=1)
            )
            h = y1 - q1s  # E'u
            weighted = (
                (g**2 * d * at.squares).sum(axis=1) - 2 * (solution * y2).sum(axis=1) + (solution * q2s).sum(axis=1)
            )
            quadratics[:, i, i] = weighted - (h * _times(b, h)).sum(axis=1)
            rest = np.eye(self.r) - bn
            through = np.einsum("sij,sij->sj", rest, q1 @ rest)
            mixed = np.einsum("sij,si->sj", rest, h)
            for j, c in zip(self.rest, self.blocks, strict=True):
                traces[:, i, j] = traces[:, j, i] = through[:, c].sum(axis=1)
                quadratics[:, i, j] = quadratics[:, j, i] = (mixed[:, c] * residual[:, c]).sum(axis=1)
        one = rss[:, None]
        gradient = trace - self.free * length / one
        both_lengths = length[:, :, None] * length[:, None, :]
        hessian = -traces + self.free * (2 * quadratics / one[..., None] - both_lengths / one[..., None] ** 2)
        value = self._profile(log_det, rss)
        return Slopes(value, gradient, hessian, rss, traces, quadratics, length)

    def effects(self, gamma: np.ndarray, at: Moments) -> tuple[np.ndarray, np.ndarray]:
        """Fixed effects (studies, p) and their covariance over sigma^2 (studies, p, p)."""
        _, b, w, _ = self._solved(gamma)
        right = at.right - np.einsum("sm,smr->sr", w, at.cross)
        back = np.linalg.inv(self.triangle)
        beta = (_times(b, right)[:, self.q :] + at.start) @ back.T
        return beta, back @ b[:, self.q :, self.q :] @ back.T

    def variance_slopes(self, gamma: np.ndarray, contrasts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Variance of contrasts (c, p) over sigma^2 (studies, c), and its slopes in the ratios (studies, c, K)."""
        n, b, _, _ = self._solved(gamma)
        _, g = self._weights(gamma)
        turned = np.linalg.solve(self.triangle.T, contrasts.T)  # of the basis' coefficients, (p, c)
        columns = b[:, :, self.q :] @ turned  # (studies, r, c)
        variance = np.einsum("pc,spc->sc", turned, columns[:, self.q :])
        slopes = np.zeros((len(gamma), len(contrasts), self.factors))
        reached = n @ columns  # Z'V^-1 X C c in the rows of Z
        for i, a in zip(self.rest, self.blocks, strict=True):
            slopes[:, :, i] = (reached[:, a] ** 2).sum(axis=1)
        if self.large is not None:
            q1 = np.tensordot(g**2, self.cross2, axes=1)
            slopes[:, :, self.large] = np.einsum("sic,sic->sc", columns, q1 @ columns)
        return variance, slopes


@dataclass(frozen=True)
class Moments:
    """Answers of many studies as products with a design: start (studies, p) of the basis, the rest less these."""

    start: np.ndarray
    right: np.ndarray
    square: np.ndarray
    cross: np.ndarray
    squares: np.ndarray

    def of(self, which: np.ndarray) -> Moments:
        """Those of some studies."""
        return Moments(*(getattr(self, k)[which] for k in ("start", "right", "square", "cross", "squares")))


def _columns(factor: np.ndarray, size: int) -> np.ndarray:
    if factor.ndim == 2:
        return np.asarray(factor, dtype=float)
    out = np.zeros((len(factor), size))
    out[np.arange(len(factor)), factor] = 1.0
    return out


def _times(matrices: np.ndarray, vectors: np.ndarray) -> np.ndarray:
    return np.asarray((matrices @ vectors[..., None])[..., 0])
