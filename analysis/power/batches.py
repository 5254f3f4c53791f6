"""Batches of simulated studies as units that any share can be made of: kept beside a study's outputs, on whichever machine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from analysis.kept import Kept, made_by
from analysis.power.power import Simulation, batches, found_in, rows_of
from stimuli.units import Account, Unit, attempt, fingerprint

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


class Batches:
    """Simulate studies: a unit a batch. Its name says the size, which of the size's batches it is, and what it depends on."""

    name, aligned = "power", 1
    needs: tuple[str, ...] = ()

    def __init__(self, simulation: Simulation, sizes: Sequence[int], folder: Path) -> None:
        self.simulation, self.kept = simulation, Kept(folder)
        s = simulation
        study = [part.model_dump(mode="json", exclude=WHERE) for part in (s.experiment, s.effects, s.analysis)]
        common = fingerprint(study, s.tastes, s.by, s.seed, made_by(*CODE))
        self.batches, self._units = {}, list[Unit]()
        for one in batches(simulation, sizes):
            of = fingerprint(common, one.people, one.clips, one.number, one.studies)
            name = f"{one.people}x{one.clips}-{one.number}-{of[:8]}"
            self.batches[name] = one
            self._units.append(Unit(name, of))
        self._of = {u.name: u.fingerprint for u in self._units}

    def units(self) -> list[Unit]:
        """Size after size."""
        return list(self._units)

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those that are kept."""
        return {u.name for u in units if self.kept.has(u.fingerprint)}

    def make(self, names: Sequence[str], account: Account) -> None:
        """Batch by batch."""
        for name in names:
            if self.kept.has(self._of[name]):
                account.made([name])
            else:
                attempt(account, [name], self._simulate)

    def _simulate(self, names: Sequence[str]) -> None:
        for name in names:
            self.kept.put(self._of[name], found_in(self.simulation, self.batches[name]))

    def gather(self) -> None:
        """Each lies where it is looked for."""

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
