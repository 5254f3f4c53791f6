"""Harmony and mode by the notes that are heard, on chords whose answer is printed or known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.chords import dissonance, heard_notes, mode
from benchmarks.nano import RATE


def held(*pitches: int, strength: float = 1.0) -> np.ndarray:
    """Notes that sound all the time, by MIDI pitch."""
    notes = np.zeros((10, 88))
    notes[:, np.array(pitches, dtype=int) - 21] = strength
    return notes


# Sums over the ten pairs of five pitch classes, as Huron (1994) prints them; pentatonic is the most consonant of all sets of five.
@pytest.mark.parametrize(
    ("classes", "printed"),
    [((0, 2, 4, 7, 9), 4.788), ((0, 1, 3, 5, 8), 3.088), ((0, 1, 4, 6, 9), 2.571), ((0, 1, 4, 5, 8), 2.356)],
)
def test_a_set_of_pitch_classes_is_as_dissonant_as_huron_prints(classes: tuple[int, ...], printed: float) -> None:
    assert dissonance(held(*(60 + c for c in classes))) == pytest.approx(-printed / 10, abs=1e-4)


def test_octaves_say_nothing_and_weak_notes_say_less() -> None:
    fifth = dissonance(held(48, 55))
    assert fifth == pytest.approx(-1.240)
    assert dissonance(held(48, 55, 60)) == pytest.approx(-1.240)
    assert fifth < dissonance(held(48, 55) + held(56, strength=0.1)) < dissonance(held(48, 55) + held(56))
    assert dissonance(held(48, 60)) == dissonance(held()) == 0.0


def test_notes_that_never_sound_together_do_not_clash() -> None:
    one_by_one = np.zeros((10, 88))
    for frame, pitch in enumerate((60, 61, 62, 63, 64)):
        one_by_one[frame, pitch - 21] = 1.0
    assert dissonance(one_by_one) == 0.0


def test_a_major_scale_is_major_and_its_parallel_minor_is_minor() -> None:
    tonic = held(48, 55, 60, strength=2.0)
    assert mode(tonic + held(64, 65, 69, 71)) > 0.1
    assert mode(tonic + held(63, 65, 68, 70)) < -0.1


def test_what_is_heard_in_a_sound_is_what_sounds() -> None:
    """Two seconds each of C major and of C, C sharp, D: tones of eight harmonics."""
    time = np.arange(2 * RATE) / RATE

    def tones(*pitches: int) -> np.ndarray:
        freqs = [440 * 2 ** ((p - 69) / 12) for p in pitches]
        waves = [0.5**h * np.sin(2 * np.pi * f * (h + 1) * time) for f in freqs for h in range(8)]
        return np.asarray(0.1 * np.sum(waves, axis=0) * np.minimum(1, 20 * time), dtype=np.float32)

    triad, cluster = heard_notes(tones(60, 64, 67)), heard_notes(tones(60, 61, 62))
    assert set(21 + np.argsort(triad.sum(axis=0))[-3:]) == {60, 64, 67}
    assert triad[(triad > 0)].min() > 0.3
    assert dissonance(triad) < -0.3 < 0.3 < dissonance(cluster)
