"""Headphone screening: Huggins pitch and antiphase tones, with the published scoring; and from which side a sound comes.

Huggins pitch (Milne, Bianco, Poole, Zhao, Oxenham, Billig & Chait, 2021, Behavior Research Methods 53): white noise with
an interaural phase shift in a narrow band, a faint tone heard through headphones alone; six trials, each with one such
interval among three; all six must be right. ``huggins_inverted`` is the sound as it was published: within 6 % of 600 Hz the
right ear gets the noise turned by 180 degrees. In ``huggins`` the left ear's phase runs through a whole turn over the same band
(Cramer & Huggins, 1958). Antiphase tones (Woods, Siegel, Traer & McDermott, 2017, Attention,
Perception & Psychophysics 79): which of three 200 Hz tones is quietest, one of them 6 dB softer, another with the right
channel inverted, which loudspeakers cancel; six trials, five must be right.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

RATE = 48000
TESTS: dict[str, tuple[str, ...]] = {"off": (), "both": ("huggins", "antiphase")}  # others are one test
SIDES = "sides"
PROOF = "tones"  # no test of headphones: short tones, to be counted, between clips
NEEDED = {"huggins": 6, "huggins_inverted": 6, "antiphase": 5, SIDES: 6, PROOF: 1}
PLACES = {SIDES: 2, PROOF: 6}  # how many answers there are; three of the other tests
WORDED = {"huggins_inverted": "huggins"}  # what people are told is the same
TONE, GAP, PROOF_SECONDS = 0.12, 0.25, 4.0  # s of a tone that is counted, at least between two, and in all
PAUSE = 0.5  # s between intervals
SIGNAL = 0.05  # root mean square of an interval: -26 dBFS, no louder than the clips


@dataclass(frozen=True)
class HeadphoneTrial:
    """Sound (samples, 2) at 48 kHz, and the right answer: which of three intervals (1 to 3), or which side (1: left, 2: right), or how
    many tones there are.
    """

    audio: np.ndarray
    right: int


def _ramp(x: np.ndarray, seconds: float) -> np.ndarray:
    n = round(seconds * RATE)
    window = np.ones(len(x))
    window[:n] = np.sin(np.linspace(0, np.pi / 2, n)) ** 2
    window[-n:] = window[:n][::-1]
    return np.asarray(x * window[:, None])


def wording(words: dict[str, Any], test: str) -> tuple[str, str, str]:
    """The title, the text before the first sound and the question after each, of a test, among all texts of a language."""
    own, name = words["attention" if test == PROOF else "headphones"], WORDED.get(test, test)
    return own["title"], own[name], own[f"{name}_question"]


def tests_of(screened: str, sides: bool) -> tuple[str, ...]:
    """The tests that a study declares, in order."""
    return (*((SIDES,) if sides else ()), *TESTS.get(screened, (screened,)))


def huggins_interval(
    rng: np.random.Generator, with_pitch: bool, frequency: float = 600.0, inverted: bool = False
) -> np.ndarray:
    """1 s of noise (samples, 2); with pitch, the left channel's phase runs through 0 to 2 pi within 6 % of `frequency`, or,
    `inverted`, the right channel is turned by pi there.
    """
    n = RATE
    spectrum = np.fft.rfft(rng.standard_normal(n))
    shifted = spectrum.copy()
    if with_pitch:
        f = np.fft.rfftfreq(n, 1 / RATE)
        low, high = 0.94 * frequency, 1.06 * frequency
        band = (f >= low) & (f <= high)
        if inverted:
            shifted[band] *= -1.0
        else:
            shifted[band] *= np.exp(2j * np.pi * (f[band] - low) / (high - low))
    ears = (spectrum, shifted) if inverted else (shifted, spectrum)
    both = np.stack([np.fft.irfft(ear, n) for ear in ears], axis=1)
    return _ramp(both * SIGNAL / both.std(), 0.1)


def antiphase_interval(kind: str) -> np.ndarray:
    """1 s of a 200 Hz tone (samples, 2): ``"in"`` phase, ``"anti"`` phase, or in phase and 6 dB ``"soft"``er."""
    t = np.arange(RATE) / RATE
    tone = np.sin(2 * np.pi * 200 * t) * SIGNAL * np.sqrt(2)
    right = -tone if kind == "anti" else tone
    gain = 10 ** (-6 / 20) if kind == "soft" else 1.0
    return _ramp(np.stack([tone, right], axis=1) * gain, 0.1)


def side_interval(rng: np.random.Generator, side: int) -> np.ndarray:
    """1 s of noise (samples, 2) in the left (1) or right (2) channel alone."""
    noise = rng.standard_normal(RATE)
    noise *= SIGNAL / noise.std()
    return _ramp(np.stack([noise * (side == 1), noise * (side == 2)], axis=1), 0.1)


def counted(rng: np.random.Generator, n: int) -> np.ndarray:
    """`n` tones of 440 Hz (samples, 2) in 4 s, in no rhythm."""
    spare = PROOF_SECONDS - n * TONE - (n - 1) * GAP
    starts = np.cumsum([0.0] + [TONE + GAP] * (n - 1)) + spare * np.cumsum(rng.dirichlet(np.ones(n + 1)))[:n]
    t = np.arange(round(TONE * RATE)) / RATE
    tone = _ramp(np.stack([np.sin(2 * np.pi * 440 * t)] * 2, axis=1) * SIGNAL * np.sqrt(2), 0.02)
    sound = np.zeros((round(PROOF_SECONDS * RATE), 2))
    for start in starts:
        sound[round(start * RATE) :][: len(tone)] += tone
    return sound.astype(np.float32)


def trials(test: str, rng: np.random.Generator) -> list[HeadphoneTrial]:
    """Six trials of a test, each answer right equally often, in random order; of tones to count one alone, two or more."""
    if test == PROOF:
        n = int(rng.integers(2, PLACES[PROOF] + 1))
        return [HeadphoneTrial(counted(rng, n), n)]
    if test == SIDES:
        sides = [int(x) for x in rng.permutation([1, 2, 1, 2, 1, 2])]
        return [HeadphoneTrial(side_interval(rng, side).astype(np.float32), side) for side in sides]
    places = rng.permutation([1, 2, 3, 1, 2, 3])
    silence = np.zeros((round(PAUSE * RATE), 2))
    out = []
    for place in places:
        if test in ("huggins", "huggins_inverted"):
            inverted = test == "huggins_inverted"
            intervals = [huggins_interval(rng, k == place, inverted=inverted) for k in (1, 2, 3)]
        else:
            others = list(rng.permutation(["in", "anti"]))
            intervals = [antiphase_interval("soft" if k == place else others.pop()) for k in (1, 2, 3)]
        parts = [x for interval in intervals for x in (interval, silence)][:-1]
        out.append(HeadphoneTrial(np.concatenate(parts).astype(np.float32), int(place)))
    return out


def passed(test: str, given: Sequence[int], right: Sequence[int]) -> bool:
    """The published rule: all six for Huggins pitch, five of six for antiphase tones; all six sides; the number of tones."""
    return sum(a == b for a, b in zip(given, right, strict=True)) >= NEEDED[test]
