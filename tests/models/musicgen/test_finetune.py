"""Fine-tuning nano and released models: full, low-rank, ablations, trackers."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from models.errors import ModelError
from models.musicgen import lora
from models.musicgen.checkpoints import find
from models.musicgen.finetune import PRESETS, FinetuneSettings, enriched, finetune, length, wordings
from models.musicgen.generate import load_generator
from models.musicgen.language import LanguageConfig, build_language_model
from models.musicgen.nano import save_language_model
from models.musicgen.train_language import codebook_losses
from models.training import read_corpus
from models.weights import WEIGHTS
from tests.models.sonicverse.released import transformers_checkpoint

KEYWORDS = ("sweet", "sweet, salty", "sweet", "bitter", "sweet", "bitter")
SHORT = FinetuneSettings(epochs=1, batch=2, lr=1e-3)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six tones of different lengths with taste words."""
    folder = tmp_path_factory.mktemp("corpus")
    (folder / "audio").mkdir()
    rows = []
    for i, words in enumerate(KEYWORDS):
        seconds = 2.0 + 0.4 * i
        t = np.arange(round(16000 * seconds)) / 16000
        soundfile.write(folder / "audio" / f"{i}.wav", 0.3 * np.sin(2 * np.pi * 110 * (i + 2) * t), 16000)
        rows.append(
            {
                "path": f"audio/{i}.wav", "description": f"{words} tone", "wordings": [f"{words} tone", f"{words} note"],
                "wordings_without_taste": ["a tone"], "duration": seconds, "keywords": words,
            }
        )  # fmt: skip
    (folder / "metadata.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    return folder


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small untrained language model over the shipped codec's codes."""
    torch.manual_seed(0)
    config = LanguageConfig(width=32, layers=1, heads=2)
    folder = tmp_path_factory.mktemp("base")
    save_language_model(build_language_model(config), config, folder, torch.float32)
    return folder


def test_the_ablations_change_what_is_read(corpus: Path) -> None:
    clips = read_corpus(corpus)
    assert wordings(clips, False)[1] == ("sweet, salty tone", "sweet, salty note")
    assert wordings(clips, True)[1] == ("a tone",)
    order = enriched(clips, "salty")
    drawn = [KEYWORDS[i] for i in order]
    assert sum("salty" in w for w in drawn) == 4
    assert order[:6] == list(range(6))
    with pytest.raises(ModelError, match=r"'umami'.*there are: bitter, salty, sweet"):
        enriched(clips, "umami")


@pytest.mark.parametrize("method", ["full", "lora"])
def test_a_finetuned_nano_generates_and_has_learned(corpus: Path, base: Path, tmp_path: Path, method: str) -> None:
    settings = replace(SHORT, method=method, epochs=6, lr=3e-3, ema=0.5)
    done = finetune(base, corpus, tmp_path, "tuned", corpus, settings)
    curve = [json.loads(x) for x in (tmp_path / "state" / "tuned.jsonl").read_text().splitlines()]
    held = [row["held_out"] for row in curve if "held_out" in row]
    assert held[-1] < held[0]
    audio = load_generator(str(done)).generate("sweet tone", 0.5, [1])
    assert audio.shape == (1, 1, 8000)
    from models.weights import load_tensors

    before, after = load_tensors(base / "model.safetensors"), load_tensors(done / "model.safetensors")
    assert before.keys() == after.keys()
    changed = {k for k in before if not torch.allclose(before[k].float(), after[k].float(), atol=1e-3)}
    assert any("in_proj_weight" in k for k in changed)
    assert any(k.startswith("emb.") for k in changed) == (method == "full")


def test_merged_factors_compute_what_the_adapted_model_did() -> None:
    torch.manual_seed(0)
    lm = build_language_model(LanguageConfig(n_q=2, bins=16, width=32, layers=2, heads=2)).eval()
    codes = torch.randint(0, 16, (2, 2, 10))
    plain = codebook_losses(lm, codes, ["a", "b"])
    names = set(lm.state_dict())
    learning = lora.add(lm, rank=4)
    assert learning == sum(p.numel() for p in lm.parameters() if p.requires_grad)
    assert learning < 0.5 * sum(p.numel() for p in lm.parameters())
    assert torch.allclose(codebook_losses(lm, codes, ["a", "b"]), plain)
    with torch.no_grad():
        for name, p in lm.named_parameters():
            if name.endswith(".b"):
                p.normal_(std=0.1)
    adapted = codebook_losses(lm, codes, ["a", "b"])
    assert not torch.allclose(adapted, plain)
    lora.merge(lm)
    assert set(lm.state_dict()) == names
    assert torch.allclose(codebook_losses(lm, codes, ["a", "b"]), adapted, atol=1e-5)


def test_a_released_model_is_finetuned_and_read_by_both_engines(corpus: Path, tmp_path: Path) -> None:
    released = transformers_checkpoint(tmp_path / "released")
    done = finetune(str(released), corpus, tmp_path, "tasty", None, SHORT)
    find.cache_clear()
    one = load_generator(str(done)).generate("sweet music", 0.5, [1])
    other = load_generator(str(done), "audiocraft").generate("sweet music", 0.5, [1])
    untuned = load_generator(str(released)).generate("sweet music", 0.5, [1])
    assert np.abs(one - other).max() < 1e-4
    assert np.abs(one - untuned).max() > 1e-4
    again = finetune(str(done), corpus, tmp_path / "again", "tastier", None, SHORT)
    assert (again / "state_dict.bin").exists()
    load_generator.cache_clear()


def test_the_curve_goes_to_tensorboard(corpus: Path, base: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    finetune(base, corpus, tmp_path, "tuned", None, replace(SHORT, tracker="tensorboard"))
    events = EventAccumulator(str(next((tmp_path / "state" / "tuned").rglob("events*")).parent))
    events.Reload()
    assert "loss" in events.Tags()["scalars"]


@pytest.mark.slow
def test_a_killed_training_goes_on_to_the_same_weights(corpus: Path, base: Path, tmp_path: Path) -> None:
    """SIGKILL after the first checkpoint; the second run ends with the very weights of one that was left alone."""
    settings = replace(PRESETS["paper"], epochs=8, batch=2)
    options = [
        "--corpus",
        str(corpus),
        "--base",
        str(base),
        "--out",
        str(tmp_path / "killed"),
        "--name",
        "tuned",
        "--quiet",
    ]
    command = [sys.executable, "-m", "tastelab", "models", "finetune", *options, "--epochs", "8", "--batch", "2"]
    first = subprocess.Popen(command)
    state = tmp_path / "killed" / "state" / "tuned.pt"
    deadline = time.monotonic() + 120
    while not state.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert not (tmp_path / "killed" / "tuned").exists()
    finetune(str(base), corpus, tmp_path / "killed", "tuned", settings=settings)
    finetune(str(base), corpus, tmp_path / "whole", "tuned", settings=settings)
    one, two = ((tmp_path / n / "tuned" / "model.safetensors").read_bytes() for n in ("killed", "whole"))
    assert one == two


def test_wrong_settings_are_one_line(corpus: Path, base: Path, tmp_path: Path) -> None:
    for settings, told in (
        (replace(SHORT, batch=7), "fewer than one batch"),
        (replace(SHORT, method="half"), "there are: full, lora"),
        (replace(SHORT, tracker="wandb"), "not installed"),
    ):
        with pytest.raises(ModelError, match=told):
            finetune(base, corpus, tmp_path, "x", None, settings)


def test_conditioning_alone_learns_and_a_blend_lies_between(corpus: Path, base: Path, tmp_path: Path) -> None:
    """Only text projection and cross-attention move; with replay; a blend of 0.25 is a quarter of the way."""
    from models.musicgen.nano import load_language_model

    settings = replace(SHORT, method="conditioning", replay=1)
    whole = finetune(base, corpus, tmp_path, "whole", settings=settings, replayed=corpus)
    quarter = finetune(base, corpus, tmp_path, "quarter", settings=replace(settings, blend=0.25), replayed=corpus)
    alone = finetune(base, corpus, tmp_path, "alone", settings=settings)
    a, b, c, d = (dict(load_language_model(x).named_parameters()) for x in (base, whole, quarter, alone))
    # Weights are written in half precision.
    moved = {n for n in a if not torch.allclose(a[n], b[n], atol=1e-3 * float(a[n].detach().abs().max()), rtol=1e-3)}
    assert moved
    assert all("cross_attention" in n or "norm_cross" in n or "output_proj" in n for n in moved)
    for name in moved:
        between = 0.75 * a[name] + 0.25 * b[name]
        rounding = 1e-3 * float(between.detach().abs().max()) + 1e-6
        assert torch.allclose(c[name], between, atol=rounding), name
    name = max(moved, key=lambda n: (a[n] - b[n]).abs().max().item())
    assert float((c[name] - (0.25 * a[name] + 0.75 * b[name])).abs().max()) > 0.2 * float(
        (a[name] - b[name]).abs().max()
    )
    assert any(not torch.equal(b[n], d[n]) for n in moved)  # what is replayed is learned from


def test_of_a_shipped_base_only_the_change_is_written(corpus: Path, tmp_path: Path) -> None:
    """The engines agree on such a model, and its fingerprint covers the base."""
    done = finetune("nano-base", corpus, tmp_path, "tuned", settings=replace(SHORT, method="conditioning", lr=1e-3))
    size = [(folder / "model.safetensors").stat().st_size for folder in (WEIGHTS / "nano-base", done)]
    assert size[1] < size[0] / 3
    assert WEIGHTS / "nano-base" / "model.safetensors" in find(str(done)).files
    sounds = [
        load_generator(str(done), engine).generate("sweet tone", 0.5, [1]) for engine in ("transformers", "audiocraft")
    ]
    assert np.abs(sounds[0] - sounds[1]).max() < 1e-3
    assert not np.array_equal(sounds[0], load_generator("nano-base").generate("sweet tone", 0.5, [1]))


def trained_as(preset: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, write: bool = True) -> Any:
    """How a preset trains on 40 tracks, held out ones beside them, in a codec of 50 frames a second."""
    from models.musicgen import finetune as module

    given: list[Any] = []
    clips = [SimpleNamespace(wordings=("a tune",), row={})] * 40
    monkeypatch.setattr(module, "find", lambda name: SimpleNamespace(format="audiocraft"))
    monkeypatch.setattr(module, "load_audiocraft", lambda _: (torch.nn.Linear(2, 2), SimpleNamespace(frame_rate=50)))
    monkeypatch.setattr(module, "load_training_set", lambda *_: ([torch.zeros(4, 2000)] * 40, None, clips))
    monkeypatch.setattr(module, "train_language_model", lambda *values: given.append(values))
    if write:
        monkeypatch.setattr(module, "_write", lambda *_: tmp_path)
    finetune("base", tmp_path, tmp_path, "t", tmp_path, module.PRESETS[preset])
    assert given[0][5] is not None  # what is held out
    return given[0][4]


def test_the_papers_recipe_is_its_texts(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """arXiv 2503.02823: 30 epochs at batch 16, 1e-4, a cosine after 8 steps, AdamW with .01; an epoch is a pass over the tracks."""
    s = trained_as("paper", monkeypatch, tmp_path)
    assert (s.steps, s.batch, s.lr, s.warmup, s.weight_decay, s.evaluate_every) == (30 * 2, 16, 1e-4, 8, 0.01, 2)
    assert (s.floor, s.ema, s.word_dropout, s.segment, s.patience) == (0.0, 0.0, 0.0, 1500, None)


def test_how_long_it_takes_is_known_before(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, corpus: Path) -> None:
    """To who watches it from elsewhere: as long as it is trained."""
    clips: Any = [SimpleNamespace(wordings=("a tune",), row={})] * 40
    for preset in ("paper", "script", "nano"):
        assert length(PRESETS[preset], clips) == trained_as(preset, monkeypatch, tmp_path).steps
    assert (
        length(replace(SHORT, epochs=5, enrich="salty"), read_corpus(corpus)) == 5 * 4
    )  # nine: six tones, and one three times more


def test_of_several_processes_one_writes(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name, value in (("TORCHELASTIC_RUN_ID", "a"), ("WORLD_SIZE", "2"), ("RANK", "1")):
        monkeypatch.setenv(name, value)
    written: list[Path] = []
    monkeypatch.setattr("models.musicgen.finetune._write", lambda lm, checkpoint, out: written.append(out))
    for rank, wanted in (("1", []), ("0", [tmp_path / "t"])):
        monkeypatch.setenv("RANK", rank)
        trained_as("nano", monkeypatch, tmp_path, write=False)
        assert written == wanted
    with pytest.raises(ModelError, match="2 processes, but a step has 1 clip:"):
        finetune("base", tmp_path, tmp_path, settings=replace(SHORT, batch=1))


def test_the_scripts_recipe_is_its_configurations(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """30 epochs of 2,000 updates at batch 4, an average of .99 every 10 updates, cosine to 0, word dropout .3, pieces of 30 s, the best
    state by validation."""
    s = trained_as("script", monkeypatch, tmp_path)
    assert (s.steps, s.batch, s.evaluate_every, s.ema, s.ema_every) == (60_000, 4, 2000, 0.99, 10)
    assert (s.floor, s.word_dropout, s.segment, s.warmup, s.lr) == (0.0, 0.3, 1500, 8, 1e-4)
    assert s.patience is not None
    assert s.patience >= 30  # never reached; with it the best weights are returned
    with pytest.raises(ModelError, match="a held-out corpus is needed"):
        finetune("base", tmp_path, tmp_path, settings=PRESETS["script"])


def test_nanos_recipe_is_what_nano_taste_had(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    s = trained_as("nano", monkeypatch, tmp_path)
    assert (s.steps, s.batch, s.lr, s.floor, s.segment, s.ema, s.ema_every) == (160, 16, 1e-3, 0.05, 750, 0.0, 1)
