from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.sonicverse.nano.labels import labels_of
from models.tempo import tempo_class
from stimuli.dataset.arrange import Attributes, arrange, draw_attributes
from stimuli.dataset.build import build_base, split_of
from stimuli.dataset.captions import caption
from stimuli.dataset.render import render
from stimuli.dataset.scores import Skeleton
from stimuli.dataset.taste import TASTES, build_taste, draw_track, ratings, taste_words
from stimuli.dataset.varied import KINDS, build_varied, draw_voicing, produce, soundfonts
from stimuli.errors import StimulusError
from stimuli.features import acoustic_features, roughness

SKELETON = Skeleton(
    "test", 0, "major",
    [(float(i), 1.0, 67 + (0, 2, 4, 5)[i % 4]) for i in range(40)],
    [[48, 55, 60, 64] if i % 2 else [43, 55, 59, 62] for i in range(40)],
)  # fmt: skip


def attributes(**changes: object) -> Attributes:
    fixed = {
        "bpm": 100, "register": "mid", "articulation": "staccato", "texture": "repeated chords", "harmony": "consonant",
        "dynamics": "moderate", "instruments": ("piano",), "percussion": False, "transpose": 0,
    }  # fmt: skip
    return draw_attributes(np.random.default_rng(0), **(fixed | changes))


def sound(**changes: object) -> np.ndarray:
    a = attributes(**changes)
    return render(arrange(SKELETON, a, 6.0, np.random.default_rng(0)), a.instruments, 6.0, 22050)


def test_rendered_music_has_what_was_declared() -> None:
    high, low = (acoustic_features(sound(register=r), 22050) for r in ("high", "low"))
    assert high["pitch_height"] > low["pitch_height"] + 12
    fast, slow = (acoustic_features(sound(bpm=b), 22050) for b in (140, 70))
    assert fast["onset_rate"] > 1.5 * slow["onset_rate"]
    rough, smooth = (acoustic_features(sound(harmony=h), 22050) for h in ("dissonant", "consonant"))
    assert rough["roughness"] > smooth["roughness"]


def test_roughness_of_a_minor_second_is_over_that_of_a_fifth() -> None:
    t = np.arange(22050) / 22050

    def of(*pitches: float) -> float:
        wave = sum(np.sin(2 * np.pi * f * t) for f in pitches)
        spectrum = np.abs(np.fft.rfft(wave[:16384] * np.hanning(16384)))[:, None]
        return roughness(spectrum, 22050)

    assert of(440, 440 * 2 ** (1 / 12)) > 5 * of(440, 660)


def test_captions_say_the_truth_and_no_taste() -> None:
    rng = np.random.default_rng(0)
    for _ in range(200):
        a = draw_attributes(rng)
        text = caption(a, "C major", rng).lower()
        assert not any(t in text for t in TASTES)
        for word in ("slow", "moderate", "fast"):
            if f"{word} tempo" in text or f"{word}, " in text:
                assert word == tempo_class(a.bpm)


def test_ratings_follow_the_correspondences() -> None:
    rng = np.random.default_rng(1)
    for taste in TASTES:
        graded = [ratings(draw_track(rng, taste)) for _ in range(40)]
        mean = {t: float(np.mean([g[t] for g in graded])) for t in TASTES}
        assert max(mean, key=lambda t: mean[t]) == taste
    assert taste_words({"sweet": 60, "sour": 26, "salty": 25, "bitter": 0}) == "sweet, sour,"


def test_corpus_is_finished_after_an_interruption(tmp_path: Path) -> None:
    cache = tmp_path / "chorales.json"
    pieces = [SKELETON.__dict__ | {"piece": f"p{i}"} for i in range(24)]
    cache.write_text(json.dumps(pieces))
    build_base(tmp_path / "c", 3, 1.0, 16000, 5)
    first = (tmp_path / "c" / "audio" / "00000.wav").read_bytes()
    (tmp_path / "c" / "audio" / "00001.wav").unlink()
    build_base(tmp_path / "c", 3, 1.0, 16000, 5)
    assert (tmp_path / "c" / "audio" / "00000.wav").read_bytes() == first
    assert soundfile.info(tmp_path / "c" / "audio" / "00001.wav").frames == 16000
    rows = [json.loads(line) for line in (tmp_path / "c" / "metadata.jsonl").read_text().splitlines()]
    assert {r["title"] for r in rows} <= {f"p{i}" for i in range(24) if split_of(i) == "train"}
    with pytest.raises(StimulusError, match=r"another kind, seed \(recipe.json\)"):
        build_taste(tmp_path / "c", 4, 1.0, 16000, 6)
    assert (tmp_path / "c" / "audio" / "00000.wav").read_bytes() == first
    build_taste(tmp_path / "t", 4, 1.0, 16000, 5)
    rows = [json.loads(line) for line in (tmp_path / "t" / "metadata.jsonl").read_text().splitlines()]
    assert all(set(r["ratings"]) == set(TASTES) for r in rows)


@pytest.mark.parametrize("bpm", [60, 120])
def test_notes_stay_in_the_clip(bpm: int) -> None:
    notes = arrange(SKELETON, attributes(bpm=bpm), 30.0, np.random.default_rng(0))
    assert all(0 <= n.onset < 30 and 0 <= n.pitch < 128 for n in notes)
    assert max(n.onset for n in notes) > 28  # short pieces go round


def test_varied_clips_have_exact_attributes_and_many_sounds(tmp_path: Path) -> None:
    (tmp_path / "chorales.json").write_text(json.dumps([SKELETON.__dict__ | {"piece": f"p{i}"} for i in range(24)]))
    build_varied(tmp_path / "v", 4, 2.0, 16000, 5)
    rows = [json.loads(line) for line in (tmp_path / "v" / "metadata.jsonl").read_text().splitlines()]
    for row in rows:
        audio, rate = soundfile.read(tmp_path / "v" / row["path"])
        assert (len(audio), rate) == (32000, 16000)
        assert float(np.abs(audio).max()) == pytest.approx(0.8, abs=0.001)
        labels = labels_of(row)
        assert labels["key"] == [row["key"]]
        assert set(labels["instrument"]) - {"percussion"} == set(row["attributes"]["instruments"])
    first = [(tmp_path / "v" / r["path"]).read_bytes() for r in rows]
    (tmp_path / "v" / rows[2]["path"]).unlink()
    build_varied(tmp_path / "v", 5, 2.0, 16000, 5)
    assert [(tmp_path / "v" / r["path"]).read_bytes() for r in rows] == first
    with pytest.raises(StimulusError, match=r"another kind, produced \(recipe.json\)"):
        build_base(tmp_path / "v", 4, 2.0, 16000, 5)


def test_one_arrangement_is_played_in_many_ways() -> None:
    """Programs of the instrument's kind, both soundfonts, several kits; production changes the spectrum, not the notes' times."""
    rng = np.random.default_rng(0)
    a = attributes(instruments=("guitar", "electronic tones"))
    drawn = [draw_voicing(a, soundfonts(), rng) for _ in range(60)]
    assert {v.programs[0] for v in drawn} == set(KINDS["guitar"])
    assert {v.programs[1] for v in drawn} == set(KINDS["electronic tones"])
    assert {v.soundfont for v in drawn} == set(soundfonts())
    assert len({v.kit for v in drawn}) > 3
    assert {program for kinds in KINDS.values() for program in kinds} <= set(range(96))
    clicks = np.zeros(32000, dtype=np.float32)
    clicks[4000::8000] = 0.5
    made = [produce(clicks, 16000, np.random.default_rng(k)) for k in range(30)]
    assert all(m.shape == clicks.shape and np.isfinite(m).all() for m in made)
    assert len({m.tobytes() for m in made}) == 30
    late = [int(np.argmax(np.abs(m[3000:11000]))) + 3000 for m in made]
    assert np.median(np.abs(np.array(late) - 4000)) < 80  # 5 ms
    assert not produce(np.zeros(16000, dtype=np.float32), 16000, rng).any()
