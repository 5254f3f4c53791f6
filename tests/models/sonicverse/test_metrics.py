"""Scores of captions and heads, by hand or beside another implementation."""

from __future__ import annotations

import math

import numpy as np
import pytest

from models.sonicverse.evaluation.assess import switched
from models.sonicverse.evaluation.attributes import (
    evaluate,
    gender_right,
    head_accuracy,
    head_scores,
    instrument_f1,
    key_right,
    named,
    register_right,
    text_scores,
    vocals_right,
)
from models.sonicverse.evaluation.text_metrics import bleu, cider, rouge_l
from models.sonicverse.nano.labels import HEADS, INSTRUMENTS, KEYS

WORDS = [
    "a",
    "slow",
    "fast",
    "piece",
    "of",
    "music",
    "with",
    "harp",
    "and",
    "strings",
    "in",
    "the",
    "low",
    "high",
    "register",
]


def test_bleu_beside_nltk() -> None:
    """Corpus BLEU-1 to BLEU-4 with one to three references a caption, lengths from 6 to 14."""
    from nltk.translate.bleu_score import corpus_bleu

    rng = np.random.default_rng(0)

    def text() -> str:
        start = int(rng.integers(6))
        said = WORDS[start : start + int(rng.integers(6, 15))]
        return " ".join(
            w if rng.random() > 0.15 else str(rng.choice(WORDS)) for w in said + WORDS[: max(0, 6 - len(said))]
        )

    for _ in range(5):
        captions = [text() for _ in range(12)]
        references = [[text() for _ in range(int(rng.integers(1, 4)))] for _ in captions]
        split = [[r.split() for r in group] for group in references]
        for n, value in enumerate(bleu(captions, references), start=1):
            oracle = corpus_bleu(split, [c.split() for c in captions], weights=(1 / n,) * n)
            assert value == pytest.approx(oracle, rel=1e-9)


def test_bleu_of_short_and_long_captions() -> None:
    """Two words against the nearest reference's three: exp(1 - 3 / 2); a longer caption has no penalty."""
    assert bleu(["a harp"], [["a harp plays", "a harp plays slow music"]], 1) == pytest.approx([math.exp(-0.5)])
    assert bleu(["a harp plays now"], [["a harp plays"]], 1) == pytest.approx([3 / 4])
    assert bleu([""], [["a harp"]], 2) == [0.0, 0.0]


def test_rouge_l_by_hand_with_two_references() -> None:
    """The best precision (1, of the first) and the best recall (1, of the second) count, as in pycocoevalcap."""
    assert rouge_l("a b c", ["a b c d e f", "c"]) == pytest.approx(1)
    # Common subsequence of 2 in 3 and 4 words: P = 2/3, R = 1/2, beta 1.2.
    wanted = (1 + 1.44) * (2 / 3) * (1 / 2) / (1 / 2 + 1.44 * 2 / 3)
    assert rouge_l("a x b", ["a b c d"]) == pytest.approx(wanted)
    assert rouge_l("b a", ["a b"]) == pytest.approx(0.5)
    # Common subsequences by hand, in which a word may not count twice and what comes later may not go before: 4 and 1.
    assert rouge_l("a b c b d", ["b d c a b d"]) == pytest.approx(
        (1 + 1.44) * (4 / 5) * (4 / 6) / (4 / 6 + 1.44 * 4 / 5)
    )
    assert rouge_l("a", ["b a a"]) == pytest.approx((1 + 1.44) * (1 / 3) / (1 / 3 + 1.44))


def test_cider_by_hand() -> None:
    """Two clips: "a" is in both and counts nothing, "b" and "c" count log 2; no text has three words."""
    references = [["a b"], ["a c"]]
    assert cider(["a b", "a c"], references) == pytest.approx([5, 5])  # cosine 1 for words and pairs, of four lengths
    assert cider(["a c", "a b"], references) == [0, 0]
    assert cider(["b c", "a"], references) == pytest.approx([10 / math.sqrt(2) / 4, 0])
    two = [["a b", "a d"], ["a c"]]  # half of the references agree
    assert cider(["a b", "a c"], two) == pytest.approx([2.5, 5])


def test_words_of_captions_are_scored_by_hand() -> None:
    assert named("Double bass and bass, C# minor", ("bass", "double bass", "C minor", "C# minor")) == {
        "bass",
        "double bass",
        "C# minor",
    }
    assert named("harpsichord", INSTRUMENTS) == set()
    assert instrument_f1("piano and harp", ["harp", "strings", "organ"]) == pytest.approx(2 / 5)
    assert instrument_f1("nothing", ["harp"]) == 0
    assert instrument_f1("nothing", []) == 1
    assert register_right("in the low register", "low") == 1
    assert register_right("in the low and high register", "low") == register_right("no word", "low") == 0
    assert key_right("in C# minor.", "C# minor") == 1
    assert key_right("in C# minor or C minor.", "C# minor") == key_right("in C minor", "C# minor") == 0
    assert vocals_right("with a man singing.", "vocals") == vocals_right("harp", "instrumental") == 1
    assert vocals_right("harp", "vocals") == vocals_right("Singing, harp", "instrumental") == 0
    assert gender_right("with a man singing", "male") == gender_right("with a woman singing", "female") == 1
    assert gender_right("with a woman singing", "male") == gender_right("harp", "male") == 0


def test_captions_beside_shuffled_and_constant_ones() -> None:
    """Twelve clips of one instrument each, all named rightly: other clips' captions are never right, a constant one once."""
    played = list(INSTRUMENTS[:12])
    labels = [
        {"instrument": [name], "tempo": [("slow", "fast")[i % 2]], "register": ["low"], "key": [KEYS[i]]} for i, name in enumerate(played)
    ]  # fmt: skip
    captions = [f"A {row['tempo'][0]} piece for {row['instrument'][0]} in {row['key'][0]}" for row in labels]
    rows = {r["attribute"]: r for r in evaluate(captions, labels)}
    assert set(rows) == {"instrument", "family", "tempo", "register", "key"}
    one = rows["instrument"]
    assert (one["n"], one["captions"], one["shuffled"], one["constant"]) == (12, 1, 0, pytest.approx(1 / 12))
    assert one["over_shuffled_low"] == one["over_shuffled_high"] == 1
    assert 0.7 < one["over_constant_low"] < 11 / 12 < one["over_constant_high"] <= 1
    assert rows["tempo"]["constant"] == 0.5
    assert rows["register"]["captions"] == 0
    assert (rows["key"]["captions"], rows["key"]["shuffled"]) == (1, 0)


def test_rows_of_word_overlap() -> None:
    captions = [f"a piece for {name}" for name in INSTRUMENTS[:8]]
    rows = {r["row"]: r for r in text_scores(captions, [[c, "another text altogether"] for c in captions])}
    assert list(rows) == ["captions", "shuffled audio", "constant caption", "random references"]
    assert rows["captions"]["bleu_1"] == 1
    # Three words of four are those of any other clip; "double bass" and its like have five.
    assert 0.5 < rows["shuffled audio"]["bleu_1"] < 0.9
    assert rows["shuffled audio"]["bleu_1"] == pytest.approx(rows["random references"]["bleu_1"])
    assert rows["constant caption"]["rouge_l"] > rows["shuffled audio"]["rouge_l"] - 0.05
    assert all(r["n"] == 8 for r in rows.values())


def hears(head: str, **p: float) -> dict[str, dict[str, float]]:
    return {head: {name: p.get(name.replace(" ", "_"), 0.0) for name in HEADS[head][0]}}


def test_heads_by_hand() -> None:
    """Micro F1 of two clips: harp right, piano wrong, organ and strings missed: 2 / (2 + 1 + 2)."""
    labels = [{"instrument": ["harp", "organ"]}, {"instrument": ["strings"]}, {"vocals": ["vocals"]}]
    features = [hears("instrument", harp=0.9, piano=0.6), hears("instrument", strings=0.5), {}]
    assert head_accuracy(features, labels) == [
        {"head": "instrument", "measure": "micro F1", "n": 2, "value": pytest.approx(2 / 5)}
    ]
    labels = [{"tempo": [t]} for t in ("slow", "slow", "fast", "moderate")]
    features = [
        hears("tempo", slow=0.6, fast=0.4),
        hears("tempo", fast=0.7),
        hears("tempo", fast=0.5),
        hears("tempo", slow=0.9),
    ]
    (row,) = head_scores(features, labels)
    assert (row["head"], row["labels"], row["n"], row["value"]) == ("tempo", 3, 4, 0.5)
    # slow: 2 of 4 are; scores .6 and 0 against 0 and .9: of four pairs one right, one tied; precision at the true ones 1/2, 2/4.
    # moderate: all scores alike. fast: .5 against .4, .7, 0: two pairs of three, precision 1/2.
    assert row["roc_auc"] == pytest.approx(np.mean([1.5 / 4, 0.5, 2 / 3]))
    assert row["pr_auc"] == pytest.approx(np.mean([0.5, 0.25, 0.5]))
    assert row["base_rate"] == pytest.approx((2 + 1 + 1) / 12)
    assert row["mirex"] is None
    keys = [{"key": ["C major"]}, {"key": ["A minor"]}]
    (row,) = head_scores([hears("key", G_major=0.9), hears("key", A_minor=0.9)], keys)
    assert row["mirex"] == pytest.approx((0.5 + 1) / 2)


def test_what_feature_tokens_may_be_made_of() -> None:
    n = 200
    own = [{"tempo": np.array([0.2, 0.3, 0.5]) + i * 1e-6, "instrument": np.full(21, i / n)} for i in range(n)]
    truth = [{"tempo": np.eye(3)[i % 3], "instrument": np.full(21, np.nan)} for i in range(n)]
    assert switched("own", 1.0, own, truth) is None
    oracle = switched("oracle", 1.0, own, truth)
    assert oracle is not None
    assert np.array_equal(oracle["tempo"], [t["tempo"] for t in truth])
    assert np.array_equal(oracle["instrument"], [o["instrument"] for o in own])  # nobody knows
    shuffled = switched("shuffled", 1.0, own, truth)
    assert shuffled is not None
    order = np.round(shuffled["instrument"][:, 0] * n).astype(int)
    assert sorted(order.tolist()) == list(range(n))
    assert (order == np.arange(n)).mean() < 0.05
    assert np.array_equal(shuffled["tempo"], [own[i]["tempo"] for i in order])  # heads of one clip stay together
    for share in (0.0, 0.3, 1.0):
        noise = switched("noise", share, own, truth)
        assert noise is not None
        changed = ~np.isclose(noise["tempo"], [o["tempo"] for o in own], atol=1e-5).all(axis=1)
        assert changed.mean() == pytest.approx(share, abs=0.1)
        assert np.allclose(noise["tempo"].sum(1), 1, atol=1e-3)
        assert ((noise["instrument"] >= 0) & (noise["instrument"] <= 1)).all()
        assert noise["tempo"].dtype == np.float32
