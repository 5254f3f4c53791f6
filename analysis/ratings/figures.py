"""Figures of task 2."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.frames import StudyData, rated_clips
from analysis.page.style import BLUE, ORANGE, Drawn, save, signed_map

if TYPE_CHECKING:
    import pandas as pd


def rated_conditions(data: StudyData, ratings: pd.DataFrame) -> list[str]:
    """Whose music is in these ratings, as conditions are called, in the study's order."""
    return [data.conditions.label(name) for name in data.conditions.order(ratings["model"])]


def heat_map(data: StudyData, folder: Path) -> Drawn:
    """Mean rating per prompt and adjective."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    frame = data.ratings
    order = list(dict.fromkeys(sorted(frame["adjective"])))
    table = frame.pivot_table(index="prompt", columns="adjective", values="value", aggfunc="mean")[order]
    figure, axis = plt.subplots(figsize=(8.6, 1.4 + 0.45 * len(table)))
    sns.heatmap(
        table,
        annot=True,
        fmt=".2f",
        cmap="cividis",
        ax=axis,
        cbar_kws={"label": "Mean rating (scale steps)"},
        annot_kws={"size": 8},
    )
    axis.set(xlabel="Adjective", ylabel=_rows_are(data))
    axis.tick_params(axis="y", rotation=0)
    axis.tick_params(axis="x", rotation=45)
    heard = rated_conditions(data, frame)
    together = f", {' and '.join(heard)} taken together" if len(heard) > 1 else ""
    caption = (
        f"Mean ratings; {frame.groupby(['participant', 'trial']).ngroups} rated clips of "
        f"{frame['participant'].nunique()} participants{together}."
    )
    return save(figure, folder, "heatmap", "What the music calls up", caption, data.label)


def _rows_are(data: StudyData) -> str:
    """What the rows of the heat map are: prompts' tastes, those that music stands for otherwise, tracks without a taste."""
    tracks = (
        data.ratings["prompt"] == data.ratings["clip"]
    )  # of no taste: a track is a prompt of its own (analysis.data.frames)
    if tracks.all():
        return "Track"
    known = {*data.conditions.tracks, *data.conditions.wrong}
    taste = "Taste of the music" if known & set(data.ratings.loc[~tracks, "model"]) else "Taste of the prompt"
    return f"{taste}, or track" if tracks.any() else taste


def correlation(data: StudyData, folder: Path) -> Drawn:
    """Correlation triangle of the adjectives."""
    from matplotlib import pyplot as plt

    wide = rated_clips(data.ratings)
    r = wide.corr()
    figure, axis = plt.subplots(figsize=(7, 5.6))
    mask = np.triu(np.ones_like(r, dtype=bool))
    signed_map(r, axis, "Pearson r", mask)
    axis.grid(False)
    axis.set(xlabel="", ylabel="")
    caption = f"Pearson correlations between adjectives over {len(wide)} completely rated clips."
    return save(figure, folder, "correlations", "Correlations of the adjectives", caption, data.label)


def mediation(rows: list[dict[str, Any]], n: int, folder: Path, label: str) -> Drawn:
    """Indirect effects of the prompt on its taste's word, by mediator, with intervals."""
    from matplotlib import pyplot as plt

    rows = [r for r in rows if r["music"] == "prompt"]
    tastes = list(dict.fromkeys(r["taste"] for r in rows))
    names = list(dict.fromkeys(r["mediator"] for r in rows))
    figure, axes = plt.subplots(
        1, len(tastes), figsize=(2.5 * len(tastes), 2.9), sharex=True, sharey=True, squeeze=False
    )
    labels = ["total", *names, "direct"]
    for axis, taste in zip(axes[0], tastes, strict=True):
        part = {r["mediator"]: r for r in rows if r["taste"] == taste}
        one = next(iter(part.values()))
        value = [one["total"], *(part[m]["indirect"] for m in names), one["direct"]]
        low = [one["total_low"], *(part[m]["ci_low"] for m in names), one["direct_low"]]
        high = [one["total_high"], *(part[m]["ci_high"] for m in names), one["direct_high"]]
        at = np.arange(len(labels))[::-1]
        colours = ["#1f2a33", *[BLUE] * len(names), "#68737C"]
        for y, v, a, b, c in zip(at, value, low, high, colours, strict=True):
            axis.errorbar(v, y, xerr=[[max(v - a, 0)], [max(b - v, 0)]], fmt="o", color=c, ms=5, capsize=2)
        axis.axvline(0, color=ORANGE, lw=1)
        axis.set(title=taste, xlabel="Scale steps")
        axis.set_yticks(at, ["total", *(f"via {m}" for m in names), "direct"])
        axis.tick_params(axis="x", rotation=0)
    caption = (
        f"How much a prompt's taste lifts the rating of its word: in all, by way of each feeling, and directly; within people, "
        f"95 % bootstrap intervals over participants (n = {n} rated clips). A pattern of covariance, no proof of cause."
    )
    return save(figure, folder, "mediation", "From music to taste by way of feeling", caption, label)
