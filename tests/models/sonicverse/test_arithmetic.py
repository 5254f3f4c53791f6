"""What the projector computes in each of its sizes, written down once more in plain numpy from the descriptions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import erf, expit, log_softmax, softmax

from models.errors import ModelError
from models.sonicverse.full.presets import PAPER, PRESETS, described_config
from models.sonicverse.nano.captioner import NANO
from models.sonicverse.projector import DualProjector
from models.weights import load_tensors, weights_directory

WIDTHS = {"front": 1122, "cnn1": 128, "cnn2": 128, "cnn3": 128, "penultimate": 250, "pulse_pitch": 184}
NANO_HEADS = ("instrument", "mood", "tempo", "key", "register", "articulation", "harmony", "vocals", "gender", "genre")
SEVERAL = ("instrument", "mood", "genre")  # labels at once


def gelu(x: np.ndarray) -> np.ndarray:
    return x * 0.5 * (1 + erf(x / np.sqrt(2)))


def linear(x: np.ndarray, state: dict[str, np.ndarray], name: str) -> np.ndarray:
    return np.asarray(x @ state[f"{name}.weight"].T + state[f"{name}.bias"])


def plain(state: dict[str, torch.Tensor]) -> dict[str, np.ndarray]:
    return {k: v.detach().double().numpy() for k, v in state.items()}


@pytest.fixture(scope="module")
def nano() -> DualProjector:
    """The shipped projector."""
    model = DualProjector(NANO).eval()
    given = load_tensors(weights_directory("sonicverse-nano") / "model.safetensors")
    model.load_state_dict({k: v.float() for k, v in given.items()})
    return model


def vectors(n: int = 3) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    return {name: 3 * rng.normal(size=(n, width)) for name, width in WIDTHS.items()}


def nano_by_hand(s: dict[str, np.ndarray], x: dict[str, np.ndarray]) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    rows = [np.clip((x[n] - s[f"mean_{n}"]) * s[f"scale_{n}"], -5, 5) for n in WIDTHS]
    layers = np.stack([linear(r, s, f"adapters.{n}") for n, r in zip(WIDTHS, rows, strict=True)], 1)

    def mixed(raw: np.ndarray) -> np.ndarray:
        return np.einsum("l,nlw->nw", softmax(raw), layers)

    content = linear(gelu(linear(mixed(s["alpha"]), s, "content.0")), s, "content.3")
    tokens = [content.reshape(len(content), 8, 576)]
    logits = {}
    for i, head in enumerate(NANO_HEADS):
        hidden = gelu(linear(gelu(mixed(s["beta"][i])), s, f"heads.{head}.2"))
        logits[head] = linear(hidden, s, f"heads.{head}.4")
        p = expit(logits[head]) if head in SEVERAL else softmax(logits[head], axis=1)
        made = linear(gelu(linear(p, s, f"feature.{head}.0")), s, f"feature.{head}.2")
        tokens.append(made.reshape(len(made), 2, 576))
    return s["gain"] * np.concatenate(tokens, 1), logits


def test_the_shipped_projector_by_hand(nano: DualProjector) -> None:
    x = vectors()
    wanted, logits = nano_by_hand(plain(nano.state_dict()), x)
    with torch.no_grad():
        tokens, found = nano({k: torch.from_numpy(v).float() for k, v in x.items()})
    assert tokens.shape == (3, 28, 576)
    assert np.abs(tokens.numpy() - wanted).max() < 1e-4 * np.abs(wanted).max()
    assert tuple(found) == NANO_HEADS
    for i, head in enumerate(NANO_HEADS):
        assert np.allclose(found[head], logits[head], atol=1e-3)
        tempered = logits[head] / float(nano.temperature[i])
        p = expit(tempered) if head in SEVERAL else softmax(tempered, axis=1)
        assert np.allclose(nano.calibrated(found)[head], p, atol=1e-4)
    assert not np.allclose(nano.temperature, 1)


def test_layer_weights_of_the_shipped_projector(nano: DualProjector) -> None:
    state = plain(nano.state_dict())
    found = nano.layer_weights()
    assert list(found) == ["content", *NANO_HEADS]
    for row, raw in zip(found.values(), [state["alpha"], *state["beta"]], strict=True):
        assert list(row) == list(WIDTHS)
        assert list(row.values()) == pytest.approx(softmax(raw), abs=1e-6)


HEADS = {"key": 24, "instrument": 5, "mood": 4, "vocals": 3}


def drawn(**changes: Any) -> tuple[DualProjector, dict[str, np.ndarray]]:
    """A small projector of some preset with random layer weights, and its weights."""
    torch.manual_seed(4)
    base = {"heads": HEADS, "layers": 3, "width": 8, "llm_width": 12, "content_tokens": 4, "tokens_per_head": 2}
    config = replace(PAPER, **{**base, "backbone": (7, "relu", "dropout"), "head": (6, "relu", "dropout"), **changes})
    model = DualProjector(config).eval()
    for weights in (model.alpha, model.beta):
        torch.nn.init.normal_(weights)
    return model, plain(model.state_dict())


def tokens_by_hand(s: dict[str, np.ndarray], x: np.ndarray, name: str, count: int, leading: bool) -> list[np.ndarray]:
    """Language tokens of vectors (clips, width): an MLP a token, in the release with a GELU in front of it."""
    first, last = (1, 3) if leading else (0, 2)
    x = gelu(x) if leading else x
    return [linear(gelu(linear(x, s, f"{name}.{k}.{first}")), s, f"{name}.{k}.{last}") for k in range(count)]


def test_the_papers_projector_by_hand() -> None:
    """With a clip that is shorter than the other: the mean is over what is there."""
    model, s = drawn()
    hidden = np.random.default_rng(1).normal(size=(2, 3, 9, 8))
    hidden[0, :, 6:] = 0
    mask = np.arange(9)[None] < np.array([[6], [9]])
    means = np.stack([hidden[0, :, :6].mean(1), hidden[1].mean(1)])
    wanted = tokens_by_hand(s, np.einsum("l,nlw->nw", softmax(s["alpha"]), means), "content", 4, False)
    tokens, found = model(torch.from_numpy(hidden).float(), torch.from_numpy(mask))
    for i, head in enumerate(HEADS):
        mixed = np.einsum("l,nlw->nw", softmax(s["beta"][i]), means)
        shared = np.maximum(0, linear(mixed, s, "backbone.0"))
        logits = linear(np.maximum(0, linear(shared, s, f"heads.{head}.0")), s, f"heads.{head}.3")
        wanted += tokens_by_hand(s, expit(logits), f"feature.{head}", 2, False)
        assert np.allclose(found[head].detach(), logits, atol=1e-5)
        assert np.allclose(model.calibrated(found)[head].detach(), expit(logits), atol=1e-5)
    assert np.allclose(tokens.detach(), np.stack(wanted, 1), atol=1e-5)
    told = model.layer_weights()
    assert list(told["content"].values()) == pytest.approx(softmax(s["alpha"]), abs=1e-6)
    assert told["instrument"] == pytest.approx(dict(zip("012", softmax(s["beta"][1]), strict=True)), abs=1e-6)


def released_by_hand(s: dict[str, np.ndarray], clip: np.ndarray) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """One clip (13 layers, frames, width) as multi_task_projector_shared.py has it, line by line.

    Padded with zeros to 760 frames. Feature path: the backbone on each layer and frame, times a softmax over an axis of size one
    (ones), summed over frames, averaged over layers; 512 -> 256 -> n. Content path: mean over frames, softmax(alpha) over the layers.
    """
    x = np.zeros((13, 760, clip.shape[2]))
    x[:, : clip.shape[1]] = clip
    backbone = np.maximum(0, linear(x, s, "backbone.0"))
    pooled = np.zeros((1, backbone.shape[2]))
    for layer in range(13):
        for frame in range(760):
            pooled[0] += backbone[layer, frame] / 13
    content = np.zeros((1, clip.shape[2]))
    for weight, layer in zip(softmax(s["alpha"]), x, strict=True):
        content[0] += weight * layer.mean(axis=0)
    tokens = tokens_by_hand(s, content, "content", 4, True)
    logits = {}
    for head in HEADS:
        hidden = np.maximum(0, linear(pooled, s, f"heads.{head}.0"))
        logits[head] = linear(hidden, s, f"heads.{head}.3")
        tokens += tokens_by_hand(s, logits[head], f"feature.{head}", 2, True)
    return np.concatenate(tokens), {h: v[0] for h, v in logits.items()}


def test_the_releases_projector_by_hand() -> None:
    """Clips of 9 and of 5 frames, alone, together, and from their summaries; logits are hundreds of times those of a mean."""
    kept = ("features", "layer_weights", "masked", "frames", "summed", "content", "feature")
    model, s = drawn(layers=13, **{k: getattr(PRESETS["released"], k) for k in kept})
    clips = [np.random.default_rng(n).normal(size=(13, n, 8)) for n in (9, 5)]
    hidden = torch.zeros(2, 13, 9, 8)
    for i, clip in enumerate(clips):
        hidden[i, :, : clip.shape[1]] = torch.from_numpy(clip)
    with torch.no_grad():
        tokens, found = model(hidden)
        from_summary, _ = model(model.summary(hidden))
        longer, _ = model(torch.cat([hidden, torch.zeros(2, 13, 751, 8), torch.full((2, 13, 3, 8), 9.0)], dim=2))
    assert torch.equal(tokens, from_summary)
    assert torch.equal(tokens, longer)  # what lies beyond 760 frames is not heard
    for i, clip in enumerate(clips):
        wanted, logits = released_by_hand(s, clip)
        assert np.abs(tokens[i].numpy() - wanted).max() < 1e-4 * np.abs(wanted).max()
        for head, row in logits.items():
            assert np.abs(found[head][i].numpy() - row).max() < 1e-4 * np.abs(row).max()
            assert np.abs(row).max() > 5
    told = model.layer_weights()
    assert list(told["content"].values()) == pytest.approx(softmax(s["alpha"]), abs=1e-6)
    assert set(told["instrument"].values()) == {1.0}


@pytest.mark.parametrize(("kind", "weights"), [("uniform", [1 / 3] * 3), ("last", [0, 0, 1])])
def test_layer_weights_that_are_given(kind: str, weights: list[float]) -> None:
    model, _ = drawn(layer_weights=kind)
    assert all(list(row.values()) == pytest.approx(weights) for row in model.layer_weights().values())
    stacked = torch.randn(2, 3, 8)
    assert torch.allclose(
        model._mixed(stacked, "key"), torch.einsum("l,blw->bw", torch.tensor(weights).float(), stacked)
    )


def test_losses_of_the_heads_by_hand() -> None:
    """Binary cross-entropy for each fourth of a label's count, cross-entropy of one label; what is not known counts nothing."""
    heads = {"instrument": 6, "tempo": 3, "gender": 2}
    model, _ = drawn(heads=heads, single=("tempo", "gender"), labels_a_unit=4)
    rng = np.random.default_rng(2)
    x = {h: rng.normal(size=(5, n)) for h, n in heads.items()}
    y = {"instrument": rng.random((5, 6)), "tempo": np.eye(3)[[0, 2, 1, 1, 0]], "gender": np.full((5, 2), np.nan)}
    y["instrument"][3] = np.nan
    there = [0, 1, 2, 4]
    p = expit(x["instrument"][there])
    t = y["instrument"][there]
    several = -(t * np.log(p) + (1 - t) * np.log(1 - p)).mean() * 6 / 4
    single = -log_softmax(x["tempo"], axis=1)[np.arange(5), [0, 2, 1, 1, 0]].mean()
    given = [{h: torch.from_numpy(v) for h, v in part.items()} for part in (x, y)]
    assert float(model.head_loss(*given)) == pytest.approx(several + single, rel=1e-6)
    assert float(model.head_loss(*given, {"tempo": 3.0})) == pytest.approx(several + 3 * single, rel=1e-6)
    plainer, _ = drawn(heads=heads)
    both = [{h: v for h, v in part.items() if h == "tempo"} for part in given]
    p = expit(x["tempo"])
    t = y["tempo"]
    assert float(plainer.head_loss(*both)) == pytest.approx(-(t * np.log(p) + (1 - t) * np.log(1 - p)).mean(), rel=1e-6)


def test_standardisation_by_training_vectors() -> None:
    torch.manual_seed(0)
    model = DualProjector(replace(NANO, layers={"a": 3, "b": 2}, width=4)).eval()
    rng = np.random.default_rng(0)
    rows = {"a": rng.normal(7, 3, (50, 3)).astype(np.float32), "b": rng.normal(-2, 0.1, (50, 2)).astype(np.float32)}
    model.normalise_by(rows)
    state = plain(model.state_dict())
    far = {"a": torch.tensor([[1e4, 7.0, 7.0]]), "b": torch.tensor([[-2.0, -1e4]])}
    for i, name in enumerate("ab"):
        z = (far[name].double().numpy() - rows[name].mean(0)) / (rows[name].std(0) + 1e-3)
        wanted = linear(np.clip(z, -5, 5), state, f"adapters.{name}")
        assert np.allclose(model.stack(far)[:, i].detach(), wanted, atol=1e-3)


def test_a_configuration_may_name_its_preset() -> None:
    assert described_config({"preset": "released"}) == PRESETS["released"]
    assert described_config({"preset": "released", "content_tokens": 7}).content_tokens == 7
    assert described_config({}) == PAPER
    with pytest.raises(ModelError, match="preset 'public' is not known; there are: paper, paper-35-25, released"):
        described_config({"preset": "public"})


def test_a_configuration_survives_a_file() -> None:
    import json
    from dataclasses import asdict

    for config in (NANO, *PRESETS.values()):
        for base in (NANO, PAPER):
            assert base.but(json.loads(json.dumps(asdict(config)))) == config


def test_tokens_in_front_of_the_text() -> None:
    assert NANO.tokens == 8 + 2 * 10
    assert replace(NANO, features="off").tokens == 8
    assert PRESETS["released"].tokens == 40 + 4 * 5


def test_configurations_that_version_0_1_wrote() -> None:
    from models.sonicverse.full.presets import described_config as full
    from models.sonicverse.nano.captioner import described_config as small

    nano = {
        "layers": WIDTHS, "width": 192, "hidden": 64, "llm_width": 576, "content_tokens": 5, "tokens_per_head": 3, "dropout": 0.1,
        "features": "logits", "layer_weights": "last", "heads": ["tempo", "instrument"],
    }  # fmt: skip
    found = small(nano)
    assert found.heads == {"tempo": 3, "instrument": 21}
    assert (found.content, found.content_tokens, found.tokens_per_head) == ((64, "gelu", "dropout"), 5, 3)
    assert (found.features, found.layer_weights, found.dropout) == ("logits", "last", 0.1)
    dual = {
        "heads": HEADS, "layers": 3, "width": 8, "llm_width": 12, "content_tokens": 4, "tokens_per_head": 2, "backbone": 7,
        "head_width": 6, "dropout": 0.3, "features": "logits", "layer_weights": "ones", "masked": False, "leading_gelu": True,
    }  # fmt: skip
    found = full(dual)
    assert (found.backbone, found.head) == ((7, "relu", "dropout"), (6, "relu", "dropout"))
    assert found.content == found.feature == ("gelu", "llm", "gelu")
    assert (found.masked, found.layer_weights, found.dropout, found.heads) == (False, "ones", 0.3, HEADS)
    assert full({**dual, "leading_gelu": False}).content == ("llm", "gelu")
    assert full({"content_tokens": 31, "tokens_per_head": 4}) == replace(PAPER, content_tokens=31, tokens_per_head=4)
    assert small({}) == NANO
