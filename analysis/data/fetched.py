"""Rows of a query as a frame, fetched in parts: of millions of answers no word is held in memory twice."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from sqlalchemy import Connection, Executable

PART = 50_000  # rows that are fetched, or written, at once
MANY = 10_000  # different values of a column, after which further ones are not looked for again


def fetched(connection: Connection, query: Executable) -> pd.DataFrame:
    """What a query gives, a column each of its labels."""
    import pandas as pd

    result = connection.execute(query.execution_options(yield_per=PART))
    names = list(result.keys())
    columns: list[list[Any]] = [[] for _ in names]
    known: list[dict[Any, Any]] = [{} for _ in names]
    for part in result.partitions():
        for column, same, values in zip(columns, known, zip(*part, strict=True), strict=True):
            column += values if len(same) > MANY else (same.setdefault(v, v) for v in values)
    return pd.DataFrame(dict(zip(names, columns, strict=True))) if columns[0] else pd.DataFrame()
