"""What the clips of a study sound like: captions and acoustic features, added to the manifest."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from models.config import ModelsConfig
from stimuli.audio import load_mono
from stimuli.manifest import ClipRow, read_manifest, update_manifest

Progress = Callable[[int, int, str], None]


def describe(folder: Path, what: str, models: ModelsConfig, progress: Progress | None = None) -> list[ClipRow]:
    """Add what a clip sounds like to the manifest: ``what`` is ``"captions"`` or ``"features"``. Done rows stay."""
    rows = read_manifest(folder)
    if what == "features":
        todo = [r for r in rows if not r.features]
        from stimuli.features import acoustic_features

        with ThreadPoolExecutor(2) as pool:
            found = pool.map(lambda r: acoustic_features(load_mono(folder / r.file, r.rate), r.rate), todo)
            for i, (row, features) in enumerate(zip(todo, found, strict=True)):
                row.features = {k: round(v, 5) for k, v in features.items()}
                if progress:
                    progress(i + 1, len(todo), row.clip)
        if todo:
            update_manifest(folder, todo)
        return rows
    from models.sonicverse.captioner import RATE as CAPTION_RATE
    from models.sonicverse.captioner import caption_sha256, load_captioner

    sha256 = caption_sha256(models.captioner)
    todo = [r for r in rows if r.captioner_sha256 != sha256]
    if todo:
        captioner = load_captioner(models.captioner)
        for start in range(0, len(todo), 8):
            batch = todo[start : start + 8]
            described = captioner.describe([load_mono(folder / r.file, CAPTION_RATE) for r in batch])
            for row, d in zip(batch, described, strict=True):
                row.caption, row.caption_features, row.captioner_sha256 = d.caption, d.features, captioner.sha256
            update_manifest(folder, batch)
            if progress:
                progress(min(start + 8, len(todo)), len(todo), batch[-1].clip)
    return rows
