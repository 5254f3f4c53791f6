"""What each style plays, as drum tablature (a sign a sixteenth): the shipped corpora were made of it, nothing may move."""

from __future__ import annotations

import numpy as np
import pytest

from stimuli.dataset.pulse.band import Band
from stimuli.dataset.pulse.captions import worded
from stimuli.dataset.pulse.styles import STYLES

# General MIDI Level 1, percussion key map: the signs of tablature and the keys.
KEYS = {
    "BD": 36, "SS": 37, "SD": 38, "HC": 42, "HO": 46, "TB": 54, "RC": 51, "CG": 63, "MA": 70, "CL": 75,
}  # fmt: skip
# Kit; hands; bass (R root, 5 fifth, V the fifth below, 3 third); chords; off-beat share and swing.
TABS = {
    "rock": (
        {"BD": "x-------x-x-----", "SD": "----x-------x---", "HC": "x-x-x-x-x-x-x-x-"},
        {"CG": "x-------x-x-----", "TB": "----x-------x---", "MA": "x-x-x-x-x-x-x-x-"},
        "R---R---R---R---", "x-----x-x-----x-", 0.4, 0.5,
    ),
    "disco": (
        {"BD": "x---x---x---x---", "SD": "----x-------x---", "HO": "--x---x---x---x-"},
        {"CG": "x---x---x---x---", "TB": "--x---x---x---x-"},
        "R-R-R-R-R-R-R-R-", "--x---x---x---x-", 0.5, 0.5,
    ),
    "march": (
        {"BD": "x-------x-------", "SD": "----x-x-----x-x-"}, {"CG": "x-------x-------", "TB": "----x-------x---"},
        "R-------V-------", "----x-------x---", 0.15, 0.5,
    ),
    "polka": (
        {"BD": "x---x---", "SD": "--x---x-"}, {"CG": "x---x---", "TB": "--x---x-"}, "R---V---", "--x---x-", 0.3, 0.5,
    ),
    "waltz": (
        {"BD": "x-----------", "SD": "----x---x---", "HC": "x---x---x---"}, {"CG": "x-----------", "TB": "----x---x---"},
        "R-----------", "----x---x---", 0.1, 0.5,
    ),
    "mazurka": (
        {"BD": "x-----------", "SD": "----x-------", "HC": "x-x-x---x---"},
        {"CG": "x-----------", "TB": "----x-------", "MA": "x-x-x-x-x-x-"},
        "R-------5---", "----x---x---", 0.35, 0.5,
    ),
    "ragtime": (
        {"BD": "x-------x-------", "SD": "----x-------x---", "HC": "x---x---x---x---"},
        {"CG": "x-------x-------", "CL": "----x-------x---", "MA": "x-x-x-x-x-x-x-x-"},
        "R-------V-------", "----x-------x---", 1.0, 0.5,
    ),
    "tango": (
        {"BD": "x-----x-x---x---", "SS": "----x-------x---"}, {"CG": "x-----x-x---x---", "CL": "----x-------x---"},
        "R-----5-R---5---", "x-----x-x---x---", 0.45, 0.5,
    ),
    "bossa": (
        {"BD": "x-----x-x-----x-", "SS": "x-----x-----x---", "HC": "x-x-x-x-x-x-x-x-"},
        {"CG": "----x-------x-x-", "CL": "x-----x-----x---", "MA": "x-x-x-x-x-x-x-x-"},
        "R-----5-5-----R-", "x-----x---x-----", 0.7, 0.5,
    ),
    "shuffle": (
        {"BD": "x-------x-------", "SD": "----x-------x---", "RC": "x---x-x-x---x-x-"},
        {"CG": "x-------x-------", "TB": "----x-------x---", "MA": "x---x-x-x---x-x-"},
        "R---3---5---3---", "----x-------x---", 0.3, 2 / 3,
    ),
    "reel": (
        {"BD": "x---x---x---x---", "HC": "--x---x---x---x-"}, {"CG": "x---x---x---x---", "TB": "--x---x---x---x-"},
        "R-------5-------", "--x---x---x---x-", 0.55, 0.5,
    ),
}  # fmt: skip
BASS = {"R": 0, "3": 1, "5": 2, "V": -1}


def places(tab: str) -> tuple[int, ...]:
    return tuple(i for i, sign in enumerate(tab) if sign != "-")


@pytest.mark.parametrize("name", TABS)
def test_a_style_plays_what_its_tablature_says(name: str) -> None:
    style = STYLES[name]
    kit, hands, bass, chords, rhythm, swing = TABS[name]
    assert {key: tuple(sorted(at)) for key, at in style.drums.items()} == {KEYS[k]: places(t) for k, t in kit.items()}
    assert {key: tuple(sorted(at)) for key, at in style.hands.items()} == {KEYS[k]: places(t) for k, t in hands.items()}
    assert style.bass == tuple((i, BASS[bass[i]]) for i in places(bass))
    assert style.chords == places(chords)
    assert (style.rhythm, style.swing) == (rhythm, swing)
    assert style.steps == len(bass)
    assert all(len(tab) == style.steps for tab in (*kit.values(), *hands.values(), chords))


def test_every_style_has_its_tablature_and_names_of_its_own() -> None:
    assert set(STYLES) == set(TABS)
    said = [name for style in STYLES.values() for name in style.says if name != "folk dance"]  # a reel's, and others'
    assert len(said) == len(set(said))
    assert all(len(style.says) >= 2 for style in STYLES.values())


def captions(percussion: str, style: str = "waltz") -> list[str]:
    band = Band(100, style, "major", 0, "mid", "legato", "tense", "moderate", ("flute", "harp", "tuba"), percussion)
    return [worded(band, np.random.default_rng([3, k]), exact=False, keep=1.0) for k in range(300)]


def test_a_caption_counts_the_drums_among_the_players_and_no_drums_as_none() -> None:
    with_drums, without = captions("drums"), captions("")
    assert all(("and drums" in c) + ("and a drum kit" in c) + ("and steady drums" in c) == 1 for c in with_drums)
    assert not any("no drums" in c for c in with_drums)
    assert all("flute, harp and tuba" in c for c in without)
    said = [c for c in without if "no drums" in c]
    assert 0.3 < len(said) / len(without) < 0.7
    assert not any("and no drums" in c for c in said)
    hands = captions("hand percussion")
    assert all("flute, harp, tuba and " in c for c in hands)
    assert {p for c in hands for p in ("hand percussion", "shaker and tambourine") if p in c} == {
        "hand percussion", "shaker and tambourine",
    }  # fmt: skip


def test_a_caption_names_its_metre_now_and_then_and_truly() -> None:
    for style, metre in (("polka", "in two"), ("waltz", "in three"), ("rock", "in four")):
        share = np.mean([f", {metre}" in c or f": {metre}" in c for c in captions("", style) if "dance in" not in c])
        assert 0.15 < share < 0.45, style
        others = {"in two", "in three", "in four"} - {metre}
        assert not any(o in c for o in others for c in captions("", style))
