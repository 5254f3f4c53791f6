"""Audio files in and out: read as mono, or levelled, faded and written as a participant will hear them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from models.weights import file_sha256
from stimuli.config import StimuliConfig
from stimuli.loudness import match_loudness
from stimuli.recordings import finite, mono, opened
from stimuli.waiting import partial

__all__ = ["deliver", "delivery", "finite", "length", "load_mono", "load_spans", "opened"]


def delivery(config: StimuliConfig) -> dict[str, Any]:
    """Settings that decide how a file is delivered."""
    return {
        "seconds": config.seconds,
        "loudness": config.loudness,
        "peak": config.peak,
        "rate": config.rate,
        "fade": config.fade,
    }


def deliver(audio: np.ndarray, rate: int, config: StimuliConfig, folder: Path, name: str) -> dict[str, Any]:
    """Resample once, fade, level, write a stereo WAV; returns the fields of the manifest that follow.

    Raises
    ------
    StimulusError
        If samples are not numbers.
    """
    import soundfile
    import soxr

    channels = finite(np.atleast_2d(audio).T, rate, name).T
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
    unfinished = partial(path)  # of this process alone: a node that was given up may still be at work on the same clip
    soundfile.write(unfinished, levelled, config.rate, format="WAV", subtype="PCM_24")
    os.replace(unfinished, path)
    return {
        "file": str(path.relative_to(folder)),
        "sha256": file_sha256(path),
        "seconds": config.seconds,
        "rate": config.rate,
        "loudness": round(level.loudness, 3),
        "peak": round(level.peak, 3),
        "gain": round(level.gain, 3),
    }


def length(path: Path) -> float:
    """Seconds of an audio file.

    Raises
    ------
    StimulusError
        If it cannot be read as audio.
    """
    with opened(path) as file:
        return file.frames / file.samplerate


def load_spans(path: Path, rate: int, spans: list[tuple[float, float]]) -> Iterator[np.ndarray]:
    """Read stretches (seconds) of a file one by one, mono float32 at `rate` Hz: a long file is never held whole."""
    import soxr

    with opened(path) as file:
        for start, end in spans:
            first = min(round(start * file.samplerate), max(0, file.frames - 1))
            file.seek(first)
            audio = file.read(round((end - start) * file.samplerate))
            audio = finite(audio, file.samplerate, str(path), first / file.samplerate)
            yield np.asarray(soxr.resample(mono(audio), file.samplerate, rate), dtype=np.float32)


def load_mono(path: Path, rate: int) -> np.ndarray:
    """Read a file as mono float32 at `rate` Hz."""
    import soxr

    with opened(path) as file:
        audio = file.read()
        found = file.samplerate
    return np.asarray(soxr.resample(mono(finite(audio, found, str(path))), found, rate), dtype=np.float32)
