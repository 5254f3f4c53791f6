"""Captions of rendered clips: true words for declared attributes, worded in many ways."""

from __future__ import annotations

import numpy as np

from models.tempo import tempo_class
from stimuli.dataset.arrange import Attributes

REGISTER_WORDS = {
    "low": ("low-pitched", "low register", "deep and low"),
    "mid": ("mid-range", "middle register", "mid-pitched"),
    "high": ("high-pitched", "high register", "high notes"),
}
ARTICULATION_WORDS = {
    "legato": ("legato", "flowing legato", "smooth and legato"),
    "staccato": ("staccato", "short staccato notes", "crisp staccato"),
}
HARMONY_WORDS = {
    "consonant": ("consonant harmony", "consonant"),
    "tense": ("slightly tense harmony", "slight tension"),
    "dissonant": ("dissonant harmony", "dissonant"),
}
DYNAMICS_WORDS = {"soft": ("soft", "gentle"), "moderate": ("", ""), "loud": ("loud", "forceful")}
SETTINGS = ("background music", "background music for a fine restaurant", "instrumental music", "music")


def character(a: Attributes) -> list[str]:
    """Words of character that follow from the attributes."""
    chords = a.articulation == "staccato" and a.texture in ("repeated chords", "off-beat chords")
    return sounding(a.articulation, a.harmony, a.register, a.dynamics, bool(a.percussion) or chords)


def sounding(articulation: str, harmony: str, register: str, dynamics: str, rhythmic: bool) -> list[str]:
    """Words of character of any music whose attributes are known; `rhythmic`: drums, or short chords."""
    words = []
    if articulation == "legato":
        words.append("flowing")
    if articulation == "legato" and dynamics == "soft" and harmony == "consonant":
        words.append("warm")
    if articulation == "staccato" and register == "high":
        words += ["crisp", "bright"]
    if harmony == "dissonant" and register == "high":
        words.append("sharp")
    if rhythmic:
        words += ["rhythmic", "grounded"]
    if register == "low":
        words += ["deep", "heavy"] if dynamics != "soft" else ["deep", "reflective"]
    return words


def caption(
    a: Attributes, key: str, rng: np.random.Generator, taste_words: str = "", keep: float = 0.9, lead: float = 0.7
) -> str:
    """Word one caption; each attribute is named with probability `keep`, in random order, after words of character.

    Parameters
    ----------
    key : str
        e.g. ``"D minor"``.
    taste_words : str
        Words put in front (only the taste set has any), e.g. ``"sweet"``.
    lead : float
        Probability of each word of character. With ``keep = lead = 0`` the caption is taste words and setting alone.
    """

    def pick(words: tuple[str, ...]) -> str:
        return str(rng.choice(words))

    played = list(a.instruments) + (["percussion"] if a.percussion else [])
    with_instruments = ("with " if rng.random() < 0.7 else "played by ") + ", ".join(played[:-1])
    with_instruments = f"{with_instruments} and {played[-1]}" if len(played) > 1 else with_instruments + played[-1]
    fields = [
        f"{tempo_class(a.bpm)} tempo, {a.bpm} BPM" if rng.random() < 0.6 else f"{tempo_class(a.bpm)}, {a.bpm} BPM",
        pick(REGISTER_WORDS[a.register]),
        pick(ARTICULATION_WORDS[a.articulation]),
        pick(HARMONY_WORDS[a.harmony]),
        with_instruments,
    ]
    kept = [f for f in fields if rng.random() < keep] or (fields[:1] if keep else [])
    optional = [f"in {key}", a.texture, pick(DYNAMICS_WORDS[a.dynamics])]
    kept += [f for f in optional if f and rng.random() < 0.5 * keep / 0.9]
    order = rng.permutation(len(kept))
    words = character(a)
    leading = [w for w in words if rng.random() < lead]
    head = " ".join(filter(None, [taste_words, ", ".join(leading), pick(SETTINGS)]))
    text = (f"{head}: " + ", ".join(kept[i] for i in order) if kept else head) + "."
    return text[0].upper() + text[1:]
