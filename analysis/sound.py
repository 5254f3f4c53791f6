"""What the clips sound like: features by taste and model with tests, and whether captions say what prompts asked for."""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from stimuli.manifest import ClipRow


def feature_frame(rows: list[ClipRow]) -> pd.DataFrame:
    """One row a clip: taste, model, number, and the acoustic features that were measured."""
    import pandas as pd

    return pd.DataFrame(
        [
            {"clip": r.clip, "taste": r.taste, "model": r.model, "number": r.number, **r.features}
            for r in rows
            if r.features
        ]
    )


def feature_tests(frame: pd.DataFrame, names: list[str]) -> list[dict[str, Any]]:
    """Mann-Whitney tests between tastes per model (pingouin.mwu), Holm-corrected within a feature and model."""
    import pingouin

    out = []
    for model in sorted(frame["model"].unique()):
        for name in names:
            rows = []
            for a, b in combinations(sorted(frame["taste"].unique()), 2):
                x = frame[(frame["taste"] == a) & (frame["model"] == model)][name].to_numpy(float)
                y = frame[(frame["taste"] == b) & (frame["model"] == model)][name].to_numpy(float)
                if len(x) < 3 or len(y) < 3:
                    continue
                found = pingouin.mwu(x, y).iloc[0]
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
                        "U": float(found["U_val"]),
                        "p": float(found["p_val"]),
                        "rank_biserial": float(found["RBC"]),
                    }
                )
            if rows:
                adjusted = pingouin.multicomp([r["p"] for r in rows], method="holm")[1]
                for row, p in zip(rows, adjusted, strict=True):
                    row["p_adjusted"] = float(p)
                out += rows
    return out


def caption_check(rows: list[ClipRow], asked: dict[str, dict[str, list[str]]]) -> list[dict[str, Any]]:
    """Share of captions per taste and model that say what the prompt asked for, blind to it.

    Parameters
    ----------
    asked : dict
        taste -> attribute -> words of which one must stand in the caption.
    """
    out = []
    captioned = [r for r in rows if r.caption]
    for model in sorted({r.model for r in captioned}):
        for taste in sorted({r.taste for r in captioned}):
            for attribute, words in asked.get(taste, {}).items():
                mine = [r for r in captioned if r.model == model and r.taste == taste]
                others = [r for r in captioned if r.model == model and r.taste != taste]
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
