"""Captions name what is declared and nothing else: every word of a caption is looked up in lists made by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from stimuli.dataset.captions import caption, character
from tests.stimuli.dataset.test_dataset import attributes

REGISTER = {
    "low": {"low-pitched", "low register", "deep and low"}, "mid": {"mid-range", "middle register", "mid-pitched"},
    "high": {"high-pitched", "high register", "high notes"},
}  # fmt: skip
ARTICULATION = {
    "legato": {"legato", "flowing legato", "smooth and legato"},
    "staccato": {"staccato", "short staccato notes", "crisp staccato"},
}
HARMONY = {
    "consonant": {"consonant harmony", "consonant"}, "tense": {"slightly tense harmony", "slight tension"},
    "dissonant": {"dissonant harmony", "dissonant"},
}  # fmt: skip
DYNAMICS = {"soft": {"soft", "gentle"}, "moderate": set(), "loud": {"loud", "forceful"}}
SETTINGS = {"background music", "background music for a fine restaurant", "instrumental music", "music"}
CASES: list[dict[str, Any]] = [
    {"bpm": 60, "register": "low", "articulation": "legato", "harmony": "dissonant", "dynamics": "loud", "texture": "drone"},
    {"bpm": 99, "register": "mid", "articulation": "staccato", "harmony": "tense", "dynamics": "moderate", "texture": "arpeggios"},
    {"bpm": 150, "register": "high", "articulation": "staccato", "harmony": "consonant", "dynamics": "soft", "texture": "off-beat chords"},
]  # fmt: skip
TEMPO = {60: "slow", 99: "moderate", 150: "fast"}


def fields_of(text: str) -> tuple[str, list[str]]:
    """What stands before the colon, and the fields after it: "tempo, BPM" is one, and so is a list of instruments."""
    head, _, rest = text.rstrip(".").partition(": ")
    rest = re.sub(r"(\w+)( tempo)?, (\d+ BPM)", r"\1\2; \3", rest)
    played = re.search(r"(with|played by) (?:harp|piano|strings)[^:]*?and percussion", rest)
    if played:
        rest = rest.replace(played.group(), played.group().replace(", ", "; "))
    return head, rest.split(", ")


@pytest.mark.parametrize("case", CASES, ids=lambda c: c["register"])
def test_every_field_is_one_of_the_declared_ones(case: dict[str, Any]) -> None:
    a = attributes(**case, instruments=("harp", "piano"), percussion=True)
    word, rng = TEMPO[a.bpm], np.random.default_rng(0)
    kinds = {
        "tempo": {f"{word} tempo; {a.bpm} BPM", f"{word}; {a.bpm} BPM"}, "register": REGISTER[a.register],
        "articulation": ARTICULATION[a.articulation], "harmony": HARMONY[a.harmony],
        "instruments": {"with harp; piano and percussion", "played by harp; piano and percussion"},
        "key": {"in Eb minor"}, "texture": {a.texture}, "dynamics": DYNAMICS[a.dynamics],
    }  # fmt: skip
    counts = dict.fromkeys(kinds, 0)
    wordings: dict[str, set[str]] = {k: set() for k in kinds}
    orders, n = set(), 600
    for _ in range(n):
        head, fields = fields_of(caption(a, "Eb minor", rng))
        told = []
        for given in fields:
            kind = next((k for k, known in kinds.items() if given in known), None)
            assert kind is not None, given
            assert kind not in told
            told.append(kind)
            counts[kind] += 1
            wordings[kind].add(given)
        orders.add(tuple(told[:2]))
        words = head.lower().split(" ")
        setting = next(s for s in sorted(SETTINGS, key=len, reverse=True) if head.lower().endswith(s))
        leading = " ".join(words)[: -len(setting)].strip()
        assert set(leading.split(", ")) - {""} <= set(character(a))
    for kind in ("tempo", "register", "articulation", "harmony", "instruments"):
        assert counts[kind] / n == pytest.approx(0.9, abs=0.05)
    for kind in ("key", "texture") + (("dynamics",) if DYNAMICS[a.dynamics] else ()):
        assert counts[kind] / n == pytest.approx(0.5, abs=0.07)
    assert all(said == kinds[kind] for kind, said in wordings.items()), wordings
    assert len(orders) > 20


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"articulation": "legato", "dynamics": "soft", "harmony": "consonant", "register": "mid"}, ["flowing", "warm"]),
        ({"articulation": "legato", "dynamics": "loud", "harmony": "consonant", "register": "mid"}, ["flowing"]),
        ({"articulation": "legato", "dynamics": "soft", "harmony": "tense", "register": "mid"}, ["flowing"]),
        ({"articulation": "staccato", "register": "high", "texture": "drone", "harmony": "tense"}, ["crisp", "bright"]),
        ({"articulation": "staccato", "register": "high", "texture": "drone", "harmony": "dissonant"}, ["crisp", "bright", "sharp"]),
        ({"articulation": "legato", "register": "high", "harmony": "dissonant"}, ["flowing", "sharp"]),
        ({"articulation": "staccato", "register": "mid", "texture": "repeated chords"}, ["rhythmic", "grounded"]),
        ({"articulation": "staccato", "register": "mid", "texture": "off-beat chords"}, ["rhythmic", "grounded"]),
        ({"articulation": "staccato", "register": "mid", "texture": "arpeggios"}, []),
        ({"articulation": "legato", "register": "mid", "percussion": True}, ["flowing", "rhythmic", "grounded"]),
        ({"articulation": "staccato", "register": "low", "texture": "drone", "dynamics": "loud"}, ["deep", "heavy"]),
        ({"articulation": "staccato", "register": "low", "texture": "drone", "dynamics": "soft"}, ["deep", "reflective"]),
        ({"articulation": "legato", "register": "low", "harmony": "dissonant", "dynamics": "moderate"}, ["flowing", "deep", "heavy"]),
    ],
)  # fmt: skip
def test_words_of_character(change: dict[str, Any], words: list[str]) -> None:
    assert character(attributes(**{"dynamics": "moderate", **change})) == words


def test_how_much_of_a_caption_is_kept() -> None:
    a = attributes(register="low", articulation="legato", dynamics="soft", harmony="consonant", instruments=("harp",))
    rng = np.random.default_rng(1)
    everything = [caption(a, "C major", rng, keep=1.0, lead=1.0) for _ in range(40)]
    assert all(len(fields_of(text)[1]) >= 5 for text in everything)
    assert all(text.lower().startswith("flowing, warm, deep, reflective ") for text in everything)
    bare = {caption(a, "C major", rng, "sweet, sour,", 0.0, 0.0).lower() for _ in range(60)}
    assert bare == {f"sweet, sour, {s}." for s in SETTINGS}
    # Something is always said where anything may be.
    assert all(":" in caption(a, "C major", rng, keep=0.02) for _ in range(60))
    first = caption(a, "C major", np.random.default_rng(7), "bitter,")
    assert first.startswith("Bitter, ")
    assert first == caption(a, "C major", np.random.default_rng(7), "bitter,")
    assert {re.search("(with|played by) harp", t)[0] for t in everything} == {"with harp", "played by harp"}
