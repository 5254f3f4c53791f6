"""Generate music from text with any MusicGen that audiocraft can hold: the nano models and released checkpoints."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from models.errors import ModelError
from models.musicgen.codec import CodecConfig, build_codec
from models.musicgen.language import LanguageConfig, build_language_model
from models.weights import file_sha256, weights_directory

if TYPE_CHECKING:
    from audiocraft.models.encodec import CompressionModel
    from audiocraft.models.lm import LMModel

CODEC = "codec-nano"
MOVING = ("embed_avg", "cluster_size")


@dataclass(frozen=True)
class Sampling:
    """How tokens are drawn: from the `top_k` likeliest, at `temperature`, with classifier-free `guidance`."""

    top_k: int = 120
    temperature: float = 0.95
    guidance: float = 2.2


@dataclass
class MusicGenerator:
    """A language model over codes and the codec that sounds them.

    `sha256` identifies the weights of both; `name` is what the study calls the checkpoint.
    """

    name: str
    lm: LMModel
    codec: CompressionModel
    sha256: str

    @property
    def rate(self) -> int:
        """Sampling rate of the generated audio in Hz."""
        return int(self.codec.sample_rate)

    @torch.no_grad()
    def generate(
        self,
        prompt: str | list[str],
        seconds: float,
        seeds: list[int],
        sampling: Sampling | None = None,
        progress: Callable[[int, int], None] | None = None,
    ) -> np.ndarray:
        """Generate one clip a seed, for one prompt or a prompt each; each clip draws from a generator of its own.

        Returns
        -------
        ndarray
            (clips, channels, samples), float32, exactly ``round(seconds * rate)`` samples.
        """
        frames = int(np.ceil(seconds * self.codec.frame_rate))
        codes = sample_codes(self.lm, prompt, frames, seeds, sampling or Sampling(), progress)
        audio = self.codec.decode(codes, None)
        return audio[..., : round(seconds * self.rate)].float().numpy()


@torch.no_grad()
def sample_codes(
    lm: LMModel,
    prompt: str | list[str],
    frames: int,
    seeds: list[int],
    sampling: Sampling,
    progress: Callable[[int, int], None] | None = None,
) -> torch.Tensor:
    """Sample codes (clips, codebooks, frames) by the delay pattern of the model.

    audiocraft's own loop draws from one global generator; here clip i draws from a generator seeded with ``seeds[i]``,
    so that a clip does not depend on what else is generated beside it.
    """
    from audiocraft.modules.conditioners import ClassifierFreeGuidanceDropout, ConditioningAttributes

    n = len(seeds)
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    prompts = [prompt] * n if isinstance(prompt, str) else prompt
    conditions = [ConditioningAttributes(text={"description": text}) for text in prompts]
    conditions = conditions + ClassifierFreeGuidanceDropout(p=1.0)(conditions)
    tensors = lm.condition_provider(lm.condition_provider.tokenize(conditions))
    pattern = lm.pattern_provider.get_pattern(frames)
    unknown = torch.full((n, lm.num_codebooks, frames), -1, dtype=torch.long)
    sequence, _, mask = pattern.build_pattern_sequence(unknown, lm.special_token_id)
    steps = sequence.shape[-1]
    with lm.streaming():
        for step in range(1, steps):
            now = sequence[..., step - 1 : step]
            logits = lm(torch.cat([now, now]), conditions=[], condition_tensors=tensors)[:, :, -1]
            conditional, free = logits.chunk(2)
            drawn = _draw(free + sampling.guidance * (conditional - free), sampling, generators)
            valid = mask[:, step]
            sequence[:, valid, step] = drawn[:, valid]
            if progress:
                progress(step, steps - 1)
    codes, _, _ = pattern.revert_pattern_sequence(sequence, special_token=-1)
    return codes[..., :frames]


def _draw(logits: torch.Tensor, sampling: Sampling, generators: list[torch.Generator]) -> torch.Tensor:
    """Draw one token per clip and codebook from logits (clips, codebooks, cards)."""
    k = min(sampling.top_k, logits.shape[-1])
    values, places = torch.topk(logits.float() / sampling.temperature, k, dim=-1)
    weights = torch.softmax(values, dim=-1)
    chosen = [torch.multinomial(w, 1, generator=g) for w, g in zip(weights, generators, strict=True)]
    return torch.gather(places, -1, torch.stack(chosen))[..., 0]


@lru_cache(maxsize=2)
def load_codec(directory: Path | None = None) -> Any:
    """Load a nano codec from its directory (config.json, model.safetensors); default: the shipped one."""
    from safetensors.torch import load_file

    directory = directory or weights_directory(CODEC)
    described = _described(directory)
    codec = build_codec(CodecConfig(**described["codec"]))
    state = {k: v.float() for k, v in load_file(directory / "model.safetensors").items()}
    missing, unexpected = codec.load_state_dict(state, strict=False)
    if unexpected or any(not name.endswith(MOVING) for name in missing):
        raise ModelError(f"{directory}: weights do not fit config.json; take both from the same place")
    return codec.eval()


def save_codec(codec: Any, config: CodecConfig, directory: Path, dtype: torch.dtype = torch.float16) -> None:
    """Write a codec's weights as safetensors beside a JSON config."""
    _save(directory, codec.state_dict(), {"kind": "codec", "codec": config.to_dict()}, dtype)


def load_language_model(directory: Path) -> Any:
    """Load a nano language model from its directory."""
    from safetensors.torch import load_file

    described = _described(directory)
    lm = build_language_model(LanguageConfig(**described["language"]))
    lm.load_state_dict({k: v.float() for k, v in load_file(directory / "model.safetensors").items()})
    return lm.eval()


def save_language_model(
    lm: LMModel, config: LanguageConfig, directory: Path, dtype: torch.dtype = torch.float16
) -> None:
    """Write a language model's weights as safetensors beside a JSON config that names its codec."""
    described = {"kind": "language", "language": config.to_dict(), "codec": CODEC, "text": "all-MiniLM-L6-v2"}
    _save(directory, lm.state_dict(), described, dtype)


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


def _described(directory: Path) -> dict[str, Any]:
    config = directory / "config.json"
    if not config.exists():
        raise ModelError(f"no model in {directory}: config.json is missing")
    described: dict[str, Any] = json.loads(config.read_text())
    return described


def _checkpoint(name: str) -> tuple[Path, list[Path]]:
    """Directory of a model and the files that its weights are in.

    Raises
    ------
    ModelError
        If there is no such model, saying which there are and which files were looked for.
    """
    directory = Path(name)
    if not directory.is_dir():
        directory = weights_directory(name)
    if (directory / "config.json").exists() and (directory / "model.safetensors").exists():
        kind = _described(directory).get("kind", "transformers model")
        if kind != "language":
            raise ModelError(f"{directory} holds a {kind}, not a nano MusicGen")
        return directory, [directory / "model.safetensors", weights_directory(CODEC) / "model.safetensors"]
    states = [directory / "state_dict.bin", directory / "compression_state_dict.bin"]
    if all(p.exists() for p in states):
        return directory, states
    raise ModelError(
        f"{directory} holds neither a nano model (config.json, model.safetensors) nor audiocraft's "
        "(state_dict.bin, compression_state_dict.bin)"
    )


def generator_sha256(name: str) -> str:
    """Fingerprint of a model's weights and its codec's, without loading them."""
    return hashlib.sha256("".join(file_sha256(p) for p in _checkpoint(name)[1]).encode()).hexdigest()


@lru_cache(maxsize=3)
def load_generator(name: str) -> MusicGenerator:
    """Load a MusicGen by shipped name, or from a directory in the nano or in audiocraft's format."""
    directory, files = _checkpoint(name)
    sha256 = generator_sha256(name)
    if files[0].name == "model.safetensors":
        return MusicGenerator(name, load_language_model(directory), load_codec(), sha256)
    from audiocraft.models import MusicGen

    loaded = MusicGen.get_pretrained(str(directory), device="cpu")
    return MusicGenerator(name, loaded.lm, loaded.compression_model, sha256)
