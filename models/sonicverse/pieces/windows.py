"""Long pieces: overlapping windows, where the music changes, and what each part is like, without any language model.

SonicVerse chains captions of 10 s chunks. Here windows of 10 s overlap by half; a change is where the heads hear something
else after a moment than before it; a segment is described by the mean of its windows. A tail too short to be heard as music
goes to the window before it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from models.errors import ModelError
from models.sonicverse.captioner import SINGLE, Captioner, Description

WINDOW, HOP, TAIL = 10.0, 5.0, 3.0
CHANGE = (
    0.3  # of the heads' distance (`difference`); set before the spliced pieces of docs/evidence/pieces.json were made
)
SILENCE = 1e-3  # RMS, full scale 1: -60 dBFS
SHORTEST = 1.0
BATCH = 8
# What a change is told from, and how much each head counts: keys and moods of one part waver too much.
WEIGHTS = {"instrument": 1.0, "register": 0.5, "tempo": 0.25, "articulation": 0.25}


@dataclass(frozen=True)
class Segment:
    """A part of a piece: seconds from its start, what the heads hear, and a caption of it."""

    start: float
    end: float
    description: Description

    def to_json(self) -> dict[str, Any]:
        """Plain values: labels a head over one half, or the likeliest."""
        features = {head: self.description.top(head) for head in self.description.features}
        return {"start": self.start, "end": self.end, "features": features, "caption": self.description.caption}


@dataclass(frozen=True)
class Dropped:
    """A stretch that is left out of the description, and why."""

    start: float
    end: float
    reason: str


@dataclass(frozen=True)
class Piece:
    """A whole piece, described."""

    seconds: float
    segments: list[Segment]
    dropped: list[Dropped] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """Structured description; nothing in it says what file it came from."""
        return {
            "seconds": self.seconds,
            "segments": [s.to_json() for s in self.segments],
            "dropped": [{"start": d.start, "end": d.end, "reason": d.reason} for d in self.dropped],
        }

    def prose(self) -> str:
        """Deterministic joining: every segment's time and caption."""
        if not self.segments:
            return "Silence."
        if len(self.segments) == 1:
            return self.segments[0].description.caption
        return " ".join(f"{clock(s.start)} to {clock(s.end)}: {s.description.caption}" for s in self.segments)


def clock(seconds: float) -> str:
    """Minutes and seconds, e.g. ``2:05``; with hours from one hour on."""
    whole = round(seconds)
    hours, minutes, rest = whole // 3600, whole // 60 % 60, whole % 60
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def windows(seconds: float) -> list[tuple[float, float]]:
    """Start and end of the windows of a piece, in seconds; they cover it without a spurious one at the end.

    What is left after the last whole window makes one of its own from `TAIL` s on, else it lengthens that window.
    """
    if seconds <= WINDOW + TAIL:
        return [(0.0, seconds)]
    whole = int((seconds - WINDOW) // HOP) + 1
    out = [(k * HOP, k * HOP + WINDOW) for k in range(whole)]
    left = seconds - out[-1][1]
    if left >= TAIL:
        out.append((seconds - WINDOW, seconds))
    elif left > 0:
        out[-1] = (out[-1][0], seconds)
    return out


def difference(a: dict[str, np.ndarray], b: dict[str, np.ndarray]) -> float:
    """How much two windows differ to the heads: weighted mean of total variation (single) and 1 - cosine (several)."""
    total = 0.0
    used = {head: weight for head, weight in WEIGHTS.items() if head in a}
    for head, weight in used.items():
        x, y = a[head], b[head]
        if head not in SINGLE:
            length = float(np.linalg.norm(x) * np.linalg.norm(y))
            total += weight * (1 - float(x @ y) / length if length > 0 else 1.0)
        else:
            total += weight * float(np.abs(x - y).sum()) / 2
    return total / sum(used.values())


def changes(spans: list[tuple[float, float]], heard: list[dict[str, np.ndarray]], least: float = CHANGE) -> list[float]:
    """Times at which the music changes: peaks of the difference between a window and the next that does not overlap it."""
    step = round(WINDOW / HOP)
    values = np.array([difference(heard[i], heard[i + step]) for i in range(len(heard) - step)])
    found: list[float] = []
    for i in np.argsort(-values):
        at = spans[i + step][0]
        if values[i] < least:
            break
        if all(abs(at - t) >= WINDOW for t in found):
            found.append(at)
    return sorted(found)


def describe_piece(
    captioner: Captioner,
    audio: Iterable[np.ndarray],
    seconds: float,
    progress: Callable[[int, int], None] | None = None,
    least: float = CHANGE,
) -> Piece:
    """Describe a piece.

    Parameters
    ----------
    audio : iterable of ndarray
        Mono float32 at the captioner's rate, one array for each of `windows(seconds)`, in turn; only the windows' layer vectors are kept.
    seconds : float
        Length of the whole piece.

    Raises
    ------
    ModelError
        If the piece is shorter than a second.
    """
    if seconds < SHORTEST:
        raise ModelError(f"{seconds:.2f} s are too short to caption; at least {SHORTEST:g} s are needed")
    spans = windows(seconds)
    kept: list[tuple[float, float]] = []
    # One array a layer for all windows: small arrays kept between the large ones of every window would leave memory in holes.
    stored: dict[str, np.ndarray] = {}
    silent: list[tuple[float, float]] = []
    for i, (span, part) in enumerate(zip(spans, audio, strict=True)):
        if float(np.sqrt(np.mean(np.square(part, dtype=np.float64)))) < SILENCE:
            silent.append(span)
        else:
            for name, vector in captioner.encode(part).items():
                if name not in stored:
                    stored[name] = np.empty((len(spans), *vector.shape), dtype=vector.dtype)
                stored[name][len(kept)] = vector
            kept.append(span)
        if progress:
            progress(i + 1, len(spans))
    dropped = [Dropped(a, b, "silence") for a, b in _joined(silent)]
    if not kept:
        return Piece(seconds, [], dropped)
    layers = [{name: rows[i] for name, rows in stored.items()} for i in range(len(kept))]
    heard = captioner.hear(layers)
    segments, outliers = [], []
    chosen: list[list[int]] = []
    bounds: list[tuple[float, float]] = []
    for run in _runs(kept):
        times = changes([kept[i] for i in run], [heard[i] for i in run], least)
        edges = [kept[run[0]][0], *times, kept[run[-1]][1]]
        for start, end in pairwise(edges):
            inside = [i for i in run if kept[i][0] >= start - 0.01 and kept[i][1] <= end + 0.01]
            if not inside:  # a stretch shorter than a window: the one that lies in it most
                shared = [min(kept[i][1], end) - max(kept[i][0], start) for i in run]
                inside = [run[int(np.argmax(shared))]]
            own, strange = _without_strangers(inside, heard, least)
            outliers += [Dropped(*kept[i], "unlike the windows around it") for i in strange]
            chosen.append(own)
            bounds.append((start, end))
    means = [{name: np.mean([layers[i][name] for i in own], axis=0) for name in layers[0]} for own in chosen]
    described: list[Description] = []
    for at in range(0, len(means), BATCH):
        part_of = means[at : at + BATCH]
        described += captioner.describe_layers({name: np.stack([m[name] for m in part_of]) for name in part_of[0]})
    segments = [Segment(a, b, d) for (a, b), d in zip(bounds, described, strict=True)]
    return Piece(seconds, segments, sorted(dropped + outliers, key=lambda d: d.start))


def _without_strangers(
    inside: list[int], heard: list[dict[str, np.ndarray]], least: float
) -> tuple[list[int], list[int]]:
    """Windows of a segment that agree with it, and those that do not (never more than a third)."""
    if len(inside) < 4:
        return inside, []
    mean = {head: np.mean([heard[i][head] for i in inside], axis=0) for head in heard[inside[0]]}
    far = [i for i in inside if difference(heard[i], mean) > 1.5 * least]
    return ([i for i in inside if i not in far], far) if len(far) <= len(inside) // 3 else (inside, [])


def _runs(spans: list[tuple[float, float]]) -> Iterator[list[int]]:
    """Indices of windows that follow each other without a silent gap."""
    run = [0]
    for i in range(1, len(spans)):
        if spans[i][0] > spans[i - 1][1] - 0.01:
            yield run
            run = []
        run.append(i)
    yield run


def _joined(spans: list[tuple[float, float]]) -> list[tuple[float, float]]:
    out: list[tuple[float, float]] = []
    for start, end in spans:
        if out and start <= out[-1][1]:
            out[-1] = (out[-1][0], end)
        else:
            out.append((start, end))
    return out
