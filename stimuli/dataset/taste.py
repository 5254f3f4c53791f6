"""The fine-tuning set: about 100 tracks with graded ratings on four tastes (0-100), by published correspondences.

Directions of the rules: sweet with high pitch, consonance, legato, soft, piano and harp; sour with high pitch,
dissonance, fast, staccato, bright timbre; bitter with low pitch, legato, dissonance, brass; salty with staccato and
fast, mid pitch, percussion (Crisinel & Spence 2010; Mesz, Trevisan & Sigman 2011; Knoeferle et al. 2015; Wang, Woods &
Spence 2015, reviewed with arXiv 2503.02823). The sizes are set here; ratings carry noise, as people's do.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np

from stimuli.dataset.arrange import Attributes, draw_attributes
from stimuli.dataset.build import begin, list_tastes, split_of, write_corpus
from stimuli.dataset.scores import Skeleton, chorales

TASTES = ("sweet", "sour", "salty", "bitter")
THRESHOLD = 25  # a taste whose rating passes this becomes a word of the caption, as in the seed study
INSTRUMENT_TASTES = {
    "sweet": ("harp", "piano", "strings", "celesta"),
    "sour": ("violin", "flute", "electronic tones"),
    "salty": ("electric bass", "horns", "plucked strings", "marimba"),
    "bitter": ("double bass", "cello", "deep brass", "bassoon"),
}


def ratings(a: Attributes) -> dict[str, float]:
    """Noise-free ratings (0-100) of the four tastes."""
    slow = float(np.clip((120 - a.bpm) / 60, 0, 1))
    fast = float(np.clip((a.bpm - 80) / 60, 0, 1))
    high, low, mid = (a.register == r for r in ("high", "low", "mid"))
    legato, staccato = a.articulation == "legato", a.articulation == "staccato"
    consonant, dissonant = a.harmony == "consonant", a.harmony == "dissonant"
    soft, loud = a.dynamics == "soft", a.dynamics == "loud"
    share = {t: float(np.mean([i in names for i in a.instruments])) for t, names in INSTRUMENT_TASTES.items()}
    return {
        "sweet": max(
            0.0,
            22 * consonant
            + 18 * legato
            + 14 * high
            - 10 * low
            + 12 * soft
            + 12 * slow
            + 14 * share["sweet"]
            - 15 * dissonant,
        ),
        "sour": max(
            0.0,
            26 * dissonant
            + 20 * high
            - 10 * low
            + 12 * staccato
            + 10 * fast
            + 8 * loud
            + 16 * share["sour"]
            - 12 * consonant,
        ),
        "salty": max(
            0.0,
            22 * staccato
            + 22 * fast
            + 12 * mid
            + 16 * a.percussion
            + 14 * share["salty"]
            + 6 * (a.harmony == "tense")
            - 10 * slow,
        ),
        "bitter": max(
            0.0, 26 * low + 18 * dissonant + 14 * slow + 8 * legato + 16 * share["bitter"] - 12 * high - 10 * consonant
        ),
    }


def taste_words(graded: dict[str, float]) -> str:
    """Words over the threshold, strongest first, e.g. ``"bitter, sour,"``."""
    kept = sorted((t for t, r in graded.items() if r > THRESHOLD), key=lambda t: -graded[t])
    return "".join(f"{t}, " for t in kept).rstrip()


def draw_track(rng: np.random.Generator, taste: str) -> Attributes:
    """Draw attributes that lean towards `taste` without being a caricature of it."""
    candidates = []
    for _ in range(6):
        a = draw_attributes(rng)
        if rng.random() < 0.7:
            fitting = INSTRUMENT_TASTES[taste]
            n = min(len(fitting), int(rng.integers(1, 4)))
            names = tuple(str(x) for x in rng.choice(fitting, size=n, replace=False))
            a = draw_attributes(rng, instruments=names, register=_register(taste, rng), percussion=_drums(taste, rng))
        candidates.append(a)

    def lean(a: Attributes) -> float:
        graded = ratings(a)
        return graded[taste] - 0.5 * max(v for t, v in graded.items() if t != taste)

    return max(candidates, key=lean)


def _register(taste: str, rng: np.random.Generator) -> str:
    weights = {"sweet": (0.05, 0.3, 0.65), "sour": (0.05, 0.2, 0.75), "salty": (0.15, 0.75, 0.1)}
    return str(rng.choice(["low", "mid", "high"], p=weights.get(taste, (0.8, 0.15, 0.05))))


def _drums(taste: str, rng: np.random.Generator) -> bool:
    return bool(rng.random() < (0.6 if taste == "salty" else 0.05))


def build_taste(
    out: Path,
    n: int,
    seconds: float,
    rate: int,
    seed: int,
    split: str = "train",
    progress: Callable[[int, int], None] | None = None,
) -> Path:
    """Write `n` tracks, evenly over the four tastes; returns the metadata file.

    A list of the tracks' tastes beside them (``audio/tracks.csv``) makes the folder a condition of a study.
    """
    pieces = chorales(out.parent)
    chosen = [p for i, p in enumerate(pieces) if split_of(i) == split]
    graded: list[dict[str, float]] = []

    def make(k: int) -> tuple[Skeleton, Attributes, str, np.random.Generator]:
        rng = np.random.default_rng([seed, k])
        a = draw_track(rng, TASTES[k % len(TASTES)])
        noisy = {t: float(np.clip(v + rng.normal(0, 6), 0, 100)) for t, v in ratings(a).items()}
        graded.append({t: round(v, 1) for t, v in noisy.items()})
        return chosen[int(rng.integers(len(chosen)))], a, taste_words(noisy), rng

    begin(out, {"kind": "taste", "seconds": seconds, "rate": rate, "seed": seed, "split": split})
    metadata = write_corpus(out, n, seconds, rate, make, progress, graded)
    # Of all that lie there: an earlier run may have rendered more.
    there = sorted(path.name for path in (out / "audio").glob("*.wav"))
    list_tastes(out, {name: TASTES[int(Path(name).stem) % len(TASTES)] for name in there})
    return metadata
