"""From a harmonic skeleton and a set of declared attributes to notes.

Every attribute that a caption may name (tempo, key, register, articulation, texture, harmony, dynamics, instruments)
is decided here, so that it is known exactly and not estimated.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from stimuli.dataset.scores import Skeleton

REGISTERS = ("low", "mid", "high")
TEXTURES = ("sustained chords", "arpeggios", "repeated chords", "off-beat chords", "drone")
HARMONIES = ("consonant", "tense", "dissonant")
DYNAMICS = {"soft": 52, "moderate": 78, "loud": 108}
ARTICULATIONS = ("legato", "staccato")
BPM_RANGE = (50, 160)

# General MIDI programs (0-based) and the registers in which the instrument is at home.
INSTRUMENTS: dict[str, tuple[int, tuple[str, ...]]] = {
    "piano": (0, ("low", "mid", "high")),
    "celesta": (8, ("high",)),
    "marimba": (12, ("mid", "high")),
    "organ": (19, ("mid", "high")),
    "guitar": (24, ("mid",)),
    "electric bass": (33, ("low", "mid")),
    "violin": (40, ("high",)),
    "cello": (42, ("low", "mid")),
    "double bass": (43, ("low",)),
    "plucked strings": (45, ("mid", "high")),
    "harp": (46, ("mid", "high")),
    "strings": (48, ("low", "mid", "high")),
    "choir": (52, ("mid", "high")),
    "deep brass": (58, ("low",)),
    "horns": (60, ("low", "mid")),
    "bassoon": (70, ("low",)),
    "clarinet": (71, ("mid",)),
    "flute": (73, ("high",)),
    "electronic tones": (81, ("low", "mid", "high")),
    "synth pad": (88, ("mid", "high")),
}
LEAD_CENTRE = {"low": 47, "mid": 64, "high": 81}
CHORD_CENTRE = {"low": 45, "mid": 58, "high": 72}
BASS_CENTRE = {"low": 34, "mid": 43, "high": 60}


@dataclass(frozen=True)
class Attributes:
    """What is declared about one clip; all of it can be named in a caption.

    `bpm` counts quarter notes per minute; `instruments` are lead, harmony and, where there is a third, bass.
    """

    bpm: int
    register: str
    articulation: str
    texture: str
    harmony: str
    dynamics: str
    instruments: tuple[str, ...]
    percussion: bool
    transpose: int


@dataclass(frozen=True)
class Note:
    """One note: General MIDI channel, onset and duration in seconds, MIDI pitch, velocity."""

    channel: int
    onset: float
    duration: float
    pitch: int
    velocity: int


def draw_attributes(rng: np.random.Generator, **fixed: object) -> Attributes:
    """Draw independent attributes, so that a model can tell them apart; `fixed` ones are kept."""
    register = str(fixed.get("register", rng.choice(REGISTERS)))
    fitting = [name for name, (_, registers) in INSTRUMENTS.items() if register in registers]
    n = int(rng.choice([1, 2, 3], p=[0.35, 0.45, 0.2]))
    values: dict[str, Any] = {
        "bpm": int(rng.integers(*BPM_RANGE, endpoint=True)),
        "register": register,
        "articulation": str(rng.choice(ARTICULATIONS)),
        "texture": str(rng.choice(TEXTURES)),
        "harmony": str(rng.choice(HARMONIES, p=[0.5, 0.2, 0.3])),
        "dynamics": str(rng.choice(list(DYNAMICS))),
        "instruments": tuple(str(x) for x in rng.choice(fitting, size=n, replace=False)),
        "percussion": bool(rng.random() < 0.2),
        "transpose": int(rng.integers(-5, 7)),
    }
    values.update(fixed)
    return Attributes(**values)


def _near(pitch: int, centre: float) -> int:
    """Move `pitch` by octaves to the place nearest to `centre`."""
    return int(pitch + 12 * round((centre - pitch) / 12))


def _voicing(pitches: list[int], centre: float, harmony: str, rng: np.random.Generator) -> list[int]:
    placed = sorted({_near(p, centre) for p in pitches})
    if harmony == "tense" and rng.random() < 0.5:
        placed.append(placed[-1] + int(rng.choice([-2, 2])))
    elif harmony == "dissonant" and rng.random() < 0.9:
        # A minor second against the top and a tritone against the root: rough in any register (Plomp & Levelt 1965).
        placed += [placed[-1] + 1, _near(placed[0] + 6, centre)]
    return sorted(set(placed))


def arrange(skeleton: Skeleton, a: Attributes, seconds: float, rng: np.random.Generator) -> list[Note]:
    """Arrange `seconds` of a piece with attributes `a`; returns notes in seconds from the clip's start."""
    lead, others = arrange_parts(skeleton, a, seconds, rng)
    return lead + others


def arrange_parts(
    skeleton: Skeleton, a: Attributes, seconds: float, rng: np.random.Generator
) -> tuple[list[Note], list[Note]]:
    """As `arrange`, the melody and what goes with it apart."""
    beat = 60.0 / a.bpm
    n_beats = int(np.ceil(seconds / beat)) + 2
    bars = max(1, (len(skeleton.chords) - n_beats) // 4 + 1)
    start = 4 * int(rng.integers(bars))
    chords = [[p + a.transpose for p in skeleton.chords[(start + i) % len(skeleton.chords)]] for i in range(n_beats)]
    length = 0.35 if a.articulation == "staccato" else 1.05
    velocity = DYNAMICS[a.dynamics]
    lead = _lead(skeleton, a, start, n_beats, beat, length, velocity)
    notes: list[Note] = []
    harmony_channel = 1 if len(a.instruments) > 1 else 0
    bass_channel = 2 if len(a.instruments) > 2 else harmony_channel
    held: list[int] = []
    for i, chord in enumerate(chords):
        onset = i * beat
        tones = _voicing(chord, CHORD_CENTRE[a.register], a.harmony, rng)
        soft = max(30, velocity - 14)
        accent = 10 if i % 4 == 0 else 0
        half = beat / 2
        if a.texture == "sustained chords":
            notes += [Note(harmony_channel, onset, length * beat, p, soft + accent) for p in tones]
        elif a.texture == "arpeggios":
            for j in range(2):
                notes.append(
                    Note(harmony_channel, onset + j * half, length * half, tones[(2 * i + j) % len(tones)], soft)
                )
        elif a.texture == "repeated chords":
            for j in range(2):
                notes += [Note(harmony_channel, onset + j * half, min(length, 0.8) * half, p, soft) for p in tones]
        elif a.texture == "off-beat chords":
            notes += [Note(harmony_channel, onset + half, length * half, p, soft) for p in tones]
        elif a.texture == "drone" and i % 8 == 0:
            held = [_near(skeleton.tonic + a.transpose, CHORD_CENTRE[a.register] - 7)]
            held.append(held[0] + 7 if a.harmony != "dissonant" else held[0] + 6)
            notes += [Note(harmony_channel, onset, 8 * beat, p, soft) for p in held]
        if a.texture != "drone":
            bass = _near(chord[0], BASS_CENTRE[a.register])
            notes.append(Note(bass_channel, onset, length * beat, bass, soft + accent))
        if a.percussion:
            notes += _drums(i, onset, half, soft)
    return [n for n in lead if 0 <= n.onset < seconds], [n for n in notes if 0 <= n.onset < seconds]


def _lead(
    skeleton: Skeleton, a: Attributes, start: int, n_beats: int, beat: float, length: float, velocity: int
) -> list[Note]:
    mean = float(np.mean([p for _, _, p in skeleton.melody])) + a.transpose
    shift = a.transpose + 12 * round((LEAD_CENTRE[a.register] - mean) / 12)
    total = len(skeleton.chords)
    notes = []
    for lap in range(n_beats // total + 2):
        for onset, duration, pitch in skeleton.melody:
            at = onset + lap * total - start
            if 0 <= at < n_beats:
                notes.append(Note(0, at * beat, length * duration * beat, pitch + shift, velocity))
    return notes


def _drums(i: int, onset: float, half: float, velocity: int) -> list[Note]:
    kick, snare, hat = 36, 38, 42
    notes = [Note(9, onset, 0.1, kick if i % 2 == 0 else snare, velocity)]
    notes += [Note(9, onset + j * half, 0.1, hat, velocity - 12) for j in range(2)]
    return notes
