"""Faulty clips and doubles: what is found, and from where on."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli import checks

RATE = 16000


def tone(frequency: float = 220.0, seconds: float = 2.0) -> np.ndarray:
    return np.sin(2 * np.pi * frequency * np.arange(round(RATE * seconds)) / RATE).astype(np.float32)


@pytest.mark.parametrize("quiet", [0, 1, 7, 20])
def test_silence_is_counted_in_windows_of_50_ms(quiet: int) -> None:
    audio = tone(seconds=1.0)
    audio[: quiet * 800] = 0
    assert checks.silent_share(audio, RATE) == pytest.approx(quiet / 20)


def test_silence_begins_under_60_db_of_full_scale() -> None:
    """A sine of amplitude a has an effective value of a / sqrt 2; -60 dBFS is 0.001."""
    assert checks.silent_share(tone(200.0) * 0.001 * np.sqrt(2) * 1.02, RATE) == 0
    assert checks.silent_share(tone(200.0) * 0.001 * np.sqrt(2) * 0.98, RATE) == 1
    assert checks.silent_share(-0.5 * np.ones(RATE, dtype=np.float32), RATE) == 0


def test_flat_tops_are_clipping_and_a_single_peak_is_none() -> None:
    audio = tone() * 0.3
    assert checks.clipped_share(audio) == 0
    for place in (4000, 8000, 12000):
        audio[place : place + 3] = 0.9
    audio[20000:20002] = -0.9  # two samples are no flat top
    assert checks.clipped_share(audio) == pytest.approx(3 * 3 / 32000)
    audio[4000:4003] = -0.9
    assert checks.clipped_share(audio) == pytest.approx(3 * 3 / 32000)
    audio[8001] = 0.89
    assert checks.clipped_share(audio) == pytest.approx(2 * 3 / 32000)
    hard = np.clip(3 * tone(), -1, 1)
    assert checks.clipped_share(hard) > 0.7  # |sin| is over a third for 78 % of the time
    assert checks.clipped_share(0.2 * hard) == pytest.approx(checks.clipped_share(hard))
    assert checks.clipped_share(np.zeros(100)) == 0


def test_a_stuck_loop_is_found_and_a_held_tone_is_not() -> None:
    rng = np.random.default_rng(0)
    free = rng.integers(512, size=(6, 375))
    assert checks.stuck_share(free, 25) < 0.01
    loop = np.tile(free[:, :20], (1, 19))[:, :375]
    assert checks.stuck_share(loop, 25) == 1
    held = free.copy()
    held[0] = 7
    assert checks.stuck_share(held, 25) < 0.01
    half = np.concatenate([free[:, :188], np.tile(free[:, 188:189], (1, 187))], axis=1)
    assert checks.stuck_share(half, 25) == pytest.approx(186 / 374)


def test_loops_of_a_second_are_looked_for_and_longer_ones_are_music() -> None:
    free = np.random.default_rng(0).integers(512, size=(6, 400))
    second, longer = (np.tile(free[:, :n], (1, 20))[:, :400] for n in (25, 26))
    assert checks.stuck_share(second, 25) == 1
    assert checks.stuck_share(longer, 25) < 0.01
    assert checks.stuck_share(np.zeros((6, 1), dtype=int), 25) == 0
    assert checks.stuck_share(np.zeros((6, 2), dtype=int), 25) == 1


def test_copies_are_found_whatever_their_level() -> None:
    rng = np.random.default_rng(0)
    noise = rng.normal(size=32000).astype(np.float32) * np.linspace(0, 1, 32000, dtype=np.float32) ** 2
    pulsing = tone() * np.sin(2 * np.pi * 1.5 * np.arange(32000) / RATE).astype(np.float32)
    prints = np.stack([checks.fingerprint(x, RATE) for x in (tone() * 0.5 + noise, pulsing, 0.7 * pulsing + 1e-4)])
    assert np.linalg.norm(prints, axis=1) == pytest.approx(1, abs=1e-5)
    closest, whose = checks.nearest(prints)
    assert closest[1] == closest[2] > 0.95
    assert list(whose[1:]) == [2, 1]
    assert closest[0] < 0.5


def test_the_nearest_is_another_one() -> None:
    """Three unit vectors at 0, 30 and 90 degrees: cosines worked by hand."""
    angles = np.deg2rad([0, 30, 90])
    closest, whose = checks.nearest(np.stack([np.cos(angles), np.sin(angles)], axis=1))
    assert closest == pytest.approx([np.sqrt(3) / 2, np.sqrt(3) / 2, 0.5])
    assert list(whose) == [1, 0, 1]


@pytest.mark.parametrize(
    ("shares", "named"),
    [
        ((0.0, 0.0, 0.0), []),
        ((0.49, 0.59, 0.0009), []),
        ((0.5, 0.0, 0.0), ["silent"]),
        ((0.0, 0.6, 0.0), ["stuck"]),
        ((0.0, 0.0, 0.001), ["clipped"]),
        ((1.0, 1.0, 1.0), ["silent", "stuck", "clipped"]),
    ],
)
def test_a_fault_has_a_name_and_a_limit(shares: tuple[float, float, float], named: list[str]) -> None:
    """From half of it silent, 60 % of its frames a loop, a thousandth of its samples flat tops."""
    assert checks.faults(*shares) == named
