"""Batches of simulated studies as units that any share can be made of: kept beside a study's outputs, on whichever machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.kept import Kept, KeptStep, made_by
from analysis.power.power import Simulation, batches, found_in, rows_of
from stimuli.units import fingerprint

CODE = (
    "analysis",
    "experiment",
    "models/conditions.py",
    "stimuli/names.py",
)  # what draws answers, and what finds effects in them
WHERE = {
    "logo",
    "texts",
    "effects",
    "reference",
    "targets",
}  # files that a study lies beside: another place is the same study


class Batches(KeptStep):
    """Simulate studies: a unit a batch. Its name says the size, which of the size's batches it is, and what it depends on."""

    name = "power"

    def __init__(self, simulation: Simulation, sizes: Sequence[int], folder: Path) -> None:
        self.simulation, self.kept = simulation, Kept(folder)
        s = simulation
        study = [part.model_dump(mode="json", exclude=WHERE) for part in (s.experiment, s.effects, s.analysis)]
        common = fingerprint(study, s.tastes, s.by, s.seed, made_by(*CODE))
        self.batches, self._of = {}, dict[str, str]()
        for one in batches(simulation, sizes):
            of = fingerprint(common, one.people, one.clips, one.number, one.studies)
            name = f"{one.people}x{one.clips}-{one.number}-{of[:8]}"
            self.batches[name] = one
            self._of[name] = of

    def _made(self, name: str) -> Any:
        return found_in(self.simulation, self.batches[name])

    def rows(self) -> list[dict[str, Any]]:
        """Power of every test at every size, once all batches are made.

        Raises
        ------
        AnalysisError
            If one is not there, or can't be read.
        """
        found = []
        for name, of in self._of.items():
            one = self.kept.get(of)
            if one is None:
                raise AnalysisError(f"{self.kept.path(of)} is missing or damaged; delete it and run the same again")
            found.append((self.batches[name], one))
        return rows_of(self.simulation, found)
