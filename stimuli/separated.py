"""Tables that people bring as text: fields apart by commas, or as a spreadsheet of another country saves them; what is none says so."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

APART = (",", ";", "\t")
WORKBOOKS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")  # how an .xlsx (or .ods) and an .xls begin
SAVE = "save it as 'CSV UTF-8' (in Excel: File, Save As)"


def read_separated(path: Path) -> tuple[list[str], list[dict[str | Any, Any]]]:
    """Header and rows of a text with a header line: fields are separated by commas, or by semicolons or tabs where that has no comma.

    A row that lacks fields has None there; one with more fields than the header has them under None.

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
            reader = csv.DictReader(file, delimiter=next((x for x in APART if x in head), ","), strict=True)
            rows, ended = [], 0
            try:
                for row in reader:
                    rows.append(row)
                    ended = reader.line_num
            except csv.Error as error:
                raise csv.Error(f"in the row under line {max(1, ended)} ({error})") from None
            return list(reader.fieldnames or []), rows
    except FileNotFoundError:
        raise ValueError("is a link to nothing" if path.is_symlink() else "does not exist") from None
    except OSError as error:
        raise ValueError(f"can't be read: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        wrong = error.object[error.start]
        raise ValueError(f"is not a CSV in UTF-8 (byte 0x{wrong:02x}): {SAVE}") from None
    except csv.Error as error:
        raise ValueError(f'is not a CSV: a quote (") is not closed, or stands where none may, {error}') from None
