"""Soft labels of any music by the extractors at hand, in MIRFLEX' manner: what training on one's own MusicBench copy needs.

Key by basic-pitch's notes and Krumhansl's profiles, instruments, moods and genres by MusiCNN's 50 MagnaTagATune tags, vocals and
gender read off these tags, voice activity by silero-vad, tempo by librosa. They are estimates.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError
from models.sonicverse.full.musicbench import Row
from models.sonicverse.nano.labels import KEYS
from models.sonicverse.tags import read_tags

RATE = 22050
INSTRUMENT_TAGS = (
    "guitar",
    "strings",
    "drums",
    "piano",
    "violin",
    "synth",
    "harpsichord",
    "flute",
    "sitar",
    "cello",
    "harp",
)
MOOD_TAGS = ("slow", "fast", "loud", "quiet", "soft", "weird", "beat", "beats", "solo")  # fmt: skip


def soft_labels(audio: np.ndarray) -> dict[str, Any]:
    """Labels of mono float32 audio at 22,050 Hz, of at least three seconds.

    Returns
    -------
    dict
        ``key``, ``instrument``, ``mood``, ``genre``, ``vocals``, ``gender``: probability by label; ``bpm``; and
        ``voice_activity``, the share of time in which a voice is heard.
    """
    from models.compiled import librosa as compiled

    librosa = compiled()
    import soxr
    import torch

    from models.embeddings import basic_pitch, musicnn
    from models.embeddings.voice_activity import voice_activity

    low = np.asarray(soxr.resample(audio, RATE, musicnn.RATE), dtype=np.float32)
    with torch.no_grad():
        mean = musicnn.load_musicnn()(musicnn.patches(low))["tags"].mean(0).numpy()
    tags = dict(zip(musicnn.MTT_TAGS, (round(float(p), 4) for p in mean), strict=True))
    key = basic_pitch.key_probabilities(audio)
    envelope = librosa.onset.onset_strength(y=audio, sr=RATE)
    return {
        "key": {name: round(float(p), 4) for name, p in zip(KEYS, key, strict=True)},
        "instrument": {name: tags[name] for name in INSTRUMENT_TAGS},
        "mood": {name: tags[name] for name in MOOD_TAGS},
        **read_tags(mean),
        "bpm": round(float(np.atleast_1d(librosa.feature.tempo(onset_envelope=envelope, sr=RATE))[0]), 1),
        "voice_activity": round(float((voice_activity(low) > 0.5).mean()), 4),
    }  # fmt: skip


def extend(
    rows: list[Row],
    out: Path,
    read: Callable[[Path, int], np.ndarray],
    progress: Callable[[int, int, str], None] | None = None,
) -> int:
    """Write the labels of all clips as JSON lines beside a listing; what is there already is not done again.

    Parameters
    ----------
    read : callable
        (path, rate in Hz) -> mono float32 audio.

    Returns
    -------
    int
        Clips labelled now.

    Raises
    ------
    ModelError
        If an audio file is missing; none is labelled before all are looked for.
    """
    missing = [str(r.audio) for r in rows if not r.audio.is_file()]
    if missing:
        raise ModelError(f"{len(missing)} of {len(rows)} audio files are missing, the first is {missing[0]}")
    there = set()
    if out.exists():
        kept = []
        for line in out.read_text(encoding="utf-8").splitlines():
            try:
                there.add(json.loads(line)["location"])
            except (ValueError, KeyError):
                continue  # a line cut off by an interruption; it is made again
            kept.append(line)
        partial = out.with_suffix(f".{os.getpid()}.partial")
        partial.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")
        partial.replace(out)
    todo = [r for r in rows if r.location not in there]
    with out.open("a", encoding="utf-8") as file:
        for i, row in enumerate(todo):
            file.write(json.dumps({"location": row.location, **soft_labels(read(row.audio, RATE))}) + "\n")
            file.flush()
            if progress:
                progress(i + 1, len(todo), row.location)
    return len(todo)
