"""Faults that somebody has looked at and found to change nothing, each with the reason why.

No test can notice such a fault (an equivalent mutant: DeMillo, Lipton & Sayward 1978). Whether a fault is one can't be decided
by a program, so same.toml lists those that were drawn and judged: ``at`` is the line as it stands, ``old`` and ``new`` are the
exchange within it, ``why`` is the argument. The rates are told with and without them. An entry whose line has changed fails
`test_same`, and one that a test notices after all ends the run with status 1.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from tests.mutation.draw import Mutant, mutants
from tests.mutation.tree import ROOT

LIST = Path(__file__).with_name("same.toml")


@dataclass(frozen=True)
class Same:
    """One fault that changes nothing."""

    file: str
    at: str
    old: str
    new: str
    why: str

    def is_(self, mutant: Mutant, root: Path = ROOT) -> bool:
        """Whether a drawn fault is this one."""
        if mutant.file != self.file or _flat(mutant.old) != _flat(self.old) or _flat(mutant.new) != _flat(self.new):
            return False
        return _text_at(root / mutant.file, mutant.line) == self.at

    def places(self) -> list[Mutant]:
        """Faults of today's code that are this one."""
        return [m for m in mutants(self.file, (ROOT / self.file).read_text(encoding="utf-8")) if self.is_(m)]


def _flat(text: str) -> str:
    return " ".join(text.split())


def _text_at(path: Path, line: int) -> str:
    return path.read_text(encoding="utf-8").splitlines()[line - 1].strip()


@cache
def judged() -> tuple[Same, ...]:
    """The list, in its order."""
    return tuple(Same(**entry) for entry in tomllib.loads(LIST.read_text(encoding="utf-8")).get("same", []))


def why_same(mutant: Mutant) -> str | None:
    """The reason why a fault changes nothing, where it is listed."""
    return next((entry.why for entry in judged() if entry.is_(mutant)), None)
