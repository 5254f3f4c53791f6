"""Is the full-size SonicVerse faithful: published counts, gradients, padding, batches, frozen weights, overfitting."""

from __future__ import annotations

import hashlib
import json
import re
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.sonicverse.full.mert import RENAMED, Mert
from models.sonicverse.full.presets import PAPER, PRESETS, parameter_counts
from models.sonicverse.full.released import in_file, load_released
from models.sonicverse.llm import caption_loss, load_llm, with_prompt
from models.sonicverse.load import load_captioner
from models.sonicverse.pieces.windows import windows
from models.sonicverse.projector import DualProjector, ProjectorConfig

HEADS = {"key": 24, "instrument": 5, "mood": 4, "genre": 3, "vocals": 2, "gender": 2}


def small(**changes: Any) -> ProjectorConfig:
    base = replace(
        PAPER, heads=HEADS, layers=3, width=8, llm_width=576, content_tokens=4, tokens_per_head=2,
        backbone=(8, "relu"), head=(8, "relu"),
    )  # fmt: skip
    return replace(base, **changes)


def hidden(n: int = 2, frames: int = 6, seed: int = 0) -> torch.Tensor:
    return torch.randn(n, 3, frames, 8, generator=torch.Generator().manual_seed(seed))


def test_released_has_the_published_parameter_counts() -> None:
    """arXiv 2506.15154's checkpoint, counted part by part: 1,137,498,656 in all."""
    with torch.device("meta"):
        counts = parameter_counts(DualProjector(PRESETS["released"]))
    assert counts == {
        "content": 797_245_453, "features.instrument": 67_796_992, "features.mood": 68_059_136, "features.genre": 68_567_040,
        "features.key": 67_534_848, "features.vocals": 67_190_784, "backbone": 393_728, "heads.instrument": 141_621,
        "heads.mood": 145_733, "heads.genre": 153_700, "heads.key": 137_509, "heads.vocals": 132_112, "all": 1_137_498_656,
    }  # fmt: skip


@pytest.mark.parametrize(("preset", "heads"), [("paper", 6), ("paper-35-25", 5), ("released", 5)])
def test_every_preset_gives_sixty_tokens(preset: str, heads: int) -> None:
    config = PRESETS[preset]
    assert config.tokens == 60
    assert len(config.heads) == heads
    with torch.device("meta"):
        tokens, logits = DualProjector(config)(torch.empty(3, 13, 50, 768))
    assert tokens.shape == (3, 60, 4096)
    assert {k: v.shape for k, v in logits.items()} == {k: (3, n) for k, n in config.heads.items()}


def test_alpha_and_beta_learn_and_sum_to_one_in_the_paper() -> None:
    model = DualProjector(small())
    tokens, logits = model(hidden())
    (tokens.square().sum() + sum(v.square().sum() for v in logits.values())).backward()
    assert model.alpha.grad is not None
    assert model.beta.grad is not None
    gradients = [model.alpha.grad, *model.beta.grad]
    assert len(gradients) == 7
    assert all(float(g.abs().sum()) > 0 for g in gradients)
    torch.nn.init.normal_(model.alpha)
    torch.nn.init.normal_(model.beta)
    for weights in model.layer_weights().values():
        assert sum(weights.values()) == pytest.approx(1)


def test_beta_of_the_release_never_learns() -> None:
    model = DualProjector(small(layer_weights="ones", features="logits", masked=False))
    tokens, logits = model(hidden())
    (tokens.sum() + sum(v.square().sum() for v in logits.values())).backward()
    assert model.beta.grad is None or not model.beta.grad.any()
    assert model.alpha.grad is not None
    assert float(model.alpha.grad.abs().sum()) > 0


def test_padding_changes_nothing_and_a_batch_equals_its_clips() -> None:
    model = DualProjector(small()).eval()
    a, b = hidden(1, 6, 1), hidden(1, 9, 2)
    padded = torch.zeros(2, 3, 9, 8)
    padded[0, :, :6], padded[1] = a[0], b[0]
    padded[0, :, 6:] = 100.0  # whatever stands in the padding
    mask = torch.tensor([[1] * 6 + [0] * 3, [1] * 9]).bool()
    tokens, logits = model(padded, mask)
    for i, one in enumerate((a, b)):
        alone, heard = model(one)
        assert torch.allclose(tokens[i], alone[0], atol=1e-5)
        assert all(torch.allclose(logits[k][i], heard[k][0], atol=1e-5) for k in logits)
    released = DualProjector(small(masked=False)).eval()
    assert not torch.allclose(released(padded, mask)[0][0], released(a)[0][0], atol=1e-2)  # as in the release


@pytest.mark.parametrize("kind", ["uniform", "last"])
def test_layer_weights_are_a_switch(kind: str) -> None:
    model = DualProjector(small(layer_weights=kind)).eval()
    x = hidden()
    other = x.clone()
    other[:, 0] += 5
    same = torch.allclose(model(x)[0], model(other)[0])
    assert same == (kind == "last")


def test_features_are_a_switch() -> None:
    assert DualProjector(small(features="off"))(hidden())[0].shape == (2, 4, 576)
    model = DualProjector(small()).eval()
    x = hidden()
    own, logits = model(x)
    oracle, _ = model(x, None, {k: torch.zeros_like(v) for k, v in logits.items()})
    assert torch.equal(own[:, :4], oracle[:, :4])
    assert not torch.allclose(own[:, 4:], oracle[:, 4:])
    again, _ = model(x, None, {k: torch.sigmoid(v) for k, v in logits.items()})
    assert torch.allclose(own, again)


def test_stages_free_what_they_should() -> None:
    model = DualProjector(small())

    def learning() -> set[str]:
        return {n.split(".")[0] for n, p in model.named_parameters() if p.requires_grad}

    seen = []
    for stage in (1, 2, 3):
        model.stage(stage)
        seen.append(learning())
    heads, tokens = {"backbone", "heads", "beta"}, {"content", "feature", "alpha"}
    assert seen == [heads, heads | tokens, tokens]
    with pytest.raises(ModelError, match="stage 4"):
        model.stage(4)


def test_the_caption_alone_reaches_the_heads_and_frozen_weights_stay(small_llm: Path) -> None:
    llm, tokenizer = load_llm(str(small_llm))
    model = DualProjector(small(llm_width=llm.config.hidden_size, head=(32, "relu")))
    before = {k: v.clone() for k, v in llm.state_dict().items()}
    model.stage(3)
    heads = {k: v.clone() for k, v in model.heads.state_dict().items()}
    optimizer = torch.optim.AdamW([p for p in model.parameters() if p.requires_grad], lr=1e-2)
    caption_loss(llm, tokenizer, model(hidden())[0], ["A slow piece.", "A fast piece."]).backward()
    optimizer.step()
    assert all(torch.equal(before[k], v) for k, v in llm.state_dict().items())
    assert all(torch.equal(heads[k], v) for k, v in model.heads.state_dict().items())
    model.stage(2)
    model.zero_grad(set_to_none=True)
    caption_loss(llm, tokenizer, model(hidden())[0], ["A slow piece.", "A fast piece."]).backward()
    assert all(float(h[0].weight.grad.abs().sum()) > 0 for h in model.heads.values())


def mert_directory(folder: Path, older: bool = True, layers: int = 2) -> Path:
    """A small MERT in the published layout: HuBERT's fields, older names of the weight norm, a pickle of tensors."""
    from transformers import HubertConfig, HubertModel

    torch.manual_seed(0)
    config = HubertConfig(
        hidden_size=16, num_hidden_layers=layers, num_attention_heads=2, intermediate_size=16, conv_dim=(8, 8), conv_stride=(5, 4),
        conv_kernel=(10, 8), num_conv_pos_embeddings=8, num_conv_pos_embedding_groups=2, feat_extract_norm="group",
    )  # fmt: skip
    model = HubertModel(config)
    back = {new: old for old, new in RENAMED.items()}
    state = {(back.get(k, k) if older else k): v for k, v in model.state_dict().items()}
    folder.mkdir(parents=True)
    torch.save(state, folder / "pytorch_model.bin")
    described = config.to_dict() | {"model_type": "mert_model", "feature_extractor_cqt": False, "deepnorm": False}
    described["auto_map"] = {"AutoModel": "modeling_MERT.MERTModel"}
    (folder / "config.json").write_text(json.dumps(described))
    return folder


def test_mert_is_hubert_without_remote_code(tmp_path: Path) -> None:
    from transformers import HubertModel

    mert = Mert(mert_directory(tmp_path / "mert"))
    rng = np.random.default_rng(0)
    clips = [rng.normal(0, 0.1, n).astype(np.float32) for n in (4000, 6000, 4000)]
    found, mask = mert.encode(clips)
    assert found.shape[:2] == (3, 3)
    assert mask.sum(1).tolist()[0] < mask.sum(1).tolist()[1] == found.shape[2]
    alone, _ = mert.encode(clips[:1])
    assert torch.allclose(found[0, :, : alone.shape[2]], alone[0], atol=1e-5)
    assert all(not p.requires_grad for p in mert.model.parameters())
    assert type(mert.model) is HubertModel
    new = Mert(mert_directory(tmp_path / "new", older=False))
    assert torch.allclose(new.encode(clips)[0], found)


def test_mert_of_another_kind_is_named(tmp_path: Path) -> None:
    folder = mert_directory(tmp_path / "mert")
    with pytest.raises(ModelError, match=r"config\.json is missing"):
        Mert(tmp_path)
    described = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(described | {"feature_extractor_cqt": True}))
    with pytest.raises(ModelError, match="constant-Q"):
        Mert(folder)
    (folder / "config.json").write_text(json.dumps(described | {"hidden_size": 32}))
    with pytest.raises(ModelError, match="another shape"):
        Mert(folder)


def release(**changes: Any) -> ProjectorConfig:
    """The release's switches in a small size; like there, every head has another number of labels."""
    heads = {"instrument": 5, "mood": 4, "genre": 6, "key": 24, "vocals": 3}
    tokens = ("gelu", "llm", "gelu")
    base = small(
        features="logits", layer_weights="ones", masked=False, content=tokens, feature=tokens, heads=heads, layers=13
    )  # fmt: skip
    return replace(base, **changes)


def elsewhere(name: str) -> str:
    """A name of ours as another code base might write it: MLPs that count their activations, heads kept apart from tokens."""
    name = name.replace("content.alpha", "base.mert_lmm_projector.weights").replace(
        "content.tokens", "base.mert_lmm_projector.mlps"
    )
    name = re.sub(r"^heads\.(\w+)\.beta", r"base.mert_heads.\1.aggregator.weight", name)
    name = re.sub(r"^heads\.(\w+)\.classify\.(\d)", lambda m: f"base.mert_heads.{m[1]}.layers.{m[2]}", name)
    name = re.sub(r"^features\.(\w+)\.(\d+)", r"base.mert_\1_projector.mlps.\2", name)
    name = name.replace("backbone.0", "base.mert_backbone.hidden")
    return re.sub(r"mlps\.(\d+)\.(\d)", lambda m: f"mlps.{m[1]}.{int(m[2]) + 3}", name)


@pytest.mark.parametrize("kind", ["pickle", "safetensors"])
def test_a_state_dict_under_other_names_finds_its_places(kind: str, tmp_path: Path) -> None:
    """Whatever the order of its parts: safetensors sorts them, and another code base may make heads or tokens first."""
    from safetensors.torch import save_file

    torch.manual_seed(1)
    config = release(content_tokens=12)
    model = DualProjector(config).eval()
    torch.nn.init.normal_(model.alpha)
    torch.nn.init.normal_(model.beta)
    state = in_file(model)
    assert all(elsewhere(k) != k for k in state)
    renamed = {
        elsewhere(k): (v[None, :, None] if k.endswith(("alpha", "beta")) else v).contiguous()
        for k, v in sorted(state.items(), key=lambda kv: hashlib.sha256(kv[0].encode()).hexdigest())
    }
    path = tmp_path / ("model.pt" if kind == "pickle" else "model.safetensors")

    def save(tensors: dict[str, torch.Tensor]) -> None:
        torch.save(tensors, path) if kind == "pickle" else save_file(tensors, path)

    save(renamed)
    again = load_released(path, config)
    assert all(torch.equal(v, state[k]) for k, v in in_file(again).items())
    x = torch.randn(2, 13, 6, 8)
    assert torch.equal(again(x)[0], model(x)[0])
    short = dict(renamed)
    del short["base.mert_lmm_projector.mlps.3.4.bias"]
    refused = "nothing is left for|left over" if kind == "pickle" else "no SonicVerse projector of this shape"
    for wrong in (short, {**renamed, "extra.0.weight": torch.zeros(7, 7)}, {"weights": torch.zeros(13)}):
        save(wrong)
        with pytest.raises(ModelError, match=refused):
            load_released(path, config)
    path.write_bytes(b"no weights")
    with pytest.raises(ModelError, match="cannot be read"):
        load_released(path, config)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_read_and_computed_in_single(dtype: torch.dtype, tmp_path: Path) -> None:
    """The repository's own training command saves bfloat16."""
    torch.manual_seed(1)
    config = release(frames=12, summed=True)
    model = DualProjector(config).eval()
    torch.save({elsewhere(k): v.to(dtype) for k, v in in_file(model).items()}, tmp_path / "model.pt")
    again = load_released(tmp_path / "model.pt", config)
    assert {p.dtype for p in again.state_dict().values()} == {torch.float32}
    for own, read in zip(in_file(model).values(), in_file(again).values(), strict=True):
        assert torch.equal(own.to(dtype).float(), read)
    with torch.no_grad():
        tokens, wanted = again(torch.randn(2, 13, 6, 8))[0], model(torch.randn(2, 13, 6, 8))[0]
    assert torch.isfinite(tokens).all()
    assert tokens.shape == wanted.shape


class Embedding:
    """A language model's words: the row of a token is its number; a tokenizer that has a number for each letter."""

    def get_input_embeddings(self) -> Any:
        return lambda ids: ids[..., None].float()

    def __call__(self, text: str, add_special_tokens: bool = True) -> Any:
        assert not add_special_tokens  # each part of a prompt is read alone
        read.append(text)
        return SimpleNamespace(input_ids=[1] if text == "<s>" else [ord(c) for c in text])


read: list[str] = []


def test_the_prompt_of_the_release_stands_around_the_tokens() -> None:
    own = torch.full((2, 3, 1), -5.0)
    llm = Embedding()
    read.clear()
    prompt = "<s>[INST] Describe the music. <sound> [/INST]"
    row = with_prompt(llm, llm, own, prompt)[1, :, 0].tolist()
    before, after = "[INST] Describe the music. ", " [/INST]"
    assert read == ["<s>", before, after]
    assert row == [1, *map(ord, before), -5, -5, -5, *map(ord, after)]
    assert with_prompt(llm, llm, own, "Music:")[0, :, 0].tolist() == [-5, -5, -5, *map(ord, "Music:")]
    assert torch.equal(with_prompt(llm, llm, own, ""), own)
    with pytest.raises(ModelError, match="more than once"):
        with_prompt(llm, llm, own, "<sound><sound>")


def test_a_captioner_of_the_release_hears_ten_seconds_and_has_a_fingerprint_without_safetensors(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """``model.pt`` in a study's captioner; no language model is loaded here."""
    import models.sonicverse.full.captioner as full
    from models.sonicverse.load import caption_sha256

    mert_directory(tmp_path / "mert")
    config = release(width=16, layers=3, frames=760, summed=True)
    torch.manual_seed(0)
    model = DualProjector(config).eval()
    with pytest.raises(ModelError, match=r"model\.safetensors \(or model\.pt\) is missing"):
        caption_sha256(str(tmp_path))
    torch.save({k: v.clone() for k, v in in_file(model).items()}, tmp_path / "model.pt")
    assert caption_sha256(str(tmp_path)) == hashlib.sha256((tmp_path / "model.pt").read_bytes()).hexdigest()
    labels = {k: [f"{k}{i}" for i in range(n)] for k, n in config.heads.items()}
    described = {"kind": "captioner", "dual": asdict(config), "labels": labels, "encoder": "mert", "llm": "none"}
    (tmp_path / "config.json").write_text(json.dumps(described))
    monkeypatch.setattr(full, "load_llm", lambda name, dtype: (None, None))
    (tmp_path / "none").mkdir()
    captioner = full.FullCaptioner(tmp_path)
    rng = np.random.default_rng(0)
    clip = rng.normal(0, 0.1, 11 * 24000).astype(np.float32)
    layers = captioner.encode(clip)
    ten = captioner.encode(clip[: 10 * 24000])
    assert {k: v.shape for k, v in layers.items()} == {
        "means": (3, 16),
        "pooled": (model.summary(torch.zeros(1, 3, 1, 16))["pooled"].shape[1],),
    }
    assert all(np.array_equal(layers[k], ten[k]) for k in layers)
    found = captioner.given({k: v[None] for k, v in layers.items()})
    hidden, _ = captioner.mert.encode([clip[: 10 * 24000]])
    with torch.no_grad():
        assert torch.allclose(captioner.projector(found)[0], model(hidden)[0], rtol=1e-4, atol=1e-4)


def test_names_that_tell_nothing_leave_the_order(tmp_path: Path) -> None:
    torch.manual_seed(1)
    config = release()
    model = DualProjector(config).eval()
    renamed = {f"part{i}": v for i, v in enumerate(in_file(model).values())}
    torch.save(renamed, tmp_path / "model.pt")
    again = load_released(tmp_path / "model.pt", config)
    x = torch.randn(2, 13, 6, 8)
    assert torch.equal(again(x)[0], model(x)[0])
    torch.save({**renamed, "more": "than tensors"}, tmp_path / "other.pt")
    with pytest.raises(ModelError, match="more than tensors"):
        load_released(tmp_path / "other.pt", config)


def test_token_mlps_of_the_release_begin_with_a_gelu() -> None:
    """By hand, from the release's description: GELU, linear, GELU, linear, for content and for the heads' logits."""
    torch.manual_seed(0)
    model = DualProjector(release()).eval()
    x = torch.randn(1, 13, 5, 8)
    tokens, logits = model(x)
    mean = torch.einsum("l,blw->bw", torch.softmax(model.alpha, 0), x.mean(dim=2))
    for token, mlp, given in (
        (tokens[:, 0], model.content[0], mean), (tokens[:, 4], model.feature["instrument"][0], logits["instrument"]),
    ):  # fmt: skip
        inner = torch.nn.functional.gelu(given) @ mlp[1].weight.T + mlp[1].bias
        assert torch.allclose(token, torch.nn.functional.gelu(inner) @ mlp[3].weight.T + mlp[3].bias, atol=1e-6)
    assert PRESETS["released"].content == PRESETS["released"].feature == ("gelu", "llm", "gelu")
    assert PRESETS["paper"].content == PRESETS["paper"].feature == ("llm", "gelu")


@pytest.mark.slow
def test_a_whole_captioner_in_a_directory(tmp_path: Path, small_llm: Path) -> None:
    """Encoder, projector and language model from one folder; the same texts in a batch and alone."""
    from safetensors.torch import save_file

    folder = tmp_path / "captioner"
    mert_directory(folder / "mert")
    config = small(width=16, llm_width=64)
    torch.manual_seed(0)
    save_file({k: v.clone() for k, v in in_file(DualProjector(config)).items()}, folder / "model.safetensors")
    labels = {k: [f"{k}{i}" for i in range(n)] for k, n in HEADS.items()}
    described = {
        "kind": "captioner",
        "dual": asdict(config),
        "labels": labels,
        "encoder": "mert",
        "llm": str(small_llm),
        "prompt": "Describe the music:",
    }
    (folder / "config.json").write_text(json.dumps(described))
    load_captioner.cache_clear()
    captioner = load_captioner(str(folder))
    assert captioner.rate == 24000
    rng = np.random.default_rng(0)
    clips = [rng.normal(0, 0.1, 24000).astype(np.float32) for _ in range(2)]
    both, one = captioner.describe(clips), captioner.describe(clips[:1])
    assert both[0].caption == one[0].caption
    assert set(both[0].features) == set(HEADS)
    assert len(both[0].top("key")) == 1
    (folder / "config.json").write_text(json.dumps(described | {"labels": {**labels, "key": ["C major"]}}))
    load_captioner.cache_clear()
    with pytest.raises(ModelError, match="24 outputs, not 1 labels"):
        load_captioner(str(folder))
    load_captioner.cache_clear()


def test_a_tail_makes_no_window_of_its_own() -> None:
    """The release captioned 0.24 s of a 10.24 s clip as music, vocals and all."""
    assert windows(10.24) == [(0.0, 10.24)]
    assert windows(12.9) == [(0.0, 12.9)]
    assert windows(22.0) == [(0.0, 10.0), (5.0, 15.0), (10.0, 22.0)]
    assert windows(24.0)[-1] == (14.0, 24.0)
