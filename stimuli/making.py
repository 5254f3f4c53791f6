"""One set's clips as they are made: batches of one fixed shape, drawn again where a clip has a fault or is all but another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import numpy as np

from models.devices import called
from stimuli.audio import deliver, load_mono
from stimuli.checks import NEAR_DUPLICATE, clipped_share, faults, fingerprint, nearest, silent_share
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.manifest import ClipRow, Glance
from stimuli.sets import ClipSet, TrackSet, tried
from stimuli.waiting import CLIP, put

MAX_TRIES = 4
DUMMY_SEED = 0
PRINT_RATE = 16000


def make(
    part: ClipSet,
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


def copied(part: TrackSet, n: int, config: StimuliConfig, folder: Path) -> ClipRow:
    """A levelled copy of the middle of track n.

    Raises
    ------
    StimulusError
        If there is nothing in it that can be levelled.
    """
    track = part.source.tracks[n]
    sound = part.source.clips([""], config.seconds, [n])
    try:
        delivered = deliver(sound.audio[0], sound.rate, config, folder, part.names[n])
    except StimulusError as error:
        raise StimulusError(f"{track.path}: {error}") from None
    return ClipRow(
        clip=part.names[n],
        taste=track.taste,
        model=part.condition,
        number=track.number,
        checkpoint=track.path.name,
        checkpoint_sha256=part.sha256[n],
        settings=part.settings,
        **delivered,
    )


def keep(folder: Path, rows: list[ClipRow]) -> None:
    """Leave clips that were made, to be taken into the manifest."""
    for row in rows:
        put(folder, CLIP, row.clip, asdict(row))


def distinct(part: ClipSet, config: StimuliConfig, folder: Path) -> None:
    """Draw the later one of two all but equal clips again, until there are none; the rows say how near the next is."""
    glance = Glance(folder)
    for _ in range(MAX_TRIES):
        rows = sorted(glance.of(part.names).values(), key=lambda r: r.number)
        if told_apart(rows):
            return
        prints = np.stack([fingerprint(load_mono(folder / r.file, PRINT_RATE), PRINT_RATE) for r in rows])
        closest, whose = nearest(prints)
        for row, value, other in zip(rows, closest, whose, strict=True):
            row.checks |= {"nearest": round(float(value), 4), "nearest_clip": rows[other].clip, "of": len(rows)}
        twins = [r for i, r in enumerate(rows) if closest[i] >= NEAR_DUPLICATE and whose[i] < i]
        if not twins:
            for row in rows:
                put(folder, "distinct", row.clip, {"checks": row.checks}, row.sha256)
            return
        for row in twins:
            earlier = [*row.checks["drawn_again"], "near-duplicate"]
            keep(folder, make(part, config, folder, [row.number], row.settings["batch"], {row.number: earlier}))
    raise StimulusError(f"{part.prompts[0]!r} keeps giving all but equal clips; reword the prompt or raise temperature")


def told_apart(rows: list[ClipRow]) -> bool:
    """Whether every clip of a set was held against all others of it."""
    return len(rows) < 2 or all("nearest" in r.checks and r.checks.get("of") == len(rows) for r in rows)
