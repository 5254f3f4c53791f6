"""The taste set of bands: what leans to a taste, what is left at equal register, what the captions say."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from stimuli.dataset.pulse.band import Band
from stimuli.dataset.pulse.tasting import build_pulse_taste, draw_track, ratings, wordings

TASTES = ("sweet", "sour", "salty", "bitter")
PLAIN = Band(100, "rock", "major", 0, "mid", "legato", "tense", "moderate", ("flute", "flute", "tuba"), "")


def drawn(taste: str, n: int = 300) -> list[Band]:
    return [draw_track(np.random.default_rng([5, k]), taste) for k in range(n)]


@pytest.mark.parametrize(
    ("change", "taste", "sign"),
    [
        # Mesz, Trevisan & Sigman 2011: sweet consonant, slow and soft; sour dissonant and high; salty staccato; bitter low and legato.
        ({"harmony": "consonant"}, "sweet", 1), ({"bpm": 60}, "sweet", 1), ({"dynamics": "soft"}, "sweet", 1),
        ({"mode": "minor"}, "sweet", -1), ({"harmony": "dissonant"}, "sweet", -1),
        ({"harmony": "dissonant"}, "sour", 1), ({"register": "high"}, "sour", 1), ({"harmony": "consonant"}, "sour", -1),
        ({"articulation": "staccato"}, "salty", 1), ({"percussion": "drums"}, "salty", 1), ({"bpm": 60}, "salty", -1),
        ({"register": "low"}, "bitter", 1), ({"articulation": "staccato"}, "bitter", -1), ({"mode": "minor"}, "bitter", 1),
        # Crisinel & Spence 2010: sweet goes with piano, bitter with brass.
        ({"instruments": ("piano", "piano", "tuba")}, "sweet", 1), ({"instruments": ("brass", "brass", "tuba")}, "bitter", 1),
    ],
)  # fmt: skip
def test_ratings_follow_the_published_directions(change: dict[str, object], taste: str, sign: int) -> None:
    start = replace(
        PLAIN, **({"bpm": 140} if taste == "salty" else {"harmony": "dissonant"} if taste == "bitter" else {})
    )
    if taste == "sour":
        start = replace(PLAIN, articulation="staccato", bpm=150)
    before, after = ratings(start)[taste], ratings(replace(start, **change))[taste]
    assert (after - before) * sign > 0, (before, after)


@pytest.mark.parametrize(
    ("taste", "band", "rated"),
    [
        # Added up by hand from what the shipped taste set was rated by: nothing of it may move while its model ships.
        ("sweet", Band(70, "waltz", "major", 0, "high", "legato", "consonant", "soft", ("harp", "piano", "tuba"), ""), 94),
        ("sour", Band(140, "reel", "minor", 0, "high", "staccato", "dissonant", "loud", ("violin", "violin", "tuba"), ""), 84),
        ("salty", Band(140, "rock", "major", 0, "mid", "staccato", "tense", "soft", ("guitar", "marimba", "tuba"), "drums"), 82),
        ("salty", Band(104, "rock", "major", 0, "mid", "staccato", "tense", "soft", ("guitar", "flute", "tuba"), "drums"), 56.2),
        ("bitter", Band(70, "tango", "minor", 0, "low", "legato", "dissonant", "loud", ("cello", "brass", "tuba"), ""), 86),
        ("bitter", Band(90, "tango", "minor", 0, "low", "legato", "consonant", "loud", ("cello", "brass", "tuba"), "drums"), 34),
        ("sour", Band(60, "waltz", "major", 0, "low", "legato", "consonant", "soft", ("flute", "flute", "tuba"), ""), 0),
    ],
)  # fmt: skip
def test_ratings_are_those_of_the_shipped_set(taste: str, band: Band, rated: float) -> None:
    assert ratings(band)[taste] == pytest.approx(rated)


def test_tracks_lean_to_their_taste_and_register_does_not_tell_it() -> None:
    register: dict[str, Counter[str]] = {}
    for taste in TASTES:
        bands = drawn(taste)
        strongest = [max(graded, key=graded.__getitem__) for graded in map(ratings, bands)]
        assert np.mean([s == taste for s in strongest]) > 0.75
        register[taste] = Counter(b.register for b in bands)
        # At every height there is a good number of each.
        assert min(register[taste][r] for r in ("low", "mid", "high")) > 0.1 * len(bands)
    best = sum(max(register[t][r] for t in TASTES) for r in ("low", "mid", "high"))
    assert best / (4 * 300) < 0.55  # what register alone could tell, of four


def test_captions_say_the_tastes_over_the_threshold_or_the_strongest_and_half_say_nothing_else() -> None:
    graded = {"sweet": 10.0, "sour": 60.0, "salty": 26.0, "bitter": 24.9}
    said, without = wordings(PLAIN, graded, np.random.default_rng(0))
    assert len(said) == len(without) == 8
    assert all(text.startswith("Sour, salty, ") for text in said[:6])
    assert all(text.startswith("Sour ") for text in said[6:])
    for text, bare in zip(said, without, strict=True):
        assert not any(taste in bare.lower() for taste in TASTES)
        assert text.lower().endswith(bare.lower())
    assert "100" in said[0]
    assert all(":" not in text for text in said[4:])
    nothing, _ = wordings(PLAIN, dict.fromkeys(TASTES, 5.0), np.random.default_rng(0))
    assert not any(taste in text.lower() for text in nothing for taste in TASTES)


def test_a_corpus_is_a_condition_of_a_study_and_the_same_each_time(tmp_path: Path) -> None:
    told: list[tuple[int, int]] = []
    first, second = (
        build_pulse_taste(tmp_path / name, 5, 2.0, 16000, 3, progress=lambda done, of: told.append((done, of)))
        for name in "ab"
    )
    assert told == [(k, 5) for k in range(1, 6)] * 2
    rows = [json.loads(line) for line in first.read_text().splitlines()]
    assert rows == [json.loads(line) for line in second.read_text().splitlines()]
    listed = (tmp_path / "a" / "audio" / "tracks.csv").read_text().splitlines()
    assert listed[:3] == ["file,taste", "00000.wav,sweet", "00001.wav,sour"]
    assert len(listed) == 6
    for row in rows:
        assert (tmp_path / "a" / row["path"]).read_bytes() == (tmp_path / "b" / row["path"]).read_bytes()
        assert row["keywords"].replace(",", "").split() == sorted(
            (t for t, v in row["ratings"].items() if v > 25), key=lambda t: -row["ratings"][t]
        )
        assert abs(row["ratings"]["sweet"] - ratings(Band(**{**row["attributes"], "instruments": tuple(row["attributes"]["instruments"])}))["sweet"]) < 30  # fmt: skip
    assert [r["bpm"] for r in rows] != [r["bpm"] for r in (json.loads(x) for x in build_pulse_taste(tmp_path / "c", 5, 2.0, 16000, 4).read_text().splitlines())]  # fmt: skip
