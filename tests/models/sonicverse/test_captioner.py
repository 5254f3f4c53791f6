from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from models.sonicverse.captioner import Captioner, Wording
from models.sonicverse.evaluation.attributes import calibration_error, evaluate, instrument_f1, named, tempo_right
from models.sonicverse.llm import caption_loss
from models.sonicverse.load import load_captioner
from models.sonicverse.nano.captioner import NANO
from models.sonicverse.nano.encoder import LAYERS, RATE, encode, pulse_strength
from models.sonicverse.nano.labels import HEADS, INSTRUMENTS, MOODS, sentence, targets, without_repeats
from models.sonicverse.nano.train import Lesson, tune_voices
from models.sonicverse.projector import DualProjector

LABELS = {
    "instrument": ["harp", "strings"], "mood": ["warm"], "tempo": ["slow"], "key": ["D minor"], "register": ["high"],
    "articulation": ["legato"], "harmony": ["consonant"],
}  # fmt: skip


def layers(n: int = 2) -> dict[str, torch.Tensor]:
    g = torch.Generator().manual_seed(0)
    return {name: torch.randn(n, width, generator=g) for name, width in LAYERS.items()}


def test_tokens_and_layer_weights() -> None:
    model = DualProjector(NANO).eval()
    tokens, logits = model(layers())
    assert tokens.shape == (2, 8 + 2 * len(HEADS), 576)
    assert {k: v.shape[1] for k, v in logits.items()} == {k: len(v[0]) for k, v in HEADS.items()}
    tokens.sum().backward()
    for weights in (model.alpha, model.beta):
        assert weights.grad is not None
        assert float(weights.grad.abs().sum()) > 0
        assert torch.allclose(torch.softmax(weights, dim=-1).sum(-1), torch.ones(weights.shape[:-1]))


def test_layer_weights_sum_to_one_in_every_path() -> None:
    weights = DualProjector(NANO).layer_weights()
    assert set(weights) == {"content", *HEADS}
    assert all(sum(w.values()) == pytest.approx(1) for w in weights.values())
    last = DualProjector(replace(NANO, layer_weights="last")).layer_weights()["key"]
    assert list(last.values()) == [0, 0, 0, 0, 0, 1]


def test_temperature_calibrates_and_unknown_truth_is_left_out() -> None:
    """Logits three times too sure: the fitted temperature is about three, and the calibration error falls."""
    model = DualProjector(NANO).eval()
    rng = np.random.default_rng(0)
    logits, wanted = {}, {}
    for head, (names, several) in HEADS.items():
        true = rng.normal(0, 1.5, (4000, len(names)))
        p = 1 / (1 + np.exp(-true)) if several else np.exp(true) / np.exp(true).sum(1, keepdims=True)
        y = rng.random(p.shape) < p if several else np.eye(len(names))[[rng.choice(len(names), p=row) for row in p]]
        logits[head], wanted[head] = torch.from_numpy(3 * true).float(), torch.from_numpy(y.astype(np.float32))
    wanted["gender"][:] = torch.nan
    found = model.calibrate(logits, wanted)
    assert found.pop("gender") == 1  # nobody sang
    assert all(t == pytest.approx(3, rel=0.15) for t in found.values()), found
    for head in ("key", "instrument"):
        several = HEADS[head][1]
        raw, tempered = model.probabilities(logits)[head].numpy(), model.calibrated(logits)[head].numpy()
        y = wanted[head].numpy()
        assert calibration_error(tempered, y, several) < 0.3 * calibration_error(raw, y, several)
    only = {h: torch.full_like(y, torch.nan) for h, y in wanted.items()}
    assert float(model.head_loss(logits, only)) == 0


def test_the_caption_loss_alone_reaches_the_heads_and_leaves_the_language_model() -> None:
    captioner = load_captioner()
    model = DualProjector(NANO).train()
    before = {k: v.clone() for k, v in captioner.llm.state_dict().items()}
    tokens, _ = model(layers())
    caption_loss(captioner.llm, captioner.tokenizer, tokens, ["A slow piece.", "A fast piece with drums."]).backward()
    assert all(float(p.grad.abs().sum()) > 0 for p in model.heads.parameters() if p.grad is not None)
    assert any(p.grad is not None for p in model.heads.parameters())
    assert all(torch.equal(before[k], v) for k, v in captioner.llm.state_dict().items())


def test_pulse_has_its_peak_at_the_tempo() -> None:
    frames = np.zeros((600, 4), dtype=np.float32)
    frames[::30] = 1  # one in 30 frames at 62.5 Hz: 125 BPM
    from models.sonicverse.nano.encoder import TEMPI

    peak = TEMPI[int(np.argmax(pulse_strength(frames, 62.5)))]
    assert min(abs(peak / 125 - 1), abs(peak / 62.5 - 1)) < 0.03


def test_captions_name_what_is_played_more_often_than_others_do() -> None:
    """A small one of the evidence: eight rendered clips with one instrument each, by family."""
    from stimuli.dataset.arrange import arrange
    from stimuli.dataset.render import render
    from tests.stimuli.dataset.test_dataset import SKELETON, attributes

    played = ["piano", "choir", "deep brass", "flute", "harp", "organ", "violin", "electric bass"]
    clips = []
    for name in played:
        low = name in ("deep brass", "electric bass")
        a = attributes(instruments=(name,), register="low" if low else "high", articulation="legato")
        clips.append(render(arrange(SKELETON, a, 6.0, np.random.default_rng(0)), a.instruments, 6.0, RATE))
    found = load_captioner().describe(clips)
    own = np.mean([instrument_f1(d.caption, [n]) for d, n in zip(found, played, strict=True)])
    others = np.mean(
        [instrument_f1(d.caption, [m]) for d, n in zip(found, played, strict=True) for m in played if m != n]
    )
    assert own > others + 0.15
    again = load_captioner().describe(clips[:1])
    assert again[0].caption == found[0].caption
    probabilities = found[0].features["key"]
    assert sum(probabilities.values()) == pytest.approx(1, abs=0.01)


def test_voices_are_read_off_the_tags() -> None:
    """The strongest voice tag against the strongest "no voice" tag; gender is silent where nobody sings."""
    from models.embeddings.musicnn import MTT_TAGS
    from models.sonicverse.captioner import Description
    from models.sonicverse.tags import read_tags

    def vector(**tags: float) -> np.ndarray:
        return np.array([0.0] * 200 + [tags.get(t.replace(" ", "_"), 0.01) for t in MTT_TAGS], dtype=np.float32)

    sung = read_tags(vector(female_vocal=0.8, male=0.1, no_vocals=0.1, pop=0.6))
    assert sung["vocals"]["vocals"] > 0.85
    assert sung["gender"]["female"] > 0.85
    assert Description("", sung).top("gender") == ["female"]
    assert Description("", sung).top("genre") == ["pop"]
    played = read_tags(vector(no_vocals=0.9, female=0.2))
    assert Description("", played).top("vocals") == ["instrumental"]
    assert Description("", played).top("gender") == []


def test_encoding_has_the_declared_widths() -> None:
    out = encode(np.random.default_rng(0).normal(size=4 * RATE).astype(np.float32) * 0.1)
    assert {k: len(v) for k, v in out.items()} == LAYERS


def test_words_are_found_whole_and_longest_first() -> None:
    assert named("Plucked strings, plucked strings and piano.", INSTRUMENTS) == {"plucked strings", "piano"}
    assert named("A slow piece with double bass and electric bass.", INSTRUMENTS) == {"double bass", "electric bass"}
    assert tempo_right("a slow or fast piece", "slow") == 0
    assert instrument_f1("Harp, strings.", ["harp", "strings"]) == 1


def test_sentences_say_the_labels() -> None:
    for seed in range(6):
        text = sentence(LABELS, np.random.default_rng(seed)).lower()
        assert named(text, INSTRUMENTS) == {"harp", "strings"}
        assert tempo_right(text, "slow") == 1
        assert "d minor" in text
    assert targets(LABELS)["instrument"].sum() == 2


def test_evaluation_tells_hearing_from_guessing() -> None:
    rng = np.random.default_rng(0)
    labels = []
    for i in range(60):
        labels.append(LABELS | {"instrument": [INSTRUMENTS[i % 20]], "tempo": [("slow", "moderate", "fast")[i % 3]]})
    heard = [sentence(row, rng) for row in labels]
    rows = {r["attribute"]: r for r in evaluate(heard, labels)}
    assert rows["instrument"]["captions"] == 1
    assert rows["instrument"]["over_shuffled_low"] > 0.5
    guessed = [sentence(LABELS, rng) for _ in labels]
    rows = {r["attribute"]: r for r in evaluate(guessed, labels)}
    assert rows["tempo"]["over_shuffled_low"] <= 0


@pytest.mark.parametrize(
    "text, once",
    [
        ("Deep brass and deep brass at a slow tempo.", "Deep brass at a slow tempo."),
        ("played by horns, horns and percussion, in D minor", "played by horns and percussion, in D minor"),
        ("played by bass, percussion and percussion, in C", "played by bass and percussion, in C"),
        ("electric bass, bass and percussion", "electric bass and percussion"),
        (
            "double bass, electric bass and harp. It sounds deep.",
            "double bass, electric bass and harp. It sounds deep.",
        ),
    ],
)
def test_nothing_is_listed_twice(text: str, once: str) -> None:
    assert without_repeats(text) == once


@given(
    played=st.lists(st.sampled_from(INSTRUMENTS), max_size=6),
    moods=st.lists(st.sampled_from(MOODS), max_size=4),
    seed=st.integers(0, 99),
)
def test_without_repeats_a_caption_says_the_same(played: list[str], moods: list[str], seed: int) -> None:
    labels = {
        "instrument": played, "mood": moods, "tempo": ["slow"], "register": ["low"], "key": ["C minor"],
        "articulation": ["legato"], "harmony": ["tense"],
    }  # fmt: skip
    text = sentence(labels, np.random.default_rng(seed))
    once = without_repeats(text)
    assert named(once, INSTRUMENTS) == named(text, INSTRUMENTS)
    assert named(once, MOODS) == named(text, MOODS)
    assert without_repeats(once) == once
    if len(set(played)) == len(played) and len(set(moods)) == len(moods):
        assert once == text


def test_voice_heads_learn_from_other_music_and_leave_the_rest() -> None:
    """Of clips whose voice alone is known, most of them without one: the heads of vocals and gender learn, nothing else moves."""
    rng = np.random.default_rng(0)
    n = 240
    layers = {name: rng.normal(size=(n, width)).astype(np.float32) for name, width in LAYERS.items()}
    other = np.arange(n) >= n // 2
    voice = np.where(other, np.arange(n) % 6 == 0, np.arange(n) % 2 == 0)
    for rows in layers.values():
        rows[:, 0] = np.where(voice, 3.0, -3.0) + rng.normal(size=n)
    wanted = []
    for sung, known in zip(voice, ~other, strict=True):
        labels = {"vocals": ["vocals" if sung else "instrumental"]} | ({"gender": ["female"]} if sung else {})
        wanted.append(targets({"instrument": ["harp"], **labels} if known else labels))
    torch.manual_seed(0)
    model = DualProjector(NANO)
    model.normalise_by(layers)
    before = {k: v.clone() for k, v in model.state_dict().items()}
    free = np.flatnonzero(~other)
    tune_voices(model, Lesson(layers, wanted, [], free, free))
    assert all(torch.equal(v, before[k]) for k, v in model.state_dict().items()), (
        "rendered clips alone: nothing to learn here"
    )
    tune_voices(model, Lesson(layers, wanted, [], np.arange(n), free))
    moved = {k for k, v in model.state_dict().items() if not torch.equal(v, before[k])}
    assert moved <= {"beta", *(k for k in before if k.startswith(("heads.vocals.", "heads.gender.")))}
    rows = [list(model.config.heads).index(h) for h in model.config.heads if h not in ("vocals", "gender")]
    assert torch.equal(model.state_dict()["beta"][rows], before["beta"][rows])
    with torch.no_grad():
        logits = model.head_logits({k: torch.from_numpy(v) for k, v in layers.items()})["vocals"]
    heard = (logits[:, 0] > logits[:, 1]).numpy()
    assert (heard == voice)[other].mean() > 0.95


@pytest.mark.parametrize(
    ("text", "once"),
    [
        ("Slow music in C# major has a harp, legato, in C# major.", "Slow music in C# major has a harp, legato."),
        ("In D minor, a piano plays low and in D minor with consonant harmony.", "In D minor, a piano plays low with consonant harmony."),
        ("A harp in C# major in C# major, in C# major.", "A harp in C# major."),
        ("A harp in C# major. It is in C# major.", "A harp in C# major. It is in C# major."),
        ("A harp in C major, then in C# major.", "A harp in C major, then in C# major."),
    ],
)  # fmt: skip
def test_a_key_is_named_once(text: str, once: str) -> None:
    assert without_repeats(text) == once


class Heard:
    """A language model that notes how it is asked."""

    dtype = torch.float32

    def generate(self, **how: Any) -> torch.Tensor:
        self.how = {k: v for k, v in how.items() if not torch.is_tensor(v)}
        self.drawn = float(torch.rand(1))
        self.mask = how["attention_mask"]
        return torch.zeros(1, 1, dtype=torch.long)


class Tokens:
    eos_token_id = 5

    def batch_decode(self, ids: torch.Tensor, skip_special_tokens: bool) -> list[str]:
        assert skip_special_tokens
        return ["text"] * len(ids)


@pytest.mark.parametrize("wording", [None, Wording(0.4), Wording(0.8, seed=3), Wording(0.8, top_p=0.5, seed=3)])
def test_words_are_the_likeliest_or_drawn_from_the_likeliest_nine_tenths(wording: Wording | None) -> None:
    class Plain(Captioner):
        def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
            raise NotImplementedError

    captioner = Plain()
    captioner.llm, captioner.tokenizer, captioner.new_tokens = Heard(), Tokens(), 7  # type: ignore[assignment]
    captioner.sampling = wording
    torch.manual_seed(11)
    assert captioner.write(torch.zeros(1, 4, 2)) == ["text"]
    asked: Any = captioner.llm
    assert asked.mask.shape == (1, 4)
    assert bool(asked.mask.all())
    common = {"max_new_tokens": 7, "pad_token_id": 5}
    if wording is None:
        assert asked.how == common | {"do_sample": False}
        return
    top_p = 0.9 if wording.top_p != 0.5 else 0.5  # Holtzman et al. 2020: nucleus sampling, nothing cut off by rank
    drawn = {"do_sample": True, "temperature": wording.temperature, "top_p": top_p, "top_k": 0}
    assert asked.how == common | drawn
    torch.manual_seed(3 if wording.seed else 0)
    assert asked.drawn == float(torch.rand(1))
