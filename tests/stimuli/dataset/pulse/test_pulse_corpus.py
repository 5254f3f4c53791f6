"""The corpus of bands as it is heard and read: the beat is where the caption says, whoever plays."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.training import read_corpus
from stimuli.dataset.pulse.band import draw_band, play
from stimuli.dataset.pulse.build import build_pulse
from stimuli.dataset.pulse.captions import wordings
from stimuli.dataset.pulse.styles import STYLES
from stimuli.dataset.pulse.tunes import Chord, Motif, harmony_form, motif_form
from stimuli.dataset.taste import TASTES

SECONDS = 8.0
RATE = 16000


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_pulse(tmp_path_factory.mktemp("pulse") / "c", 14, SECONDS, RATE, 2, "train").parent


def rows_of(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def beat(audio: np.ndarray, near: float) -> float:
    """Period, in seconds within 15 % of `near`, at which rises of loudness come back most, over one to four periods."""
    hop = 80
    spectrum = np.abs(
        np.stack([np.fft.rfft(audio[i : i + 512] * np.hanning(512)) for i in range(0, len(audio) - 512, hop)])
    )
    rises = np.maximum(np.diff(np.log(spectrum + 1e-3), axis=0), 0).sum(axis=1)
    rises = rises - rises.mean()
    correlation = np.correlate(rises, rises, "full")[len(rises) - 1 :]
    periods = near * np.linspace(0.85, 1.15, 301)
    lags = periods * RATE / hop
    scores = [sum(np.interp(k * lag, np.arange(len(correlation)), correlation) for k in (1, 2, 3, 4)) for lag in lags]
    return float(periods[int(np.argmax(scores))])


def test_the_beat_that_is_heard_is_the_one_the_caption_says(corpus: Path) -> None:
    for row in rows_of(corpus):
        (bpm,) = re.findall(r"(\d+) (?:BPM|bpm|beats per minute)", row["description"])
        audio, rate = soundfile.read(corpus / row["path"])
        assert rate == RATE
        assert beat(audio, 60 / int(bpm)) == pytest.approx(60 / int(bpm), rel=0.02), row["description"]


def test_rows_are_read_as_any_corpus(corpus: Path) -> None:
    clips = read_corpus(corpus)
    assert len(clips) == 14
    for clip in clips:
        a = clip.row["attributes"]
        assert clip.row["bpm"] == a["bpm"]
        assert clip.row["key"].endswith(a["mode"])
        assert len(set(clip.wordings)) > 5
        assert len(clip.wordings) == 8
        assert ("rhythmic" in clip.row["moods"]) == bool(a["percussion"])
        assert ("flowing" in clip.row["moods"]) == (a["articulation"] == "legato")
        assert ("crisp" in clip.row["moods"]) == ((a["articulation"], a["register"]) == ("staccato", "high"))
        assert ("reflective" in clip.row["moods"]) == ((a["dynamics"], a["register"]) == ("soft", "low"))
        assert ("sharp" in clip.row["moods"]) == ((a["harmony"], a["register"]) == ("dissonant", "high"))
        assert soundfile.info(clip.path).frames == SECONDS * RATE


def test_level_and_spectrum_stay_in_their_bounds(corpus: Path) -> None:
    """Soft, moderate and loud clips stand 6 dB apart; nothing swings over 9 dB; 5 to 30 % over 1 kHz in any register."""
    expected = {"soft": -32, "moderate": -26, "loud": -20}
    for row in rows_of(corpus):
        audio, _ = soundfile.read(corpus / row["path"])
        levels = [20 * np.log10(np.std(audio[i : i + 3 * RATE])) for i in range(0, 5 * RATE + 1, RATE)]
        assert np.mean(levels) == pytest.approx(expected[row["attributes"]["dynamics"]], abs=1)
        assert max(levels) - min(levels) < 6
        power = np.abs(np.fft.rfft(audio)) ** 2
        assert 0.03 < power[int(1000 * SECONDS) :].sum() / power.sum() < 0.4


def test_an_interrupted_corpus_is_finished_and_clips_depend_on_their_number_alone(corpus: Path, tmp_path: Path) -> None:
    first = build_pulse(tmp_path / "c", 2, SECONDS, RATE, 2, "train").parent
    for name in ("00000.wav", "00001.wav"):
        assert (first / "audio" / name).read_bytes() == (corpus / "audio" / name).read_bytes()
    kept = (first / "audio" / "00000.wav").read_bytes()
    (first / "audio" / "00000.wav").unlink()
    build_pulse(first, 3, SECONDS, RATE, 2, "train")
    assert (first / "audio" / "00000.wav").read_bytes() == kept
    assert rows_of(first) == rows_of(corpus)[:3]


def test_nothing_composed_for_one_part_is_in_the_other(tmp_path: Path) -> None:
    parts: dict[str, tuple[set[str], set[str]]] = {}
    for split in ("train", "test"):
        rng = np.random.default_rng(0)
        made = [play(draw_band(rng), 8.0, split, rng)[1] for _ in range(150)]
        parts[split] = (
            {harmony_form(tuple(Chord(*c) for c in m["harmony"])) for m in made},
            {motif_form(Motif(**x)) for m in made for x in m["motifs"]},
        )
    for one, other in zip(parts["train"], parts["test"], strict=True):
        assert min(len(one), len(other)) > 50
        assert not one & other


def test_captions_say_the_truth_and_the_tempo_in_many_ways() -> None:
    rng = np.random.default_rng(0)
    ways: set[str] = set()
    without = 0
    for _ in range(300):
        band = draw_band(rng)
        texts = wordings(band, 3, rng)
        assert str(band.bpm) in texts[0]
        for text in texts:
            assert not any(taste in text.lower() for taste in TASTES)
            numbers = re.findall(r"\d+", text)
            assert set(numbers) <= {str(band.bpm)}
            without += not numbers
            ways |= {
                re.sub(r"\d+", "N", part).strip(" .") for part in re.split(r"[:,]", text) if re.search(r"\d", part)
            }
            said = {w for w in ("major", "minor") if re.search(rf"\b{w}\b", text)}
            assert said <= {band.mode}
            word = re.search(r"\b(slow|moderate|fast)\b(?! (tension|harmony))", text.lower())
            if word:
                assert word[1] == ("slow" if band.bpm < 80 else "moderate" if band.bpm < 115 else "fast")
            fields = set(text.rstrip(".").partition(": ")[2].split(", "))
            assert not fields & {says for other in set(STYLES) - {band.style} for says in STYLES[other].says}
            if band.percussion:
                assert "no drums" not in text
            else:
                assert not re.search(r"percussion|drum kit|steady drums|shaker", text)
    assert len(ways) >= 6
    assert 100 < without < 500
    named = [wordings(replace(band, instruments=("harp", "harp", "tuba")), 1, rng)[0] for _ in range(40)]
    assert any("harp" in text for text in named)
    assert not any("harp, harp" in text or "harp and harp" in text for text in named)
