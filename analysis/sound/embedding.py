"""Clips as embedding spaces hear them, each kept under the hash of its sound: worked out once, by whichever machine comes first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import AnalysisError
from analysis.sound.packed import Embedded, keep, pack
from stimuli.manifest import Glance, known_rows, ordered
from stimuli.units import Account, Unit, attempt, found_of

if TYPE_CHECKING:
    from stimuli.manifest import ClipRow

Progress = Callable[[int, int, str], None]


def level(audio: np.ndarray) -> np.ndarray:
    """Bring audio to one RMS (-23 dBFS): loudness is matched on purpose and must not count as distance."""
    return np.asarray(audio * (10 ** (-23 / 20) / max(float(np.sqrt((audio**2).mean())), 1e-6)), dtype=np.float32)


def embed_clips(
    rows: list[ClipRow], folder: Path, names: list[str], cache: Path, progress: Progress | None = None
) -> dict[str, Embedded]:
    """Embed clips that are not embedded yet, each kept in `cache` under the hash of its sound; returns what is kept of them by space."""
    there = {name: Embedded(space_folder(cache, name)) for name in names}
    for i, row in enumerate(rows):
        for name, kept in there.items():
            if row.sha256 not in kept:
                embed(row, folder, name, cache)
        if progress:
            progress(i + 1, len(rows), row.clip)
    return {name: packed(cache, name) for name in names}


def packed(cache: Path, name: str) -> Embedded:
    """What is kept of a space, in parts where it is much."""
    pack(space_folder(cache, name))
    return Embedded(space_folder(cache, name))


def embed(row: ClipRow, folder: Path, name: str, cache: Path) -> None:
    """Embed one clip in one space, and keep it."""
    from models.embeddings.spaces import open_space
    from stimuli.audio import load_mono

    space = open_space(name)
    vectors = space.embed(level(load_mono(folder / row.file, space.rate))).astype(np.float32)
    keep(space_folder(cache, name), row.sha256, vectors)


def space_folder(cache: Path, name: str) -> Path:
    """A space's folder in the cache: shipped ones by name, others by a hash of where they come from."""
    kind, colon, where = name.partition(":")
    return cache / (name if not colon else f"{kind}-{hashlib.sha256(where.encode()).hexdigest()[:10]}")


class Embeddings:
    """Embed the clips in every space of a study: a unit a clip."""

    name, aligned = "embeddings", 1
    needs: tuple[str, ...] = ("distinct",)

    def __init__(self, folder: Path, spaces: Sequence[str], cache: Path) -> None:
        self.folder, self.spaces, self.cache = folder, spaces, cache

    def units(self) -> list[Unit]:
        """The clips in the manifest's order."""
        return found_of(ordered(known_rows(self.folder).values()), list(self.spaces))

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those that every space has."""
        rows, there = known_rows(self.folder), self._kept()
        return {u.name for u in units if u.name in rows and not _missing(rows[u.name], there)}

    def _kept(self) -> dict[str, Embedded]:
        return {name: Embedded(space_folder(self.cache, name)) for name in self.spaces}

    def make(self, names: Sequence[str], account: Account) -> None:
        """Clip by clip."""
        rows, there = Glance(self.folder).of(names), self._kept()
        for name in names:
            attempt(account, [name], partial(self._embed, rows, there))

    def _embed(self, rows: dict[str, ClipRow], there: dict[str, Embedded], clips: Sequence[str]) -> None:
        for clip in clips:
            if clip not in rows:
                raise AnalysisError(f"{clip}: no such clip in {self.folder}")
            for name in _missing(rows[clip], there):
                embed(rows[clip], self.folder, name, self.cache)

    def gather(self) -> None:
        """Each lies where it is looked for; of many, parts are made."""
        for name in self.spaces:
            pack(space_folder(self.cache, name))


def _missing(row: ClipRow, there: dict[str, Embedded]) -> list[str]:
    return [name for name, kept in there.items() if row.sha256 not in kept]
