"""Find a MusicGen by name or directory, tell its format, fingerprint it, and read its parts in transformers' names."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ModelError
from models.locating import locate, models_directory
from models.musicgen.convert import (
    codec_to_transformers,
    decoder_config,
    delays_of,
    encodec_config,
    language_to_transformers,
    positions_of,
    read_config,
    stereo_delays,
)
from models.musicgen.nano import CODEC, described_in, fit, language_files
from models.musicgen.positions import without_constants
from models.published import check_index, check_vocabulary, in_hub_cache, one_set
from models.weights import file_sha256, load_pickle, load_tensors, weights_directory

if TYPE_CHECKING:
    import torch

PULLED = "pulled.json"  # what `tastelab models pull` writes: repository, commit, SHA-256 of each file


@dataclass(frozen=True)
class Checkpoint:
    """Where a MusicGen lies: `format` is ``"nano"``, ``"audiocraft"`` or ``"transformers"``; `files` hold its weights."""

    name: str
    directory: Path
    format: str
    files: tuple[Path, ...]

    @cached_property
    def sha256(self) -> str:
        """Fingerprint of all weights, without loading them."""
        return hashlib.sha256("".join(file_sha256(p) for p in self.files).encode()).hexdigest()

    def check(self) -> None:
        """Compare the files with what was pulled, where that is known.

        Raises
        ------
        ModelError
            At the first file that differs.
        """
        record = self.directory / PULLED
        if not record.exists():
            return
        known = json.loads(record.read_text())["files"]
        for path in self.files:
            name = str(path.relative_to(self.directory)) if path.is_relative_to(self.directory) else path.name
            if name in known and known[name]["sha256"] != file_sha256(path):
                raise ModelError(
                    f"{path} is not the file that was pulled (SHA-256 differs); run 'tastelab models pull'"
                )


@lru_cache(maxsize=16)
def find(name: str) -> Checkpoint:
    """Find a checkpoint.

    Raises
    ------
    ModelError
        If there is no such model or its directory holds none of the three formats.
    """
    directory = locate(name)
    chosen = one_set([p.name for p in directory.iterdir()], str(directory))
    weights = tuple(directory / n for n in chosen if not n.endswith(".json"))
    if (directory / "config.json").exists() and weights:
        check_index(directory, chosen)
        described = described_in(directory)
        # A whole clone holds both published formats; transformers' is the complete one.
        if described.get("model_type") == "musicgen":
            return Checkpoint(name, directory, "transformers", weights)
        if described.get("kind") == "language":
            codec = weights_directory(CODEC) / "model.safetensors"
            return Checkpoint(name, directory, "nano", (*language_files(directory), codec))
        kind = described.get("kind") or described.get("model_type") or "something else"
        raise ModelError(f"{directory} holds a {kind}, not a nano MusicGen or a released one")
    states = (directory / "state_dict.bin", directory / "compression_state_dict.bin")
    if all(p.exists() for p in states):
        return Checkpoint(name, directory, "audiocraft", states)
    raise ModelError(
        f"{directory} holds neither a nano model (config.json, model.safetensors) nor audiocraft's (state_dict.bin, "
        "compression_state_dict.bin) nor transformers' (config.json of model_type musicgen, model.safetensors)"
    )


def generator_sha256(name: str) -> str:
    """Fingerprint of a model's weights and its codec's, without loading them."""
    return find(name).sha256


@dataclass
class Parts:
    """A released MusicGen in transformers' names, whichever format it came in.

    `decoder` has the names of ``MusicgenForCausalLM``, `projection` is weight and bias from the text encoder's width,
    `codec` and `text_encoder` are transformers' modules; for `positions` see `models.musicgen.positions`.
    """

    decoder: dict[str, torch.Tensor]
    config: Any
    delays: list[int]
    projection: dict[str, torch.Tensor]
    codec: Any
    text_encoder: Any
    tokenizer: Any
    positions: str = "sin"


def read_parts(checkpoint: Checkpoint) -> Parts:
    """Read a released checkpoint of either format.

    Raises
    ------
    ModelError
        If files are truncated, tampered with, or do not fit together.
    """
    checkpoint.check()
    return _from_transformers(checkpoint) if checkpoint.format == "transformers" else _from_audiocraft(checkpoint)


def split_parts(state: dict[str, torch.Tensor]) -> tuple[dict[str, torch.Tensor], dict[str, torch.Tensor]]:
    """Decoder and text projection from a state in the names of ``MusicgenForConditionalGeneration``."""
    decoder = {k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")}
    projection = {k.removeprefix("enc_to_dec_proj."): v for k, v in state.items() if k.startswith("enc_to_dec_proj.")}
    return decoder, projection


def _from_transformers(checkpoint: Checkpoint) -> Parts:
    import torch
    from transformers import AutoTokenizer, MusicgenConfig, MusicgenForConditionalGeneration

    directory = checkpoint.directory
    check_vocabulary([p.name for p in directory.iterdir()], "musicgen", str(directory))
    safe = checkpoint.files[0].suffix == ".safetensors"
    for path in checkpoint.files:
        load_tensors(path) if safe else load_pickle(path)  # a truncated file is told in one line
    single = {"variant": "fp32"} if checkpoint.files[0].name.startswith("model.fp32") else {}
    quiet_transformers()
    config: Any = MusicgenConfig.from_pretrained(directory, local_files_only=True)
    loader: Any = MusicgenForConditionalGeneration
    try:
        model, report = loader.from_pretrained(
            directory,
            local_files_only=True,
            output_loading_info=True,
            use_safetensors=safe,
            dtype=torch.float32,
            **single,
        )
    except (RuntimeError, ValueError, OSError) as error:
        raise ModelError(f"{directory} cannot be read: {' '.join(str(error).split())[:160]}") from None
    missing = [k for k in report["missing_keys"] if "embed_positions" not in k]
    if missing or report["mismatched_keys"]:
        first = (missing or [str(k) for k in report["mismatched_keys"]])[0]
        raise ModelError(f"{directory}: weights do not fit config.json ({first})")
    decoder, projection = split_parts(model.float().state_dict())
    delays = stereo_delays(config.decoder.num_codebooks, config.decoder.audio_channels)
    tokenizer = AutoTokenizer.from_pretrained(directory, local_files_only=True)
    return Parts(
        decoder, config.decoder, delays, projection, model.audio_encoder.eval(), model.text_encoder.eval(), tokenizer
    )


def _from_audiocraft(checkpoint: Checkpoint) -> Parts:
    package, compression = (read_package(p) for p in checkpoint.files)
    config = read_config(package["xp.cfg"])
    text_encoder, tokenizer = text_encoder_of(checkpoint.directory, config)
    decoder, projection = split_parts(language_to_transformers(without_constants(package["best_state"])))
    codec = codec_of(compression, checkpoint.files[1])
    stereo = bool((config.get("interleave_stereo_codebooks") or {}).get("use"))
    return Parts(
        decoder,
        decoder_config(config, 2 if stereo else 1),
        delays_of(config),
        projection,
        codec,
        text_encoder,
        tokenizer,
        positions_of(config),
    )


def read_package(path: Path) -> dict[str, Any]:
    """What audiocraft exports: weights (``best_state``) with their configuration (``xp.cfg``), or the name of a codec (``pretrained``).

    Raises
    ------
    ModelError
        If the file is anything else.
    """
    package = load_pickle(path)
    if "pretrained" not in package and not {"best_state", "xp.cfg"} <= set(package):
        raise ModelError(f"{path} holds no best_state with its xp.cfg: it is nothing that audiocraft exports")
    return package


def codec_of(compression: dict[str, Any], where: Path) -> Any:
    """transformers' EnCodec of a ``compression_state_dict.bin``, which holds one or, as published beside MusicGens, names one.

    Raises
    ------
    ModelError
        If the named codec is not pulled, or is none that transformers knows.
    """
    from transformers import EncodecModel

    if "pretrained" not in compression:
        codec = EncodecModel(encodec_config(read_config(compression["xp.cfg"])))
        fit(codec, codec_to_transformers(compression["best_state"]), where)
        return codec.eval()
    directory = _pulled(compression["pretrained"])
    if described_in(directory).get("model_type") != "encodec":
        raise ModelError(f"{where} names {compression['pretrained']}, which is no EnCodec in transformers' format")
    quiet_transformers()
    return EncodecModel.from_pretrained(directory, local_files_only=True, use_safetensors=True).float().eval()


def t5_named(config: dict[str, Any]) -> str | None:
    """The T5 that an audiocraft configuration names; None where text is read by anything else."""
    described = (config.get("conditioners") or {}).get("description") or {}
    return str(described["t5"]["name"]) if described.get("model") == "t5" else None


def text_encoder_of(directory: Path, config: dict[str, Any]) -> tuple[Any, Any]:
    """T5 encoder and tokenizer of an audiocraft checkpoint, which only names it.

    It is looked for in ``text_encoder/`` beside the checkpoint, then among the pulled models.

    Raises
    ------
    ModelError
        If it is not there, or the checkpoint's text conditioner is no T5.
    """
    from transformers import AutoTokenizer, T5EncoderModel

    named = t5_named(config)
    if named is None:
        kind = ((config.get("conditioners") or {}).get("description") or {}).get("model", "nothing")
        raise ModelError(f"{directory}: text is read by {kind!r}, not by T5; use engine = 'audiocraft'")
    where = directory / "text_encoder"
    if not where.is_dir():
        where = _pulled(named)
    check_vocabulary([p.name for p in where.iterdir()], "t5", str(where))
    quiet_transformers()
    encoder = T5EncoderModel.from_pretrained(where, local_files_only=True).float().eval()
    return encoder, AutoTokenizer.from_pretrained(where, local_files_only=True)


def quiet_transformers() -> None:
    """Silence transformers' progress bars and its reports of unused weights."""
    from transformers.utils import logging

    logging.set_verbosity_error()
    logging.disable_progress_bar()


def _pulled(name: str) -> Path:
    directory = models_directory() / name.replace("/", "--")
    cached = None if directory.is_dir() else in_hub_cache(name)
    if cached is not None:
        return cached
    if not directory.is_dir():
        raise ModelError(f"{name} is needed and not here; run 'tastelab models pull {name}'")
    return directory
