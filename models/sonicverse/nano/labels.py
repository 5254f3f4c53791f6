"""What the nano heads predict, and the sentences that the nano captioner learns to write."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from models.errors import ModelError
from models.sonicverse.tags import GENRES
from models.tempo import TEMPI, tempo_class

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
    # Those of bands, behind the others: a captioner that was trained without them has fewer units, of the same order.
    "accordion",
    "electric piano",
    "vibraphone",
    "saxophone",
    "brass",
    "tuba",
    "synth bass",
    "electric guitar",
)
FAMILIES = {
    "keys": {"piano", "electric piano", "celesta", "marimba", "vibraphone", "organ", "accordion"},
    "plucked": {"guitar", "electric guitar", "electric bass", "plucked strings", "harp"},
    "bowed": {"violin", "cello", "double bass", "strings"},
    "winds": {"deep brass", "horns", "bassoon", "clarinet", "flute", "saxophone", "brass", "tuba"},
    "electronic": {"electronic tones", "synth pad", "synth bass"},
    "choir": {"choir"},
    "percussion": {"percussion"},
}
FAMILY_OF = {name: family for family, names in FAMILIES.items() for name in names}
TONICS = ("C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B")
KEYS = tuple(f"{t} major" for t in TONICS) + tuple(f"{t} minor" for t in TONICS)
MOODS = ("flowing", "warm", "crisp", "bright", "sharp", "rhythmic", "grounded", "deep", "heavy", "reflective")
REGISTERS = ("low", "mid", "high")
ARTICULATIONS = ("legato", "staccato")
HARMONIES = ("consonant", "tense", "dissonant")
VOICES = ("vocals", "instrumental")
GENDERS = ("female", "male")
SUNG = {"female": "a woman singing", "male": "a man singing"}
# Head -> (labels, several at once?)
HEADS: dict[str, tuple[tuple[str, ...], bool]] = {
    "instrument": (INSTRUMENTS, True),
    "mood": (MOODS, True),
    "tempo": (TEMPI, False),
    "key": (KEYS, False),
    "register": (REGISTERS, False),
    "articulation": (ARTICULATIONS, False),
    "harmony": (HARMONIES, False),
    "vocals": (VOICES, False),
    "gender": (GENDERS, False),
    "genre": (GENRES, True),
}


def labels_of(row: dict[str, Any]) -> dict[str, list[str]]:
    """Labels per head of one corpus row (its exact `attributes`); a head whose truth is not known is left out.

    Nobody's gender is known where nobody sings, and no rendered clip has a genre. A soundfont's choir is an instrument: it
    sings no words.
    """
    voice = row.get("voice")
    sung = {"vocals": ["vocals" if voice else "instrumental"], **({"gender": [voice["gender"]]} if voice else {})}
    a = row.get("attributes")
    if a is None:  # recorded music, of which the voice alone is known
        return sung
    played = list(a["instruments"]) + (["percussion"] if a["percussion"] else [])
    return {
        "instrument": played,
        "mood": list(row["moods"]),
        "tempo": [tempo_class(a["bpm"])],
        "key": [row["key"]],
        "register": [a["register"]],
        "articulation": [a["articulation"]],
        "harmony": [a["harmony"]],
        **sung,
    }


def targets(labels: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """0/1 vectors per head, float32; NaN where the truth is not known.

    Raises
    ------
    ModelError
        If a label is none of its head's.
    """
    out = {}
    for head, (names, _) in HEADS.items():
        vector = np.full(len(names), 0.0 if head in labels else np.nan, dtype=np.float32)
        for label in labels.get(head, []):
            if label not in names:
                raise ModelError(f'the captioner has no label "{label}" for {head}; it knows {", ".join(names)}')
            vector[names.index(label)] = 1
        out[head] = vector
    return out


def _listed(words: list[str]) -> str:
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1]


def without_repeats(text: str) -> str:
    """Leave out what a list of instruments or moods says twice: the frozen language model finishes a list the tokens left open."""
    word = "(?:" + "|".join(sorted((*INSTRUMENTS, *MOODS, "bass"), key=len, reverse=True)) + ")"

    def once(found: re.Match[str]) -> str:
        items = re.split(", | and ", found[0])
        low = [item.lower() for item in items]
        # A bass of which the list has said already what kind it is, is that one.
        known = [
            set(low[:i]) | ({"bass"} if any(x.endswith(" bass") for x in low[:i]) else set()) for i in range(len(low))
        ]
        return _listed([item for item, own, before in zip(items, low, known, strict=True) if own not in before])

    text = re.sub(rf"\b{word}(?:, {word})*(?: and {word})?\b", once, text, flags=re.IGNORECASE)
    return _key_once(text)


def _key_once(text: str) -> str:
    """A key that is named twice is named once, where the second time is no sentence of its own."""
    for key in KEYS:
        first = re.search(rf"\bin {re.escape(key)}\b", text, re.IGNORECASE)
        if first:
            after = first.end()
            again = rf"(?<!\bis)(?:,| and)? in {re.escape(key)}(?=[,.;]|$| with| and)"
            text = text[:after] + re.sub(again, "", text[after:])
    return text


def sentence(labels: dict[str, list[str]], rng: np.random.Generator) -> str:
    """Word one true caption; about 30 tokens, in one of three orders. Who sings is said where somebody does."""
    instruments = _listed(labels["instrument"]) if labels["instrument"] else "voice alone"
    singer = SUNG[labels["gender"][0]] if labels.get("gender") else ""
    tempo, register = labels["tempo"][0], labels["register"][0]
    key, articulation, harmony = labels["key"][0], labels["articulation"][0], labels["harmony"][0]
    moods = labels["mood"][:3]
    tail = f" It sounds {_listed(moods)}." if moods else ""
    match int(rng.integers(3)):
        case 0:
            text = f"A {tempo} piece in the {register} register, played by {instruments}, "
            text += f"with {singer}, in {key}, " if singer else f"in {key}, "
            text += f"{articulation}, with {harmony} harmony."
        case 1:
            text = f"{instruments[0].upper()}{instruments[1:]} at a {tempo} tempo{f' with {singer}' if singer else ''}, {articulation}, "
            text += f"in the {register} register, with {harmony} harmony in {key}."
        case _:
            text = f"This {tempo} music in {key} has {instruments} in the {register} register, "
            text += f"{singer}, " if singer else ""
            text += f"{articulation} notes and {harmony} harmony."
    return text + tail
