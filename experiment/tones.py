"""Sounds that are no clips: tones on each side, noise of the clips' loudness, the chords of the practice trial."""

from __future__ import annotations

import numpy as np

from experiment.headphones import RATE

TONE_SECONDS = 0.7  # of a tone on one side
CHORD_SECONDS = 2.0
LEVEL_SECONDS = 3.0  # of the noise on which the level is set, before it begins anew
SIDES = ("left", "right", "both")


def tone(side: str, seconds: float = TONE_SECONDS) -> np.ndarray:
    """440 Hz at -20 dBFS (samples, 2) at 48 kHz on one of `SIDES`."""
    t = np.arange(round(seconds * RATE)) / RATE
    sound = 0.1 * np.sin(2 * np.pi * 440 * t) * np.minimum(1, np.minimum(t, t[::-1]) / 0.05)
    none = np.zeros_like(sound)
    left, right = (sound if side != "right" else none), (sound if side != "left" else none)
    return np.stack([left, right], axis=1).astype(np.float32)


def reference_noise(seconds: float, lufs: float = -23.0) -> np.ndarray:
    """Pink noise (samples, 2) at 48 kHz of the clips' loudness, the same on both sides, always the same.

    Its level is set by ITU-R BS.1770's K-weighted mean square without gating: stationary noise needs none.
    """
    from scipy.signal import sosfilt

    n = round(seconds * RATE)
    spectrum = np.fft.rfft(np.random.default_rng(23).standard_normal(n))
    f = np.fft.rfftfreq(n, 1 / RATE)
    spectrum *= np.where((f > 40) & (f < 16000), 1 / np.sqrt(np.maximum(f, 1)), 0)
    noise = np.fft.irfft(spectrum, n)
    # BS.1770-4, tables 1 and 2: shelf and high-pass at 48 kHz.
    k_weighting = np.array(
        [
            [1.53512485958697, -2.69169618940638, 1.19839281085285, 1.0, -1.69065929318241, 0.73248077421585],
            [1.0, -2.0, 1.0, 1.0, -1.99004745483398, 0.99007225036621],
        ]
    )
    loudness = -0.691 + 10 * np.log10(2 * np.mean(sosfilt(k_weighting, noise) ** 2))
    ramp = np.minimum(1, np.minimum(np.arange(n), np.arange(n)[::-1]) / (0.05 * RATE))
    scaled = noise * ramp * 10 ** ((lufs - loudness) / 20)
    return np.stack([scaled, scaled], axis=1).astype(np.float32)


def two_chords() -> list[np.ndarray]:
    """Two broken chords (samples, 2) for the practice trial, 2 s each, one high and one low."""
    out = []
    for root in (523.25, 130.81):
        x = np.zeros(round(CHORD_SECONDS * RATE))
        for k, ratio in enumerate((1.0, 1.25, 1.5, 2.0)):
            t = np.arange(len(x) - round(k * 0.25 * RATE)) / RATE
            tone = sum(np.sin(2 * np.pi * root * ratio * h * t) / h**2 for h in (1, 2, 3))
            x[len(x) - len(t) :] += 0.04 * tone * np.exp(-2.5 * t) * np.minimum(1, t / 0.01)
        x[-2400:] *= np.linspace(1, 0, 2400)
        out.append(np.stack([x, x], axis=1).astype(np.float32))
    return out
