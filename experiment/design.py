"""Who hears what, in which order, on which side: balanced by design row.

Row r takes tastes in the r-th cyclic order, sides that alternate over rows and trials, and clips that rotate; over
``4 x tastes`` completed rows every taste stands equally often in every place and every model equally often first.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from experiment.config import DEMOGRAPHICS, ExperimentConfig
from experiment.errors import ExperimentError

SPECIAL = ("ethnicity", "hearing_impairments", "taste_impairments")
REUSED_TRIALS = (1, 3, 4)  # preference trials, counted from 1, whose tastes the paper's ratings take


@dataclass(frozen=True)
class Clip:
    """A clip as the design sees it: database id, taste, model, number within taste and model."""

    id: int
    taste: str
    model: str
    number: int


@dataclass(frozen=True)
class PlannedTrial:
    """One trial: block, taste asked about (preference only), clips in the order heard, items to be answered."""

    block: str
    taste: str | None
    first: int | None
    second: int | None
    items: tuple[str, ...]


def plan(config: ExperimentConfig, clips: Sequence[Clip], row: int) -> list[PlannedTrial]:
    """Plan one session.

    Parameters
    ----------
    row : int
        Design row, 0-based.

    Raises
    ------
    ExperimentError
        If there are too few clips for the design (no clip is heard twice unless ``replicate``).
    """
    trials = [PlannedTrial("demographics", None, None, None, DEMOGRAPHICS)]
    trials += [
        PlannedTrial(q.name, None, None, None, tuple(item.name for item in q.items)) for q in config.questionnaires
    ]
    rng = np.random.default_rng([config.seed, row])
    used: dict[str, list[int]] = {}
    pairs: list[tuple[str, int]] = []
    if config.preference:
        pairs = _pairs(config, clips, row, rng)
        for taste, number in pairs:
            used.setdefault(taste, []).append(number)
            base, tuned = _pair(clips, taste, number)
            if config.preference.replicate:
                swap = bool(rng.integers(2))
            else:
                # Alternates over rows for each taste, and over the tastes of a row.
                swap = bool((row + _tastes(clips).index(taste) + len(used[taste])) % 2)
            first, second = (tuned, base) if swap else (base, tuned)
            trials.append(PlannedTrial("preference", taste, first.id, second.id, ("preference",)))
    if config.ratings:
        for clip in _rated(config, clips, row, rng, used, pairs):
            items = [a.name for a in config.ratings.adjectives]
            rng.shuffle(items)
            trials.append(PlannedTrial("ratings", clip.taste, clip.id, None, tuple(items)))
            if config.affect:
                trials.append(PlannedTrial("affect", clip.taste, clip.id, None, tuple(config.affect)))
    return trials


def period(config: ExperimentConfig, clips: Sequence[Clip]) -> int:
    """After how many rows the design repeats itself in tastes, places and sides."""
    if config.preference:
        return 1 if config.preference.replicate else 4 * len(_tastes(clips))
    assert config.ratings is not None
    pool = sum(c.model in config.ratings.models for c in clips)
    return max(1, pool // config.ratings.clips)


def _tastes(clips: Sequence[Clip]) -> list[str]:
    return sorted({c.taste for c in clips})


def _pair(clips: Sequence[Clip], taste: str, number: int) -> tuple[Clip, Clip]:
    found = {c.model: c for c in clips if c.taste == taste and c.number == number}
    try:
        return found["base"], found["finetuned"]
    except KeyError as missing:
        raise ExperimentError(
            f"clip {number} of {taste!r} is missing from model {missing}; run 'tastelab stimuli generate'"
        ) from None


def _pairs(
    config: ExperimentConfig, clips: Sequence[Clip], row: int, rng: np.random.Generator
) -> list[tuple[str, int]]:
    assert config.preference is not None
    tastes = _tastes(clips)
    count = min(sum(c.taste == t and c.model == "base" for c in clips) for t in tastes)
    n = config.preference.trials
    if config.preference.replicate:
        start = int(rng.integers(count))
        return [(str(rng.choice(tastes)), (start + k) % count) for k in range(n)]
    needed = -(-n // len(tastes)) + (1 if config.ratings else 0)
    if count < needed:
        raise ExperimentError(
            f"{count} clips a taste are too few for {n} preference trials and the ratings without hearing one twice; "
            f"make at least {needed} (clips_per_taste), or declare replicate = true"
        )
    order = [tastes[(row + i) % len(tastes)] for i in range(len(tastes))]
    sequence = order[:n]
    # What goes beyond one round of the tastes stands at a place that moves on from row to row, so that it is not always
    # the last.
    for i in range(n - len(tastes)):
        extra = order[(row // len(tastes) + i) % len(tastes)]
        sequence.insert((row // len(tastes) ** 2 + row + i) % (len(sequence) + 1), extra)
    if config.preference.order == "random":
        sequence = [sequence[i] for i in rng.permutation(n)]
    seen: dict[str, int] = {}
    out = []
    for taste in sequence:
        place = seen.get(taste, 0)
        out.append((taste, (row + place) % count))
        seen[taste] = place + 1
    return out


def _rated(
    config: ExperimentConfig,
    clips: Sequence[Clip],
    row: int,
    rng: np.random.Generator,
    used: dict[str, list[int]],
    pairs: list[tuple[str, int]],
) -> list[Clip]:
    assert config.ratings is not None
    pool = [c for c in clips if c.model in config.ratings.models]
    n = config.ratings.clips
    if not pool:
        raise ExperimentError(f"there are no clips of {', '.join(config.ratings.models)} to rate")
    if config.preference and config.preference.replicate:
        numbers = [pairs[(k - 1) % len(pairs)] for k in REUSED_TRIALS][:n]
        start = int(rng.integers(1, 3))
        count = max(c.number for c in pool) + 1
        return [next(c for c in pool if c.taste == t and c.number == (number + start) % count) for t, number in numbers]
    tastes = sorted({c.taste for c in pool})
    if len(tastes) == 1 or "given" in config.ratings.models:
        if n > len(pool):
            raise ExperimentError(f"{n} clips a person are asked for and only {len(pool)} are there")
        # Consecutive rows share one seeded permutation and take its parts, so every clip is rated equally often.
        parts = len(pool) // n
        order = np.random.default_rng([config.seed, row // parts]).permutation(len(pool))
        part = row % parts
        return [pool[i] for i in order[part * n : (part + 1) * n]]
    chosen = [tastes[(row + i) % len(tastes)] for i in range(n)]
    out: list[Clip] = []
    for taste in chosen:
        free = [c for c in pool if c.taste == taste and c.number not in used.get(taste, []) and c not in out]
        if not free:
            raise ExperimentError(f"no unheard clip of {taste!r} is left to rate; make more (clips_per_taste)")
        out.append(free[row % len(free)])
    return [out[i] for i in rng.permutation(len(out))]
