"""Nano checkpoints: a directory with config.json and model.safetensors, read and written; networks are audiocraft's."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from models.errors import ModelError
from models.musicgen.codec import CodecConfig, SpectralDecoder, build_codec
from models.musicgen.language import LanguageConfig, build_language_model
from models.weights import load_tensors, weights_directory

if TYPE_CHECKING:
    from audiocraft.models.lm import LMModel

    from models.musicgen.whole import WholeModel

CODEC = "codec-nano"
MOVING = ("embed_avg", "cluster_size")


@lru_cache(maxsize=2)
def load_codec(directory: Path | None = None) -> Any:
    """Load a nano codec from its directory (config.json, model.safetensors); default: the shipped one."""
    directory = directory or weights_directory(CODEC)
    described = described_in(directory)
    codec = build_codec(CodecConfig(**described["codec"]))
    state = {k: v.float() for k, v in load_tensors(directory / "model.safetensors").items()}
    missing, unexpected = codec.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith(MOVING) for name in missing):
        raise ModelError(f"{directory}: weights do not fit config.json; take both from the same place")
    return codec.eval()


def save_codec(codec: Any, config: CodecConfig, directory: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write a codec's weights as safetensors beside a JSON config."""
    _save(directory, codec.state_dict(), {"kind": "codec", "codec": config.to_dict()}, dtype)


def load_language_model(directory: Path) -> Any:
    """Load a nano language model from its directory."""
    described = described_in(directory)
    lm = build_language_model(LanguageConfig(**described["language"]))
    fit(lm, {k: v.float() for k, v in language_state(directory).items()}, directory)
    return lm.eval()


def language_files(directory: Path) -> tuple[Path, ...]:
    """Weights of a nano language model: its own, and before them those of the shipped model it is a change of."""
    over = described_in(directory).get("over")
    below = language_files(weights_directory(over)) if over else ()
    return (*below, directory / "model.safetensors")


def language_state(directory: Path) -> dict[str, torch.Tensor]:
    """State dict of a nano language model, as stored; what its own file lacks is as in the model it is a change of."""
    state: dict[str, torch.Tensor] = {}
    for path in language_files(directory):
        state |= load_tensors(path)
    return state


def save_language_model(
    lm: LMModel | WholeModel,
    config: LanguageConfig,
    directory: Path,
    dtype: torch.dtype = torch.float16,
    over: str | None = None,
) -> None:
    """Write a language model's weights as safetensors beside a JSON config that names its codec.

    With `over`, the name of a shipped model, only tensors that differ from that model's are written.
    """
    described = {"kind": "language", "language": config.to_dict(), "codec": CODEC, "text": "all-MiniLM-L6-v2"}
    state = lm.state_dict()
    if over is not None:
        described["over"] = over
        below = language_state(weights_directory(over))
        state = {k: v for k, v in state.items() if not torch.equal(v.to(dtype), below[k].to(v.device))}
    _save(directory, state, described, dtype)


def _save(directory: Path, state: dict[str, torch.Tensor], described: dict[str, Any], dtype: torch.dtype) -> None:
    from safetensors.torch import save_file

    directory.mkdir(parents=True, exist_ok=True)
    kept = {k: (v.to(dtype) if v.is_floating_point() else v).contiguous() for k, v in state.items()}
    # The moving sums of the quantizer only matter while it is trained.
    kept = {k: v for k, v in kept.items() if not k.endswith(MOVING)}
    partial = directory / "model.partial"
    save_file(kept, partial)
    partial.chmod(0o644)
    partial.replace(directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps(described, indent=2) + "\n")


def described_in(directory: Path) -> dict[str, Any]:
    """Return a checkpoint's config.json."""
    config = directory / "config.json"
    if not config.exists():
        raise ModelError(f"no model in {directory}: config.json is missing")
    try:
        described: dict[str, Any] = json.loads(config.read_text())
    except json.JSONDecodeError as error:
        raise ModelError(f"{config} is damaged ({error}); take it anew from where it came") from None
    return described


def fit(module: torch.nn.Module, state: dict[str, torch.Tensor], where: Path) -> None:
    """Load a state dict strictly.

    Raises
    ------
    ModelError
        In one line, where names or shapes are not those of the network.
    """
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        first = " ".join(str(error).split())[:160]
        raise ModelError(f"{where}: weights do not fit the configuration beside them ({first})") from None


class NanoSound:
    """The sounding half of a nano codec: codes to audio, without audiocraft (whose import takes seconds)."""

    def __init__(self, directory: Path, device: torch.device | None = None) -> None:
        described = described_in(directory)
        self.config = CodecConfig(**described["codec"])
        self.device = torch.device("cpu") if device is None else device
        state = {k: v.float().to(self.device) for k, v in load_tensors(directory / "model.safetensors").items()}
        self.books = [state[f"quantizer.vq.layers.{k}._codebook.embed"] for k in range(self.config.n_q)]
        self.decoder = SpectralDecoder(self.config).eval().to(self.device)
        own = {k.removeprefix("decoder."): v for k, v in state.items() if k.startswith("decoder.")}
        missing, unexpected = self.decoder.load_state_dict(own, strict=False)
        if unexpected or any(name != "window" for name in missing):
            raise ModelError(f"{directory}: weights do not fit config.json; take both from the same place")

    @torch.no_grad()
    def decode(self, codes: torch.Tensor) -> torch.Tensor:
        """Return audio (clips, 1, samples) of codes (clips, codebooks, frames)."""
        codes = codes.to(self.device)
        latent = torch.zeros((), device=self.device)
        for k, book in enumerate(self.books):
            latent = latent + book[codes[:, k]].transpose(1, 2)
        audio: torch.Tensor = self.decoder(latent)
        return audio
