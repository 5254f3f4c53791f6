"""What a section of the report is made of: text, tables, figures."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from analysis.page import standing
from analysis.page.style import Drawn


def _check_name(name: str) -> None:
    """Names stand in addresses, exports and commands: lower case, no spaces.

    Raises
    ------
    ValueError
        If it is none, as a title in its place is.
    """
    if name != name.lower() or not re.fullmatch(r"[\w-]+", name):
        raise ValueError(f"{name!r} is no name of a table or section")


@dataclass
class Table:
    """A table of the report: title, rows, what it says, how it was made."""

    name: str
    title: str
    rows: list[dict[str, Any]]
    note: str = ""
    columns: list[str] | None = None

    def __post_init__(self) -> None:
        _check_name(self.name)


@dataclass
class Section:
    """A part of the report; `how` is the command that prints its numbers."""

    name: str
    title: str
    text: list[str] = field(default_factory=list)
    figures: list[Drawn] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    html: str = ""
    how: str = ""

    def __post_init__(self) -> None:
        _check_name(self.name)

    def to_json(self, folder: Path) -> dict[str, Any]:
        """Plain values; figures by their path relative to the report's folder."""
        return {
            "name": self.name,
            "title": self.title,
            "text": [standing.kept(line) for line in self.text],
            "figures": [
                {"name": f.name, "title": f.title, "caption": f.caption, "svg": f.svg.relative_to(folder).as_posix()}
                for f in self.figures
            ],
            "tables": [
                {"name": t.name, "title": t.title, "rows": t.rows, "note": t.note, "columns": t.columns}
                for t in self.tables
            ],
            "html": self.html,
            "how": self.how,
        }

    @classmethod
    def from_json(cls, given: dict[str, Any], folder: Path) -> Section:
        """The inverse of `to_json`."""
        figures = [Drawn(f["name"], f["title"], f["caption"], folder / f["svg"]) for f in given["figures"]]
        tables = [Table(**t) for t in given["tables"]]
        text = [standing.read(line) for line in given["text"]]
        return cls(given["name"], given["title"], text, figures, tables, given["html"], given["how"])
