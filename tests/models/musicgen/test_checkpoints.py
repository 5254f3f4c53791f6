"""How a MusicGen is found, told apart and fingerprinted; names and settings of both formats; low-rank factors and losses by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from models.errors import ModelError
from models.locating import locate
from models.musicgen import checkpoints, convert, lora
from models.musicgen.checkpoints import Checkpoint, find
from models.musicgen.losses import mel_distance, reconstruction_loss, spectrogram
from models.musicgen.train_codec import code_usage


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    find.cache_clear()
    yield tmp_path / "cache"
    find.cache_clear()


def folder(where: Path, **files: bytes) -> Path:
    where.mkdir(parents=True)
    for name, data in files.items():
        (where / name.replace("__", ".")).write_bytes(data)
    return where


def test_a_fingerprint_covers_every_file_in_order(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    expected = sha((sha(b"1") + sha(b"2")).encode())
    assert Checkpoint("x", tmp_path, "audiocraft", (one, two)).sha256 == expected
    assert Checkpoint("x", tmp_path, "audiocraft", (two, one)).sha256 != expected
    two.write_bytes(b"3")
    assert Checkpoint("x", tmp_path, "audiocraft", (one, two)).sha256 == sha((sha(b"1") + sha(b"3")).encode())


def test_each_format_is_told_by_its_files(tmp_path: Path) -> None:
    ours = folder(tmp_path / "a", state_dict__bin=b"1", compression_state_dict__bin=b"2")
    found = find(str(ours))
    assert (found.format, [p.name for p in found.files]) == (
        "audiocraft",
        ["state_dict.bin", "compression_state_dict.bin"],
    )
    musicgen = folder(tmp_path / "b", config__json=b'{"model_type": "musicgen"}')
    (musicgen / "model-00002-of-2.safetensors").write_bytes(b"2")
    (musicgen / "model-00001-of-2.safetensors").write_bytes(b"1")
    found = find(str(musicgen))
    assert found.format == "transformers"
    assert found.sha256 == sha((sha(b"1") + sha(b"2")).encode())
    nano = folder(tmp_path / "c", config__json=b'{"kind": "language"}', model__safetensors=b"3")
    found = find(str(nano))
    assert found.format == "nano"
    codec = checkpoints.weights_directory("codec-nano") / "model.safetensors"
    assert found.files == (nano / "model.safetensors", codec)
    over = folder(tmp_path / "d", config__json=b'{"kind": "language", "over": "nano-base"}', model__safetensors=b"4")
    base = checkpoints.weights_directory("nano-base") / "model.safetensors"
    assert find(str(over)).files == (base, over / "model.safetensors", codec)


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "holds neither a nano model"),
        ({"state_dict__bin": b"1"}, "holds neither a nano model"),
        ({"config__json": b"{}"}, "holds neither a nano model"),
        ({"config__json": b'{"model_type": "bert"}', "model__safetensors": b"1"}, "holds a bert, not a nano MusicGen"),
        ({"config__json": b'{"kind": "codec"}', "model__safetensors": b"1"}, "holds a codec, not a nano MusicGen"),
        ({"config__json": b"{", "model__safetensors": b"1"}, r"config\.json is damaged"),
    ],
)
def test_what_is_no_musicgen_is_one_line(tmp_path: Path, files: dict[str, bytes], told: str) -> None:
    where = folder(tmp_path / "x", **files)
    with pytest.raises(ModelError, match=told) as caught:
        find(str(where))
    assert "\n" not in str(caught.value)


def test_a_name_is_a_path_a_pulled_model_or_shipped(tmp_path: Path, cache: Path) -> None:
    assert locate("nano-base").name == "nano-base"
    own = folder(tmp_path / "own")
    assert locate(str(own)) == own
    with pytest.raises(
        ModelError, match="somebody/x is neither a directory nor pulled; fetch it with 'tastelab models pull"
    ):
        locate("somebody/x")
    pulled = folder(cache / "models" / "somebody--x")
    assert locate("somebody/x") == pulled
    assert locate("somebody--x") == pulled


def test_pulled_files_are_compared_with_what_was_pulled(tmp_path: Path) -> None:
    where = folder(tmp_path / "x", model__safetensors=b"1")
    checkpoint = Checkpoint("x", where, "transformers", (where / "model.safetensors",))
    checkpoint.check()  # nothing is known of it
    record: dict[str, Any] = {"files": {"model.safetensors": {"sha256": sha(b"1")}, "other": {"sha256": "0"}}}
    (where / "pulled.json").write_text(json.dumps(record))
    checkpoint.check()
    (where / "model.safetensors").write_bytes(b"2")
    with pytest.raises(ModelError, match=r"model\.safetensors is not the file that was pulled"):
        checkpoint.check()


def test_delays_of_a_configuration() -> None:
    def pattern(**delay: Any) -> dict[str, Any]:
        return {"transformer_lm": {"n_q": 4}, "codebooks_pattern": {"modeling": "delay", "delay": delay}}

    assert convert.delays_of(pattern(delays=[0, 0, 1, 1])) == [0, 0, 1, 1]
    assert convert.delays_of(pattern()) == [0, 1, 2, 3]
    assert convert.delays_of({"transformer_lm": {"n_q": 4}, "codebooks_pattern": {"modeling": "parallel"}}) == [0] * 4
    for wrong in (pattern(flatten_first=1), pattern(empty_initial=1)):
        with pytest.raises(ModelError, match="not supported"):
            convert.delays_of(wrong)
    with pytest.raises(ModelError, match="not supported"):
        convert.delays_of({"transformer_lm": {"n_q": 4}, "codebooks_pattern": {"modeling": "coarse_first"}})
    assert convert.stereo_delays(4, 1) == [0, 1, 2, 3]
    assert convert.stereo_delays(8, 2) == [0, 0, 1, 1, 2, 2, 3, 3]


LM = {"card": 32, "num_layers": 3, "dim": 16, "hidden_scale": 4, "num_heads": 2, "activation": "gelu", "n_q": 4}


def test_a_decoders_configuration() -> None:
    c = convert.decoder_config({"transformer_lm": LM}, 2)
    assert (c.vocab_size, c.num_hidden_layers, c.hidden_size, c.ffn_dim, c.num_attention_heads) == (32, 3, 16, 64, 2)
    assert (c.num_codebooks, c.audio_channels, c.pad_token_id, c.bos_token_id) == (4, 2, 32, 32)
    for name in ("bias_ff", "bias_attn", "qk_layer_norm", "layer_scale", "past_context", "bias_proj"):
        with pytest.raises(ModelError, match="has biases or layers"):
            convert.decoder_config({"transformer_lm": {**LM, name: True}})


def test_weights_of_other_networks_are_refused() -> None:
    for name in (
        "conditioner.weight",
        "transformer.layers.0.norm9.weight",
        "transformer.layers.0.self_attn.in_proj_bias",
    ):
        with pytest.raises(ModelError, match="none of a text-to-music MusicGen's"):
            convert.language_to_transformers({name: torch.zeros(6, 2)})


def test_stacked_projections_are_query_key_value() -> None:
    stacked = torch.arange(6.0).repeat_interleave(2)[:, None].repeat(1, 4)
    state = {f"transformer.layers.7.{a}.in_proj_weight": stacked for a in ("self_attn", "cross_attention")}
    named = convert.language_to_transformers(state)
    for own in ("self_attn", "encoder_attn"):
        for part, value in (("q", 0.0), ("k", 2.0), ("v", 4.0)):
            assert float(named[f"decoder.model.decoder.layers.7.{own}.{part}_proj.weight"][0, 0]) == value
    back = convert.language_to_audiocraft(named)
    assert back.keys() == state.keys()
    assert all(torch.equal(back[k], state[k]) for k in state)


def test_low_rank_factors_add_scale_times_b_a() -> None:
    """W + alpha / rank * B A; B is zero at the start, so nothing changes until it learns."""
    weight = torch.randn(5, 7, generator=torch.Generator().manual_seed(0))
    factor = lora.LowRank(weight, 2, 16.0, torch.Generator().manual_seed(1))
    assert torch.equal(factor(weight), weight)
    assert (factor.a.shape, factor.b.shape) == ((2, 7), (5, 2))
    with torch.no_grad():
        factor.b.copy_(torch.arange(10.0).view(5, 2))
    expected = weight + 8 * (factor.b @ factor.a)
    assert torch.allclose(factor(weight), expected)
    wide = lora.LowRank(torch.zeros(4, 4000), 3, 6.0, torch.Generator().manual_seed(2))
    assert float(wide.a.detach().std()) == pytest.approx(4000**-0.5, rel=0.05)
    assert wide.scale == 2.0


def test_spectrograms_and_their_distance() -> None:
    """A sine of amplitude a at a bin's middle has magnitude a n / 4 in a Hann window; ten times louder is one in log10."""
    t = torch.arange(16000) / 16000
    sine = 0.5 * torch.sin(2 * torch.pi * 1000 * t)[None]
    for size in (256, 512, 1024, 2048):
        found = spectrogram(sine, size)
        assert found.shape[1] == size // 2 + 1
        middle = found[0, :, found.shape[2] // 2]
        assert int(middle.argmax()) == round(1000 * size / 16000)
        assert float(middle.max()) == pytest.approx(0.5 * size / 4, rel=0.01)
        assert found.shape[2] == 16000 // (size // 4) + 1
    noise = torch.randn(1, 16000, generator=torch.Generator().manual_seed(0))
    assert float(mel_distance(noise, noise, 16000)) == 0
    assert float(mel_distance(noise, 10 * noise, 16000)) == pytest.approx(1.0, abs=0.01)
    assert float(mel_distance(10 * noise, noise, 16000)) == pytest.approx(1.0, abs=0.01)
    assert float(reconstruction_loss(noise, noise, 16000)) == pytest.approx(0, abs=1e-6)
    # Twice the mean distance, the root of the mean square one, and the share of what is missing: 2 + 1 + 9.
    assert float(reconstruction_loss(noise, 10 * noise, 16000)) == pytest.approx(12.0, abs=0.05)


def test_usage_of_codes_is_a_perplexity() -> None:
    """Four codes alike often of sixteen: a quarter; one code: a sixteenth; halves of a quarter and eighth by hand."""
    even = torch.tensor([0, 1, 2, 3] * 4).view(1, 1, 16)
    single = torch.full((1, 1, 16), 5)
    uneven = torch.tensor([0] * 8 + [1] * 4 + [2] * 4).view(1, 1, 16)
    assert code_usage(torch.cat([even, single, uneven], dim=1), 16) == pytest.approx([4 / 16, 1 / 16, 2**1.5 / 16])


def test_the_papers_recipe() -> None:
    """arXiv 2503.02823: 30 epochs at 1e-4, all weights."""
    from models.musicgen.finetune import PRESETS

    assert (PRESETS["paper"].blend, PRESETS["paper"].epochs, PRESETS["paper"].lr) == (1.0, 30, 1e-4)
    assert PRESETS["paper"].method == "full"


def test_enrichment_draws_a_taste_up_to_the_most_frequent(tmp_path: Path) -> None:
    from models.musicgen.finetune import enriched
    from models.training import Clip

    def clips(*words: str) -> list[Clip]:
        return [Clip(tmp_path, "", {"keywords": w}) for w in words]

    assert enriched(clips("sweet", "sweet, sour", "sweet sour", "bitter"), "bitter") == [0, 1, 2, 3, 3, 3]
    assert enriched(clips("sweet", "sweet, sour", "sweet sour", "bitter"), "sour") == [0, 1, 2, 3, 1]
    assert enriched(clips("sweet", "sweet", "sour"), "sweet") == [0, 1, 2]
    with pytest.raises(
        ModelError, match="no track of the corpus has 'salty' among its keywords; there are: sour, sweet"
    ):
        enriched(clips("sweet", "sour"), "salty")
    assert np.array_equal(enriched(clips("a", "b"), "a"), [0, 1])
