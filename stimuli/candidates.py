"""Of several drawings of one clip, the one in which most is of what its prompt asks for.

Where a model follows a word weakly or not at all, some of its drawings have what the word says all the same, by chance. So several
are made, measured (`stimuli.features`), and the one is kept that has most of it. Rejection sampling: nothing is changed in a
clip, and what the model can't play it does not play here either.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Aspect = Literal["mode", "brightness", "register", "articulation", "harmony"]
ASPECTS: tuple[Aspect, ...] = get_args(Aspect)
OUTDONE = "another drawing has more of what is asked"  # why a drawing without a fault was not kept


@dataclass(frozen=True)
class Scale:
    """Which feature tells an aspect, and the words that ask for much and for little of it."""

    feature: str
    much: tuple[str, ...]
    little: tuple[str, ...]


SCALES: dict[Aspect, Scale] = {
    "mode": Scale("mode", ("major",), ("minor",)),
    "brightness": Scale("centroid", ("bright", "brilliant"), ("dark", "muffled")),
    "register": Scale(
        "pitch_height",
        ("high-pitched", "high register", "high notes"),
        ("low-pitched", "low register", "low notes", "deep and low"),
    ),
    "articulation": Scale("gaps", ("staccato",), ("legato",)),
    "harmony": Scale("roughness", ("dissonant",), ("consonant",)),
}
# "A minor percussion part" and "a major festival" say nothing of a mode.
TONIC = r"(?-i:\b[A-G])(?:[ -]?(?:flat|sharp)|[b#\u266d\u266f])?[ -]"
AFTER_MODE = r"(?=[ -]+(?:key|keys|scale|scales|mode|modes|chord|chords|triad|triads|harmony|harmonies|tonality|to|and|or)\b|\s*(?:[,.;:)/]|$))"


def asked(prompt: str, aspects: Sequence[Aspect] = ASPECTS) -> dict[str, int]:
    """What a prompt asks for: 1 for much and -1 for little of a feature; nothing of an aspect of which it names neither end, or both.

    Words alone are read: "not dark" asks for dark music, as it does of the models.
    """
    found = {}
    for aspect in aspects:
        scale = SCALES[aspect]
        much, little = (any(_names(w, prompt) for w in words) for words in (scale.much, scale.little))
        if much != little:
            found[scale.feature] = 1 if much else -1
    return found


def _names(words: str, prompt: str) -> bool:
    """Whether a prompt has these words, joined by blanks or hyphens, and not with "non" before them."""
    plain = r"[\s-]+".join(map(re.escape, re.split(r"[\s-]", words)))
    sought = rf"(?<!non-)(?<!non )\b{plain}\b"
    if words in ("major", "minor"):
        sought = rf"{TONIC}{plain}\b|{sought}{AFTER_MODE}"
    return re.search(sought, prompt, re.IGNORECASE) is not None


def best(measured: Sequence[dict[str, float]], asks: dict[str, int]) -> int:
    """Place of the drawing that fits best: with the highest sum of ranks over what is asked, so that no unit weighs more.

    Of equals the first, which is the one that would have been kept without the others; so it is where nothing is asked.
    """
    if not asks:
        return 0
    from scipy.stats import rankdata

    ranks = sum(rankdata([sign * m[feature] for m in measured]) for feature, sign in asks.items())
    return max(range(len(measured)), key=lambda i: float(ranks[i]))
