"""Audio files in and out: read as mono, or levelled, faded and written as a participant will hear them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import numpy as np

from models.weights import file_sha256
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.loudness import match_loudness

if TYPE_CHECKING:
    import soundfile

AUDIO_SUFFIXES = (".wav", ".flac", ".mp3", ".ogg")


def delivery(config: StimuliConfig) -> dict[str, Any]:
    """Settings that decide how a file is delivered."""
    return {
        "seconds": config.seconds,
        "loudness": config.loudness,
        "peak": config.peak,
        "rate": config.rate,
        "fade": config.fade,
    }


def finite(audio: np.ndarray, rate: int, where: str, start: float = 0.0) -> np.ndarray:
    """Audio (samples, channels) as it is, if all of it is numbers; one that is none would ring through every filter after it.

    Raises
    ------
    StimulusError
        Naming the place, in seconds, of the first that is not; `start` is where the audio begins in its file.
    """
    bad = ~np.isfinite(audio)
    if bad.any():
        first = int(np.flatnonzero(bad.reshape(len(audio), -1).any(axis=1))[0])
        raise StimulusError(
            f"{where} holds samples that are not numbers, the first at {start + first / rate:.2f} s; mend the file"
        )
    return audio


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
    partial = path.with_suffix(".partial")  # one name, so that a killed run leaves nothing behind
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


class _From:
    """A file as if it began so many bytes later."""

    def __init__(self, file: BinaryIO, skip: int):
        self._file, self._skip = file, skip
        self.seek(0)

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        return self._file.seek(offset + (self._skip if whence == os.SEEK_SET else 0), whence) - self._skip

    def tell(self) -> int:
        return self._file.tell() - self._skip

    def read(self, count: int = -1) -> bytes:
        return self._file.read(count)


def _tags(file: BinaryIO) -> int:
    """Bytes of ID3v2 tags at a file's start (id3.org, ID3v2.4: a length of four times seven bits; perhaps a footer)."""
    size = 0
    while True:
        file.seek(size)
        head = file.read(10)
        if len(head) < 10 or not head.startswith(b"ID3"):
            return size
        length = 0
        for byte in head[6:]:
            length = length << 7 | byte & 0x7F
        size += 10 + length + (10 if head[5] & 0x10 else 0)


@contextmanager
def opened(path: Path) -> Iterator[soundfile.SoundFile]:
    """Open a sound file to read; its ID3v2 tags are passed over, of which libmpg123 would complain on the terminal.

    Raises
    ------
    StimulusError
        If it cannot be read as audio, now or later on.
    """
    import soundfile

    try:
        with path.open("rb") as raw:
            skip = _tags(raw)
            with soundfile.SoundFile(_From(raw, skip) if skip else path) as file:
                yield file
    except (soundfile.LibsndfileError, OSError) as error:
        words = getattr(error, "error_string", None) or error
        raise StimulusError(f"{path} cannot be read as audio: {words}") from None


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
            audio = file.read(round((end - start) * file.samplerate), dtype="float32", always_2d=True)
            audio = finite(audio, file.samplerate, str(path), first / file.samplerate)
            yield np.asarray(soxr.resample(audio.mean(axis=1), file.samplerate, rate), dtype=np.float32)


def load_mono(path: Path, rate: int) -> np.ndarray:
    """Read a file as mono float32 at `rate` Hz."""
    import soxr

    with opened(path) as file:
        audio = file.read(dtype="float32", always_2d=True)
        found = file.samplerate
    return np.asarray(soxr.resample(finite(audio, found, str(path)).mean(axis=1), found, rate), dtype=np.float32)
