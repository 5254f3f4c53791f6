"""The nano captioner's training piece by piece: losses, what is taken over from another, and what is written; nothing is trained."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
import torch

from models.errors import ModelError
from models.sonicverse.nano import train
from models.sonicverse.nano.captioner import NANO, described_config
from models.sonicverse.projector import DualProjector, ProjectorConfig
from models.training import Clip
from models.weights import load_tensors


def config(**changes: Any) -> ProjectorConfig:
    """Two layers of a few numbers, two heads: one of three labels at a time, one of several of two."""
    own: dict[str, Any] = {
        "heads": {"tempo": 3, "mood": 2}, "single": ("tempo",), "layers": {"front": 4, "cnn1": 3}, "width": 6, "llm_width": 5,
        "content_tokens": 2, "tokens_per_head": 1,
    }  # fmt: skip
    return replace(NANO, **(own | changes))


def projector(seed: int = 0, **changes: Any) -> DualProjector:
    torch.manual_seed(seed)
    return DualProjector(config(**changes)).eval()


def heard(n: int = 3) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(1)
    return {"front": torch.randn(n, 4, generator=g), "cnn1": torch.randn(n, 3, generator=g)}


TRUE = {"tempo": torch.eye(3), "mood": torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])}


def test_captions_count_beside_a_share_of_the_heads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The language model is read once, where captions are first learned, and is no part of what is trained."""
    read: list[Any] = []
    asked: list[Any] = []

    def load(dtype: torch.dtype) -> tuple[Any, str]:
        read.append(dtype)
        return torch.nn.Linear(2, 2), "tokenizer"

    def loss(llm: Any, tokenizer: Any, tokens: torch.Tensor, texts: list[str]) -> torch.Tensor:
        asked.append((tokenizer, tuple(tokens.shape), texts))
        return torch.tensor(7.0, requires_grad=True)

    monkeypatch.setattr(train, "load_llm", load)
    monkeypatch.setattr(train, "caption_loss", loss)
    model = projector()
    losses = train._Losses(model, 0.25)
    heads, more = losses(heard(), TRUE, None)
    assert (more, read) == ({}, [])
    assert float(heads.detach()) == pytest.approx(float(model.head_loss(model.head_logits(heard()), TRUE).detach()))
    both, more = losses(heard(), TRUE, ["a", "b", "c"])
    losses(heard(), TRUE, ["d", "e", "f"])
    assert float(both.detach()) == pytest.approx(7.0 + 0.25 * float(heads.detach()), rel=1e-5)
    assert (float(more["caption"]), more["caption"].requires_grad) == (7.0, False)
    assert read == [train.quicker_type()]
    assert asked[0] == ("tokenizer", (3, 4, 5), ["a", "b", "c"])  # two tokens of content, one a head
    assert {name.split(".")[0] for name, _ in losses.named_parameters()} == {"projector"}


def test_the_losses_of_voices_leave_what_is_before_them(monkeypatch: pytest.MonkeyPatch) -> None:
    model = projector(heads={"tempo": 3, "vocals": 2, "gender": 2}, single=("tempo", "vocals", "gender"))
    truth = {name: torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 0.0]]) for name in ("vocals", "gender")}
    loss, more = train._VoiceLoss(model)(heard(), truth)
    assert more == {}
    loss.backward()
    learning = {name.rsplit(".", 2)[0] for name, p in model.named_parameters() if p.grad is not None and p.grad.any()}
    assert {n.split(".")[0] for n in learning} <= {"beta", "heads"}
    assert not any("tempo" in name for name in learning)
    logits = {name: model.head_of(name, model.stack(heard())) for name in truth}
    assert float(loss.detach()) == pytest.approx(float(model.head_loss(logits, truth).detach()))


def written(where: Path, seed: int, **changes: Any) -> DualProjector:
    model = projector(seed, **changes)
    train.save_projector(model, where)
    return model


def test_what_is_written_is_read_again_in_half_precision(tmp_path: Path) -> None:
    """Numbers beyond half precision are brought to its edge; the configuration is the projector's own."""
    model = projector()
    name, parameter = next((n, p) for n, p in model.named_parameters() if p.dim() == 2)
    with torch.no_grad():
        parameter[0, 0], parameter[0, 1] = 1e6, -1e6
    train.save_projector(model, tmp_path / "new" / "mine", "some-llm")
    folder = tmp_path / "new" / "mine"
    assert sorted(p.name for p in folder.iterdir()) == ["config.json", "model.safetensors"]
    assert (folder / "model.safetensors").stat().st_mode & 0o777 == 0o644
    described = json.loads((folder / "config.json").read_text())
    assert {k: described[k] for k in ("kind", "llm", "encoder")} == {
        "kind": "captioner", "llm": "some-llm", "encoder": "musicnn + pulse/pitch",
    }  # fmt: skip
    assert described_config(described["projector"]) == model.config
    given = load_tensors(folder / "model.safetensors")
    assert given.keys() == model.state_dict().keys()
    for key, tensor in model.state_dict().items():
        if tensor.is_floating_point():
            assert given[key].dtype == torch.float16
            assert torch.allclose(given[key].float(), tensor.clamp(-60000, 60000), rtol=1e-3, atol=1e-6), key
    assert given[name][0, :2].tolist() == [60000, -60000]
    train.save_projector(model, tmp_path / "plain")
    assert json.loads((tmp_path / "plain" / "config.json").read_text())["llm"] == "smollm2"


def test_another_captioners_parts_are_taken_where_they_fit(tmp_path: Path) -> None:
    """Its heads come in another order and one is new: layer weights go by the head's name, what is new stays as it was."""
    given = written(tmp_path / "given", 1, heads={"mood": 2, "tempo": 3})
    with torch.no_grad():
        given.beta.copy_(torch.tensor([[1.0, 2.0], [3.0, 4.0]]))
    train.save_projector(given, tmp_path / "given")
    model = projector(2, heads={"tempo": 3, "key": 4, "mood": 2}, single=("tempo", "key"))
    before = {k: v.clone() for k, v in model.state_dict().items()}
    new = train.take_over(model, str(tmp_path / "given"))
    state = model.state_dict()
    assert state["beta"].tolist() == [[3.0, 4.0], before["beta"][1].tolist(), [1.0, 2.0]]
    own = {k for k in state if "key" in k}
    assert own
    assert own <= set(new)
    assert "beta" not in new
    assert new == sorted(new)
    stored = load_tensors(tmp_path / "given" / "model.safetensors")
    for key, tensor in state.items():
        if key in new:
            assert torch.equal(tensor, before[key]), key
        elif key != "beta":
            assert torch.equal(tensor, stored[key].float()), key
    other = projector(3, layers={"front": 4})  # one layer less: its weights are not those
    beta = other.state_dict()["beta"].clone()
    train.take_over(other, str(tmp_path / "given"))
    assert torch.equal(other.state_dict()["beta"], beta)
    with pytest.raises(ModelError, match=r"no captioner in .*nowhere: config\.json is missing"):
        train.take_over(model, str(tmp_path / "nowhere"))


def test_a_head_with_more_labels_takes_those_that_there_were(tmp_path: Path) -> None:
    """Which come first; its other labels, and heads with fewer labels than there, are as they were drawn."""
    given = written(tmp_path / "given", 1)  # tempo of three labels, mood of two
    model = projector(2, heads={"tempo": 2, "mood": 5})
    before = {k: v.clone() for k, v in model.state_dict().items()}
    train.take_over(model, str(tmp_path / "given"))
    state, stored = model.state_dict(), load_tensors(tmp_path / "given" / "model.safetensors")
    assert given.config.heads == {"tempo": 3, "mood": 2}
    changed = {k for k in state if stored[k].shape != state[k].shape}
    assert len(changed) == 2 * 3  # weights and biases of both last layers, the first of both makers of tokens
    for key in changed:
        if ".tempo." in key:
            assert torch.equal(state[key], before[key]), key
        elif key.startswith("heads."):
            assert torch.equal(state[key][:2], stored[key].float()), key
            assert torch.equal(state[key][2:], before[key][2:]), key
        else:
            assert torch.equal(state[key][:, :2], stored[key].float()), key
            assert torch.equal(state[key][:, 2:], before[key][:, 2:]), key


def clips(folder: Path, seconds: float = 0.5) -> list[Clip]:
    """Three tones, each of its own height."""
    out = []
    for k in range(3):
        path = folder / f"{k}.wav"
        soundfile.write(path, np.full(round(seconds * 16000), (k + 1) / 10, dtype=np.float32), 16000, subtype="FLOAT")
        out.append(Clip(path, "", {"duration": seconds, "title": f"p{k}"}))
    return out


def test_what_was_encoded_is_kept_for_these_clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []

    def encode(audio: np.ndarray) -> dict[str, np.ndarray]:
        assert audio.shape == (8000,)
        asked.append(round(float(audio[0]), 3))
        return {name: np.full(width, audio[0], dtype=np.float32) for name, width in train.LAYERS.items()}

    monkeypatch.setattr(train, "encode", encode)
    told: list[tuple[int, int]] = []
    cache, found = tmp_path / "sonicverse.safetensors", clips(tmp_path)
    layers = train.encode_corpus(found, cache, lambda i, n, row: told.append((i, n)))
    assert told == [(0, 3)]
    assert asked == [0.1, 0.2, 0.3]
    assert {name: rows.shape for name, rows in layers.items()} == {name: (3, w) for name, w in train.LAYERS.items()}
    assert layers["front"][:, 0] == pytest.approx([0.1, 0.2, 0.3])
    assert not cache.with_suffix(".partial").exists()
    again = train.encode_corpus(found, cache)
    assert len(asked) == 3
    assert all(np.array_equal(again[name], rows) for name, rows in layers.items())
    train.encode_corpus(found[:2], cache, transform=lambda audio: 2 * audio)  # other clips: encoded anew
    assert asked[3:] == [0.2, 0.4]


@pytest.mark.parametrize(("produced", "views"), [(False, ["sonicverse", "sonicverse-codec"]), (True, ["sonicverse"])])
def test_every_clip_is_heard_as_it_is_and_through_the_codec(
    produced: bool, views: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    corpus = tmp_path / "c"
    corpus.mkdir()
    found = clips(corpus)
    lines = [json.dumps({"path": c.path.name, "description": "", **c.row}) + "\n" for c in found]
    (corpus / "metadata.jsonl").write_text("".join(lines))
    (corpus / "recipe.json").write_text(json.dumps({"produced": produced}))
    seen: list[tuple[str, bool]] = []

    def encode_corpus(clips: list[Clip], cache: Path, report: Any, transform: Any) -> dict[str, np.ndarray]:
        seen.append((cache.stem, transform is train.through_codec))
        return {name: np.full((len(clips), width), len(seen), dtype=np.float32) for name, width in train.LAYERS.items()}

    monkeypatch.setattr(train, "encode_corpus", encode_corpus)
    both, layers = train._views([corpus, corpus], None)
    assert seen == [(name, "codec" in name) for name in views] * 2
    assert len(both) == 6 * len(views)
    assert layers["cnn1"][:, 0].tolist() == [float(k + 1) for k in range(2 * len(views)) for _ in range(3)]


def test_a_captioner_is_written_where_it_is_looked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []
    monkeypatch.setattr(train, "train_projector", lambda *values, **named: given.append((values, named)) or projector())
    done = train.train_nano_captioner([Path("c")], tmp_path, 5, 3, None, "nano")
    assert done == tmp_path / "sonicverse-nano"
    assert (done / "model.safetensors").is_file()
    assert given == [(([Path("c")], tmp_path / "state", 5, 3, None), {"start_from": "nano"})]
