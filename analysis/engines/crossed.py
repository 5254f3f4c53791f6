"""Intervals of ordinal effect sizes where every answer belongs to a participant and to a clip.

An interval that resamples participants alone speaks of other people hearing the same clips; under variance of clips it is
too short (docs/evidence/coverage.json). Participants and clips are crossed, so neither can be resampled inside the other:
each is resampled by itself, and the two variances are put together as Cameron, Gelbach and Miller (2011) do for clustering in
two ways, V = V(participants) + V(clips) - V(answers). Clips are drawn within their taste, as the study drew them. Few clips
make V(clips) small on average by (c - s) / c (c clips, s tastes) and uncertain: the first is corrected, the second is in
the degrees of freedom (Satterthwaite 1946). Intervals are symmetric on Fisher's z, since both measures end at -1 and 1.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.engines.ranks import AT_ONCE, cliffs_delta, rank_biserial

MEASURES = ("rank_biserial", "cliffs_delta")


@dataclass(frozen=True)
class Crossed:
    """One effect with its interval, and the standard errors it is made of."""

    effect: float
    low: float
    high: float
    df: float
    se_participants: float
    se_clips: float


def _measures(counts: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """Rank-biserial correlation and Cliff's delta of answers counted by their difference from the middle.

    Parameters
    ----------
    counts : ndarray
        (draws, levels), answers at each level; a resample's counts.
    levels : ndarray
        Ascending differences from the middle.

    Returns
    -------
    ndarray
        (draws, 2), in the order of `MEASURES`. Zero differences have no rank (as R's wilcox.test drops them) but count in
        Cliff's delta.
    """
    size = np.unique(np.abs(levels[levels != 0]))
    above = np.zeros((len(counts), len(size)))
    below = np.zeros_like(above)
    for k, level in enumerate(levels):
        if level:
            (above if level > 0 else below)[:, np.searchsorted(size, abs(level))] += counts[:, k]
    return np.column_stack([rank_biserial(above, below), cliffs_delta(above, below, counts.sum(axis=1))])


def _variance(
    table: np.ndarray, strata: np.ndarray, levels: np.ndarray, resamples: int, rng: np.random.Generator
) -> tuple[np.ndarray, int]:
    """Bootstrap variance of both measures over the rows of `table`, drawn within their strata, and its degrees of freedom."""
    n = len(table)
    groups = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    free = n - len(groups)
    if free < 1:
        return np.full(len(MEASURES), np.nan), 0
    values = []
    step = max(1, AT_ONCE // n)
    for start in range(0, resamples, step):
        weights = np.zeros((min(step, resamples - start), n))
        for rows in groups:
            weights[:, rows] = rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)), size=len(weights))
        values.append(_measures(weights @ table, levels))
    return np.concatenate(values).var(axis=0, ddof=1) * n / free, free


def _nameless(table: np.ndarray, strata: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The rows of `table` and the strata that they are of, as numbers, in an order by what the rows hold: names decide no draw."""
    groups = [table[strata == s] for s in np.unique(strata)]
    groups = sorted((g[np.lexsort(g.T[::-1])] for g in groups), key=lambda g: g.tolist())
    return np.concatenate(groups), np.repeat(np.arange(len(groups)), [len(g) for g in groups])


def crossed_intervals(
    scores: np.ndarray,
    people: np.ndarray,
    clips: np.ndarray,
    strata: np.ndarray,
    middle: float,
    resamples: int,
    rng: np.random.Generator,
    level: float = 0.95,
) -> dict[str, Crossed]:
    """Rank-biserial correlation and Cliff's delta with intervals for other participants and other clips.

    Parameters
    ----------
    scores, people, clips, strata : ndarray
        One entry an answer: the answer, who gave it, which clip it is about, and that clip's taste.
    middle : float
        The answer that favours neither.
    resamples : int
        Bootstrap draws of each kind.

    Returns
    -------
    dict of str to Crossed
        By name of the measure. Where only one clip (or one person) a stratum is there its variance can't be told: the
        interval then speaks of the other kind alone, and its standard error is NaN. Where all answers lie on one side, or
        none differs, there is no interval (NaN).
    """
    from scipy import stats

    difference = np.asarray(scores, dtype=float) - middle
    levels, at = np.unique(difference, return_inverse=True)

    def table(codes: np.ndarray, rows: int) -> np.ndarray:
        counts = np.zeros((rows, len(levels)))
        np.add.at(counts, (codes, at), 1)
        return counts

    who = np.unique(people, return_inverse=True)[1]
    heard, first, what = np.unique(clips, return_index=True, return_inverse=True)
    by_clip, of = _nameless(table(what, len(heard)), np.asarray(strata)[first])
    by_person = table(who, int(who.max()) + 1)
    v_people, df_people = _variance(by_person, np.zeros(len(by_person)), levels, resamples, rng)
    v_clips, df_clips = _variance(by_clip, of, levels, resamples, rng)
    all_counts = by_person.sum(axis=0)
    drawn = rng.multinomial(int(all_counts.sum()), all_counts / all_counts.sum(), size=resamples)
    v_answers = _measures(drawn.astype(float), levels).var(axis=0, ddof=1)
    effects = _measures(all_counts[None], levels)[0]
    out = {}
    for k, name in enumerate(MEASURES):
        parts = [(v[k], df) for v, df in ((v_people, df_people), (v_clips, df_clips)) if df > 0]
        # Where the two sum to less than one of them, the larger stands: a variance is not negative.
        both = sum(v for v, _ in parts) - (v_answers[k] if len(parts) == 2 else 0.0)
        variance = max([both, *(v for v, _ in parts)]) if parts else float("nan")
        spread = sum(v**2 / df for v, df in parts)
        df = variance**2 / spread if spread > 0 else float("inf")
        low, high = _interval(float(effects[k]), float(np.sqrt(variance)), float(stats.t.ppf((1 + level) / 2, df)))
        out[name] = Crossed(
            float(effects[k]), low, high, float(df), float(np.sqrt(v_people[k])), float(np.sqrt(v_clips[k]))
        )
    return out


def _interval(effect: float, error: float, quantile: float) -> tuple[float, float]:
    """Interval by Fisher's z; none for a value at the end of the scale, or without spread, which say nothing of others."""
    if not error > 0 or abs(effect) >= 1:
        return float("nan"), float("nan")
    half = quantile * error / (1 - effect**2)
    z = np.arctanh(effect)
    return float(np.tanh(z - half)), float(np.tanh(z + half))
