"""Sentences that know what their numbers stand on, and where in a sentence its numbers are."""

from __future__ import annotations

import re
from typing import Any

# Digits of a word (task1), of a version, of a name (sweet-base-003) are no numbers; nor is how sure an interval is, nor a measure's
# name (ICC(2,k)).
NUMBER = re.compile(
    r"(?<![\w.-])(?<!ICC\()(?<!ICC\(\d,)[+-]?(?:\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+)(?:e[+-]?\d+)?(?!\w)(?! % (?:CI|intervals?)\b)"
)


class Line(str):
    """A sentence and what its numbers stand on.

    Attributes
    ----------
    on : tuple of str
        Tables (``preference_mixed``), rows of them (``preference_mixed.0``) or pools (``@preference``,
        `analysis.report.reach.Pools`); nothing where its numbers are settings or come from elsewhere. A plain string stands on
        the tables of its section.
    """

    on: tuple[str, ...]

    def __new__(cls, text: str, *on: str) -> Line:
        line = super().__new__(cls, text)
        line.on = on
        return line


def kept(line: str) -> Any:
    """As JSON keeps it."""
    return {"said": str(line), "on": list(line.on)} if isinstance(line, Line) else line


def read(given: Any) -> str:
    """The inverse of `kept`."""
    return Line(given["said"], *given["on"]) if isinstance(given, dict) else str(given)


def numbers_of(text: str) -> list[tuple[int, int]]:
    """Where the numbers of a sentence begin and end, in order."""
    return [found.span() for found in NUMBER.finditer(text)]


def rows_on(table: str, rows: list[dict[str, Any]], wanted: list[dict[str, Any]]) -> list[str]:
    """How a sentence names rows of a table that it stands on: those among `rows` that are one of `wanted`."""
    return [f"{table}.{k}" for k, row in enumerate(rows) if any(row is one for one in wanted)]
