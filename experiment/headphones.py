"""Headphone screening: Huggins pitch and antiphase tones, with the published scoring.

Huggins pitch (Milne, Bianco, Poole, Zhao, Oxenham, Billig & Chait, 2021, Behavior Research Methods 53): white noise with
an interaural phase shift in a narrow band, a faint tone heard through headphones alone; six trials, each with one such
interval among three; all six must be right. Antiphase tones (Woods, Siegel, Traer & McDermott, 2017, Attention,
Perception & Psychophysics 79): which of three 200 Hz tones is quietest, one of them 6 dB softer, another with the right
channel inverted, which loudspeakers cancel; six trials, five must be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

RATE = 48000
NEEDED = {"huggins": 6, "antiphase": 5}
PAUSE = 0.5  # s between intervals
SIGNAL = 0.05  # root mean square of an interval: -26 dBFS, no louder than the clips


@dataclass(frozen=True)
class HeadphoneTrial:
    """Sound (samples, 2) at 48 kHz of three intervals, and which of them (1 to 3) is the right answer."""

    audio: np.ndarray
    right: int


def _ramp(x: np.ndarray, seconds: float) -> np.ndarray:
    n = round(seconds * RATE)
    window = np.ones(len(x))
    window[:n] = np.sin(np.linspace(0, np.pi / 2, n)) ** 2
    window[-n:] = window[:n][::-1]
    return np.asarray(x * window[:, None])


def huggins_interval(rng: np.random.Generator, with_pitch: bool, frequency: float = 600.0) -> np.ndarray:
    """1 s of noise (samples, 2); with pitch, the left channel's phase runs through 0 to 2 pi within 6 % of `frequency`."""
    n = RATE
    spectrum = np.fft.rfft(rng.standard_normal(n))
    shifted = spectrum.copy()
    if with_pitch:
        f = np.fft.rfftfreq(n, 1 / RATE)
        low, high = 0.94 * frequency, 1.06 * frequency
        band = (f >= low) & (f <= high)
        shifted[band] *= np.exp(2j * np.pi * (f[band] - low) / (high - low))
    both = np.stack([np.fft.irfft(shifted, n), np.fft.irfft(spectrum, n)], axis=1)
    return _ramp(both * SIGNAL / both.std(), 0.1)


def antiphase_interval(kind: str) -> np.ndarray:
    """1 s of a 200 Hz tone (samples, 2): ``"in"`` phase, ``"anti"`` phase, or in phase and 6 dB ``"soft"``er."""
    t = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 200 * t) * SIGNAL * np.sqrt(2)
    right = -tone if kind == "anti" else tone
    gain = 10 ** (-6 / 20) if kind == "soft" else 1.0
    return _ramp(np.stack([tone, right], axis=1) * gain, 0.1)


def trials(test: str, rng: np.random.Generator) -> list[HeadphoneTrial]:
    """Six trials of a test, ``"huggins"`` or ``"antiphase"``; each place is right twice, in random order."""
    places = rng.permutation([1, 2, 3, 1, 2, 3])
    silence = np.zeros((round(PAUSE * RATE), 2))
    out = []
    for place in places:
        if test == "huggins":
            intervals = [huggins_interval(rng, k == place) for k in (1, 2, 3)]
        else:
            others = list(rng.permutation(["in", "anti"]))
            intervals = [antiphase_interval("soft" if k == place else others.pop()) for k in (1, 2, 3)]
        parts = [x for interval in intervals for x in (interval, silence)][:-1]
        out.append(HeadphoneTrial(np.concatenate(parts).astype(np.float32), int(place)))
    return out


def passed(test: str, given: Sequence[int], right: Sequence[int]) -> bool:
    """The published rule: all six for Huggins pitch, five of six for antiphase tones."""
    return sum(a == b for a, b in zip(given, right, strict=True)) >= NEEDED[test]
