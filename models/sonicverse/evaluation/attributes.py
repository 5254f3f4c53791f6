"""Do captions hear the music? Attributes that a caption names, against the truth, beside shuffled and constant captions.

Word-overlap metrics barely see the audio, so attributes stand first: the share of played instruments that are named,
whether the tempo class is right. Each is compared with the same captions dealt to other clips, and with one constant
caption; intervals are paired bootstrap over clips.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from models.sonicverse.nano.labels import FAMILY_OF, HEADS, INSTRUMENTS, KEYS, REGISTERS, SUNG, TEMPI, TONICS

if TYPE_CHECKING:
    from models.sonicverse.evaluation.text_metrics import BertScore


def named(caption: str, words: tuple[str, ...]) -> set[str]:
    """Which of `words` a caption names; the longest first, so that "double bass" is not "bass"."""
    low = " ".join("".join(c if c.isalnum() or c == "#" else " " for c in caption.lower()).split())
    low = f" {low} "
    found = set()
    for word in sorted(words, key=len, reverse=True):
        mark = f" {word.lower()} "
        while mark in low:  # again and again: neighbours share the space between them
            found.add(word)
            low = low.replace(mark, "  ")
    return found


def instrument_f1(caption: str, played: list[str]) -> float:
    """F1 of named against played instruments."""
    said, truth = named(caption, INSTRUMENTS), set(played)
    right = len(said & truth)
    return 2 * right / (len(said) + len(truth)) if said or truth else 1.0


def family_f1(caption: str, played: list[str]) -> float:
    """F1 of the families of named against those of played instruments."""
    said = {FAMILY_OF[i] for i in named(caption, INSTRUMENTS)}
    truth = {FAMILY_OF[i] for i in played}
    return 2 * len(said & truth) / (len(said) + len(truth)) if said or truth else 1.0


def register_right(caption: str, register: str) -> float:
    """1 where the caption names the right register and no other."""
    return float(named(caption, REGISTERS) == {register})


def mirex(estimate: str, truth: str) -> float:
    """MIREX's weighted key score: 1 right, .5 a fifth off in the same mode, .3 relative, .2 parallel, else 0."""

    def parts(key: str) -> tuple[int, str]:
        tonic, mode = key.split()
        return TONICS.index(tonic), mode

    (a, mode_a), (b, mode_b) = parts(estimate), parts(truth)
    apart = (a - b) % 12
    if mode_a == mode_b:
        return 1.0 if apart == 0 else 0.5 if apart == 7 else 0.0
    if apart == 0:
        return 0.2
    relative = 9 if mode_b == "major" else 3  # A minor of C major lies 9 above, C major of A minor 3
    return 0.3 if apart == relative else 0.0


def tempo_right(caption: str, tempo: str) -> float:
    """1 where the caption names the right tempo class and no other."""
    return float(named(caption, TEMPI) == {tempo})


def key_right(caption: str, key: str) -> float:
    """1 where the caption names the right key and no other."""
    return float(named(caption, KEYS) == {key})


def vocals_right(caption: str, truth: str) -> float:
    """1 where the caption says that somebody sings and somebody does, or neither."""
    return float(("singing" in caption.lower().replace(".", " ").replace(",", " ").split()) == (truth == "vocals"))


def gender_right(caption: str, gender: str) -> float:
    """1 where the caption says who sings, rightly."""
    return float(named(caption, tuple(SUNG.values())) == {SUNG[gender]})


def evaluate(
    captions: list[str], labels: list[dict[str, list[str]]], seed: int = 0, resamples: int = 2000
) -> list[dict[str, Any]]:
    """Score captions against true labels: one row an attribute, with differences to shuffled and constant captions."""
    rng = np.random.default_rng(seed)
    common = sorted(captions, key=lambda c: -captions.count(c))[0]
    rows = []
    scores: dict[str, tuple[Callable[[str, Any], float], str]] = {
        "instrument": (instrument_f1, "instrument"), "family": (family_f1, "instrument"), "tempo": (tempo_right, "tempo"),
        "register": (register_right, "register"), "key": (key_right, "key"), "vocals": (vocals_right, "vocals"),
        "gender": (gender_right, "gender"),
    }  # fmt: skip
    for name, (score, head) in scores.items():
        there = [i for i, row in enumerate(labels) if head in row]
        if len(there) < 2 or (head in ("vocals", "gender") and len({labels[i][head][0] for i in there}) < 2):
            continue  # unknown, or one answer alone is in this corpus
        truth = [labels[i][head] if head == "instrument" else labels[i][head][0] for i in there]
        said = [captions[i] for i in there]
        n = len(said)
        shift = np.array([(i + int(s)) % n for i, s in enumerate(rng.integers(1, n, size=n))])
        own = np.array([score(c, t) for c, t in zip(said, truth, strict=True)])
        shuffled = np.array([score(said[k], t) for k, t in zip(shift, truth, strict=True)])
        constants = np.array([[score(c, t) for t in truth] for c in dict.fromkeys([common, *said[:20]])])
        constant = constants[int(constants.mean(axis=1).argmax())]  # the constant caption that serves best
        row: dict[str, Any] = {"attribute": name, "n": n, "captions": float(own.mean())}
        for other, values in (("shuffled", shuffled), ("constant", constant)):
            draws = rng.integers(n, size=(resamples, n))
            low, high = np.quantile((own - values)[draws].mean(axis=1), [0.025, 0.975])
            row |= {other: float(values.mean()), f"over_{other}_low": float(low), f"over_{other}_high": float(high)}
        rows.append(row)
    return rows


def head_scores(
    features: list[dict[str, dict[str, float]]], labels: list[dict[str, list[str]]]
) -> list[dict[str, Any]]:
    """Heads against the truth: areas under precision-recall and ROC curves (mean over labels that occur and do not always),
    F1 at one half or accuracy, expected calibration error in ten bins, MIREX's weighted score for keys."""
    from sklearn.metrics import average_precision_score, roc_auc_score

    rows = []
    base = {r["head"]: r for r in head_accuracy(features, labels)}
    for head, (names, several) in HEADS.items():
        if head not in base:
            continue
        there = [i for i, row in enumerate(labels) if head in row]
        # A label that this captioner was never taught is one that it never says.
        p = np.array([[features[i][head].get(n, 0.0) for n in names] for i in there])
        y = np.array([[n in labels[i][head] for n in names] for i in there], dtype=float)
        told = [k for k in range(len(names)) if 0 < y[:, k].sum() < len(y)]
        row = {
            "head": head, "labels": len(names), "n": len(there), "measure": base[head]["measure"], "value": base[head]["value"],
            "pr_auc": float(np.mean([average_precision_score(y[:, k], p[:, k]) for k in told])) if told else None,
            "roc_auc": float(np.mean([roc_auc_score(y[:, k], p[:, k]) for k in told])) if told else None,
            "base_rate": float(y[:, told].mean()) if told else None, "ece": calibration_error(p, y, several), "mirex": None,
        }  # fmt: skip
        if head == "key":
            said = [names[int(k)] for k in p.argmax(axis=1)]
            row["mirex"] = float(np.mean([mirex(a, labels[i][head][0]) for a, i in zip(said, there, strict=True)]))
        rows.append(row)
    return rows


def calibration_error(p: np.ndarray, y: np.ndarray, several: bool, bins: int = 10) -> float:
    """Expected calibration error: of every label's probability (several) or of the likeliest one's (single)."""
    if several:
        sure, right = p.ravel(), y.ravel()
    else:
        best = p.argmax(axis=1)
        sure, right = p.max(axis=1), y[np.arange(len(y)), best]
    at = np.minimum((sure * bins).astype(int), bins - 1)
    return float(
        sum(
            abs(right[at == b].mean() - sure[at == b].mean()) * (at == b).mean() for b in range(bins) if (at == b).any()
        )
    )


def text_scores(
    captions: list[str], references: list[list[str]], seed: int = 0, bert: BertScore | None = None
) -> list[dict[str, Any]]:
    """Word-overlap metrics of the captions, of these dealt to other clips, of the best of 20 constant captions (by CIDEr),
    and of random human captions (another clip's reference)."""
    from models.sonicverse.evaluation.text_metrics import all_metrics, cider

    rng = np.random.default_rng(seed)
    n = len(captions)
    shift = [(i + int(s)) % n for i, s in enumerate(rng.integers(1, n, size=n))]
    candidates = list(dict.fromkeys(captions))[:20]
    constant = max(candidates, key=lambda c: float(np.mean(cider([c] * n, references))))
    rows = {
        "captions": captions, "shuffled audio": [captions[i] for i in shift], "constant caption": [constant] * n,
        "random references": [references[i][0] for i in shift],
    }  # fmt: skip
    return [{"row": name, "n": n, **all_metrics(texts, references, bert)} for name, texts in rows.items()]


def head_accuracy(
    features: list[dict[str, dict[str, float]]], labels: list[dict[str, list[str]]]
) -> list[dict[str, Any]]:
    """Accuracy of single-label heads, micro-averaged F1 at one half of multi-label heads; clips whose truth is known."""
    rows = []
    everything = list(zip(features, labels, strict=True))
    for head, (_, several) in HEADS.items():
        known = [(f, t) for f, t in everything if head in t and head in f]
        if not known:
            continue
        if several:
            hits = wrong = missed = 0
            for f, truth in known:
                said = {k for k, p in f[head].items() if p > 0.5}
                hits += len(said & set(truth[head]))
                wrong += len(said - set(truth[head]))
                missed += len(set(truth[head]) - said)
            value = 2 * hits / max(1, 2 * hits + wrong + missed)
            rows.append({"head": head, "measure": "micro F1", "n": len(known), "value": value})
        else:
            right = [max(f[head], key=f[head].__getitem__) == t[head][0] for f, t in known]
            rows.append({"head": head, "measure": "accuracy", "n": len(known), "value": float(np.mean(right))})
    return rows
