"""Which taste the music was made for, and which one people named: counts, unbiased hit rates, similarity and bias.

Answers are rows with ``condition``, ``asked`` (the taste that the clip was made for), ``answered`` (a taste, or ``none``),
``participant`` and ``clip``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

NONE = "none"
FEWEST = 5  # answers of an asked taste, from which on a share has an interval


def confusion(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """How often each taste was named for music made for each, by condition; what was never named counts 0.

    Returns
    -------
    list of dict
        condition, asked, answered, n: every answer that somebody gave anywhere stands for every taste that was asked.
    """
    named = sorted(set(answers["answered"]), key=lambda x: (x == NONE, x))
    rows = []
    for condition, part in answers.groupby("condition", sort=False):
        for asked in sorted(part["asked"].unique()):
            of = part.loc[part["asked"] == asked, "answered"]
            rows += [
                {"condition": str(condition), "asked": asked, "answered": x, "n": int((of == x).sum())} for x in named
            ]
    return rows


def share_interval(right: np.ndarray, people: np.ndarray, clips: np.ndarray) -> tuple[float | None, float | None]:
    """A share's 95 % interval where each answer belongs to a person and to a clip.

    Clustered in two ways (Cameron, Gelbach & Miller 2011: the variance between people, plus that between clips, less that
    of single answers), on the logit, with the quantile of t for the fewer of both less one. A share of 0 or 1 has no
    variance to be told: Wilson's interval stands in, for as many answers as there are people or clips, whichever are
    fewer. None where there are fewer than two of either or fewer than five answers.
    """
    from scipy import stats

    n, p = len(right), float(np.mean(right))
    groups = [np.unique(g, return_inverse=True)[1] for g in (people, clips)]
    sizes = [int(g.max()) + 1 if n else 0 for g in groups]
    if n < FEWEST or min(sizes) < 2:
        return None, None
    if p in (0.0, 1.0):
        return _wilson(p, min(sizes))
    e = right - p
    clustered = [float((np.bincount(g, e) ** 2).sum()) * m / (m - 1) / n**2 for g, m in zip(groups, sizes, strict=True)]
    alone = float((e**2).sum()) / n**2
    variance = max(sum(clustered) - alone, *clustered, alone)
    half = float(stats.t.ppf(0.975, min(sizes) - 1)) * np.sqrt(variance) / (p * (1 - p))
    low, high = (1 / (1 + np.exp(-(np.log(p / (1 - p)) + sign * half))) for sign in (-1, 1))
    return float(low), float(high)


def _wilson(p: float, n: int) -> tuple[float, float]:
    z = 1.959964
    middle, half = p + z * z / (2 * n), z * np.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    return max(0.0, float((middle - half) / (1 + z * z / n))), min(1.0, float((middle + half) / (1 + z * z / n)))


def d_prime(hits: int, asked: int, false_alarms: int, others: int) -> float | None:
    """Sensitivity to one taste: z(named when asked) - z(named when another was asked), half an answer added to each cell.

    The correction is Hautus' (1995), so that shares of 0 and 1 have a value. None where no other taste was asked.
    """
    from scipy.special import ndtri

    if asked == 0 or others == 0:
        return None
    return float(ndtri((hits + 0.5) / (asked + 1)) - ndtri((false_alarms + 0.5) / (others + 1)))


def unbiased(answers: pd.DataFrame) -> list[dict[str, Any]]:
    """Wagner's (1993) unbiased hit rate of each taste by condition, beside its own chance.

    The rate is hits squared over (how often it was asked times how often it was named): naming one taste always does not
    raise it. Chance is the product of both shares.
    """
    rows = []
    for condition, part in answers.groupby("condition", sort=False):
        n = len(part)
        for taste in sorted(part["asked"].unique()):
            asked, named = part["asked"] == taste, part["answered"] == taste
            hits = int((asked & named).sum())
            rate = hits**2 / (int(asked.sum()) * int(named.sum())) if named.any() else 0.0
            chance = float(asked.sum() / n * named.sum() / n)
            rows.append(
                {"condition": str(condition), "taste": taste, "n": int(asked.sum()), "hits": hits, "named": int(named.sum()),
                 "unbiased_rate": float(rate), "chance": chance}
            )  # fmt: skip
    return rows


def similarity(answers: pd.DataFrame) -> tuple[list[dict[str, Any]], list[dict[str, Any]], dict[str, Any]]:
    """Luce's (1963) choice model: how alike two tastes' musics are, and how readily each taste is named.

    P(named r | asked s) = b_r eta_sr / sum over k of b_k eta_sk, eta symmetric and 1 for the same taste. It is the quasi-symmetry
    model of the table of counts (Townsend & Landon 1982), fitted by maximum likelihood. ``none`` is left out: the model
    speaks of choices among the tastes. Where a pair of tastes was never confused, half an answer is added to every cell.

    Returns
    -------
    tuple
        Pairs (taste_a, taste_b, similarity), tastes (taste, bias; they sum to 1), and the fit: deviance, df, p, added (to
        each cell), state (``ok``, or ``too few``: then there are no rows).
    """
    import statsmodels.api as sm
    from scipy import stats

    tastes = sorted(set(answers["asked"]))
    k = len(tastes)
    counts = np.array(
        [[((answers["asked"] == s) & (answers["answered"] == r)).sum() for r in tastes] for s in tastes], dtype=float
    )
    if k < 3 or counts.sum(axis=1).min() < FEWEST:
        return [], [], {"deviance": None, "df": None, "p": None, "added": 0.0, "state": "too few"}
    added = 0.5 if ((counts + counts.T) == 0).any() or (counts.sum(axis=0) == 0).any() else 0.0
    y = (counts + added).ravel()
    s, r = (x.ravel() for x in np.indices((k, k)))
    pairs = [(a, b) for a in range(k) for b in range(a + 1, k)]
    # Rows are free (how often each taste was asked), columns but one are the biases, pairs the similarities.
    design = np.column_stack(
        [*(s == a for a in range(k)), *(r == b for b in range(1, k)),
         *(((s == a) & (r == b)) | ((s == b) & (r == a)) for a, b in pairs)]
    ).astype(float)  # fmt: skip
    fit = sm.GLM(y, design, family=sm.families.Poisson()).fit(tol=1e-12)
    bias = np.exp(np.concatenate([[0.0], fit.params[k : 2 * k - 1]]))
    bias /= bias.sum()
    eta = np.exp(fit.params[2 * k - 1 :])
    df = (k - 1) * (k - 2) // 2
    told = {
        "deviance": float(fit.deviance), "df": df, "p": float(stats.chi2.sf(fit.deviance, df)), "added": added, "state": "ok",
    }  # fmt: skip
    rows = [
        {"taste_a": tastes[a], "taste_b": tastes[b], "similarity": float(v)}
        for (a, b), v in zip(pairs, eta, strict=True)
    ]
    return rows, [{"taste": t, "bias": float(b)} for t, b in zip(tastes, bias, strict=True)], told
