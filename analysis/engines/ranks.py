"""Rank statistics: Wilcoxon's signed-rank test, the rank-biserial correlation and Cliff's delta, Mann-Whitney's test.

Conventions of R's wilcox.test: answers in the middle are dropped, ties get mid-ranks; p is exact for fewer than 50 answers without
ties and without answers in the middle, else the normal approximation with continuity correction (Hollander & Wolfe 1973).
Distances are rounded before they are ranked: 5.3 and 4.7 lie equally far from 5, whatever their last binary digit. Everything follows from how many answers lie above and below the middle at
each distance from it, so one study, thousands of simulated ones and the resamples of a bootstrap go through the same lines.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from analysis.engines.tails import p_value

EXACT = 50  # answers, from which on R takes the normal approximation
DIGITS = 9  # decimals of a distance that count
AT_ONCE = 4_000_000  # weights of resamples held in memory


def counted(difference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Count answers above and below the middle by their distance from it.

    Parameters
    ----------
    difference : ndarray
        (..., answers), answers less the middle.

    Returns
    -------
    tuple of ndarray
        Above, below: (..., distances), the distances that occur, ascending, without zero.
    """
    difference = np.round(np.asarray(difference, dtype=float), DIGITS)
    distances = np.unique(np.abs(difference[difference != 0]))
    shape = (*difference.shape[:-1], len(distances))
    cells = int(np.prod(shape))
    rows = difference.reshape(-1, difference.shape[-1])
    cell = np.arange(len(rows))[:, None] * len(distances) + np.searchsorted(distances, np.abs(rows))
    above, below = (np.bincount(cell[rows * side > 0], minlength=cells).reshape(shape) for side in (1, -1))
    return above.astype(float), below.astype(float)


def mid_ranks(counts: np.ndarray) -> np.ndarray:
    """Rank of the answers at each distance (last axis), from how many there are: the mean of the ranks that they share."""
    return np.asarray(np.cumsum(counts, axis=-1) - (counts - 1) / 2)


def signed_rank(scores: np.ndarray, middle: float, alternative: str) -> tuple[np.ndarray, np.ndarray]:
    """One-sample Wilcoxon signed-rank test against `middle` along the last axis, as R's wilcox.test does it.

    Returns
    -------
    tuple of ndarray
        V (sum of the ranks above the middle) and p, without the last axis; nan where no answer differs from the middle.
    """
    from scipy.special import ndtr

    above, below = counted(np.asarray(scores, dtype=float) - middle)
    tied = above + below
    v, n = (above * mid_ranks(tied)).sum(axis=-1), tied.sum(axis=-1)
    centre = v - n * (n + 1) / 4
    with np.errstate(invalid="ignore", divide="ignore"):
        deviation = np.sqrt((n * (n + 1) * (2 * n + 1) - (tied**3 - tied).sum(axis=-1) / 2) / 24)
        side = {"greater": 1.0, "less": -1.0}.get(alternative, np.sign(centre))
        z = centre / deviation - side * 0.5 / deviation
        p = np.asarray(p_value(ndtr(-z), ndtr(z), alternative))
    answers = np.shape(scores)[-1]
    if 0 < answers < EXACT:
        exact = (n == answers) & (tied.max(axis=-1, initial=0) <= 1)
        if exact.any():
            p = np.where(exact, _exact(v, answers, alternative), p)
    return np.where(n > 0, v, np.nan), np.where(n > 0, p, np.nan)


def _exact(v: np.ndarray, n: int, alternative: str) -> np.ndarray:
    """Exact p of V from n untied answers (R: psignrank)."""
    below = _signed_rank_cumulative(n)
    at = np.clip(np.round(v).astype(int), 0, len(below) - 1)
    lower, upper = below[at], 1 - np.where(at > 0, below[np.maximum(at - 1, 0)], 0.0)
    return np.asarray(p_value(upper, lower, alternative))


@lru_cache(maxsize=64)
def _signed_rank_cumulative(n: int) -> np.ndarray:
    """P(V <= v) for v = 0 .. n (n + 1) / 2: every set of ranks lies above the middle with the same probability."""
    ways = np.zeros(n * (n + 1) // 2 + 1)
    ways[0] = 1.0
    for rank in range(1, n + 1):
        moved = np.concatenate([np.zeros(rank), ways[:-rank]])
        ways = (ways + moved) / 2
    return np.cumsum(ways)


def rank_biserial(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """Matched-pairs rank-biserial correlation (Kerby 2014) of counted answers: ranks above less ranks below, over all.

    0 where no answer differs from the middle.
    """
    ranks = mid_ranks(above + below)
    total = ((above + below) * ranks).sum(axis=-1)
    return np.asarray(((above - below) * ranks).sum(axis=-1) / np.where(total > 0, total, 1))


def cliffs_delta(above: np.ndarray, below: np.ndarray, answers: np.ndarray | float) -> np.ndarray:
    """Cliff's delta against the middle: share of the `answers` above less share below; those in the middle count."""
    return np.asarray((above - below).sum(axis=-1) / np.maximum(answers, 1))


def cluster_interval(
    scores: np.ndarray, people: np.ndarray, middle: float, resamples: int, rng: np.random.Generator, level: float = 0.95
) -> tuple[float, float]:
    """Percentile bootstrap interval of the rank-biserial correlation, participants drawn with all their answers.

    Both ends are nan where resamples do not differ (one person, or all answers on one side): an interval without width says nothing.

    Answers are counted once per participant and distance from the middle; a resample is then a weighted sum of these
    counts, and its mid-ranks follow from their running total: nothing is sorted again.
    """
    from scipy.sparse import csr_array

    difference = np.round(np.asarray(scores, dtype=float) - middle, DIGITS)
    who, codes = np.unique(people, return_inverse=True)
    levels, at = np.unique(np.abs(difference), return_inverse=True)
    shape = (len(who), len(levels))
    sides = [csr_array(((difference * s > 0).astype(float), (codes, at)), shape=shape) for s in (1, -1)]
    values = []
    step = max(1, AT_ONCE // len(who))
    for start in range(0, resamples, step):
        drawn = rng.integers(len(who), size=(min(step, resamples - start), len(who)))
        weights = np.stack([np.bincount(row, minlength=len(who)) for row in drawn]).astype(float)
        values.append(rank_biserial(*(weights @ side for side in sides)))
    tail = (1 - level) / 2
    low, high = np.quantile(np.concatenate(values), [tail, 1 - tail])
    return (float(low), float(high)) if high - low > 1e-12 else (float("nan"), float("nan"))


def rank_sum(x: np.ndarray, y: np.ndarray, alternative: str = "two-sided") -> tuple[float, float, float]:
    """Mann-Whitney's test of two samples (pingouin.mwu): U of the first, p, and the rank-biserial correlation."""
    import pingouin

    found = pingouin.mwu(x, y, alternative=alternative).iloc[0]
    return float(found["U_val"]), float(found["p_val"]), float(found["RBC"])
