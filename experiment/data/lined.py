"""At which lines of a survey file its rows stand, and whether all its quotes are closed.

A quote that nobody closed makes one field of all that follows: read as text, the rows after it are gone without a word.
"""

from __future__ import annotations

import csv
from pathlib import Path

from stimuli.separated import APART


def row_lines(path: Path) -> list[tuple[int, int]]:
    """First and last line of each row under the header, as an editor counts them; empty lines are no rows.

    Raises
    ------
    ValueError
        If a quote is not closed, or something follows one that is, to go on after the file's name.
    """
    found: list[tuple[int, int]] = []
    with path.open(newline="", encoding="utf-8-sig") as file:
        head = file.readline()
        file.seek(0)
        reader = csv.reader(file, delimiter=next((x for x in APART if x in head), ","), strict=True)
        before = 0
        try:
            for row in reader:
                if row and before:
                    found.append((before + 1, reader.line_num))
                before = reader.line_num
        except csv.Error as error:
            raise ValueError(
                f'is not a CSV: in the row that begins at line {before + 1} a quote (") is not closed, or stands where none may '
                f"({error}). Nothing was imported"
            ) from None
    return found
