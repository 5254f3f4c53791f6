from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stimuli.errors import StimulusError
from stimuli.loudness import integrated_loudness, limit, match_loudness, true_peak

RATE = 48000


def test_full_scale_sine_is_minus_3_01_lufs() -> None:
    """ITU-R BS.1770-4, annex 1: a 997 Hz sine at 0 dBFS in one channel reads -3.01 LKFS."""
    t = np.arange(5 * RATE) / RATE
    assert integrated_loudness(np.sin(2 * np.pi * 997 * t), RATE) == pytest.approx(-3.01, abs=0.05)


def test_true_peak_sees_between_samples() -> None:
    """A quarter-rate sine at 45 degrees peaks 3.01 dB over its samples (BS.1770-4, annex 2)."""
    t = np.arange(RATE)
    x = np.sin(2 * np.pi * t / 4 + np.pi / 4)
    assert 20 * np.log10(np.abs(x).max()) == pytest.approx(-3.01, abs=0.01)
    assert true_peak(x) == pytest.approx(0, abs=0.3)


@given(st.floats(0.001, 1.0), st.integers(0, 1000), st.floats(-30, -16))
@settings(max_examples=15)
def test_target_is_met_whatever_the_level(gain: float, seed: int, target: float) -> None:
    rng = np.random.default_rng(seed)
    x = gain * rng.normal(size=(RATE, 2)) * np.linspace(0.2, 1, RATE)[:, None]
    y, level = match_loudness(x, RATE, target, -1.0)
    assert abs(integrated_loudness(y, RATE) - target) < 0.5
    assert true_peak(y) <= -1.0
    assert level.loudness == pytest.approx(integrated_loudness(y, RATE), abs=0.01)


def test_clicks_are_limited_not_turned_down() -> None:
    rng = np.random.default_rng(0)
    x = 0.02 * rng.normal(size=2 * RATE)
    x[::12000] = 1.0
    y, _ = match_loudness(x, RATE, -20.0, -1.0)
    assert abs(integrated_loudness(y, RATE) + 20.0) < 0.5
    assert np.abs(y).max() < 10 ** (-1 / 20)


def test_limiter_keeps_what_is_under_the_ceiling() -> None:
    x = 0.1 * np.random.default_rng(0).normal(size=RATE)
    assert limit(x, RATE, 0.0) == pytest.approx(x)


def test_silence_is_refused() -> None:
    with pytest.raises(StimulusError, match="silent"):
        match_loudness(np.zeros((RATE, 2)), RATE, -23, -1)


def test_peaks_between_the_samples_are_tamed_too() -> None:
    """A burst at a quarter of the rate, begun at an eighth of a turn: samples of 0.71 and peaks of 1 between them, 3 dB higher."""
    rate = 16000
    time = np.arange(10 * rate) / rate
    audio = 0.02 * np.sin(2 * np.pi * 300 * time)
    audio[80000:80400] += np.sin(2 * np.pi * 4000 * time[:400] + np.pi / 4) * np.hanning(400)
    assert true_peak(audio) - 20 * np.log10(np.abs(audio).max()) > 1
    out, level = match_loudness(audio, rate, -23.0, -1.0)
    assert level.loudness == pytest.approx(-23, abs=0.1)
    assert true_peak(out) <= -1
