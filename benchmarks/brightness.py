"""Is brightness followed on the music that nano learned: bands, where `benchmarks.nano.asked` asks for chorales?

Two questions on bands that no training and no choice saw. *Captions*: what a caption names of register, articulation, dynamics,
harmony, players and drums predicts the centroid of the clip rendered for it (least squares on the other half of the rendered clips);
how well does it predict the centroid of what the model makes of that caption? *Extremes*: the same bands asked for high and staccato
with violin, and low and legato with cello, which is how the two prompts of `benchmarks.evidence.prompts` differ: how far apart are
they, and how far are the clips that are rendered for them, which are opened to the same full spectrum whatever their register?
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

CLIPS = 400
CORPUS_SEED = 43
FIRST = 46_000  # seeds of what is drawn
PAIRS = 48
BRIGHT: dict[str, Any] = {
    "register": "high", "articulation": "staccato", "instruments": ("violin", "electronic tones", "electric bass"),
}  # fmt: skip
DARK: dict[str, Any] = {
    "register": "low", "articulation": "legato", "instruments": ("cello", "cello", "double bass"),
}  # fmt: skip


def named(rows: Sequence[dict[str, Any]]) -> np.ndarray:
    """Indicators of what captions of bands name: register, articulation, dynamics, harmony, players of each part and drums."""
    from stimuli.dataset.arrange import ARTICULATIONS, DYNAMICS, HARMONIES, REGISTERS
    from stimuli.dataset.pulse.band import BASSES, PERCUSSION, PLAYERS

    columns = []
    for row in rows:
        a = row["attributes"]
        kinds: tuple[tuple[str, tuple[str, ...]], ...] = (
            ("register", REGISTERS), ("articulation", ARTICULATIONS), ("dynamics", tuple(DYNAMICS)),
            ("harmony", HARMONIES), ("percussion", PERCUSSION),
        )  # fmt: skip
        own = [float(a[kind] == value) for kind, values in kinds for value in values]
        for part, names in enumerate((tuple(PLAYERS), tuple(PLAYERS), tuple(BASSES))):
            own += [float(a["instruments"][part] == name) for name in names]
        columns.append([1.0, *own])
    return np.array(columns)


def predicted(design: np.ndarray, values: np.ndarray) -> np.ndarray:
    """What least squares on one half say of the other, for both halves."""
    half, out = len(values) // 2, np.empty(len(values))
    for fit, use in ((slice(0, half), slice(half, None)), (slice(half, None), slice(0, half))):
        out[use] = design[use] @ np.linalg.lstsq(design[fit], values[fit], rcond=1e-6)[0]
    return out


def captions(model: str, n: int = CLIPS) -> dict[str, Any]:
    """Correlations of the log centroid that captions predict with the one measured: rendered, through the codec, generated."""
    import json

    from benchmarks.bands import prompt, through_codec
    from benchmarks.nano import RATE, SECONDS, WORK, correlation, generated, interval, read
    from stimuli.dataset.pulse.band import Band
    from stimuli.dataset.pulse.build import build_pulse
    from stimuli.features import acoustic_features

    folder = WORK / "pulse-brightness"
    listed = build_pulse(folder, n, SECONDS, RATE, CORPUS_SEED, "test").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) | {"folder": str(folder)} for line in listed]

    def heights(clips: Sequence[np.ndarray]) -> np.ndarray:
        return np.log2([acoustic_features(c, RATE)["centroid"] for c in clips])

    bands = [Band(**row["attributes"] | {"instruments": tuple(row["attributes"]["instruments"])}) for row in rows]
    played = [read(row)[: round(SECONDS * RATE)] for row in rows]
    made = generated(model, [prompt(band, k) for k, band in enumerate(bands)], SECONDS, list(range(FIRST, FIRST + n)))
    rendered, coded, own = heights(played), heights(through_codec(played)), heights(made)
    said = predicted(named(rows), rendered)
    dealt = np.roll(own, 1)  # each clip beside the caption before its own

    def ratio(i: np.ndarray) -> float:
        return float(np.corrcoef(said[i], own[i])[0, 1] / np.corrcoef(said[i], rendered[i])[0, 1])

    low, high = interval(ratio, n)
    return {
        "clips": n, "seconds": SECONDS,
        "rendered": correlation(said, rendered), "through the codec": correlation(said, coded),
        "generated": correlation(said, own), "dealt otherwise": correlation(said, dealt),
        "of rendered": {"ratio": ratio(np.arange(n)), "ci_low": low, "ci_high": high},
    }  # fmt: skip


def extremes(model: str, n: int = PAIRS) -> dict[str, Any]:
    """Centroids (Hz) of bands asked for bright and for dark, and the difference in octaves: rendered and generated."""
    from benchmarks.bands import CONTRAST_SECONDS, prompt
    from benchmarks.nano import RATE, WORK, generated, mean_interval, read
    from stimuli.dataset.pulse.band import draw_band
    from stimuli.dataset.pulse.build import draw_voicing, heard
    from stimuli.features import acoustic_features

    found: dict[str, list[np.ndarray]] = {"rendered": [], "generated": []}
    for side, asked in (("bright", BRIGHT), ("dark", DARK)):
        rngs = [np.random.default_rng([CORPUS_SEED, 1, k]) for k in range(n)]
        bands = [replace(draw_band(rng), percussion="", **asked) for rng in rngs]
        folder = WORK / "brightness-extremes" / side
        folder.mkdir(parents=True, exist_ok=True)
        played = []
        for k, (band, rng) in enumerate(zip(bands, rngs, strict=True)):
            heard(band, draw_voicing(band, rng), folder / f"{k:03d}.wav", CONTRAST_SECONDS, RATE, "test", rng)
            played.append(read({"folder": str(folder), "path": f"{k:03d}.wav"}))
        texts = [prompt(band, k) for k, band in enumerate(bands)]
        made = generated(model, texts, CONTRAST_SECONDS, list(range(FIRST + 1000, FIRST + 1000 + n)))
        for whose, clips in (("rendered", played), ("generated", made)):
            found[whose].append(np.array([acoustic_features(c, RATE)["centroid"] for c in clips]))
    out: dict[str, Any] = {"pairs": n, "seconds": CONTRAST_SECONDS}
    for whose, (bright, dark) in found.items():
        octaves = np.log2(bright / dark)
        (low, high), (lowest, highest) = mean_interval(octaves), mean_interval(bright - dark)
        out[whose] = {
            "bright": float(bright.mean()), "dark": float(dark.mean()),
            "hz": {"difference": float((bright - dark).mean()), "ci_low": lowest, "ci_high": highest},
            "octaves": {"difference": float(octaves.mean()), "ci_low": low, "ci_high": high},
        }  # fmt: skip
    return out


def brightness(model: str = "nano-base") -> dict[str, Any]:
    """Both questions put to a model."""
    return {"model": model, "captions": captions(model), "extremes": extremes(model)}
