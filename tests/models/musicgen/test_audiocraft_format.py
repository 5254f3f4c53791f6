"""What is written for audiocraft is what audiocraft's own configuration files say, line by line."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import yaml

from models.errors import ModelError
from models.musicgen import audiocraft_format
from models.musicgen.audiocraft_format import audiocraft_configs, interleaved, write_audiocraft, write_transformers
from models.musicgen.checkpoints import Checkpoint, Parts, find
from models.weights import load_pickle
from tests.models.sonicverse.released import transformers_checkpoint

# facebook/musicgen-small: the values of config.json as it is published (decoder, audio_encoder).
DECODER = {
    "num_codebooks": 4, "vocab_size": 2048, "hidden_size": 1024, "num_attention_heads": 16, "num_hidden_layers": 24, "ffn_dim": 4096,
    "activation_function": "gelu", "audio_channels": 1,
}  # fmt: skip
CODEC = {
    "sampling_rate": 32000, "audio_channels": 1, "use_causal_conv": False, "normalize": False, "hidden_size": 128, "num_filters": 64,
    "num_residual_layers": 1, "upsampling_ratios": [8, 5, 4, 4], "kernel_size": 7, "residual_kernel_size": 3, "last_kernel_size": 7,
    "dilation_growth_rate": 2, "pad_mode": "reflect", "use_conv_shortcut": False, "compress": 2, "num_lstm_layers": 2,
    "trim_right_ratio": 1.0, "num_quantizers": 4, "codebook_size": 2048,
}  # fmt: skip
# audiocraft's config/solver/musicgen/default.yaml with model/lm/musicgen_lm, conditioner/text2music and
# solver/musicgen/musicgen_base_32khz: what these say of the network and of how it is asked.
LANGUAGE = """
solver: musicgen
lm_model: transformer_lm
device: cpu
dtype: float32
sample_rate: 32000
channels: 1
dataset: {segment_duration: 30}
interleave_stereo_codebooks: {use: false, per_timestep: false}
fsdp: {use: false}
codebooks_pattern: {modeling: delay, delay: {delays: [0, 1, 2, 3], flatten_first: 0, empty_initial: 0}}
classifier_free_guidance: {training_dropout: 0.3, inference_coef: 3.0}
attribute_dropout: {}
fuser: {cross_attention_pos_emb: false, cross_attention_pos_emb_scale: 1, sum: [], prepend: [], cross: [description], input_interpolate: []}
conditioners: {description: {model: t5, t5: {name: t5-base, finetune: false, word_dropout: 0.3, normalize_text: false}}}
transformer_lm:
  n_q: 4
  card: 2048
  dim: 1024
  num_heads: 16
  num_layers: 24
  hidden_scale: 4
  dropout: 0.0
  emb_lr: null
  activation: gelu
  norm_first: true
  bias_ff: false
  bias_attn: false
  bias_proj: false
  causal: true
  custom: false
  memory_efficient: true
  positional_embedding: sin
  weight_init: gaussian
  depthwise_init: current
  zero_bias_init: true
  norm: layer_norm
  cross_attention: true
"""
# config/model/encodec/default.yaml with encodec_large_nq4_s640.
COMPRESSION = """
device: cpu
compression_model: encodec
sample_rate: 32000
channels: 1
encodec: {autoencoder: seanet, quantizer: rvq, sample_rate: 32000, channels: 1, causal: false, renormalize: false}
seanet:
  dimension: 128
  channels: 1
  causal: false
  n_filters: 64
  n_residual_layers: 1
  ratios: [8, 5, 4, 4]
  activation: ELU
  activation_params: {alpha: 1.0}
  norm: weight_norm
  norm_params: {}
  kernel_size: 7
  residual_kernel_size: 3
  last_kernel_size: 7
  dilation_base: 2
  pad_mode: reflect
  true_skip: true
  compress: 2
  lstm: 2
  disable_norm_outer_blocks: 0
  decoder: {trim_right_ratio: 1.0, final_activation: null}
  encoder: {}
rvq:
  n_q: 4
  q_dropout: false
  bins: 2048
  decay: 0.99
  kmeans_init: true
  kmeans_iters: 50
  threshold_ema_dead_code: 2
  orthogonal_reg_weight: 0.0
  orthogonal_reg_active_codes_only: false
  orthogonal_reg_max_codes: null
"""


def small(**changed: Any) -> Parts:
    codec = SimpleNamespace(config=SimpleNamespace(**CODEC))
    return Parts({}, SimpleNamespace(**DECODER | changed), [0, 1, 2, 3], {}, codec, None, None)


def test_the_configurations_are_audiocrafts() -> None:
    language, codec = audiocraft_configs(small())
    assert language == yaml.safe_load(LANGUAGE)
    assert codec == yaml.safe_load(COMPRESSION)


def test_stereo_and_the_text_encoders_name() -> None:
    """facebook/musicgen-stereo-small has eight codebooks, four a side, interleaved."""
    parts = small(num_codebooks=8, audio_channels=2)
    parts.text_encoder = SimpleNamespace(config=SimpleNamespace(name_or_path="t5-large"))
    language, codec = audiocraft_configs(parts)
    assert language["channels"] == 2
    assert language["interleave_stereo_codebooks"] == {"use": True, "per_timestep": False}
    assert language["conditioners"]["description"]["t5"]["name"] == "t5-large"
    assert codec["channels"] == 1
    parts.text_encoder.config.name_or_path = ""
    assert audiocraft_configs(parts)[0]["conditioners"]["description"]["t5"]["name"] == "t5-base"


def test_codes_are_interleaved_where_the_language_model_says_so() -> None:
    import torch
    from audiocraft.models.encodec import InterleaveStereoCompressionModel

    class Codec(torch.nn.Module):
        channels = num_codebooks = cardinality = 1

        def set_num_codebooks(self, n: int) -> None:
            self.num_codebooks = n

    codec = Codec()
    for settings in ({}, {"interleave_stereo_codebooks": None}, {"interleave_stereo_codebooks": {"use": False}}):
        assert interleaved(codec, settings) is codec
    for per_timestep in (False, True):
        found = interleaved(codec, {"interleave_stereo_codebooks": {"use": True, "per_timestep": per_timestep}})
        assert isinstance(found, InterleaveStereoCompressionModel)
        assert found.per_timestep is per_timestep
        assert not found.training


def test_packages_are_what_audiocraft_exports(tmp_path: Path) -> None:
    """`best_state`, `xp.cfg`, `version` and `exported`, as audiocraft.utils.export writes them; the text encoder beside them."""
    ours = find(str(transformers_checkpoint(tmp_path / "transformers")))
    out = write_audiocraft(ours, tmp_path / "new" / "audiocraft")
    assert sorted(p.name for p in out.iterdir()) == ["compression_state_dict.bin", "state_dict.bin", "text_encoder"]
    for name in ("state_dict.bin", "compression_state_dict.bin"):
        package = load_pickle(out / name)
        assert set(package) == {"best_state", "xp.cfg", "version", "exported"}
        assert package["exported"] is True
        assert package["version"] == "1.3.0"
        assert all(tensor.is_contiguous() for tensor in package["best_state"].values())
    assert yaml.safe_load(load_pickle(out / "state_dict.bin")["xp.cfg"])["transformer_lm"]["dim"] == 32
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= {p.name for p in (out / "text_encoder").iterdir()}


@pytest.mark.parametrize("write", [write_audiocraft, write_transformers])
def test_rotary_positions_stay_in_audiocrafts_format(
    write: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rotary = small()
    rotary.positions = "rope"
    monkeypatch.setattr(audiocraft_format, "read_parts", lambda checkpoint: rotary)
    with pytest.raises(ModelError, match=r"mine has rotary positions .*'rope'.*stays in audiocraft's format"):
        write(Checkpoint("mine", tmp_path, "audiocraft", ()), tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changed", ["more", "less"])
def test_weights_that_do_not_fit_transformers_are_not_written(
    changed: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = find(str(transformers_checkpoint(tmp_path / "transformers")))
    whole = audiocraft_format.joined

    def joined(parts: Parts) -> dict[str, Any]:
        state = whole(parts)
        name = next(k for k in state if "embed_positions" not in k)
        return (
            state | {"decoder.strange": state[name]}
            if changed == "more"
            else {k: v for k, v in state.items() if k != name}
        )

    monkeypatch.setattr(audiocraft_format, "joined", joined)
    with pytest.raises(ModelError, match="does not fit transformers' MusicGen"):
        write_transformers(ours, tmp_path / "out")
    assert not (tmp_path / "out").exists()
