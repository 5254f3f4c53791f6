"""One tidy CSV and its data dictionary."""

from __future__ import annotations

from experiment.data.exports.tidy import Tidy, dump, table


def files(data: Tidy) -> dict[str, str]:
    """``STUDY.csv`` with one row an answer, ``STUDY.json`` saying what each column means."""
    return {f"{data.study}.csv": table(data.rows, data.columns), f"{data.study}.json": dump({"columns": data.meanings})}
