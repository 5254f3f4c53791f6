"""Make the stimuli of a study: generated per taste, model and seed, or taken from given files; levelled and hashed."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from models.config import ModelsConfig
from stimuli.config import StimuliConfig, render_prompt
from stimuli.errors import StimulusError
from stimuli.loudness import match_loudness
from stimuli.manifest import FILE, ClipRow, file_sha256, read_manifest, write_manifest

Progress = Callable[[int, int, str], None]
BATCH = 5  # clips of one prompt generated at a time
AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")
MAX_TRIES = 4


def clip_seed(config: StimuliConfig, taste: str, number: int) -> int:
    """Seed of a clip: the same for both models, so that a pair differs in the model alone."""
    place = [t.name for t in config.tastes].index(taste)
    return config.seed * 1_000_000 + place * 10_000 + number


def generate(
    config: StimuliConfig, models: ModelsConfig, folder: Path, progress: Progress | None = None
) -> list[ClipRow]:
    """Generate what is missing of a study's clips; finished ones are kept. Returns the whole manifest.

    A clip is made again when its prompt, seed, checkpoint or settings have changed, or its file has.
    """
    if config.source == "given":
        return _take_given(config, folder, progress)
    from importlib.metadata import version

    from models.musicgen.generate import Sampling, generator_sha256, load_generator

    (folder / "clips").mkdir(parents=True, exist_ok=True)
    rows = {row.clip: row for row in (read_manifest(folder) if (folder / FILE).exists() else [])}
    sampling = Sampling(models.top_k, models.temperature, models.guidance)
    wanted: list[str] = []
    total = 2 * len(config.tastes) * config.clips_per_taste
    for model, checkpoint in (("base", models.base), ("finetuned", models.finetuned)):
        sha256 = generator_sha256(checkpoint)
        for taste in config.tastes:
            prompt = render_prompt(taste, config.setting)
            settings = {**asdict(sampling), **_delivery(config), "torch": version("torch")}
            names = {n: f"{taste.name}-{model}-{n:03d}" for n in range(config.clips_per_taste)}
            wanted += names.values()

            def current(
                name: str,
                number: int,
                prompt: str = prompt,
                settings: dict[str, Any] = settings,
                taste_name: str = taste.name,
                sha: str = sha256,
            ) -> bool:
                row = rows.get(name)
                return (
                    row is not None
                    and (row.prompt, row.seed) == (prompt, clip_seed(config, taste_name, number))
                    and row.checkpoint_sha256 == sha
                    and {k: v for k, v in row.settings.items() if k != "tries"} == settings
                    and (folder / row.file).is_file()
                    and file_sha256(folder / row.file) == row.sha256
                )

            todo = [n for n, name in names.items() if not current(name, n)]
            for start in range(0, len(todo), BATCH):
                numbers = todo[start : start + BATCH]
                generator = load_generator(checkpoint)
                seeds = [clip_seed(config, taste.name, n) for n in numbers]
                clips = generator.generate(prompt, config.seconds, seeds, sampling)
                for number, seed, clip in zip(numbers, seeds, clips, strict=True):
                    clip, tries = _sounding(generator, prompt, config.seconds, seed, sampling, clip)
                    made = ClipRow(
                        clip=names[number],
                        taste=taste.name,
                        model=model,
                        number=number,
                        prompt=prompt,
                        seed=seed,
                        checkpoint=checkpoint,
                        checkpoint_sha256=sha256,
                        settings={**settings, "tries": tries},
                        **_deliver(clip, generator.rate, config, folder, names[number]),
                    )
                    rows[made.clip] = made
                write_manifest(folder, list(rows.values()))
                if progress:
                    progress(len(wanted) - len(names) + start + len(numbers), total, f"{taste.name}, {model}")
            if progress:
                progress(len(wanted), total, f"{taste.name}, {model}")
    _drop(folder, rows, wanted)
    return read_manifest(folder)


def _sounding(
    generator: Any, prompt: str, seconds: float, seed: int, sampling: Any, clip: np.ndarray
) -> tuple[np.ndarray, int]:
    """Draw again, with a recorded seed shift, where a clip is silent for most of its time."""
    for tries in range(1, MAX_TRIES + 1):
        if silent_share(clip[0], generator.rate) < 0.5:
            return clip, tries
        clip = generator.generate(prompt, seconds, [seed + 500_000 + tries], sampling)[0]
    raise StimulusError(f"the model stayed silent on {prompt!r} for {MAX_TRIES} seeds; reword the prompt")


def silent_share(audio: np.ndarray, rate: int) -> float:
    """Share of 50 ms windows under -60 dBFS of mono audio."""
    span = round(0.05 * rate)
    windows = audio[: len(audio) // span * span].reshape(-1, span)
    return float((np.sqrt((windows**2).mean(axis=1)) < 1e-3).mean())


def _delivery(config: StimuliConfig) -> dict[str, Any]:
    return {
        "seconds": config.seconds,
        "loudness": config.loudness,
        "peak": config.peak,
        "rate": config.rate,
        "fade": config.fade,
    }


def _deliver(audio: np.ndarray, rate: int, config: StimuliConfig, folder: Path, name: str) -> dict[str, Any]:
    """Resample once, fade, level, write a stereo WAV; returns the fields of the manifest that follow."""
    import soundfile
    import soxr

    channels = np.atleast_2d(audio)
    out = np.stack([soxr.resample(c, rate, config.rate, quality="VHQ") for c in channels], axis=1)
    samples = round(config.seconds * config.rate)
    out = np.pad(out, ((0, max(0, samples - len(out))), (0, 0)))[:samples]
    if out.shape[1] == 1:
        out = np.repeat(out, 2, axis=1)
    ramp = round(config.fade * config.rate)
    if ramp:
        curve = 0.5 - 0.5 * np.cos(np.pi * np.arange(ramp) / ramp)
        out[:ramp] *= curve[:, None]
        out[-ramp:] *= curve[::-1, None]
    levelled, level = match_loudness(out, config.rate, config.loudness, config.peak)
    path = folder / "clips" / f"{name}.wav"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    soundfile.write(partial, levelled, config.rate, format="WAV", subtype="PCM_24")
    os.replace(partial, path)
    return {
        "file": str(path.relative_to(folder)),
        "sha256": file_sha256(path),
        "seconds": config.seconds,
        "rate": config.rate,
        "loudness": round(level.loudness, 3),
        "peak": round(level.peak, 3),
        "gain": round(level.gain, 3),
    }


def _drop(folder: Path, rows: dict[str, ClipRow], wanted: list[str]) -> None:
    """Take clips that the study no longer asks for out of the manifest and the folder."""
    for name in set(rows) - set(wanted):
        (folder / rows[name].file).unlink(missing_ok=True)
        del rows[name]
    write_manifest(folder, list(rows.values()))


def _take_given(config: StimuliConfig, folder: Path, progress: Progress | None) -> list[ClipRow]:
    import soundfile

    assert config.folder is not None
    if not config.folder.is_dir():
        raise StimulusError(f"[stimuli] folder {config.folder} does not exist; put the audio files there")
    sources = sorted(p for p in config.folder.iterdir() if p.suffix.lower() in AUDIO_SUFFIXES)
    if not sources:
        raise StimulusError(f"no audio files ({', '.join(AUDIO_SUFFIXES)}) in {config.folder}")
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    rows = {row.clip: row for row in (read_manifest(folder) if (folder / FILE).exists() else [])}
    names = []
    for number, source in enumerate(sources):
        name = "".join(c if c.isalnum() else "-" for c in source.stem).strip("-").lower()
        names.append(name)
        digest = file_sha256(source)
        old = rows.get(name)
        same = old and old.checkpoint_sha256 == digest and old.settings == _delivery(config)
        if not (same and old and (folder / old.file).is_file() and file_sha256(folder / old.file) == old.sha256):
            audio, rate = soundfile.read(source, dtype="float32", always_2d=True)
            middle = max(0, (len(audio) - round(config.seconds * rate)) // 2)
            part = audio[middle : middle + round(config.seconds * rate)]
            if len(part) < config.seconds * rate - 1:
                raise StimulusError(f"{source} is shorter than seconds = {config.seconds} in [stimuli]")
            rows[name] = ClipRow(
                clip=name,
                taste="",
                model="given",
                number=number,
                checkpoint=source.name,
                checkpoint_sha256=digest,
                settings=_delivery(config),
                **_deliver(part.T, rate, config, folder, name),
            )
            write_manifest(folder, list(rows.values()))
        if progress:
            progress(number + 1, len(sources), name)
    _drop(folder, rows, names)
    return read_manifest(folder)


def load_mono(path: Path, rate: int) -> np.ndarray:
    """Read a file as mono float32 at `rate` Hz."""
    import soundfile
    import soxr

    try:
        audio, found = soundfile.read(path, dtype="float32", always_2d=True)
    except (soundfile.LibsndfileError, OSError) as error:
        raise StimulusError(f"{path} cannot be read as audio: {error}") from None
    return np.asarray(soxr.resample(audio.mean(axis=1), found, rate), dtype=np.float32)


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
        write_manifest(folder, rows)
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
            write_manifest(folder, rows)
            if progress:
                progress(min(start + 8, len(todo)), len(todo), batch[-1].clip)
    return rows
