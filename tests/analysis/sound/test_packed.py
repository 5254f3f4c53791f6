"""Embeddings in single files and in parts: what comes back is what was kept, bit for bit, whoever packs meanwhile."""

from __future__ import annotations

import hashlib
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from analysis.errors import AnalysisError
from analysis.sound import packed
from analysis.sound.packed import Embedded, keep, loose, pack

SHAPES = st.tuples(st.integers(0, 4), st.integers(1, 5))
VECTORS = SHAPES.flatmap(lambda shape: arrays(np.float32, shape, elements=st.floats(width=32)))


def sha(n: int) -> str:
    return hashlib.sha256(str(n).encode()).hexdigest()


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packed, "PART", 3)


@pytest.mark.usefixtures("small")
@given(st.lists(st.one_of(VECTORS, st.none()), max_size=14))
def test_what_was_kept_comes_back(steps: list[np.ndarray | None]) -> None:
    """Packed (None) at any moments, NaN and nothing at all among it; a reader that was there before sees it, too."""
    with tempfile.TemporaryDirectory() as name:
        folder, wanted, before = Path(name) / "space", dict[str, bytes](), Embedded(Path(name) / "space")
        for n, step in enumerate(steps):
            if step is None:
                pack(folder)
            else:
                keep(folder, sha(n), step)
                wanted[sha(n)] = step.tobytes() + str(step.shape).encode()
        found = Embedded(folder)
        for kept in (found, before):
            assert {k: kept[k].tobytes() + str(kept[k].shape).encode() for k in wanted} == wanted
        assert (set(found), len(found)) == (set(wanted), len(wanted))
        assert all(k in found for k in wanted)
        assert sha(-1) not in found
        singles = len(list(folder.glob("*.npy")))
        pack(folder)
        assert len(list(folder.glob("*.npy"))) == singles % 3  # what fills no part stays as it is


@pytest.mark.usefixtures("small")
def test_parts_are_read_by_anybody(tmp_path: Path) -> None:
    for n in range(7):
        keep(tmp_path, sha(n), np.full((2, 3), n, np.float32))
    reader = Embedded(tmp_path)
    assert pack(tmp_path) == 6
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert reader[sorted(map(sha, range(7)))[0]].shape == (2, 3)  # it was read from a single file before
    table = pd.concat([pd.read_parquet(p) for p in tmp_path.glob("*.parquet")])
    assert list(table.columns) == ["sha256", "frames", "width", "values"]
    numbers = {sha(n): n for n in range(7)}
    for row in table.to_dict("records"):
        assert (row["frames"], row["width"], row["values"].tolist()) == (2, 3, [float(numbers[row["sha256"]])] * 6)


@pytest.mark.usefixtures("small")
def test_a_packer_that_was_killed_or_not_alone_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(3):
        keep(tmp_path, sha(n), np.full((1, 2), n, np.float32))
    monkeypatch.setattr(Path, "unlink", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        pack(tmp_path)
    monkeypatch.undo()
    monkeypatch.setattr(packed, "PART", 3)
    assert len(Embedded(tmp_path)) == 3
    pack(tmp_path)
    assert [p.suffix for p in tmp_path.iterdir()] == [".parquet"]  # the same part, once
    # Another one has let go of a file that this one is about to read.
    for n in range(3, 6):
        keep(tmp_path, sha(n), np.full((1, 2), n, np.float32))
    load, gone = np.load, sorted(map(sha, range(3, 6)))[1]
    monkeypatch.setattr(
        np, "load", lambda path, **more: loose(tmp_path, gone).unlink(missing_ok=True) or load(path, **more)
    )
    pack(tmp_path)
    monkeypatch.undo()
    assert sorted(p.suffix for p in tmp_path.iterdir()) == [".npy", ".npy", ".parquet"]


def test_a_damaged_part_is_told(tmp_path: Path) -> None:
    (tmp_path / "part-1.parquet").write_bytes(b"PAR1 no more")
    with pytest.raises(AnalysisError, match=r"part-1\.parquet is damaged .*delete it"):
        Embedded(tmp_path)


def test_what_was_never_kept_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(KeyError):
        Embedded(tmp_path)[sha(0)]
