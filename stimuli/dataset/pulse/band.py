"""A band: what is declared about a clip, each part of it drawn by itself, and the notes that follow."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from stimuli.dataset.arrange import ARTICULATIONS, DYNAMICS, HARMONIES, REGISTERS, Note
from stimuli.dataset.pulse.styles import STYLES, Style
from stimuli.dataset.pulse.tunes import SCALES, Chord, Motif, draw_harmony, draw_motif

BPM_RANGE = (50, 200)
PERCUSSION = ("drums", "hand percussion", "")
DRUM_CHANNEL = 9
# General MIDI programs that sound in every register, so that who plays says nothing of how high.
PLAYERS: dict[str, tuple[int, ...]] = {
    "piano": (0, 1), "electric piano": (4, 5), "vibraphone": (11,), "marimba": (12,), "organ": (16, 19), "accordion": (21,),
    "guitar": (24, 25), "electric guitar": (27,), "violin": (40,), "cello": (42,), "harp": (46,), "strings": (48,),
    "brass": (61,), "saxophone": (65,), "clarinet": (71,), "flute": (73,), "electronic tones": (80, 81),
}  # fmt: skip
BASSES = {"double bass": 32, "electric bass": 33, "tuba": 58, "synth bass": 38}
CENTRES = {"low": (50, 46, 36), "mid": (67, 60, 43), "high": (84, 76, 62)}  # of melody, chords and bass
GATE = {"legato": 1.0, "staccato": 0.35}
TOO_FAST = 132  # BPM over which nobody plays sixteenths
FORM = (0, 0, 1, 0)  # motifs of four bars


@dataclass(frozen=True)
class Band:
    """What is declared about one clip; all of it can be named in a caption.

    `bpm` counts quarter notes a minute; `instruments` are melody, chords and bass; `tonic` is a pitch class, 0 for C.
    """

    bpm: int
    style: str
    mode: str
    tonic: int
    register: str
    articulation: str
    harmony: str
    dynamics: str
    instruments: tuple[str, str, str]
    percussion: str


def draw_band(rng: np.random.Generator) -> Band:
    """Draw each attribute by itself; tempi lie evenly on a log scale."""
    low, high = (np.log(b) for b in BPM_RANGE)
    melody, chords = rng.choice(list(PLAYERS), size=2)
    return Band(
        bpm=round(float(np.exp(rng.uniform(low, high)))),
        style=str(rng.choice(list(STYLES))),
        mode=str(rng.choice(list(SCALES))),
        tonic=int(rng.integers(12)),
        register=str(rng.choice(REGISTERS)),
        articulation=str(rng.choice(ARTICULATIONS)),
        harmony=str(rng.choice(HARMONIES, p=[0.5, 0.2, 0.3])),
        dynamics=str(rng.choice(list(DYNAMICS))),
        instruments=(str(melody), str(chords), str(rng.choice(list(BASSES)))),
        percussion=str(rng.choice(PERCUSSION, p=[0.55, 0.2, 0.25])),
    )


def draw_programs(band: Band, rng: np.random.Generator) -> tuple[int, int, int]:
    """Draw the General MIDI program (0-based) of melody, chords and bass."""
    melody, chords, bass = band.instruments
    return int(rng.choice(PLAYERS[melody])), int(rng.choice(PLAYERS[chords])), BASSES[bass]


def play(band: Band, seconds: float, split: str, rng: np.random.Generator) -> tuple[list[Note], dict[str, Any]]:
    """Compose `seconds` of music for a band; returns its notes, and the harmony and motifs they are made of."""
    style = STYLES[band.style]
    harmony = draw_harmony(band.mode, split, rng)
    fastest = 2 if band.bpm > TOO_FAST or style.swing != 0.5 else 1
    motifs = [draw_motif(style.steps, style.rhythm, fastest, split, rng) for _ in range(2)]
    sixteenth = 15.0 / band.bpm
    bars = int(np.ceil(seconds / (style.steps * sixteenth)))
    notes: list[Note] = []
    for bar in range(bars):
        chord = harmony[bar % len(harmony)]
        for channel, place, length, pitch, velocity in _bar(band, style, chord, motifs[FORM[bar % 4]]):
            onset = (bar * style.steps + _swung(place, style.swing)) * sixteenth
            notes.append(Note(channel, onset, length * sixteenth, pitch, velocity))
    made = {"harmony": [list(vars(c).values()) for c in harmony], "motifs": [vars(m) for m in motifs]}
    return [n for n in notes if n.onset < seconds], made


def _swung(place: int, swing: float) -> float:
    beat, within = divmod(place, 4)
    return beat * 4 + (within / 2 * swing if within <= 2 else swing + (within - 2) / 2 * (1 - swing)) * 4


def _bar(band: Band, style: Style, chord: Chord, motif: Motif) -> Iterator[tuple[int, int, float, int, int]]:
    """Channel, place and length in sixteenths, pitch and velocity of all that one bar holds."""
    loud, gate = DYNAMICS[band.dynamics], GATE[band.articulation]
    melody, middle, deep = CENTRES[band.register]
    for place, length, step in zip(motif.places, motif.lengths, motif.steps, strict=True):
        pitch = _near(band.tonic + chord.root, melody - 3) + _rise(step, chord, band.mode)
        yield 0, place, gate * length, pitch, loud + (8 if place == 0 else 0)
    voicing = voice(chord, band, middle)
    for place, until in zip(style.chords, (*style.chords[1:], style.steps), strict=True):
        for pitch in voicing:
            yield 1, place, gate * (until - place), pitch, loud - 10
    root = _near(band.tonic + chord.root, deep)
    for (place, which), until in zip(style.bass, (*(p for p, _ in style.bass[1:]), style.steps), strict=True):
        pitch = root + {0: 0, 1: chord.third, 2: chord.fifth, -1: chord.fifth - 12}[which]
        yield 2, place, gate * (until - place), pitch, loud + (6 if place == 0 else 0)
    struck = {"drums": style.drums, "hand percussion": style.hands, "": {}}[band.percussion]
    for drum, places in struck.items():
        for place in places:
            yield DRUM_CHANNEL, place, 1.0, drum, loud + (6 if place == 0 else -6 if place % 4 else 0)


def voice(chord: Chord, band: Band, centre: int) -> list[int]:
    """Pitches of a chord about `centre`; a tense one has a ninth more, a dissonant one two notes a semitone off its own."""
    root = band.tonic + chord.root
    placed = sorted(_near(root + step, centre) for step in (0, chord.third, chord.fifth))
    if band.harmony == "tense":
        placed.append(placed[0] + 14)
    elif band.harmony == "dissonant":
        # A minor second over the top and a tritone over the lowest: rough in any register (Plomp & Levelt 1965).
        placed += [placed[-1] + 1, placed[0] + 6]
    return sorted(set(placed))


def _near(pitch: int, centre: int) -> int:
    """`pitch` moved by octaves to the place nearest to `centre`."""
    return pitch + 12 * round((centre - pitch) / 12)


def _rise(step: int, chord: Chord, mode: str) -> int:
    """Semitones of a motif's step over the chord's root: chord notes are the chord's own, others the scale's."""
    own = {0: 0, 2: chord.third, 4: chord.fifth}
    octave, within = divmod(step, 7)
    if within in own:
        return 12 * octave + own[within]
    scale = SCALES[mode]
    degree = scale.index(chord.root)
    place = degree + within
    return 12 * octave + scale[place % 7] + 12 * (place // 7) - chord.root
