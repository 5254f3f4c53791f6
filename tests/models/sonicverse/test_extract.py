"""Extractors behind soft labels: notes and key by basic-pitch, voice activity, labels of a clip."""

from __future__ import annotations

import numpy as np
import pytest

from models.embeddings import basic_pitch, voice_activity
from models.sonicverse.extract import RATE, soft_labels
from models.sonicverse.nano.labels import KEYS


def chord(pitches: tuple[int, ...], seconds: float = 3.0, rate: int = basic_pitch.RATE) -> np.ndarray:
    t = np.arange(round(seconds * rate)) / rate
    tones = [np.sin(2 * np.pi * 440 * 2 ** ((p - 69) / 12) * h * t) / h for p in pitches for h in (1, 2, 3)]
    return (0.5 * np.sum(tones, axis=0) / len(tones)).astype(np.float32)


@pytest.mark.parametrize("seconds", [1.0, 3.0, 7.3])
def test_notes_are_where_they_sound(seconds: float) -> None:
    """One window and several, without a gap or a doubling at their edges."""
    found = basic_pitch.notes(chord((60, 64, 67), seconds))
    assert found.shape == (round(seconds * basic_pitch.RATE) // basic_pitch.HOP, 88)
    middle = found[20:-20]
    for pitch in (60, 64, 67):
        assert middle[:, pitch - basic_pitch.LOWEST].mean() > 0.5
    assert middle[:, 61 - basic_pitch.LOWEST].mean() < 0.1
    assert middle[:, 67 - basic_pitch.LOWEST].min() > 0.2


def test_profiles_of_krumhansl_and_kessler() -> None:
    """Each key's own profile correlates 1 with itself and less with all others; silence has no key."""
    for k in range(24):
        profile = (basic_pitch.MAJOR, basic_pitch.MINOR)[k // 12]
        strengths = np.zeros((1, 88))
        for pitch in range(12):  # octave from C4 on
            strengths[0, 60 - basic_pitch.LOWEST + pitch] = np.roll(profile, k % 12)[pitch]
        r = basic_pitch.key_correlations(strengths)
        assert int(r.argmax()) == k
        assert r[k] == pytest.approx(1)
    assert not basic_pitch.key_correlations(np.zeros((5, 88))).any()
    assert basic_pitch.key_probabilities(np.zeros(30000, dtype=np.float32)) == pytest.approx(np.full(24, 1 / 24))


def test_a_cadence_has_its_key() -> None:
    cadence = np.concatenate(
        [chord(c, 1.2) for c in ((50, 62, 66, 69), (55, 62, 67, 71), (57, 61, 64, 69), (50, 62, 66, 69))]
    )
    p = basic_pitch.key_probabilities(cadence)
    assert KEYS[int(p.argmax())] == "D major"
    assert p.sum() == pytest.approx(1)


def test_noise_and_tones_are_no_voice() -> None:
    rng = np.random.default_rng(0)
    for sound in (0.1 * rng.normal(size=32000).astype(np.float32), chord((60,), 2.0, voice_activity.RATE)):
        found = voice_activity.voice_activity(sound)
        assert len(found) == 62
        assert (found > 0.5).mean() < 0.1


def test_soft_labels_of_a_clip() -> None:
    found = soft_labels(chord((48, 60, 64, 67, 72), 4.0, RATE))
    assert set(found) == {"key", "instrument", "mood", "vocals", "gender", "genre", "bpm", "voice_activity"}
    assert max(found["key"], key=found["key"].get) == "C major"
    assert all(0 <= p <= 1 for head in found.values() if isinstance(head, dict) for p in head.values())
    assert sum(found["vocals"].values()) == pytest.approx(1)
