"""Sounds as a browser gets them: FLAC, without loss, all of one size, under addresses that say nothing.

What a clip is made of can be told from how well it is compressed: every file is filled up with a block of FLAC's own padding to
the length of the longest. Nothing else is in it but the samples and how many there are.
"""

from __future__ import annotations

import io
import shutil
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from experiment.data.tables import Stimulus
from experiment.data.temporary import swept, temporary
from experiment.errors import ExperimentError

HEAD = 4  # bytes of a metadata block's header
STREAMINFO, PADDING, LAST = 0, 1, 0x80
CLIPS = "clips"  # what a server's folder is called by
MOST = 2**24 - 1  # bytes that one block may hold


def encode(audio: np.ndarray, rate: int, subtype: str = "PCM_24") -> bytes:
    """A sound (samples, channels) as FLAC, with nothing beside it."""
    import soundfile

    file = io.BytesIO()
    soundfile.write(file, audio, rate, format="FLAC", subtype=subtype)
    return bare(file.getvalue())


def bare(flac: bytes) -> bytes:
    """A FLAC file without any metadata but that about the stream.

    Raises
    ------
    ValueError
        If it is none.
    """
    if flac[:4] != b"fLaC" or flac[4] & 0x7F != STREAMINFO:
        raise ValueError("no FLAC file")
    at, last = 4, False
    info = b""
    while not last:
        last, size = bool(flac[at] & LAST), int.from_bytes(flac[at + 1 : at + HEAD], "big")
        if flac[at] & 0x7F == STREAMINFO:
            info = flac[at + HEAD : at + HEAD + size]
        at += HEAD + size
    return b"fLaC" + bytes([LAST | STREAMINFO]) + len(info).to_bytes(3, "big") + info + flac[at:]


def filled(flac: bytes, size: int) -> bytes:
    """A bare FLAC file filled up to `size` bytes, which are at least a block's header more than it has."""
    head = 4 + HEAD + int.from_bytes(flac[5:8], "big")
    rest, blocks = size - len(flac), []
    while rest > 0:
        take = min(rest, MOST)
        if 0 < rest - take < HEAD:
            take -= HEAD
        blocks.append(take - HEAD)
        rest -= take
    padding = b"".join(
        bytes([PADDING | (LAST if k == len(blocks) - 1 else 0)]) + n.to_bytes(3, "big") + bytes(n)
        for k, n in enumerate(blocks)
    )
    return flac[:4] + bytes([STREAMINFO]) + flac[5:head] + padding + flac[head:]


def alike(sounds: Iterable[bytes]) -> list[bytes]:
    """Bare FLAC files, all of one size."""
    found = list(sounds)
    size = max(map(len, found)) + HEAD
    return [filled(x, size) for x in found]


class Clips:
    """The clips of a study as FLAC files in a folder of their own, which goes with the server; if it is killed, with the next one."""

    def __init__(self, stimuli: Iterable[Stimulus]):
        import soundfile

        swept(CLIPS)
        self.folder = temporary(CLIPS)
        self.seconds: dict[int, float] = {}
        sizes = []
        try:
            for clip in stimuli:
                if clip.path is None:
                    continue
                try:
                    audio, rate = soundfile.read(clip.path, always_2d=True, dtype="int32")
                except (OSError, RuntimeError) as error:
                    raise ExperimentError(f"clip {clip.clip}: {clip.path} can't be read ({error})") from None
                self.seconds[clip.id] = len(audio) / rate
                flac = encode(audio, rate)
                sizes.append(len(flac))
                self._path(clip.id).write_bytes(flac)
        except BaseException:
            self.close()
            raise
        self.size = max(sizes, default=0) + HEAD

    def _path(self, clip: int) -> Path:
        return self.folder / f"{clip}.flac"

    def read(self, clip: int) -> bytes | None:
        """The sound of a clip; None where it has none."""
        path = self._path(clip)
        return filled(path.read_bytes(), self.size) if path.exists() else None

    def close(self) -> None:
        """Delete the folder."""
        shutil.rmtree(self.folder, ignore_errors=True)
