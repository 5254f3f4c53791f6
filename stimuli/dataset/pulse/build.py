"""Write a corpus of bands: clips with a clear pulse at a known tempo, and what is true of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.dataset.build import WORDINGS, begin, save, write_metadata
from stimuli.dataset.captions import sounding
from stimuli.dataset.pulse.band import Band, draw_band, draw_programs, play
from stimuli.dataset.pulse.captions import wordings
from stimuli.dataset.pulse.sound import LEVELS, SHARES, opened, steadied
from stimuli.dataset.render import Voicing, find_soundfont, render
from stimuli.dataset.scores import key_name

Progress = Callable[[int, int], None]
FURTHER = 5  # captions of a clip beside the first: one that a model has by heart tells it of one clip alone
STREAM = 90  # of random numbers, beside those of other corpora


def build_pulse(
    out: Path, n: int, seconds: float, rate: int, seed: int, split: str = "train", progress: Progress | None = None
) -> Path:
    """Write `n` clips of bands of one split; returns the metadata file.

    Clip k depends on (`seed`, k) alone, and finished clips are not rendered again, so the command can be interrupted.
    """
    begin(out, {"kind": "pulse", "seconds": seconds, "rate": rate, "seed": seed, "split": split})
    rows: list[dict[str, Any]] = []
    for k in range(n):
        rng = np.random.default_rng([seed, STREAM, k])
        band = draw_band(rng)
        voicing = draw_voicing(band, rng)
        # The further ones from a generator of their own, so that clip k stays what it is whatever their number.
        texts = wordings(band, WORDINGS, rng) + wordings(band, FURTHER, rng.spawn(1)[0])
        wav = out / "audio" / f"{k:05d}.wav"
        made = heard(band, voicing, wav, seconds, rate, split, rng)
        rows.append(row_of(band, wav, seconds, rate, texts, made))
        if progress:
            progress(k + 1, n)
    return write_metadata(out, rows)


def draw_voicing(band: Band, rng: np.random.Generator) -> Voicing:
    """Draw programs, drum kit and volumes of a band."""
    return Voicing(
        draw_programs(band, rng), int(rng.choice((0, 0, 8, 16))),
        (112, int(rng.integers(70, 96)), int(rng.integers(90, 116)), int(rng.integers(80, 112))), find_soundfont(),
    )  # fmt: skip


def heard(
    band: Band, voicing: Voicing, wav: Path, seconds: float, rate: int, split: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Compose and, where `wav` is not there, play and write it; returns what was composed."""
    low, high = SHARES
    share, room = float(np.exp(rng.uniform(np.log(low), np.log(high)))), float(rng.uniform(0.05, 0.5))
    notes, made = play(band, seconds, split, rng)
    if not wav.exists():
        audio = render(notes, band.instruments, seconds, rate, room, voicing)
        save(wav, steadied(opened(audio, rate, share), rate, LEVELS[band.dynamics]), rate)
    return made


def row_of(
    band: Band, wav: Path, seconds: float, rate: int, texts: list[str], made: dict[str, Any], keywords: str = ""
) -> dict[str, Any]:
    """What the corpus' list says of a clip, in audiocraft's fields."""
    return {
        "path": f"audio/{wav.name}", "name": wav.stem, "title": f"band {int(wav.stem)}", "artist": "composed by rule",
        "sample_rate": rate, "file_extension": "wav", "duration": seconds, "description": texts[0], "wordings": texts,
        "key": key_name(band.tonic, band.mode), "bpm": band.bpm, "genre": band.style,
        "instrument": ", ".join(dict.fromkeys(band.instruments)), "keywords": keywords,
        "moods": sounding(band.articulation, band.harmony, band.register, band.dynamics, bool(band.percussion)),
        "attributes": asdict(band), "composed": made,
    }  # fmt: skip
