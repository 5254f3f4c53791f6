"""Distances with their resampled intervals as units, a set of clips each: what a report takes long for can be made before it, elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.data.compared import Conditions
from analysis.errors import AnalysisError
from analysis.kept import Kept
from analysis.sound.distances import FRAMES, RESAMPLES, Heard, Reference, load_reference, measured, sets_of
from analysis.sound.embedding import embed_clips
from analysis.sound.fad import thin
from stimuli.manifest import known_rows, ordered
from stimuli.units import Account, Unit, attempt

KEPT = "distances"  # in a study's outputs
CACHE = "embeddings"


class Distances:
    """Measure how far clips lie from the reference: a unit a condition, taste (or all) and space."""

    name, aligned = "distances", 1
    needs: tuple[str, ...] = ("embeddings",)

    def __init__(
        self, folder: Path, spaces: Sequence[str], reference: str, out: Path, seed: int, conditions: Conditions
    ) -> None:
        self.folder, self.spaces, self.where, self.seed, self.conditions = (
            folder,
            list(spaces),
            reference,
            seed,
            conditions,
        )
        self.cache, self.kept = out / CACHE, Kept(out / KEPT)
        self._references: dict[str, Reference] = {}

    def _sets(self) -> dict[str, Heard]:
        rows = ordered(known_rows(self.folder).values())
        return {f"{one.embedding} {one.model} {one.taste}": one for one in sets_of(rows, self.spaces, self.conditions)}

    def _of(self, one: Heard) -> str:
        return one.fingerprint(self.where, RESAMPLES, self.seed)

    def units(self) -> list[Unit]:
        """Space after space, of the clips that are there by now."""
        return [Unit(name, self._of(one), one.embedding) for name, one in self._sets().items()]

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those that are kept."""
        return {u.name for u in units if self.kept.has(u.fingerprint)}

    def make(self, names: Sequence[str], account: Account) -> None:
        """Set by set; what a set's clips are embedded as is read clip by clip."""
        sets = self._sets()

        def work(names: Sequence[str]) -> None:
            for name in names:
                self._measure(sets[name])

        for name in names:
            if name in sets and self.kept.has(self._of(sets[name])):
                account.made([name])
            elif name in sets:
                attempt(account, [name], work)
            else:
                account.failed([name], AnalysisError(f"{name}: no such clips in {self.folder}"))

    def _measure(self, one: Heard) -> None:
        space = one.embedding
        if space not in self._references:
            self._references[space] = load_reference(self.where, space)
        clips = [
            thin(embed_clips([row], self.folder, [space], self.cache)[space][row.sha256], FRAMES) for row in one.clips
        ]
        measured(one, clips, self._references[space], self.where, RESAMPLES, self.seed, self.kept)

    def gather(self) -> None:
        """Each lies where it is looked for."""
