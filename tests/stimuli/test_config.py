"""What a prompt asks for, word by word, and settings that no clip could be made with."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from stimuli.config import StimuliConfig, TasteConfig, render_prompt

SETTING = "background music for a fine restaurant"


def taste(**fields: Any) -> TasteConfig:
    return TasteConfig(name="sour", **fields)


def test_a_whole_prompt_reads_as_a_person_would_write_it() -> None:
    full = taste(
        pitch="high-pitched", character="crisp, bright", bpm=90, articulation="staccato", harmony="dissonant harmony",
        instruments=["violin", "flute", "electronic tones"],
    )  # fmt: skip
    assert render_prompt(full, SETTING) == (
        "Sour, crisp, bright background music for a fine restaurant: moderate tempo, 90 BPM, high-pitched, staccato, "
        "dissonant harmony, with violin, flute and electronic tones."
    )


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({}, "Sour music."),
        ({"character": "sharp"}, "Sour, sharp music."),
        ({"harmony": "dissonant harmony"}, "Sour music: dissonant harmony."),
        ({"instruments": ["harp"]}, "Sour music: with harp."),
        ({"instruments": ["harp", "flute"]}, "Sour music: with harp and flute."),
        ({"prompt": "just this", "bpm": 90, "character": "sharp"}, "just this"),
    ],
)
def test_what_is_left_out_leaves_no_trace(fields: dict[str, Any], text: str) -> None:
    assert render_prompt(taste(**fields), "music") == text


@pytest.mark.parametrize(
    ("bpm", "word"), [(20, "slow"), (79, "slow"), (80, "moderate"), (114, "moderate"), (115, "fast"), (300, "fast")]
)
def test_a_tempo_has_a_word(bpm: int, word: str) -> None:
    assert render_prompt(taste(bpm=bpm), "music") == f"Sour music: {word} tempo, {bpm} BPM."


def config(**fields: Any) -> StimuliConfig:
    return StimuliConfig.model_validate({"tastes": [{"name": "sweet"}, {"name": "sour", "bpm": 90}], **fields})


def test_defaults_are_those_of_the_guide() -> None:
    """docs/stimuli.md and study.toml: 15 s at -23 LUFS under -1 dBTP, 48 kHz, fades of 20 ms."""
    c = config()
    assert (c.seconds, c.loudness, c.peak, c.rate, c.fade) == (15.0, -23.0, -1.0, 48000, 0.02)
    assert (c.source, c.clips_per_taste, c.seed, c.setting) == ("generated", 5, 0, SETTING)


def test_a_taste_is_found_by_its_name() -> None:
    assert config().taste("sour").bpm == 90
    assert config().taste("sweet").bpm is None


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"tastes": []}, "at least 1"),
        ({"tastes": [{"name": "sweet"}, {"name": "sweet"}, {"name": "sour"}]}, "named twice: sweet$"),
        ({"tastes": [{"name": "Sweet"}]}, "pattern"),
        ({"tastes": [{"name": "sweet", "bpm": 19}]}, "greater than or equal to 20"),
        ({"tastes": [{"name": "sweet", "bpm": 301}]}, "less than or equal to 300"),
        ({"source": "given"}, "needs folder"),
        ({"seconds": 0.9}, "greater than or equal to 1"),
        ({"seconds": 121}, "less than or equal to 120"),
        ({"loudness": -9}, "less than or equal to -10"),
        ({"loudness": -61}, "greater than or equal to -60"),
        ({"peak": 1}, "less than or equal to 0"),
        ({"peak": -21}, "greater than or equal to -20"),
        ({"rate": 7999}, "greater than or equal to 8000"),
        ({"rate": 192001}, "less than or equal to 192000"),
        ({"fade": -0.1}, "greater than or equal to 0"),
        ({"fade": 5.1}, "less than or equal to 5"),
        ({"clips_per_taste": 0}, "greater than or equal to 1"),
        ({"clips_per_taste": 1001}, "less than or equal to 1000"),
        ({"seed": -1}, "greater than or equal to 0"),
        ({"loudnes": -23}, "Extra inputs"),
    ],
    ids=str,
)
def test_what_no_clip_could_be_made_with_is_refused(fields: dict[str, Any], told: str) -> None:
    with pytest.raises(ValidationError) as caught:
        config(**fields)
    (problem,) = caught.value.errors()
    import re

    assert re.search(told, problem["msg"])


def test_what_a_prompt_asks_for_as_words_of_a_caption() -> None:
    from stimuli.config import asked_words

    made = config(
        tastes=[
            {
                "name": "sweet",
                "pitch": "high-pitched",
                "bpm": 70,
                "articulation": "legato, soft",
                "instruments": ["harp"],
            },
            {"name": "sour", "pitch": "mid-range", "bpm": 90, "articulation": "very staccato"},
            {"name": "salty", "pitch": "low-pitched", "bpm": 140, "harmony": "dissonant harmony"},
            {"name": "bitter", "pitch": "not high", "articulation": "soft", "prompt": "its own words"},
        ]
    )
    assert asked_words(made) == {
        "sweet": {"tempo": ["slow"], "register": ["high"], "articulation": ["legato"], "instrument": ["harp"]},
        "sour": {"tempo": ["moderate"], "register": ["mid"], "articulation": ["staccato"]},
        "salty": {"tempo": ["fast"], "register": ["low"]},
        "bitter": {},
    }
