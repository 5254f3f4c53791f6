import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.fad import bootstrap, frechet_distance, load_reference


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


@given(st.integers(0, 10_000), st.integers(3, 40), st.integers(3, 40), st.integers(2, 30))
@settings(max_examples=40, deadline=None)
def test_laws(seed: int, n: int, m: int, width: int) -> None:
    rng = np.random.default_rng(seed)
    a, b = rng.normal(size=(n, width)), rng.normal(1, 2, size=(m, width))
    forward = frechet_distance(a, b)
    assert forward >= 0
    assert frechet_distance(b, a) == pytest.approx(forward, rel=1e-8)
    assert frechet_distance(a, a) == pytest.approx(0, abs=1e-9 * max(1.0, float((a**2).sum())))
    turn, _ = np.linalg.qr(rng.normal(size=(width, width)))
    assert frechet_distance(a @ turn, b @ turn) == pytest.approx(forward, rel=1e-7)


def test_interval_is_over_clips() -> None:
    rng = np.random.default_rng(2)
    clips = [rng.normal(k % 3, 1, size=(20, 4)) for k in range(12)]
    reference = rng.normal(size=(300, 4))
    low, high = bootstrap(clips, reference, 60, np.random.default_rng(0))
    assert low < frechet_distance(np.concatenate(clips), reference) < high


def test_too_few_frames() -> None:
    with pytest.raises(AnalysisError, match="two frames"):
        frechet_distance(np.zeros((1, 3)), np.zeros((5, 3)))


@pytest.mark.parametrize(("name", "width"), [("yamnet", 1024), ("musicnn", 200), ("codec", 64)])
def test_shipped_reference(name: str, width: int) -> None:
    reference = load_reference("shipped", name)
    assert len(reference.clips) == 40
    assert {c.shape[1] for c in reference.clips} == {width}
