"""Where the music of a condition comes from, behind one interface: ``clips(prompts, seconds, seeds)``.

A checkpoint and a blend of two draw a clip from a prompt and a seed; a folder of tracks gives the middle of the track whose
number the seed is.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, Protocol

import numpy as np

from models.conditions import Condition
from models.config import ModelsConfig
from models.weights import file_sha256
from stimuli.checks import stuck_share
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.recordings import finite, opened, settled
from stimuli.tracks import Track, too_short

if TYPE_CHECKING:
    from models.musicgen.generate import MusicGenerator

Stepped = Callable[[int, int], None]


class Sound(NamedTuple):
    """Clips as a source gives them.

    Attributes
    ----------
    audio : ndarray
        float32 (clips, channels, samples) in [-1, 1].
    rate : int
        Hz.
    stuck : tuple of float
        Share of a clip in which its model repeats itself (`stimuli.checks.stuck_share`); nothing of what is no model's.
    """

    audio: np.ndarray
    rate: int
    stuck: tuple[float, ...] = ()


class Source(Protocol):
    """Music of one condition."""

    def clips(
        self, prompts: Sequence[str], seconds: float, seeds: Sequence[int], progress: Stepped | None = None
    ) -> Sound:
        """One clip a prompt and seed."""


@dataclass(frozen=True)
class Model:
    """Music drawn by a checkpoint, or by a blend of two (`toward` and its `share`)."""

    settings: ModelsConfig
    checkpoint: str
    toward: str = ""
    share: float = 0.0

    @classmethod
    def of(cls, condition: Condition, models: ModelsConfig) -> Model:
        """The model of a condition that has one."""
        if condition.blend is None:
            return cls(models, str(condition.checkpoint))
        blend = condition.blend
        source, to = (str(models.condition(name).checkpoint) for name in (blend.source, blend.to))
        return cls(models, source, to, blend.share)

    @property
    def name(self) -> str:
        """What the manifest calls it."""
        return f"{self.checkpoint} and {self.share:g} of {self.toward}" if self.toward else self.checkpoint

    @property
    def sha256(self) -> str:
        """Fingerprint of its weights and codec; known without loading them."""
        from models.musicgen.generate import blend_sha256, generator_sha256

        if self.toward:
            return blend_sha256(self.checkpoint, self.toward, self.share)
        return generator_sha256(self.checkpoint)

    def load(self) -> MusicGenerator:
        """The networks; they stay loaded.

        Raises
        ------
        ModelError
            If they are not there, or the two of a blend do not have one layout.
        """
        from models.musicgen.generate import load_blend, load_generator

        if self.toward:
            s = self.settings
            return load_blend(self.checkpoint, self.toward, self.share, s.precision, s.device)
        return load_generator(self.checkpoint, self.settings.engine, self.settings.precision, self.settings.device)

    def hold_against_audiocraft(self, prompt: str, checked: set[str]) -> None:
        """Compare the engine with audiocraft on each checkpoint once, before anything is made with it."""
        from models.musicgen.generate import load_generator
        from models.musicgen.oracle import oracle_difference

        s = self.settings
        for name in filter(None, (self.checkpoint, self.toward)):
            if name not in checked:
                oracle_difference(load_generator(name, s.engine, s.precision, s.device), prompt)
                checked.add(name)

    def clips(
        self, prompts: Sequence[str], seconds: float, seeds: Sequence[int], progress: Stepped | None = None
    ) -> Sound:
        """One clip a prompt and seed."""
        from models.musicgen.generate import Sampling

        generator = self.load()
        sampling = Sampling(self.settings.top_k, self.settings.temperature, self.settings.guidance)
        codes, audio = generator.clips(list(prompts), seconds, list(seeds), sampling, progress)
        frames = generator.engine.frame_rate
        return Sound(audio, generator.rate, tuple(stuck_share(c.numpy(), frames) for c in codes))


@dataclass(frozen=True)
class Tracks:
    """Music as it lies in files: track n for seed n; prompts say nothing to it."""

    tracks: tuple[Track, ...]

    def clips(
        self, prompts: Sequence[str], seconds: float, seeds: Sequence[int], progress: Stepped | None = None
    ) -> Sound:
        """The middle of each track; all must have one sampling rate and as many channels.

        Raises
        ------
        StimulusError
            If a track is no audio, or shorter than a clip.
        """
        parts, rates = [], []
        for n in seeds:
            path = self.tracks[n].path
            with opened(path) as file:
                rates.append(file.samplerate)
                start = max(0, (file.frames - round(seconds * file.samplerate)) // 2)
                file.seek(start)
                part = file.read(round(seconds * file.samplerate))
            if problem := too_short(path, start + len(part), rates[-1], seconds):
                raise StimulusError(problem)
            part = settled(finite(part, rates[-1], str(path), start / rates[-1]))
            parts.append(part.T)
        if len({(p.shape[0], rate) for p, rate in zip(parts, rates, strict=True)}) > 1:
            raise StimulusError("tracks of several sampling rates or numbers of channels can't be read at once")
        return Sound(np.stack(parts), rates[0])

    def sha256(self, n: int) -> str:
        """Fingerprint of a track's file."""
        return file_sha256(self.tracks[n].path)


def other_taste(config: StimuliConfig, taste: str, number: int) -> str:
    """The taste from whose prompt a clip of a wrong-prompt condition is made: clip after clip the next of the others.

    Raises
    ------
    StimulusError
        If the study has no other taste.
    """
    names = [t.name for t in config.tastes]
    if len(names) < 2:
        raise StimulusError("prompts_of = 'other tastes' needs a study of two tastes at least")
    place = names.index(taste)
    return names[(place + 1 + number % (len(names) - 1)) % len(names)]
