"""Keys and modes read off twelve chroma values, by tones whose key is known by their making."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.dataset.estimate import key_of_chroma, mode_of_chroma

NAMES = ["C", "Db", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
TRIADS = {"major": (0, 4, 7), "minor": (0, 3, 7)}


def chroma(tonic: int, mode: str) -> np.ndarray:
    """Each tone of the scale once, those of the tonic's triad once more, the tonic twice more."""
    out = np.zeros(12)
    for tone in (*SCALES[mode], *TRIADS[mode], 0):
        out[(tonic + tone) % 12] += 1
    return out


@pytest.mark.parametrize("mode", ["major", "minor"])
@pytest.mark.parametrize("tonic", range(12))
def test_every_key_is_told(tonic: int, mode: str) -> None:
    assert key_of_chroma(chroma(tonic, mode)) == f"{NAMES[tonic]} {mode}"
    assert (mode_of_chroma(chroma(tonic, mode)) > 0) == (mode == "major")


def test_a_chroma_without_tones_has_no_mode() -> None:
    assert mode_of_chroma(np.zeros(12)) == mode_of_chroma(np.ones(12)) == 0.0
    both = mode_of_chroma(chroma(0, "major")), mode_of_chroma(chroma(9, "minor"))
    assert both[0] > 0.05
    assert both[1] < -0.02
