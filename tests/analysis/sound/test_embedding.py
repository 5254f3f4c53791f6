"""Embeddings as units: which clips every space has, and that any share of them makes what the whole makes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from analysis.sound import embedding, packed
from analysis.sound.embedding import Embeddings, embed_clips
from stimuli.manifest import ClipRow, read_manifest, write_manifest
from tests.stimuli.test_units import Told
from tests.tastelab.test_any_names import clip


@pytest.fixture
def spaces(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """What was embedded, in stand-ins for the networks that write the clip's own hash."""
    calls: list[tuple[str, str]] = []

    def embed(row: ClipRow, folder: Path, name: str, cache: Path) -> None:
        calls.append((name, row.clip))
        own = np.frombuffer(row.sha256[-8:].encode(), dtype=np.uint8).astype(np.float32)[None]
        packed.keep(embedding.space_folder(cache, name), row.sha256, own)

    monkeypatch.setattr(embedding, "embed", embed)
    return calls


def test_a_clip_is_done_when_every_space_has_it(tmp_path: Path, spaces: list[tuple[str, str]]) -> None:
    folder, cache = tmp_path / "stimuli", tmp_path / "embeddings"
    folder.mkdir()
    write_manifest(folder, [clip("sweet" if n < 4 else "sour", "nano-base", n) for n in range(8)])
    rows = read_manifest(folder)
    step = Embeddings(folder, ["codec", "musicnn"], cache)
    units = step.units()
    names = [u.name for u in units]
    assert sorted(names) == sorted(r.clip for r in rows)
    assert step.done(units) == set()
    first = Told()
    Embeddings(folder, ["codec"], cache).make(names[:4], first)
    assert (first.well, step.done(units)) == (names[:4], set())
    second = Told()
    step.make([*names[2:6], "nothing"], second)
    assert step.done(units) == set(names[2:6])
    assert second.well == names[2:6]
    assert list(second.wrong) == ["nothing"]
    assert "no such clip" in second.wrong["nothing"]
    wanted = [("codec", n) for n in names[:6]] + [("musicnn", n) for n in names[2:6]]
    assert sorted(spaces) == sorted(wanted)  # each once
    found = embed_clips(rows, folder, ["codec", "musicnn"], cache)
    assert len(spaces) == 2 * len(rows)
    for row in rows:
        assert bytes(found["musicnn"][row.sha256].astype(np.uint8)[0]).decode() == row.sha256[-8:]


def test_clips_in_parts_are_not_embedded_again(
    tmp_path: Path, spaces: list[tuple[str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Taking in packs them; the step, another run and the report find them there."""
    monkeypatch.setattr(packed, "PART", 3)
    folder, cache = tmp_path / "stimuli", tmp_path / "embeddings"
    folder.mkdir()
    write_manifest(folder, [clip("sweet", "nano-base", n) for n in range(8)])
    rows = read_manifest(folder)
    step = Embeddings(folder, ["codec"], cache)
    names = [u.name for u in step.units()]
    step.make(names[:7], Told())
    step.gather()
    assert sorted(p.suffix for p in (cache / "codec").iterdir()) == [".npy", ".parquet", ".parquet"]
    assert step.done(step.units()) == set(names[:7])
    step.make(names, Told())
    found = embed_clips(rows, folder, ["codec"], cache)["codec"]
    assert len(spaces) == 8  # each once
    for row in rows:
        assert bytes(found[row.sha256].astype(np.uint8)[0]).decode() == row.sha256[-8:]
