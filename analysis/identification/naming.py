"""Is a taste named more for music that was made for it than for other music: a crossed mixed logit for each taste.

Who always says one taste scores nothing by it: what counts is how much more often a taste is named when it was asked.
"""

from __future__ import annotations

from itertools import combinations
from math import comb
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.engines.ordinal import fit_ordinal
from analysis.errors import AnalysisError
from analysis.identification.confusion import d_prime, share_interval

if TYPE_CHECKING:
    import pandas as pd

LEVEL = 0.95
WAYS = 20_000  # to call clips a taste's own: up to so many are all gone through, of more so many are drawn


def naming(answers: pd.DataFrame, alternative: str = "greater") -> list[dict[str, Any]]:
    """Test each taste of each condition.

    The model is R's ``glmer(named ~ asked + (1 | participant) + (1 | clip), family = binomial)`` (Laplace). Its z is compared with
    t at (clips - 2) degrees of freedom, because a taste's music differs from clip to clip and clips are few; glmer itself
    takes the normal distribution, which finds too much then.

    Parameters
    ----------
    answers : DataFrame
        As in `analysis.identification.confusion`.
    alternative : {"greater", "less", "two-sided"}
        More, or less, often than for other music.

    Returns
    -------
    list of dict
        condition, taste, test, alternative, n, clips, effect (log odds), ci_low, ci_high, se, statistic, df, p, state. State is
        that of the fit (`analysis.engines.mixed.Fit`), or ``separated`` (named always, or never, when asked or when
        not: the odds have no bound, p counts the ways to draw the clips), ``one answer`` (named always, or never), ``too
        few``; then what can't be told is None.
    """
    rows = []
    for condition, part in answers.groupby("condition", sort=False):
        rows += [{"condition": str(condition), **_of(part, taste, alternative)} for taste in sorted(set(part["asked"]))]
    return rows


def _of(part: pd.DataFrame, taste: str, alternative: str) -> dict[str, Any]:
    from scipy import stats

    named = (part["answered"] == taste).to_numpy(dtype=float)
    asked = (part["asked"] == taste).to_numpy(dtype=float)
    own = part.loc[part["asked"] == taste, "clip"].nunique()
    clips = int(part["clip"].nunique())
    row: dict[str, Any] = {
        "taste": taste, "test": "mixed logit", "alternative": alternative, "n": len(part), "clips": clips, "effect": None,
        "ci_low": None, "ci_high": None, "se": None, "statistic": None, "df": None, "p": None,
    }  # fmt: skip
    if own == clips or own < 2 or clips - own < 2 or part["participant"].nunique() < 2:
        return row | {"state": "too few"}
    if named.min() == named.max():
        return row | {"state": "one answer"}
    if any(len(set(named[asked == side])) == 1 for side in (0, 1)):
        return row | {"p": _dealt(part.assign(named=named, asked=asked), alternative), "state": "separated"}
    try:
        fit = fit_ordinal(
            named, asked[:, None], {"participants": part["participant"].to_numpy(), "clips": part["clip"].to_numpy()}
        )
    except AnalysisError:
        return row | {"state": "too few"}
    estimate, variance = float(fit.beta[0]), float(fit.covariance[0, 0])
    if not (fit.converged and np.isfinite(variance) and variance > 0):
        return row | {"state": "not converged"}
    error = variance**0.5
    df, z = clips - 2, estimate / error
    half = float(stats.t.ppf((1 + LEVEL) / 2, df)) * error
    tails = {"greater": stats.t.sf(z, df), "less": stats.t.cdf(z, df), "two-sided": 2 * stats.t.sf(abs(z), df)}
    return row | {
        "effect": estimate, "ci_low": estimate - half, "ci_high": estimate + half, "se": error, "statistic": z, "df": df,
        "p": float(tails[alternative]), "state": fit.state,
    }  # fmt: skip


def _dealt(part: pd.DataFrame, alternative: str) -> float:
    """p of how much more the taste's own clips are named, among all ways to call so many clips its own (or 20,000 of them)."""
    shares = part.groupby("clip").agg(named=("named", "mean"), asked=("asked", "max"))
    named, own = shares["named"].to_numpy(), shares["asked"].to_numpy(dtype=bool)
    n, k = len(own), int(own.sum())
    if comb(n, k) <= WAYS:
        sums = np.array([named[list(chosen)].sum() for chosen in combinations(range(n), k)])
        first = 0
    else:
        rng = np.random.default_rng(0)
        sums = rng.permuted(np.tile(named, (WAYS, 1)), axis=1)[:, :k].sum(axis=1)
        first = 1  # as it is counts among the ways that were drawn
    observed = named[own].sum()
    above, below = (
        (first + int(side.sum())) / (first + len(sums)) for side in (sums >= observed - 1e-9, sums <= observed + 1e-9)
    )
    return {"greater": above, "less": below, "two-sided": min(1.0, 2 * min(above, below))}[alternative]


def accuracy(answers: pd.DataFrame, tests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How often each taste was named for its own music, by condition, with d' and the test of `naming`.

    Chance is how often the taste was named for music of other tastes: who names it often by habit has a high one.
    """
    of = {(t["condition"], t["taste"]): t for t in tests}
    rows = []
    for condition, part in answers.groupby("condition", sort=False):
        for taste in sorted(set(part["asked"])):
            own, other = part[part["asked"] == taste], part[part["asked"] != taste]
            right = (own["answered"] == taste).to_numpy(dtype=float)
            false_alarms = int((other["answered"] == taste).sum())
            low, high = share_interval(right, own["participant"].to_numpy(), own["clip"].to_numpy())
            test = of[(str(condition), taste)]
            rows.append(
                {"condition": str(condition), "taste": taste, "n": len(own), "share": float(right.mean()), "ci_low": low, "ci_high": high,
                 "chance": false_alarms / len(other) if len(other) else None, "p": test["p"],
                 "d_prime": d_prime(int(right.sum()), len(own), false_alarms, len(other)), "state": test["state"]}
            )  # fmt: skip
    return rows
