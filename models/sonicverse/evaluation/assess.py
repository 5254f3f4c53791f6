"""One captioner on one corpus with exact labels: heads, attributes in captions, word overlap; with features switched."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from models.errors import ModelError
from models.sonicverse.captioner import Captioner, Description
from models.sonicverse.evaluation.attributes import evaluate, head_scores, text_scores
from models.sonicverse.full.musicbench import Row
from models.sonicverse.nano.labels import HEADS, labels_of, sentence, targets
from models.sonicverse.nano.train import encode_corpus
from models.training import read_corpus

if TYPE_CHECKING:
    from models.sonicverse.evaluation.text_metrics import BertScore

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
        # Where the truth is not known (nobody's gender, no genre) the head keeps its own word.
        return {
            h: np.stack([o[h] if np.isnan(t[h]).any() else t[h] for o, t in zip(own, truth, strict=True)])
            for h in own[0]
        }
    if kind == "shuffled":
        order = rng.permutation(n)
        return {h: np.stack([own[i][h] for i in order]) for h in own[0]}
    out = {}
    for head in own[0]:
        values = np.stack([o[head] for o in own])
        _, several = HEADS[head]
        other = rng.random(values.shape) if several else rng.dirichlet(np.ones(values.shape[1]), n)
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
    bert: BertScore | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Evaluate on a rendered corpus (its rows carry exact attributes).

    Returns
    -------
    dict
        ``attributes`` (captions against shuffled and constant ones, paired bootstrap intervals), ``heads``, ``text``,
        ``layers``: the weights of the encoder's layers in the content path (alpha) and in each head (beta).

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
        "text": text_scores(texts, references, bert=bert),
        "layers": layer_weights(captioner),
    }


def assess_listing(
    captioner: Captioner,
    rows: list[Row],
    read: Callable[[Path, int], np.ndarray],
    progress: Callable[[int, int, str], None] | None = None,
    bert: BertScore | None = None,
) -> dict[str, list[dict[str, Any]]]:
    """Word overlap with people's captions (MusicBench's or MusicCaps' evaluation rows), where no exact attributes are known.

    Parameters
    ----------
    read : callable
        (path, rate in Hz) -> mono float32 audio; its first ten seconds are heard.

    Returns
    -------
    dict
        ``text``: captions beside shuffled audio, a constant caption and other clips' references; ``layers``; ``captions``.
    """
    if len(rows) < 2:
        raise ModelError(
            f"{len(rows)} clips are too few to compare captions with other clips'; at least two are needed"
        )
    clips = (read(row.audio, captioner.rate)[: round(10 * captioner.rate)] for row in rows)
    texts: list[str] = []
    for described in captioner.stream(clips):
        texts.append(described.caption)
        if progress:
            progress(len(texts), len(rows), "captions")
    return {
        "text": text_scores(texts, [list(row.captions) for row in rows], bert=bert),
        "layers": layer_weights(captioner),
        "captions": [{"location": r.location, "caption": c} for r, c in zip(rows, texts, strict=True)],
    }


def layer_weights(captioner: Captioner) -> list[dict[str, Any]]:
    """One row a path and layer, each path's weights summing to one: ``content`` by alpha, each head by its beta."""
    return [
        {"path": path, "layer": layer, "weight": weight}
        for path, weights in captioner.layer_weights().items()
        for layer, weight in weights.items()
    ]


def draw_layers(rows: list[dict[str, Any]], path: Path) -> Path:
    """Draw `layer_weights` as a map of paths and layers (SVG, PNG or PDF by the name's ending)."""
    from matplotlib.figure import Figure

    paths, layers = (list(dict.fromkeys(str(r[k]) for r in rows)) for k in ("path", "layer"))
    grid = np.zeros((len(paths), len(layers)))
    for r in rows:
        grid[paths.index(r["path"]), layers.index(str(r["layer"]))] = r["weight"]
    figure = Figure(figsize=(1.2 + 0.75 * len(layers), 1.1 + 0.36 * len(paths)), layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(grid, cmap="viridis", vmin=0, aspect="auto")
    for i, j in np.ndindex(grid.shape):
        shade = "white" if grid[i, j] < 0.6 * grid.max() else "black"
        axes.text(j, i, f"{grid[i, j]:.2f}", ha="center", va="center", fontsize=8, color=shade)
    axes.set_xticks(range(len(layers)), layers, rotation=20)
    axes.set_yticks(range(len(paths)), paths)
    axes.set_xlabel("layer of the audio encoder")
    axes.set_title("What each path listens to (softmax of alpha, beta)", fontsize=10)
    figure.colorbar(image, ax=axes, label="weight")
    partial = path.with_name(f".{path.stem}.partial{path.suffix}")
    figure.savefig(partial, dpi=150)
    partial.replace(path)
    return path


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
    # A captioner that knows fewer labels of a head has the first of them.
    truth = [{head: v[: len(own[0][head])] for head, v in targets(row).items() if head in own[0]} for row in labels]
    given = switched(features, noise, own, truth)
    out: list[Description] = []
    for start in range(0, n, BATCH):
        part = slice(start, min(start + BATCH, n))
        chosen = None if given is None else {h: v[part] for h, v in given.items()}
        out += captioner.describe_layers({k: v[part] for k, v in encoded.items()}, chosen)
        if progress:
            progress(len(out), n, "captions")
    return out, given
