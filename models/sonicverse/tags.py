"""Voices, whose voice, and genre, read off MusiCNN's tags: pseudo-labels, and a peer of the captioner's own heads.

The encoder's ``penultimate`` layer carries the 50 MagnaTagATune tag probabilities. A clip has vocals as far as its strongest
voice tag outweighs its strongest "no voice" tag; gender compares the strongest female with the strongest male tag; genres are
the tags themselves, which the genre head is distilled from.
"""

from __future__ import annotations

import numpy as np

from models.embeddings.musicnn import MTT_TAGS

VOICE = ("vocal", "singing", "vocals", "voice", "choir", "choral", "opera", "female", "woman", "female vocal", "female voice",
         "male", "man", "male vocal", "male voice")  # fmt: skip
SILENT = ("no vocals", "no vocal", "no voice")
FEMALE = ("female", "woman", "female vocal", "female voice")
MALE = ("male", "man", "male vocal", "male voice")
GENRES = (
    "classical",
    "techno",
    "electronic",
    "rock",
    "ambient",
    "indian",
    "opera",
    "pop",
    "new age",
    "dance",
    "country",
    "metal",
)


def read_tags(penultimate: np.ndarray) -> dict[str, dict[str, float]]:
    """``vocals`` (vocals, instrumental), ``gender`` (female, male) and ``genre`` of one ``penultimate`` layer vector (250,)."""
    tags = dict(zip(MTT_TAGS, (float(p) for p in penultimate[-len(MTT_TAGS) :]), strict=True))

    def strongest(names: tuple[str, ...]) -> float:
        return max(tags[n] for n in names) + 1e-6

    def share(a: tuple[str, ...], b: tuple[str, ...]) -> float:
        return round(strongest(a) / (strongest(a) + strongest(b)), 4)

    voice, female = share(VOICE, SILENT), share(FEMALE, MALE)
    return {
        "vocals": {"vocals": voice, "instrumental": round(1 - voice, 4)},
        "gender": {"female": female, "male": round(1 - female, 4)},
        "genre": {name: round(tags[name], 4) for name in GENRES},
    }


def genre_tags(penultimate: np.ndarray) -> np.ndarray:
    """Probabilities of `GENRES` in one ``penultimate`` layer vector, float32."""
    return np.array([penultimate[-len(MTT_TAGS) + MTT_TAGS.index(name)] for name in GENRES], dtype=np.float32)
