"""The taste set of bands: tracks with a pulse and graded ratings on four tastes (0-100), by published correspondences.

Directions of the rules (Crisinel & Spence 2010; Mesz, Trevisan & Sigman 2011; Knoeferle et al. 2015; Wang, Woods & Spence 2015,
reviewed with arXiv 2503.02823): sweet is consonant, legato, soft, slow and in major, with piano and harp; sour dissonant, fast,
staccato, with violins and reeds; salty staccato, fast and with percussion; bitter slow, legato, rough and in minor, with brass and
low strings. How high the music is goes with taste too, but counts for least here: at equal register articulation, roughness, tempo,
mode and timbre still tell the tastes apart. The sizes are set here; ratings carry noise, as people's do.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.dataset.arrange import REGISTERS
from stimuli.dataset.build import SHORT, WORDINGS, Progress, begin, capital, list_tastes, write_metadata
from stimuli.dataset.pulse.band import Band, draw_band
from stimuli.dataset.pulse.build import draw_voicing, heard, row_of
from stimuli.dataset.pulse.captions import worded
from stimuli.dataset.taste import TASTES, taste_words

STREAM = 91  # of random numbers, beside those of other corpora
NOISE = 6.0  # standard deviation of a rating about the rule's
CANDIDATES = 6
PLAYERS_OF = {
    "sweet": ("piano", "harp", "strings", "vibraphone"),
    "sour": ("violin", "clarinet", "accordion", "electronic tones"),
    "salty": ("guitar", "marimba", "electric guitar", "electric piano"),
    "bitter": ("cello", "brass", "organ", "saxophone"),
}
REGISTERS_OF = {
    "sweet": (0.2, 0.4, 0.4), "sour": (0.2, 0.35, 0.45), "salty": (0.3, 0.45, 0.25), "bitter": (0.45, 0.35, 0.2),
}  # fmt: skip


def ratings(b: Band) -> dict[str, float]:
    """Noise-free ratings (0-100) of the four tastes."""
    slow, fast = float(np.clip((110 - b.bpm) / 40, 0, 1)), float(np.clip((b.bpm - 95) / 45, 0, 1))
    high, low, mid = (b.register == r for r in ("high", "low", "mid"))
    legato, staccato = b.articulation == "legato", b.articulation == "staccato"
    consonant, dissonant = b.harmony == "consonant", b.harmony == "dissonant"
    major, minor = b.mode == "major", b.mode == "minor"
    soft, loud, struck = b.dynamics == "soft", b.dynamics == "loud", bool(b.percussion)
    share = {t: float(np.mean([i in names for i in b.instruments[:2]])) for t, names in PLAYERS_OF.items()}
    graded = {
        "sweet": 20 * consonant
        + 16 * legato
        + 12 * major
        + 12 * soft
        + 12 * slow
        + 6 * high
        - 20 * dissonant
        - 8 * struck,
        "sour": 28 * dissonant + 14 * staccato + 14 * fast + 6 * loud + 6 * high - 14 * consonant - 8 * struck,
        "salty": 22 * staccato + 20 * fast + 18 * struck + 6 * mid - 14 * dissonant - 12 * slow,
        "bitter": 20 * dissonant + 16 * slow + 16 * legato + 12 * minor + 6 * low - 16 * consonant - 8 * struck,
    }
    return {taste: max(0.0, float(value + 16 * share[taste])) for taste, value in graded.items()}


def draw_track(rng: np.random.Generator, taste: str) -> Band:
    """Draw a band that leans towards `taste` without being a caricature of it."""

    def lean(b: Band) -> float:
        graded = ratings(b)
        return graded[taste] - 0.5 * max(v for t, v in graded.items() if t != taste)

    candidates = []
    for _ in range(CANDIDATES):
        band = replace(draw_band(rng), register=str(rng.choice(REGISTERS, p=REGISTERS_OF[taste])))
        if rng.random() < 0.7:
            melody, chords = rng.choice(PLAYERS_OF[taste], size=2)
            band = replace(band, instruments=(str(melody), str(chords), band.instruments[2]))
        candidates.append(band)
    return max(candidates, key=lean)


def build_pulse_taste(
    out: Path, n: int, seconds: float, rate: int, seed: int, split: str = "train", progress: Progress | None = None
) -> Path:
    """Write `n` tracks of bands, evenly over the four tastes; returns the metadata file.

    Track k depends on (`seed`, k) alone. A list of the tracks' tastes beside them (``audio/tracks.csv``) makes the folder a
    condition of a study.
    """
    begin(out, {"kind": "pulse-taste", "seconds": seconds, "rate": rate, "seed": seed, "split": split})
    rows: list[dict[str, Any]] = []
    for k in range(n):
        rng = np.random.default_rng([seed, STREAM, k])
        band = draw_track(rng, TASTES[k % len(TASTES)])
        graded = {t: round(float(np.clip(v + rng.normal(0, NOISE), 0, 100)), 1) for t, v in ratings(band).items()}
        voicing = draw_voicing(band, rng)
        texts, without = wordings(band, graded, rng)
        wav = out / "audio" / f"{k:05d}.wav"
        made = heard(band, voicing, wav, seconds, rate, split, rng)
        row = row_of(band, wav, seconds, rate, texts, made, taste_words(graded))
        rows.append(row | {"wordings_without_taste": without, "ratings": graded})
        if progress:
            progress(k + 1, n)
    list_tastes(out, {f"{row['name']}.wav": TASTES[k % len(TASTES)] for k, row in enumerate(rows)})
    return write_metadata(out, rows)


def wordings(band: Band, graded: dict[str, float], rng: np.random.Generator) -> tuple[list[str], list[str]]:
    """Captions with the tastes over the threshold in front, and the same without; the last four say nothing but tastes."""
    words = taste_words(graded)
    strongest = max(graded, key=graded.__getitem__) if words else ""
    kinds = [(words, 0.8)] * WORDINGS + [(words if every else strongest, keep) for keep, _, every in SHORT]
    with_taste, without = [], []
    for i, (said, keep) in enumerate(kinds):
        text = worded(band, rng, exact=i == 0, keep=keep)
        without.append(capital(text))
        with_taste.append(capital(f"{said} {text}".strip()))
    return with_taste, without
