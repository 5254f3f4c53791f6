"""Clips as embedding spaces hear them, each kept under the hash of its sound: worked out once, by whichever machine comes first."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import AnalysisError
from stimuli import waiting
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
) -> dict[str, dict[str, np.ndarray]]:
    """Embed clips: space -> clip hash -> (frames, width); each kept in `cache` under the clip's hash."""
    out: dict[str, dict[str, np.ndarray]] = {name: {} for name in names}
    for i, row in enumerate(rows):
        for name in names:
            path = kept_as(cache, name, row)
            if not path.exists():
                embed(row, folder, name, cache)
            out[name][row.sha256] = np.load(path, allow_pickle=False)
        if progress:
            progress(i + 1, len(rows), row.clip)
    return out


def embed(row: ClipRow, folder: Path, name: str, cache: Path) -> None:
    """Embed one clip in one space, and keep it."""
    from models.embeddings.spaces import open_space
    from stimuli.audio import load_mono

    space = open_space(name)
    vectors = space.embed(level(load_mono(folder / row.file, space.rate))).astype(np.float32)
    path = kept_as(cache, name, row)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = waiting.partial(path)
    with unfinished.open("wb") as file:
        np.save(file, vectors)
    unfinished.replace(path)


def kept_as(cache: Path, name: str, row: ClipRow) -> Path:
    """Where a clip's embedding lies."""
    return cache / _folder(name) / f"{row.sha256}.npy"


def _folder(name: str) -> str:
    """A space's folder in the cache: shipped ones by name, others by a hash of where they come from."""
    kind, colon, where = name.partition(":")
    return name if not colon else f"{kind}-{hashlib.sha256(where.encode()).hexdigest()[:10]}"


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
        rows = known_rows(self.folder)
        return {u.name for u in units if u.name in rows and not self._missing(rows[u.name])}

    def _missing(self, row: ClipRow) -> list[str]:
        return [name for name in self.spaces if not kept_as(self.cache, name, row).exists()]

    def make(self, names: Sequence[str], account: Account) -> None:
        """Clip by clip."""
        rows = Glance(self.folder).of(names)
        for name in names:
            attempt(account, [name], partial(self._embed, rows))

    def _embed(self, rows: dict[str, ClipRow], clips: Sequence[str]) -> None:
        for clip in clips:
            if clip not in rows:
                raise AnalysisError(f"{clip}: no such clip in {self.folder}")
            for name in self._missing(rows[clip]):
                embed(rows[clip], self.folder, name, self.cache)

    def gather(self) -> None:
        """Each lies where it is looked for."""
