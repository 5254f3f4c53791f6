"""What captions say: whether they name what prompts asked for, and which of their words go with people's ratings."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.compared import Conditions
from analysis.engines.ranks import rank_sum
from analysis.sound.correspondences import holm

if TYPE_CHECKING:
    import pandas as pd

    from stimuli.manifest import ClipRow

# Words that say nothing about the sound.
DULL = frozenset(
    re.findall(r"\w+", "a an and are as at by for from has in is it its of on or over that the this to with")
)


def words_against_ratings(rows: list[ClipRow], ratings: pd.DataFrame, shown: int = 20) -> list[dict[str, Any]]:
    """Are clips rated otherwise when their caption has a word? Words that part the rated clips, each adjective.

    Mean ratings of a clip are the unit; Mann-Whitney U, Holm over all words and adjectives; the `shown` smallest p.
    """
    captions = {r.clip: set(re.findall(r"[a-z]+", r.caption.lower())) for r in rows if r.caption}
    if ratings.empty or not captions:
        return []
    means = ratings.dropna(subset=["value"]).pivot_table(
        index="clip", columns="adjective", values="value", aggfunc="mean"
    )
    means = means.loc[[c for c in means.index if c in captions]]
    n = len(means)
    if n < 8:
        return []
    smallest = max(4, n // 6)
    words = sorted(set().union(*(captions[c] for c in means.index)) - DULL)
    out = []
    for word in words:
        has = np.array([word in captions[c] for c in means.index])
        if min(has.sum(), n - has.sum()) < smallest:
            continue
        for adjective in means.columns:
            x, y = means[adjective].to_numpy(float)[has], means[adjective].to_numpy(float)[~has]
            if np.isnan(x).any() or np.isnan(y).any() or np.ptp(np.concatenate([x, y])) == 0:
                continue
            u, p, biserial = rank_sum(x, y)
            out.append(
                {
                    "word": word, "adjective": str(adjective), "n_with": len(x), "n_without": len(y), "mean_with": float(x.mean()),
                    "mean_without": float(y.mean()), "U": u, "p": p, "p_adjusted": None,
                    "rank_biserial": biserial, "status": "exploratory",
                }
            )  # fmt: skip
    if not out:
        return []
    return sorted(holm(out), key=lambda r: r["p"])[:shown]


def caption_check(
    rows: list[ClipRow], asked: dict[str, dict[str, list[str]]], conditions: Conditions = Conditions()
) -> list[dict[str, Any]]:
    """Share of captions per taste and model that say what the prompt asked for, blind to it.

    Parameters
    ----------
    asked : dict
        taste -> attribute -> words of which one must stand in the caption.
    """
    out = []
    captioned = [r for r in rows if r.caption]
    for model in conditions.order(r.model for r in captioned):
        for taste in sorted({r.taste for r in captioned}):
            for attribute, words in asked.get(taste, {}).items():
                # Of wrong-prompt conditions the prompt counts, not the taste that a clip stands for.
                mine = [r for r in captioned if r.model == model and (r.prompt_of or r.taste) == taste]
                others = [r for r in captioned if r.model == model and (r.prompt_of or r.taste) != taste]
                if not mine or not words:
                    continue
                said = [_says(str(r.caption), words) for r in mine]
                elsewhere = [_says(str(r.caption), words) for r in others]
                out.append(
                    {
                        "model": model,
                        "taste": taste,
                        "attribute": attribute,
                        "words": " | ".join(words),
                        "n": len(said),
                        "share": float(np.mean(said)),
                        "share_other_tastes": float(np.mean(elsewhere)) if elsewhere else None,
                    }
                )
    return out


def _says(caption: str, words: list[str]) -> bool:
    low = f" {caption.lower().replace(',', ' ').replace('.', ' ')} "
    return any(f" {w.lower()} " in low for w in words)
