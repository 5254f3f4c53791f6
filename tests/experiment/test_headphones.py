"""The sounds of the headphone screening by numbers from the papers: rate, level, phase, duration, which side, which interval.

Huggins pitch: Milne et al. 2021 (phase of one ear shifted by 0 to 2 pi over a band of 6 % around 600 Hz). Antiphase
tones: Woods et al. 2017 (200 Hz, one of three 6 dB softer, one with a channel inverted).
"""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest

from experiment.headphones import antiphase_interval, huggins_interval, passed, trials

RATE = 48000
SOFT = 10 ** (-6 / 20)  # 0.501


def parts(audio: np.ndarray) -> list[np.ndarray]:
    """Three intervals of 1 s with half a second between."""
    assert audio.shape == (4 * RATE, 2)
    assert audio.dtype == np.float32
    for gap in (slice(RATE, RATE * 3 // 2), slice(RATE * 5 // 2, 3 * RATE)):
        assert not audio[gap].any()
    return [audio[round(k * 1.5 * RATE) : round(k * 1.5 * RATE) + RATE].astype(float) for k in range(3)]


def rms(x: np.ndarray) -> float:
    """Level of the middle, where nothing fades."""
    return float(np.sqrt((x[RATE // 5 : -RATE // 5] ** 2).mean()))


def test_huggins_pitch_is_in_neither_ear_alone() -> None:
    """Both ears have the same spectrum to the last bin; their phases differ within 564..636 Hz alone, from 0 to 2 pi."""
    shifted = huggins_interval(np.random.default_rng(0), True)
    plain = huggins_interval(np.random.default_rng(0), False)
    assert shifted.shape == plain.shape == (RATE, 2)
    assert np.array_equal(plain[:, 0], plain[:, 1])
    assert np.allclose(shifted[:, 1], plain[:, 1], rtol=1e-3)  # the right ear hears the plain noise
    # The whole second is one period of what the ramps were laid on: take them off where they are not 0.
    t = np.arange(RATE)
    ramp = np.ones(RATE)
    ramp[:4800] = np.sin(np.linspace(0, np.pi / 2, 4800)) ** 2
    ramp[-4800:] = ramp[:4800][::-1]
    ramp[[0, -1]] = 1.0
    left, right = (np.fft.rfft(shifted[:, k] / ramp) for k in (0, 1))
    inside = (t[: len(left)] >= 564) & (t[: len(left)] <= 636)  # bins are 1 Hz
    assert np.abs(left[~inside] - right[~inside]).max() < 0.02 * np.abs(right).mean()
    turned = np.unwrap(np.angle(left[inside] / right[inside]))
    turned += -2 * np.pi * round(turned[0] / 2 / np.pi)
    assert np.allclose(turned, 2 * np.pi * np.arange(73) / 72, atol=0.2)
    assert np.allclose(np.abs(left[inside]), np.abs(right[inside]), atol=0.05 * np.abs(right).mean())


def test_the_published_huggins_pitch_is_a_turn_by_180_degrees_in_the_right_ear() -> None:
    """Milne et al. 2021, Stimuli: a constant phase shift of 180 degrees, 6 % around 600 Hz, in the right ear's noise."""
    plain = huggins_interval(np.random.default_rng(0), False)
    turned = huggins_interval(np.random.default_rng(0), True, inverted=True)
    assert np.allclose(turned[:, 0], plain[:, 0], rtol=1e-9)
    t = np.arange(RATE)
    ramp = np.ones(RATE)
    ramp[:4800] = np.sin(np.linspace(0, np.pi / 2, 4800)) ** 2
    ramp[-4800:] = ramp[:4800][::-1]
    ramp[[0, -1]] = 1.0
    left, right = (np.fft.rfft(turned[:, k] / ramp) for k in (0, 1))
    inside = (t[: len(left)] >= 564) & (t[: len(left)] <= 636)
    usual = np.abs(left).mean()
    assert np.abs(right[inside] + left[inside]).max() < 0.02 * usual
    assert np.abs(right[~inside] - left[~inside]).max() < 0.02 * usual
    drawn = trials("huggins_inverted", np.random.default_rng(3))
    assert Counter(t.right for t in drawn) == {1: 2, 2: 2, 3: 2}
    for x in drawn:
        assert [k for k, part in enumerate(parts(x.audio), 1) if rms(part[:, 0] - part[:, 1]) > 1e-4] == [x.right]
    assert [x.right for x in drawn] == [x.right for x in trials("huggins", np.random.default_rng(3))]


def test_sides_are_heard_in_one_ear_alone_three_times_each() -> None:
    drawn = trials("sides", np.random.default_rng(3))
    assert Counter(t.right for t in drawn) == {1: 3, 2: 3}
    for t in drawn:
        assert t.audio.shape == (RATE, 2)
        assert 20 * np.log10(rms(t.audio[:, t.right - 1])) == pytest.approx(-26, abs=0.15)
        assert not t.audio[:, 2 - t.right].any()
    assert len({tuple(t.right for t in trials("sides", np.random.default_rng(k))) for k in range(8)}) > 5


def test_noise_is_white_at_minus_26_db() -> None:
    noise = huggins_interval(np.random.default_rng(4), False)
    assert 20 * np.log10(rms(noise)) == pytest.approx(-26, abs=0.15)
    power = np.abs(np.fft.rfft(noise[:, 0])) ** 2
    halves = [power[a:b].mean() for a, b in ((100, 6000), (6000, 12000), (12000, 18000), (18000, 23900))]
    assert max(halves) / min(halves) < 1.1
    # Fades of a tenth of a second: half its level after a twentieth.
    assert np.abs(noise[:100]).max() < 0.001
    assert np.abs(noise[-100:]).max() < 0.001
    assert np.sqrt((noise[2280:2520] ** 2).mean()) == pytest.approx(0.025, rel=0.2)
    assert np.array_equal(huggins_interval(np.random.default_rng(4), False), noise)
    assert not np.array_equal(huggins_interval(np.random.default_rng(5), False), noise)


def test_another_pitch_is_shifted_elsewhere() -> None:
    shifted = huggins_interval(np.random.default_rng(0), True, 1000.0)
    difference = np.abs(np.fft.rfft(shifted[:, 0] - shifted[:, 1])) ** 2
    assert difference[920:1080].sum() / difference.sum() > 0.98


def test_antiphase_tones_cancel_on_loudspeakers_and_the_soft_one_is_6_db_softer() -> None:
    loud, soft, anti = (antiphase_interval(k) for k in ("in", "soft", "anti"))
    for tone in (loud, soft, anti):
        assert tone.shape == (RATE, 2)
        spectrum = np.abs(np.fft.rfft(tone[:, 0]))
        assert np.argmax(spectrum) == 200  # bins are 1 Hz
        assert np.abs(tone[:20]).max() < 1e-3
        assert np.abs(tone[-20:]).max() < 1e-3
    assert np.array_equal(loud[:, 0], loud[:, 1])
    assert np.array_equal(soft[:, 0], soft[:, 1])
    assert np.array_equal(anti[:, 0], -anti[:, 1])
    assert np.allclose(anti[:, 0], loud[:, 0])
    assert 20 * np.log10(rms(loud)) == pytest.approx(-26, abs=0.05)
    assert rms(soft) / rms(loud) == pytest.approx(SOFT, abs=0.001)
    assert rms(anti) == pytest.approx(rms(loud))
    # Through a loudspeaker (both added) the inverted one is the quietest, which is how it is found out.
    assert rms(anti.sum(axis=1)) < 1e-9 < rms(soft.sum(axis=1))


def test_huggins_trials_have_their_pitch_where_the_answer_is() -> None:
    """The right interval is the only one whose ears differ."""
    drawn = trials("huggins", np.random.default_rng(3))
    assert Counter(t.right for t in drawn) == {1: 2, 2: 2, 3: 2}
    for t in drawn:
        differing = [k for k, x in enumerate(parts(t.audio), 1) if rms(x[:, 0] - x[:, 1]) > 1e-4]
        assert differing == [t.right]
    first = parts(drawn[0].audio)
    assert not np.array_equal(first[0], first[1])  # three noises, not one three times


def test_antiphase_trials_are_softest_where_the_answer_is() -> None:
    """By either ear the right one is softest; one of the others is inverted, the other is not."""
    drawn = trials("antiphase", np.random.default_rng(3))
    assert Counter(t.right for t in drawn) == {1: 2, 2: 2, 3: 2}
    places = Counter()
    for t in drawn:
        intervals = parts(t.audio)
        assert int(np.argmin([rms(x[:, 0]) for x in intervals])) + 1 == t.right
        kinds = [float(np.corrcoef(x[:, 0], x[:, 1])[0, 1]) for x in intervals]
        assert sorted(round(r) for r in kinds) == [-1, 1, 1]
        assert kinds[t.right - 1] == pytest.approx(1)
        places[(t.right - 1, int(np.argmin(kinds)))] += 1
    assert len(places) > 3


@pytest.mark.parametrize("test", ["huggins", "antiphase"])
def test_places_come_in_random_order(test: str) -> None:
    orders = {tuple(t.right for t in trials(test, np.random.default_rng(k))) for k in range(8)}
    assert len(orders) > 5
    assert all(sorted(o) == [1, 1, 2, 2, 3, 3] for o in orders)


@pytest.mark.parametrize(
    ("test", "wrong", "good"),
    [
        ("huggins", 0, True),
        ("huggins", 1, False),
        ("antiphase", 0, True),
        ("antiphase", 1, True),
        ("antiphase", 2, False),
        ("huggins_inverted", 0, True),
        ("huggins_inverted", 1, False),
        ("sides", 1, False),
    ],
)
def test_the_published_rules(test: str, wrong: int, good: bool) -> None:
    """All six for Huggins pitch (Milne et al. 2021), five of six for antiphase tones (Woods et al. 2017)."""
    right = [2, 1, 3, 3, 1, 2]
    given = [x % 3 + 1 if k < wrong else x for k, x in enumerate(right)]
    assert passed(test, given, right) is good
    with pytest.raises(ValueError, match="argument"):
        passed(test, right[:5], right)
