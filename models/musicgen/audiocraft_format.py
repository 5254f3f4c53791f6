"""Load any MusicGen into audiocraft's own classes, and write audiocraft's and transformers' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from models.errors import ModelError
from models.musicgen.checkpoints import Checkpoint, Parts, codec_of, read_package, read_parts, text_encoder_of
from models.musicgen.convert import codec_to_audiocraft, language_to_audiocraft, read_config
from models.musicgen.nano import fit, load_codec, load_language_model
from models.musicgen.positions import settle_rotary, without_constants


def load_audiocraft(checkpoint: Checkpoint) -> tuple[Any, Any]:
    """Return audiocraft's language model and compression model of a checkpoint of any format."""
    if checkpoint.format == "nano":
        return load_language_model(checkpoint.directory), load_codec()
    if checkpoint.format == "audiocraft":
        return _from_audiocraft(checkpoint)
    parts = read_parts(checkpoint)
    config, codec_config = audiocraft_configs(parts)
    lm = build_language(config, parts.text_encoder, parts.tokenizer)
    fit(lm, language_to_audiocraft(joined(parts)), checkpoint.directory)
    return lm.eval(), build_compression(codec_config, codec_state(parts.codec), checkpoint.directory, config)


def _from_audiocraft(checkpoint: Checkpoint) -> tuple[Any, Any]:
    checkpoint.check()
    package, compression = (read_package(p) for p in checkpoint.files)
    config = read_config(package["xp.cfg"])
    described = (config.get("conditioners") or {}).get("description") or {}
    text = text_encoder_of(checkpoint.directory, config) if described.get("model") == "t5" else (None, None)
    lm = build_language(config, *text)
    fit(lm, without_constants(package["best_state"]), checkpoint.files[0])
    if "pretrained" in compression:
        from audiocraft.models.encodec import HFEncodecCompressionModel

        # As audiocraft itself does where a codec is only named: transformers' EnCodec in a coat of its own.
        named = HFEncodecCompressionModel(codec_of(compression, checkpoint.files[1]))
        return lm.eval(), interleaved(named, config)
    settings = read_config(compression["xp.cfg"])
    return lm.eval(), build_compression(settings, compression["best_state"], checkpoint.files[1], config)


def joined(parts: Parts) -> dict[str, torch.Tensor]:
    """The state of decoder and projection in the names of ``MusicgenForConditionalGeneration``."""
    state = {f"decoder.{k}": v for k, v in parts.decoder.items()}
    return state | {f"enc_to_dec_proj.{k}": v for k, v in parts.projection.items()}


def codec_state(codec: Any) -> dict[str, torch.Tensor]:
    """State of transformers' EnCodec in audiocraft's names."""
    transposed = {f"decoder.layers.{i}" for i, layer in enumerate(codec.decoder.layers) if _is_transposed(layer)}
    return codec_to_audiocraft(codec.state_dict(), transposed)


def _is_transposed(layer: Any) -> bool:
    return isinstance(getattr(layer, "conv", None), torch.nn.ConvTranspose1d)


def build_language(config: dict[str, Any], text_encoder: Any, tokenizer: Any, device: str = "cpu") -> Any:
    """Build an untrained audiocraft language model of a configuration; a T5 is given, not fetched."""
    from audiocraft.models.builders import get_lm_model
    from omegaconf import OmegaConf

    settings = {**config, "device": device, "dtype": "float32"}
    if text_encoder is not None:
        settings["conditioners"] = {}
    lm = get_lm_model(OmegaConf.create(settings))
    if text_encoder is not None:
        width = settings["transformer_lm"]["dim"]
        lm.condition_provider.conditioners["description"] = _t5_conditioner(text_encoder, tokenizer, width)
    return settle_rotary(lm)


def _t5_conditioner(text_encoder: Any, tokenizer: Any, width: int) -> Any:
    """audiocraft's T5Conditioner around a T5 that is loaded already; empty text is all zeros."""
    from audiocraft.modules.conditioners import TextConditioner

    class LoadedT5(TextConditioner):
        def __init__(self) -> None:
            super().__init__(dim=int(text_encoder.config.d_model), output_dim=width)
            self.__dict__["t5"] = text_encoder  # not part of the state dict, as in audiocraft

        def tokenize(self, x: list[str | None]) -> dict[str, torch.Tensor]:
            read = tokenizer([text or "" for text in x], return_tensors="pt", padding=True)
            empty = torch.tensor([not text for text in x])
            read["attention_mask"][empty] = 0
            return {"input_ids": read["input_ids"], "attention_mask": read["attention_mask"]}

        def forward(self, inputs: dict[str, torch.Tensor]) -> tuple[torch.Tensor, torch.Tensor]:
            mask = inputs["attention_mask"]
            with torch.no_grad():
                states = self.__dict__["t5"](**inputs).last_hidden_state
            projected = self.output_proj(states.to(self.output_proj.weight))
            return projected * mask.unsqueeze(-1), mask

    return LoadedT5()


def build_compression(config: dict[str, Any], state: dict[str, torch.Tensor], where: Path, lm: dict[str, Any]) -> Any:
    """Build and fill an audiocraft compression model; stereo models interleave the codes of both sides."""
    from audiocraft.models.builders import get_compression_model
    from omegaconf import OmegaConf

    codec = get_compression_model(OmegaConf.create({**config, "device": "cpu"}))
    fit(codec, state, where)
    return interleaved(codec, lm)


def interleaved(codec: Any, lm: dict[str, Any]) -> Any:
    """A codec as a language model's configuration wants it: codes of both sides interleaved for stereo."""
    from audiocraft.models.encodec import InterleaveStereoCompressionModel

    interleave = lm.get("interleave_stereo_codebooks") or {}
    if interleave.get("use"):
        codec = InterleaveStereoCompressionModel(codec, per_timestep=bool(interleave.get("per_timestep", False)))
    return codec.eval()


def audiocraft_configs(parts: Parts) -> tuple[dict[str, Any], dict[str, Any]]:
    """Configurations (``xp.cfg``) of language model and codec that audiocraft builds the same networks from."""
    c, e, stereo = parts.config, parts.codec.config, parts.config.audio_channels == 2
    name = "t5-base" if parts.text_encoder is None else str(parts.text_encoder.config.name_or_path or "t5-base")
    language = {
        "solver": "musicgen",
        "lm_model": "transformer_lm",
        "device": "cpu",
        "dtype": "float32",
        "sample_rate": e.sampling_rate,
        "channels": c.audio_channels,
        "dataset": {"segment_duration": 30},
        "interleave_stereo_codebooks": {"use": stereo, "per_timestep": False},
        "fsdp": {"use": False},
        "codebooks_pattern": {
            "modeling": "delay",
            "delay": {"delays": parts.delays, "flatten_first": 0, "empty_initial": 0},
        },
        "classifier_free_guidance": {"training_dropout": 0.3, "inference_coef": 3.0},
        "attribute_dropout": {},
        "fuser": {
            "cross_attention_pos_emb": False,
            "cross_attention_pos_emb_scale": 1,
            "sum": [],
            "prepend": [],
            "cross": ["description"],
            "input_interpolate": [],
        },
        "conditioners": {
            "description": {
                "model": "t5",
                "t5": {"name": name, "finetune": False, "word_dropout": 0.3, "normalize_text": False},
            }
        },
        "transformer_lm": {
            "n_q": c.num_codebooks,
            "card": c.vocab_size,
            "dim": c.hidden_size,
            "num_heads": c.num_attention_heads,
            "num_layers": c.num_hidden_layers,
            "hidden_scale": c.ffn_dim // c.hidden_size,
            "dropout": 0.0,
            "emb_lr": None,
            "activation": c.activation_function,
            "norm_first": True,
            "bias_ff": False,
            "bias_attn": False,
            "bias_proj": False,
            "causal": True,
            "custom": False,
            "memory_efficient": True,
            "positional_embedding": "sin",
            "weight_init": "gaussian",
            "depthwise_init": "current",
            "zero_bias_init": True,
            "norm": "layer_norm",
            "cross_attention": True,
        },
    }
    codec = {
        "device": "cpu",
        "compression_model": "encodec",
        "sample_rate": e.sampling_rate,
        "channels": e.audio_channels,
        "encodec": {
            "autoencoder": "seanet",
            "quantizer": "rvq",
            "sample_rate": e.sampling_rate,
            "channels": e.audio_channels,
            "causal": e.use_causal_conv,
            "renormalize": e.normalize,
        },
        "seanet": {
            "dimension": e.hidden_size,
            "channels": e.audio_channels,
            "causal": e.use_causal_conv,
            "n_filters": e.num_filters,
            "n_residual_layers": e.num_residual_layers,
            "ratios": list(e.upsampling_ratios),
            "activation": "ELU",
            "activation_params": {"alpha": 1.0},
            "norm": "weight_norm",
            "norm_params": {},
            "kernel_size": e.kernel_size,
            "residual_kernel_size": e.residual_kernel_size,
            "last_kernel_size": e.last_kernel_size,
            "dilation_base": e.dilation_growth_rate,
            "pad_mode": e.pad_mode,
            "true_skip": not e.use_conv_shortcut,
            "compress": e.compress,
            "lstm": e.num_lstm_layers,
            "disable_norm_outer_blocks": 0,
            "decoder": {"trim_right_ratio": e.trim_right_ratio, "final_activation": None},
            "encoder": {},
        },
        "rvq": {
            "n_q": e.num_quantizers,
            "q_dropout": False,
            "bins": e.codebook_size,
            "decay": 0.99,
            "kmeans_init": True,
            "kmeans_iters": 50,
            "threshold_ema_dead_code": 2,
            "orthogonal_reg_weight": 0.0,
            "orthogonal_reg_active_codes_only": False,
            "orthogonal_reg_max_codes": None,
        },
    }
    return language, codec


def _convertible(checkpoint: Checkpoint) -> Parts:
    parts = read_parts(checkpoint)
    if parts.positions != "sin":
        raise ModelError(
            f"{checkpoint.name} has rotary positions (positional_embedding = {parts.positions!r}), which transformers' MusicGen "
            "does not know; it stays in audiocraft's format"
        )
    return parts


def write_audiocraft(checkpoint: Checkpoint, out: Path) -> Path:
    """Write a released checkpoint in audiocraft's format; T5, which audiocraft only names, goes to ``text_encoder/``."""
    import yaml

    parts = _convertible(checkpoint)
    config, codec_config = audiocraft_configs(parts)
    out.mkdir(parents=True, exist_ok=True)
    for name, cfg, state in (
        ("state_dict.bin", config, language_to_audiocraft(joined(parts))),
        ("compression_state_dict.bin", codec_config, codec_state(parts.codec)),
    ):
        package = {
            "best_state": {k: v.contiguous() for k, v in state.items()},
            "xp.cfg": yaml.safe_dump(cfg),
            "version": "1.3.0",
            "exported": True,
        }
        torch.save(package, out / f"{name}.partial")
        (out / f"{name}.partial").replace(out / name)
    parts.text_encoder.save_pretrained(out / "text_encoder")
    parts.tokenizer.save_pretrained(out / "text_encoder")
    return out


def write_transformers(checkpoint: Checkpoint, out: Path) -> Path:
    """Write a released checkpoint in transformers' format (config.json, model.safetensors, tokenizer)."""
    from transformers import MusicgenConfig, MusicgenForConditionalGeneration

    parts = _convertible(checkpoint)
    config = MusicgenConfig(
        text_encoder=parts.text_encoder.config, audio_encoder=parts.codec.config, decoder=parts.config
    )
    model = MusicgenForConditionalGeneration(config)
    state = joined(parts)
    state |= {f"text_encoder.{k}": v for k, v in parts.text_encoder.state_dict().items()}
    state |= {f"audio_encoder.{k}": v for k, v in parts.codec.state_dict().items()}
    missing, unexpected = model.load_state_dict(state, strict=False)
    left = [k for k in missing if "embed_positions" not in k]
    if left or unexpected:
        raise ModelError(f"{checkpoint.directory} does not fit transformers' MusicGen ({(left or unexpected)[0]})")
    model.save_pretrained(out, safe_serialization=True)
    parts.tokenizer.save_pretrained(out)
    return out
