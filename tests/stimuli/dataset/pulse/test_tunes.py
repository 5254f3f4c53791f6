"""Harmonies and motifs: right by the rules of music, and never in both parts."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.dataset.pulse.tunes import Chord, Motif, draw_harmony, draw_motif, harmony_form, motif_form, part_of, triad


def pitch_classes(chord: Chord, key: int = 0) -> frozenset[int]:
    return frozenset((key + chord.root + step) % 12 for step in (0, chord.third, chord.fifth))


def harmonies(split: str, n: int) -> list[tuple[Chord, ...]]:
    rng = np.random.default_rng(1 if split == "train" else 2)
    return [draw_harmony(("major", "minor")[i % 2], split, rng) for i in range(n)]


def rounds(chords: tuple[Chord, ...]) -> set[tuple[frozenset[int], ...]]:
    """All that a round of chords can be heard as: in every key, begun anywhere, gone round until eight bars are full."""
    n = len(chords)
    return {
        tuple(pitch_classes(chords[(start + i) % n], key) for i in range(8)) for key in range(12) for start in range(n)
    }


def test_no_harmony_is_in_both_parts_in_any_key_begun_anywhere() -> None:
    learned = set().union(*(rounds(h) for h in harmonies("train", 400)))
    held_out = harmonies("test", 100)
    assert len({harmony_form(h) for h in held_out}) > 20
    assert not [h for h in held_out if rounds(h) & learned]


def test_no_motif_is_in_both_parts_in_any_key_or_mode() -> None:
    def drawn(split: str, n: int) -> set[tuple[object, ...]]:
        rng = np.random.default_rng(3 if split == "train" else 4)
        motifs = [draw_motif((8, 12, 16)[i % 3], i % 5 / 4, 1 + i % 2, split, rng) for i in range(n)]
        return {(m.places, tuple(np.diff(m.steps).tolist())) for m in motifs}

    learned, held_out = drawn("train", 2000), drawn("test", 500)
    assert len(held_out) > 200
    assert not learned & held_out


def test_a_sixth_is_held_out() -> None:
    rng = np.random.default_rng(0)
    shares = [part_of(str(rng.integers(1 << 40))) == "test" for _ in range(6000)]
    assert np.mean(shares) == pytest.approx(1 / 6, abs=0.02)


def test_a_relative_minor_and_a_doubled_round_are_the_same_harmony() -> None:
    major = tuple(triad(d, "major") for d in (0, 4, 5, 3))  # C G Am F
    minor = tuple(triad(d, "minor") for d in (0, 5, 2))  # Am F C: G would be major in minor too
    relative = tuple(triad(d, "major") for d in (5, 3, 0))
    assert [pitch_classes(c, 9) for c in minor] == [pitch_classes(c) for c in relative]
    assert harmony_form(minor) == harmony_form(relative)
    assert harmony_form(major * 2) == harmony_form(major[2:] + major[:2]) == harmony_form(major)
    assert harmony_form(major) != harmony_form(major[::-1])
    assert harmony_form(major) != harmony_form((*major[:3], triad(1, "major")))


def test_a_motif_is_its_rhythm_and_its_rises() -> None:
    motif = Motif((0, 4, 6), (4, 2, 10), (0, 2, 1))
    assert motif_form(motif) == motif_form(Motif((0, 4, 6), (4, 2, 10), (2, 4, 3)))
    assert motif_form(motif) != motif_form(Motif((0, 4, 7), (4, 3, 9), (0, 2, 1)))
    assert motif_form(motif) != motif_form(Motif((0, 4, 6), (4, 2, 10), (0, 2, 0)))


def test_triads_are_those_of_their_mode() -> None:
    """C major: C Dm Em F G Am; C minor: Cm Eb Fm G (major, for its cadence) Ab Bb."""
    named = {d: pitch_classes(triad(d, "major")) for d in range(6)}
    assert named == {
        0: {0, 4, 7}, 1: {2, 5, 9}, 2: {4, 7, 11}, 3: {5, 9, 0}, 4: {7, 11, 2}, 5: {9, 0, 4},
    }  # fmt: skip
    minor = {d: pitch_classes(triad(d, "minor")) for d in (0, 2, 3, 4, 5, 6)}
    assert minor == {
        0: {0, 3, 7}, 2: {3, 7, 10}, 3: {5, 8, 0}, 4: {7, 11, 2}, 5: {8, 0, 3}, 6: {10, 2, 5},
    }  # fmt: skip
    assert all(h[0].root == 0 and len(h) in (4, 8) for h in harmonies("train", 60))
    assert {h[0].third for h in harmonies("train", 60)[::2]} == {4}
    assert {h[0].third for h in harmonies("train", 60)[1::2]} == {3}


@pytest.mark.parametrize("steps", [8, 12, 16])
def test_motifs_fill_their_bar_and_stand_on_chord_notes_at_beats(steps: int) -> None:
    rng = np.random.default_rng(5)
    motifs = [draw_motif(steps, 0.6, 1, "train", rng) for _ in range(200)]
    for m in motifs:
        assert list(m.places) == sorted(set(m.places))
        assert m.places[0] < 4
        assert m.places[-1] < steps
        assert sum(m.lengths) == steps - m.places[0]
        assert all(step in (-3, 0, 2, 4, 7) for place, step in zip(m.places, m.steps, strict=True) if place % 4 == 0)
    slow = [draw_motif(steps, 0.6, 2, "train", rng) for _ in range(100)]
    assert all(place % 2 == 0 for m in slow for place in m.places)
    assert any(place % 2 for m in motifs for place in m.places)
    beats, between = (
        np.mean(
            [sum(p % 4 != 0 for p in m.places) for m in (draw_motif(steps, r, 1, "train", rng) for _ in range(200))]
        )
        for r in (0.0, 1.0)
    )
    assert between > 1.5 * beats
