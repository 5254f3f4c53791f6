"""Make the stimuli of a study: every condition's clips, checked, levelled and hashed; what is there already stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.conditions import Condition
from models.config import ModelsConfig
from models.devices import called, fitting
from models.weights import file_sha256
from stimuli.audio import deliver, delivery, load_mono
from stimuli.checks import NEAR_DUPLICATE, clipped_share, faults, fingerprint, nearest, silent_share
from stimuli.config import StimuliConfig, render_prompt
from stimuli.errors import StimulusError
from stimuli.manifest import FILE, ClipRow, keep_only, locked, read_manifest, update_manifest
from stimuli.names import opaque
from stimuli.sources import Model, Tracks, other_taste
from stimuli.tracks import tracks_in

Progress = Callable[[float, int, str], None]
MAX_TRIES = 4
RETRY = 500_000  # apart lie the seeds of a clip's tries: no try of one clip is a try of another
DUMMY_SEED = 0
PRINT_RATE = 16000
ELSEWHERE = ("batch", "device")  # settings that another machine may have otherwise: what is there stays


def clip_seed(config: StimuliConfig, taste: str, number: int) -> int:
    """Seed of a clip: the same in every condition, so that a pair differs in the condition alone."""
    place = [t.name for t in config.tastes].index(taste)
    return config.seed * 1_000_000 + place * 10_000 + number


def tried(seed: int, times: int) -> int:
    """The seed with which a clip is drawn after it was drawn so many times."""
    return seed + (times * RETRY + 1 if times else 0)


@dataclass(frozen=True)
class _Set:
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

    @property
    def title(self) -> str:
        """What progress is told under."""
        return f"{self.taste}, {self.condition}"

    def has(self, row: ClipRow | None, folder: Path) -> bool:
        """Whether a row is what this set asks for, and its file what the row says. Any batch size and device will do."""
        return (
            row is not None
            and (row.prompt, row.seed) == (self.prompts[row.number], self.seeds[row.number])
            and row.checkpoint_sha256 == self.sha256
            and {k: v for k, v in row.settings.items() if k not in ELSEWHERE} == self.settings
            and _as_made(row, folder)
        )


@dataclass(frozen=True)
class _Tracks:
    """The clips of a condition that are tracks; name and fingerprint of each."""

    condition: str
    source: Tracks
    names: tuple[str, ...]
    sha256: tuple[str, ...]


def generate(
    config: StimuliConfig, models: ModelsConfig, folder: Path, progress: Progress | None = None
) -> list[ClipRow]:
    """Make what is missing of a study's clips, condition after condition; finished ones are kept. Returns the manifest.

    A clip is made again when its prompt, seed, checkpoint, track or settings have changed, or its file has. Clip n always
    lies at place ``n % batch`` of a batch of one taste and one fixed shape, missing neighbours being dummies, so that on
    one machine and number of threads it is the same to the bit whether a set is made at once, in parts, or by several processes.

    Raises
    ------
    StimulusError
        If two conditions have the same music, or a model or folder gives nothing usable.
    """
    there = _rows(folder)
    parts = [part for c in models.conditions for part in _parts(c, config, models, there)]
    _refuse_doubles(parts)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    total, done = sum(len(part.names) for part in parts), 0
    checked: set[str] = set()
    for part in parts:
        if isinstance(part, _Tracks):
            _take(part, config, folder, done, total, progress)
        else:
            rows = _rows(folder)
            missing = [n for n, name in enumerate(part.names) if not part.has(rows.get(name), folder)]
            if missing:
                part.model.hold_against_audiocraft(part.prompts[0], checked)
                _fill(part, config, folder, missing, done, total, progress)
            with locked(folder, f"{part.taste}-{part.condition}"):
                _part_duplicates(part, config, folder)
        done += len(part.names)
        if progress and isinstance(part, _Set):
            progress(done, total, part.title)
    rows_now = keep_only(folder, [name for part in parts for name in part.names])
    _refuse_one_audio(rows_now)
    return rows_now


def _parts(
    condition: Condition, config: StimuliConfig, models: ModelsConfig, rows: dict[str, ClipRow]
) -> list[_Set | _Tracks]:
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
        return [_Tracks(condition.name, source, tuple(name(t.taste, t.number) for t in tracks), digests)]
    from importlib.metadata import version

    settings = {
        "top_k": models.top_k, "temperature": models.temperature, "guidance": models.guidance, "engine": models.engine,
        "precision": models.precision, **delivery(config), "torch": version("torch"),
    }  # fmt: skip
    model, numbers = Model.of(condition, models), range(config.clips_per_taste)
    sets: list[_Set | _Tracks] = []
    for taste in config.tastes:
        of = tuple(other_taste(config, taste.name, n) if condition.prompts_of else None for n in numbers)
        sets.append(
            _Set(
                taste=taste.name,
                condition=condition.name,
                model=model,
                sha256=model.sha256,
                prompts=tuple(render_prompt(config.taste(other or taste.name), config.setting) for other in of),
                prompts_of=of,
                settings=settings,
                seeds=tuple(clip_seed(config, taste.name, n) for n in numbers),
                names=tuple(name(taste.name, n) for n in numbers),
            )
        )
    return sets


def _refuse_doubles(parts: list[_Set | _Tracks]) -> None:
    """Refuse conditions with the same music before any is made: one fingerprint, prompt and seed, or one track."""
    made: dict[tuple[object, ...], str] = {}
    for part in parts:
        keys: list[tuple[object, ...]]
        if isinstance(part, _Tracks):
            keys = [(digest,) for digest in part.sha256]
        else:
            keys = [(part.sha256, *what) for what in zip(part.prompts, part.seeds, strict=True)]
        for key in keys:
            other = made.setdefault(key, part.condition)
            if other != part.condition:
                raise StimulusError(f"conditions {other!r} and {part.condition!r} have the same music; leave one out")


def _refuse_one_audio(rows: list[ClipRow]) -> None:
    """Refuse conditions of which clips sound the same to the bit, however they came about."""
    made: dict[str, ClipRow] = {}
    for row in rows:
        other = made.setdefault(row.sha256, row)
        if other.model != row.model:
            told = f"{other.file} and {row.file}"
            raise StimulusError(
                f"conditions {other.model!r} and {row.model!r} have the same audio ({told}); leave one out"
            )


def _as_made(row: ClipRow, folder: Path) -> bool:
    return (folder / row.file).is_file() and file_sha256(folder / row.file) == row.sha256


def _rows(folder: Path) -> dict[str, ClipRow]:
    return {row.clip: row for row in (read_manifest(folder) if (folder / FILE).exists() else [])}


def _take(part: _Tracks, config: StimuliConfig, folder: Path, done: int, total: int, progress: Progress | None) -> None:
    """Levelled copies of the middle of every track that is not there yet."""
    rows, settings = _rows(folder), delivery(config)
    for n, (name, digest) in enumerate(zip(part.names, part.sha256, strict=True)):
        track, old = part.source.tracks[n], rows.get(name)
        if old is None or (old.checkpoint_sha256, old.settings) != (digest, settings) or not _as_made(old, folder):
            sound = part.source.clips([""], config.seconds, [n])
            try:
                delivered = deliver(sound.audio[0], sound.rate, config, folder, name)
            except StimulusError as error:
                raise StimulusError(f"{track.path}: {error}") from None
            made = ClipRow(
                clip=name,
                taste=track.taste,
                model=part.condition,
                number=track.number,
                checkpoint=track.path.name,
                checkpoint_sha256=digest,
                settings=settings,
                **delivered,
            )
            update_manifest(folder, [made])
        elif old.checkpoint != track.path.name:  # the file has another name now
            update_manifest(folder, [replace(old, checkpoint=track.path.name)])
        if progress:
            progress(done + n + 1, total, f"{part.condition}, {track.path.name}")


def _fill(
    part: _Set,
    config: StimuliConfig,
    folder: Path,
    missing: list[int],
    done: int,
    total: int,
    progress: Progress | None,
) -> None:
    """Make the missing clips of a set, batch by batch; a batch is made by one process, the others take the next.

    Where a card's memory does not do, batches are half as large; each row says its own.
    """
    size = part.model.settings.batch or part.model.load().batch_size(config.seconds)
    fitting(lambda n: _batches(part, config, folder, missing, n, done, total, progress), size)


def _batches(
    part: _Set,
    config: StimuliConfig,
    folder: Path,
    missing: list[int],
    size: int,
    done: int,
    total: int,
    progress: Progress | None,
) -> None:
    from filelock import FileLock, Timeout

    batches = sorted({n // size for n in missing})
    (folder / ".locks").mkdir(exist_ok=True)
    for patience in (0, -1):  # first what nobody else works on, then wait for the others
        for batch in list(batches):
            claim = FileLock(folder / ".locks" / f"{part.taste}-{part.condition}-{size}-{batch}.lock")
            try:
                held = claim.acquire(timeout=patience)
            except Timeout:
                continue
            with held:
                rows = _rows(folder)
                numbers = [n for n in missing if n // size == batch and not part.has(rows.get(part.names[n]), folder)]
                start = done + len(part.seeds) - len(missing) + sum(n // size < batch for n in missing)

                def stepped(step: int, steps: int, start: int = start, count: int = len(numbers)) -> None:
                    if progress and step % 25 == 0:
                        progress(start + count * step / steps, total, part.title)

                if numbers:
                    update_manifest(folder, _make(part, config, folder, numbers, size, {}, stepped))
            batches.remove(batch)


def _make(
    part: _Set,
    config: StimuliConfig,
    folder: Path,
    numbers: list[int],
    size: int,
    tries: dict[int, list[str]],
    progress: Callable[[int, int], None] | None = None,
) -> list[ClipRow]:
    """Make clips of one batch, drawing again where one has a fault.

    `tries` holds, per number, why earlier tries were not kept; a try more shifts the seed, and the row says so.
    """
    reasons = {n: list(tries.get(n, [])) for n in numbers}
    made: list[ClipRow] = []
    todo = list(numbers)
    first = numbers[0] // size * size
    prompts = [part.prompts[n] if n < len(part.prompts) else part.prompts[0] for n in range(first, first + size)]
    while todo:
        seeds = [DUMMY_SEED] * size
        for n in todo:
            seeds[n % size] = tried(part.seeds[n], len(reasons[n]))
        sound = part.model.clips(prompts, config.seconds, seeds, progress)
        again = []
        for n in todo:
            clip = sound.audio[n % size]
            mono = clip.mean(axis=0)
            silent, clipped = silent_share(mono, sound.rate), clipped_share(mono)
            stuck = sound.stuck[n % size]
            if found := faults(silent, stuck, clipped):
                reasons[n] += found[:1]
                again.append(n)
                if len(reasons[n]) >= MAX_TRIES:
                    told = ", ".join(reasons[n])
                    raise StimulusError(
                        f"{part.prompts[n]!r} gave {MAX_TRIES} unusable clips ({told}); reword the prompt"
                    )
                continue
            made.append(
                ClipRow(
                    clip=part.names[n],
                    taste=part.taste,
                    model=part.condition,
                    number=n,
                    prompt=part.prompts[n],
                    prompt_of=part.prompts_of[n],
                    seed=part.seeds[n],
                    checkpoint=part.model.name,
                    checkpoint_sha256=part.sha256,
                    settings={**part.settings, "batch": size, "device": called(part.model.load().engine.device)},
                    checks={
                        "tries": len(reasons[n]) + 1,
                        "drawn_again": reasons[n],
                        "silent_share": round(silent, 4),
                        "stuck_share": round(stuck, 4),
                        "clipped_share": round(clipped, 6),
                    },
                    **deliver(clip, sound.rate, config, folder, part.names[n]),
                )
            )
        todo, progress = again, None
    return made


def _part_duplicates(part: _Set, config: StimuliConfig, folder: Path) -> None:
    """Draw the later one of two all but equal clips again, until there are none; the rows say how near the next is."""
    for _ in range(MAX_TRIES):
        rows = sorted((r for name, r in _rows(folder).items() if name in part.names), key=lambda r: r.number)
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
                folder, _make(part, config, folder, [row.number], row.settings["batch"], {row.number: earlier})
            )
    raise StimulusError(f"{part.prompts[0]!r} keeps giving all but equal clips; reword the prompt or raise temperature")
