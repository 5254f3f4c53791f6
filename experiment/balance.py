"""The arithmetic of a balanced design: tastes in Williams squares, kinds and clips in rotation, sides evened out.

Pure numbers: what the tastes, kinds and clips are, `experiment.design` knows. A block is as many rows as there are tastes; in
each block every taste stands once in every place. Blocks differ in how tastes are named, so that every taste comes before
every other equally often (Williams, 1949, Aust. J. Sci. Res. A 2:149-168; with an odd number of tastes, or rounds that are
not full, it takes several blocks).
"""

from __future__ import annotations

import itertools
import math
from collections import Counter, defaultdict
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import lru_cache

MOST = 720  # orders of tastes that are looked through


@dataclass(frozen=True)
class Place:
    """What stands in one place of a row: which taste, of which kind, and at which turn and rank it gets its clip."""

    taste: int
    kind: int
    turn: int
    rank: int


class Rotation:
    """Rows of `places` trials in `tastes` tastes and `kinds` kinds (pairs of conditions, or conditions).

    At the end of every block each taste stands equally often in every place. In a turn of `kinds` blocks each kind of each
    taste stands once in every place, and from turn to turn its clips rotate likewise: within one of each other at the end
    of any block.
    """

    def __init__(self, tastes: int, places: int, kinds: int = 1):
        self.tastes, self.places, self.kinds = tastes, places, kinds
        self.walk = walk(tastes, places)
        # With as many kinds as tastes clips come up one after the other, each in all kinds; else kinds come up one after
        # the other, each with the next clip. Either way a row has no clip of a taste twice.
        self.clip_by_clip = tastes == kinds > 1
        if self.clip_by_clip:
            last = self.walk[places - places % tastes :]
            slots = sorted(range(tastes), key=lambda s: (s not in last, s))
            self.rank = [p // tastes * tastes + slots.index(s) for p, s in enumerate(self.walk)]
        else:
            order = sorted(range(places), key=lambda p: (self.walk[p], p))
            self.rank = [order.index(p) for p in range(places)]
        self.names = orders(tastes, self.walk)

    def row(self, row: int) -> list[Place]:
        """What stands in the places of a row."""
        block, within = divmod(row, self.tastes)
        turn, part = divmod(block, self.kinds)
        names = self.names[block % len(self.names)]
        first = part * self.places + _further(part, self.places, self.kinds)
        return [
            Place(
                names[(step + within) % self.tastes],
                (first + rank) % self.kinds,
                turn,
                (part * self.places + rank) // self.kinds if self.clip_by_clip else rank,
            )
            for step, rank in zip(self.walk, self.rank, strict=True)
        ]

    def clip(self, place: Place, clips: int) -> int:
        """Which of `clips` clips of its taste and kind comes in a place."""
        return (place.turn * self.places + place.rank + _further(place.turn, self.places, clips)) % clips


def _further(turn: int, step: int, of: int) -> int:
    """Turns of `step` out of `of` come round to where they began before they have met all: one further then."""
    return turn // (of // math.gcd(step, of))


def zigzag(n: int) -> list[int]:
    """0, 1, n-1, 2, n-2, ...: neighbours differ by every step but 0 once, if n is even (Williams)."""
    return [(k + 1) // 2 if k % 2 else -(k // 2) % n for k in range(n)]


def walk(tastes: int, places: int) -> list[int]:
    """Tastes of the first row: rounds of all, each led into by another step; no taste follows itself if there are two."""
    out: list[int] = []
    for lap in range(-(-places // tastes)):
        start = 0 if not out else (out[-1] + 1 + (lap - 1) % max(1, tastes - 1)) % tastes
        out += [(start + k) % tastes for k in zigzag(tastes)]
    return out[:places]


@lru_cache(maxsize=64)
def _orders(tastes: int, steps: tuple[int, ...]) -> tuple[tuple[int, ...], ...]:
    if tastes > 7:
        units = [u for u in range(1, tastes) if math.gcd(u, tastes) == 1]
        left = [tuple(u * k % tastes for k in range(tastes)) for u in units]
    else:
        left = [(0, *p) for p in itertools.permutations(range(1, tastes))]
    before: Counter[tuple[int, int]] = Counter()
    out = []
    while left:

        def crowding(names: tuple[int, ...]) -> int:
            after = before.copy()
            after.update(_followed(names, steps))
            return sum(n * n for n in after.values())

        names = min(left, key=crowding) if len(left) <= 24 else left[0]
        left.remove(names)
        before.update(_followed(names, steps))
        out.append(names)
    return tuple(out)


def _followed(names: Sequence[int], steps: Sequence[int]) -> list[tuple[int, int]]:
    n = len(names)
    return [(names[i], names[(i + d) % n]) for d in steps for i in range(n)]


def orders(tastes: int, walked: Sequence[int]) -> tuple[tuple[int, ...], ...]:
    """How tastes are named block by block: in every way that is no mere turn, each next one where it evens out most."""
    steps = tuple((b - a) % tastes for a, b in itertools.pairwise(walked))
    return _orders(tastes, steps)


class Sides:
    """Which of a pair is heard first: evened out for the pair, and for all that the pair is part of.

    A pair that came first on one side comes next on the other. Which of both comes first is free, and is chosen so that
    whatever else has sides (a row, a place, a taste) comes out as even as can be found by turning one such couple at a time.
    """

    def __init__(self) -> None:
        self.open: dict[Hashable, int] = {}  # pairs that came an odd number of times: on which side last
        self.more: dict[Hashable, int] = defaultdict(int)  # first sides less second sides, by what has them

    def choose(self, pairs: Sequence[tuple[Hashable, Sequence[Hashable]]]) -> list[bool]:
        """Sides of some rows: for each pair, and the things that it is part of, whether its first one is heard first."""
        chosen, couples = [0] * len(pairs), []
        leads: dict[Hashable, list[int]] = {}
        for i, (pair, _) in enumerate(pairs):
            if pair in self.open:
                chosen[i] = -self.open.pop(pair)
            elif pair in leads:
                chosen[i] = -1
                leads.pop(pair).append(i)
            else:
                chosen[i] = 1
                leads[pair] = [i]
                couples.append(leads[pair])
        for side, (_, parts) in zip(chosen, pairs, strict=True):
            for part in parts:
                self.more[part] += side
        better = True
        while better:
            better = False
            for couple in couples:
                change: dict[Hashable, int] = defaultdict(int)
                for i in couple:
                    for part in pairs[i][1]:
                        change[part] -= 2 * chosen[i]
                if sum(by * (2 * self.more[part] + by) for part, by in change.items()) < 0:
                    better = True
                    for part, by in change.items():
                        self.more[part] += by
                    for i in couple:
                        chosen[i] = -chosen[i]
        for pair, (lead,) in leads.items():
            self.open[pair] = chosen[lead]
        return [side > 0 for side in chosen]
