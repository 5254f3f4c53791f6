"""Public-domain scores as harmonic skeletons.

The corpus is rendered from J. S. Bach's four-part chorales as shipped with music21 (the compositions are in the
public domain; music21's own corpus notice lists the encodings). A skeleton keeps what arrangements need: the melody
and, for every beat, the sounding chord. Reading all chorales takes about a minute, so the result is cached as JSON.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from models.cache import cache_directory

MIN_BEATS = 28
READING = 1  # changes with what a skeleton is made of
NAMES_SHARP = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")


@dataclass(frozen=True)
class Skeleton:
    """Melody and harmony of one piece.

    Attributes
    ----------
    piece : str
        Catalogue name, e.g. ``"bwv102.7"``.
    tonic : int
        Pitch class of the tonic, 0 = C.
    mode : str
        ``"major"`` or ``"minor"``.
    melody : list of (float, float, int)
        Onset and duration in quarter notes, MIDI pitch.
    chords : list of list of int
        Sounding MIDI pitches at every quarter-note beat, lowest first.
    """

    piece: str
    tonic: int
    mode: str
    melody: list[tuple[float, float, int]]
    chords: list[list[int]]


def chorales(folder: Path, progress: Callable[[int, int], None] | None = None) -> list[Skeleton]:
    """The skeletons of all usable chorales, read once on a machine: from ``chorales.json`` in `folder`, where there is one, or
    from the cache directory."""
    beside = folder / "chorales.json"
    kept = cache_directory() / f"chorales-{READING}-music21-{version('music21')}.json"
    return read_chorales(beside if beside.exists() else kept, progress)


def read_chorales(cache: Path, progress: Callable[[int, int], None] | None = None) -> list[Skeleton]:
    """Return the skeletons of all usable four-part chorales, from `cache` when it exists.

    Parameters
    ----------
    cache : Path
        JSON file to read, or to write on the first call.
    progress : callable, optional
        Called with (done, total).
    """
    from filelock import FileLock

    if not cache.exists():
        cache.parent.mkdir(parents=True, exist_ok=True)
        # Of several processes that want them on a fresh machine one reads, for a minute; the others wait for what it keeps.
        with FileLock(f"{cache}.lock"):
            if not cache.exists():
                _read_all(cache, progress)
    rows = json.loads(cache.read_text())
    return [Skeleton(**{**row, "melody": [tuple(n) for n in row["melody"]]}) for row in rows]


def _read_all(cache: Path, progress: Callable[[int, int], None] | None) -> None:
    """Read all chorales that music21 brings, and keep their skeletons."""
    from music21 import converter, corpus

    paths = sorted(p for p in corpus.getComposer("bach") if str(p).endswith(".mxl"))
    skeletons = []
    for i, path in enumerate(paths):
        # music21 keeps parsed scores in a folder that all processes share, and writes there in place: two at once read half a file.
        skeleton = _skeleton(converter.parse(path, forceSource=True, storePickle=False), Path(path).stem)
        if skeleton is not None:
            skeletons.append(skeleton)
        if progress:
            progress(i + 1, len(paths))
    partial = cache.with_suffix(f".{os.getpid()}.partial")
    partial.write_text(json.dumps([asdict(s) for s in skeletons]))
    os.replace(partial, cache)


def _skeleton(score: Any, name: str) -> Skeleton | None:
    parts = list(score.parts)
    if len(parts) != 4:
        return None
    voices = []
    for part in parts:
        notes = []
        for element in part.flatten().notes:
            pitch = max(element.pitches).midi if element.isChord else element.pitch.midi
            notes.append((float(element.offset), float(element.duration.quarterLength), int(pitch)))
        voices.append(notes)
    if any(not v for v in voices):
        return None
    length = int(max(on + dur for on, dur, _ in voices[0]))
    if length < MIN_BEATS:
        return None
    key = score.analyze("key")
    chords: list[list[int]] = []
    for beat in range(length):
        sounding = {p for v in voices for on, dur, p in v if on <= beat + 0.01 < on + dur}
        chords.append(sorted(sounding) or (chords[-1] if chords else [48, 55, 60, 64]))
    melody = [n for n in voices[0] if n[1] > 0]
    return Skeleton(name, key.tonic.pitchClass, key.mode, melody, chords)


def key_name(tonic: int, mode: str) -> str:
    """Return e.g. ``"Eb minor"`` for a tonic pitch class and a mode."""
    return f"{NAMES_SHARP[tonic % 12]} {mode}"
