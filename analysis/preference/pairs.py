"""Studies that compare more than two conditions: every analysis is made pair by pair, and its rows say of which."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

Tables = dict[str, list[dict[str, Any]]]


def pairs_in(data: pd.DataFrame) -> list[tuple[str, str]]:
    """The pairs of conditions that were compared, each as (over, under), by name."""
    if "over" not in data:
        return []
    return sorted({(str(over), str(under)) for over, under in zip(data["over"], data["under"], strict=True)})


def named_pair(over: str, under: str) -> str:
    """How a row names the pair that it is about: a positive effect speaks for the first."""
    return f"{over} - {under}"


def of_pair(data: pd.DataFrame, pair: tuple[str, str]) -> pd.DataFrame:
    """The answers about one pair."""
    return data[(data["over"] == pair[0]) & (data["under"] == pair[1])]


def by_pair(data: pd.DataFrame, analyse: Callable[[pd.DataFrame], Tables]) -> Tables:
    """Tables of an analysis; where there are several pairs, of each by itself, with a column `pair`.

    Corrections for several tests are made within a pair.
    """
    pairs = pairs_in(data)
    if len(pairs) < 2:
        return analyse(data)
    tables: Tables = {}
    for pair in pairs:
        for name, rows in analyse(of_pair(data, pair)).items():
            tables.setdefault(name, []).extend({"pair": named_pair(*pair), **row} for row in rows)
    return tables
