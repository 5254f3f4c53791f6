"""What the nano heads predict, and the sentences that the nano captioner learns to write."""

from __future__ import annotations

from typing import Any

import numpy as np

INSTRUMENTS = (
    "piano",
    "celesta",
    "marimba",
    "organ",
    "guitar",
    "electric bass",
    "violin",
    "cello",
    "double bass",
    "plucked strings",
    "harp",
    "strings",
    "choir",
    "deep brass",
    "horns",
    "bassoon",
    "clarinet",
    "flute",
    "electronic tones",
    "synth pad",
    "percussion",
)
FAMILIES = {
    "keys": ("piano", "celesta", "marimba", "organ"),
    "plucked": ("guitar", "electric bass", "plucked strings", "harp"),
    "bowed": ("violin", "cello", "double bass", "strings"),
    "winds": ("deep brass", "horns", "bassoon", "clarinet", "flute"),
    "electronic": ("electronic tones", "synth pad"),
    "choir": ("choir",),
    "percussion": ("percussion",),
}
FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}
TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{t} major" for t in TONICS) + tuple(f"{t} minor" for t in TONICS)
MOODS = ("flowing", "warm", "crisp", "bright", "sharp", "rhythmic", "grounded", "deep", "heavy", "reflective")
TEMPI = ("slow", "moderate", "fast")
REGISTERS = ("low", "mid", "high")
ARTICULATIONS = ("legato", "staccato")
HARMONIES = ("consonant", "tense", "dissonant")
# Head -> (labels, several at once?)
HEADS: dict[str, tuple[tuple[str, ...], bool]] = {
    "instrument": (INSTRUMENTS, True),
    "mood": (MOODS, True),
    "tempo": (TEMPI, False),
    "key": (KEYS, False),
    "register": (REGISTERS, False),
    "articulation": (ARTICULATIONS, False),
    "harmony": (HARMONIES, False),
}


def tempo_word(bpm: float) -> str:
    """Tempo class: slow under 80 BPM, moderate under 115, else fast."""
    return "slow" if bpm < 80 else "moderate" if bpm < 115 else "fast"


def labels_of(row: dict[str, Any]) -> dict[str, list[str]]:
    """Labels per head of one corpus row (its exact `attributes`)."""
    a = row["attributes"]
    played = list(a["instruments"]) + (["percussion"] if a["percussion"] else [])
    return {
        "instrument": played,
        "mood": list(row["moods"]),
        "tempo": [tempo_word(a["bpm"])],
        "key": [row["key"]],
        "register": [a["register"]],
        "articulation": [a["articulation"]],
        "harmony": [a["harmony"]],
    }


def targets(labels: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """0/1 vectors per head, float32."""
    out = {}
    for head, (names, _) in HEADS.items():
        vector = np.zeros(len(names), dtype=np.float32)
        for label in labels[head]:
            vector[names.index(label)] = 1
        out[head] = vector
    return out


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def sentence(labels: dict[str, list[str]], rng: np.random.Generator) -> str:
    """Word one true caption; about 30 tokens, in one of three orders."""
    instruments = _listed(labels["instrument"])
    tempo, register = labels["tempo"][0], labels["register"][0]
    key, articulation, harmony = labels["key"][0], labels["articulation"][0], labels["harmony"][0]
    moods = labels["mood"][:3]
    tail = f" It sounds {_listed(moods)}." if moods else ""
    match int(rng.integers(3)):
        case 0:
            text = f"A {tempo} piece in the {register} register, played by {instruments}, in {key}, "
            text += f"{articulation}, with {harmony} harmony."
        case 1:
            text = f"{instruments[0].upper()}{instruments[1:]} at a {tempo} tempo, {articulation}, "
            text += f"in the {register} register, with {harmony} harmony in {key}."
        case _:
            text = f"This {tempo} music in {key} has {instruments} in the {register} register, "
            text += f"{articulation} notes and {harmony} harmony."
    return text + tail
