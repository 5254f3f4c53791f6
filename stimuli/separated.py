"""Tables that people bring as text: fields apart by commas, or as a spreadsheet of another country saves them; what is none says so."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Any

APART = (",", ";", "\t")
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how an .xlsx (or .ods) and an .xls begin
SAVE = "save it as 'CSV UTF-8' (in Excel: File, Save As)"


@dataclass(frozen=True)
class Separated:
    """A table that was read.

    Attributes
    ----------
    header : list of str
        Names of the columns.
    rows : list of dict
        A row that lacks fields has None there; one with more fields than the header has them under None. Empty lines are no rows.
    lines : list of tuple of int
        First and last line of each row, as an editor counts them.
    """

    header: list[str]
    rows: list[dict[str | Any, Any]]
    lines: list[tuple[int, int]]


def read_separated(path: Path) -> Separated:
    """Read a text with a header line: fields are separated by commas, or by semicolons or tabs where that has no comma.

    A quote that nobody closed is refused: as text it makes one field of all that follows, and the rows after it are gone.

    Raises
    ------
    ValueError
        What is wrong with the file, to go on after its name.
    """
    if path.is_dir():
        raise ValueError("is a folder, not a file")
    try:
        with path.open("rb") as raw:
            begins = raw.read(4)
        if begins in WORKBOOKS:
            raise ValueError(f"is not a CSV but a spreadsheet's own file: {SAVE}")
        with path.open(newline="", encoding="utf-8-sig") as file:
            head = file.readline()
            file.seek(0)
            return _table(csv.reader(file, delimiter=next((x for x in APART if x in head), ","), strict=True))
    except FileNotFoundError:
        raise ValueError("is a link to nothing" if path.is_symlink() else "does not exist") from None
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        wrong = error.object[error.start]
        raise ValueError(f"is not a CSV in UTF-8 (byte 0x{wrong:02x}): {SAVE}") from None


def _table(reader: Any) -> Separated:
    """What a `csv.reader` reads."""
    found, before = Separated([], [], []), 0
    try:
        for fields in reader:
            if not before:
                found.header.extend(fields)
            elif fields:
                row: dict[str | Any, Any] = dict.fromkeys(found.header) | dict(zip(found.header, fields, strict=False))
                more = fields[len(found.header) :]
                found.rows.append(row | {None: more} if more else row)
                found.lines.append((before + 1, reader.line_num))
            before = reader.line_num
    except csv.Error as error:
        raise ValueError(
            f'is not a CSV: in the row that begins at line {before + 1} a quote (") is not closed, or stands where none may ({error})'
        ) from None
    return found
