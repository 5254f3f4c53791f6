"""Generate music from text with any MusicGen at hand: nano models and released checkpoints, on either engine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import torch

from models.devices import chosen
from models.errors import ModelError
from models.musicgen.checkpoints import find, generator_sha256
from models.musicgen.engines import Engine, TransformersEngine, load_engine
from models.musicgen.sampling import Progress, Sampling, sample_codes

BATCH = 8
# MusicGen was trained on 30 s; longer music is made window after window, each 12 s into what the one before made, as audiocraft does.
WINDOW, STRIDE = 30.0, 18.0
__all__ = ["MusicGenerator", "Sampling", "generator_sha256", "load_blend", "load_generator"]


@dataclass
class MusicGenerator:
    """A checkpoint on an engine; `sha256` identifies its weights and codec, `name` is what the study calls it."""

    name: str
    engine: Engine
    sha256: str

    @property
    def rate(self) -> int:
        """Sampling rate of the generated audio in Hz."""
        return self.engine.rate

    def codes(
        self,
        prompts: list[str],
        frames: int,
        seeds: list[int],
        sampling: Sampling | None = None,
        progress: Progress | None = None,
        heard: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Sample codes (clips, codebooks, frames): one clip a prompt, each from a generator of its own.

        With `heard` (clips, codebooks, fewer frames) clips begin with these codes, and go on from them. Over 30 s the last 12 of each
        window are what the next one goes on from (audiocraft's ``extend_stride``).

        Raises
        ------
        ModelError
            If more is heard than one window holds.
        """
        sampling = sampling or Sampling()
        window, stride = (int(seconds * self.engine.frame_rate) for seconds in (WINDOW, STRIDE))
        if heard is not None and heard.shape[-1] >= min(window, frames):
            raise ModelError(f"{heard.shape[-1]} frames are heard of {frames}; a window holds {window}")
        if frames <= window:
            return self._window(prompts, frames, seeds, sampling, progress, heard)
        draws = [torch.Generator().manual_seed(seed) for seed in seeds]
        made = [] if heard is None else [heard]
        offset = 0
        while offset + (0 if heard is None else heard.shape[-1]) < frames:
            size, there = min(frames - offset, window), offset + (0 if heard is None else heard.shape[-1])

            def told(step: int, steps: int, behind: int = offset, there: int = there, size: int = size) -> None:
                if progress:
                    progress(max(there, behind + min(step, size)), frames)

            codes = self._window(prompts, size, draws, sampling, told, heard)
            made.append(codes if heard is None else codes[..., heard.shape[-1] :])
            heard = codes[..., stride:]
            offset += stride
        return torch.cat(made, dim=-1)

    def _window(
        self,
        prompts: list[str],
        frames: int,
        seeds: Sequence[int | torch.Generator],
        sampling: Sampling,
        progress: Progress | None,
        heard: torch.Tensor | None,
    ) -> torch.Tensor:
        with self.engine.start(prompts, sampling.guidance != 1, frames + max(self.engine.delays)) as step:
            return sample_codes(step, self.engine.delays, self.engine.special, frames, seeds, sampling, progress, heard)

    def sound(self, codes: torch.Tensor, seconds: float) -> np.ndarray:
        """Decode codes to audio (clips, channels, samples), float32, exactly ``round(seconds * rate)`` samples."""
        audio = self.engine.decode(codes)
        return audio[..., : round(seconds * self.rate)].float().cpu().numpy()

    def clips(
        self,
        prompts: list[str],
        seconds: float,
        seeds: list[int],
        sampling: Sampling | None = None,
        progress: Progress | None = None,
    ) -> tuple[torch.Tensor, np.ndarray]:
        """Generate one clip a prompt and seed; returns codes (clips, codebooks, frames) and audio as `generate`."""
        codes = self.codes(prompts, int(np.ceil(seconds * self.engine.frame_rate)), seeds, sampling, progress)
        return codes, self.sound(codes, seconds)

    def generate(
        self,
        prompt: str | list[str],
        seconds: float,
        seeds: list[int],
        sampling: Sampling | None = None,
        progress: Progress | None = None,
    ) -> np.ndarray:
        """Generate one clip a seed, for one prompt or a prompt each.

        Returns
        -------
        ndarray
            (clips, channels, samples), float32, exactly ``round(seconds * rate)`` samples.
        """
        prompts = [prompt] * len(seeds) if isinstance(prompt, str) else prompt
        return self.clips(prompts, seconds, seeds, sampling, progress)[1]

    def batch_size(self, seconds: float) -> int:
        """Clips at a time: 8, or fewer where their caches would take over a quarter of the machine's memory, or the card's."""
        import psutil

        steps = int(np.ceil(min(seconds, WINDOW) * self.engine.frame_rate)) + max(self.engine.delays)
        on_card = self.engine.device.type == "cuda"
        memory = torch.cuda.mem_get_info(self.engine.device)[1] if on_card else psutil.virtual_memory().total
        limit = memory / 4 / max(1, self.engine.cache_bytes * steps)
        return max(1, min(BATCH, 1 << int(np.log2(max(1.0, limit)))))


@lru_cache(maxsize=3)
def load_generator(
    name: str, engine: str = "transformers", precision: str = "float32", device: str = "auto"
) -> MusicGenerator:
    """Load a MusicGen by shipped or pulled name, or from a directory in nano, audiocraft's or transformers' format.

    `device` is a name of `models.devices`.
    """
    checkpoint = find(name)
    return MusicGenerator(name, load_engine(checkpoint, engine, precision, device), checkpoint.sha256)


def blend_sha256(source: str, to: str, share: float) -> str:
    """Fingerprint of a blend, known from its ends and its share without loading them."""
    return hashlib.sha256(f"{find(source).sha256} {find(to).sha256} {share!r}".encode()).hexdigest()


@lru_cache(maxsize=3)
def load_blend(source: str, to: str, share: float, precision: str = "float32", device: str = "auto") -> MusicGenerator:
    """Load a model whose weights lie between those of two checkpoints of one layout: `share` of the second.

    Raises
    ------
    ModelError
        If the two do not have the same tensors, codebooks and codec.
    """
    engine = TransformersEngine(find(source), precision, (find(to), share), chosen(device))
    return MusicGenerator(f"{source} and {share:g} of {to}", engine, blend_sha256(source, to, share))
