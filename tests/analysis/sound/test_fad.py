"""Distances of sets of embeddings: laws, known values, the usual formulas, intervals that cover."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import linalg

from analysis.errors import AnalysisError
from analysis.sound.distances import against_preference, analyse, load_reference
from analysis.sound.fad import (
    Moments,
    bootstrap,
    distance,
    each,
    extrapolate,
    frechet_distance,
    kernel_distance,
    moments,
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
@settings(max_examples=30, deadline=None)
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


def test_the_nearer_clips_preference_comes_back() -> None:
    rng = np.random.default_rng(7)
    known = {f"{m}{i}": float(d) for m in "bf" for i, d in enumerate(rng.normal(5, 1, 12))}
    rows = []
    for person in range(80):
        for _ in range(5):
            i, j = rng.integers(12, size=2)
            score = 5 + 0.8 * (known[f"b{i}"] - known[f"f{j}"]) + rng.normal()
            rows.append((person, f"b{i}", f"f{j}", score))
    preference = pd.DataFrame(rows, columns=["participant", "clip_base", "clip_finetuned", "score"])
    listed = [{"clip": c, "embedding": "x", "distance": d} for c, d in known.items()]
    row = against_preference(listed, preference, 5)[0]
    assert row["p"] < 1e-6
    assert row["difference"] > 0.5
    assert row["spearman"] > 0.7
    assert row["status"] == "exploratory"


@pytest.mark.parametrize(("name", "width"), [("yamnet", 1024), ("musicnn", 200), ("codec", 64)])
def test_shipped_reference(name: str, width: int) -> None:
    reference = load_reference("shipped", name)
    assert len(reference.clips) == 40
    assert {c.shape[1] for c in reference.clips} == {width}


def test_no_reference_is_shipped_for_spaces_by_checkpoint() -> None:
    with pytest.raises(AnalysisError, match="no shipped reference for vggish"):
        load_reference("shipped", "vggish:weights.pth")


def test_tables(tmp_path: Path) -> None:
    """Noise lies farther from music than a chord does; every metric is there, and a second run reads the cache."""
    import soundfile

    from stimuli.manifest import ClipRow

    rng = np.random.default_rng(0)
    t = np.arange(32000) / 16000
    base = ClipRow(
        clip="", taste="sweet", model="base", number=0, prompt="", seed=0, checkpoint="", checkpoint_sha256="", file="", sha256="",
        seconds=2.0, rate=16000, loudness=-23.0, peak=-3.0, gain=0.0,
    )  # fmt: skip
    rows = []
    for i in range(9):
        for model in ("base", "finetuned"):
            chord = sum(np.sin(2 * np.pi * f * (1 + i / 20) * t) for f in (262, 330, 392)) * 0.1 * np.exp(-t)
            audio = rng.normal(0, 0.1, 32000) if model == "base" else chord
            name = f"{model}-{i}"
            soundfile.write(tmp_path / f"{name}.wav", audio, 16000)
            rows.append(replace(base, clip=name, model=model, number=i, file=f"{name}.wav", sha256=name))
    tables = analyse(rows, tmp_path, ["musicnn"], "shipped", tmp_path / "cache", resamples=20)
    metrics = {r["metric"] for r in tables["distances"]}
    assert metrics == {"FAD", "FAD-infinity", "KAD"}
    fad = {r["model"]: r for r in tables["distances"] if r["metric"] == "FAD" and r["taste"] == "all"}
    assert fad["base"]["value"] > fad["finetuned"]["value"]
    assert fad["base"]["ci_low"] <= fad["base"]["value"] <= fad["base"]["ci_high"]
    assert {
        "model",
        "taste",
        "embedding",
        "reference",
        "n",
        "n_reference",
        "metric",
        "value",
        "ci_low",
        "ci_high",
    } <= set(fad["base"])
    assert len(tables["clips"]) == 18
    for r in rows:
        (tmp_path / r.file).unlink()
    assert analyse(rows, tmp_path, ["musicnn"], "shipped", tmp_path / "cache", resamples=20) == tables


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
