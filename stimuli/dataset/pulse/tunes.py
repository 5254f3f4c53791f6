"""Harmonies and motifs by rule, and which part of the corpus each belongs to.

Nothing here is anybody's work. A harmony is a round of chords, one a bar; a motif is a bar's rhythm and contour. Whether they are
learned from or held out follows from what they are, whatever key, mode's name or place in the round they are met in: the same
harmony begun elsewhere, in another key, or called by its relative minor, is the same harmony; a motif keeps its steps, not its
pitches. So nothing that is heard in one part can be heard in the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256

import numpy as np

SCALES = {"major": (0, 2, 4, 5, 7, 9, 11), "minor": (0, 2, 3, 5, 7, 8, 10)}
# Degrees (0 is the tonic) that may follow one: tonic, subdominant and dominant in their usual order.
FOLLOWERS = {0: (1, 2, 3, 4, 5), 1: (4, 3), 2: (5, 3), 3: (4, 0, 1), 4: (0, 5, 3), 5: (3, 1, 4, 2)}
FOLLOWERS_MINOR = {0: (3, 4, 5, 6, 2), 2: (5, 3, 6), 3: (4, 0, 6), 4: (0, 5), 5: (2, 3, 6, 4), 6: (2, 0, 5)}
LENGTHS = (4, 8)
HELD_OUT = 6  # one in so many harmonies, and one in so many motifs, is held out
SPLITS = ("train", "test")


@dataclass(frozen=True)
class Chord:
    """A triad: pitch class of its root above the tonic, and the semitones of third and fifth over it."""

    root: int
    third: int
    fifth: int


@dataclass(frozen=True)
class Motif:
    """A bar of melody: places and lengths in sixteenths, and steps of the scale above the chord's root.

    `places` begin at 0 or later and rise; `lengths` reach to the next note; even `steps` 0, 2, 4, 7 are notes of the chord.
    """

    places: tuple[int, ...]
    lengths: tuple[int, ...]
    steps: tuple[int, ...]


def triad(degree: int, mode: str) -> Chord:
    """The triad on a degree of a mode; minor has a major dominant, as its cadences do."""
    scale = SCALES[mode]

    def above(steps: int) -> int:
        place = degree + steps
        return scale[place % 7] + 12 * (place // 7) - scale[degree]

    third = 4 if mode == "minor" and degree == 4 else above(2)
    return Chord(scale[degree], third, above(4))


def draw_harmony(mode: str, split: str, rng: np.random.Generator) -> tuple[Chord, ...]:
    """Draw a round of 4 or 8 chords that begins on the tonic and belongs to `split`."""
    followers = FOLLOWERS if mode == "major" else FOLLOWERS_MINOR
    while True:
        degrees = [0]
        for _ in range(int(rng.choice(LENGTHS)) - 1):
            degrees.append(int(rng.choice(followers[degrees[-1]])))
        chords = tuple(triad(d, mode) for d in degrees)
        # The round comes back to the tonic: from there it has to be reached as a cadence reaches it.
        if 0 in followers[degrees[-1]] and part_of(harmony_form(chords)) == split:
            return chords


def draw_motif(steps: int, rhythm: float, fastest: int, split: str, rng: np.random.Generator) -> Motif:
    """Draw a bar of melody that belongs to `split`.

    Parameters
    ----------
    steps : int
        Sixteenths in the bar.
    rhythm : float
        From 0, notes on the beat, to 1, as many between them as on it.
    fastest : int
        Sixteenths of the shortest note: 1, or 2 where sixteenths are too fast to be played.
    """
    while True:
        weights = np.array([_weight(place, rhythm) for place in range(steps)])
        weights[np.arange(steps) % fastest != 0] = 0
        places = tuple(int(p) for p in np.flatnonzero(rng.random(steps) < weights))
        if not 2 <= len(places) <= 9 or places[0] >= 4:
            continue
        pitch, line = int(rng.choice((0, 2, 4))), []
        for place in places:
            line.append(_settled(pitch) if place % 4 == 0 else pitch)
            pitch = int(np.clip(line[-1] + rng.choice((-3, -2, -1, -1, 0, 1, 1, 2, 3)), -2, 8))
        lengths = tuple(int(b - a) for a, b in zip(places, (*places[1:], steps), strict=True))
        motif = Motif(places, lengths, tuple(line))
        if part_of(motif_form(motif)) == split:
            return motif


def _weight(place: int, rhythm: float) -> float:
    if place == 0:
        return 0.95
    if place % 4 == 0:
        return 0.85 - 0.25 * rhythm
    return 0.25 + 0.35 * rhythm if place % 2 == 0 else 0.5 * rhythm


def _settled(step: int) -> int:
    """The nearest step that is a note of the chord."""
    return min((-3, 0, 2, 4, 7), key=lambda s: abs(s - step))


def harmony_form(chords: tuple[Chord, ...]) -> str:
    """What a harmony is whatever its key and wherever one begins: its shortest round, from its least rotation."""
    moves = [((b.root - a.root) % 12, a.third, a.fifth) for a, b in zip(chords, (*chords[1:], chords[0]), strict=True)]
    whole = next(n for n in range(1, len(moves) + 1) if len(moves) % n == 0 and moves[:n] * (len(moves) // n) == moves)
    return str(min(moves[i:whole] + moves[:i] for i in range(whole)))


def motif_form(motif: Motif) -> str:
    """What a motif is whatever its key, mode and chord: when its notes come, and by how many steps each rises."""
    rises = tuple(b - a for a, b in zip(motif.steps, motif.steps[1:], strict=False))
    return str((motif.places, rises))


def part_of(form: str) -> str:
    """Which split a harmony or a motif belongs to, for ever."""
    return SPLITS[int.from_bytes(sha256(form.encode()).digest()[:4]) % HELD_OUT == 0]
