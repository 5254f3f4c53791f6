"""For simulated sessions: do the analyses recover what the bots were told?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.frames import StudyData

if TYPE_CHECKING:
    from experiment.bots.effects import Effects


def analyse(data: StudyData, effects: Effects) -> dict[str, list[dict[str, Any]]]:
    """Declared beside recovered: ``preference`` (mean score per taste with t-interval) and ``ratings`` (agreement)."""
    from scipy import stats

    rows = []
    compared = data.preference.groupby(["taste", "over", "under"], sort=True)
    several = len({*zip(data.preference["over"], data.preference["under"], strict=True)}) > 1
    for (taste, over, under), part in compared:
        means = part.groupby("participant")["score"].mean().to_numpy(float)
        declared = effects.preference.score(str(taste), over, under, *data.ends)
        half = float(stats.t.ppf(0.975, len(means) - 1) * stats.sem(means)) if len(means) > 1 else float("nan")
        mean = float(means.mean())
        rows.append(
            {
                "taste": str(taste),
                **({"pair": f"{over} over {under}"} if several else {}),
                "n": len(means),
                "declared": declared,
                "recovered": mean,
                "ci_low": mean - half,
                "ci_high": mean + half,
                "direction_kept": bool(np.sign(mean - data.middle) == np.sign(declared - data.middle)),
            }
        )
    pairs = []
    for (prompt, adjective), part in data.ratings.groupby(["prompt", "adjective"]):
        declared_mean = effects.ratings.mean.get(str(prompt), {}).get(str(adjective))
        if declared_mean is not None:
            pairs.append((declared_mean, float(part["value"].mean())))
    ratings = []
    if len(pairs) > 2:
        told, found = np.array(pairs).T
        r = float(np.corrcoef(told, found)[0, 1])
        ratings.append(
            {
                "cells": len(pairs),
                "r": r,
                "mean_difference": float((found - told).mean()),
                "largest_difference": float(np.abs(found - told).max()),
            }
        )
    return {"preference": rows, "ratings": ratings}
