"""One captioner on one corpus with exact labels: heads, attributes in captions, word overlap; with features switched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError
from models.sonicverse.captioner import Captioner, Description
from models.sonicverse.evaluate import evaluate, head_scores, text_scores
from models.sonicverse.labels import HEADS, labels_of, sentence, targets
from models.sonicverse.train import encode_corpus
from models.training import read_corpus

FEATURES = ("own", "oracle", "shuffled", "noise")
BATCH = 16


def switched(
    kind: str, noise: float, own: list[dict[str, np.ndarray]], truth: list[dict[str, np.ndarray]], seed: int = 0
) -> dict[str, np.ndarray] | None:
    """What feature tokens are made of: None (the heads' own), the truth, another clip's, or random for a share of clips.

    Noise: with probability `noise`, each clip's and head's values are replaced by random ones of the same kind.
    """
    if kind == "own":
        return None
    rng = np.random.default_rng(seed)
    n = len(own)
    if kind == "oracle":
        return {h: np.stack([t[h] for t in truth]) for h in HEADS}
    if kind == "shuffled":
        order = rng.permutation(n)
        return {h: np.stack([own[i][h] for i in order]) for h in HEADS}
    out = {}
    for head, (names, several) in HEADS.items():
        values = np.stack([o[head] for o in own])
        other = rng.random(values.shape) if several else rng.dirichlet(np.ones(len(names)), n)
        hit = rng.random(n) < noise
        out[head] = np.where(hit[:, None], other, values).astype(np.float32)
    return out


def assess(
    captioner: Captioner,
    corpus: Path,
    most: int | None = None,
    features: str = "own",
    noise: float = 1.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Evaluate on a rendered corpus (its rows carry exact attributes).

    Returns
    -------
    dict
        ``attributes`` (captions against shuffled and constant ones, paired bootstrap intervals), ``heads``, ``text``.

    Raises
    ------
    ModelError
        If the corpus has no labels, or the switch is not known.
    """
    if features not in FEATURES:
        raise ModelError(f"features {features!r} are not known; there are: {', '.join(FEATURES)}")
    clips = read_corpus(corpus)
    if not clips or "attributes" not in clips[0].row:
        raise ModelError(f"{corpus} carries no exact attributes; make one with 'tastelab stimuli dataset build base'")
    encoded = encode_corpus(
        clips,
        corpus / "sonicverse.safetensors",
        lambda i, total, _: progress(i, total, "encoding") if progress else None,
    )
    n = min(len(clips), most or len(clips))
    labels = [labels_of(c.row) for c in clips[:n]]
    described, _ = captions_of(captioner, {k: v[:n] for k, v in encoded.items()}, labels, features, noise, progress)
    rng = np.random.default_rng(0)
    references = [[sentence(row, rng) for _ in range(3)] for row in labels]
    texts = [d.caption for d in described]
    return {
        "attributes": evaluate(texts, labels),
        "heads": head_scores([d.features for d in described], labels),
        "text": text_scores(texts, references),
    }


def captions_of(
    captioner: Captioner,
    encoded: dict[str, np.ndarray],
    labels: list[dict[str, list[str]]],
    features: str = "own",
    noise: float = 1.0,
    progress: Callable[[int, int, str], None] | None = None,
) -> tuple[list[Description], dict[str, np.ndarray] | None]:
    """Descriptions of encoded clips with the features that are asked for, and these features."""
    n = len(labels)
    own = captioner.hear([{k: v[i] for k, v in encoded.items()} for i in range(n)])
    given = switched(features, noise, own, [targets(row) for row in labels])
    out: list[Description] = []
    for start in range(0, n, BATCH):
        part = slice(start, min(start + BATCH, n))
        chosen = None if given is None else {h: v[part] for h, v in given.items()}
        out += captioner.describe_layers({k: v[part] for k, v in encoded.items()}, chosen)
        if progress:
            progress(len(out), n, "captions")
    return out, given
