"""What a recording of the sound card heard, held against a stimulus."""

from __future__ import annotations

import numpy as np


def compare_capture(capture: np.ndarray, stimulus: np.ndarray, start: int = 0) -> tuple[float, int, float]:
    """Find a stimulus in a recording and compare.

    Parameters
    ----------
    capture, stimulus : ndarray
        Mono float32 at the same rate, (samples,).
    start : int
        Where to begin looking.

    Returns
    -------
    tuple
        Correlation at the best place, that place in samples, largest absolute difference there.
    """
    part = capture[start:]
    if len(part) < len(stimulus):
        return 0.0, start, float("inf")
    size = 1 << (len(part) + len(stimulus) - 1).bit_length()
    spectrum = np.fft.rfft(part, size) * np.conj(np.fft.rfft(stimulus, size))
    correlation = np.fft.irfft(spectrum, size)[: len(part) - len(stimulus) + 1]
    power = np.concatenate([[0.0], np.cumsum(part.astype(np.float64) ** 2)])
    energy = power[len(stimulus) :] - power[: -len(stimulus)]
    norm = np.sqrt(np.maximum(energy, 1e-9) * float((stimulus.astype(np.float64) ** 2).sum()))
    best = int(np.argmax(correlation / norm))
    heard = part[best : best + len(stimulus)]
    r = float(np.corrcoef(heard, stimulus)[0, 1]) if heard.std() > 0 else 0.0
    return r, start + best, float(np.abs(heard - stimulus).max())
