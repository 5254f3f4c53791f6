"""What the clips sound like: acoustic features by taste and model, tested against each other and against what was published."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.compared import Conditions
from analysis.engines.ranks import rank_sum
from analysis.engines.tails import adjust

if TYPE_CHECKING:
    import pandas as pd

    from stimuli.manifest import ClipRow


def feature_frame(rows: list[ClipRow]) -> pd.DataFrame:
    """One row a clip: taste, model, number, and the acoustic features that were measured."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"clip": r.clip, "taste": r.prompt_of or r.taste, "model": r.model, "number": r.number, **r.features}
            for r in rows
            if r.features
        ]
    )


def holm(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with `p_adjusted` after Holm over all of them."""
    for row, p in zip(rows, adjust(np.array([r["p"] for r in rows]), "holm"), strict=True):
        row["p_adjusted"] = float(p)
    return rows


def feature_tests(frame: pd.DataFrame, names: list[str], conditions: Conditions = Conditions()) -> list[dict[str, Any]]:
    """Mann-Whitney tests between tastes per model, Holm-corrected within a feature and model."""
    out = []
    for model in conditions.order(frame["model"]):
        for name in names:
            rows = []
            for a, b in combinations(sorted(frame["taste"].unique()), 2):
                x = frame[(frame["taste"] == a) & (frame["model"] == model)][name].to_numpy(float)
                y = frame[(frame["taste"] == b) & (frame["model"] == model)][name].to_numpy(float)
                if len(x) < 3 or len(y) < 3:
                    continue
                u, p, biserial = rank_sum(x, y)
                rows.append(
                    {
                        "model": model,
                        "feature": name,
                        "taste1": a,
                        "taste2": b,
                        "n1": len(x),
                        "n2": len(y),
                        "mean1": float(x.mean()),
                        "mean2": float(y.mean()),
                        "U": u,
                        "p": p,
                        "rank_biserial": biserial,
                    }
                )
            if rows:
                out += holm(rows)
    return out


# Published correspondences that a clip's sound can show: feature, the taste that has more of it, the one that has less.
CORRESPONDENCES = (
    ("pitch_height", "sweet", "bitter", "Crisinel & Spence 2010; Knoeferle et al. 2015"),
    ("pitch_height", "sour", "bitter", "Crisinel & Spence 2010; Knoeferle et al. 2015"),
    ("roughness", "sour", "sweet", "Mesz et al. 2011; Knoeferle et al. 2015"),
    ("roughness", "bitter", "sweet", "Knoeferle et al. 2015"),
    ("centroid", "sour", "bitter", "Knoeferle et al. 2015"),
    ("gaps", "salty", "sweet", "Mesz et al. 2011 (staccato against legato)"),
    ("gaps", "salty", "bitter", "Mesz et al. 2011 (staccato against legato)"),
    ("mode", "sweet", "bitter", "Wang et al. 2015 (major against minor)"),
)


def correspondences(frame: pd.DataFrame, conditions: Conditions = Conditions()) -> list[dict[str, Any]]:
    """Do the clips have what was published of their tastes? One-sided Mann-Whitney tests, Holm within a model."""
    out: list[dict[str, Any]] = []
    for model in conditions.order(frame["model"]):
        rows: list[dict[str, Any]] = []
        for feature, more, less, source in CORRESPONDENCES:
            if feature not in frame:
                continue
            sides = [
                frame[(frame["taste"] == t) & (frame["model"] == model)][feature].dropna().to_numpy(float)
                for t in (more, less)
            ]
            if min(len(s) for s in sides) < 3:
                continue
            u, p, biserial = rank_sum(sides[0], sides[1], "greater")
            rows.append(
                {
                    "model": model, "feature": feature, "higher": more, "lower": less, "n1": len(sides[0]), "n2": len(sides[1]),
                    "difference": float(np.mean(sides[0]) - np.mean(sides[1])), "U": u,
                    "p": p, "p_adjusted": None, "rank_biserial": biserial, "source": source,
                }
            )  # fmt: skip
        if rows:
            out += holm(rows)
    return out
