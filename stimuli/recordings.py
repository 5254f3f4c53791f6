"""Sound files as they come: every format that libsndfile or PyAV reads, their true lengths, at most two channels, samples that are numbers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from stimuli.errors import StimulusError

# Names by which a file in a folder is taken to be sound: what libsndfile and FFmpeg read.
AUDIO_SUFFIXES = (
    ".wav", ".flac", ".mp3", ".ogg", ".oga", ".opus", ".aif", ".aiff", ".aifc", ".au", ".snd", ".w64", ".rf64", ".caf", ".voc", ".wave",
    ".m4a", ".m4b", ".mp4", ".aac", ".alac", ".wma", ".webm", ".mka", ".ape", ".wv", ".tta", ".ac3", ".mp2", ".amr", ".sph", ".nist",
)  # fmt: skip
NOT_SOUND = 1e-3  # deviation, full scale 1: -60 dBFS
OFFSET = 0.01  # of the mean, full scale 1, from which on it is no music
CANCELLED = 0.05  # share of the channels' power that their mean keeps at least
SIDE = (
    0.5**0.5
)  # ITU-R BS.775-3, table 2: centre and surrounds go to both sides, or their own, 3 dB down; LFE goes nowhere
# Places of left, right, centre and surrounds among a file's channels, by how many there are: WAVE's order, and that of Vorbis and Opus.
WAVE = {3: ((0, 2), (1, 2)), 4: ((0, 2), (1, 3)), 5: ((0, 2, 3), (1, 2, 4)), 6: ((0, 2, 4), (1, 2, 5))}
XIPH = {3: ((0, 1), (2, 1)), 4: ((0, 2), (1, 3)), 5: ((0, 1, 3), (2, 1, 4)), 6: ((0, 1, 3), (2, 1, 4))}


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


def settled(audio: np.ndarray) -> np.ndarray:
    """Audio (samples,) or (samples, channels) without an offset that is louder than the sound, or has nothing beside it.

    A smaller one stays: it is in the file that is played, and what is measured of a clip is measured of that.
    """
    if not len(audio):
        return audio
    mean, deviation = audio.mean(axis=0, dtype=np.float64), audio.std(axis=0, dtype=np.float64)
    off = (np.abs(mean) > np.maximum(OFFSET, deviation)) | (deviation < NOT_SOUND)
    return np.asarray(audio - np.where(off, mean, 0), dtype=audio.dtype) if off.any() else audio


def mono(audio: np.ndarray) -> np.ndarray:
    """One channel of audio (samples, channels): their mean, or the louder one where the mean cancels them (one side inverted)."""
    out = audio.mean(axis=1)
    power = np.square(audio, dtype=np.float64).mean(axis=0)
    if audio.shape[1] > 1 and np.square(out, dtype=np.float64).mean() < CANCELLED * power.mean():
        out = audio[:, int(power.argmax())]
    return settled(out)


def two_sided(audio: np.ndarray, order: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = WAVE) -> np.ndarray:
    """Audio (samples, channels) of up to six channels as it is for one and two, else left and right by ITU-R BS.775-3."""
    n = audio.shape[1]
    if n <= 2:
        return audio
    out = []
    for first, *rest in order[n]:
        side = audio[:, first] + SIDE * audio[:, rest].sum(axis=1)
        out.append(side / (1 + SIDE * len(rest)))  # never louder than the loudest channel
    return np.stack(out, axis=1).astype(audio.dtype)


class Recording:
    """An open sound file of one or two channels.

    Attributes
    ----------
    samplerate : int
        Hz.
    frames : int
        Samples of a channel that are really there, whatever the file's head says.
    channels : int
        One or two; more are brought to two by `two_sided`.
    """

    def __init__(self, file: Any, path: Path, frames: int | None = None):
        self._file, self._path = file, path
        self.samplerate = int(file.samplerate)
        self.frames = int(file.frames if frames is None else frames)
        self._order = XIPH if file.format == "OGG" else WAVE
        if not 1 <= file.channels <= 6:
            raise StimulusError(f"{path} has {file.channels} channels; files of one to six can be read")
        self.channels = min(2, int(file.channels))

    def seek(self, frame: int) -> None:
        """Go to a sample of the file."""
        self._file.seek(max(0, min(frame, self.frames)))

    def read(self, frames: int = -1) -> np.ndarray:
        """The next samples (samples, channels), float32, fewer where the file ends."""
        return two_sided(np.asarray(self._file.read(frames, dtype="float32", always_2d=True)), self._order)


class _Decoded:
    """A file that PyAV decoded, with the interface of soundfile's."""

    format = "decoded"  # FFmpeg gives every format's channels in WAVE's order

    def __init__(self, audio: np.ndarray, rate: int):
        self._audio, self.samplerate, self._at = audio, rate, 0
        self.frames, self.channels = audio.shape

    def seek(self, frame: int) -> None:
        self._at = frame

    def read(self, frames: int, **_: Any) -> np.ndarray:
        start = self._at
        self._at = self.frames if frames < 0 else min(self.frames, start + frames)
        return self._audio[start : self._at]


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


def sounds(folder: Path, deep: bool = False) -> tuple[list[Path], list[tuple[str, str]]]:
    """Sound files of a folder by name (with `deep` of its folders too), and what is left out: name and reason.

    A link to nothing is among the files, so that whoever reads it says so.
    """
    files: list[Path] = []
    left: list[tuple[str, str]] = []
    for path in sorted(folder.rglob("*") if deep else folder.iterdir()):
        name = str(path.relative_to(folder))
        if path.is_dir():
            if path.suffix.lower() in AUDIO_SUFFIXES:
                left.append((name, "a folder"))
        elif path.name.startswith("."):
            left.append((name, "hidden"))
        elif path.suffix.lower() in AUDIO_SUFFIXES:
            files.append(path)
        else:
            left.append((name, f"{path.suffix or 'without an ending'}: no sound file by its name"))
    return files, left


@contextmanager
def opened(path: Path) -> Iterator[Recording]:
    """Open a sound file to read; its ID3v2 tags are passed over, of which libmpg123 would complain on the terminal.

    What libsndfile does not know is decoded by PyAV, into memory.

    Raises
    ------
    StimulusError
        If it cannot be read as audio, now or later on.
    """
    import soundfile

    if path.is_symlink() and not path.exists():
        raise StimulusError(f"{path} is a link to nothing; put the file there")
    try:
        with path.open("rb") as raw:
            skip = _tags(raw)
            try:
                with _quiet(path):
                    file = soundfile.SoundFile(_From(raw, skip) if skip else path)
            except soundfile.LibsndfileError as error:
                raw.seek(0)
                yield Recording(_by_pyav(raw, path, error.error_string), path)
                return
            with file:
                yield Recording(file, path, _decoded_frames(path) if file.format == "MP3" else None)
    except (soundfile.LibsndfileError, OSError) as error:
        words = getattr(error, "error_string", None) or getattr(error, "strerror", None) or "it is cut or damaged"
        raise StimulusError(f"{path} cannot be read as audio: {words}") from None


def _decoded_frames(path: Path) -> int:
    """Samples that an MP3 file really gives: its head tells those of the whole, though it be cut."""
    status = path.stat()
    return _counted(str(path), status.st_size, status.st_mtime_ns)


@lru_cache(maxsize=1024)
def _counted(path: str, size: int, changed: int) -> int:
    import soundfile

    with Path(path).open("rb") as raw:
        skip = _tags(raw)
        with _quiet(Path(path)), soundfile.SoundFile(_From(raw, skip) if skip else path) as file:
            total = 0
            while n := len(file.read(1 << 16, dtype="float32")):
                total += n
            return total


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Nothing of what libmpg123 writes to the terminal about a file that is cut."""
    if path.suffix.lower() not in (".mp3", ".mp2"):
        yield
        return
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _by_pyav(raw: BinaryIO, path: Path, why: str) -> _Decoded:
    """The sound of a file that libsndfile refused (`why`).

    Raises
    ------
    StimulusError
        If PyAV is not installed, knows the file no better, or finds no sound in it.
    """
    try:
        import av
    except ImportError:
        raise StimulusError(f"{path} cannot be read as audio: {why} (more formats with: pip install av)") from None
    parts: list[np.ndarray] = []
    try:
        # By the open file alone: a playlist that names other files or addresses opens none of them.
        with av.open(raw, "r", options={"protocol_whitelist": "pipe"}) as container:
            if not container.streams.audio:
                raise StimulusError(f"{path} holds no sound")
            stream = container.streams.audio[0]
            floats = av.AudioResampler(format="fltp")
            for frame in container.decode(stream):
                parts += [part.to_ndarray() for part in floats.resample(frame)]
            parts += [part.to_ndarray() for part in floats.resample(None)]
            rate = int(stream.rate)
    except (av.FFmpegError, ValueError):
        raise StimulusError(f"{path} cannot be read as audio: {why}") from None
    if not parts:
        raise StimulusError(f"{path} holds no sound")
    return _Decoded(np.concatenate(parts, axis=1).T, rate)
