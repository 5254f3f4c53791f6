"""Intervals for crossed participants and clips: known values, what they must do, and that they cover."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.engines.crossed import crossed_intervals
from analysis.engines.ranks import cluster_interval


def study(rng: np.random.Generator, participant_sd: float, clip_sd: float, mean: float = 0.0) -> tuple[np.ndarray, ...]:
    """Fifty people, each hearing two clips of every taste; five clips a taste, whole points of a 0-10 scale."""
    who = np.repeat(np.arange(50), 8)
    taste = np.tile(np.repeat(np.arange(4), 2), 50)
    clip = 5 * taste + (who + np.tile([0, 2], 200)) % 5
    y = 5 + mean + rng.normal(0, participant_sd, 50)[who] + rng.normal(0, clip_sd, 20)[clip] + rng.normal(0, 2, 400)
    return np.clip(np.round(y), 0, 10), who, clip, taste


def by_hand(x: np.ndarray) -> tuple[float, float]:
    """Rank-biserial correlation and Cliff's delta of differences, answer by answer."""
    off = x[x != 0]
    ranks = stats.rankdata(np.abs(off))
    rank = (ranks * np.sign(off)).sum() / ranks.sum() if len(off) else 0.0
    return rank, ((x > 0).sum() - (x < 0).sum()) / len(x)


@pytest.mark.parametrize("level", [0.95, 0.8])
def test_interval_is_the_one_that_is_described(level: float) -> None:
    """Everything again, answer by answer: people and clips resampled each by itself, clips within their taste, variances
    corrected for few levels and put together (Cameron, Gelbach & Miller 2011), Satterthwaite's df, Fisher's z."""
    data = np.random.default_rng(5)
    who, taste = np.repeat(np.arange(7), 6), np.tile([0, 0, 0, 1, 1, 1], 7)
    clip = 3 * taste + (who + np.tile([0, 1, 2], 14)) % 3
    x = np.round(data.normal(0.8, 2, 42) + data.normal(0, 1, 7)[who] + data.normal(0, 1, 6)[clip])
    draws, rng = 60, np.random.default_rng(6)
    found = crossed_intervals(x + 5, who, clip, taste, 5.0, draws, np.random.default_rng(6), level)

    def spread(weights: np.ndarray, of: np.ndarray) -> np.ndarray:
        return np.var([by_hand(np.repeat(x, w[of].astype(int))) for w in weights], axis=0, ddof=1)

    people = spread(rng.multinomial(7, [1 / 7] * 7, size=draws), who) * 7 / 6
    halves = [rng.multinomial(3, [1 / 3] * 3, size=draws) for _ in range(2)]
    # Clips are drawn by what was answered to them, the fewest of the lowest answers first, whatever they are called.
    answers = [tuple((x[clip == c] == v).sum() for v in np.unique(x)) for c in range(6)]
    first, second = sorted((sorted(range(3), key=answers.__getitem__), sorted(range(3, 6), key=answers.__getitem__)),
                           key=lambda of: [answers[c] for c in of])  # fmt: skip
    drawn = np.empty((draws, 6), dtype=int)
    drawn[:, [*first, *second]] = np.hstack(halves)
    clips = spread(drawn, clip) * 6 / 4
    values, at = np.unique(x, return_inverse=True)
    shares = np.bincount(at) / 42
    alone = np.var([by_hand(np.repeat(values, w)) for w in rng.multinomial(42, shares, size=draws)], axis=0, ddof=1)
    for k, name in enumerate(("rank_biserial", "cliffs_delta")):
        one, effect = found[name], by_hand(x)[k]
        variance = max(people[k] + clips[k] - alone[k], people[k], clips[k])
        df = variance**2 / (people[k] ** 2 / 6 + clips[k] ** 2 / 4)
        half = stats.t.ppf((1 + level) / 2, df) * np.sqrt(variance) / (1 - effect**2)
        assert one.effect == pytest.approx(effect)
        assert (one.se_participants**2, one.se_clips**2) == pytest.approx((people[k], clips[k]))
        assert one.df == pytest.approx(df)
        assert (one.low, one.high) == pytest.approx(
            (np.tanh(np.arctanh(effect) - half), np.tanh(np.arctanh(effect) + half))
        )


def test_interval_is_the_same_however_many_resamples_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    y, who, clip, taste = study(np.random.default_rng(7), 0.6, 0.6)
    whole = crossed_intervals(y, who, clip, taste, 5.0, 101, np.random.default_rng(8))
    assert crossed_intervals(y, who, clip, taste, 5.0, 101, np.random.default_rng(8), 0.95) == whole
    # Clips are drawn taste by taste, so only people's draws can be split without other numbers.
    monkeypatch.setattr("analysis.engines.crossed.AT_ONCE", 50 * 40)
    split = crossed_intervals(y, who, clip, taste, 5.0, 101, np.random.default_rng(8))
    assert split["rank_biserial"].se_participants == whole["rank_biserial"].se_participants
    assert split["rank_biserial"].low == pytest.approx(whole["rank_biserial"].low, abs=0.1)


def test_effects_are_the_measures_themselves() -> None:
    x = np.array([7.0, 8, 5, 2, 9, 9])
    found = crossed_intervals(
        x, np.array([1, 1, 2, 2, 3, 3]), np.array([1, 2] * 3), np.zeros(6), 5.0, 500, np.random.default_rng(0)
    )
    assert found["cliffs_delta"].effect == pytest.approx((4 - 1) / 6)
    assert found["rank_biserial"].effect == pytest.approx((12.5 - 2.5) / 15)  # ranks 1, 2.5, -2.5, 4.5, 4.5
    assert found["cliffs_delta"].low <= 0.5 <= found["cliffs_delta"].high


def test_variance_of_clips_makes_the_interval_wide() -> None:
    rng = np.random.default_rng(1)
    y, who, clip, taste = study(rng, 0.5, 1.5)
    low, high = cluster_interval(y, who, 5.0, 1000, rng)
    both = crossed_intervals(y, who, clip, taste, 5.0, 1000, rng)["rank_biserial"]
    assert both.high - both.low > 1.5 * (high - low)
    assert both.se_clips > both.se_participants
    assert both.df < 40


def test_interval_covers_nothing_where_nothing_is() -> None:
    """Type I error at 5 % over 250 studies lies within the binomial's 99.9 % range around it; that of people alone over it."""
    rng = np.random.default_rng(2)
    errors = np.zeros(2)
    for _ in range(250):
        y, who, clip, taste = study(rng, 0.6, 1.0)
        both = crossed_intervals(y, who, clip, taste, 5.0, 300, rng)["rank_biserial"]
        low, high = cluster_interval(y, who, 5.0, 300, rng)
        errors += [not both.low <= 0 <= both.high, not low <= 0 <= high]
    assert errors[0] <= 25
    assert errors[1] > 40


@settings(max_examples=25)
@given(st.integers(0, 2**31))
def test_mirrored_answers_mirror_the_interval(seed: int) -> None:
    y, who, clip, taste = study(np.random.default_rng(seed), 0.6, 0.6, 0.4)
    one = crossed_intervals(y, who, clip, taste, 5.0, 400, np.random.default_rng(seed))
    other = crossed_intervals(10 - y, who, clip, taste, 5.0, 400, np.random.default_rng(seed))
    for name, a in one.items():
        b = other[name]
        assert a.effect == pytest.approx(-b.effect)
        assert -1 <= a.low <= a.effect <= a.high <= 1
        # Draws land on other answers, so the ends agree within the bootstrap's own error.
        assert a.low == pytest.approx(-b.high, abs=0.05)


def test_one_clip_or_one_person_or_one_answer_for_all() -> None:
    rng = np.random.default_rng(3)
    y, who, _, taste = study(rng, 0.6, 0.0)
    alone = crossed_intervals(y, who, taste, taste, 5.0, 300, rng)["cliffs_delta"]  # a single clip a taste
    assert np.isnan(alone.se_clips)
    assert alone.low < alone.effect < alone.high
    assert alone.df == pytest.approx(49)  # of fifty people alone
    nobody = crossed_intervals(y[:1], who[:1], taste[:1], taste[:1], 5.0, 300, rng)["cliffs_delta"]
    assert np.isnan(nobody.low)
    same = crossed_intervals(np.full(400, 9.0), who, taste, taste, 5.0, 300, rng)["rank_biserial"]
    assert same.effect == 1.0
    assert np.isnan([same.low, same.high]).all()  # all on one side: no interval, not one without width


@given(seed=st.integers(0, 999))
@settings(max_examples=20)
def test_what_clips_and_tastes_are_called_changes_no_digit(seed: int) -> None:
    y, who, clip, taste = study(np.random.default_rng(seed), 0.7, 0.4)
    other = np.random.default_rng(seed + 1)
    renamed, retold = other.permutation(20)[clip].astype(str), other.permutation(4)[taste].astype(str)
    mine, theirs = (
        crossed_intervals(y, who, *names, 5.0, 50, np.random.default_rng(2))
        for names in ((clip, taste), (renamed, retold))
    )
    assert mine == theirs
