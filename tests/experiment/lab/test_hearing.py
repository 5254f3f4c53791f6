"""A stimulus is found in a recording."""

from __future__ import annotations

import numpy as np
import pytest

from experiment.lab.hearing import compare_capture


def test_a_stimulus_is_found_in_a_recording_as_it_is() -> None:
    rng = np.random.default_rng(0)
    stimulus = (0.2 * rng.standard_normal(4800)).astype(np.float32)
    capture = np.zeros(48000, np.float32)
    capture[3000:7800] = stimulus
    capture[30000:34800] = stimulus
    assert compare_capture(capture, stimulus) == (pytest.approx(1), 3000, 0)
    assert compare_capture(capture, stimulus, 5000)[1] == 30000
    softer = capture * 0.9
    r, at, error = compare_capture(softer, stimulus)
    assert (r, at) == (pytest.approx(1), 3000)
    assert error == pytest.approx(0.1 * np.abs(stimulus).max(), rel=1e-4)
    capture[3000:5000] = rng.standard_normal(2000) * 0.2
    capture[30000:] = 0
    assert compare_capture(capture, stimulus)[0] < 0.9
    assert compare_capture(capture[:4000], stimulus) == (0.0, 0, float("inf"))
    assert compare_capture(np.zeros(9000, np.float32), stimulus)[0] == 0.0
