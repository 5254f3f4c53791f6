"""Clips of a study as numbers, so that what is measured of them needs no audio."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from analysis.sound import distances
from analysis.sound.distances import Reference
from stimuli.manifest import ClipRow

ROW = ClipRow(
    clip="", taste="sweet", model="base", number=0, prompt="", seed=0, checkpoint="", checkpoint_sha256="", file="", sha256="",
    seconds=2.0, rate=16000, loudness=-23.0, peak=-3.0, gain=0.0,
)  # fmt: skip


@pytest.fixture
def numbers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[list[ClipRow], dict[str, np.ndarray], Reference]:
    """Twenty clips of two conditions and two tastes as numbers, four of them of no taste, and a reference."""
    rng = np.random.default_rng(1)
    rows, vectors = [], {}
    for i in range(20):
        model, taste = ("base", "finetuned")[i % 2], ("sweet", "sour", "")[min(i // 8, 2)]
        row = replace(ROW, clip=f"c{i}", model=model, taste=taste, number=i, sha256=f"s{i}", seconds=2.0 + i % 2)
        rows.append(row)
        vectors[row.sha256] = rng.normal((model == "base") + 0.5 * (taste == "sour"), 1, size=(12, 3)).astype(
            np.float32
        )
        for space in ("x", "y"):
            path = tmp_path / space / f"{row.sha256}.npy"
            path.parent.mkdir(exist_ok=True)
            np.save(path, vectors[row.sha256] * (1 if space == "x" else 2))
    reference = Reference("my music", [rng.normal(size=(30, 3)).astype(np.float32) for _ in range(5)])
    monkeypatch.setattr(distances, "load_reference", lambda where, name: reference)
    return rows, vectors, reference
