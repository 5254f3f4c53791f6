"""Full-size training on small networks: overfitting, going on, low-rank factors, two processes, the whole command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch
from typer.testing import CliRunner

from models.errors import ModelError
from models.sonicverse.full.musicbench import Row
from models.sonicverse.full.presets import PAPER, described_config
from models.sonicverse.full.released import load_released
from models.sonicverse.full.train import FullSettings, encode_rows, label_names, train_full
from models.sonicverse.llm import caption_loss, load_llm
from models.sonicverse.load import load_captioner
from models.sonicverse.nano.labels import KEYS
from tastelab.cli import app
from tests.models.sonicverse.test_projector import mert_directory

WORDS = ("piano", "harp", "drums", "flute", "organ", "choir", "horns", "guitar")
SMALL = {"content_tokens": 6, "tokens_per_head": 1, "backbone": (16, "relu"), "head": (16, "relu")}


def rows() -> list[Row]:
    out = []
    for i, word in enumerate(WORDS):
        soft = {
            "key": {KEYS[i]: 1.0}, "instrument": {w: float(w == word) for w in WORDS}, "mood": {"calm": 0.5, "wild": i % 2},
            "genre": {"folk": 0.5, "jazz": 0.2}, "vocals": {"vocals": 0.1, "instrumental": 0.9},
            "gender": {"female": 0.5, "male": 0.5},
        }  # fmt: skip
        out.append(Row(Path(f"{i}.wav"), str(i), (f"Music with {word}.",), None, None, False, soft, f"{i}.wav"))
    return out


def vectors() -> np.ndarray:
    return (3 * np.random.default_rng(0).normal(size=(8, 3, 8))).astype(np.float32)


@pytest.mark.slow
def test_two_clips_can_be_overfitted_and_shuffled_audio_then_fails(tmp_path: Path) -> None:
    settings = FullSettings(epochs=(10, 30, 2), batch=2, lr=8e-3, change=SMALL | {"content_tokens": 3}, save_every=500)
    curve: list[dict[str, float]] = []
    folder = train_full(
        rows()[:2], vectors()[:2], "mert", "smollm2", tmp_path, settings, lambda *given: curve.append(given[2])
    )
    assert [r["stage"] for r in curve] == [1.0] * 10 + [2.0] * 30 + [3.0] * 2
    assert curve[9]["loss"] < curve[0]["loss"]
    described = json.loads((folder / "config.json").read_text())
    model = load_released(folder / "model.safetensors", described_config(described["dual"]))
    llm, tokenizer = load_llm()
    x, texts = torch.from_numpy(vectors()[:2])[:, :, None], [r.captions[0] for r in rows()[:2]]
    with torch.no_grad():
        own = caption_loss(llm, tokenizer, model(x)[0], texts).item()
        shuffled = caption_loss(llm, tokenizer, model(x.roll(1, 0))[0], texts).item()
    assert own < 0.4
    assert shuffled > own + 1


@pytest.mark.slow
def test_interrupted_it_goes_on_to_the_same_weights(tmp_path: Path, small_llm: Path) -> None:
    """With low-rank factors in the language model, which learn from the second stage on and come back with the captioner."""
    settings = FullSettings(
        epochs=(3, 4, 2), batch=8, lr=1e-3, change=SMALL, save_every=2, lora_rank=2, prompt="Music:"
    )
    whole = train_full(rows(), vectors(), "mert", str(small_llm), tmp_path / "whole", settings)

    steps: list[int] = []
    for at in (3, 6):  # in the first stage, and in the second

        def stop(step: int, total: int, row: dict[str, float], at: int = at) -> None:
            steps.append(step)
            if step == at:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            train_full(rows(), vectors(), "mert", str(small_llm), tmp_path / "cut", settings, stop)
    assert steps == [1, 2, 3, 3, 4, 5, 6]
    with pytest.raises(ModelError, match="begun with another batch, listing; choose"):
        train_full(rows()[1:], vectors()[1:], "mert", str(small_llm), tmp_path / "cut", replace(settings, batch=4))
    again = train_full(rows(), vectors(), "mert", str(small_llm), tmp_path / "cut", settings)
    from safetensors.torch import load_file

    for name in ("model", "adapter"):
        one, other = load_file(whole / f"{name}.safetensors"), load_file(again / f"{name}.safetensors")
        assert set(one) == set(other)
        for key, tensor in one.items():
            assert torch.allclose(tensor, other[key], atol=1e-5), key
    factors = load_file(whole / "adapter.safetensors")
    assert all("lora_" in key for key in factors)
    assert any(float(v.abs().sum()) > 0 for k, v in factors.items() if "lora_B" in k)


def test_labels_that_are_missing_or_strange(tmp_path: Path) -> None:
    given = rows()
    names = label_names(given, PAPER)
    assert names["instrument"] == sorted(WORDS)
    assert names["key"] == list(KEYS)
    bare = [Row(r.audio, r.identifier, r.captions, None, None, False) for r in given]
    with pytest.raises(ModelError, match="no row has soft labels for instrument"):
        label_names(bare, PAPER)
    given[0].soft["key"]["H dur"] = 1.0
    with pytest.raises(ModelError, match="'H dur'"):
        label_names(given, PAPER)
    with pytest.raises(ModelError, match="preset 'large' is not known"):
        train_full(rows(), vectors(), "mert", "smollm2", tmp_path, FullSettings(preset="large"))
    with pytest.raises(ModelError, match="'released' reads every frame of a clip and is for published weights"):
        train_full(rows(), vectors(), "mert", "smollm2", tmp_path, FullSettings(preset="released"))


@pytest.fixture
def listing(tmp_path: Path) -> Path:
    """A small copy of MusicBench in its published columns, with tones of 4 s for music."""
    listed = []
    for i, word in enumerate(WORDS[:4]):
        t = np.arange(4 * 16000) / 16000
        tone = sum(np.sin(2 * np.pi * 220 * 2 ** (s / 12) * t) for s in (i - 12, i, i + 4, i + 7, i + 12)) / 8
        soundfile.write(tmp_path / f"clip{i}.wav", tone, 16000)
        listed.append(
            {"location": f"clip{i}.wav", "main_caption": f"Music with {word}.", "is_audioset_eval_mcaps": i == 3}
        )
    path = tmp_path / "MusicBench_train.json"
    path.write_text("\n".join(json.dumps(r) for r in listed))
    return path


@pytest.mark.slow
def test_from_a_listing_to_a_captioner_by_two_processes(listing: Path, tmp_path: Path, small_llm: Path) -> None:
    """As README says it: extend the copy by labels, train (two processes), caption with what came out."""
    mert_directory(tmp_path / "mert")
    labels = tmp_path / "labels.jsonl"
    run = CliRunner()
    extend = ["stimuli", "dataset", "extend", str(listing), "--audio", str(tmp_path), "--out", str(labels), "--quiet"]
    assert run.invoke(app, extend).exit_code == 0
    made = [json.loads(line) for line in labels.read_text().splitlines()]
    assert [max(r["key"], key=r["key"].get) for r in made] == ["A major", "Bb major", "B major", "C major"]
    labels.write_text("\n".join(labels.read_text().splitlines()[:3])[:-40])  # cut off within the third line
    assert run.invoke(app, extend).exit_code == 0
    assert sorted(json.loads(x)["location"] for x in labels.read_text().splitlines()) == [
        f"clip{i}.wav" for i in range(4)
    ]
    out = tmp_path / "run"
    command = [
        "models", "train-sonicverse", str(listing), "--audio", str(tmp_path), "--labels", str(labels), "--encoder",
        str(tmp_path / "mert"), "--llm", str(small_llm), "--out", str(out), "--batch", "2", "--epochs", "1,1,1",
        "--content-tokens", "2", "--tokens-per-head", "1", "--quiet",
    ]  # fmt: skip
    both = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", "tastelab", *command],
        capture_output=True, text=True, timeout=500, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    assert both.returncode == 0, both.stderr[-2000:]
    described = json.loads((out / "captioner" / "config.json").read_text())
    assert described["training"]["clips"] == 3  # the evaluation's row is kept out
    assert [json.loads(x)["stage"] for x in (out / "curve.jsonl").read_text().splitlines()] == [1, 1, 2, 2, 3, 3]
    load_captioner.cache_clear()
    captioner = load_captioner(str(out / "captioner"))
    said = captioner.describe([np.zeros(24000, dtype=np.float32) + 0.01])
    assert set(said[0].features) == {"key", "instrument", "mood", "genre", "vocals", "gender"}
    load_captioner.cache_clear()
    bad = run.invoke(app, [*command[:3], "--audio", str(tmp_path / "nowhere"), *command[5:]])
    assert "nowhere/clip0.wav" in str(bad.exception)


def test_encoding_goes_on_with_the_next_lot(tmp_path: Path) -> None:
    encoder = mert_directory(tmp_path / "mert")
    calls: list[Path] = []

    def read(path: Path, rate: int) -> np.ndarray:
        calls.append(path)
        return np.random.default_rng(int(path.stem)).normal(0, 0.1, rate).astype(np.float32)

    many = [Row(Path(f"{i}.wav"), str(i), ("Music.",), None, None, False) for i in range(70)]
    first = encode_rows(many, encoder, tmp_path / "cache", read)
    assert first.shape == (70, 3, 16)
    last = min((tmp_path / "cache").iterdir(), key=lambda p: len(np.load(p, allow_pickle=False)))
    last.unlink()
    calls.clear()
    assert np.array_equal(encode_rows(many, encoder, tmp_path / "cache", read), first)
    assert len(calls) == 6
    calls.clear()
    turned = encode_rows(many[::-1], encoder, tmp_path / "cache", read)  # as many clips, but not these
    assert np.array_equal(turned, first[::-1])
    assert len(calls) == 70
