"""Arrangements note by note: every texture, voicing and drum stroke written out by hand, for a piece in G at 60 beats a minute."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest

from stimuli.dataset.arrange import INSTRUMENTS, Attributes, Note, arrange, arrange_parts, draw_attributes
from stimuli.dataset.scores import Skeleton

# Four beats of G major, four of D major, and so on; a tune of half notes on G4.
G, D = [43, 50, 59, 67], [50, 57, 62, 66]
PIECE = Skeleton("p", 7, "major", [(2.0 * k, 2.0, 67) for k in range(4)], [G] * 4 + [D] * 4)
PLAIN: dict[str, Any] = {
    "bpm": 60, "register": "mid", "articulation": "legato", "texture": "sustained chords", "harmony": "consonant",
    "dynamics": "moderate", "instruments": ("piano", "organ", "cello"), "percussion": False, "transpose": 0,
}  # fmt: skip


def parts(seconds: float = 8.0, piece: Skeleton = PIECE, **changes: Any) -> tuple[list[Note], list[Note]]:
    return arrange_parts(piece, Attributes(**PLAIN | changes), seconds, np.random.default_rng(0))


def struck(notes: list[Note], channel: int) -> list[tuple[float, float, int, int]]:
    """Onset, duration, pitch and velocity of all that one channel plays, in order."""
    return [
        (round(n.onset, 6), round(n.duration, 6), n.pitch, n.velocity)
        for n in sorted(notes, key=lambda n: (n.onset, n.pitch))
        if n.channel == channel
    ]


def at_first(*played: list[Note]) -> list[list[Note]]:
    """What sounds from the first moment on."""
    return [[n for n in notes if n.onset == 0] for notes in played]


def bass_of(length: float, first: int, other: int) -> list[tuple[float, float, int, int]]:
    """G2 under G, D2 under D: the places nearest to G2; the first beat of four louder by ten."""
    return [(float(k), length, 43 if k < 4 else 38, first if k % 4 == 0 else other) for k in range(8)]


# G and D major about A#3 (58), the octaves of one tone laid over each other.
G_VOICED, D_VOICED = (55, 59, 62), (54, 57, 62)


def test_sustained_chords() -> None:
    lead, others = parts()
    assert struck(lead, 0) == [(2.0 * k, 2.1, 67, 78) for k in range(4)]
    chords = [
        (float(k), 1.05, p, 74 if k % 4 == 0 else 64) for k in range(8) for p in (G_VOICED if k < 4 else D_VOICED)
    ]
    assert struck(others, 1) == chords
    assert struck(others, 2) == bass_of(1.05, 74, 64)
    assert len(others) == len(chords) + 8


def test_arpeggios_go_through_the_chord_in_halves_of_a_beat() -> None:
    others = parts(texture="arpeggios")[1]
    turns = [(2 * k + j) % 3 for k in range(8) for j in range(2)]
    pitches = [(G_VOICED if i < 8 else D_VOICED)[t] for i, t in enumerate(turns)]
    assert struck(others, 1) == [(i / 2, 0.525, p, 64) for i, p in enumerate(pitches)]
    assert struck(others, 2) == bass_of(1.05, 74, 64)


def test_repeated_chords_are_struck_twice_a_beat_and_never_tied() -> None:
    others = parts(texture="repeated chords")[1]
    assert struck(others, 1) == [
        (i / 2, 0.4, p, 64) for i in range(16) for p in (G_VOICED if i < 8 else D_VOICED)
    ]  # fmt: skip
    short = parts(texture="repeated chords", articulation="staccato")[1]
    assert {n.duration for n in short if n.channel == 1} == {0.175}


def test_off_beat_chords_come_between_the_beats() -> None:
    others = parts(texture="off-beat chords")[1]
    assert struck(others, 1) == [
        (k + 0.5, 0.525, p, 64) for k in range(8) for p in (G_VOICED if k < 4 else D_VOICED)
    ]  # fmt: skip
    assert struck(others, 2) == bass_of(1.05, 74, 64)


@pytest.mark.parametrize(("harmony", "over"), [("consonant", 7), ("tense", 7), ("dissonant", 6)])
def test_a_drone_holds_the_tonic_and_its_fifth_or_a_tritone_for_eight_beats(harmony: str, over: int) -> None:
    """G about D#3 (51) is G3; F, of a piece moved down by two, is F3; nothing else is played under the tune."""
    for transpose, tonic in ((0, 55), (-2, 53)):
        others = parts(17.0, texture="drone", harmony=harmony, transpose=transpose)[1]
        held = [(8.0 * k, 8.0, p, 64) for k in range(3) for p in (tonic, tonic + over)]
        assert struck(others, 1) == held
        assert len(others) == len(held)


def test_staccato_notes_last_a_third_of_their_time() -> None:
    lead, others = parts(articulation="staccato")
    assert {n.duration for n in lead} == {0.7}
    assert {n.duration for n in others} == {0.35}


@pytest.mark.parametrize(("dynamics", "lead", "chords"), [("soft", 52, 38), ("moderate", 78, 64), ("loud", 108, 94)])
def test_how_hard_notes_are_struck(dynamics: str, lead: int, chords: int) -> None:
    tune, others = parts(dynamics=dynamics)
    assert {n.velocity for n in tune} == {lead}
    assert {n.velocity for n in others} == {chords, chords + 10}


def test_drums_by_the_beat() -> None:
    """General MIDI's tenth channel: bass drum on one and three, snare on two and four, a closed hat twice a beat, softer by 12."""
    others = parts(4.0, percussion=True)[1]
    drums = [(float(k), 0.1, 36 if k % 2 == 0 else 38, 64) for k in range(4)]
    hats = [(k / 2, 0.1, 42, 52) for k in range(8)]
    assert sorted(struck(others, 9)) == sorted(drums + hats)
    assert not [n for n in parts(4.0)[1] if n.channel == 9]


@pytest.mark.parametrize(("players", "channels"), [(1, (0, 0, 0)), (2, (0, 1, 1)), (3, (0, 1, 2))])
def test_who_plays_what(players: int, channels: tuple[int, int, int]) -> None:
    """Tune, chords and bass; where there are fewer players one plays more than one of them."""
    lead, others = at_first(*parts(instruments=("piano", "organ", "cello")[:players]))
    tune, chords, bass = channels
    assert {n.channel for n in lead} == {tune}
    assert Counter((n.channel, n.pitch) for n in others) == Counter([(chords, p) for p in G_VOICED] + [(bass, 43)])


@pytest.mark.parametrize(
    ("register", "tune", "chord", "bass"), [("low", 43, (43, 47, 50), 31), ("mid", 67, G_VOICED, 43), ("high", 79, (67, 71, 74), 55)]
)  # fmt: skip
def test_registers(register: str, tune: int, chord: tuple[int, ...], bass: int) -> None:
    """G nearest to B2, E4 or A5; G, B and D nearest to A2, A#3 or C5; G nearest to A#1, G2 or C4."""
    lead, others = at_first(*parts(register=register))
    assert {n.pitch for n in lead} == {tune}
    assert [n.pitch for n in struck_notes(others, 1)] == list(chord)
    assert [n.pitch for n in struck_notes(others, 2)] == [bass]


def struck_notes(notes: list[Note], channel: int) -> list[Note]:
    return sorted((n for n in notes if n.channel == channel), key=lambda n: n.pitch)


def test_moved_pieces_move_every_note_alike() -> None:
    lead, others = parts(8.0, transpose=2)
    assert {n.pitch for n in lead} == {69}
    assert {n.pitch % 12 for n in others if n.onset < 4} == {9, 1, 4}
    assert {n.pitch % 12 for n in others if n.onset >= 4} == {4, 8, 11}


def chords_of(harmony: str, n: int = 400) -> list[set[int]]:
    """What the chord player strikes at each of `n` beats of G major."""
    piece = Skeleton("p", 7, "major", [(0.0, 4.0, 67)], [G] * 4)
    notes = parts(float(n), piece, harmony=harmony)[1]
    found: list[set[int]] = [set() for _ in range(n)]
    for note in notes:
        if note.channel == 1:
            found[round(note.onset)].add(note.pitch)
    return found


def test_consonant_chords_are_the_pieces_own() -> None:
    assert all(chord == set(G_VOICED) for chord in chords_of("consonant"))


def test_half_of_the_tense_chords_have_a_second_at_the_top() -> None:
    """A tone over or under the highest note: E4 or C4 beside D4."""
    more = [tuple(chord - set(G_VOICED)) for chord in chords_of("tense")]
    counts = Counter(more)
    assert set(counts) == {(), (64,), (60,)}
    assert counts[()] == pytest.approx(200, abs=40)
    assert counts[(64,)] == pytest.approx(100, abs=36)


def test_nine_in_ten_dissonant_chords_have_a_semitone_and_a_tritone() -> None:
    """E flat over D4, and C sharp, a tritone over the lowest, G3."""
    counts = Counter(tuple(sorted(chord - set(G_VOICED))) for chord in chords_of("dissonant"))
    assert set(counts) == {(), (61, 63)}
    assert counts[()] == pytest.approx(40, abs=24)


def test_clips_begin_at_a_bar_wherever_the_piece_is_long_enough() -> None:
    """A piece of 40 beats, beat k told by its pitch: ten of its beats are heard, from beat 0, 4, ... 28."""
    tune = [(float(k), 1.0, 40 + k) for k in range(40)]
    piece = Skeleton("p", 0, "major", tune, [[40 + k] for k in range(40)])
    begun = set()
    for seed in range(120):
        a = Attributes(**PLAIN)
        lead, others = arrange_parts(piece, a, 8.0, np.random.default_rng(seed))
        first = lead[0].pitch
        assert [n.pitch - first for n in lead] == list(range(8))
        assert [n.onset for n in lead] == [float(k) for k in range(8)]
        # The chords go with the tune: which beat it is, by the tune's lowest pitch being a known octave of it.
        assert {(n.pitch - first) % 12 for n in others if n.onset == 0} == {0}
        begun.add(first)
    assert len(begun) == 8
    assert {b - min(begun) for b in begun} == set(range(0, 32, 4))


def test_short_pieces_go_round_and_nothing_sounds_after_the_end() -> None:
    lead, others = parts(20.0)
    assert [n.onset for n in lead] == [2.0 * k for k in range(10)]
    assert {n.onset for n in others} == {float(k) for k in range(20)}
    everything = arrange(PIECE, Attributes(**PLAIN), 20.0, np.random.default_rng(0))
    assert everything == lead + others
    # At 120 beats a minute everything is twice as fast.
    fast = parts(4.0, bpm=120)
    assert [n.onset for n in fast[0]] == [1.0 * k for k in range(4)]
    assert {n.duration for n in fast[1]} == {0.525}


# General MIDI level 1's sound set, numbered from 1 as it is published: name and number of the instruments that are used here.
GENERAL_MIDI = {
    "piano": 1, "celesta": 9, "marimba": 13, "organ": 20, "guitar": 25, "electric bass": 34, "violin": 41, "cello": 43,
    "double bass": 44, "plucked strings": 46, "harp": 47, "strings": 49, "choir": 53, "deep brass": 59, "horns": 61, "bassoon": 71,
    "clarinet": 72, "flute": 74, "electronic tones": 82, "synth pad": 89,
}  # fmt: skip
HIGH = {
    "piano", "celesta", "marimba", "organ", "violin", "plucked strings", "harp", "strings", "choir", "flute",
    "electronic tones", "synth pad",
}  # fmt: skip
LOW = {
    "piano", "electric bass", "cello", "double bass", "strings", "deep brass", "horns", "bassoon", "electronic tones",
}  # fmt: skip
MID = {
    "piano", "marimba", "organ", "guitar", "electric bass", "cello", "plucked strings", "harp", "strings", "choir", "horns",
    "clarinet", "electronic tones", "synth pad",
}  # fmt: skip


def test_instruments_are_general_midis() -> None:
    assert {name: program + 1 for name, (program, _) in INSTRUMENTS.items()} == GENERAL_MIDI


@pytest.mark.parametrize(("register", "at_home"), [("low", LOW), ("mid", MID), ("high", HIGH)])
def test_instruments_play_where_they_are_at_home(register: str, at_home: set[str]) -> None:
    rng = np.random.default_rng(0)
    drawn = [draw_attributes(rng, register=register) for _ in range(300)]
    assert {a.register for a in drawn} == {register}
    assert {name for a in drawn for name in a.instruments} == at_home
    assert all(len(set(a.instruments)) == len(a.instruments) for a in drawn)


def test_what_is_drawn_and_how_often() -> None:
    rng = np.random.default_rng(1)
    drawn = [draw_attributes(rng) for _ in range(4000)]

    def shares(values: list[Any]) -> dict[Any, float]:
        return {value: n / len(values) for value, n in Counter(values).items()}

    near = {"abs": 0.03}
    assert shares([len(a.instruments) for a in drawn]) == pytest.approx({1: 0.35, 2: 0.45, 3: 0.2}, **near)
    assert shares([a.harmony for a in drawn]) == pytest.approx(
        {"consonant": 0.5, "tense": 0.2, "dissonant": 0.3}, **near
    )
    assert shares([a.register for a in drawn]) == pytest.approx(dict.fromkeys(("low", "mid", "high"), 1 / 3), **near)
    assert shares([a.articulation for a in drawn]) == pytest.approx({"legato": 0.5, "staccato": 0.5}, **near)
    assert shares([a.dynamics for a in drawn]) == pytest.approx(
        dict.fromkeys(("soft", "moderate", "loud"), 1 / 3), **near
    )
    textures = ("sustained chords", "arpeggios", "repeated chords", "off-beat chords", "drone")
    assert shares([a.texture for a in drawn]) == pytest.approx(dict.fromkeys(textures, 0.2), **near)
    assert shares([a.percussion for a in drawn]) == pytest.approx({True: 0.2, False: 0.8}, **near)
    assert {a.transpose for a in drawn} == set(range(-5, 7))
    assert {a.bpm for a in drawn} == set(range(50, 161))
    assert drawn[0] == draw_attributes(np.random.default_rng(1))


def test_what_is_asked_for_stays() -> None:
    asked: dict[str, Any] = {
        "bpm": 77,
        "instruments": ("harp",),
        "percussion": True,
        "transpose": 3,
        "harmony": "tense",
    }
    found = vars(draw_attributes(np.random.default_rng(0), **asked))
    assert {name: found[name] for name in asked} == asked
