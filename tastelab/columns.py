"""Which columns of a table a page has room for: one rule for the tables of all commands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

LONGEST = 30  # characters of a cell, from which on it is broken
BROKEN = 9  # characters that words are left with, at the least, where they are broken
PADDING = 3  # what a column takes beside its cells: a line and two spaces
NAMING = 44  # of 80 columns, what the names of rows may take, so that numbers stand beside them

ESTIMATES = ("effect", "estimate", "diff", "difference", "power", "value", "r", "mean", "F")
CERTAIN = ("p_adjusted", "p", "p_bonferroni", "p_permutation", "spearman_p")
STATES = ("state", "converged")
REMARKS = ("why", "note", "notes", "role")  # words that name no row
# What is looked up where it is needed: counts, degrees of freedom, spreads, notes and, first of them, intervals.
COUNTS = ("n", "k", "df", "se", "sd", "standard_error", "permutations", "simulations", "no_result", "note", "notes")
ENDS = ("_low", "_high")


@dataclass(frozen=True)
class Column:
    """A column of a part of a table, and how many characters its cells get."""

    key: str
    width: int


def numeric(rows: list[Row], key: str) -> bool:
    """Whether a column holds numbers."""
    return any(isinstance(row.get(key), (int, float)) for row in rows)


def fit(
    rows: list[Row], width: int, shown: Callable[[Any, str], str] = lambda value, _: str(value)
) -> tuple[list[list[Column]], list[str]]:
    """The parts in which a table fits a width, and the columns that it has no room for.

    What fits as it is stays whole. Else each part begins with the columns that say which row it is; on them follow, as long as
    there is room in a part, the estimate, the corrected p and p, the state, and other numbers and words. What is the same in every
    row, and counts, intervals and the like, get the room that is left, or none.

    Parameters
    ----------
    rows
        The table's rows; a key that a row lacks is an empty cell.
    width
        Characters of a line.
    shown
        How a value of a column is written.

    Returns
    -------
    parts, left
        The columns of each part, in the table's order, and the keys of the columns in no part.
    """
    keys = list(dict.fromkeys(k for row in rows for k in row))
    wide = {k: max(len(k), min(LONGEST, max(len(shown(row.get(k), k)) for row in rows))) + PADDING for k in keys}
    if sum(wide.values()) + 1 <= width:
        return [[Column(k, wide[k] - PADDING) for k in keys]], []
    names = _names(rows, keys, wide)
    room = width - 1 - sum(wide[k] for k in names)
    parts: list[dict[str, int]] = []

    def place(unit: tuple[str, ...], new: bool) -> bool:
        """Into the first part that has room for it, or into a new one."""
        words = len(unit) == 1 and _words(rows, unit[0])
        for part in [*parts, {}] if new or not parts else parts:
            free = room - sum(part.values())
            if words and max(len(unit[0]), BROKEN) + PADDING <= free < wide[unit[0]]:
                part[unit[0]] = free  # words may be broken
            elif sum(wide[k] for k in unit) <= free:
                part.update((k, wide[k]) for k in unit)
            else:
                continue
            if part not in parts:
                parts.append(part)
            return True
        return False

    needed, spare = _ranked(rows, [k for k in keys if k not in names])
    left = [k for unit in needed if not place(unit, new=True) for k in unit]
    left += [k for unit in spare if not place(unit, new=False) for k in unit]
    told = [{**{k: wide[k] for k in names}, **part} for part in parts or [{}]]
    return (
        [[Column(k, part[k] - PADDING) for k in keys if k in part] for part in told],
        [k for k in keys if k in left],
    )


def _names(rows: list[Row], keys: list[str], wide: dict[str, int]) -> list[str]:
    """The columns that say which row it is: those that tell rows apart that the ones before leave alike, words before numbers.

    Broken, in `wide`, where they would leave no room for numbers.
    """
    spoken = [k for k in keys if _words(rows, k) and k not in (*STATES, *REMARKS)]
    counted = [k for k in keys if all(type(row.get(k)) is int for row in rows) and not _spare(k) and k not in ESTIMATES]
    names: list[str] = []
    alike = 1
    for key in spoken + counted:
        apart = len({tuple(str(row.get(k)) for k in (*names, key)) for row in rows})
        least = sum(max(len(k), BROKEN) + PADDING if k in spoken else wide[k] for k in (*names, key))
        if apart > alike and least <= NAMING:
            names, alike = [*names, key], apart
    names = names or spoken[:1]
    while sum(wide[k] for k in names) > NAMING:
        able = [k for k in names if k in spoken and wide[k] > max(len(k), BROKEN) + PADDING]
        if not able:
            break
        wide[max(able, key=lambda k: wide[k])] -= 1
    return names


def _ranked(rows: list[Row], keys: list[str]) -> tuple[list[tuple[str, ...]], list[tuple[str, ...]]]:
    """What is needed beside the names, first things first, and what may be left out; an interval's ends stay together.

    Where no p says how sure an estimate is, its interval does.
    """
    estimate = next(
        (k for k in (*ESTIMATES, *keys) if k in keys and numeric(rows, k) and not _spare(k) and k not in CERTAIN), None
    )
    same = [k for k in keys if _words(rows, k) and k not in STATES and len({str(row.get(k)) for row in rows}) == 1]
    first = [k for k in (estimate, *CERTAIN, *STATES) if k in keys and k is not None]
    sure = [] if any(k in keys for k in CERTAIN) else [k for k in keys if k in ("ci_low", "ci_high")]
    other = [k for k in keys if k not in (*first, *same) and not _spare(k)]
    ends = [k for k in keys if k.endswith(ENDS) and k not in sure]
    counts = [k for k in keys if _spare(k) and k not in (*ends, *sure)]
    needed = [*((k,) for k in first), *_pairs(sure), *((k,) for k in other)]
    return needed, [*((k,) for k in same), *_pairs(ends), *((k,) for k in counts)]


def _pairs(ends: list[str]) -> Iterator[tuple[str, ...]]:
    for about in dict.fromkeys(k.rpartition("_")[0] for k in ends):
        yield tuple(k for k in ends if k.rpartition("_")[0] == about)


def _spare(key: str) -> bool:
    return key in COUNTS or key.startswith(("n_", "df", "se_", "sd_")) or key.endswith((*ENDS, "_se", "_sd"))


def _words(rows: list[Row], key: str) -> bool:
    return all(isinstance(row.get(key), str) or row.get(key) is None for row in rows)
