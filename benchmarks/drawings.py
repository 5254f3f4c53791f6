"""Does choosing among drawings give what a prompt asks for, of which nano's own drawings have little: the mode, rough harmony?

The choice is by what is measured in the sound of the whole clip (`stimuli.features`: chroma, roughness of the spectrum), so that this
measure says how hard was chosen, not what came of it. What came of it say the notes that basic-pitch hears (`benchmarks.chords`), from
which nothing was chosen. How many drawings are made was decided on bands 200 to 247; these here are others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from stimuli.candidates import SCALES, Aspect

BANDS, MOST = 100, 4
FIRST = 26_000  # seeds; a drawing more is a thousand further
# Asked for much and for little of it, and the other witness.
ASKED: dict[Aspect, tuple[str, str, str]] = {
    "mode": ("major", "minor", "mode heard"),
    "harmony": ("dissonant", "consonant", "dissonance heard"),
}


def drawings(bands: int = BANDS, most: int = MOST) -> dict[str, Any]:
    """Standardised differences between the two ends as asked, of one drawing and of the best of two and of four, by aspect."""
    from benchmarks.bands import CONTRAST_SECONDS

    out: dict[str, Any] = {"bands": bands, "seconds": CONTRAST_SECONDS, "model": "nano-base"}
    return out | {aspect: chosen(aspect, bands, most) for aspect in ASKED}


def chosen(aspect: Aspect, bands: int, most: int) -> dict[str, Any]:
    """Of one aspect: by both witnesses."""
    from benchmarks import chords
    from benchmarks.bands import CONTRAST_SECONDS, band_of, prompt, standardised
    from benchmarks.nano import RATE, generated
    from stimuli.candidates import asked, best
    from stimuli.features import acoustic_features

    *ends, heard = ASKED[aspect]
    feature = SCALES[aspect].feature
    found = np.empty((2, bands, most, 2))
    asks = []
    for side, end in enumerate(ends):
        prompts = [prompt(band_of(k, aspect, end), k) for k in range(bands)]
        asks.append([asked(p, [aspect]) for p in prompts])
        for draw in range(most):
            first = FIRST + 1000 * draw
            clips = generated("nano-base", prompts, CONTRAST_SECONDS, list(range(first, first + bands)))
            for k, clip in enumerate(clips):
                found[side, k, draw] = (
                    acoustic_features(clip, RATE)[feature],
                    chords.MEASURES[heard](chords.heard_notes(clip)),
                )
            print(f"{end}, drawing {draw + 1} of {most}", flush=True)
    out: dict[str, Any] = {}
    for n in (1, 2, most):
        kept = np.array(
            [
                [found[s, k, best([{feature: v} for v in found[s, k, :n, 0]], asks[s][k])] for k in range(bands)]
                for s in (0, 1)
            ]
        )
        out[f"best of {n}"] = {w: standardised(kept[0, :, i], kept[1, :, i]) for i, w in enumerate((feature, heard))}
    flat = found.reshape(-1, 2)
    out["correlation of the witnesses"] = float(np.corrcoef(flat[:, 0], flat[:, 1])[0, 1])
    return out
