"""What embedding spaces heard of clips, by the hash of each clip's sound: a file a clip, and of many clips Parquet in parts.

A cluster's folders hold few large files better than many small ones. So `PART` clips' files are packed into one part, each clip a row
group of its own, so that one is read without the others. Whoever packs writes under a temporary name, renames, and then lets
go of the small files; parts are named by what is in them, so that two that pack the same do no harm.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError
from analysis.sound.fad import thin
from stimuli import waiting

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

PART = 2048  # clips of a part


class Embedded(Mapping[str, np.ndarray]):
    """Embeddings in one space, (frames, width) float32 by hash; each is read when it is asked for, and none is held."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._parts: dict[str, tuple[Path, int]] = {}
        self._loose: set[str] = set()
        self._open: dict[Path, ParquetFile] = {}  # to read what a part holds takes longer than to read a clip of it
        self.look()

    def look(self) -> None:
        """See what is there now."""
        self._loose = {p.stem for p in self.folder.glob("[!.]*.npy")}
        for path in sorted(self.folder.glob("[!.]*.parquet")):
            if path not in self._open:
                self._open[path] = _opened(path)
                self._parts |= {sha256: (path, row) for row, sha256 in enumerate(_clips_of(self._open[path]))}

    def __getitem__(self, sha256: str) -> np.ndarray:
        if sha256 in self._parts:
            return self._row(*self._parts[sha256])
        try:
            return np.asarray(np.load(loose(self.folder, sha256), allow_pickle=False))
        except FileNotFoundError:  # packed meanwhile
            self.look()
            if sha256 not in self._parts:
                raise KeyError(sha256) from None
            return self._row(*self._parts[sha256])

    def _row(self, path: Path, row: int) -> np.ndarray:
        found = self._open[path].read_row_group(row, columns=["width", "values"], use_threads=False)
        values = found["values"].combine_chunks().flatten().to_numpy(zero_copy_only=False)
        width = int(found["width"][0].as_py())
        return np.array(values).reshape(len(values) // width, width)

    def __contains__(self, sha256: object) -> bool:
        return sha256 in self._parts or sha256 in self._loose

    def __iter__(self) -> Iterator[str]:
        return iter(self._parts.keys() | self._loose)

    def __len__(self) -> int:
        return len(self._parts.keys() | self._loose)


class Thinned(Sequence[np.ndarray]):
    """Some clips of a space, in an order, each of at most so many frames, evenly; read when they are asked for, too."""

    def __init__(self, there: Embedded, clips: Sequence[str], most: int) -> None:
        self._there, self._clips, self._most = there, clips, most

    def __getitem__(self, place: Any) -> Any:
        return thin(self._there[self._clips[place]], self._most)

    def __len__(self) -> int:
        return len(self._clips)


def loose(folder: Path, sha256: str) -> Path:
    """Where a clip's embedding lies before it is packed."""
    return folder / f"{sha256}.npy"


def keep(folder: Path, sha256: str, vectors: np.ndarray) -> None:
    """Keep the embedding of one clip."""
    path = loose(folder, sha256)
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = waiting.partial(path)
    with unfinished.open("wb") as file:
        np.save(file, vectors)
    unfinished.replace(path)


def pack(folder: Path) -> int:
    """Pack what lies there in single files, as far as it fills parts; returns how many clips went into parts."""
    there = sorted(p.stem for p in folder.glob("[!.]*.npy"))
    full = len(there) // PART * PART
    for start in range(0, full, PART):
        some = there[start : start + PART]
        if _packed(folder, some):
            for sha256 in some:
                loose(folder, sha256).unlink(missing_ok=True)
    return full


def _packed(folder: Path, clips: list[str]) -> bool:
    """Write one part; False where another one packs the same now and has let some of it go already."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {"sha256": pa.string(), "frames": pa.int32(), "width": pa.int32(), "values": pa.list_(pa.float32())}
    path = folder / f"part-{hashlib.sha256(' '.join(clips).encode()).hexdigest()[:16]}.parquet"
    unfinished = waiting.partial(path)
    try:
        with pq.ParquetWriter(unfinished, pa.schema(columns)) as file:
            for sha256 in clips:
                vectors = np.load(loose(folder, sha256), allow_pickle=False)
                frames, width = vectors.shape
                row = [[sha256], [frames], [width], pa.ListArray.from_arrays([0, frames * width], vectors.reshape(-1))]
                file.write_table(pa.table(dict(zip(columns, row, strict=True)), schema=file.schema))
    except FileNotFoundError:
        unfinished.unlink(missing_ok=True)
        return False
    unfinished.replace(path)
    return True


def _opened(path: Path) -> ParquetFile:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.ParquetFile(path, memory_map=True, pre_buffer=False)
    except pa.ArrowException as error:
        why = str(error).splitlines()[0]
        raise AnalysisError(f"{path} is damaged ({why}); delete it: its clips are embedded again") from None


def _clips_of(file: ParquetFile) -> list[str]:
    """The hashes in a part, a row group each."""
    return list(file.read(columns=["sha256"])["sha256"].to_pylist())
