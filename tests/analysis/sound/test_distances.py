"""Distances of clips to reference music: levels, sets by condition and taste, and whether the nearer clip fits better."""

import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from analysis.errors import AnalysisError
from analysis.sound import distances
from analysis.sound.distances import Reference, against_preference, analyse, embed_clips, level, load_reference
from analysis.sound.fad import frechet_distance, kernel_distance
from analysis.sound.packed import keep
from stimuli.manifest import ClipRow
from tests.analysis.sound.conftest import ROW


def test_level_is_the_same_for_quiet_and_loud() -> None:
    """-23 dBFS RMS; the shape stays, silence stays silent."""
    x = np.sin(np.arange(16000) / 7)
    for gain in (0.001, 0.3, 1.0):
        found = level(gain * x)
        assert 20 * np.log10(np.sqrt((found.astype(float) ** 2).mean())) == pytest.approx(-23, abs=1e-4)
        assert np.corrcoef(found, x)[0, 1] == pytest.approx(1)
    assert found.dtype == np.float32
    assert not level(np.zeros(100)).any()


class Space:
    """Stands for an embedding space: two frames a clip, mean and mean square of its halves."""

    rate = 8000

    def __init__(self) -> None:
        self.heard: list[np.ndarray] = []

    def embed(self, audio: np.ndarray) -> np.ndarray:
        self.heard.append(audio)
        return np.array([[h.mean(), (h**2).mean()] for h in np.array_split(audio.astype(float), 2)])


@pytest.fixture
def space(monkeypatch: pytest.MonkeyPatch) -> Space:
    import models.embeddings.spaces

    found = Space()
    monkeypatch.setattr(models.embeddings.spaces, "open_space", lambda name: found)
    return found


def wav(path: Path, gain: float, rate: int = 16000) -> Path:
    soundfile.write(path, gain * np.sin(np.arange(rate) / 5), rate)
    return path


def test_clips_are_embedded_at_one_level_and_kept_under_their_hash(tmp_path: Path, space: Space) -> None:
    rows = [replace(ROW, clip=n, file=f"{n}.wav", sha256=f"sha{n}") for n in ("a", "b")]
    for row, gain in zip(rows, (0.05, 0.5), strict=True):
        wav(tmp_path / row.file, gain)
    told: list[tuple[int, int, str]] = []
    out = embed_clips(rows, tmp_path, ["musicnn", "vggish:x.pth"], tmp_path / "cache", lambda *a: told.append(a))
    assert told == [(1, 2, "a"), (2, 2, "b")]
    assert [len(x) for x in space.heard] == [8000] * 4  # at the space's rate
    for heard in space.heard:
        assert np.sqrt((heard.astype(float) ** 2).mean()) == pytest.approx(10 ** (-23 / 20), rel=1e-3)
    files = sorted(p.relative_to(tmp_path / "cache") for p in (tmp_path / "cache").rglob("*.npy"))
    assert {f.name for f in files} == {"shaa.npy", "shab.npy"}
    assert len({f.parent for f in files}) == 2
    # Read again, not embedded again; another checkpoint of a space is not taken for this one.
    again = embed_clips(rows, tmp_path, ["musicnn", "vggish:x.pth"], tmp_path / "cache")
    assert len(space.heard) == 4
    for name in out:
        for sha in ("shaa", "shab"):
            assert again[name][sha].tolist() == out[name][sha].tolist()
            assert again[name][sha].dtype == np.float32
    embed_clips(rows, tmp_path, ["vggish:y.pth"], tmp_path / "cache")
    assert len(space.heard) == 6


@pytest.mark.parametrize(("name", "width"), [("yamnet", 1024), ("musicnn", 200), ("codec", 64)])
def test_shipped_reference(name: str, width: int) -> None:
    reference = load_reference("shipped", name)
    assert len(reference.clips) == 40
    assert {c.shape[1] for c in reference.clips} == {width}
    assert min(len(c) for c in reference.clips) > 1


def test_shipped_clips_are_cut_where_their_lengths_say(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors.numpy import save_file

    rows = np.arange(12, dtype=np.float16).reshape(6, 2)
    save_file({"lengths": np.array([1, 3, 2]), "embeddings": rows}, tmp_path / "x.safetensors")
    monkeypatch.setattr(distances, "SHIPPED", tmp_path)
    assert [c.tolist() for c in load_reference("shipped", "x").clips] == [
        rows[:1].tolist(), rows[1:4].tolist(), rows[4:].tolist(),
    ]  # fmt: skip


def test_no_reference_is_shipped_for_spaces_by_checkpoint() -> None:
    with pytest.raises(AnalysisError, match="no shipped reference for vggish"):
        load_reference("shipped", "vggish:weights.pth")


def test_a_directory_of_audio_is_a_reference(tmp_path: Path, space: Space) -> None:
    folder = tmp_path / "my music"
    (folder / "deep").mkdir(parents=True)
    wav(folder / "a.WAV", 0.1)
    (folder / "cover.jpg").write_bytes(b"")
    with pytest.raises(AnalysisError, match="at least two audio files"):
        load_reference(str(folder), "musicnn")
    wav(folder / "deep" / "b.wav", 0.4)
    found = load_reference(str(folder), "musicnn")
    assert (found.name, len(found.clips)) == ("my music", 2)
    for heard in space.heard:
        assert np.sqrt((heard.astype(float) ** 2).mean()) == pytest.approx(10 ** (-23 / 20), rel=1e-3)
    with pytest.raises(AnalysisError, match="at least two audio files"):
        load_reference(str(tmp_path / "missing"), "musicnn")


def test_every_set_is_measured_on_its_own_clips(
    numbers: tuple[list[ClipRow], dict[str, np.ndarray], Reference], tmp_path: Path
) -> None:
    rows, vectors, reference = numbers
    tables = analyse(rows, tmp_path, ["x", "y"], "w", tmp_path, resamples=20)
    music = np.concatenate(reference.clips)
    found = {(r["metric"], r["model"], r["taste"], r["embedding"]): r for r in tables["distances"]}
    assert len(found) == len(tables["distances"]) == 2 * 2 * (3 + 1 + 3)
    for model in ("base", "finetuned"):
        for taste, n in (("all", 10), ("sweet", 4), ("sour", 4)):
            mine = [vectors[r.sha256] for r in rows if r.model == model and taste in ("all", r.taste)]
            row = found["FAD", model, taste, "x"]
            assert row["n"] == len(mine) == n
            assert row["value"] == pytest.approx(frechet_distance(np.concatenate(mine), music), rel=1e-9)
            assert row["ci_low"] <= row["value"] <= row["ci_high"]
            assert (row["n_reference"], row["reference"], row["n_frames"]) == (5, "my music", 12 * n)
            assert row["seconds"] == (2.0 if model == "base" else 3.0)
            assert row["rank_deficient"] is False
            kernel = found["KAD", model, taste, "x"]
            assert kernel["value"] == pytest.approx(kernel_distance(np.concatenate(mine), music), rel=1e-6)
            assert kernel["ci_low"] is None
            # Embeddings twice as far from a reference that stays are another distance.
            assert found["FAD", model, taste, "y"]["value"] != pytest.approx(row["value"], rel=0.01)
        infinite = found["FAD-infinity", model, "all", "x"]
        points = [(f["n"], f["value"]) for f in tables["fits"] if f["model"] == model and f["embedding"] == "x"]
        slope, start = np.polyfit([1 / n for n, _ in points], [v for _, v in points], 1)
        assert infinite["value"] == pytest.approx(start)
        assert slope > 0
        half = infinite["ci_high"] - infinite["value"]
        assert half == pytest.approx(infinite["value"] - infinite["ci_low"])
        assert half > 0
        assert 0 < infinite["r_squared"] <= 1
    assert [r["metric"] for r in tables["distances"]] == ["FAD"] * 12 + ["FAD-infinity"] * 4 + ["KAD"] * 12
    alone = {(r["clip"], r["embedding"]): r for r in tables["clips"]}
    assert len(alone) == 40
    for row in rows:
        wanted = frechet_distance(vectors[row.sha256], music)
        assert alone[row.clip, "x"]["distance"] == pytest.approx(wanted, rel=1e-9)
        assert (alone[row.clip, "x"]["model"], alone[row.clip, "x"]["taste"]) == (row.model, row.taste)
    assert tables == analyse(rows, tmp_path, ["x", "y"], "w", tmp_path, resamples=20)


def test_small_sets_say_what_they_lack(
    numbers: tuple[list[ClipRow], dict[str, np.ndarray], Reference], tmp_path: Path
) -> None:
    """One clip has no interval over clips, seven no extrapolation; as many frames as dimensions are rank deficient."""
    rows, _, _ = numbers
    np.save(tmp_path / "x" / "s0.npy", np.eye(3, dtype=np.float32))
    np.save(tmp_path / "x" / "s2.npy", np.ones((1, 3), dtype=np.float32))
    one = analyse(rows[:1], tmp_path, ["x"], "w", tmp_path, resamples=20)
    fad = next(r for r in one["distances"] if r["metric"] == "FAD")
    assert (fad["ci_low"], fad["ci_high"], fad["rank_deficient"]) == (None, None, True)
    assert one["fits"] == []
    seven = analyse([r for r in rows if r.model == "finetuned"][:7], tmp_path, ["x"], "w", tmp_path, resamples=20)
    assert "FAD-infinity" not in {r["metric"] for r in seven["distances"]}
    eight = analyse([r for r in rows if r.model == "finetuned"][:8], tmp_path, ["x"], "w", tmp_path, resamples=20)
    assert [r["taste"] for r in eight["distances"] if r["metric"] == "FAD-infinity"] == ["all"]
    two = analyse([rows[0], rows[2]], tmp_path, ["x"], "w", tmp_path, resamples=20)
    assert [r["distance"] is None for r in two["clips"]] == [False, True]  # one frame has no spread


def test_noise_lies_farther_from_music_than_a_chord(tmp_path: Path) -> None:
    """Through a real embedding space and the shipped reference."""
    rng = np.random.default_rng(0)
    t = np.arange(32000) / 16000
    rows = []
    for i in range(2):
        for model in ("base", "finetuned"):
            chord = sum(np.sin(2 * np.pi * f * (1 + i / 20) * t) for f in (262, 330, 392)) * 0.1 * np.exp(-t)
            name = f"{model}-{i}"
            soundfile.write(tmp_path / f"{name}.wav", rng.normal(0, 0.1, 32000) if model == "base" else chord, 16000)
            rows.append(replace(ROW, clip=name, model=model, number=i, file=f"{name}.wav", sha256=name))
    tables = analyse(rows, tmp_path, ["musicnn"], "shipped", tmp_path / "cache", resamples=20)
    for metric in ("FAD", "KAD"):
        found = {r["model"]: r["value"] for r in tables["distances"] if r["metric"] == metric and r["taste"] == "all"}
        assert found["base"] > found["finetuned"]


def answered(slope: float, seed: int = 7, people: int = 80) -> tuple[list[dict[str, object]], pd.DataFrame]:
    rng = np.random.default_rng(seed)
    known = {f"{m}{i}": float(d) for m in "bf" for i, d in enumerate(rng.normal(5, 1, 12))}
    rows = []
    for person in range(people):
        for _ in range(5):
            i, j = rng.integers(12, size=2)
            score = 5 + slope * (known[f"b{i}"] - known[f"f{j}"]) + rng.normal()
            rows.append((person, "sweet", f"b{i}", f"f{j}", score))
    preference = pd.DataFrame(rows, columns=["participant", "taste", "clip_under", "clip_over", "score"])
    return [{"clip": c, "embedding": "x", "distance": d} for c, d in known.items()], preference


@pytest.mark.parametrize("sign", [1, -1])
def test_the_nearer_clips_preference_comes_back(sign: int) -> None:
    """Points a standard deviation of the distances' difference; less where the farther clip fits better."""
    listed, preference = answered(0.8 * sign)
    row = against_preference(listed, preference, 5)[0]
    known = {c["clip"]: c["distance"] for c in listed}
    spread = (preference["clip_under"].map(known) - preference["clip_over"].map(known)).std(ddof=0)
    assert row["p"] < 1e-6
    assert row["difference"] == pytest.approx(0.8 * sign * spread, abs=0.15)
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert sign * row["spearman"] > 0.7
    assert row["spearman_p"] < 0.05
    assert sign * row["statistic"] > 0
    assert (row["n"], row["n_clips"], row["status"], row["embedding"]) == (400, 12, "exploratory", "x")


def test_what_two_pairs_differ_in_is_no_relation_of_clips() -> None:
    """Tracks lie near and fit well, far tracks fit badly, of both kinds no clip better than another: a slope over all answers
    finds that, within pairs there is none. Two pairs in one row are told apart by their conditions."""
    rng = np.random.default_rng(3)
    known = {f"{m}{i}": far + rng.normal(0, 0.3) for m, far in (("b", 6.0), ("n", 2.0), ("f", 10.0)) for i in range(12)}
    rows = []
    for person in range(60):
        for k in range(6):
            over, lift = (("n", 1.5), ("f", -1.5))[k % 2]
            i, j = rng.integers(12, size=2)
            rows.append((person, "sweet", over, "b", f"b{i}", f"{over}{j}", 5 + lift + rng.normal()))
    preference = pd.DataFrame(
        rows, columns=["participant", "taste", "over", "under", "clip_under", "clip_over", "score"]
    )
    listed: list[dict[str, object]] = [{"clip": c, "embedding": "x", "distance": d} for c, d in known.items()]
    pooled = np.corrcoef(preference["clip_under"].map(known) - preference["clip_over"].map(known), preference["score"])[
        0, 1
    ]
    assert pooled > 0.7
    (row,) = against_preference(listed, preference, 5)
    assert row["p"] > 0.05
    assert abs(row["spearman"]) < 0.5
    assert row["n_clips"] == 24
    one = preference[preference["over"] == "n"]
    assert against_preference(listed, one, 5)[0]["n_clips"] == 12


def test_without_a_relation_there_is_none_to_find() -> None:
    assert against_preference(*answered(0.0), 5)[0]["p"] > 0.05


def test_answers_that_can_not_be_placed_are_left_out() -> None:
    listed, preference = answered(0.8)
    preference.loc[:9, "score"] = np.nan
    few = [{**c, "distance": None} if c["clip"] == "b0" else c for c in listed]
    row = against_preference(few, preference, 5)[0]
    assert row["n"] == int((preference["score"].notna() & (preference["clip_under"] != "b0")).sum())
    assert against_preference(listed, preference.iloc[10:29], 5) == []  # nineteen are too few
    assert len(against_preference(listed, preference.iloc[10:30], 5)) == 1
    assert against_preference([{**c, "distance": 1.0} for c in listed], preference, 5) == []  # all as far
    assert against_preference([], preference, 5) == []
    both = [*listed, *({**c, "embedding": "y", "distance": -c["distance"]} for c in listed)]
    x, y = against_preference(both, preference, 5)
    assert (x["embedding"], y["embedding"]) == ("x", "y")
    assert x["difference"] == pytest.approx(-y["difference"], rel=1e-6)


def test_many_clips_are_not_held_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """400 clips of 100 kB each; a kernel distance of many is of no more frames than of few."""
    rng, rows = np.random.default_rng(2), []
    for i in range(400):
        row = replace(ROW, clip=f"c{i}", number=i, sha256=f"s{i:03d}")
        keep(tmp_path / "x", row.sha256, rng.normal(size=(400, 64)).astype(np.float32))
        rows.append(row)
    reference = Reference("r", [rng.normal(size=(30, 64)).astype(np.float32) for _ in range(5)])
    monkeypatch.setattr(distances, "load_reference", lambda where, name: reference)
    compared = []

    def kernel(a: np.ndarray, b: np.ndarray) -> float:
        compared.append((len(a), len(b)))
        return 0.0

    monkeypatch.setattr(distances, "kernel_distance", kernel)
    tracemalloc.start()
    tables = analyse(rows, tmp_path, ["x"], "w", tmp_path, resamples=5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 20e6  # all are 41 MB
    assert [(r["n"], r["n_frames"]) for r in tables["distances"] if r["metric"] == "FAD"] == [(400, 24_000)] * 2
    assert compared == [(1500, 150)] * 2
