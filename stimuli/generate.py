"""Make the stimuli of a study: every condition's clips, checked, levelled and hashed; what is there already stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path

from models.config import ModelsConfig
from models.devices import fitting
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.making import copied, distinct, keep, make
from stimuli.manifest import ClipRow, Glance, gather, keep_only, known_rows, locked
from stimuli.sets import ClipSet, TrackSet, parts_of, refuse_doubles
from stimuli.waiting import CLIP, put, sweep

Progress = Callable[[float, int, str], None]


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
    parts = sets(config, models, folder)
    (folder / "clips").mkdir(parents=True, exist_ok=True)
    total, done = sum(len(part.names) for part in parts), 0
    checked: set[str] = set()
    for part in parts:
        if isinstance(part, TrackSet):
            _take(part, config, folder, done, total, progress)
        else:
            rows = known_rows(folder)
            missing = [n for n, name in enumerate(part.names) if not part.has(rows.get(name), folder)]
            if missing:
                part.model.hold_against_audiocraft(part.prompts[0], checked)
                _fill(part, config, folder, missing, done, total, progress)
            with locked(folder, f"{part.taste}-{part.condition}"):
                distinct(part, config, folder)
            gather(folder)
        done += len(part.names)
        if progress and isinstance(part, ClipSet):
            progress(done, total, part.title)
    return finished(parts, folder)


def sets(config: StimuliConfig, models: ModelsConfig, folder: Path) -> list[ClipSet | TrackSet]:
    """What all conditions consist of.

    Raises
    ------
    StimulusError
        If two of them have the same music.
    """
    there = known_rows(folder)
    parts = [part for c in models.conditions for part in parts_of(c, config, models, there)]
    refuse_doubles(parts)
    return parts


def finished(parts: list[ClipSet | TrackSet], folder: Path) -> list[ClipRow]:
    """The manifest of sets that are made, without what is no longer asked for.

    Raises
    ------
    StimulusError
        If two conditions sound the same to the bit.
    """
    rows = keep_only(folder, [name for part in parts for name in part.names])
    sweep(folder)
    _refuse_one_audio(rows)
    return rows


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


def _take(
    part: TrackSet, config: StimuliConfig, folder: Path, done: int, total: int, progress: Progress | None
) -> None:
    """Levelled copies of the middle of every track that is not there yet."""
    rows = known_rows(folder)
    for n, name in enumerate(part.names):
        track, old = part.source.tracks[n], rows.get(name)
        if old is None or not part.has(n, old, folder):
            keep(folder, [copied(part, n, config, folder)])
        elif old.checkpoint != track.path.name:  # the file has another name now
            put(folder, CLIP, name, asdict(replace(old, checkpoint=track.path.name)))
        if progress:
            progress(done + n + 1, total, f"{part.condition}, {track.path.name}")
    gather(folder)


def _fill(
    part: ClipSet,
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
    part: ClipSet,
    config: StimuliConfig,
    folder: Path,
    missing: list[int],
    size: int,
    done: int,
    total: int,
    progress: Progress | None,
) -> None:
    from filelock import FileLock, Timeout

    batches, glance = sorted({n // size for n in missing}), Glance(folder)
    (folder / ".locks").mkdir(exist_ok=True)
    for patience in (0, -1):  # first what nobody else works on, then wait for the others
        for batch in list(batches):
            claim = FileLock(folder / ".locks" / f"{part.taste}-{part.condition}-{size}-{batch}.lock")
            try:
                held = claim.acquire(timeout=patience)
            except Timeout:
                continue
            with held:
                rows = glance.of(part.names[n] for n in missing if n // size == batch)
                numbers = [n for n in missing if n // size == batch and not part.has(rows.get(part.names[n]), folder)]
                start = done + len(part.seeds) - len(missing) + sum(n // size < batch for n in missing)

                def stepped(step: int, steps: int, start: int = start, count: int = len(numbers)) -> None:
                    if progress and step % 25 == 0:
                        progress(start + count * step / steps, total, part.title)

                if numbers:
                    keep(folder, make(part, config, folder, numbers, size, {}, stepped))
            batches.remove(batch)
