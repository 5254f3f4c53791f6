"""Rank statistics: Wilcoxon's signed-rank test, the rank-biserial correlation and Cliff's delta, Mann-Whitney's test.

Conventions of R's wilcox.test: answers in the middle are dropped, ties get mid-ranks, p is the normal approximation with
continuity correction (Hollander & Wolfe 1973). Everything follows from how many answers lie above and below the middle at
each distance from it, so one study, thousands of simulated ones and the resamples of a bootstrap go through the same lines.
"""

from __future__ import annotations

import numpy as np

from analysis.engines.tails import p_value

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
    difference = np.asarray(difference, dtype=float)
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
        p = p_value(ndtr(-z), ndtr(z), alternative)
    return np.where(n > 0, v, np.nan), np.where(n > 0, p, np.nan)


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

    Answers are counted once per participant and distance from the middle; a resample is then a weighted sum of these
    counts, and its mid-ranks follow from their running total: nothing is sorted again.
    """
    from scipy.sparse import csr_array

    difference = np.asarray(scores, dtype=float) - middle
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
    return float(low), float(high)


def rank_sum(x: np.ndarray, y: np.ndarray, alternative: str = "two-sided") -> tuple[float, float, float]:
    """Mann-Whitney's test of two samples (pingouin.mwu): U of the first, p, and the rank-biserial correlation."""
    import pingouin

    found = pingouin.mwu(x, y, alternative=alternative).iloc[0]
    return float(found["U_val"]), float(found["p_val"]), float(found["RBC"])
