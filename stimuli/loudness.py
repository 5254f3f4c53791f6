"""Loudness by ITU-R BS.1770-4 (pyloudnorm), true peak by fourfold oversampling (BS.1770-4, annex 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stimuli.errors import StimulusError

OVERSAMPLING = 4


@dataclass(frozen=True)
class Level:
    """Integrated loudness in LUFS, true peak in dBTP, and the gain in dB that was applied."""

    loudness: float
    peak: float
    gain: float


def integrated_loudness(audio: np.ndarray, rate: int) -> float:
    """Return LUFS of audio (samples,) or (samples, channels); -inf for silence."""
    import pyloudnorm

    return float(pyloudnorm.Meter(rate).integrated_loudness(audio))


def true_peak(audio: np.ndarray) -> float:
    """Return the true peak in dBTP of audio (samples,) or (samples, channels)."""
    from scipy.signal import resample_poly

    up = resample_poly(audio, OVERSAMPLING, 1, axis=0)
    return float(20 * np.log10(max(float(np.abs(up).max()), 1e-12)))


def match_loudness(audio: np.ndarray, rate: int, target: float, peak: float) -> tuple[np.ndarray, Level]:
    """Scale audio to `target` LUFS; where its true peak would pass `peak` dBTP, tame the peaks, not the level.

    Clips of one study must be equally loud, so peaks over the ceiling are rounded off by a smooth gain
    (5 ms release) instead of turning the whole clip down.

    Raises
    ------
    StimulusError
        If the audio is silent, or its peaks cannot be tamed without losing the target.
    """
    if not np.isfinite(integrated_loudness(audio, rate)):
        raise StimulusError("the clip is silent; its loudness cannot be matched")
    out = np.asarray(audio, dtype=np.float64)
    total = 0.0
    ceiling = peak - 0.3
    for attempt in range(12):
        gain = target - integrated_loudness(out, rate)
        out = out * 10 ** (gain / 20)
        total += gain
        if true_peak(out) <= peak and abs(integrated_loudness(out, rate) - target) < 0.1:
            break
        if true_peak(out) > peak:
            # Where the samples are as low as was asked, what is too high lies between them.
            if attempt > 1 and abs(gain) < 0.05:
                ceiling -= true_peak(out) - peak
            out = limit(out, rate, ceiling)
    level = Level(integrated_loudness(out, rate), true_peak(out), total)
    if level.peak > peak or abs(level.loudness - target) > 0.5:
        raise StimulusError(
            f"loudness {target} LUFS cannot be reached under {peak} dBTP (got {level.loudness:.1f} at "
            f"{level.peak:.1f}); lower the target in [stimuli]"
        )
    return out.astype(np.float32), level


def limit(audio: np.ndarray, rate: int, ceiling: float) -> np.ndarray:
    """Look-ahead limiter: samples stay under `ceiling` dBFS; (samples,) or (samples, channels)."""
    from scipy.ndimage import minimum_filter1d, uniform_filter1d

    level = np.abs(audio) if audio.ndim == 1 else np.abs(audio).max(axis=1)
    wanted = np.minimum(1.0, 10 ** (ceiling / 20) / np.maximum(level, 1e-9))
    span = max(1, round(0.005 * rate))
    gain = uniform_filter1d(minimum_filter1d(wanted, 2 * span + 1), span)
    return audio * (gain if audio.ndim == 1 else gain[:, None])
