"""Tempo classes: the limits, and that prompts, captions, labels and the report's words all follow them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest

from models.tempo import TEMPI, tempo_class
from stimuli.config import StimuliConfig, TasteConfig, asked_words, render_prompt
from tests.stimuli.dataset.test_dataset import attributes

CLASSES = [
    (20, "slow"),
    (79, "slow"),
    (79.9, "slow"),
    (80, "moderate"),
    (114, "moderate"),
    (115, "fast"),
    (300, "fast"),
]


@pytest.mark.parametrize(("bpm", "word"), CLASSES)
def test_the_limits_are_80_and_115(bpm: float, word: str) -> None:
    assert tempo_class(bpm) == word
    assert TEMPI == ("slow", "moderate", "fast")


@pytest.mark.parametrize(("bpm", "word"), [c for c in CLASSES if isinstance(c[0], int)])
def test_everything_that_names_a_tempo_names_this_one(bpm: int, word: str) -> None:
    from models.sonicverse.nano.labels import labels_of
    from stimuli.dataset.captions import caption
    from stimuli.dataset.tamd import caption as tamd_caption

    a = attributes(bpm=bpm)
    taste = TasteConfig(name="sweet", bpm=bpm)
    assert f"{word} tempo, {bpm} BPM" in render_prompt(taste, "music")
    said = [caption(a, "C major", np.random.default_rng(seed), keep=1.0) for seed in range(8)]
    for text in said:
        assert f"{word} tempo, {bpm} BPM" in text or f"{word}, {bpm} BPM" in text.replace(word.capitalize(), word)
    row = {"attributes": a.__dict__, "moods": [], "key": "C major"}
    assert labels_of(row)["tempo"] == [word]
    assert asked_words(StimuliConfig(tastes=[taste]))["sweet"]["tempo"] == [word]
    rated = {"sweet": 60.0, "sour": 0.0, "salty": 0.0, "bitter": 0.0}
    assert f"{word} tempo, {bpm} BPM" in tamd_caption("", "", "C major", bpm, rated)


def test_it_asks_for_no_network() -> None:
    """The booth reads study files: neither torch nor numpy may come with a word."""
    asked = "import sys, models.tempo, stimuli.config; print(sorted({'torch', 'numpy', 'librosa'} & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", asked], capture_output=True, text=True, check=True).stdout
    assert said.strip() == "[]"
