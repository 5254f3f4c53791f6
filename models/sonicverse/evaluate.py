"""Do captions hear the music? Attributes that a caption names, against the truth, beside shuffled and constant captions.

Word-overlap metrics barely see the audio, so attributes stand first: the share of played instruments that are named,
whether the tempo class is right. Each is compared with the same captions dealt to other clips, and with one constant
caption; intervals are paired bootstrap over clips.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from models.sonicverse.labels import HEADS, INSTRUMENTS, KEYS, TEMPI


def named(caption: str, words: tuple[str, ...]) -> set[str]:
    """Which of `words` a caption names; the longest first, so that "double bass" is not "bass"."""
    low = " ".join("".join(c if c.isalnum() or c == "#" else " " for c in caption.lower()).split())
    low = f" {low} "
    found = set()
    for word in sorted(words, key=len, reverse=True):
        mark = f" {word.lower()} "
        if mark in low:
            found.add(word)
            low = low.replace(mark, "  ")
    return found


def instrument_f1(caption: str, played: list[str]) -> float:
    """F1 of named against played instruments."""
    said, truth = named(caption, INSTRUMENTS), set(played)
    right = len(said & truth)
    return 2 * right / (len(said) + len(truth)) if said or truth else 1.0


def tempo_right(caption: str, tempo: str) -> float:
    """1 where the caption names the right tempo class and no other."""
    return float(named(caption, TEMPI) == {tempo})


def key_right(caption: str, key: str) -> float:
    """1 where the caption names the right key and no other."""
    return float(named(caption, KEYS) == {key})


def evaluate(
    captions: list[str], labels: list[dict[str, list[str]]], seed: int = 0, resamples: int = 2000
) -> list[dict[str, Any]]:
    """Score captions against true labels: one row an attribute, with differences to shuffled and constant captions."""
    rng = np.random.default_rng(seed)
    n = len(captions)
    shift = np.array([(i + int(s)) % n for i, s in enumerate(rng.integers(1, n, size=n))])
    common = sorted(captions, key=lambda c: -captions.count(c))[0]
    rows = []
    for name, score in (("instrument", instrument_f1), ("tempo", tempo_right), ("key", key_right)):

        def truth(i: int, name: str = name) -> Any:
            return labels[i][name] if name == "instrument" else labels[i][name][0]

        own = np.array([score(captions[i], truth(i)) for i in range(n)])
        shuffled = np.array([score(captions[shift[i]], truth(i)) for i in range(n)])
        constants = np.array([[score(c, truth(i)) for i in range(n)] for c in dict.fromkeys([common, *captions[:20]])])
        constant = constants[int(constants.mean(axis=1).argmax())]  # the constant caption that serves best
        row: dict[str, Any] = {"attribute": name, "n": n, "captions": float(own.mean())}
        for other, values in (("shuffled", shuffled), ("constant", constant)):
            draws = rng.integers(n, size=(resamples, n))
            low, high = np.quantile((own - values)[draws].mean(axis=1), [0.025, 0.975])
            row |= {other: float(values.mean()), f"over_{other}_low": float(low), f"over_{other}_high": float(high)}
        rows.append(row)
    return rows


def head_accuracy(
    features: list[dict[str, dict[str, float]]], labels: list[dict[str, list[str]]]
) -> list[dict[str, Any]]:
    """Accuracy of single-label heads, micro-averaged F1 at one half of multi-label heads."""
    rows = []
    for head, (_, several) in HEADS.items():
        if several:
            hits = wrong = missed = 0
            for f, truth in zip(features, labels, strict=True):
                said = {k for k, p in f[head].items() if p > 0.5}
                hits += len(said & set(truth[head]))
                wrong += len(said - set(truth[head]))
                missed += len(set(truth[head]) - said)
            value = 2 * hits / max(1, 2 * hits + wrong + missed)
            rows.append({"head": head, "measure": "micro F1", "n": len(labels), "value": value})
        else:
            right = [max(f[head], key=f[head].__getitem__) == t[head][0] for f, t in zip(features, labels, strict=True)]
            rows.append({"head": head, "measure": "accuracy", "n": len(labels), "value": float(np.mean(right))})
    return rows
