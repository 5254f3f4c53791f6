"""Evaluation of captions: metrics on worked examples, key scores by MIREX's rules, heads, switches of features."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from models.errors import ModelError
from models.sonicverse.evaluation.assess import assess, draw_layers, switched
from models.sonicverse.evaluation.attributes import (
    calibration_error,
    evaluate,
    family_f1,
    head_scores,
    instrument_f1,
    mirex,
    text_scores,
)
from models.sonicverse.evaluation.text_metrics import (
    BertScore,
    all_metrics,
    bleu,
    cider,
    meteor,
    rouge_l,
    similarity,
    words,
)
from models.sonicverse.nano.labels import FAMILIES, FAMILY_OF, HEADS, INSTRUMENTS, sentence, targets
from models.sonicverse.nano.train import encode_corpus
from models.training import read_corpus
from tests.models.sonicverse.test_captioner import LABELS


def test_bleu_of_papinenis_example() -> None:
    """Papineni et al. (2002), section 2.1: modified unigram precision of seven "the" is 2/7."""
    refs = ["The cat is on the mat.", "There is a cat on the mat."]
    assert bleu(["the the the the the the the"], [refs])[0] == pytest.approx(2 / 7)
    assert bleu(["the cat is on the mat"], [refs]) == pytest.approx([1, 1, 1, 1])
    # Brevity: 3 words against 6: exp(1 - 6 / 3).
    assert bleu(["the cat is"], [refs[:1]])[0] == pytest.approx(math.exp(-1))
    assert bleu(["a dog barks"], [refs])[3] == 0


def test_rouge_l_by_hand() -> None:
    """Common subsequence "police the gunman" of 3 in 4 and 4 words: P = R = 3/4, so F = 3/4."""
    assert rouge_l("police ended the gunman", ["police kill the gunman"]) == pytest.approx(0.75)
    assert rouge_l("x", ["y"]) == 0
    assert rouge_l("", [""]) == 0


def test_cider_prefers_the_rare_word() -> None:
    references = [["a slow harp piece"], ["a slow organ piece"], ["a slow flute piece"]]
    own = cider([r[0] for r in references], references)
    assert own == pytest.approx([10, 10, 10], rel=0.3)
    assert cider(["a slow harp piece"] * 3, references)[1] < own[1]
    assert cider(["zebra"] * 3, references) == [0, 0, 0]


def test_meteor_and_similarity() -> None:
    assert meteor("slow music with harps", ["slow music with a harp"]) > meteor(
        "fast drums", ["slow music with a harp"]
    )
    near, far = similarity(["calm piano music", "a steel factory"], [["soft piano piece"], ["soft piano piece"]])
    assert near > far + 0.2


def test_all_metrics_are_there() -> None:
    scores = all_metrics(["a slow harp piece", "fast drums"], [["a slow harp piece"], ["fast loud drums"]])
    assert set(scores) == {"bleu_1", "bleu_2", "bleu_3", "bleu_4", "meteor", "rouge_l", "cider", "similarity"}
    assert words("In C# minor, 90 BPM.") == ["in", "c#", "minor", "90", "bpm"]


@pytest.mark.parametrize(
    ("estimate", "truth", "score"),
    [
        ("C major", "C major", 1), ("G major", "C major", 0.5), ("A minor", "C major", 0.3), ("C major", "A minor", 0.3),
        ("C minor", "C major", 0.2), ("D major", "C major", 0), ("E minor", "A minor", 0.5), ("F major", "C major", 0),
    ],
)  # fmt: skip
def test_mirex_rules(estimate: str, truth: str, score: float) -> None:
    """MIREX audio key detection: a perfect fifth up .5, relative .3, parallel .2."""
    assert mirex(estimate, truth) == score


def test_calibration_error() -> None:
    p = np.array([[0.8, 0.2]] * 10)
    y = np.array([[1.0, 0.0]] * 8 + [[0.0, 1.0]] * 2)
    assert calibration_error(p, y, several=False) == pytest.approx(0, abs=1e-9)
    assert calibration_error(p, np.tile([0.0, 1.0], (10, 1)), several=False) == pytest.approx(0.8)
    assert calibration_error(np.full((4, 2), 0.25), np.zeros((4, 2)), several=True) == pytest.approx(0.25)


def test_families_hold_every_instrument_once() -> None:
    assert sorted(i for names in FAMILIES.values() for i in names) == sorted(INSTRUMENTS)
    assert FAMILY_OF["harp"] == "plucked"
    assert family_f1("A piece for piano.", ["organ"]) == 1
    assert family_f1("A piece for flute.", ["organ"]) == 0


@pytest.mark.parametrize("score", [family_f1, instrument_f1])
@pytest.mark.parametrize(
    ("caption", "played", "f1"), [("Music.", [], 1), ("Music.", ["organ"], 0), ("A piece for organ.", [], 0)]
)
def test_nothing_named_is_right_where_nothing_plays(score: Any, caption: str, played: list[str], f1: float) -> None:
    assert score(caption, played) == f1


def cases(n: int = 48) -> list[dict[str, list[str]]]:
    return [
        LABELS | {"instrument": [INSTRUMENTS[i % 20]], "tempo": [("slow", "moderate", "fast")[i % 3]]} for i in range(n)
    ]


def test_heads_that_know_and_heads_that_guess() -> None:
    labels = cases()
    sure = [
        {h: {n: float(v) for n, v in zip(HEADS[h][0], t, strict=True)} for h, t in targets(row).items()}
        for row in labels
    ]
    rows = {r["head"]: r for r in head_scores(sure, labels)}
    assert rows["instrument"]["pr_auc"] == pytest.approx(1)
    assert rows["tempo"]["roc_auc"] == pytest.approx(1)
    assert rows["key"]["mirex"] == 1
    assert rows["tempo"]["ece"] == pytest.approx(0, abs=1e-9)
    guessed = [sure[0]] * len(labels)
    assert {r["head"]: r for r in head_scores(guessed, labels)}["tempo"]["roc_auc"] == pytest.approx(0.5)


def test_text_rows_tell_hearing_from_guessing() -> None:
    labels = cases(24)
    captions = [f"A {row['tempo'][0]} piece for {row['instrument'][0]}." for row in labels]
    rows = {r["row"]: r for r in text_scores(captions, [[c] for c in captions])}
    assert rows["captions"]["cider"] > rows["shuffled audio"]["cider"]
    assert rows["captions"]["bleu_4"] == pytest.approx(1)
    assert rows["captions"]["cider"] > rows["constant caption"]["cider"]
    assert {r["attribute"] for r in evaluate(captions, labels)} == {"instrument", "family", "tempo", "register", "key"}


def test_switches_of_features() -> None:
    truth = [targets(row) for row in cases(20)]
    own = [{h: v * 0.9 + 0.05 for h, v in t.items()} for t in truth]
    assert switched("own", 1.0, own, truth) is None
    oracle = switched("oracle", 1.0, own, truth)
    assert oracle is not None
    assert np.array_equal(oracle["tempo"][3], truth[3]["tempo"])
    others = switched("shuffled", 1.0, own, truth)
    assert others is not None
    assert sorted(map(tuple, others["tempo"])) == sorted(tuple(o["tempo"]) for o in own)
    for share in (0.0, 0.5, 1.0):
        noisy = switched("noise", share, own, truth)
        assert noisy is not None
        kept = np.mean([np.allclose(noisy["key"][i], own[i]["key"]) for i in range(20)])
        assert abs(kept - (1 - share)) < 0.3
        assert noisy["key"].sum(axis=1) == pytest.approx(
            own[0]["key"].sum() if share == 0 else noisy["key"].sum(axis=1)
        )


@pytest.mark.slow
def test_assess_on_a_small_corpus(tmp_path: Path) -> None:
    """The whole way on five rendered clips; a corpus without labels is named."""
    from models.sonicverse.load import load_captioner
    from stimuli.dataset.build import build_base

    build_base(tmp_path, 5, 4.0, 16000, 5, "test")
    tables = assess(load_captioner(), tmp_path)
    assert {r["head"] for r in tables["heads"]} == set(HEADS) - {
        "gender",
        "genre",
    }  # nobody sings, nothing is known of genres
    assert [r["row"] for r in tables["text"]] == ["captions", "shuffled audio", "constant caption", "random references"]
    register = next(r for r in tables["attributes"] if r["attribute"] == "register")
    assert register["captions"] >= 0.5
    with pytest.raises(ModelError, match="are not known"):
        assess(load_captioner(), tmp_path, features="golden")
    clips = read_corpus(tmp_path)
    cache = tmp_path / "vectors.safetensors"
    own, turned = encode_corpus(clips, cache), encode_corpus(clips[::-1], cache)  # as many clips, but not these
    assert np.array_equal(own["front"], turned["front"][::-1])
    listed = (tmp_path / "metadata.jsonl").read_text().replace('"attributes"', '"something"')
    (tmp_path / "metadata.jsonl").write_text(listed)
    with pytest.raises(ModelError, match="no exact attributes"):
        assess(load_captioner(), tmp_path)


def test_bertscore_is_one_of_itself_symmetric_and_takes_the_best_reference() -> None:
    from models.minilm import minilm_directory

    score = BertScore(str(minilm_directory()))
    slow, fast = "a slow piece for piano", "a fast dance for drums"
    assert score(slow, [slow]) == pytest.approx(1, abs=1e-5)
    assert score(slow, [fast]) == pytest.approx(score(fast, [slow]), abs=1e-6)  # precision and recall change places
    assert score("slow piano music", [fast, slow]) == score("slow piano music", [slow])
    assert score("slow piano music", [slow]) > score("slow piano music", [fast])
    # Layer 0 has no context but the place: the same words at the same places are the same.
    assert BertScore(str(minilm_directory()), 0)("piano", ["piano"]) == pytest.approx(1, abs=1e-5)
    with pytest.raises(ModelError, match="layers 0 to 6, not 7"):
        BertScore(str(minilm_directory()), 7)
    rows = text_scores([slow, fast] * 6, [[slow], [fast]] * 6, bert=score)
    assert rows[0]["bertscore_f1"] == pytest.approx(1, abs=1e-5)
    assert rows[0]["bertscore_f1"] > rows[1]["bertscore_f1"]


def test_who_sings_is_scored_where_somebody_does() -> None:
    labels = [
        LABELS | {"vocals": ["vocals"], "gender": [("female", "male")[i % 2]]} if i % 3 else LABELS | {"vocals": ["instrumental"]}
        for i in range(30)
    ]  # fmt: skip
    rng = np.random.default_rng(0)
    captions = [sentence(row, rng) for row in labels]
    rows = {r["attribute"]: r for r in evaluate(captions, labels)}
    assert rows["vocals"]["captions"] == rows["gender"]["captions"] == 1
    assert (rows["vocals"]["n"], rows["gender"]["n"]) == (30, 20)
    assert rows["gender"]["over_constant_low"] > 0.2
    nobody = evaluate([sentence(LABELS, rng)] * 4, [LABELS | {"vocals": ["instrumental"]}] * 4)
    assert "vocals" not in {r["attribute"] for r in nobody}


def test_layer_weights_are_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from matplotlib.figure import Figure

    drawn: list[Figure] = []
    save = Figure.savefig
    monkeypatch.setattr(Figure, "savefig", lambda figure, *to, **how: (drawn.append(figure), save(figure, *to, **how)))
    weights = {("content", "0"): 0.2, ("content", "1"): 0.8, ("key", "0"): 0.3, ("key", "1"): 0.7}
    rows = [{"path": p, "layer": k, "weight": w} for (p, k), w in weights.items()]
    for ending in ("png", "svg"):
        assert draw_layers(rows, tmp_path / f"layers.{ending}").stat().st_size > 3000
    axes = drawn[0].axes[0]
    assert [t.get_text() for t in axes.texts] == ["0.20", "0.80", "0.30", "0.70"]
    assert axes.get_xlabel() == "layer of the audio encoder"
    assert [t.get_text() for t in axes.get_yticklabels()] == ["content", "key"]


def test_peoples_captions_of_ones_own_copy(tmp_path: Path) -> None:
    """MusicCaps' table with three clips, two of them of its evaluation: word overlap beside guesses."""
    import json

    import soundfile
    from typer.testing import CliRunner

    from tastelab.cli import app

    table = ["ytid,start_s,end_s,aspect_list,caption,is_audioset_eval"]
    t = np.arange(3 * 16000) / 16000
    for i, name in enumerate(("abcdefghij0", "abcdefghij1", "abcdefghij2")):
        soundfile.write(tmp_path / f"{name}_30-40.wav", 0.3 * np.sin(2 * np.pi * 220 * (i + 1) * t), 16000)
        table.append(f"{name},30,40,[],A slow tone number {i}.,{i > 0}")
    listing = tmp_path / "musiccaps-public.csv"
    listing.write_text("\n".join(table) + "\n")
    command = ["models", "evaluate", "sonicverse", "--listing", str(listing), "--audio", str(tmp_path), "--json"]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    tables = json.loads(done.output)["tables"]
    assert [r["row"] for r in tables["text"]] == ["captions", "shuffled audio", "constant caption", "random references"]
    assert tables["text"][0]["n"] == 2
    assert {r["location"] for r in tables["captions"]} == {"abcdefghij1_30-40.wav", "abcdefghij2_30-40.wav"}
    assert sum(r["weight"] for r in tables["layers"] if r["path"] == "content") == pytest.approx(1, abs=1e-4)
    both = CliRunner().invoke(app, [*command, "--corpus", str(tmp_path)])
    assert "either --corpus" in str(both.exception)
