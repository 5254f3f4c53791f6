"""One MusicGen, two formats: names and shapes of audiocraft's state dicts and of transformers'.

transformers ships no converter any more. The mapping is one to one and keeps every bit: only the stacked projections of
audiocraft's attention (``in_proj_weight``: query, key, value) are split or joined.
"""

from __future__ import annotations

import re
from typing import Any

import torch

from models.errors import ModelError
from models.musicgen.positions import LONGEST_PERIOD

State = dict[str, torch.Tensor]

# audiocraft's name in a layer -> transformers'
_LAYER = {
    "self_attn.out_proj": "self_attn.out_proj",
    "cross_attention.out_proj": "encoder_attn.out_proj",
    "linear1": "fc1",
    "linear2": "fc2",
    "norm1": "self_attn_layer_norm",
    "norm_cross": "encoder_attn_layer_norm",
    "norm2": "final_layer_norm",
}
_ATTENTION = {"self_attn": "self_attn", "cross_attention": "encoder_attn"}
_PROJECTION = "condition_provider.conditioners.description.output_proj."
_BACK = {v: k for k, v in _LAYER.items()}


def language_to_transformers(state: State) -> State:
    """Rename an audiocraft ``LMModel`` state to transformers' (``decoder.*`` and ``enc_to_dec_proj.*``).

    Raises
    ------
    ModelError
        At a name that no released MusicGen has (melody and style models carry other conditioners).
    """
    out: State = {}
    for name, value in state.items():
        if match := re.fullmatch(r"emb\.(\d+)\.weight", name):
            out[f"decoder.model.decoder.embed_tokens.{match[1]}.weight"] = value
        elif match := re.fullmatch(r"linears\.(\d+)\.weight", name):
            out[f"decoder.lm_heads.{match[1]}.weight"] = value
        elif name.startswith("out_norm."):
            out[f"decoder.model.decoder.layer_norm.{name.removeprefix('out_norm.')}"] = value
        elif name.startswith(_PROJECTION):
            out[f"enc_to_dec_proj.{name.removeprefix(_PROJECTION)}"] = value
        elif match := re.fullmatch(r"transformer\.layers\.(\d+)\.(.+)", name):
            at, rest = f"decoder.model.decoder.layers.{match[1]}.", match[2]
            where, _, last = rest.rpartition(".")
            if last == "in_proj_weight" and where in _ATTENTION:
                for part, piece in zip("qkv", value.chunk(3), strict=True):
                    out[f"{at}{_ATTENTION[where]}.{part}_proj.weight"] = piece
            elif where in _LAYER:
                out[f"{at}{_LAYER[where]}.{last}"] = value
            else:
                raise ModelError(f"weights {name!r} are none of a text-to-music MusicGen's")
        else:
            raise ModelError(f"weights {name!r} are none of a text-to-music MusicGen's")
    return out


def language_to_audiocraft(state: State) -> State:
    """The inverse of `language_to_transformers`; names of text and audio encoder are left out."""
    out: State = {}
    for name, value in state.items():
        if name.startswith("enc_to_dec_proj."):
            out[_PROJECTION + name.removeprefix("enc_to_dec_proj.")] = value
        elif match := re.fullmatch(r"decoder\.model\.decoder\.embed_tokens\.(\d+)\.weight", name):
            out[f"emb.{match[1]}.weight"] = value
        elif match := re.fullmatch(r"decoder\.lm_heads\.(\d+)\.weight", name):
            out[f"linears.{match[1]}.weight"] = value
        elif name.startswith("decoder.model.decoder.layer_norm."):
            out["out_norm." + name.removeprefix("decoder.model.decoder.layer_norm.")] = value
        elif match := re.fullmatch(r"decoder\.model\.decoder\.layers\.(\d+)\.(.+)", name):
            at, rest = f"transformer.layers.{match[1]}.", match[2]
            where, _, last = rest.rpartition(".")
            if projection := re.fullmatch(r"(self_attn|encoder_attn)\.q_proj", where):
                pieces = [state[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
                own = {v: k for k, v in _ATTENTION.items()}[projection[1]]
                out[f"{at}{own}.in_proj_weight"] = torch.cat(pieces)
            elif where in _BACK:
                out[f"{at}{_BACK[where]}.{last}"] = value
    return out


def codec_to_transformers(state: State) -> State:
    """Rename an audiocraft ``EncodecModel`` (SEANet) state to that of transformers' ``EncodecModel``."""
    out: State = {}
    for name, value in state.items():
        new = re.sub(r"^(encoder|decoder)\.model\.", r"\1.layers.", name)
        new = new.replace(".conv.conv.", ".conv.").replace(".convtr.convtr.", ".conv.")
        new = re.sub(r"^quantizer\.vq\.layers\.(\d+)\._codebook\.", r"quantizer.layers.\1.codebook.", new)
        new = new.replace(".weight_g", ".parametrizations.weight.original0")
        out[new.replace(".weight_v", ".parametrizations.weight.original1")] = value
    return out


def codec_to_audiocraft(state: State, transposed: set[str]) -> State:
    """The inverse of `codec_to_transformers`; `transposed` names the decoder layers that are transposed convolutions."""
    out: State = {}
    for name, value in state.items():
        new = re.sub(r"^quantizer\.layers\.(\d+)\.codebook\.", r"quantizer.vq.layers.\1._codebook.", name)
        if match := re.match(r"^(encoder|decoder)\.layers\.(\d+)\.", new):
            kind = "convtr" if f"{match[1]}.layers.{match[2]}" in transposed else "conv"
            new = new.replace(".conv.", f".{kind}.{kind}.")
            new = re.sub(r"^(encoder|decoder)\.layers\.", r"\1.model.", new)
        new = new.replace(".parametrizations.weight.original0", ".weight_g")
        out[new.replace(".parametrizations.weight.original1", ".weight_v")] = value
    return out


def read_config(text: str) -> dict[str, Any]:
    """An audiocraft configuration (``xp.cfg``) as plain values, its references resolved.

    audiocraft exports OmegaConf's text as it was written: ``causal: ${encodec.causal}``. A section that refers to what is not in
    the file (Hydra's own folders) describes no network and is left out.

    Raises
    ------
    ModelError
        If it is no configuration.
    """
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException
    from yaml import YAMLError

    try:
        config = OmegaConf.create(text)
    except (YAMLError, OmegaConfBaseException, ValueError) as error:
        raise ModelError(f"its configuration (xp.cfg) cannot be read: {' '.join(str(error).split())[:120]}") from None
    if not isinstance(config, DictConfig):
        raise ModelError("its configuration (xp.cfg) is a list, not sections by name")
    found: dict[str, Any] = {}
    for name in config:
        try:
            value = OmegaConf.select(config, str(name))
            found[str(name)] = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        except OmegaConfBaseException:
            continue
    return found


def delays_of(config: dict[str, Any]) -> list[int]:
    """Delay of each codebook from an audiocraft configuration (``codebooks_pattern``).

    Raises
    ------
    ModelError
        For patterns that no released text-to-music model has.
    """
    n_q = int(config["transformer_lm"]["n_q"])
    pattern = config["codebooks_pattern"]
    if pattern["modeling"] == "parallel":
        return [0] * n_q
    if pattern["modeling"] != "delay":
        raise ModelError(
            f"codebook pattern {pattern['modeling']!r} is not supported; use a model with delay or parallel"
        )
    delay = pattern.get("delay") or {}
    if delay.get("flatten_first") or delay.get("empty_initial"):
        raise ModelError("delay patterns with flatten_first or empty_initial are not supported")
    return [int(x) for x in delay.get("delays") or range(n_q)]


def positions_of(config: dict[str, Any]) -> str:
    """What an audiocraft configuration says of positions: ``"sin"``, ``"rope"`` or ``"sin_rope"``.

    Raises
    ------
    ModelError
        For scaled or decaying positions, which no recipe here and no released model has.
    """
    lm = config["transformer_lm"]
    if lm.get("xpos") or lm.get("positional_scale", 1) != 1 or lm.get("max_period", LONGEST_PERIOD) != LONGEST_PERIOD:
        raise ModelError("scaled or decaying positions (positional_scale, max_period, xpos) are not supported")
    return str(lm.get("positional_embedding", "sin"))


def stereo_delays(codebooks: int, channels: int) -> list[int]:
    """Delays of the released models: one frame a codebook; left and right of a stereo pair together."""
    return [k // channels for k in range(codebooks)]


def decoder_config(config: dict[str, Any], channels: int = 1) -> Any:
    """Return transformers' MusicgenDecoderConfig of an audiocraft configuration (its ``transformer_lm``)."""
    from transformers import MusicgenDecoderConfig

    lm = config["transformer_lm"]
    if any(lm.get(k) for k in ("bias_ff", "bias_attn", "qk_layer_norm", "layer_scale", "past_context", "bias_proj")):
        raise ModelError("this MusicGen has biases or layers that transformers' does not; use engine = 'audiocraft'")
    return MusicgenDecoderConfig(
        vocab_size=lm["card"],
        max_position_embeddings=2048,
        num_hidden_layers=lm["num_layers"],
        ffn_dim=lm["dim"] * lm["hidden_scale"],
        num_attention_heads=lm["num_heads"],
        hidden_size=lm["dim"],
        activation_function=lm["activation"],
        num_codebooks=lm["n_q"],
        audio_channels=channels,
        pad_token_id=lm["card"],
        bos_token_id=lm["card"],
    )


def encodec_config(config: dict[str, Any]) -> Any:
    """Return transformers' EncodecConfig of an audiocraft compression configuration (``encodec``, ``seanet``, ``rvq``)."""
    import math

    from transformers import EncodecConfig

    seanet = config["seanet"]
    quantizer = config["rvq"]
    if config["encodec"]["quantizer"] != "rvq" or seanet["norm"] != "weight_norm":
        raise ModelError(
            "only EnCodec models with residual quantizer and weight norm convert; use engine = 'audiocraft'"
        )
    decoder = seanet.get("decoder") or {}
    rate = int(config["encodec"]["sample_rate"])
    frame_rate = math.ceil(rate / math.prod(seanet["ratios"]))
    bits = math.ceil(math.log2(quantizer["bins"]))
    return EncodecConfig(
        target_bandwidths=[quantizer["n_q"] * frame_rate * bits / 1000],
        sampling_rate=rate,
        audio_channels=int(config["encodec"]["channels"]),
        normalize=bool(config["encodec"].get("renormalize", False)),
        hidden_size=seanet["dimension"],
        num_filters=seanet["n_filters"],
        num_residual_layers=seanet["n_residual_layers"],
        upsampling_ratios=list(seanet["ratios"]),
        kernel_size=seanet["kernel_size"],
        last_kernel_size=seanet["last_kernel_size"],
        residual_kernel_size=seanet["residual_kernel_size"],
        dilation_growth_rate=seanet["dilation_base"],
        use_causal_conv=bool(seanet["causal"]),
        pad_mode=seanet["pad_mode"],
        compress=seanet["compress"],
        num_lstm_layers=seanet["lstm"],
        trim_right_ratio=float(decoder.get("trim_right_ratio", 1.0)),
        codebook_size=quantizer["bins"],
        codebook_dim=seanet["dimension"],
        use_conv_shortcut=not seanet["true_skip"],
    )
