"""Distances of sets of embeddings: laws, known values, the usual formulas, intervals that cover."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from analysis.errors import AnalysisError
from analysis.sound.fad import (
    Moments,
    bootstrap,
    distance,
    each,
    extrapolate,
    frechet_distance,
    kernel_distance,
    moments,
    nuclear_norm,
    thin,
)


def test_gaussians_of_known_distance() -> None:
    """Equal covariances: the distance is the squared shift of the means (Dowson & Landau 1982)."""
    rng = np.random.default_rng(0)
    a = rng.normal(size=(500, 8))
    assert frechet_distance(a, a + 3.0) == pytest.approx(8 * 9.0, rel=1e-10)


def test_scaled_set() -> None:
    """C2 = 4 C1: tr(C1) + 4 tr(C1) - 2 * 2 tr(C1) = tr(C1)."""
    a = np.random.default_rng(1).normal(size=(400, 5))
    a -= a.mean(axis=0)
    assert frechet_distance(a, 2 * a) == pytest.approx(float(np.trace(np.cov(a.T))), rel=1e-9)


def test_large_samples_come_to_the_gaussians_own_distance() -> None:
    """Diagonal covariances commute: |m|^2 + sum (s1 - s2)^2."""
    rng = np.random.default_rng(2)
    s1, s2, m = rng.uniform(0.5, 2, 6), rng.uniform(0.5, 2, 6), rng.normal(size=6)
    a, b = rng.normal(size=(200_000, 6)) * s1, rng.normal(size=(200_000, 6)) * s2 + m
    assert frechet_distance(a, b) == pytest.approx(float((m**2).sum() + ((s1 - s2) ** 2).sum()), rel=0.02)


@given(st.integers(0, 10_000), st.integers(3, 60), st.integers(3, 60), st.integers(2, 30))
@settings(max_examples=40)
def test_laws(seed: int, n: int, m: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, width)), rng.normal(1, 2, size=(m, width))
    forward = frechet_distance(a, b)
    assert forward >= 0
    assert frechet_distance(b, a) == pytest.approx(forward, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9 * max(1.0, float((a**2).sum())))
    turn, _ = np.linalg.qr(rng.normal(size=(width, width)))
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(forward, rel=1e-7)


@pytest.mark.parametrize(("n", "width"), [(40, 200), (300, 200), (3000, 200)])
def test_equal_sets_are_at_zero(n: int, width: int) -> None:
    a = np.random.default_rng(n).normal(size=(n, width))
    assert frechet_distance(a, a.copy()) == pytest.approx(0, abs=1e-9)


def test_it_is_the_usual_formula() -> None:
    """|m1 - m2|^2 + tr(C1 + C2 - 2 sqrtm(C1 C2)) with scipy's root, where that is stable: full rank."""
    rng = np.random.default_rng(3)
    a, b = rng.normal(size=(900, 150)), rng.normal(0.2, 1.3, size=(700, 150)) @ rng.normal(size=(150, 150)) / 12
    c1, c2 = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = linalg.sqrtm(c1 @ c2)
    usual = ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(c1) + np.trace(c2) - 2 * np.trace(root.real)
    assert frechet_distance(a, b) == pytest.approx(float(usual), rel=1e-6)


@given(st.integers(0, 1000), st.lists(st.integers(1, 90), min_size=2, max_size=8))
@settings(max_examples=30)
def test_parts_added_in_turn_are_the_whole(seed: int, lengths: list[int]) -> None:
    rng = np.random.default_rng(seed)
    parts = [rng.normal(k, 1 + k, size=(n + 1, 12)) for k, n in enumerate(lengths)]
    gathered = Moments(12)
    for p in parts:
        gathered.add(p)
    whole = np.concatenate(parts)
    assert gathered.n == len(whole)
    assert gathered.mean == pytest.approx(whole.mean(axis=0), rel=1e-9, abs=1e-9)
    assert gathered.covariance() == pytest.approx(np.cov(whole, rowvar=False), rel=1e-7, abs=1e-8)


def test_dimensions_without_variance_count_nothing() -> None:
    rng = np.random.default_rng(4)
    a, b = rng.normal(size=(500, 6)), rng.normal(size=(400, 6))
    wider = [np.hstack([x, np.zeros((len(x), 3)), x[:, :1]]) for x in (a, b)]
    exact = [np.hstack([x, x[:, :1]]) for x in (a, b)]
    assert frechet_distance(*wider) == pytest.approx(frechet_distance(*exact), rel=1e-6)


def test_a_broken_embedding_is_named() -> None:
    with pytest.raises(AnalysisError, match="not a number"):
        frechet_distance(np.array([[1.0, np.nan], [0, 1]]), np.ones((4, 2)))
    with pytest.raises(AnalysisError, match="two frames"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))
    with pytest.raises(AnalysisError, match="width 3"):
        Moments(3).add(np.zeros((4, 2)))


def clips(rng: np.random.Generator, n: int, width: int = 4) -> list[np.ndarray]:
    return [rng.normal(size=width) * 0.7 + rng.normal(0, 1, size=(20, width)) for _ in range(n)]


def test_interval_covers() -> None:
    """What it claims: over repeated sets of clips the interval holds the mean distance of such sets in about 95 %."""
    rng = np.random.default_rng(2)
    reference = moments(rng.normal(size=(3000, 4)))
    values, intervals = [], []
    for _ in range(150):
        drawn = clips(rng, 24)
        values.append(frechet_distance(np.concatenate(drawn), rng.normal(size=(3000, 4))))
        intervals.append(bootstrap(drawn, reference, 60, rng))
    wanted = float(np.mean(values))
    covered = np.mean([low <= wanted <= high for low, high in intervals])
    assert 0.86 <= covered <= 0.99


def test_extrapolation_nears_the_distance_of_many_clips() -> None:
    rng = np.random.default_rng(5)
    reference = moments(rng.normal(size=(4000, 8)))
    many = distance(moments(np.concatenate(clips(rng, 3000, 8))), reference)
    few = [clips(rng, 24, 8) for _ in range(12)]
    plain = np.mean([distance(moments(np.concatenate(c)), reference) for c in few])
    found = [extrapolate(c, reference, rng) for c in few]
    assert abs(np.mean([f.value for f in found]) - many) < 0.5 * abs(plain - many)
    assert all(f.slope > 0 for f in found)
    with pytest.raises(AnalysisError, match="eight are needed"):
        extrapolate(few[0][:7], reference, rng)


def test_kernel_distance_is_unbiased_and_kadtks() -> None:
    """Zero on average for equal sources; the value of kadtk 1.1.0's formula, written out."""
    rng = np.random.default_rng(6)
    null = [kernel_distance(rng.normal(size=(40, 6)), rng.normal(size=(300, 6))) for _ in range(60)]
    assert abs(np.mean(null)) < 3 * np.std(null) / np.sqrt(60)
    assert min(null) < 0
    a, b = rng.normal(size=(30, 6)), rng.normal(0.5, 1, size=(50, 6))
    pairs = [float(np.linalg.norm(x - y)) for i, x in enumerate(b) for y in b[i + 1 :]]
    gamma = 1 / (2 * np.median(pairs) ** 2)

    def k(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return np.exp(-gamma * ((x[:, None] - y[None]) ** 2).sum(-1))

    off = [(k(x, x).sum() - len(x)) / (len(x) * (len(x) - 1)) for x in (a, b)]
    assert kernel_distance(a, b) == pytest.approx(100 * (sum(off) - 2 * k(a, b).mean()), rel=1e-9)
    with pytest.raises(AnalysisError, match="the same"):
        kernel_distance(a, np.ones((5, 6)))


def test_each_clip_alone_is_its_own_distance() -> None:
    rng = np.random.default_rng(5)
    reference = moments(rng.normal(size=(300, 24)))
    clips = [rng.normal(k / 3, 1 + k / 5, size=(n, 24)) for k, n in enumerate((2, 9, 30, 60))]
    values = list(each([*clips, clips[0][:1]], reference))
    assert values[:-1] == pytest.approx([distance(moments(c), reference) for c in clips], rel=1e-9)
    assert np.isnan(values[-1])  # one frame has no spread


def test_an_interval_over_ten_thousand_clips_needs_little_memory() -> None:
    """The products of all frames with each other (40,000 squared, 12.8 GB) are never formed."""
    import tracemalloc

    rng = np.random.default_rng(6)
    clips = list(rng.normal(0.2, 1, size=(10_000, 4, 8)))
    tracemalloc.start()
    low, high = bootstrap(clips, moments(rng.normal(size=(500, 8))), 5, rng)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert 0 < low < high
    assert peak < 100e6


@pytest.mark.parametrize("shape", [(3, 5), (200, 130), (130, 200), (140, 140)])
@pytest.mark.parametrize("rank", [2, 128])
def test_nuclear_norm_is_the_sum_of_singular_values(shape: tuple[int, int], rank: int) -> None:
    """Of small and large, full and deficient matrices, whichever way it is computed."""
    rng = np.random.default_rng(7)
    rank = min(rank, *shape)
    m = rng.normal(size=(shape[0], rank)) @ rng.normal(size=(rank, shape[1]))
    assert nuclear_norm(m) == pytest.approx(float(linalg.svdvals(m).sum()), rel=1e-9)
    assert nuclear_norm(np.zeros(shape)) == 0


def test_moments_by_hand() -> None:
    """Divided by n - 1: of (0, 0), (2, 4), (4, 2) the variances are 4, the covariance 2."""
    found = moments(np.array([[0.0, 0], [2, 4], [4, 2]]))
    assert found.n == 3
    assert found.mean.tolist() == [2, 2]
    assert found.covariance() == pytest.approx(np.array([[4.0, 2], [2, 4]]))
    assert frechet_distance(np.array([[0.0], [2]]), np.array([[3.0], [7]])) == pytest.approx(
        16 + (2**0.5 - 8**0.5) ** 2
    )
    assert Moments(3).n == 0


@pytest.mark.parametrize("n", [11, 12, 13, 4095, 4096, 4097, 9000])
def test_moments_do_not_depend_on_how_many_frames_wait(n: int) -> None:
    frames = np.random.default_rng(n).normal(2, 3, size=(n, 12))
    one, by_rows = moments(frames), Moments(12)
    for part in np.array_split(frames, 7):
        by_rows.add(part)
    for found in (one, by_rows):
        assert found.mean == pytest.approx(frames.mean(axis=0), rel=1e-10)
        assert found.covariance() == pytest.approx(np.cov(frames, rowvar=False), rel=1e-8, abs=1e-10)
        assert found.factor().T @ found.factor() == pytest.approx(found.covariance())


@pytest.mark.parametrize(
    ("n", "most", "kept"),
    [
        (10, 10, list(range(10))),
        (9, 10, list(range(9))),
        (11, 5, [0, 2, 5, 7, 10]),
        (101, 3, [0, 50, 100]),
        (7, 1, [0]),
    ],
)
def test_thinned_frames_are_spread_from_first_to_last(n: int, most: int, kept: list[int]) -> None:
    frames = np.arange(n)[:, None] * [1.0, 10.0]
    assert thin(frames, most).tolist() == frames[kept].tolist()


def test_interval_is_the_spread_of_resampled_clips_around_the_value() -> None:
    """The same bootstrap, written out: clips drawn with repetition, all their frames, numpy's covariance."""
    rng = np.random.default_rng(8)
    sets = [rng.normal(k / 4, 1, size=(15, 3)) for k in range(6)]
    reference = rng.normal(1, 1, size=(400, 3))
    for width_first in (True, False):
        ref = reference if width_first else reference[:3]
        draws = np.random.default_rng(3).integers(6, size=(40, 6))
        values = np.array([frechet_distance(np.concatenate([sets[i] for i in d]), ref) for d in draws])
        value = frechet_distance(np.concatenate(sets), ref)
        low, high = value + np.quantile(values - values.mean(), [0.025, 0.975])
        found = bootstrap(sets, moments(ref), 40, np.random.default_rng(3))
        assert found == pytest.approx((max(0, low), max(0, high)), rel=1e-8)


def test_interval_of_fewer_frames_than_the_reference_has_dimensions() -> None:
    rng = np.random.default_rng(9)
    sets, reference = [rng.normal(0.5, 1, size=(4, 40)) for _ in range(5)], rng.normal(size=(300, 40))
    draws = np.random.default_rng(4).integers(5, size=(20, 5))
    values = np.array([frechet_distance(np.concatenate([sets[i] for i in d]), reference) for d in draws])
    value = frechet_distance(np.concatenate(sets), reference)
    low, high = value + np.quantile(values - values.mean(), [0.025, 0.975])
    assert bootstrap(sets, moments(reference), 20, np.random.default_rng(4)) == pytest.approx((low, high), rel=1e-7)


def test_extrapolation_is_the_line_through_its_own_points() -> None:
    """Sizes from a quarter of the clips (four at least) to all; R: lm(values ~ I(1 / sizes)), its intercept and its error."""
    from scipy import stats

    rng = np.random.default_rng(10)
    sets, reference = clips(rng, 20), moments(rng.normal(size=(500, 4)))
    found = extrapolate(sets, reference, np.random.default_rng(0))
    assert found.sizes[0] == 5
    assert found.sizes[-1] == 20
    assert len(found.sizes) == len(set(found.sizes)) == 10
    assert found.values[-1] == pytest.approx(distance(moments(np.concatenate(sets)), reference))
    line = stats.linregress(1 / found.sizes, found.values)
    assert found.value == pytest.approx(line.intercept)
    assert found.slope == pytest.approx(line.slope)
    assert found.r_squared == pytest.approx(line.rvalue**2)
    assert found.error == pytest.approx(line.intercept_stderr)
    assert found.value < found.values.min()
    assert extrapolate(sets[:8], reference, np.random.default_rng(0)).sizes[0] == 4


def test_kernel_distance_with_a_given_bandwidth_by_hand() -> None:
    """Two frames a side, distances 1 within a, 2 within b; across 3, 1, 4, 2 on a line; bandwidth 1: exp(-d^2 / 2)."""
    a, b = np.array([[0.0], [1]]), np.array([[-3.0], [-1]])

    def g(d: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-(d**2) / 2))

    wanted = 100 * (g(1) + g(2) - 2 * (g(3) + g(1) + g(4) + g(2)) / 4)
    assert kernel_distance(a, b, bandwidth=1.0) == pytest.approx(wanted)
    # By itself it takes the reference's (2), not that of both or of the clips.

    def h(d: np.ndarray) -> np.ndarray:
        return np.asarray(np.exp(-(d**2) / 8))

    assert kernel_distance(a, b) == pytest.approx(100 * (h(1) + h(2) - 2 * (h(3) + h(1) + h(4) + h(2)) / 4))
    with pytest.raises(AnalysisError, match="two frames"):
        kernel_distance(a[:1], b)
    with pytest.raises(AnalysisError, match="two frames"):
        kernel_distance(a, b[:1])
