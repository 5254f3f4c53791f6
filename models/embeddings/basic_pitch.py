"""Notes by basic-pitch (Bittner et al. 2022, Apache-2.0), from the ONNX file inside its pinned package; and a key from them.

22.05 kHz audio goes through in windows of 43,844 samples that overlap by 30 frames, as the package does it; of every window's
172 frames (256 samples each) 15 are dropped at each end. The key is the best of 24 correlations between the notes' strengths
by pitch class and the profiles of Krumhansl and Kessler (1982).
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np

from models.embeddings.packaged import open_packaged

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

RATE = 22050
WINDOW = 43844
HOP = 256
OVERLAP = 30  # frames
LOWEST = 21  # MIDI pitch of the first of 88 outputs
NOTE = "StatefulPartitionedCall:1"
MAJOR = (6.35, 2.23, 3.48, 2.33, 4.38, 4.09, 2.52, 5.19, 2.39, 3.66, 2.29, 2.88)
MINOR = (6.33, 2.68, 3.52, 5.38, 2.60, 3.53, 2.54, 4.75, 3.98, 2.69, 3.34, 3.17)
SHARPNESS = 12.0  # of the softmax that turns 24 correlations into a soft label


@lru_cache(maxsize=1)
def _session() -> InferenceSession:
    return open_packaged("basic_pitch", "saved_models/icassp_2022/nmp.onnx", "basic-pitch")


def notes(audio: np.ndarray) -> np.ndarray:
    """Strength of every piano key over time.

    Parameters
    ----------
    audio : ndarray
        Mono float32 at 22,050 Hz.

    Returns
    -------
    ndarray
        (frames, 88) in [0, 1], 86 frames a second, MIDI pitch 21 first.
    """
    shared = OVERLAP * HOP
    step = WINDOW - shared
    padded = np.concatenate([np.zeros(shared // 2, dtype=np.float32), audio.astype(np.float32)])
    parts = []
    for start in range(0, len(padded), step):
        window = padded[start : start + WINDOW]
        window = np.pad(window, (0, WINDOW - len(window)))
        (found,) = _session().run([NOTE], {_session().get_inputs()[0].name: window[None, :, None]})
        parts.append(np.asarray(found)[0, OVERLAP // 2 : -(OVERLAP // 2)])
    return np.concatenate(parts)[: max(1, len(audio) // HOP)]


def key_correlations(strengths: np.ndarray) -> np.ndarray:
    """Correlation with each key's profile, (24,): twelve major keys from C, twelve minor; zeros where nothing sounds."""
    strong = np.where(strengths > 0.3, strengths, 0.0).sum(axis=0)
    classes = np.zeros(12)
    np.add.at(classes, (LOWEST + np.arange(88)) % 12, strong)
    if classes.std() == 0:
        return np.zeros(24)
    return np.array([np.corrcoef(np.roll(p, k), classes)[0, 1] for p in (MAJOR, MINOR) for k in range(12)])


def key_probabilities(audio: np.ndarray) -> np.ndarray:
    """Soft key label of mono float32 audio at 22,050 Hz, (24,), summing to one."""
    r = key_correlations(notes(audio))
    raised = np.exp(SHARPNESS * (r - r.max()))
    return np.asarray(raised / raised.sum())
