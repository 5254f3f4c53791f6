"""Ratings of tracks added up by hand, the directions that are published, and tracks that lean to their taste."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stimuli.dataset import taste
from stimuli.dataset.taste import TASTES, draw_track, ratings, taste_words
from stimuli.tracks import tracks_in
from tests.stimuli.dataset.test_dataset import attributes

PLAIN: dict[str, Any] = {
    "bpm": 100, "register": "mid", "articulation": "legato", "harmony": "tense", "dynamics": "moderate", "instruments": ("guitar",),
    "percussion": False,
}  # fmt: skip


def rated(**changes: Any) -> dict[str, float]:
    return ratings(attributes(**PLAIN | changes))


@pytest.mark.parametrize(
    ("track", "sweet", "sour", "salty", "bitter"),
    [
        # 22 consonant, 18 legato, 14 high, 12 soft, 12 slow, 14 harp; sour: 20 high - 12 consonant.
        (("harp",), 22 + 18 + 14 + 12 + 12 + 14, 20 - 12, 0, 0),
        # 26 dissonant, 20 high, 12 staccato, 10 fast, 8 loud, 16 violin; salty: 22 staccato, 22 fast; bitter: 18 - 12 high.
        (("violin",), 0, 26 + 20 + 12 + 10 + 8 + 16, 22 + 22, 18 - 12),
        # 22 staccato, 22 fast, 12 mid, 16 drums, 14 horns, 6 tense; sour: 12 staccato, 10 fast.
        (("horns",), 0, 12 + 10, 22 + 22 + 12 + 16 + 14 + 6, 0),
        # 26 low, 18 dissonant, 14 slow, 8 legato, 16 cello; sweet: 18 legato + 12 slow - 10 low - 15; sour: 26 + 8 loud - 10 low.
        (("cello",), 18 + 12 - 10 - 15, 26 + 8 - 10, 0, 26 + 18 + 14 + 8 + 16),
        # Half slow and a sixth fast; one of two instruments.
        (("harp", "cello"), 22 + 18 + 6 + 7, 0, 22 / 6 + 12 - 5, 7 + 8 + 8 - 10),
        # Two thirds fast, soft and low.
        (("violin", "piano"), 22 - 10 + 12 + 7, 12 - 10 - 12 + 20 / 3 + 8, 22 + 44 / 3, 26 - 10),
    ],
)
def test_ratings_added_up_by_hand(
    track: tuple[str, ...], sweet: float, sour: float, salty: float, bitter: float
) -> None:
    tracks: dict[tuple[str, ...], dict[str, Any]] = {
        ("harp",): {"bpm": 60, "register": "high", "articulation": "legato", "harmony": "consonant", "dynamics": "soft"},
        ("violin",): {"bpm": 140, "register": "high", "articulation": "staccato", "harmony": "dissonant", "dynamics": "loud"},
        ("horns",): {"bpm": 140, "register": "mid", "articulation": "staccato", "harmony": "tense", "percussion": True},
        ("cello",): {"bpm": 60, "register": "low", "articulation": "legato", "harmony": "dissonant", "dynamics": "loud"},
        ("harp", "cello"): {"bpm": 90, "register": "mid", "articulation": "legato", "harmony": "consonant"},
        ("violin", "piano"): {"bpm": 120, "register": "low", "articulation": "staccato", "harmony": "consonant", "dynamics": "soft"},
    }  # fmt: skip
    found = rated(**tracks[track], instruments=track)
    assert found == pytest.approx({"sweet": sweet, "sour": sour, "salty": salty, "bitter": bitter})


# What one change does to each taste, by the studies that the module names: + more, - less.
DIRECTIONS: list[tuple[dict[str, Any], dict[str, Any], dict[str, str]]] = [
    ({"register": "low"}, {"register": "high"}, {"sweet": "+", "sour": "+", "bitter": "-"}),
    ({"harmony": "dissonant"}, {"harmony": "consonant"}, {"sweet": "+", "sour": "-", "bitter": "-"}),
    ({"articulation": "staccato"}, {"articulation": "legato"}, {"sweet": "+", "sour": "-", "salty": "-", "bitter": "+"}),
    ({"bpm": 60}, {"bpm": 140}, {"sweet": "-", "sour": "+", "salty": "+", "bitter": "-"}),
    ({"dynamics": "loud"}, {"dynamics": "soft"}, {"sweet": "+", "sour": "-"}),
    ({"percussion": False}, {"percussion": True}, {"salty": "+"}),
    ({}, {"instruments": ("piano",)}, {"sweet": "+"}),
    ({}, {"instruments": ("electronic tones",)}, {"sour": "+"}),
    ({}, {"instruments": ("deep brass",)}, {"bitter": "+"}),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "moves"), DIRECTIONS, ids=lambda x: str(x)[:40])
def test_directions_are_the_published_ones(
    before: dict[str, Any], after: dict[str, Any], moves: dict[str, str]
) -> None:
    # Where every taste is over its floor of zero.
    middle = {"bpm": 100, "harmony": "consonant" if "register" in after else "tense"}
    one, other = rated(**middle | before), rated(**middle | after)
    for name, sign in moves.items():
        assert other[name] != one[name] or max(one[name], other[name]) == 0, name
        assert (other[name] >= one[name]) == (sign == "+") or other[name] == one[name] == 0, name


def test_tempo_counts_between_its_ends() -> None:
    assert rated(bpm=50) == rated(bpm=60)
    assert rated(bpm=160) == rated(bpm=140)
    assert rated(bpm=120)["sweet"] == rated(bpm=150)["sweet"]
    assert rated(bpm=80)["sour"] == rated(bpm=60)["sour"]


@pytest.mark.parametrize(
    ("name", "played"),
    [
        ("sweet", {"harp", "piano", "strings", "celesta"}),
        ("sour", {"violin", "flute", "electronic tones"}),
        ("salty", {"electric bass", "horns", "plucked strings", "marimba"}),
        ("bitter", {"double bass", "cello", "deep brass", "bassoon"}),
    ],
)
def test_which_instruments_are_of_a_taste(name: str, played: set[str]) -> None:
    from stimuli.dataset.arrange import INSTRUMENTS

    # In a track that has some of every taste without its instrument.
    track = {"bpm": 110, "register": "low", "articulation": "staccato", "harmony": "dissonant", "dynamics": "soft"}
    if name == "sweet":
        track = {"bpm": 60, "register": "mid", "articulation": "legato", "harmony": "consonant"}
    none = rated(**track)[name]
    assert {i for i in INSTRUMENTS if rated(**track, instruments=(i,))[name] > none} == played


def test_words_of_tastes_over_a_quarter_strongest_first() -> None:
    assert taste_words({"sweet": 25.1, "sour": 0, "salty": 90, "bitter": 25}) == "salty, sweet,"
    assert taste_words({"sweet": 1, "sour": 2, "salty": 3, "bitter": 4}) == ""


@pytest.mark.parametrize(
    ("name", "shares"),
    [("sweet", (0.05, 0.3, 0.65)), ("sour", (0.05, 0.2, 0.75)), ("salty", (0.15, 0.75, 0.1)), ("bitter", (0.8, 0.15, 0.05))],
)  # fmt: skip
def test_where_tracks_of_a_taste_lie_and_whether_they_have_drums(name: str, shares: tuple[float, ...]) -> None:
    rng = np.random.default_rng(0)
    drawn = Counter(taste._register(name, rng) for _ in range(3000))
    assert [drawn[r] / 3000 for r in ("low", "mid", "high")] == pytest.approx(shares, abs=0.03)
    drums = np.mean([taste._drums(name, rng) for _ in range(3000)])
    assert drums == pytest.approx(0.6 if name == "salty" else 0.05, abs=0.03)


@pytest.mark.parametrize("name", TASTES)
def test_tracks_lean_to_their_taste_and_are_no_caricature(name: str) -> None:
    """Nine in ten are rated highest on it; most, not all, have its instruments, one to three of them."""
    rng = np.random.default_rng(3)
    tracks = [draw_track(rng, name) for _ in range(150)]
    graded = [ratings(a) for a in tracks]
    assert np.mean([max(g, key=lambda t: g[t]) == name for g in graded]) > 0.85
    own = [set(a.instruments) <= set(taste.INSTRUMENT_TASTES[name]) for a in tracks]
    assert 0.6 < np.mean(own) < 0.99
    assert {len(a.instruments) for a in tracks} == {1, 2, 3}
    assert all(len(set(a.instruments)) == len(a.instruments) for a in tracks)


def test_the_tracks_folder_says_which_taste_each_was_made_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """So that it is a condition of a study as it lies there; what an earlier, larger run rendered stays listed."""
    asked: dict[int, str] = {}

    def corpus(out: Path, n: int, seconds: float, rate: int, make: Any, *_: Any) -> Path:
        for k in range(n):
            monkeypatch.setattr(taste, "draw_track", lambda rng, name, k=k: asked.setdefault(k, name) and attributes())
            make(k)
            (out / "audio" / f"{k:05d}.wav").write_bytes(b"")
        return out / "metadata.jsonl"

    monkeypatch.setattr(taste, "write_corpus", corpus)
    monkeypatch.setattr(taste, "chorales", lambda _: [None] * 40)
    for n in (6, 4):
        taste.build_taste(tmp_path / "rendered", n, 1.0, 16000, 3)
        found = tracks_in(tmp_path / "rendered" / "audio", TASTES)
        assert {int(t.path.stem): t.taste for t in found} == asked
    assert [(t.taste, t.number) for t in found] == [
        ("sweet", 0), ("sour", 0), ("salty", 0), ("bitter", 0), ("sweet", 1), ("sour", 1),
    ]  # fmt: skip
