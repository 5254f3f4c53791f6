"""Acoustic features of tones, clicks and chords that were made to have them."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.features import FEATURES, RATE, acoustic_features, roughness


def tone(*pitches: float, seconds: float = 4.0, rate: int = RATE) -> np.ndarray:
    """Sines of some MIDI pitches together."""
    t = np.arange(round(seconds * rate)) / rate
    return sum(0.2 * np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * t) for p in pitches).astype(np.float32)


def clicks(bpm: float, seconds: float = 12.0) -> np.ndarray:
    """A short burst of noise at every beat."""
    audio = np.zeros(round(seconds * RATE), dtype=np.float32)
    burst = 0.5 * np.random.default_rng(0).normal(size=1000) * np.exp(-np.arange(1000) / 150)
    for beat in np.arange(0.25, seconds - 0.1, 60 / bpm):
        at = round(beat * RATE)
        audio[at : at + 1000] += burst.astype(np.float32)
    return audio


def scale(third: int, sixth: int) -> np.ndarray:
    """Chords of a cadence in C: major with thirds of 4 and sixths of 9 semitones, minor with 3 and 8."""
    chords = ((48, 48 + third, 55), (53, 48 + sixth, 60), (55, 59, 62), (48, 48 + third, 55))
    return np.concatenate([tone(*(p + 12 for p in c), seconds=1.0) for c in chords])


@pytest.mark.parametrize("bpm", [90, 120])
def test_tempo_and_onsets_of_clicks(bpm: int) -> None:
    found = acoustic_features(clicks(bpm), RATE)
    assert found["tempo"] == pytest.approx(bpm, rel=0.04)
    assert found["onset_rate"] == pytest.approx(bpm / 60, rel=0.1)


@pytest.mark.parametrize("pitch", [45, 69, 88])
def test_height_and_brightness_of_a_sine(pitch: int) -> None:
    found = acoustic_features(tone(pitch), RATE)
    assert list(found) == list(FEATURES)
    assert found["pitch_height"] == pytest.approx(pitch, abs=0.3)
    # The two frames at the ends, where the sine breaks off, are brighter.
    assert found["centroid"] == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.25)


def test_height_weighs_pitches_by_their_energy() -> None:
    """librosa's transform is four times weaker in energy two octaves up (its filters are that much shorter)."""
    assert acoustic_features(tone(57) + 2 * tone(81), RATE)["pitch_height"] == pytest.approx((57 + 81) / 2, abs=0.3)
    assert acoustic_features(tone(57) + 4 * tone(81), RATE)["pitch_height"] == pytest.approx((57 + 4 * 81) / 5, abs=0.3)


def test_the_rate_of_the_file_does_not_matter() -> None:
    here, there = acoustic_features(tone(69), RATE), acoustic_features(tone(69, rate=48000), 48000)
    assert there["pitch_height"] == pytest.approx(here["pitch_height"], abs=0.1)
    assert there["centroid"] == pytest.approx(here["centroid"], rel=0.03)


def test_gaps_and_range_of_the_level() -> None:
    """Half a second of tone, half a second of nearly nothing (40 dB down): half is gaps, the range is 40 dB."""
    pulse = np.repeat(np.tile([1.0, 0.01], 6), round(0.5 * RATE))
    found = acoustic_features(tone(69, seconds=len(pulse) / RATE) * pulse, RATE)
    assert found["gaps"] == pytest.approx(0.5, abs=0.08)
    assert found["level_range"] == pytest.approx(40, abs=1)
    steady = acoustic_features(tone(69), RATE)
    assert steady["gaps"] == 0
    assert steady["level_range"] == pytest.approx(0, abs=1)


def test_only_what_lies_20_db_under_the_loud_is_a_gap() -> None:
    for down, share in ((-17.0, 0.0), (-23.0, 0.5)):
        pulse = np.repeat(np.tile([1.0, 10 ** (down / 20)], 4), round(0.5 * RATE))
        found = acoustic_features(tone(69, seconds=len(pulse) / RATE) * pulse, RATE)
        assert found["gaps"] == pytest.approx(share, abs=0.08)


def test_a_major_cadence_is_over_zero_and_a_minor_one_under_it() -> None:
    major, minor = (acoustic_features(scale(*steps), RATE)["mode"] for steps in ((4, 9), (3, 8)))
    assert major > 0.1
    assert minor < -0.1


def pair(a: float, b: float, low: int, high: int) -> np.ndarray:
    """A spectrum (bins of 10 Hz up to 10 kHz, one frame) with two peaks."""
    spectrum = np.zeros((1001, 1))
    spectrum[low], spectrum[high] = a, b
    return spectrum


def vassilakis(a: float, b: float, low: float, high: float) -> float:
    """Roughness of two partials, as the paper writes it: X^0.1 * 0.5 * Y^3.11 * Z."""
    x, y = a * b, 2 * min(a, b) / (a + b)
    s = 0.24 / (0.0207 * low + 18.96)
    return x**0.1 * 0.5 * y**3.11 * (np.exp(-3.5 * s * (high - low)) - np.exp(-5.75 * s * (high - low)))


def test_roughness_of_two_partials_is_vassilakis() -> None:
    # By hand: equal partials at 440 and 470 Hz; s = 0.24 / 28.068 = 0.0085507; exp(-0.8978) - exp(-1.4750) = 0.17870.
    assert roughness(pair(1, 1, 44, 47), 20000) == pytest.approx(0.08934, abs=2e-5)
    assert roughness(pair(1, 0.5, 44, 47), 20000) == pytest.approx(vassilakis(1, 0.5, 440, 470))
    assert roughness(pair(0.5, 1, 44, 47), 20000) == pytest.approx(vassilakis(1, 0.5, 440, 470))
    assert roughness(pair(8, 4, 44, 47), 20000) == pytest.approx(vassilakis(1, 0.5, 440, 470))  # loudness is taken out
    assert roughness(pair(1, 1, 88, 91), 20000) == pytest.approx(vassilakis(1, 1, 880, 910))


def test_roughness_adds_pairs_and_is_a_mean_over_frames_that_sound() -> None:
    three = pair(1, 1, 44, 47)
    three[50] = 0.25
    expected = vassilakis(1, 1, 440, 470) + vassilakis(1, 0.25, 440, 500) + vassilakis(1, 0.25, 470, 500)
    assert roughness(three, 20000) == pytest.approx(expected)
    silent = np.zeros((1001, 1))
    frames = np.concatenate([pair(1, 1, 44, 47), silent, three], axis=1)
    assert roughness(frames, 20000) == pytest.approx((vassilakis(1, 1, 440, 470) + expected) / 2)
    assert roughness(silent, 20000) == 0
    assert roughness(pair(1, 0, 44, 47), 20000) == 0


def test_roughness_takes_the_strongest_partials() -> None:
    many = pair(1, 1, 44, 47)
    many[53] = 0.1
    assert roughness(many, 20000, partials=2) == pytest.approx(vassilakis(1, 1, 440, 470))
    assert roughness(many, 20000, partials=3) > vassilakis(1, 1, 440, 470)
