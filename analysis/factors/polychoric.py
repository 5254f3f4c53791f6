"""Polychoric correlations of ordered answers.

Answers on a 1-5 scale are ordered categories; Pearson's r of them is too small, the more so the more skewed they are. The
polychoric correlation is that of the two normal variables whose cuts the answers are (Olsson 1979): thresholds from the
margins, then the correlation by maximum likelihood (two steps, as psych::polychoric with ``correct = 0`` and polycor). All
pairs are solved at once; the bivariate normal distribution follows Genz (2004), by its integral over the correlation.
"""

from __future__ import annotations

import numpy as np

from analysis.errors import AnalysisError

FAR = 8.0  # stands for an infinite threshold: 6e-16 of the normal distribution lies beyond
BOUND = 0.9999


def polychoric(x: np.ndarray) -> np.ndarray:
    """Polychoric correlations of the columns of `x`.

    Parameters
    ----------
    x : ndarray
        (rows, items) ordered answers without missing values.

    Returns
    -------
    ndarray
        (items, items), ones on the diagonal; made positive definite where pairs contradict each other (`smoothed`).

    Raises
    ------
    AnalysisError
        If an item never varies.
    """
    codes, cuts = _coded(np.asarray(x, dtype=float))
    items = codes.shape[1]
    a, b = np.triu_indices(items, 1)
    tables = _tables(codes, cuts.shape[1] - 1)[a, b]
    start = np.corrcoef(codes, rowvar=False)[a, b]
    rho = _solve(tables, cuts[a], cuts[b], np.clip(start, -0.95, 0.95))
    r = np.eye(items)
    r[a, b] = r[b, a] = rho
    return smoothed(r)


def _coded(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Category numbers (rows, items), and each item's thresholds (items, categories + 1) from its margin."""
    from scipy.special import ndtri

    columns, cuts = [], []
    for k in range(x.shape[1]):
        codes, counts = np.unique(x[:, k], return_inverse=True, return_counts=True)[1:]
        if len(counts) < 2:
            raise AnalysisError(f"item {k + 1} never varies; a polychoric correlation needs two categories at least")
        columns.append(codes)
        cuts.append(ndtri(np.cumsum(counts)[:-1] / len(x)))
    widest = max(len(c) for c in cuts) + 2
    padded = np.full((x.shape[1], widest), FAR)
    for k, c in enumerate(cuts):
        padded[k, : len(c) + 1] = [-FAR, *c]
    return np.column_stack(columns), padded


def _tables(codes: np.ndarray, categories: int) -> np.ndarray:
    """Contingency tables of all pairs, (items, items, categories, categories)."""
    one_hot = (codes[:, :, None] == np.arange(categories)).astype(float).reshape(len(codes), -1)
    n = codes.shape[1]
    return np.asarray((one_hot.T @ one_hot).reshape(n, categories, n, categories).transpose(0, 2, 1, 3))


def _corner(values: np.ndarray) -> np.ndarray:
    """Probability of each cell from a function of its corners, (..., k + 1, k + 1) -> (..., k, k)."""
    return np.asarray(np.diff(np.diff(values, axis=-1), axis=-2))


def _bivariate(h: np.ndarray, k: np.ndarray, rho: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Distribution function of the standard bivariate normal, and its derivative by the correlation: the density."""
    from scipy.special import ndtr

    nodes, weights = np.polynomial.legendre.leggauss(16)
    end = np.arcsin(rho)[..., None]
    angle = end * (nodes + 1) / 2
    sine, cosine2 = np.sin(angle), np.cos(angle) ** 2
    square, product = (h**2 + k**2)[..., None], (h * k)[..., None]
    inner = np.exp(-(square - 2 * product * sine) / (2 * cosine2))
    cdf = ndtr(h) * ndtr(k) + (inner * weights).sum(axis=-1) * end[..., 0] / 2 / (2 * np.pi)
    rest = 1 - rho**2
    density = np.exp(-(h**2 + k**2 - 2 * rho * h * k) / (2 * rest)) / (2 * np.pi * np.sqrt(rest))
    return cdf, density


def _solve(tables: np.ndarray, cuts_a: np.ndarray, cuts_b: np.ndarray, rho: np.ndarray) -> np.ndarray:
    """Maximise every pair's likelihood by Fisher scoring, with halved steps where one does not improve it."""
    h, k = np.broadcast_arrays(cuts_a[:, :, None], cuts_b[:, None, :])
    shape = h.shape

    def likelihood(rho: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        cdf, density = _bivariate(h, k, np.broadcast_to(rho[:, None, None], shape))
        p, slope = np.maximum(_corner(cdf), 1e-15), _corner(density)
        total = tables.sum(axis=(1, 2))
        value = (tables * np.log(p)).sum(axis=(1, 2))
        score = (tables * slope / p).sum(axis=(1, 2))
        information = total * (np.where(p > 1e-12, slope**2 / p, 0)).sum(axis=(1, 2))
        return value, score, information

    value, score, information = likelihood(rho)
    for _ in range(50):
        step = score / np.maximum(information, 1e-12)
        size = np.ones_like(rho)
        for _ in range(12):
            tried = np.clip(rho + size * step, -BOUND, BOUND)
            new = likelihood(tried)
            worse = new[0] < value - 1e-12 * np.abs(value)
            if not worse.any():
                break
            size = np.where(worse, size / 2, size)
        moved = np.abs(tried - rho).max(initial=0.0)
        rho, (value, score, information) = tried, new
        if moved < 1e-8:
            break
    return rho


def smoothed(r: np.ndarray) -> np.ndarray:
    """The matrix with its eigenvalues lifted over zero and its diagonal back at one, as psych::cor.smooth."""
    values, vectors = np.linalg.eigh(r)
    if values[0] > 1e-8:
        return r
    values = np.maximum(values, 100 * np.finfo(float).eps)
    values *= len(r) / values.sum()
    lifted = (vectors * values) @ vectors.T
    scale = np.sqrt(np.diag(lifted))
    return np.asarray(lifted / np.outer(scale, scale))
