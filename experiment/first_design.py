"""Who hears what in the design of version 0.1, which studies that began under it keep, and in the paper's own draw.

Row r takes tastes in the r-th cyclic order, sides that alternate over rows and trials, and clips that rotate; over
``4 x tastes`` completed rows every taste stands equally often in every place and every model equally often first. What this
does not balance, `experiment.design` does.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from experiment.errors import ExperimentError
from experiment.shortage import unheard, unpaired
from experiment.tasks.preference import ITEM, PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import Clip, PlannedTrial
from models.conditions import GIVEN

REUSED_TRIALS = (1, 3, 4)  # preference trials, counted from 1, whose tastes the paper's ratings take


def deal(
    preference: PreferenceTask | None, ratings: RatingsTask | None, clips: Sequence[Clip], row: int, seed: int
) -> list[PlannedTrial]:
    """Comparisons, then ratings, of one session.

    Raises
    ------
    ExperimentError
        If there are too few clips for the design (no clip is heard twice unless ``replicate``).
    """
    trials = []
    rng = np.random.default_rng([seed, row])
    used: dict[str, list[int]] = {}
    pairs: list[tuple[str, int]] = []
    if preference:
        pairs = _pairs(preference, ratings, clips, row, rng)
        for taste, number in pairs:
            used.setdefault(taste, []).append(number)
            over, under = _pair(preference, clips, taste, number)
            if preference.replicate:
                swap = bool(rng.integers(2))
            else:
                # Alternates over rows for each taste, and over the tastes of a row.
                swap = bool((row + _tastes(clips).index(taste) + len(used[taste])) % 2)
            first, second = (over, under) if swap else (under, over)
            trials.append(PlannedTrial(preference.block, taste, first.id, second.id, (ITEM,)))
    if ratings:
        for clip in _rated(preference, ratings, clips, row, rng, seed, used, pairs):
            items = list(ratings.items)
            if ratings.shuffled:
                rng.shuffle(items)
            trials.append(PlannedTrial(ratings.block, clip.taste, clip.id, None, tuple(items)))
    return trials


def period(preference: PreferenceTask | None, ratings: RatingsTask | None, clips: Sequence[Clip]) -> int:
    """After how many rows the design repeats itself in tastes, places and sides."""
    if preference:
        return 1 if preference.replicate else 4 * len(_tastes(clips))
    assert ratings is not None
    pool = sum(c.model in ratings.conditions for c in clips)
    return max(1, pool // ratings.clips)


def _tastes(clips: Sequence[Clip]) -> list[str]:
    return sorted({c.taste for c in clips})


def _pair(preference: PreferenceTask, clips: Sequence[Clip], taste: str, number: int) -> tuple[Clip, Clip]:
    found = {c.model: c for c in clips if c.taste == taste and c.number == number}
    over, under = preference.pairs[0]
    for lacking, other in ((over, under), (under, over)):
        if lacking not in found:
            numbers = {m: {c.number for c in clips if (c.taste, c.model) == (taste, m)} for m in (lacking, other)}
            raise ExperimentError(unpaired(taste, number, lacking, other, numbers))
    return found[over], found[under]


def _pairs(
    preference: PreferenceTask,
    ratings: RatingsTask | None,
    clips: Sequence[Clip],
    row: int,
    rng: np.random.Generator,
) -> list[tuple[str, int]]:
    tastes = _tastes(clips)
    count = min(sum(c.taste == t and c.model == preference.pairs[0][1] for c in clips) for t in tastes)
    n = preference.trials
    if preference.replicate:
        start = int(rng.integers(count))
        return [(str(rng.choice(tastes)), (start + k) % count) for k in range(n)]
    needed = -(-n // len(tastes)) + (1 if ratings else 0)
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
    if preference.order == "random":
        sequence = [sequence[i] for i in rng.permutation(n)]
    seen: dict[str, int] = {}
    out = []
    for taste in sequence:
        place = seen.get(taste, 0)
        out.append((taste, (row + place) % count))
        seen[taste] = place + 1
    return out


def _rated(
    preference: PreferenceTask | None,
    ratings: RatingsTask,
    clips: Sequence[Clip],
    row: int,
    rng: np.random.Generator,
    seed: int,
    used: dict[str, list[int]],
    pairs: list[tuple[str, int]],
) -> list[Clip]:
    pool = [c for c in clips if c.model in ratings.conditions]
    n = ratings.clips
    if not pool:
        raise ExperimentError(f"there are no clips of {', '.join(ratings.conditions)} to rate")
    if preference and preference.replicate:
        numbers = [pairs[(k - 1) % len(pairs)] for k in REUSED_TRIALS][:n]
        start = int(rng.integers(1, 3))
        count = max(c.number for c in pool) + 1
        return [next(c for c in pool if c.taste == t and c.number == (number + start) % count) for t, number in numbers]
    tastes = sorted({c.taste for c in pool})
    if len(tastes) == 1 or GIVEN in ratings.conditions:
        if n > len(pool):
            raise ExperimentError(f"{n} clips a person are asked for and only {len(pool)} are there")
        # Consecutive rows share one seeded permutation and take its parts, so every clip is rated equally often.
        parts = len(pool) // n
        order = np.random.default_rng([seed, row // parts]).permutation(len(pool))
        part = row % parts
        return [pool[i] for i in order[part * n : (part + 1) * n]]
    chosen = [tastes[(row + i) % len(tastes)] for i in range(n)]
    out: list[Clip] = []
    for k, taste in enumerate(chosen):
        free = [c for c in pool if c.taste == taste and c.number not in used.get(taste, []) and c not in out]
        if not free:
            there, conditions = sum(c.taste == taste for c in pool), ratings.conditions
            needed = -(-(there + chosen[k:].count(taste)) // len(conditions))
            asked = [f"clips of {ratings.block}", *([f"trials of {preference.block}"] if preference else [])]
            raise ExperimentError(unheard(taste, conditions[0], there // len(conditions), needed, asked))
        out.append(free[row % len(free)])
    return [out[i] for i in rng.permutation(len(out))]
