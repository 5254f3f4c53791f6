"""Where things stand: on a sheet in the middle of any screen, one below the other, as near as may be to where they are wanted.

Lengths are shares of the screen's height, from its middle; up and right are positive.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

MARGIN = 0.02
WIDEST = (
    0.8  # half of a sheet on screens wider than 16:10: nobody has to look for the way to stop on the far end of a desk
)
TOP, BOTTOM = 0.425, -0.425  # of what stands between the progress and the way to stop
GAP = 0.018  # between two things
FLOOR = 0.0245  # size of letters that has 16 minutes of arc on a 13 inch screen (16 cm high) at 60 cm
FIRST_FLOOR = 0.5  # scale from which on letters are set under their floor, rather than left out
SCALES = tuple(round(1 - 0.04 * k, 2) for k in range(21))  # that are tried, one after the other


@dataclass(frozen=True)
class Sheet:
    """The part of a screen on which things stand: half of its width."""

    half: float

    @classmethod
    def of(cls, width: float, height: float) -> Sheet:
        """Of a screen of this many pixels."""
        return cls(min(width / height / 2, WIDEST) - MARGIN)

    @property
    def room(self) -> float:
        """Its whole width."""
        return 2 * self.half


@dataclass(frozen=True)
class Block:
    """Something that takes a height, wants its middle at `wish`, and is put there by `put`, which returns what was put."""

    height: float
    wish: float
    put: Callable[[float], Any] = field(repr=False, default=lambda y: y)
    width: float = 0.0  # of each of the things that stand beside each other in it


def sized(size: float, scale: float, floor: float = FLOOR) -> float:
    """How large letters of a wanted size are set at a scale: not under the floor, until everything else has been tried."""
    least = min(size, floor)
    return max(size * scale, least) if scale >= FIRST_FLOOR else least * scale / FIRST_FLOOR


def stacked(blocks: Sequence[Block], top: float = TOP, bottom: float = BOTTOM, gap: float = GAP) -> list[float] | None:
    """Middles of blocks from the top down, in their order, a gap apart; None where they are too high together.

    Each stands where it wants to, or else as little below as those above it ask for, or as far above as those below it do.
    """
    if sum(b.height for b in blocks) + gap * (len(blocks) - 1) > top - bottom + 1e-9:
        return None
    middles: list[float] = []
    limit = top
    for block in blocks:
        middles.append(min(block.wish, limit - block.height / 2))
        limit = middles[-1] - block.height / 2 - gap
    limit = bottom
    for i in reversed(range(len(blocks))):
        middles[i] = max(middles[i], limit + blocks[i].height / 2)
        limit = middles[i] + blocks[i].height / 2 + gap
    return middles


def across(widths: Sequence[float], gap: float) -> list[float]:
    """Middles of things beside each other, the whole row in the middle of the sheet."""
    left = -(sum(widths) + gap * (len(widths) - 1)) / 2
    middles = []
    for width in widths:
        middles.append(left + width / 2)
        left += width + gap
    return middles


def within(middle: float, width: float, half: float) -> float:
    """The middle of something as near as may be to where it is wanted, with nothing of it outside."""
    edge = max(0.0, half - width / 2)
    return min(edge, max(-edge, middle))
