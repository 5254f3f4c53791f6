"""Cells of a long measurement as units of a heavy step, as a study's are: any share is made alone, and kept under what it depends on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from analysis.kept import Kept, KeptStep, made_by
from stimuli.units import fingerprint

FOLDER = Path(__file__).resolve().parent.parent / "outputs" / "evidence"
CODE = (
    "analysis",
    "experiment",
    "models/conditions.py",
    "stimuli/names.py",
)  # by which studies are simulated and analysed


class Cells(KeptStep):
    """A measurement of cells that know nothing of each other: their names, what works one out, what all depend on besides, and its code."""

    def __init__(
        self, name: str, cells: Sequence[str], work: Callable[[str], Any], of: Sequence[Any], code: str, folder: Path
    ) -> None:
        self.name, self.work, self.kept = name, work, Kept(folder / name)
        self._of = {cell: fingerprint(cell, of, made_by(*CODE, code)) for cell in cells}

    def _made(self, name: str) -> Any:
        return self.work(name)

    def found(self, cell: str) -> Any:
        """What came of a cell, worked out and kept now where nobody did."""
        kept = self.kept.get(self._of[cell])
        if kept is None:
            kept = self.work(cell)
            self.kept.put(self._of[cell], kept)
        return kept
