"""What is measured of generated bands, on sounds whose answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.bands import CONTRASTS, RATE, band_of, high_level, longest_chord, prompt, standardised, swing

TIME = np.arange(9 * RATE) / RATE


def chord(*pitches: int) -> np.ndarray:
    """Three seconds of sines at MIDI pitches."""
    time = np.arange(3 * RATE) / RATE
    return np.sum([0.1 * np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * time) for p in pitches], axis=0)


def test_a_swing_is_between_windows_of_three_seconds() -> None:
    steady = 0.1 * np.sin(2 * np.pi * 440 * TIME)
    assert swing(steady) == pytest.approx(0, abs=0.01)
    faded = steady * np.repeat([1.0, 0.1, 0.5], 3 * RATE)
    assert swing(faded) == pytest.approx(20, abs=0.1)


def test_energy_over_a_kilohertz_is_in_decibels_of_all() -> None:
    both = np.sin(2 * np.pi * 200 * TIME) * 3 + np.sin(2 * np.pi * 3000 * TIME)
    assert high_level(both) == pytest.approx(-10, abs=0.01)  # one part of ten


def test_one_chord_throughout_is_a_drone_and_three_are_not() -> None:
    held = np.concatenate([chord(60, 64, 67)] * 3)
    moving = np.concatenate([chord(60, 64, 67), chord(53, 57, 60), chord(55, 59, 62)])
    assert longest_chord(held) > 0.95
    assert 0.3 < longest_chord(moving) < 0.5
    assert longest_chord(np.concatenate([chord(60, 63, 67), chord(60, 63, 67), chord(60, 64, 67)])) == pytest.approx(
        2 / 3, abs=0.12
    )


def test_chords_that_are_near_are_two() -> None:
    """C minor and E flat minor, C minor and A flat major: templates that are no triads take them for one."""
    for one, other in (((60, 63, 67), (63, 66, 70)), ((60, 63, 67), (56, 60, 63))):
        assert longest_chord(np.concatenate([chord(*one), chord(*other)] * 2)) == pytest.approx(1 / 2, abs=0.12)


def test_a_standardised_difference_is_cohens() -> None:
    """By hand: means 4 and 1, variances 1 and 1 (n - 1): 3."""
    found = standardised(np.array([3.0, 4.0, 5.0]), np.array([0.0, 1.0, 2.0]))
    assert found["d"] == pytest.approx(3)
    assert found["ci_low"] <= 3 <= found["ci_high"]
    assert standardised(np.array([1.0, 2.0]), np.array([2.0, 3.0]))["d"] < 0


@pytest.mark.parametrize("name", CONTRASTS)
def test_the_two_sides_of_a_contrast_differ_in_what_is_turned_alone(name: str) -> None:
    attribute, one, other, _ = CONTRASTS[name]
    for k in range(5):
        a, b = band_of(k, attribute, one), band_of(k, attribute, other)
        changed = {field for field in vars(a) if vars(a)[field] != vars(b)[field]}
        assert changed == ({"instruments"} if attribute == "melody" else {attribute})
        assert prompt(a, k) != prompt(b, k)
        assert f"{a.bpm}" in prompt(a, k)
