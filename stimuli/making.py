"""One set's clips as they are made: batches of one fixed shape, drawn again where a clip has a fault or is all but another."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from itertools import takewhile
from pathlib import Path

import numpy as np

from models.devices import called
from stimuli.audio import deliver, load_mono
from stimuli.candidates import OUTDONE, best
from stimuli.checks import NEAR_DUPLICATE, clipped_share, faults, fingerprint, nearest, silent_share
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.manifest import ClipRow, Glance
from stimuli.sets import ClipSet, TrackSet, tried
from stimuli.sources import Sound, Stepped
from stimuli.waiting import CLIP, put

MAX_TRIES = 4
DUMMY_SEED = 0
PRINT_RATE = 16000


@dataclass(frozen=True)
class Drawn:
    """A drawing of a clip that has no fault: which try it was, from 0, its sound, what was found in it."""

    at: int
    audio: np.ndarray
    rate: int
    checks: dict[str, float]
    measured: dict[str, float]


def make(
    part: ClipSet,
    config: StimuliConfig,
    folder: Path,
    numbers: list[int],
    size: int,
    tries: dict[int, list[str]],
    progress: Callable[[int, int], None] | None = None,
) -> list[ClipRow]:
    """Make clips of one batch, drawing again where one has a fault, and as often as the study wants to choose from.

    `tries` holds, per number, why earlier tries were not kept; a try more shifts the seed, and the row says so.
    """
    drawings: dict[int, list[str | Drawn]] = {n: [*tries.get(n, [])] for n in numbers}
    wanted = {n: part.candidates if part.asked(n) else 1 for n in numbers}
    made: list[ClipRow] = []
    todo, rounds = list(numbers), 0
    first = numbers[0] // size * size
    prompts = [part.prompts[n] if n < len(part.prompts) else part.prompts[0] for n in range(first, first + size)]
    while todo:
        seeds = [DUMMY_SEED] * size
        for n in todo:
            seeds[n % size] = tried(part.seeds[n], len(drawings[n]), wanted[n] > 1)
        sound = part.model.clips(prompts, config.seconds, seeds, _share(progress, rounds, max(wanted.values())))
        rounds += 1
        for n in list(todo):
            drawings[n].append(_heard(sound, n % size, len(drawings[n]), part.asked(n)))
            _refuse_faults(drawings[n], part.prompts[n])
            if sum(isinstance(d, Drawn) for d in drawings[n]) == wanted[n]:
                made.append(_row(part, n, config, folder, size, drawings.pop(n)))
                todo.remove(n)
    return made


def _share(progress: Stepped | None, rounds: int, of: int) -> Stepped | None:
    """Progress of one round as a share of all that are made in any case; what is drawn beyond them is not told."""
    if progress is None or rounds >= of:
        return None
    return lambda step, steps: progress(rounds * steps + step, of * steps)


def _heard(sound: Sound, place: int, at: int, asks: dict[str, int]) -> str | Drawn:
    """A drawing with what is found in it, or the fault that it has."""
    clip = sound.audio[place]
    mono = clip.mean(axis=0)
    silent, stuck, clipped = silent_share(mono, sound.rate), sound.stuck[place], clipped_share(mono)
    if found := faults(silent, stuck, clipped):
        return found[0]
    checks = {"silent_share": round(silent, 4), "stuck_share": round(stuck, 4), "clipped_share": round(clipped, 6)}
    return Drawn(at, clip, sound.rate, checks, _measured(mono, sound.rate, asks))


def _measured(mono: np.ndarray, rate: int, asks: dict[str, int]) -> dict[str, float]:
    """The features by which a drawing may be chosen."""
    if not asks:
        return {}
    from stimuli.features import acoustic_features

    found = acoustic_features(mono, rate)
    return {feature: round(found[feature], 6) for feature in asks}


def _refuse_faults(drawings: list[str | Drawn], prompt: str) -> None:
    """Give a clip up whose last drawing is one fault too many in a row: of many drawings some may have one."""
    if isinstance(drawings[-1], Drawn):
        return
    since = [d for d in takewhile(lambda d: isinstance(d, str), reversed(drawings)) if d != OUTDONE]
    if len(since) >= MAX_TRIES:
        told = ", ".join(map(str, reversed(since)))
        raise StimulusError(f"{prompt!r} gave {MAX_TRIES} unusable clips ({told}); reword the prompt")


def _row(
    part: ClipSet,
    n: int,
    config: StimuliConfig,
    folder: Path,
    size: int,
    drawings: list[str | Drawn],
) -> ClipRow:
    """Deliver the drawing that is kept, and what its row says of it and of the others."""
    good = [d for d in drawings if isinstance(d, Drawn)]
    asks = part.asked(n)
    kept = good[best([d.measured for d in good], asks)]
    others = [d if isinstance(d, str) else OUTDONE for d in drawings if d is not kept]
    chosen = {
        "kept": kept.at,
        "drawn_with": tried(part.seeds[n], kept.at, True),
        "candidates": [{"try": d.at, **d.measured} for d in good],
    }
    return ClipRow(
        clip=part.names[n],
        taste=part.taste,
        model=part.condition,
        number=n,
        prompt=part.prompts[n],
        prompt_of=part.prompts_of[n],
        seed=part.seeds[n],
        checkpoint=part.model.name,
        checkpoint_sha256=part.sha256,
        settings={**part.settings_of(n), "batch": size, "device": called(part.model.load().engine.device)},
        checks={"tries": len(drawings), "drawn_again": others, **kept.checks, **(chosen if asks else {})},
        **deliver(kept.audio, kept.rate, config, folder, part.names[n]),
    )


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
