"""For simulated sessions: do the analyses recover what the bots were told?"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.frames import StudyData

if TYPE_CHECKING:
    import pandas as pd

    from experiment.bots.effects import Effects, RatingEffects


def analyse(data: StudyData, effects: Effects) -> dict[str, list[dict[str, Any]]]:
    """Declared beside recovered: ``preference`` (mean score per taste with t-interval), ``identification`` (share of hits per
    condition and taste, likewise) and ``ratings`` (agreement over prompts and adjectives, of each condition where it has means of its own)."""
    rows = []
    compared = data.preference.groupby(["taste", "over", "under"], sort=True)
    several = len({*zip(data.preference["over"], data.preference["under"], strict=True)}) > 1
    for (taste, over, under), part in compared:
        declared = effects.preference.score(str(taste), over, under, *data.ends)
        found = _over_people(part["participant"], part["score"])
        towards = np.sign(declared - data.middle)
        kept = (
            bool(np.sign(found["recovered"] - data.middle) == towards) if towards else None
        )  # neutral has no direction
        which = {"taste": str(taste), **({"pair": f"{over} over {under}"} if several else {})}
        rows.append({**which, "n": found.pop("n"), "declared": declared, **found, "direction_kept": kept})
    named = []
    for (condition, asked), part in data.identification.groupby(["condition", "asked"], sort=True):
        share = effects.identification.share(str(condition), str(asked))
        if share is not None:
            found = _over_people(part["participant"], part["answered"] == part["asked"])
            which = {"condition": str(condition), "taste": str(asked)}
            named.append({**which, "n": found.pop("n"), "declared": share, **found})
    pairs, ratings = _rated(data, effects.ratings), []
    if len(pairs) > 2:
        told, answered = np.array(pairs).T
        r = float(np.corrcoef(told, answered)[0, 1])
        ratings.append(
            {
                "cells": len(pairs),
                "r": r,
                "mean_difference": float((answered - told).mean()),
                "largest_difference": float(np.abs(answered - told).max()),
            }
        )
    return {"preference": rows, "identification": named, "ratings": ratings}


def undeclared(data: StudyData, effects: Effects) -> list[str]:
    """What these people were told nothing of, and what they did then, in sentences."""
    order, told = data.conditions.order, []
    for where, heard, known in (
        ("comparisons", {*data.preference["over"], *data.preference["under"]}, effects.preference.mean),
        ("naming", {*data.identification["condition"]}, effects.identification.hits),
    ):
        if names := [str(c) for c in order(heard) if c not in known]:
            told.append(f"Nothing was declared of {', '.join(names)} in {where}: neutral there.")
    items = set(data.ratings["adjective"])
    cells = data.ratings[["model", "prompt"]].drop_duplicates().itertuples(index=False)
    raised = sorted({str(c.prompt) for c in cells if effects.ratings.raised(str(c.model), str(c.prompt), items)})
    if raised:
        told.append(
            f"No ratings were declared of {', '.join(raised)}: of their clips the own word was rated at half the scale and any other "
            "at a quarter, which is not neutral, and the analyses may find it."
        )
    return told


def _rated(data: StudyData, told: RatingEffects) -> list[tuple[float, float]]:
    """Declared and found mean of each adjective and prompt, and of each condition where a condition has means of its own."""
    by = [*(["model"] if told.conditions else []), "prompt", "adjective"]
    low, high = data.planned.scale or (told.low, told.high)
    pairs = []
    for (*of, prompt, adjective), part in data.ratings.groupby(by):
        condition = str(of[0]) if of else ""
        own = told.conditions.get(condition, {}).get(str(prompt), {}), told.mean.get(str(prompt), {})
        if any(str(adjective) in means for means in own):
            declared = told.rating(condition, str(prompt), str(adjective), low, high)
            pairs.append((declared, float(part["value"].mean())))
    return pairs


def _over_people(people: pd.Series, values: pd.Series) -> dict[str, Any]:
    """The mean of people's means, with its t-interval; one person has none."""
    from scipy import stats

    means = values.astype(float).groupby(people).mean().to_numpy(float)
    half = float(stats.t.ppf(0.975, len(means) - 1) * stats.sem(means)) if len(means) > 1 else float("nan")
    mean = float(means.mean())
    return {"n": len(means), "recovered": mean, "ci_low": mean - half, "ci_high": mean + half}
