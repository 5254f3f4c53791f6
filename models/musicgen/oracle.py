"""Hold an engine against audiocraft itself on the same checkpoint: logits of a few steps, codes under the same draws, their sound.

Logits alone do not hear the codec: an EnCodec that is taken to be causal gets the same codes and makes other audio.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch

from models.errors import ModelError
from models.musicgen.checkpoints import Checkpoint, find
from models.musicgen.engines import Engine, TransformersEngine
from models.musicgen.generate import MusicGenerator
from models.musicgen.sampling import Sampling
from models.weights import load_pickle

STEPS = 6
TOLERANCE = 1e-3  # of logits, whose spread is around one
FRAMES = 12  # of random codes whose sound is compared
AUDIO_TOLERANCE = 1e-4  # of the peak


@dataclass(frozen=True)
class Second:
    """Music of one prompt and seed on both engines: how many of its codes are the same, and how far the sound of ours differs.

    `audio` is the largest difference between the two codecs' sound of the engine's codes, of their peak, which is `peak`.
    """

    same: int
    codes: int
    audio: float
    peak: float


def oracle_of(generator: MusicGenerator) -> Engine | None:
    """audiocraft's engine for a generator's checkpoint, its codec read by audiocraft's own loader.

    None where there is nothing to compare: no audiocraft (no extra has it), another precision or engine, or not enough memory
    for a second copy.
    """
    from importlib.util import find_spec

    import psutil

    from models.musicgen.engines import AudiocraftEngine

    if find_spec("audiocraft") is None:
        return None
    engine, checkpoint = generator.engine, find(generator.name)
    size = sum(path.stat().st_size for path in checkpoint.files)
    if not isinstance(engine, TransformersEngine) or engine.decoder.precision != "float32":
        return None
    if psutil.virtual_memory().available < 3 * size:
        return None
    theirs = AudiocraftEngine(checkpoint, engine.device)
    if checkpoint.format == "audiocraft":
        theirs.codec = _own_codec(checkpoint, theirs.codec).to(engine.device)
    return theirs


def _own_codec(checkpoint: Checkpoint, built: Any) -> Any:
    """The codec of a checkpoint in audiocraft's format by audiocraft's loader, in place of one `built` from what we read.

    A codec that is only named would be downloaded by it: `built` is transformers' own then, as audiocraft has it.
    """
    from audiocraft.models.encodec import InterleaveStereoCompressionModel
    from audiocraft.models.loaders import load_compression_model

    if "pretrained" in load_pickle(checkpoint.files[1]):
        return built
    codec = load_compression_model(checkpoint.files[1])
    if isinstance(built, InterleaveStereoCompressionModel):
        codec = InterleaveStereoCompressionModel(codec, per_timestep=built.per_timestep)
    return codec.eval()


def oracle_difference(generator: MusicGenerator, prompt: str) -> float | None:
    """Largest difference of the engine's logits from audiocraft's, over a few steps of random tokens for a prompt.

    None where there is nothing to compare. The sound of random codes is compared too.

    Raises
    ------
    ModelError
        If they differ by more than rounding: then one of the engines misreads this checkpoint.
    """
    theirs = oracle_of(generator)
    return None if theirs is None else _differ(generator, theirs, prompt)


@torch.no_grad()
def _differ(generator: MusicGenerator, theirs: Engine, prompt: str) -> float:
    engine = generator.engine
    draws = torch.Generator().manual_seed(0)
    tokens = torch.randint(0, engine.special + 1, (STEPS, 1, len(engine.delays)), generator=draws)
    found = []
    for one in (engine, theirs):
        with one.start([prompt], True, STEPS) as step:
            found.append(torch.stack([step(t).float().cpu() for t in tokens]))
    difference = float((found[0] - found[1]).abs().max())
    if not difference <= TOLERANCE:
        raise ModelError(
            f"{generator.name}: the transformers engine's logits are off audiocraft's by {difference:.2g}; "
            "use engine = 'audiocraft' in [models] and report this"
        )
    codes = torch.randint(0, engine.special, (1, len(engine.delays), FRAMES), generator=draws)
    audio, _ = _sound_differs(engine, theirs, codes)
    if not audio <= AUDIO_TOLERANCE:
        raise ModelError(
            f"{generator.name}: the transformers engine makes other sound of the same codes than audiocraft (off by {audio:.2g} of "
            "the peak); use engine = 'audiocraft' in [models] and report this"
        )
    return difference


def _sound_differs(engine: Engine, theirs: Engine, codes: torch.Tensor) -> tuple[float, float]:
    """How far two engines' sound of codes differs, of its peak, and the peak."""
    ours, other = (one.decode(codes).float().cpu() for one in (engine, theirs))
    if ours.shape != other.shape:
        return float("inf"), float(other.abs().max())
    peak = float(other.abs().max())
    return float((ours - other).abs().max()) / max(peak, 1e-9), peak


@torch.no_grad()
def one_second(generator: MusicGenerator, prompt: str, seconds: float = 1.0) -> tuple[float, Second] | None:
    """Logits' difference, and a second of music of a prompt by both engines under the same draws; None as `oracle_difference`.

    Raises
    ------
    ModelError
        If they differ by more than rounding.
    """
    theirs = oracle_of(generator)
    if theirs is None:
        return None
    difference = _differ(generator, theirs, prompt)
    other = MusicGenerator(generator.name, theirs, generator.sha256)
    frames = max(1, round(seconds * generator.engine.frame_rate))
    codes, wanted = (one.codes([prompt], frames, [0], Sampling()) for one in (generator, other))
    audio, peak = _sound_differs(generator.engine, theirs, codes)
    if not audio <= AUDIO_TOLERANCE:
        raise ModelError(f"{generator.name}: a second of music differs from audiocraft's by {audio:.2g} of the peak")
    return difference, Second(int((codes == wanted).sum()), codes.numel(), audio, peak)
