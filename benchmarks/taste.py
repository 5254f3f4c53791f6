"""Do generated clips carry the taste that was asked for? A manipulation check by a classifier, not evidence of taste.

The classifier sees the fine-tuning set's audio alone (frozen MusiCNN embeddings, logistic regression on the strongest
rated taste) and is checked on held-out tracks. Prompts say only the taste word, or are the study's full prompts.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nano import RATE, SECONDS, generated, mean_interval, read, taste_set

TASTES = ("sweet", "sour", "salty", "bitter")
UNSEEN = ("umami", "metallic", "astringent", "spicy")
ABLATIONS = ("nano-taste", "nano-taste-paper", "nano-taste-wordless", "nano-taste-salty")
CLIPS = 50
CALIPER = 0.5  # standard deviations within which two clips are alike in pitch height and brightness
TRAINED = Path(__file__).resolve().parent.parent / "outputs" / "training"


def embedding(audio: np.ndarray) -> np.ndarray:
    """Mean and spread over time of MusiCNN's 200 values."""
    from analysis.sound.distances import level
    from models.embeddings.musicnn import embed

    frames = embed(level(audio))
    return np.concatenate([frames.mean(axis=0), frames.std(axis=0)])


def classifier() -> tuple[Any, dict[str, Any]]:
    """The classifier and its accuracy on held-out tracks."""
    from sklearn.linear_model import LogisticRegressionCV
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    sets = {split: taste_set(split) for split in ("train", "test")}
    x = {split: np.stack([embedding(read(r)) for r in rows]) for split, rows in sets.items()}
    y = {split: np.array([max(TASTES, key=r["ratings"].__getitem__) for r in rows]) for split, rows in sets.items()}
    model = make_pipeline(StandardScaler(), LogisticRegressionCV(Cs=8, cv=5, max_iter=4000, random_state=0))
    model.fit(x["train"], y["train"])
    right = model.predict(x["test"]) == y["test"]
    low, high = mean_interval(right)
    held_out = {"n": len(right), "accuracy": float(right.mean()), "ci_low": low, "ci_high": high}
    return model, {"train_n": len(y["train"]), "held_out": held_out}


def prompts(kind: str) -> dict[str, str]:
    """Prompts of each taste: ``"word"`` says the taste and nothing else, ``"full"`` is the study's."""
    from stimuli.config import render_prompt
    from tastelab.study import load_study

    if kind == "word":
        return {t: f"{t.capitalize()} background music." for t in TASTES}
    config = load_study(Path(__file__).resolve().parent.parent / "study.toml").stimuli
    return {t: render_prompt(config.taste(t), config.setting) for t in TASTES}


def checkpoint(name: str) -> str:
    """A shipped model's name, or the directory of one that was only trained for the ablations."""
    return str(TRAINED / name) if (TRAINED / name).is_dir() else name


def pitch_and_brightness(clip: np.ndarray) -> np.ndarray:
    """Pitch height (MIDI) and log2 of the spectral centroid (Hz) of a mono clip."""
    from stimuli.features import acoustic_features

    found = acoustic_features(clip, RATE)
    return np.array([found["pitch_height"], np.log2(found["centroid"])])


def matched(own: np.ndarray, theirs: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of rows that are alike within `CALIPER` (standard deviations of both together) in every column, the nearest first."""
    scale = np.concatenate([own, theirs]).std(axis=0)
    apart = np.abs(own[:, None] - theirs[None]) / np.where(scale > 0, scale, 1)
    distance = np.where((apart <= CALIPER).all(axis=2), (apart**2).sum(axis=2), np.inf)
    pairs = []
    while np.isfinite(distance).any():
        i, j = (int(x) for x in np.unravel_index(distance.argmin(), distance.shape))
        pairs.append((i, j))
        distance[i], distance[:, j] = np.inf, np.inf
    return pairs


def taste() -> dict[str, Any]:
    """Share of clips that the classifier hears as the asked taste: base, fine-tuned, ablations; paired differences.

    Ablated models (``tastelab models finetune --without-taste-words``, ``--enrich salty``, ``--preset paper``) are
    looked for in outputs/training and left out where they are not.
    """
    from models.errors import ModelError

    judge, out = classifier()
    right: dict[tuple[str, str], np.ndarray] = {}
    height: dict[tuple[str, str], np.ndarray] = {}
    for name in ("nano-base", *ABLATIONS):
        for kind in ("word", "full"):
            hits, where = [], []
            for k, (wanted, text) in enumerate(prompts(kind).items()):
                seeds = list(range(9000 + 100 * k, 9000 + 100 * k + CLIPS))
                try:
                    clips = generated(checkpoint(name), [text] * CLIPS, 10.0, seeds)
                except ModelError:
                    break
                heard = judge.predict(np.stack([embedding(c) for c in clips]))
                hits.append(heard == wanted)
                where.append(np.stack([pitch_and_brightness(c) for c in clips]))
            if len(hits) < len(TASTES):
                continue
            right[name, kind], height[name, kind] = np.stack(hits), np.stack(where)
            low, high = mean_interval(right[name, kind])
            out[f"{name}: {kind}"] = {
                "accuracy": float(np.mean(hits)), "ci_low": low, "ci_high": high,
                **{t: float(h.mean()) for t, h in zip(TASTES, hits, strict=True)},
            }  # fmt: skip
    for (name, kind), hits in right.items():
        if name == "nano-base":
            continue
        difference = hits.astype(float) - right["nano-base", kind]
        low, high = mean_interval(difference)
        out[f"{name} minus nano-base: {kind}"] = {
            "points": 100 * float(difference.mean()),
            "ci_low": 100 * low,
            "ci_high": 100 * high,
        }
        pairs = np.concatenate(
            [
                np.array([[hits[t, i], right["nano-base", kind][t, j]] for i, j in matched(own, theirs)]).reshape(-1, 2)
                for t, (own, theirs) in enumerate(zip(height[name, kind], height["nano-base", kind], strict=True))
            ]
        ).astype(float)
        if len(pairs) > 1:
            low, high = mean_interval(pairs[:, 0] - pairs[:, 1])
            out[f"{name} minus nano-base, matched on pitch height and centroid: {kind}"] = {
                "pairs": len(pairs),
                "points": 100 * float((pairs[:, 0] - pairs[:, 1]).mean()),
                "ci_low": 100 * low,
                "ci_high": 100 * high,
            }
    out["clips per taste, prompt and model"] = CLIPS
    return out


def distance() -> dict[str, Any]:
    """FAD to the taste set (its 100 tracks and 60 held-out ones), per taste and over all, fine-tuned beside base."""
    from analysis.sound.distances import level
    from analysis.sound.fad import bootstrap, frechet_distance, moments
    from models.embeddings.musicnn import embed as embed_musicnn
    from models.embeddings.yamnet import embed as embed_yamnet

    rows = taste_set("test") + taste_set("train")
    out: dict[str, Any] = {}
    for space, embed in (("musicnn", embed_musicnn), ("yamnet", embed_yamnet)):
        reference = {t: [] for t in TASTES}  # type: dict[str, list[np.ndarray]]
        for r in rows:
            reference[max(TASTES, key=r["ratings"].__getitem__)].append(embed(level(read(r))))
        found: dict[tuple[str, str], list[np.ndarray]] = {}
        for name in ("nano-base", "nano-taste"):
            for k, (wanted, text) in enumerate(prompts("full").items()):
                seeds = list(range(9000 + 100 * k, 9000 + 100 * k + CLIPS))
                found[name, wanted] = [
                    embed(level(c)) for c in generated(checkpoint(name), [text] * CLIPS, 10.0, seeds)
                ]
        for wanted in (*TASTES, "all"):
            own = [wanted] if wanted != "all" else list(TASTES)
            against = np.concatenate([v for t in own for v in reference[t]])
            values = {}
            for name in ("nano-base", "nano-taste"):
                clips = [v for t in own for v in found[name, t]]
                value = frechet_distance(np.concatenate(clips), against)
                low, high = bootstrap(clips, moments(against), 40, np.random.default_rng(0))
                values[name] = {"fad": value, "ci_low": low, "ci_high": high, "n": len(clips)}
            out[f"{space}: {wanted}"] = values
    return out


def unseen() -> dict[str, Any]:
    """Tastes that no caption names: which known taste the classifier hears, and what the clips are like."""
    from stimuli.features import acoustic_features

    judge, _ = classifier()
    out: dict[str, Any] = {"clips": 24, "seconds": SECONDS}
    for word in (*UNSEEN, *TASTES):
        clips = generated(
            checkpoint("nano-taste"), [f"{word.capitalize()} background music."] * 24, 10.0, list(range(8000, 8024))
        )
        heard = judge.predict(np.stack([embedding(c) for c in clips]))
        features = [acoustic_features(c, RATE) for c in clips]
        out[word] = {
            "heard": {t: float((heard == t).mean()) for t in TASTES},
            **{
                f: float(np.mean([x[f] for x in features]))
                for f in ("onset_rate", "pitch_height", "centroid", "roughness")
            },
        }
    return out
