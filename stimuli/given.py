"""Stimuli that are given as files: levelled copies with a manifest, as generated ones have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from models.weights import file_sha256
from stimuli.audio import AUDIO_SUFFIXES, deliver, delivery, opened
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.manifest import FILE, ClipRow, keep_only, read_manifest, update_manifest

Progress = Callable[[int, int, str], None]


def take_given(config: StimuliConfig, folder: Path, progress: Progress | None = None) -> list[ClipRow]:
    """Take the tracks of ``config.folder``: their middle, levelled; finished ones are kept. Returns the manifest."""
    assert config.folder is not None
    if not config.folder.is_dir():
        raise StimulusError(f"[stimuli] folder {config.folder} does not exist; put the audio files there")
    sources = sorted(p for p in config.folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    if not sources:
        raise StimulusError(f"no audio files ({', '.join(AUDIO_SUFFIXES)}) in {config.folder}")
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    rows = {row.clip: row for row in (read_manifest(folder) if (folder / FILE).exists() else [])}
    names: dict[str, Path] = {}
    for source in sources:
        name = "".join(c if c.isalnum() else "-" for c in source.stem).strip("-").lower()
        if name in names:
            raise StimulusError(f"{names[name]} and {source.name} would both be clip {name}; rename one of them")
        names[name] = source
    for number, (name, source) in enumerate(names.items()):
        digest = file_sha256(source)
        old = rows.get(name)
        same = old and old.checkpoint_sha256 == digest and old.settings == delivery(config)
        if not (same and old and (folder / old.file).is_file() and file_sha256(folder / old.file) == old.sha256):
            with opened(source) as file:
                rate = file.samplerate
                file.seek(max(0, (file.frames - round(config.seconds * rate)) // 2))
                part = file.read(round(config.seconds * rate), dtype="float32", always_2d=True)
            if len(part) < config.seconds * rate - 1:
                raise StimulusError(f"{source} is shorter than seconds = {config.seconds} in [stimuli]")
            rows[name] = ClipRow(
                clip=name,
                taste="",
                model="given",
                number=number,
                checkpoint=source.name,
                checkpoint_sha256=digest,
                settings=delivery(config),
                **deliver(part.T, rate, config, folder, name),
            )
            update_manifest(folder, [rows[name]])
        if progress:
            progress(number + 1, len(sources), name)
    return keep_only(folder, list(names))
