"""Rank statistics against R's wilcox.test (tests/golden/golden.R), scipy, counts by hand, and what ranks can't depend on."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from analysis.engines.ranks import (
    cliffs_delta,
    cluster_interval,
    counted,
    mid_ranks,
    rank_biserial,
    rank_sum,
    signed_rank,
)

# fmt: off
SCORES = np.array([
    7, 3, 8, 8, 1, 3, 6, 5, 6, 4, 8, 8, 6, 9, 7, 4, 7, 3, 8, 6, 5, 4, 9, 5, 5, 5, 7, 7, 7, 7, 10, 5, 5, 4, 7, 9, 6, 4,
    4, 7, 8, 7, 4, 6, 6, 6, 8, 6, 7, 6, 7, 7, 2, 5, 5, 4, 5, 10, 4, 8,
], dtype=float)
# fmt: on
DIRECTIONS = ("greater", "less", "two-sided")
answers = st.lists(st.integers(0, 10), min_size=1, max_size=40).map(lambda x: np.array(x, dtype=float))


@pytest.mark.parametrize(
    ("scores", "v", "p"),
    [
        # R 4.2.2: wilcox.test(x, mu = 5, alternative = a, exact = FALSE, correct = TRUE), a in greater, less, two.sided
        (SCORES, 1016, (0.00011163350041634, 0.9998925763797, 0.00022326700083268)),
        ([2, 4, 4, 5, 1, 3, 6, 4, 0, 7, 3, 5], 8.5, (0.97756886442354, 0.0285154026347, 0.0570308052694)),
        ([5.31, 4.82, 7.77, 6.05, 3.3, 9.12, 5.9, 4.1], 25.5, (0.16319788825732, 0.86898360072363, 0.32639577651464)),
        ([4, 6, 3, 7, 5], 5, (0.57365815783268, 0.57365815783268, 1.0)),
        ([6, 7, 8, 9, 10] * 40, 20100, (3.3899547211187e-35, 1.0, 6.7799094422374e-35)),
    ],
    ids=["scores", "low", "no ties", "even", "strong"],
)
def test_signed_rank_is_wilcox_test_of_r(scores: list[float], v: float, p: tuple[float, ...]) -> None:
    for direction, wanted in zip(DIRECTIONS, p, strict=True):
        statistic, found = signed_rank(np.array(scores, dtype=float), 5, direction)
        assert statistic == v
        assert found == pytest.approx(wanted, rel=1e-11, abs=0)


@settings(max_examples=80)
@given(answers, st.sampled_from(DIRECTIONS))
def test_signed_rank_is_scipys(x: np.ndarray, direction: str) -> None:
    kept = x[x != 5] - 5
    statistic, p = signed_rank(x, 5, direction)
    if len(kept) == 0:
        assert np.isnan(statistic)
        assert np.isnan(p)
        return
    untied = len(kept) == len(x) and len(set(np.abs(kept))) == len(kept)
    other = stats.wilcoxon(kept, correction=True, alternative=direction, method="exact" if untied else "asymptotic")
    assert p == pytest.approx(min(other.pvalue, 1.0), rel=1e-12)
    assert statistic == stats.rankdata(np.abs(kept))[kept > 0].sum()


def test_less_is_not_one_minus_greater() -> None:
    assert signed_rank(SCORES, 5, "less")[1] != pytest.approx(1 - signed_rank(SCORES, 5, "greater")[1], abs=1e-6)


def test_many_studies_at_once_are_the_studies_alone() -> None:
    rng = np.random.default_rng(0)
    x = rng.integers(0, 11, (4, 5, 9)).astype(float)
    x[1, 2] = 5  # nothing differs in this one
    for direction in DIRECTIONS:
        v, p = signed_rank(x, 5.0, direction)
        assert v.shape == p.shape == (4, 5)
        for place in np.ndindex(4, 5):
            alone = np.array(signed_rank(x[place], 5.0, direction))
            assert np.array([v[place], p[place]]) == pytest.approx(alone, nan_ok=True)
        assert np.isnan(p[1, 2])
        assert np.isfinite(p).sum() == 19


@settings(max_examples=60)
@given(answers)
def test_what_ranks_depend_on(x: np.ndarray) -> None:
    """The same for a shifted or stretched scale, another order, answers in the middle; turned round on the turned scale."""
    effect = rank_biserial(*counted(x - 5))
    assert -1 <= effect <= 1
    more = np.append(x, [5, 5])
    assert rank_biserial(*counted(more - 5)) == pytest.approx(effect, abs=1e-12)
    for same, middle in ((x + 3, 8), (2.5 * x, 12.5), (x[::-1], 5)):
        assert rank_biserial(*counted(same - middle)) == pytest.approx(effect, abs=1e-12)
        assert np.array(signed_rank(same, middle, "greater")) == pytest.approx(
            np.array(signed_rank(x, 5, "greater")), nan_ok=True
        )
    assert rank_biserial(*counted(5 - x)) == pytest.approx(-effect, abs=1e-12)
    v, p = signed_rank(x, 5, "greater")
    turned_v, turned_p = signed_rank(10 - x, 5, "less")
    n = int((x != 5).sum())
    if n:
        assert turned_v == n * (n + 1) / 2 - v
        assert turned_p == pytest.approx(p, rel=1e-12)


def test_effects_counted_by_hand() -> None:
    """2, -2, 0, 3 from the middle: ranks 1.5, 1.5, none, 3; two of four answers above, one below."""
    above, below = counted(np.array([2.0, -2, 0, 3]))
    assert above.tolist() == [1, 1]
    assert below.tolist() == [1, 0]
    assert mid_ranks(above + below).tolist() == [1.5, 3]
    assert rank_biserial(above, below) == pytest.approx((4.5 - 1.5) / 6)
    assert cliffs_delta(above, below, 4) == pytest.approx(0.25)
    nothing = counted(np.zeros(3))
    assert rank_biserial(*nothing) == 0
    assert cliffs_delta(*nothing, 3) == 0


def slowly(scores: np.ndarray, people: np.ndarray, draws: np.ndarray, level: float) -> np.ndarray:
    """The bootstrap as one says it: put the drawn people's answers together, rank them, take quantiles."""
    values = []
    for drawn in draws:
        x = np.concatenate([scores[people == p] for p in drawn]) - 5
        x = x[x != 0]
        ranks = stats.rankdata(np.abs(x))
        values.append((ranks * np.sign(x)).sum() / ranks.sum() if len(x) else 0.0)
    return np.quantile(values, [(1 - level) / 2, (1 + level) / 2])


@pytest.mark.parametrize("level", [0.95, 0.9])
def test_interval_draws_people_with_all_their_answers(level: float) -> None:
    rng = np.random.default_rng(1)
    people = np.repeat(np.arange(12), 3)[rng.permutation(36)]  # one person's answers do not stand together
    scores = rng.integers(0, 11, 36).astype(float)
    draws = np.random.default_rng(2).integers(12, size=(150, 12))
    found = cluster_interval(scores, people, 5.0, 150, np.random.default_rng(2), level)
    assert found == pytest.approx(tuple(slowly(scores, people, draws, level)), abs=1e-12)
    assert cluster_interval(scores, people, 5.0, 150, np.random.default_rng(2)) == cluster_interval(
        scores, people, 5.0, 150, np.random.default_rng(2), 0.95
    )
    names = np.array([f"code-{p:02d}" for p in people])  # whatever they are called, in the same order
    assert cluster_interval(scores, names, 5.0, 150, np.random.default_rng(2), level) == found


def test_interval_is_the_same_however_many_resamples_are_held_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    scores = np.random.default_rng(3).integers(0, 11, 60).astype(float)
    people = np.repeat(np.arange(20), 3)
    whole = cluster_interval(scores, people, 5.0, 101, np.random.default_rng(4))
    monkeypatch.setattr("analysis.engines.ranks.AT_ONCE", 200)
    assert cluster_interval(scores, people, 5.0, 101, np.random.default_rng(4)) == whole


@pytest.mark.parametrize(
    "scores", [np.full(9, 5.0), np.array([6.0, 7, 9, 10, 6, 8, 7, 7, 9])], ids=["in the middle", "on one side"]
)
def test_an_interval_without_width_is_none(scores: np.ndarray) -> None:
    """Where all favour one side every resample says 1: that is no certainty."""
    found = cluster_interval(scores, np.repeat([1, 2, 3], 3), 5.0, 100, np.random.default_rng(0))
    assert np.isnan(found).all()
    alone = cluster_interval(np.array([2.0, 9.0]), np.array([1, 1]), 5.0, 100, np.random.default_rng(0))
    assert np.isnan(alone).all()


def test_few_answers_without_ties_have_an_exact_p() -> None:
    """R: wilcox.test(c(6.3, 3.1, 8.2, 5.9, 1.4, 7.7, 9.9), mu = 5, alternative = ...): psignrank."""
    x = np.array([6.3, 3.1, 8.2, 5.9, 1.4, 7.7, 9.9])
    for direction, p in zip(DIRECTIONS, (0.234375, 0.8125, 0.46875), strict=True):
        assert signed_rank(x, 5, direction) == (19, pytest.approx(p, rel=1e-12))
    together = signed_rank(np.array([x, [6.0, 4, 7, 3, 5, 8, 9]]), 5, "greater")[1]
    assert together[0] == pytest.approx(0.234375, rel=1e-12)  # beside a study with ties, too
    rng = np.random.default_rng(3)
    for n, exact in ((49, True), (50, False)):
        y = 5 + rng.permutation(np.arange(1, n + 1) / 100) * rng.choice([-1, 1], n)
        wanted = stats.wilcoxon(
            y - 5, method="exact" if exact else "asymptotic", correction=True, alternative="greater"
        ).pvalue
        assert signed_rank(y, 5, "greater")[1] == pytest.approx(wanted, rel=1e-9)


def test_decimals_as_far_above_as_below_are_ties() -> None:
    """5.3 and 4.7 both lie .3 from the middle; in binary 5.3 - 5 is more than 5 - 4.7. By hand: ranks 1.5, 1.5, 3, 4."""
    up = np.array([5.3, 4.7, 6.1, 3.8])
    assert signed_rank(up, 5, "greater")[0] == 1.5 + 3
    assert signed_rank(10 - up, 5, "greater")[0] == 1.5 + 4
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(5.2, 1.5, 60), 1)
    v, n = signed_rank(x, 5, "less")[0], int((x != 5).sum())
    assert v + signed_rank(10 - x, 5, "less")[0] == n * (n + 1) / 2


def test_interval_widens_when_answers_of_a_person_agree() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 5)
    alike = np.repeat(rng.normal(5.5, 2, 30), 5)
    free = rng.normal(5.5, 2, 150)
    widths = []
    for scores in (alike, free):
        low, high = cluster_interval(scores, people, 5, 400, np.random.default_rng(1))
        widths.append(high - low)
    assert widths[0] > 1.4 * widths[1]


def test_rank_sum_is_wilcox_test_of_r() -> None:
    """R 4.2.2: wilcox.test(a, b) exact; with ties wilcox.test(a, b, exact = FALSE, correct = TRUE)."""
    a, b = np.array([3.1, 4.7, 2.2, 8.8, 5.05]), np.array([1.5, 2.9, 4.1, 0.3])
    assert rank_sum(a, b)[:2] == pytest.approx((17, 0.111111111111111))
    assert rank_sum(a, b, "greater")[:2] == pytest.approx((17, 0.0555555555555556))
    assert rank_sum(a, b, "less")[:2] == pytest.approx((17, 0.968253968253968))
    # 17 of the 20 pairs have the larger on the first side, 3 on the second.
    assert rank_sum(a, b)[2] == pytest.approx((17 - 3) / 20)
    assert rank_sum(b, a)[2] == pytest.approx((3 - 17) / 20)
    tied = np.array([3.0, 4, 2, 8, 5, 5, 7, 3, 6, 9]), np.array([1.0, 2, 4, 0, 5, 3, 3, 2, 1])
    assert rank_sum(*tied)[:2] == pytest.approx((76.5, 0.0106603761667153))
