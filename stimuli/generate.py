"""Make the stimuli of a study: generated per taste, model and seed, checked, levelled and hashed; or given files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.config import ModelsConfig
from models.weights import file_sha256
from stimuli.audio import deliver, delivery, load_mono
from stimuli.checks import NEAR_DUPLICATE, clipped_share, faults, fingerprint, nearest, silent_share, stuck_share
from stimuli.config import StimuliConfig, render_prompt
from stimuli.errors import StimulusError
from stimuli.given import take_given
from stimuli.manifest import FILE, ClipRow, keep_only, locked, read_manifest, update_manifest

if TYPE_CHECKING:
    from models.musicgen.generate import MusicGenerator, Sampling

Progress = Callable[[float, int, str], None]
MAX_TRIES = 4
RETRY = 500_000  # the seed of try n is shifted by RETRY + n
DUMMY_SEED = 0
PRINT_RATE = 16000


def clip_seed(config: StimuliConfig, taste: str, number: int) -> int:
    """Seed of a clip: the same for both models, so that a pair differs in the model alone."""
    place = [t.name for t in config.tastes].index(taste)
    return config.seed * 1_000_000 + place * 10_000 + number


@dataclass(frozen=True)
class _Set:
    """The clips of one taste and model: one prompt, one checkpoint."""

    taste: str
    model: str
    checkpoint: str
    sha256: str
    prompt: str
    settings: dict[str, Any]
    seeds: tuple[int, ...]

    def name(self, number: int) -> str:
        return f"{self.taste}-{self.model}-{number:03d}"

    @property
    def names(self) -> list[str]:
        return [self.name(n) for n in range(len(self.seeds))]

    def has(self, row: ClipRow | None, folder: Path) -> bool:
        """Whether a row is what this set asks for, and its file what the row says. Any batch size will do."""
        return (
            row is not None
            and (row.prompt, row.seed) == (self.prompt, self.seeds[row.number])
            and row.checkpoint_sha256 == self.sha256
            and {k: v for k, v in row.settings.items() if k != "batch"} == self.settings
            and (folder / row.file).is_file()
            and file_sha256(folder / row.file) == row.sha256
        )


def generate(
    config: StimuliConfig, models: ModelsConfig, folder: Path, progress: Progress | None = None
) -> list[ClipRow]:
    """Generate what is missing of a study's clips; finished ones are kept. Returns the whole manifest.

    A clip is made again when its prompt, seed, checkpoint or settings have changed, or its file has. Clip n always lies
    at place ``n % batch`` of a batch of one prompt and one fixed shape, missing neighbours being dummies, so that on
    one machine it is the same to the bit whether a set is made at once, in parts, or by several processes.
    """
    if config.source == "given":
        return take_given(config, folder, progress)
    from models.musicgen.generate import oracle_difference

    (folder / "clips").mkdir(parents=True, exist_ok=True)
    sets = _sets(config, models)
    checked: set[str] = set()
    done = 0
    for part in sets:
        rows = _rows(folder)
        missing = [n for n, name in enumerate(part.names) if not part.has(rows.get(name), folder)]
        if missing:
            if part.checkpoint not in checked:
                # Before anything is generated with a checkpoint, hold its engine against audiocraft.
                oracle_difference(_load(part, models)[0], part.prompt)
                checked.add(part.checkpoint)
            _fill(part, config, models, folder, missing, done, sum(len(s.seeds) for s in sets), progress)
        with locked(folder, f"{part.taste}-{part.model}"):
            _part_duplicates(part, config, models, folder)
        done += len(part.seeds)
        if progress:
            progress(done, sum(len(s.seeds) for s in sets), f"{part.taste}, {part.model}")
    return keep_only(folder, [name for part in sets for name in part.names])


def _sets(config: StimuliConfig, models: ModelsConfig) -> list[_Set]:
    from importlib.metadata import version

    from models.musicgen.generate import generator_sha256

    settings = {
        "top_k": models.top_k, "temperature": models.temperature, "guidance": models.guidance, "engine": models.engine,
        "precision": models.precision, **delivery(config), "torch": version("torch"),
    }  # fmt: skip
    return [
        _Set(
            taste.name,
            model,
            checkpoint,
            generator_sha256(checkpoint),
            render_prompt(taste, config.setting),
            settings,
            tuple(clip_seed(config, taste.name, n) for n in range(config.clips_per_taste)),
        )
        for model, checkpoint in (("base", models.base), ("finetuned", models.finetuned))
        for taste in config.tastes
    ]


def _rows(folder: Path) -> dict[str, ClipRow]:
    return {row.clip: row for row in (read_manifest(folder) if (folder / FILE).exists() else [])}


def _load(part: _Set, models: ModelsConfig) -> tuple[MusicGenerator, Sampling]:
    from models.musicgen.generate import Sampling, load_generator

    generator = load_generator(part.checkpoint, models.engine, models.precision)
    return generator, Sampling(models.top_k, models.temperature, models.guidance)


def _fill(
    part: _Set,
    config: StimuliConfig,
    models: ModelsConfig,
    folder: Path,
    missing: list[int],
    done: int,
    total: int,
    progress: Progress | None,
) -> None:
    """Make the missing clips of a set, batch by batch; a batch is made by one process, the others take the next."""
    from filelock import FileLock, Timeout

    generator, _ = _load(part, models)
    size = models.batch or generator.batch_size(config.seconds)
    batches = sorted({n // size for n in missing})
    (folder / ".locks").mkdir(exist_ok=True)
    for patience in (0, -1):  # first what nobody else works on, then wait for the others
        for batch in list(batches):
            claim = FileLock(folder / ".locks" / f"{part.taste}-{part.model}-{size}-{batch}.lock")
            try:
                held = claim.acquire(timeout=patience)
            except Timeout:
                continue
            with held:
                rows = _rows(folder)
                numbers = [n for n in missing if n // size == batch and not part.has(rows.get(part.name(n)), folder)]
                start = done + len(part.seeds) - len(missing) + sum(n // size < batch for n in missing)

                def stepped(step: int, steps: int, start: int = start, count: int = len(numbers)) -> None:
                    if progress and step % 25 == 0:
                        progress(start + count * step / steps, total, f"{part.taste}, {part.model}")

                if numbers:
                    update_manifest(folder, _make(part, config, models, folder, numbers, size, {}, stepped))
            batches.remove(batch)


def _make(
    part: _Set,
    config: StimuliConfig,
    models: ModelsConfig,
    folder: Path,
    numbers: list[int],
    size: int,
    tries: dict[int, list[str]],
    progress: Callable[[int, int], None] | None = None,
) -> list[ClipRow]:
    """Make clips of one batch, drawing again where one has a fault.

    `tries` holds, per number, why earlier tries were not kept; a try more shifts the seed, and the row says so.
    """
    generator, sampling = _load(part, models)
    reasons = {n: list(tries.get(n, [])) for n in numbers}
    made: list[ClipRow] = []
    todo = list(numbers)
    while todo:
        seeds = [DUMMY_SEED] * size
        for n in todo:
            seeds[n % size] = part.seeds[n] + (RETRY + len(reasons[n]) if reasons[n] else 0)
        codes, clips = generator.clips([part.prompt] * size, config.seconds, seeds, sampling, progress)
        again = []
        for n in todo:
            clip = clips[n % size]
            mono = clip.mean(axis=0)
            silent, clipped = silent_share(mono, generator.rate), clipped_share(mono)
            stuck = stuck_share(codes[n % size].numpy(), generator.engine.frame_rate)
            if found := faults(silent, stuck, clipped):
                reasons[n] += found[:1]
                again.append(n)
                if len(reasons[n]) >= MAX_TRIES:
                    told = ", ".join(reasons[n])
                    raise StimulusError(f"{part.prompt!r} gave {MAX_TRIES} unusable clips ({told}); reword the prompt")
                continue
            made.append(
                ClipRow(
                    clip=part.name(n),
                    taste=part.taste,
                    model=part.model,
                    number=n,
                    prompt=part.prompt,
                    seed=part.seeds[n],
                    checkpoint=part.checkpoint,
                    checkpoint_sha256=part.sha256,
                    settings={**part.settings, "batch": size},
                    checks={
                        "tries": len(reasons[n]) + 1,
                        "drawn_again": reasons[n],
                        "silent_share": round(silent, 4),
                        "stuck_share": round(stuck, 4),
                        "clipped_share": round(clipped, 6),
                    },
                    **deliver(clip, generator.rate, config, folder, part.name(n)),
                )
            )
        todo, progress = again, None
    return made


def _part_duplicates(part: _Set, config: StimuliConfig, models: ModelsConfig, folder: Path) -> None:
    """Draw the later one of two all but equal clips again, until there are none; the rows say how near the next is."""
    for _ in range(MAX_TRIES):
        rows = [r for name, r in sorted(_rows(folder).items()) if name in part.names]
        if len(rows) < 2 or all("nearest" in r.checks and r.checks.get("of") == len(rows) for r in rows):
            return
        prints = np.stack([fingerprint(load_mono(folder / r.file, PRINT_RATE), PRINT_RATE) for r in rows])
        closest, whose = nearest(prints)
        for row, value, other in zip(rows, closest, whose, strict=True):
            row.checks |= {"nearest": round(float(value), 4), "nearest_clip": rows[other].clip, "of": len(rows)}
        twins = [r for i, r in enumerate(rows) if closest[i] >= NEAR_DUPLICATE and whose[i] < i]
        if not twins:
            update_manifest(folder, rows)
            return
        for row in twins:
            earlier = [*row.checks["drawn_again"], "near-duplicate"]
            update_manifest(
                folder, _make(part, config, models, folder, [row.number], row.settings["batch"], {row.number: earlier})
            )
    raise StimulusError(f"{part.prompt!r} keeps giving all but equal clips; reword the prompt or raise temperature")
