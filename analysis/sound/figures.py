"""Figures of the sound."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.compared import Conditions
from analysis.page.sentences import span
from analysis.page.style import Drawn, colours, save

if TYPE_CHECKING:
    import pandas as pd


def fad(rows: list[dict[str, Any]], folder: Path, conditions: Conditions, label: str = "people") -> Drawn:
    """Distances per taste, model and embedding, with bootstrap intervals."""
    from matplotlib import pyplot as plt

    rows = [r for r in rows if r["metric"] == "FAD"]
    names = list(dict.fromkeys(r["embedding"] for r in rows))
    colour = colours(conditions, (r["model"] for r in rows))
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3.8), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        part = [r for r in rows if r["embedding"] == name]
        tastes = list(dict.fromkeys(r["taste"] for r in part))
        models = conditions.order(r["model"] for r in part)
        for k, model in enumerate(models):
            mine = [r for r in part if r["model"] == model]
            # Over its own taste: a condition may have clips of some tastes alone.
            x = np.array([tastes.index(r["taste"]) for r in mine]) + (k - (len(models) - 1) / 2) * 0.25
            value = np.array([r["value"] for r in mine])
            low = np.array([r["value"] if r["ci_low"] is None else min(r["ci_low"], r["value"]) for r in mine])
            high = np.array([r["value"] if r["ci_high"] is None else max(r["ci_high"], r["value"]) for r in mine])
            axis.errorbar(
                x,
                value,
                [value - low, high - value],
                fmt="os^Dv"[k % 5],
                color=colour[model],
                capsize=3,
                label=conditions.label(model),
            )
        axis.set_xticks(range(len(tastes)), tastes, rotation=45)
        axis.set(title=name, xlabel="", ylim=(0, None))
    axes[0][0].set_ylabel("FAD (embedding units squared)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    whole, single = ([r["n"] for r in rows if (r["taste"] == "all") is every] for every in (True, False))
    caption = (
        f"Fréchet Audio Distance to {rows[0]['reference']} ({rows[0]['n_reference']} clips); {span(min(whole), max(whole))} clips a "
        f"condition{f', {span(min(single), max(single))} a taste' if single else ''}; bars are 95 % bootstrap intervals over clips. Values compare within an embedding only."
    )
    return save(figure, folder, "fad", "Distance to the reference music", caption, label)


def features(
    frame: pd.DataFrame, units: dict[str, str], folder: Path, conditions: Conditions, label: str = "people"
) -> Drawn:
    """Acoustic features by taste and model."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    names = [n for n in units if n in frame]
    columns = 4
    lines = -(-len(names) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(11, 2.9 * lines), squeeze=False)
    models = conditions.order(frame["model"])
    colour = colours(conditions, models)
    for axis, name in zip(axes.flat, names, strict=False):
        sns.pointplot(
            frame,
            x="taste",
            y=name,
            hue="model",
            hue_order=models,
            palette={m: colour[m] for m in models},
            dodge=0.3 if len(models) > 1 else False,
            linestyle="none",
            errorbar=("ci", 95),
            seed=0,
            ax=axis,
            legend=False,
            markersize=5,
        )
        unit = f" ({units[name]})" if units[name] else ""
        axis.set(xlabel="", ylabel=name.replace("_", " ") + unit)
        axis.tick_params(axis="x", rotation=45)
    for axis in axes.flat[len(names) :]:
        axis.axis("off")
    handles = [plt.Line2D([], [], marker="o", ls="", color=colour[m], label=conditions.label(m)) for m in models]
    figure.legend(handles=handles, loc="outside lower center", ncols=len(models), frameon=False)
    counts = frame.groupby(["taste", "model"]).size()
    count = span(counts.min(), counts.max())
    caption = f"Acoustic features of the clips ({count} per taste and condition); bars are 95 % bootstrap intervals."
    return save(figure, folder, "features", "What the clips sound like", caption, label)


def extrapolation(
    fits: list[dict[str, Any]],
    rows: list[dict[str, Any]],
    folder: Path,
    conditions: Conditions,
    label: str = "people",
) -> Drawn | None:
    """Distance over one by the number of clips, with the line to infinitely many."""
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(r["embedding"] for r in fits))
    if not names:
        return None
    colour = colours(conditions, (r["model"] for r in fits))
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3.4), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        for k, model in enumerate(conditions.order(r["model"] for r in fits)):
            part = [r for r in fits if r["embedding"] == name and r["model"] == model]
            if not part:
                continue
            x, y = 1 / np.array([r["n"] for r in part]), np.array([r["value"] for r in part])
            slope, start = np.polyfit(x, y, 1)
            axis.plot(x, y, "os^Dv"[k % 5], color=colour[model], ms=4, label=conditions.label(model))
            line = np.array([0, x.max()])
            axis.plot(line, start + slope * line, color=colour[model], lw=1.2)
        axis.set(title=name, xlabel="1 / number of clips", xlim=(0, None))
    axes[0][0].set_ylabel("FAD")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    known = [r["r_squared"] for r in rows if r["metric"] == "FAD-infinity"]
    caption = (
        "Fréchet Audio Distance of subsets of the clips; the line's left end is the distance of infinitely many clips "
        f"(R² of the lines {min(known):.2f} to {max(known):.2f})."
    )
    return save(figure, folder, "fad_infinity", "How the distance depends on the number of clips", caption, label)
