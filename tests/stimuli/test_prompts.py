"""Each taste is asked for by its own words, of every model and of no other taste: prompts of the shipped study, written out."""

from __future__ import annotations

from pathlib import Path

import pytest

from stimuli.config import StimuliConfig, TasteConfig, render_prompt
from tastelab.study import load_study

ROOT = Path(__file__).resolve().parents[2]
FOR = "background music for a fine restaurant"
PROMPTS = {
    "sweet": f"Sweet, flowing, warm {FOR}: slow tempo, 70 BPM, high-pitched, legato, soft, consonant harmony, with harp, piano and strings.",
    "sour": f"Sour, crisp, bright, sharp {FOR}: moderate tempo, 90 BPM, high-pitched, staccato, dissonant harmony, "
    "with violin, flute and electronic tones.",
    "salty": f"Salty, rhythmic, grounded {FOR}: fast tempo, 140 BPM, mid-range, staccato, slight tension, "
    "with electric bass, horns and percussion.",
    "bitter": f"Bitter, deep, reflective, heavy {FOR}: slow tempo, 60 BPM, low-pitched, legato, dissonant harmony, "
    "with double bass, cello and deep brass.",
}  # fmt: skip


def test_every_set_of_clips_is_asked_for_by_its_own_prompt() -> None:
    from stimuli.sets import ClipSet, parts_of

    study = load_study(ROOT / "study.toml")
    parts = [part for c in study.models.conditions for part in parts_of(c, study.stimuli, study.models, {})]
    sets = [part for part in parts if isinstance(part, ClipSet)]
    assert {(part.taste, part.condition, part.model.checkpoint) for part in sets} == {
        (taste, model, checkpoint)
        for taste in PROMPTS
        for model, checkpoint in (("base", "nano-base"), ("finetuned", "nano-taste"))
    }
    assert len(sets) == 8
    for part in sets:
        assert set(part.prompts) == {PROMPTS[part.taste]}


@pytest.mark.parametrize(
    ("fields", "prompt"),
    [
        ({}, "Sweet music."), ({"character": "warm"}, "Sweet, warm music."), ({"bpm": 79}, "Sweet music: slow tempo, 79 BPM."),
        ({"bpm": 115, "harmony": "tense"}, "Sweet music: fast tempo, 115 BPM, tense."),
        ({"instruments": ["harp"]}, "Sweet music: with harp."), ({"instruments": ["harp", "organ"]}, "Sweet music: with harp and organ."),
        ({"pitch": "low", "articulation": "legato"}, "Sweet music: low, legato."), ({"prompt": "as it is", "bpm": 70}, "as it is"),
    ],
)  # fmt: skip
def test_prompts_leave_out_what_is_not_said(fields: dict[str, object], prompt: str) -> None:
    assert render_prompt(TasteConfig.model_validate({"name": "sweet", **fields}), "music") == prompt


def test_tastes_by_name() -> None:
    config = StimuliConfig(tastes=[TasteConfig(name="sweet", bpm=60), TasteConfig(name="sour", bpm=90)])
    assert config.taste("sour").bpm == 90
    with pytest.raises(ValueError, match="tastes are named twice: sweet"):
        StimuliConfig(tastes=[TasteConfig(name="sweet"), TasteConfig(name="sweet")])
    with pytest.raises(ValueError, match="needs folder"):
        StimuliConfig(tastes=[TasteConfig(name="sweet")], source="given")
