"""Spaces in which sets of audio are compared: a name -> a function from mono audio to embeddings.

``yamnet``, ``musicnn`` and ``codec`` (the nano codec's latents) ship. Others come by checkpoint: ``vggish:FILE``,
``encodec:NAME`` and ``clap:NAME``, where NAME is a directory or a pulled model (``facebook/encodec_24khz``,
``facebook/encodec_32khz``, ``laion/clap-htsat-unfused``).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.devices import chosen
from models.errors import ModelError

if TYPE_CHECKING:
    import torch

SHIPPED = ("yamnet", "musicnn", "codec")
BY_CHECKPOINT = {"vggish", "encodec", "clap"}
Embed = Callable[[np.ndarray], np.ndarray]


@dataclass(frozen=True)
class Space:
    """`embed` takes mono audio at `rate` Hz to (frames, width)."""

    name: str
    rate: int
    embed: Embed


def check_name(name: str) -> str | None:
    """What is wrong with a space's name, or None."""
    kind, colon, where = name.partition(":")
    if name in SHIPPED or (kind in BY_CHECKPOINT and colon and where):
        return None
    return f"{name!r} is no embedding space"


@lru_cache(maxsize=8)
def open_space(name: str, device: str = "auto") -> Space:
    """Load a space, its network on a device (`models.devices`); YAMNet and MusiCNN, which are small, stay on the processor.

    Raises
    ------
    ModelError
        If it is not known, or its checkpoint is missing or broken.
    """
    kind, _, where = name.partition(":")
    on = chosen(device)
    if name == "yamnet":
        from models.embeddings.yamnet import embed

        return Space(name, 16000, embed)
    if name == "musicnn":
        from models.embeddings.musicnn import embed as embed_musicnn

        return Space(name, 16000, embed_musicnn)
    if name == "codec":
        return Space(name, 16000, _codec(on))
    if kind == "vggish" and where:
        return Space(name, 16000, _vggish(Path(where), on))
    if kind == "encodec" and where:
        return _encodec(name, where, on)
    if kind == "clap" and where:
        return _clap(name, where, on)
    raise ModelError(
        f"{name!r} is no embedding space; there are: {', '.join(SHIPPED)}, vggish:FILE, encodec:NAME, clap:NAME"
    )


def _codec(on: torch.device) -> Embed:
    import torch

    from models.musicgen.nano import load_codec

    encoder = load_codec().encoder
    if on.type != "cpu":
        encoder = deepcopy(encoder).to(on)  # the codec itself is shared

    def latents(audio: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out: np.ndarray = encoder(torch.from_numpy(audio).to(on)[None, None])[0].T.cpu().numpy()
        return out

    return latents


def _vggish(path: Path, on: torch.device) -> Embed:
    import torch

    from models.embeddings import vggish

    network = vggish.load(path).to(on)

    def embed(audio: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out: np.ndarray = network(torch.from_numpy(vggish.patches(audio)).to(on)[:, None]).cpu().numpy()
        return out

    return embed


def _directory(name: str) -> Path:
    """Where a released model lies; only safetensors are read from there."""
    from models.locating import locate

    directory = locate(name)
    if not (directory / "config.json").exists() or not any(directory.glob("*.safetensors")):
        raise ModelError(f"{directory} has no config.json or no *.safetensors; run 'tastelab models pull {name}'")
    return directory


def _encodec(name: str, where: str, on: torch.device) -> Space:
    import torch
    from transformers import EncodecModel

    directory = _directory(where)
    model = _read(EncodecModel, directory).to(on)
    if model.config.audio_channels != 1:
        raise ModelError(f"{directory} is an EnCodec for {model.config.audio_channels} channels; a mono one is needed")

    def embed(audio: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            out: np.ndarray = model.encoder(torch.from_numpy(audio).to(on)[None, None].float())[0].T.cpu().numpy()
        return out

    return Space(name, int(model.config.sampling_rate), embed)


def _clap(name: str, where: str, on: torch.device) -> Space:
    import torch
    from transformers import ClapFeatureExtractor, ClapModel

    directory = _directory(where)
    model = _read(ClapModel, directory).to(on)
    extractor = ClapFeatureExtractor.from_pretrained(directory)
    rate = int(extractor.sampling_rate)
    window = int(extractor.max_length_s) * rate
    # No window is longer than the network's, so nothing is cut: the name only says which channels it expects.
    truncation = "fusion" if model.config.audio_config.enable_fusion else "rand_trunc"

    def embed(audio: np.ndarray) -> np.ndarray:
        # Windows as long as the network was trained on, a second apart, as fadtk takes them.
        starts = range(0, max(1, len(audio) - window + 1), rate)
        parts = [audio[s : s + window] for s in starts]
        inputs = extractor(parts, sampling_rate=rate, return_tensors="pt", truncation=truncation)
        with torch.no_grad():
            found = model.get_audio_features(**inputs.to(on))
        vectors = found if isinstance(found, torch.Tensor) else found.pooler_output
        out: np.ndarray = vectors.cpu().numpy()
        return out

    return Space(name, rate, embed)


def _read(cls: Any, directory: Path) -> Any:
    """Load with transformers, safetensors alone and no code from the directory; problems in one line."""
    from safetensors import SafetensorError

    try:
        model, report = cls.from_pretrained(
            directory, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        first = " ".join(str(error).split())[:160]
        raise ModelError(f"{directory} cannot be read as {cls.__name__} ({first})") from None
    missing = sorted(report["missing_keys"])
    if missing:
        raise ModelError(
            f"{directory} is no whole {cls.__name__}: {missing[0]} and {len(missing) - 1} more are missing"
        )
    model.eval()
    return model
