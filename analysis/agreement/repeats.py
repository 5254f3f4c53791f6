"""What people say when they hear the same clip again without being told: the floor under every other agreement."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

FEWEST = 5  # pairs of answers


def reliability(pairs: pd.DataFrame) -> list[dict[str, Any]]:
    """Agreement of each item's first answer with the one about the hidden repeat.

    Parameters
    ----------
    pairs : DataFrame
        One row a pair: participant, item, first, again; answers are numbers, or words where the item is a choice.

    Returns
    -------
    list of dict
        item, people, pairs, same (share of equal answers), chance (the share that equal answers would have by habit alone),
        kappa (Cohen's: how far `same` lies over chance), icc (numbers: ICC(2,1), absolute agreement, from the mean squares of
        pairs and occasions), shift (numbers: mean of the second less the first), state (``ok``, ``too few``, or ``constant``:
        everybody gave one answer).
    """
    rows = []
    for item, part in pairs.groupby("item", sort=False):
        first, again = part["first"], part["again"]
        row: dict[str, Any] = {
            "item": str(item), "people": int(part["participant"].nunique()), "pairs": len(part), "same": None, "chance": None,
            "kappa": None, "icc": None, "shift": None,
        }  # fmt: skip
        if len(part) < FEWEST:
            rows.append(row | {"state": "too few"})
            continue
        numbers = all(isinstance(x, (int, float, np.number)) for x in [*first, *again])
        same = float(np.mean([a == b for a, b in zip(first, again, strict=True)]))
        said = sorted(set(first) | set(again))
        chance = float(sum((first == x).mean() * (again == x).mean() for x in said))
        row |= {"same": same, "chance": chance}
        if numbers:
            row["shift"] = float(np.mean(np.asarray(again, dtype=float) - np.asarray(first, dtype=float)))
        if len(said) == 1:
            rows.append(row | {"state": "constant"})
            continue
        row["kappa"] = (same - chance) / (1 - chance) if chance < 1 else None
        if numbers:
            row["icc"] = absolute_agreement(np.column_stack([first, again]).astype(float))
        rows.append(row | {"state": "ok"})
    return rows


def absolute_agreement(answers: np.ndarray) -> float | None:
    """ICC(2,1) (Shrout & Fleiss 1979; McGraw & Wong's ICC(A,1)) of answers (pairs, occasions); None without any variance."""
    n, k = answers.shape
    whole = answers.mean()
    between = k * ((answers.mean(axis=1) - whole) ** 2).sum() / (n - 1)
    occasions = n * ((answers.mean(axis=0) - whole) ** 2).sum() / (k - 1)
    rest = ((answers - answers.mean(axis=1, keepdims=True) - answers.mean(axis=0) + whole) ** 2).sum() / (
        (n - 1) * (k - 1)
    )
    bottom = between + (k - 1) * rest + k * (occasions - rest) / n
    return float((between - rest) / bottom) if bottom > 0 else None
