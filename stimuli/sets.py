"""What a study's clips are, before any is made: sets by taste and condition, each clip with its prompt, its seed and its name."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from models.conditions import Condition
from models.config import ModelsConfig
from models.weights import file_sha256
from stimuli.audio import delivery
from stimuli.config import StimuliConfig, render_prompt
from stimuli.errors import StimulusError
from stimuli.manifest import ClipRow
from stimuli.names import opaque
from stimuli.sources import Model, Tracks, other_taste
from stimuli.tracks import tracks_in

RETRY = 500_000  # apart lie the seeds of a clip's tries: no try of one clip is a try of another
ELSEWHERE = ("batch", "device")  # settings that another machine may have otherwise: what is there stays


def clip_seed(config: StimuliConfig, taste: str, number: int) -> int:
    """Seed of a clip: the same in every condition, so that a pair differs in the condition alone."""
    place = [t.name for t in config.tastes].index(taste)
    return config.seed * 1_000_000 + place * 10_000 + number


def tried(seed: int, times: int, among: bool = False) -> int:
    """The seed with which a clip is drawn after it was drawn so many times.

    Of `among` candidates those after the first have seeds from anywhere: shifted ones would be those of a study with another seed.
    """
    if among and times:
        return int.from_bytes(sha256(f"{seed}, drawing {times}".encode()).digest()[:7])
    return seed + (times * RETRY + 1 if times else 0)


@dataclass(frozen=True)
class ClipSet:
    """The clips of one taste and condition that a model makes; a prompt and a seed a clip."""

    taste: str
    condition: str
    model: Model
    sha256: str
    prompts: tuple[str, ...]
    prompts_of: tuple[str | None, ...]
    settings: dict[str, Any]
    seeds: tuple[int, ...]
    names: tuple[str, ...]
    candidates: int = 1
    asks: tuple[dict[str, int], ...] = ()

    def asked(self, n: int) -> dict[str, int]:
        """By what candidates for clip n are chosen; nothing where it is drawn once."""
        return self.asks[n] if self.asks else {}

    def settings_of(self, n: int) -> dict[str, Any]:
        """What clip n is made with."""
        chosen = {"candidates": self.candidates, "asks": self.asked(n)}
        return self.settings | (chosen if self.asked(n) else {})

    @property
    def title(self) -> str:
        """What progress is told under."""
        return f"{self.taste}, {self.condition}"

    def has(self, row: ClipRow | None, folder: Path, heard: bool = True) -> bool:
        """Whether a row is what this set asks for, and its file what the row says. Any batch size and device will do."""
        return (
            row is not None
            and (row.prompt, row.seed) == (self.prompts[row.number], self.seeds[row.number])
            and row.checkpoint_sha256 == self.sha256
            and {k: v for k, v in row.settings.items() if k not in ELSEWHERE} == self.settings_of(row.number)
            and as_made(row, folder, heard)
        )


@dataclass(frozen=True)
class TrackSet:
    """The clips of a condition that are tracks; name and fingerprint of each."""

    condition: str
    source: Tracks
    names: tuple[str, ...]
    sha256: tuple[str, ...]
    settings: dict[str, Any]

    def has(self, n: int, row: ClipRow | None, folder: Path, heard: bool = True) -> bool:
        """Whether a row is of track n as it is delivered here, and its file what the row says."""
        return (
            row is not None
            and (row.checkpoint_sha256, row.settings) == (self.sha256[n], self.settings)
            and as_made(row, folder, heard)
        )


def parts_of(
    condition: Condition, config: StimuliConfig, models: ModelsConfig, rows: dict[str, ClipRow]
) -> list[ClipSet | TrackSet]:
    """What a condition consists of. Clips that are there keep their names, whatever version gave them."""
    known = {(r.taste, r.model, r.number): name for name, r in rows.items()}

    def name(taste: str, number: int) -> str:
        made = opaque(config.seed, condition.name, taste, number)
        return known.get((taste, condition.name, number), made)

    if condition.tracks is not None:
        earlier = {str(r.checkpoint): (r.taste, r.number) for r in rows.values() if r.model == condition.name}
        tracks = tuple(tracks_in(condition.tracks, [t.name for t in config.tastes], earlier))
        source = Tracks(tracks)
        digests = tuple(source.sha256(n) for n in range(len(tracks)))
        names = tuple(name(t.taste, t.number) for t in tracks)
        return [TrackSet(condition.name, source, names, digests, delivery(config))]
    from importlib.metadata import version

    settings = {
        "top_k": models.top_k, "temperature": models.temperature, "guidance": models.guidance, "engine": models.engine,
        "precision": models.precision, **delivery(config), "torch": version("torch"),
    }  # fmt: skip
    model, numbers = Model.of(condition, models), range(config.clips_per_taste)
    sets: list[ClipSet | TrackSet] = []
    for taste in config.tastes:
        of = tuple(other_taste(config, taste.name, n) if condition.prompts_of else None for n in numbers)
        asking = [config.taste(other or taste.name) for other in of]
        sets.append(
            ClipSet(
                taste=taste.name,
                condition=condition.name,
                model=model,
                sha256=model.sha256,
                prompts=tuple(render_prompt(t, config.setting) for t in asking),
                prompts_of=of,
                settings=settings,
                seeds=tuple(clip_seed(config, taste.name, n) for n in numbers),
                names=tuple(name(taste.name, n) for n in numbers),
                candidates=config.candidates,
                asks=tuple(map(config.asks, asking)),
            )
        )
    return sets


def refuse_doubles(parts: list[ClipSet | TrackSet]) -> None:
    """Refuse conditions with the same music before any is made: one fingerprint, prompt and seed, or one track."""
    made: dict[tuple[object, ...], str] = {}
    for part in parts:
        keys: list[tuple[object, ...]]
        if isinstance(part, TrackSet):
            keys = [(digest,) for digest in part.sha256]
        else:
            keys = [(part.sha256, *what) for what in zip(part.prompts, part.seeds, strict=True)]
        for key in keys:
            other = made.setdefault(key, part.condition)
            if other != part.condition:
                raise StimulusError(f"conditions {other!r} and {part.condition!r} have the same music; leave one out")


def as_made(row: ClipRow, folder: Path, heard: bool = True) -> bool:
    """Whether the file is as it was made; where it is not `heard`, whether it is there."""
    return (folder / row.file).is_file() and (not heard or file_sha256(folder / row.file) == row.sha256)
