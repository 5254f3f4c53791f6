"""Bands: attributes drawn each by itself, and notes that do what is declared."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from itertools import combinations, pairwise

import numpy as np
import pytest
from scipy import stats

from stimuli.dataset.arrange import Note
from stimuli.dataset.pulse.band import BASSES, DRUM_CHANNEL, PLAYERS, Band, draw_band, draw_programs, play, voice
from stimuli.dataset.pulse.captions import worded
from stimuli.dataset.pulse.styles import STYLES
from stimuli.dataset.pulse.tunes import triad

BAND = Band(
    120, "rock", "major", 0, "mid", "legato", "consonant", "moderate", ("piano", "organ", "electric bass"), "drums"
)  # fmt: skip


def notes_of(seconds: float = 16.0, seed: int = 0, **changes: object) -> list[Note]:
    return play(replace(BAND, **changes), seconds, "train", np.random.default_rng(seed))[0]


def channel(notes: list[Note], k: int) -> list[Note]:
    return [n for n in notes if n.channel == k]


def test_no_attribute_tells_another() -> None:
    """Chi-square tests of independence of every two attributes over 6,000 draws, tempo in four bands."""
    rng = np.random.default_rng(7)
    bands = [draw_band(rng) for _ in range(6000)]
    columns = {
        "tempo": [int(np.searchsorted((71, 100, 141), b.bpm)) for b in bands],
        "melody": [b.instruments[0] for b in bands],
        "chords": [b.instruments[1] for b in bands],
        "bass": [b.instruments[2] for b in bands],
        **{
            name: [getattr(b, name) for b in bands]
            for name in (
                "style", "mode", "tonic", "register", "articulation", "harmony", "dynamics", "percussion",
            )
        },
    }  # fmt: skip
    for one, other in combinations(columns, 2):
        pairs = Counter(zip(columns[one], columns[other], strict=True))
        rows, cols = sorted({p[0] for p in pairs}), sorted({p[1] for p in pairs})
        table = [[pairs[r, c] for c in cols] for r in rows]
        assert stats.chi2_contingency(table).pvalue > 1e-5, (one, other)
    assert {b.style for b in bands} == set(STYLES)
    assert {b.instruments[0] for b in bands} == set(PLAYERS)
    assert {b.instruments[2] for b in bands} == set(BASSES)


def test_tempi_lie_evenly_on_a_log_scale_from_50_to_200() -> None:
    rng = np.random.default_rng(3)
    bpm = np.array([draw_band(rng).bpm for _ in range(3000)])
    assert bpm.min() in (50, 51)
    assert bpm.max() in (199, 200)
    assert stats.kstest(np.log2(bpm / 50) / 2, "uniform").pvalue > 0.001
    assert stats.kstest((bpm - 50) / 150, "uniform").pvalue < 1e-6


@pytest.mark.parametrize("style", STYLES)
def test_bars_follow_each_other_in_time(style: str) -> None:
    """At 60 BPM a quarter note is a second: bass and drums come back on every bar line, and all stays on the grid."""
    notes = notes_of(26.0, style=style, bpm=60)
    bar = STYLES[style].beats
    for k in (2, DRUM_CHANNEL):
        onsets = {round(n.onset, 6) for n in channel(notes, k)}
        assert {float(t) for t in range(0, 26, bar)} <= onsets
        first, second = ({round(t % bar, 6) for t in onsets if b * bar <= t < (b + 1) * bar} for b in (0, 1))
        assert first == second
    straight = {round(n.onset * 4 % 1, 4) for n in notes}
    assert straight == {0.0} if style != "shuffle" else len(straight) == 2
    assert all(0 <= n.onset < 26 and 0 <= n.pitch < 128 and 0 < n.velocity < 128 for n in notes)


def test_a_shuffle_has_its_second_eighths_at_two_thirds_of_a_beat() -> None:
    rides = sorted(n.onset for n in channel(notes_of(4.0, style="shuffle", bpm=60), DRUM_CHANNEL) if n.pitch == 51)
    assert rides == pytest.approx([0, 1, 5 / 3, 2, 3, 11 / 3])


def test_tempo_scales_time_and_nothing_else() -> None:
    slow, fast = notes_of(16.0, bpm=50), notes_of(8.0, bpm=100)
    assert [(n.channel, n.pitch, n.velocity) for n in slow] == [(n.channel, n.pitch, n.velocity) for n in fast]
    assert [n.onset for n in slow] == pytest.approx([2 * n.onset for n in fast])
    assert [n.duration for n in slow] == pytest.approx([2 * n.duration for n in fast])


def test_nobody_plays_sixteenths_at_a_great_speed() -> None:
    def finest(bpm: int) -> float:
        gaps = [
            np.diff([n.onset for n in channel(notes_of(8.0, seed, style="ragtime", bpm=bpm), 0)]).min()
            for seed in range(12)
        ]
        return float(min(gaps)) * bpm / 60

    assert finest(100) == pytest.approx(0.25)
    assert finest(180) == pytest.approx(0.5)


def test_registers_are_apart_whoever_plays() -> None:
    for k, gap in ((0, 10), (1, 10), (2, 5)):
        low, mid, high = (
            np.mean([n.pitch for s in range(6) for n in channel(notes_of(seed=s, register=r), k)])
            for r in ("low", "mid", "high")
        )
        assert mid - low > gap
        assert high - mid > gap


def test_staccato_leaves_gaps_and_legato_none() -> None:
    def sounding(articulation: str) -> float:
        notes = channel(notes_of(articulation=articulation), 0)
        return float(np.mean([a.duration / (b.onset - a.onset) for a, b in pairwise(notes)]))

    assert sounding("legato") > 0.8
    assert sounding("staccato") < 0.45


def test_chords_are_consonant_tense_or_dissonant() -> None:
    """C major: the triad; with its ninth; with a minor second and a tritone."""

    def steps(harmony: str, root: int = 0) -> set[int]:
        return {(p - root) % 12 for p in voice(triad(0, "major"), replace(BAND, harmony=harmony), 60)}

    assert steps("consonant") == {0, 4, 7}
    assert steps("tense") - {0, 4, 7} <= {2, 6, 9}
    assert len(steps("tense")) == 4
    pitches = voice(triad(0, "major"), replace(BAND, harmony="dissonant"), 60)
    assert list(np.diff(pitches)).count(1) == 2
    assert any(b - a == 6 for a in pitches for b in pitches)
    assert len(pitches) == 5


def test_all_notes_are_of_the_key() -> None:
    """Consonant bands: the scale, and in minor the leading note of the major dominant (D minor has a C sharp)."""
    scales = {"major": {2, 4, 6, 7, 9, 11, 1}, "minor": {2, 4, 5, 7, 9, 10, 0, 1}}
    for mode, scale in scales.items():
        for seed in range(8):
            notes = notes_of(seed=seed, mode=mode, tonic=2)
            assert {n.pitch % 12 for n in notes if n.channel != DRUM_CHANNEL} <= scale


def test_percussion_is_drums_hands_or_none() -> None:
    """On General MIDI's tenth channel, beside melody, chords and bass."""
    assert {n.channel for n in notes_of()} == {0, 1, 2, 9}

    def struck(percussion: str) -> set[int]:
        return {n.pitch for s in STYLES for n in channel(notes_of(style=s, percussion=percussion), DRUM_CHANNEL)}

    assert not struck("")
    assert {36, 38, 42} <= struck("drums")
    assert {54, 63, 70} <= struck("hand percussion")
    assert not struck("drums") & struck("hand percussion")


def test_loud_bands_strike_harder_and_bars_begin_with_an_accent() -> None:
    soft, loud = (np.mean([n.velocity for n in notes_of(dynamics=d)]) for d in ("soft", "loud"))
    assert loud - soft == pytest.approx(56, abs=1)
    drums = channel(notes_of(bpm=60, seconds=8.0), DRUM_CHANNEL)
    assert min(n.velocity for n in drums if n.onset % 4 == 0) > max(n.velocity for n in drums if n.onset % 4)


def test_programs_are_of_the_named_players() -> None:
    rng = np.random.default_rng(0)
    band = replace(BAND, instruments=("guitar", "organ", "tuba"))
    drawn = {draw_programs(band, rng) for _ in range(60)}
    assert {d[0] for d in drawn} == {24, 25}
    assert {d[1] for d in drawn} == {16, 19}
    assert {d[2] for d in drawn} == {58}


@pytest.mark.parametrize(("percussion", "named"), [("drums", ("drums", "a drum kit", "steady drums")), ("", ())])
def test_who_plays_is_named_last_of_all_percussion_and_its_lack_by_itself(
    percussion: str, named: tuple[str, ...]
) -> None:
    players = set()
    for seed in range(30):
        said = worded(replace(BAND, percussion=percussion), np.random.default_rng(seed), exact=True, keep=1.0)
        (last,) = re.findall(r"(?:with|played by) piano, organ(?:, electric bass)? and ([a-z ]+)[,.]", said)
        players.add(last)
        if not percussion:
            assert said.count("no drums") <= 1
    assert players == (set(named) or {"electric bass"})
