"""What each of three or more conditions is worth, all on one scale: a signed graded model of every comparison.

score - middle = worth of the condition over the middle less worth of the other + clips + people + residual. Worths sum to zero within a
taste, so that each is a distance from the mean of the conditions; over all tastes it is their mean, each taste with the same weight.
It is the paired comparison of Bradley & Terry (1952) with answers in points in place of wins (Scheffe 1952), and random effects:
each clip's, +1 on its side and -1 on the other, and how much each person favours each condition. Turning a pair round, with
its scores, changes nothing. Whether conditions lie on one scale at all is asked by what three differences leave when
they are added round a triangle.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.engines.mixed import NOT_CONVERGED, TOO_FEW, Fit, fit
from analysis.errors import AnalysisError
from analysis.preference import joint

if TYPE_CHECKING:
    import pandas as pd

APART = "not connected"
NUMBERS = ("value", "ci_low", "ci_high", "standard_error", "df")


def worth(compared: pd.DataFrame, middle: float, penalty: float = 0.0) -> list[dict[str, Any]]:
    """The worth of every condition, over all tastes and for each; empty where two conditions alone are compared.

    Parameters
    ----------
    compared : DataFrame
        The rows of `analysis.preference.joint.sides`.
    penalty : float
        As of `analysis.engines.mixed.fit_many`: 1.5 keeps variances off zero.

    Returns
    -------
    list of dict
        taste ("all" or one), condition, value (points from the mean of the conditions), ci_low, ci_high (95 %, Satterthwaite),
        standard_error, df, n (answers in which it was compared), state. Where some taste's comparisons do not connect its
        conditions one worth for all tastes is told, and no more; where they do not connect over all tastes either the state is
        ``not connected``.
    """
    conditions = sorted({*compared["over"].astype(str), *compared["under"].astype(str)})
    if len(conditions) < 3:
        return []
    tastes = sorted(set(compared["taste"].astype(str)))
    parts = [compared[compared["taste"].astype(str) == t] for t in tastes]
    apart = len(tastes) > 1 and all(connected(part, conditions) for part in parts)
    groups = [joint.ALL]
    found: Fit | None = None
    state = TOO_FEW if connected(compared, conditions) else APART
    for tried in ([tastes, groups] if apart else [groups]) if state != APART else []:
        found = _fitted(compared, middle, design(compared, conditions, tried), penalty)
        if found is not None:
            groups, state = tried, found.state
            break
    size = len(conditions) - 1
    one = np.vstack([np.eye(size), -np.ones(size)])  # what the last is worth follows from the others
    rows = []
    for taste in dict.fromkeys([joint.ALL, *groups]):
        weights = np.array([taste in (joint.ALL, g) for g in groups], dtype=float)
        part = compared if taste == joint.ALL else compared[compared["taste"].astype(str) == taste]
        for name, own in zip(conditions, one, strict=True):
            n = int(((part["over"] == name) | (part["under"] == name)).sum())
            numbers = _numbers(found, np.kron(weights / weights.sum(), own), state)
            rows.append({"taste": taste, "condition": name, **numbers, "n": n, "state": state})
    return rows


def _fitted(compared: pd.DataFrame, middle: float, x: np.ndarray, penalty: float) -> Fit | None:
    # People lean to a condition, not to a side; where they are too many for that, to a side.
    who = joint.own(compared) or {"people": compared["participant"].to_numpy()}
    try:
        return fit(compared["score"].to_numpy(float) - middle, x, who | joint.clips(compared, x), penalty)
    except AnalysisError:
        return None


def _numbers(found: Fit | None, contrast: np.ndarray, state: str) -> dict[str, float | None]:
    if found is None or state in (TOO_FEW, NOT_CONVERGED):
        return dict.fromkeys(NUMBERS)
    c = found.test(contrast)
    return dict(zip(NUMBERS, (c.estimate, c.ci_low, c.ci_high, c.error, c.df), strict=True))


def design(compared: pd.DataFrame, conditions: list[str], groups: list[str]) -> np.ndarray:
    """Fixed effects (n, groups x (conditions - 1)): of each group of answers the signed conditions, the last minus the sum of the others."""
    over, under = (compared[side].astype(str).to_numpy() for side in ("over", "under"))
    sides = np.array([(over == c).astype(float) - (under == c) for c in conditions]).T
    inner = sides[:, :-1] - sides[:, -1:]
    taste = compared["taste"].astype(str).to_numpy()
    return np.hstack([inner * ((taste == g) | (g == joint.ALL))[:, None] for g in groups])


def connected(compared: pd.DataFrame, conditions: list[str]) -> bool:
    """Whether a chain of comparisons leads from each condition to each other."""
    met = set(zip(compared["over"].astype(str), compared["under"].astype(str), strict=True))
    return reached(conditions[0], met | {(b, a) for a, b in met}) >= set(conditions)


def reached(start: str, steps: set[tuple[str, str]]) -> set[str]:
    """Everything that a chain of steps leads to."""
    there, before = {start}, 0
    while len(there) > before:
        before = len(there)
        there |= {b for a, b in steps if a in there}
    return there


def triangles(found: joint.Fits | None, cells: joint.Comparison, compared: pd.DataFrame) -> list[dict[str, Any]]:
    """Do differences add up? Of every three conditions what is left when they are added round, over all tastes; zero on one scale.

    Rows: triangle, left (points), ci_low, ci_high, statistic, df, p (two-sided, exploratory), state; of three conditions that were all
    compared with each other.
    """
    state = joint.said(found)
    if found is None or state in (TOO_FEW, NOT_CONVERGED):
        return []
    ways: dict[frozenset[str], tuple[str, str, str]] = {
        frozenset((str(o), str(u))): (str(o), str(u), str(p))
        for o, u, p in set(zip(compared["over"], compared["under"], compared["pair"], strict=True))
    }
    rows = []
    # In the order in which they come in the answers: another name turns no triangle round.
    met = dict.fromkeys(str(c) for pair in zip(compared["over"], compared["under"], strict=True) for c in pair)
    for a, b, c in combinations(met, 3):
        steps = [(a, b), (b, c), (c, a)]
        if not all(frozenset(step) in ways for step in steps):
            continue
        contrast = np.zeros(cells.x.shape[1])
        for step in steps:
            over, _, pair = ways[frozenset(step)]
            own = cells.contrast(joint.ALL, pair)
            assert own is not None
            contrast += own if over == step[0] else -own
        t = Fit(found).test(contrast)
        rows.append(
            {
                "triangle": f"{a}, {b}, {c}", "left": t.estimate, "ci_low": t.ci_low, "ci_high": t.ci_high, "statistic": t.t, "df": t.df,
                "p": t.p, "state": state,
            }
        )  # fmt: skip
    return rows
