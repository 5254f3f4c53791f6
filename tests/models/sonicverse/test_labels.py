"""Labels of corpus rows, and the sentences that say them: every word of a sentence is held against the labels, by lists made by hand."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pytest

from models.embeddings.musicnn import MTT_TAGS
from models.errors import ModelError
from models.sonicverse.captioner import Description
from models.sonicverse.nano.labels import FAMILY_OF, HEADS, KEYS, labels_of, sentence, targets, without_repeats
from models.sonicverse.nano.train import kept_back
from models.sonicverse.tags import GENRES, genre_tags, read_tags
from models.training import Clip

ROW: dict[str, Any] = {
    "key": "Bb minor", "moods": ["warm", "deep"],
    "attributes": {
        "bpm": 80, "register": "low", "articulation": "staccato", "harmony": "tense", "instruments": ["cello", "harp"],
        "percussion": False,
    },
}  # fmt: skip


def test_labels_are_the_attributes() -> None:
    found = labels_of(ROW)
    assert found == {
        "instrument": ["cello", "harp"], "mood": ["warm", "deep"], "tempo": ["moderate"], "key": ["Bb minor"], "register": ["low"],
        "articulation": ["staccato"], "harmony": ["tense"], "vocals": ["instrumental"],
    }  # fmt: skip
    drums = labels_of({**ROW, "attributes": {**ROW["attributes"], "percussion": True}})
    assert drums["instrument"] == ["cello", "harp", "percussion"]
    sung = labels_of({**ROW, "voice": {"gender": "male", "speaker": "x"}})
    assert (sung["vocals"], sung["gender"]) == (["vocals"], ["male"])
    assert labels_of({"voice": None}) == {"vocals": ["instrumental"]}
    assert labels_of({"voice": {"gender": "female"}}) == {"vocals": ["vocals"], "gender": ["female"]}


def test_targets_have_a_one_for_each_label_in_its_place() -> None:
    found = targets(labels_of(ROW))
    assert set(found) == set(HEADS)
    for head, wanted in (
        ("instrument", {"cello", "harp"}),
        ("mood", {"warm", "deep"}),
        ("tempo", {"moderate"}),
        ("key", {"Bb minor"}),
    ):
        names = HEADS[head][0]
        assert {name for name, v in zip(names, found[head], strict=True) if v == 1} == wanted
        assert set(found[head].tolist()) == {0.0, 1.0}
    assert np.isnan(found["gender"]).all()
    assert np.isnan(found["genre"]).all()
    assert found["key"].dtype == np.float32


def test_a_label_that_is_none_is_named() -> None:
    with pytest.raises(ModelError, match=r'no label "kazoo" for instrument; it knows piano, .*, electric guitar'):
        targets(labels_of({**ROW, "attributes": {**ROW["attributes"], "instruments": ["kazoo"]}}))


def test_every_instrument_of_every_corpus_that_can_be_built_has_a_label() -> None:
    from stimuli.dataset.arrange import INSTRUMENTS as CHORALES
    from stimuli.dataset.pulse.band import BASSES, PLAYERS

    known = set(HEADS["instrument"][0])
    assert set(CHORALES) - known == set()
    assert {*BASSES, *PLAYERS} - known == set()


def test_the_order_of_keys() -> None:
    """12 major from C up by semitones, then 12 minor: what the shipped heads were trained on, and MusicBench's heads are."""
    names = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
    assert list(KEYS) == [f"{n} major" for n in names] + [f"{n} minor" for n in names]
    sizes = {head: len(names) for head, (names, _) in HEADS.items()}
    assert sizes == {
        "instrument": 29, "mood": 10, "tempo": 3, "key": 24, "register": 3, "articulation": 2, "harmony": 3, "vocals": 2, "gender": 2,
        "genre": 12,
    }  # fmt: skip
    assert {head for head, (_, several) in HEADS.items() if several} == {"instrument", "mood", "genre"}


def test_every_label_has_the_unit_that_the_shipped_heads_learned() -> None:
    """The weights know no names: unit k of a head is the k-th of these, in the order of General MIDI's programs; those that came
    later stand behind the others, so that former weights keep their names."""
    assert HEADS["instrument"][0] == (
        "piano", "celesta", "marimba", "organ", "guitar", "electric bass", "violin", "cello", "double bass", "plucked strings", "harp",
        "strings", "choir", "deep brass", "horns", "bassoon", "clarinet", "flute", "electronic tones", "synth pad", "percussion",
        "accordion", "electric piano", "vibraphone", "saxophone", "brass", "tuba", "synth bass", "electric guitar",
    )  # fmt: skip
    assert HEADS["mood"][0] == (
        "flowing", "warm", "crisp", "bright", "sharp", "rhythmic", "grounded", "deep", "heavy", "reflective",
    )  # fmt: skip
    assert HEADS["tempo"][0] == ("slow", "moderate", "fast")
    assert HEADS["register"][0] == ("low", "mid", "high")
    assert HEADS["articulation"][0] == ("legato", "staccato")
    assert HEADS["harmony"][0] == ("consonant", "tense", "dissonant")
    assert HEADS["vocals"][0] == ("vocals", "instrumental")
    assert HEADS["gender"][0] == ("female", "male")
    assert list(HEADS) == [
        "instrument", "mood", "tempo", "key", "register", "articulation", "harmony", "vocals", "gender", "genre",
    ]  # fmt: skip


def test_families_are_those_of_an_orchestra() -> None:
    families = {
        "keys": "piano celesta marimba organ accordion electric_piano vibraphone",
        "plucked": "guitar electric_bass plucked_strings harp electric_guitar", "bowed": "violin cello double_bass strings",
        "winds": "deep_brass horns bassoon clarinet flute saxophone brass tuba",
        "electronic": "electronic_tones synth_pad synth_bass", "choir": "choir", "percussion": "percussion",
    }  # fmt: skip
    known = {name.replace("_", " "): family for family, names in families.items() for name in names.split()}
    assert known == FAMILY_OF


SAID = {
    "instrument": ["harp", "deep brass", "percussion"], "mood": ["warm", "deep", "heavy", "sharp"], "tempo": ["fast"], "key": ["C# minor"],
    "register": ["mid"], "articulation": ["legato"], "harmony": ["dissonant"],
}  # fmt: skip


@pytest.mark.parametrize("gender", [None, "female", "male"])
def test_sentences_word_for_word(gender: str | None) -> None:
    """The three orders, written out."""
    labels = SAID | ({"vocals": ["vocals"], "gender": [gender]} if gender else {"vocals": ["instrumental"]})
    who = {"female": "a woman singing", "male": "a man singing"}.get(gender or "", "")
    tail = " It sounds warm, deep and heavy."
    orders = {
        "A fast piece in the mid register, played by harp, deep brass and percussion, "
        + (f"with {who}, " if who else "") + "in C# minor, legato, with dissonant harmony." + tail,
        f"Harp, deep brass and percussion at a fast tempo{f' with {who}' if who else ''}, legato, in the mid register, "
        "with dissonant harmony in C# minor." + tail,
        "This fast music in C# minor has harp, deep brass and percussion in the mid register, "
        + (f"{who}, " if who else "") + "legato notes and dissonant harmony." + tail,
    }  # fmt: skip
    said = [sentence(labels, np.random.default_rng(seed)) for seed in range(60)]
    assert set(said) == orders
    assert all(said.count(order) > 8 for order in orders)


def test_a_voice_alone_and_no_mood() -> None:
    labels = {**SAID, "instrument": [], "mood": []}
    said = {sentence(labels, np.random.default_rng(seed)) for seed in range(30)}
    assert len(said) == 3
    assert all("voice alone" in s.lower() and "sounds" not in s for s in said)


def test_repeats_go_and_nothing_else() -> None:
    text = "Harp, harp and piano at a slow tempo. It sounds Deep, warm, deep and deep; deep down."
    assert without_repeats(text) == "Harp and piano at a slow tempo. It sounds Deep and warm; deep down."
    assert without_repeats("bass, electric bass and bass") == "bass and electric bass"
    assert without_repeats("harp, harps, plucked strings and strings") == "harp, harps, plucked strings and strings"
    assert without_repeats("") == ""


def test_what_a_description_shows() -> None:
    features = {
        "instrument": {"harp": 0.6, "piano": 0.9, "organ": 0.5}, "tempo": {"slow": 0.3, "moderate": 0.4, "fast": 0.3},
        "mood": {"warm": 0.1}, "gender": {"female": 0.2, "male": 0.8}, "vocals": {"vocals": 0.51, "instrumental": 0.49},
    }  # fmt: skip
    said = Description("", features)
    assert said.top("instrument") == ["piano", "harp"]
    assert said.top("tempo") == ["moderate"]
    assert said.top("mood") == []
    assert said.top("gender") == ["male"]
    features["vocals"] = {"vocals": 0.5, "instrumental": 0.5}
    assert said.top("gender") == []
    del features["vocals"]
    assert said.top("gender") == ["male"]


def test_tags_by_hand() -> None:
    tags = dict.fromkeys(MTT_TAGS, 0.0) | {
        "choir": 0.6, "no vocal": 0.2, "woman": 0.3, "male voice": 0.1, "techno": 0.7, "classical": 0.12345,
    }  # fmt: skip
    vector = np.array([9.0] * 200 + [tags[t] for t in MTT_TAGS], dtype=np.float32)
    found = read_tags(vector)
    assert found["vocals"]["vocals"] == pytest.approx(0.75, abs=1e-3)
    assert found["vocals"]["instrumental"] == pytest.approx(0.25, abs=1e-3)
    assert found["gender"] == pytest.approx({"female": 0.75, "male": 0.25}, abs=1e-3)
    assert {g: p for g, p in found["genre"].items() if p} == {"techno": 0.7, "classical": 0.1235}
    assert dict(zip(GENRES, genre_tags(vector), strict=True)) == pytest.approx({g: tags[g] for g in GENRES}, abs=1e-6)
    assert read_tags(np.zeros(250))["vocals"] == {"vocals": 0.5, "instrumental": 0.5}
    for name in ("female", "woman", "female vocal", "female voice", "opera", "singing", "man", "male vocal"):
        one = np.array([0.0] * 200 + [float(t == name) for t in MTT_TAGS])
        told = read_tags(one)
        assert told["vocals"]["vocals"] > 0.99
        assert (told["gender"]["female"] > 0.99) == bool(re.match("female|woman", name))
        assert (told["gender"]["male"] > 0.99) == (name in ("man", "male vocal"))


def test_clips_of_one_piece_are_kept_back_together() -> None:
    from pathlib import Path

    clips = [Clip(Path(f"{i}.wav"), "", {"title": f"p{i % 40}"}) for i in range(400)]
    held = kept_back(clips)
    kept = {c.row["title"] for c, h in zip(clips, held, strict=True) if h}
    free = {c.row["title"] for c, h in zip(clips, held, strict=True) if not h}
    assert not kept & free
    assert 1 <= len(kept) <= 10
    alone = kept_back([Clip(Path("x.wav"), "", {"title": "one"})] * 20)
    assert alone.tolist() == ([True] + [False] * 9) * 2
