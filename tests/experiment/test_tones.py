"""Sounds that are no clips, by numbers computed here: level, duration, side, pitch."""

from __future__ import annotations

import numpy as np
import pytest

from experiment import tones

RATE = 48000


def test_the_reference_noise_is_pink_and_has_the_clips_loudness() -> None:
    """-23 LUFS by another program; each octave as loud as the next from 62 Hz on; both sides alike; always the same."""
    import pyloudnorm

    noise = tones.reference_noise(4.0)
    assert noise.shape == (4 * RATE, 2)
    assert noise.dtype == np.float32
    assert pyloudnorm.Meter(RATE).integrated_loudness(noise.astype(float)) == pytest.approx(-23, abs=0.3)
    assert np.array_equal(noise[:, 0], noise[:, 1])
    assert np.array_equal(noise, tones.reference_noise(4.0))
    assert np.abs(noise).max() < 1.0
    softer = tones.reference_noise(4.0, -33.0)
    assert 20 * np.log10(noise.std() / softer.std()) == pytest.approx(10, abs=0.01)
    power = np.abs(np.fft.rfft(noise[:, 0].astype(float))) ** 2
    f = np.fft.rfftfreq(len(noise), 1 / RATE)
    octaves = [
        10 * np.log10(power[(f >= a) & (f < 2 * a)].sum()) for a in (62.5, 125, 250, 500, 1000, 2000, 4000, 8000)
    ]
    assert max(octaves) - min(octaves) < 1.5
    assert power[f < 35].sum() + power[f > 16100].sum() < 1e-3 * power.sum()
    assert np.abs(noise[:20]).max() < 0.002
    assert np.abs(noise[-20:]).max() < 0.002
    assert noise[4800:-4800].std() > 0.03


def test_two_chords_one_high_one_low() -> None:
    """Two seconds each of C major from C5 and from C3 upward, the same on both sides, without a click at the end."""
    high, low = tones.two_chords()
    for chord, root in ((high, 523.25), (low, 130.81)):
        assert chord.shape == (2 * RATE, 2)
        assert chord.dtype == np.float32
        assert np.array_equal(chord[:, 0], chord[:, 1])
        assert 0.05 < np.abs(chord).max() < 0.5
        assert abs(chord[-1, 0]) < 1e-6
        loud = np.abs(np.fft.rfft(chord[:, 0]))
        for ratio in (1, 1.25, 1.5, 2):  # the notes: root, third, fifth, octave
            near = slice(round(2 * root * ratio) - 6, round(2 * root * ratio) + 7)
            assert loud[near].max() > 0.3 * loud.max()
        assert loud[: round(2 * root * 0.8)].max() < 0.05 * loud.max()
        # Broken: the notes enter a quarter of a second apart.
        quarters = [chord[round(k * RATE / 4) : round(k * RATE / 4) + 2400, 0].astype(float) for k in range(4)]
        heard = [np.abs(np.fft.rfft(x, RATE))[round(2 * root) - 15 : round(2 * root) + 16].max() for x in quarters]
        if chord is high:  # where the octave is far enough from the other notes
            assert heard[3] > 3 * max(heard[:3])


@pytest.mark.parametrize(("side", "left", "right"), [("left", 0.1, 0.0), ("right", 0.0, 0.1), ("both", 0.1, 0.1)])
def test_a_tone_on_each_side(side: str, left: float, right: float) -> None:
    """440 Hz at -20 dBFS for 0.7 s, without a click."""
    sound = tones.tone(side)
    assert sound.shape == (round(0.7 * RATE), 2)
    assert sound.dtype == np.float32
    assert np.abs(sound).max(axis=0) == pytest.approx([left, right], abs=1e-3)
    assert np.argmax(np.abs(np.fft.rfft(sound.sum(axis=1)))) / 0.7 == pytest.approx(440, abs=1)
    assert np.abs(sound[[0, -1]]).max() < 1e-3
