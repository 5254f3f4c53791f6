"""The decoder in plain arithmetic: its positions, one step by hand, masks, and what lower precisions keep."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.musicgen.decoder import Decoder, Product
from models.musicgen.positions import sinusoids

WIDTH, HEADS, LAYERS, BOOKS, CARD, FEED = 16, 4, 2, 3, 10, 32


def state(layers: int = LAYERS, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights in transformers' names."""
    g = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return 0.3 * torch.randn(*shape, generator=g)

    out = {}
    for k in range(BOOKS):
        out[f"model.decoder.embed_tokens.{k}.weight"] = normal(CARD + 1, WIDTH)
        out[f"lm_heads.{k}.weight"] = normal(CARD, WIDTH)
    for i in range(layers):
        at = f"model.decoder.layers.{i}."
        for attention in ("self_attn", "encoder_attn"):
            for part in ("q_proj", "k_proj", "v_proj", "out_proj"):
                out[f"{at}{attention}.{part}.weight"] = normal(WIDTH, WIDTH)
            out[f"{at}{attention}_layer_norm.weight"] = 1 + normal(WIDTH)
            out[f"{at}{attention}_layer_norm.bias"] = normal(WIDTH)
        out[f"{at}final_layer_norm.weight"] = 1 + normal(WIDTH)
        out[f"{at}final_layer_norm.bias"] = normal(WIDTH)
        out[f"{at}fc1.weight"] = normal(FEED, WIDTH)
        out[f"{at}fc2.weight"] = normal(WIDTH, FEED)
    out["model.decoder.layer_norm.weight"] = 1 + normal(WIDTH)
    out["model.decoder.layer_norm.bias"] = normal(WIDTH)
    return out


def reference(s: dict[str, torch.Tensor], tokens: np.ndarray, text: np.ndarray) -> np.ndarray:
    """Logits (steps, books, card) of one clip by the published layers (Copet et al. 2023; pre-norm), in plain numpy.

    `tokens` is (steps, books); `text` is (words, WIDTH), none of them for the half without a prompt.
    """
    w = {k.removeprefix("model.decoder."): v.double().numpy() for k, v in s.items()}

    def norm(x: np.ndarray, name: str) -> np.ndarray:
        centred = x - x.mean(-1, keepdims=True)
        spread = np.sqrt((centred**2).mean(-1, keepdims=True) + 1e-5)
        return centred / spread * w[f"{name}.weight"] + w[f"{name}.bias"]

    def attend(x: np.ndarray, over: np.ndarray, name: str, causal: bool) -> np.ndarray:
        q, k, v = (y @ w[f"{name}.{p}_proj.weight"].T for y, p in ((x, "q"), (over, "k"), (over, "v")))
        size = WIDTH // HEADS
        out = np.zeros_like(x)
        for h in range(HEADS):
            own = slice(h * size, (h + 1) * size)
            for t in range(len(x)):
                seen = t + 1 if causal else len(over)
                score = np.exp(k[:seen, own] @ q[t, own] / math.sqrt(size))
                out[t, own] = score / score.sum() @ v[:seen, own]
        return out @ w[f"{name}.out_proj.weight"].T

    def gelu(x: np.ndarray) -> np.ndarray:
        return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))

    x = np.stack([
        sum(w[f"embed_tokens.{k}.weight"][row[k]] for k in range(BOOKS)) + np.array(position(t, WIDTH))
        for t, row in enumerate(tokens)
    ])  # fmt: skip
    for i in range(len([k for k in w if k.endswith("fc1.weight")])):
        at = f"layers.{i}."
        y = norm(x, f"{at}self_attn_layer_norm")
        x = x + attend(y, y, f"{at}self_attn", True)
        if len(text):
            x = x + attend(norm(x, f"{at}encoder_attn_layer_norm"), text, f"{at}encoder_attn", False)
        x = x + gelu(norm(x, f"{at}final_layer_norm") @ w[f"{at}fc1.weight"].T) @ w[f"{at}fc2.weight"].T
    x = norm(x, "layer_norm")
    return np.stack([x @ w[f"lm_heads.{k}.weight"].T for k in range(BOOKS)], axis=1)


def position(place: int, width: int) -> list[float]:
    """cos, then sin, of place / 10000^(i / (half - 1)): audiocraft's create_sin_embedding."""
    half = width // 2
    phase = [place / 10000 ** (i / (half - 1)) for i in range(half)]
    return [math.cos(p) for p in phase] + [math.sin(p) for p in phase]


def test_positions_are_cosines_then_sines() -> None:
    found = sinusoids(50, 16)
    assert found.shape == (50, 16)
    for place in (0, 1, 2, 17, 49):
        assert found[place].tolist() == pytest.approx(position(place, 16), abs=2e-5)


@pytest.mark.parametrize("guided", [True, False])
def test_every_step_is_the_published_arithmetic(guided: bool) -> None:
    s = state()
    g = torch.Generator().manual_seed(1)
    texts = torch.randn(2, 5, WIDTH, generator=g)
    tokens = torch.randint(0, CARD + 1, (6, 2, BOOKS), generator=g)
    decoding = Decoder(s, HEADS).start(texts, None, guided, 6)
    logits = torch.stack([decoding(t) for t in tokens]).double().numpy()
    assert logits.shape == (6, 4 if guided else 2, BOOKS, CARD)
    for clip in range(2):
        own = tokens[:, clip].numpy()
        with_prompt = reference(s, own, texts[clip].double().numpy())
        assert np.abs(logits[:, clip] - with_prompt).max() < 1e-4
        if guided:
            without = reference(s, own, np.zeros((0, WIDTH)))
            assert np.abs(logits[:, 2 + clip] - without).max() < 1e-4
            assert np.abs(with_prompt - without).max() > 0.1


def test_what_is_masked_does_not_count() -> None:
    s = state()
    g = torch.Generator().manual_seed(2)
    texts = torch.randn(2, 5, WIDTH, generator=g)
    mask = torch.tensor([[True, True, True, False, False], [True] * 5])
    tokens = torch.randint(0, CARD, (4, 2, BOOKS), generator=g)
    both = Decoder(s, HEADS).start(texts, mask, False, 4)
    short = Decoder(s, HEADS).start(texts[:1, :3], None, False, 4)
    whole = Decoder(s, HEADS).start(texts[1:], torch.ones(1, 5, dtype=torch.bool), False, 4)
    for t in tokens:
        found = both(t)
        assert (found[0] - short(t[:1])[0]).abs().max() < 1e-5
        assert (found[1] - whole(t[1:])[0]).abs().max() < 1e-5


def test_sizes_of_weights_and_caches() -> None:
    s = state()
    matrices = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * WIDTH + 2 * FEED * WIDTH) + BOOKS * CARD * WIDTH
    for precision, each, cached in (("float32", 4, 4), ("bfloat16", 2, 2), ("int8", 1, 2)):
        decoder = Decoder(s, HEADS, precision)
        assert (decoder.codebooks, decoder.card, decoder.width) == (BOOKS, CARD, WIDTH)
        assert decoder.bytes_per_step == each * matrices
        # Keys and values of every layer, of the two halves of guidance.
        assert decoder.cache_bytes == 2 * LAYERS * WIDTH * 2 * cached
        made = decoder.start(torch.zeros(1, 2, WIDTH), None, True, 1)
        assert made.keys.numel() * made.keys.element_size() * 2 == decoder.cache_bytes
    with pytest.raises(ValueError, match="'float16' is none of float32, bfloat16, int8"):
        Decoder(s, HEADS, "float16")


def test_eight_bits_keep_every_row_to_half_a_step_of_its_own() -> None:
    """A row's step is its largest magnitude over 127; rows of very different size keep their shares."""
    g = torch.Generator().manual_seed(0)
    weight = torch.randn(6, 64, generator=g) * torch.tensor([1e-3, 1.0, 1e3, 1.0, 1.0, 1.0])[:, None]
    weight[4] = 0
    weight[5] = torch.arange(-32, 32) / 32 * 127
    product = Product(weight, "int8")
    seen = product(torch.eye(64)).T
    step = weight.abs().amax(1) / 127
    # Scale and result are bfloat16, 8 bits each.
    assert ((seen - weight).abs() <= 0.5 * step[:, None] + weight.abs() * 2**-7 + 1e-12).all()
    assert (seen[4] == 0).all()
    assert product.weight.dtype == torch.int8
    assert (product.weight[:4].abs().amax(1) == 127).all()
    x = torch.randn(3, 64, generator=g)
    assert (product(x) - x @ seen.T).abs().max() < 0.02 * (x @ seen.T).abs().max()


def test_widths_that_the_kernel_of_eight_bits_cannot_read_are_refused() -> None:
    """It ended the whole process (a read over the end)."""
    with pytest.raises(ModelError, match=r"'int8' needs layers of a multiple of 16 in width, not 24; use 'bfloat16'"):
        Product(torch.zeros(16, 24), "int8")


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_product_is_x_times_the_transposed(precision: str) -> None:
    g = torch.Generator().manual_seed(0)
    weight, x = torch.randn(5, 7, generator=g), torch.randn(3, 7, generator=g)
    found = Product(weight, precision)(x)
    assert found.dtype == torch.float32
    tolerance = 1e-6 if precision == "float32" else 0.1
    assert found.numpy() == pytest.approx((x @ weight.T).numpy(), abs=tolerance)
    assert Product(weight, precision).bytes == 35 * (4 if precision == "float32" else 2)


@pytest.mark.parametrize(("precision", "least", "most"), [("bfloat16", 1e-5, 0.03), ("int8", 1e-5, 0.06)])
def test_lower_precision_of_random_weights_stays_close(precision: str, least: float, most: float) -> None:
    s = state()
    g = torch.Generator().manual_seed(1)
    texts, tokens = torch.randn(2, 5, WIDTH, generator=g), torch.randint(0, CARD, (6, 2, BOOKS), generator=g)
    runs = [Decoder(s, HEADS, p).start(texts, None, True, 6) for p in ("float32", precision)]
    exact, close = (torch.stack([run(t) for t in tokens]) for run in runs)
    error = (close - exact).square().mean().sqrt() / exact.std()
    assert least < error < most
