"""Does choosing among drawings give the mode that a prompt asks for, which no prompt of nano's brings about?

The choice is by the chroma of the whole clip (`stimuli.features`), so that this measure says how hard was chosen, not what came of
it. What came of it say the notes that basic-pitch hears (`benchmarks.chords`), from which nothing was chosen. How many drawings are
made was decided on bands 200 to 247; these here are others.
"""

from __future__ import annotations

from typing import Any

import numpy as np

BANDS, MOST = 100, 4
FIRST = 26_000  # seeds; a drawing more is a thousand further
WITNESSES = ("mode", "mode heard")


def drawings(bands: int = BANDS, most: int = MOST) -> dict[str, Any]:
    """Standardised differences between major and minor as asked, of one drawing and of the best of two and of four."""
    from benchmarks import chords
    from benchmarks.bands import CONTRAST_SECONDS, band_of, generate, prompt, standardised
    from benchmarks.nano import RATE
    from models.musicgen.generate import load_generator
    from stimuli.candidates import asked, best
    from stimuli.features import acoustic_features

    model = load_generator("nano-base")
    found = np.empty((2, bands, most, len(WITNESSES)))
    asks = []
    for side, mode in enumerate(("major", "minor")):
        prompts = [prompt(band_of(k, "mode", mode), k) for k in range(bands)]
        asks.append([asked(p, ["mode"]) for p in prompts])
        for draw in range(most):
            for k, clip in enumerate(generate(model, prompts, CONTRAST_SECONDS, FIRST + 1000 * draw)):
                found[side, k, draw] = (
                    acoustic_features(clip, RATE)["mode"],
                    chords.mode(chords.heard_notes(clip)),
                )
            print(f"{mode}, drawing {draw + 1} of {most}", flush=True)
    out: dict[str, Any] = {"bands": bands, "seconds": CONTRAST_SECONDS, "model": "nano-base"}
    for n in (1, 2, most):
        kept = np.array(
            [
                [found[s, k, best([{"mode": v} for v in found[s, k, :n, 0]], asks[s][k])] for k in range(bands)]
                for s in (0, 1)
            ]
        )
        out[f"best of {n}"] = {w: standardised(kept[0, :, i], kept[1, :, i]) for i, w in enumerate(WITNESSES)}
    flat = found.reshape(-1, len(WITNESSES))
    out["correlation of the witnesses"] = float(np.corrcoef(flat[:, 0], flat[:, 1])[0, 1])
    return out
