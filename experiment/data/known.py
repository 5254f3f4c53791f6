"""By what a row of a survey file is known for somebody who is there already, however a program saved the file anew."""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from experiment.data.codes import imported_code, same


@dataclass(frozen=True)
class Known:
    """What is stored of whom a row is about.

    Attributes
    ----------
    codes : tuple of str
        The person's code, and the one that version 0.1.0 gave at first.
    said : tuple of str
        Digest of the answers, and of the row as it stood in the file, by which version 0.1.0 told at first who says the same.
    """

    codes: tuple[str, ...]
    said: tuple[str, ...]


class Knowing:
    """Tell the people of one file from each other and from those who are there.

    Parameters
    ----------
    person : str or None
        The column that says who somebody is.
    """

    def __init__(self, study_id: int, person: str | None):
        self.study_id, self.person = study_id, person
        self._met: Counter[str] = Counter()

    def name(self, row: Mapping[Any, Any]) -> str:
        """What the file calls whom a row is about; empty where it does not say."""
        return str(row.get(self.person) or "").strip() if self.person else ""

    def of(self, row: Mapping[Any, Any], answers: object) -> Known:
        """Codes that tell nothing and are the same for the same person: under the survey's own name, or under what the row says.

        A second person without a name who says the same is a second one.

        Parameters
        ----------
        answers : object
            What was read of the row: things that are written alike where they are alike.
        """
        before = _digest([(k, v) for k, v in row.items() if k != self.person])
        said = (_digest(answers), before)
        if name := self.name(row):
            return Known(tuple(imported_code(self.study_id, x) for x in (same(name), row[self.person])), said)
        # Without a name two who answer alike are two where anything else in their rows differs, be it the time of day.
        cells = _digest(sorted((k.strip(), _meant(v)) for k, v in row.items() if k != self.person and v.strip()))
        own = []
        for digest in (cells, before):
            self._met[digest] += 1
            own.append(imported_code(self.study_id, f"{digest}:{self._met[digest]}"))
        return Known(tuple(own), said)


def _digest(what: Any) -> str:
    return hashlib.sha256(repr(what).encode("utf-8", "surrogatepass")).hexdigest()


def _meant(cell: str) -> str:
    """What a cell says: ``5``, `` 5 `` and ``5.0`` are one number."""
    try:
        value = float(cell)
    except ValueError:
        return cell.strip()
    return repr(value + 0.0) if math.isfinite(value) else cell.strip()
