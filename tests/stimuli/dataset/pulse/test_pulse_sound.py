"""Overtones for low music, and a level that stays."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.dataset.pulse.sound import high_share, opened, steadied

RATE = 16000
T = np.arange(6 * RATE) / RATE


def tone(*partials: tuple[float, float]) -> np.ndarray:
    return np.sum([a * np.sin(2 * np.pi * f * T) for f, a in partials], axis=0).astype(np.float32)


def test_the_share_is_of_energy_over_1_khz() -> None:
    assert high_share(tone((200, 1.0), (3000, 0.5)), RATE) == pytest.approx(0.2, abs=0.002)


@pytest.mark.parametrize("share", [0.05, 0.2])
def test_a_spectrum_is_opened_or_closed_to_the_share_asked(share: float) -> None:
    dull = tone((110, 1.0), (220, 0.3), (1760, 0.02))
    bright = tone((440, 0.5), (3000, 0.6), (5000, 0.6))
    assert high_share(opened(bright, RATE, share), RATE) == pytest.approx(share, rel=0.25)
    assert high_share(opened(dull, RATE, share), RATE) == pytest.approx(share, rel=0.35)
    assert high_share(dull, RATE) < 0.001


def test_overtones_are_in_tune() -> None:
    """A pure tone of 110 Hz is given odd harmonics of 110 Hz and nothing else."""
    made = opened(tone((110, 1.0)), RATE, 0.1)
    power = np.abs(np.fft.rfft(made * np.hanning(len(made)))) ** 2
    hertz = np.fft.rfftfreq(len(made), 1 / RATE)
    near = np.abs(hertz / 110 - np.round(hertz / 110)) * 110 < 2
    assert power[~near].sum() < 1e-4 * power.sum()
    assert power[hertz > 1000].sum() > 0.01 * power.sum()


def test_opening_moves_no_onset() -> None:
    clicks = np.zeros(3 * RATE, dtype=np.float32)
    clicks[4000::8000] = 0.5
    made = np.abs(opened(clicks, RATE, 0.05))
    for at in range(4000, len(clicks), 8000):
        assert abs(int(np.argmax(made[at - 400 : at + 400])) - 400) <= 16
        assert made[at - 400 : at - 48].max() < 0.12 * made[at - 400 : at + 400].max()


def swings(audio: np.ndarray) -> float:
    rms = [np.sqrt(np.mean(audio[i : i + 3 * RATE] ** 2)) for i in range(0, len(audio) - 3 * RATE + 1, RATE // 2)]
    return float(20 * np.log10(max(rms) / min(rms)))


def test_a_level_stays_and_is_the_one_asked() -> None:
    """A fade of 18 dB over 12 s, which swings 13 dB between windows of 3 s."""
    t = np.arange(12 * RATE) / RATE
    fading = (np.sin(2 * np.pi * 330 * t) * 10 ** (-1.5 * t / 20)).astype(np.float32)
    assert swings(fading) > 12
    for level in (-30.0, -20.0):
        made = steadied(fading, RATE, level)
        assert made.dtype == np.float32
        assert swings(made) < 2
        assert 20 * np.log10(np.sqrt(np.mean(made**2))) == pytest.approx(level, abs=0.3)
    first, last = made[:RATE], made[-RATE:]
    assert abs(20 * np.log10(np.std(first) / np.std(last))) < 2


def test_beats_keep_their_edge_and_peaks_stay_under_full_scale() -> None:
    beats = np.zeros(8 * RATE, dtype=np.float32)
    for at in range(0, len(beats), RATE // 2):
        beats[at : at + 800] = np.random.default_rng(at).normal(size=800) * np.exp(-np.arange(800) / 150)
    made = steadied(beats, RATE, -12.0)
    assert np.abs(made).max() < 0.951
    quiet = steadied(beats, RATE, -40.0)
    inner = (beats != 0) & (np.arange(len(beats)) > RATE) & (np.arange(len(beats)) < 7 * RATE)
    ratio = quiet[inner] / beats[inner]
    assert ratio.max() / ratio.min() < 1.25  # one gain throughout: what is steady is left as it is


def test_silence_stays_silent() -> None:
    silent = np.zeros(2 * RATE, dtype=np.float32)
    assert not opened(silent, RATE, 0.1).any()
    assert not steadied(silent, RATE, -20.0).any()
