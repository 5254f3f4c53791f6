"""Bradley and Terry's model (1952) of who wins: three or more conditions on one scale by the side of each answer alone.

The graded model (`analysis.preference.worth`) uses how far an answer lies from the middle and lets people and clips differ; this
one, which other studies report, takes every answer for independent and keeps its side: the log odds that a condition wins over
another are the difference of their abilities. As R's ``BradleyTerry2::BTm``; answers in the middle are left out and counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.preference.worth import APART, design, reached

if TYPE_CHECKING:
    import pandas as pd

SEPARATED = "separated"
NUMBERS = ("ability", "ci_low", "ci_high", "standard_error")


def bradley_terry(compared: pd.DataFrame, middle: float) -> list[dict[str, Any]]:
    """Every condition's ability, over all tastes; empty where two conditions alone are compared.

    Parameters
    ----------
    compared : DataFrame
        The rows of `analysis.preference.joint.sides`.

    Returns
    -------
    list of dict
        condition, ability (log odds from the mean of the conditions), ci_low, ci_high (95 %, normal), standard_error, won, lost, middle
        (answers), state: ``separated`` where some conditions never lost to the others, whose abilities have no bound (Ford 1957),
        ``not connected`` where no chain of comparisons leads to them.
    """
    from statsmodels.api import GLM, families

    conditions = sorted({*compared["over"].astype(str), *compared["under"].astype(str)})
    if len(conditions) < 3:
        return []
    score = compared["score"].to_numpy(float)
    told = compared[score != middle]
    won = told["score"].to_numpy(float) > middle
    over, under = (told[side].astype(str).to_numpy() for side in ("over", "under"))
    winner, loser = np.where(won, over, under), np.where(won, under, over)
    state = _state(conditions, set(zip(winner.tolist(), loser.tolist(), strict=True)))
    numbers: list[tuple[float | None, ...]] = [(None,) * 4] * len(conditions)
    if state == "ok":
        found = GLM(won.astype(float), design(told, conditions, ["all"]), family=families.Binomial()).fit()
        size = len(conditions) - 1
        each = np.vstack([np.eye(size), -np.ones(size)])  # abilities sum to zero
        ability = each @ found.params
        error = np.sqrt(np.diag(each @ found.cov_params() @ each.T))
        half = 1.959963984540054 * error
        numbers = list(zip(*(v.tolist() for v in (ability, ability - half, ability + half, error)), strict=True))
    every_over, every_under = compared["over"].astype(str), compared["under"].astype(str)
    return [
        {"condition": name, **dict(zip(NUMBERS, own, strict=True))}
        | {"won": int((winner == name).sum()), "lost": int((loser == name).sum())}
        | {"middle": int((((every_over == name) | (every_under == name)) & (score == middle)).sum()), "state": state}
        for name, own in zip(conditions, numbers, strict=True)
    ]


def _state(conditions: list[str], wins: set[tuple[str, str]]) -> str:
    """Abilities exist where from each condition a chain of wins leads to each other (Ford 1957)."""
    either = wins | {(b, a) for a, b in wins}
    if any(reached(c, either) != set(conditions) for c in conditions):
        return APART
    return "ok" if all(reached(c, wins) == set(conditions) for c in conditions) else SEPARATED
