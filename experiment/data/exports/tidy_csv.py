"""One tidy CSV and its data dictionary."""

from __future__ import annotations

from collections.abc import Iterator

from experiment.data.exports.tidy import Tidy, dump, table


def files(data: Tidy) -> Iterator[tuple[str, str]]:
    """``STUDY.csv`` with one row an answer, ``STUDY.json`` saying what each column means."""
    name = f"{data.study}.csv"
    yield name, table([], data.columns)
    for rows in data.parts():
        yield name, table(rows, data.columns, header=False)
    yield f"{data.study}.json", dump({"columns": data.meanings})
