"""Ways of keeping time: what drums, bass and chords play in a bar, on a grid of sixteenths."""

from __future__ import annotations

from dataclasses import dataclass

KICK, SNARE, RIM, CLOSED_HAT, OPEN_HAT, RIDE, TAMBOURINE, SHAKER, CONGA, CLAVES = (
    36, 38, 37, 42, 46, 51, 54, 70, 63, 75,
)  # fmt: skip


@dataclass(frozen=True)
class Style:
    """A dance or a beat. All places are sixteenths of one bar.

    Attributes
    ----------
    says : tuple of str
        What a caption may call it.
    beats : int
        Quarter notes in a bar.
    drums, hands : dict of int to tuple of int
        Where a drum kit, or hands on small percussion, strike; by General MIDI drum.
    bass : tuple of (int, int)
        Where the bass plays, and which note of the chord: 0 root, 2 fifth, -1 the fifth under the root, 1 third.
    chords : tuple of int
        Where the chords are struck.
    rhythm : float
        How much of the melody falls between the beats; see `stimuli.dataset.pulse.tunes.draw_motif`.
    swing : float
        Place of a beat's second eighth: 0.5 is straight, 2/3 triplets.
    """

    says: tuple[str, ...]
    beats: int
    drums: dict[int, tuple[int, ...]]
    hands: dict[int, tuple[int, ...]]
    bass: tuple[tuple[int, int], ...]
    chords: tuple[int, ...]
    rhythm: float
    swing: float = 0.5

    @property
    def steps(self) -> int:
        """Sixteenths in a bar."""
        return 4 * self.beats


EIGHTHS = tuple(range(0, 16, 2))
QUARTERS = (0, 4, 8, 12)
STYLES: dict[str, Style] = {
    "rock": Style(
        ("rock beat", "rock band", "pop rock"), 4,
        {KICK: (0, 8, 10), SNARE: (4, 12), CLOSED_HAT: EIGHTHS},
        {CONGA: (0, 8, 10), TAMBOURINE: (4, 12), SHAKER: EIGHTHS},
        ((0, 0), (4, 0), (8, 0), (12, 0)), (0, 6, 8, 14), 0.4,
    ),
    "disco": Style(
        ("disco", "dance beat", "four on the floor"), 4,
        {KICK: QUARTERS, SNARE: (4, 12), OPEN_HAT: (2, 6, 10, 14)},
        {CONGA: QUARTERS, TAMBOURINE: (2, 6, 10, 14)},
        ((0, 0), (2, 0), (4, 0), (6, 0), (8, 0), (10, 0), (12, 0), (14, 0)), (2, 6, 10, 14), 0.5,
    ),
    "march": Style(
        ("march", "marching band"), 4,
        {KICK: (0, 8), SNARE: (4, 6, 12, 14)},
        {CONGA: (0, 8), TAMBOURINE: (4, 12)},
        ((0, 0), (8, -1)), (4, 12), 0.15,
    ),
    "polka": Style(
        ("polka", "lively dance in two"), 2,
        {KICK: (0, 4), SNARE: (2, 6)},
        {CONGA: (0, 4), TAMBOURINE: (2, 6)},
        ((0, 0), (4, -1)), (2, 6), 0.3,
    ),
    "waltz": Style(
        ("waltz", "dance in three", "waltz time"), 3,
        {KICK: (0,), SNARE: (4, 8), CLOSED_HAT: (0, 4, 8)},
        {CONGA: (0,), TAMBOURINE: (4, 8)},
        ((0, 0),), (4, 8), 0.1,
    ),
    "mazurka": Style(
        ("mazurka", "folk dance in three"), 3,
        {KICK: (0,), SNARE: (4,), CLOSED_HAT: (0, 2, 4, 8)},
        {CONGA: (0,), TAMBOURINE: (4,), SHAKER: (0, 2, 4, 6, 8, 10)},
        ((0, 0), (8, 2)), (4, 8), 0.35,
    ),
    "ragtime": Style(
        ("ragtime", "ragtime with syncopation", "rag"), 4,
        {KICK: (0, 8), SNARE: (4, 12), CLOSED_HAT: QUARTERS},
        {CONGA: (0, 8), CLAVES: (4, 12), SHAKER: EIGHTHS},
        ((0, 0), (8, -1)), (4, 12), 1.0,
    ),
    "tango": Style(
        ("tango", "habanera rhythm"), 4,
        {KICK: (0, 6, 8, 12), RIM: (4, 12)},
        {CONGA: (0, 6, 8, 12), CLAVES: (4, 12)},
        ((0, 0), (6, 2), (8, 0), (12, 2)), (0, 6, 8, 12), 0.45,
    ),
    "bossa": Style(
        ("bossa nova", "latin groove"), 4,
        {KICK: (0, 6, 8, 14), RIM: (0, 6, 12), CLOSED_HAT: EIGHTHS},
        {CONGA: (4, 12, 14), CLAVES: (0, 6, 12), SHAKER: EIGHTHS},
        ((0, 0), (6, 2), (8, 2), (14, 0)), (0, 6, 10), 0.7,
    ),
    "shuffle": Style(
        ("shuffle", "swing", "swinging band"), 4,
        {KICK: (0, 8), SNARE: (4, 12), RIDE: (0, 4, 6, 8, 12, 14)},
        {CONGA: (0, 8), TAMBOURINE: (4, 12), SHAKER: (0, 4, 6, 8, 12, 14)},
        ((0, 0), (4, 1), (8, 2), (12, 1)), (4, 12), 0.3, 2 / 3,
    ),
    "reel": Style(
        ("reel", "fiddle dance", "folk dance"), 4,
        {KICK: QUARTERS, CLOSED_HAT: (2, 6, 10, 14)},
        {CONGA: QUARTERS, TAMBOURINE: (2, 6, 10, 14)},
        ((0, 0), (8, 2)), (2, 6, 10, 14), 0.55,
    ),
}  # fmt: skip
