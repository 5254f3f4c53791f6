"""The figures of a report: one style, colour-blind safe, units and n on every one; SVG and PNG files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.frames import StudyData, rated_clips

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#68737C"
MODELS = {"base": GREY, "finetuned": BLUE, "given": GREEN}
NAMES = {"base": "base", "finetuned": "fine-tuned", "given": "given"}


@dataclass(frozen=True)
class Drawn:
    """A figure that was written: its name, title, caption, and SVG file."""

    name: str
    title: str
    caption: str
    svg: Path


def style() -> None:
    """Set the one style, without a screen."""
    import matplotlib as mpl

    mpl.use("Agg")
    import seaborn as sns

    sns.set_theme(
        context="notebook",
        style="whitegrid",
        font_scale=0.95,
        rc={
            "svg.hashsalt": "tastelab",
            "svg.fonttype": "path",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.titlesize": 12,
            "axes.titleweight": "bold",
            "figure.constrained_layout.use": True,
            "grid.alpha": 0.5,
            "font.family": "DejaVu Sans",
        },
    )


def save(figure: Figure, folder: Path, name: str, title: str, caption: str, label: str) -> Drawn:
    """Write SVG and PNG; simulated or driven data is marked across the figure."""
    from matplotlib import pyplot as plt

    if label not in ("people", "imported"):
        # A title of the whole figure has room of its own: the mark covers nothing.
        figure.suptitle(label, x=0.99, ha="right", color=ORANGE, weight="bold", fontsize=9)
    folder.mkdir(parents=True, exist_ok=True)
    svg = folder / f"{name}.svg"
    figure.savefig(svg, metadata={"Date": None})
    figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None})
    plt.close(figure)
    return Drawn(name, title, caption, svg)


def preference(data: StudyData, folder: Path) -> Drawn:
    """Scores per taste: violins, points of participants, the middle as a line."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    frame = data.preference
    order = sorted(frame["taste"].unique())
    figure, axis = plt.subplots(figsize=(7.2, 4))
    sns.violinplot(
        frame, x="taste", y="score", order=order, inner="quart", color="#BCD6E6", cut=0, ax=axis, linewidth=1
    )
    sns.stripplot(frame, x="taste", y="score", order=order, color=BLUE, size=2.5, alpha=0.35, jitter=0.18, ax=axis)
    axis.axhline(data.middle, color=ORANGE, lw=1.5)
    counts = frame["taste"].value_counts()
    axis.set_xticks(range(len(order)), [f"{t}\nn = {counts[t]}" for t in order])
    axis.set(xlabel="Taste", ylabel="Score (0 base, 5 neither, 10 fine-tuned)")
    caption = (
        f"Preference scores of {frame['participant'].nunique()} participants ({len(frame)} answers). Lines in the "
        "violins are quartiles; the orange line is no preference."
    )
    return save(figure, folder, "preference", "Preference by taste", caption, data.label)


def qq(data: StudyData, folder: Path) -> Drawn:
    """Normal quantile plot of all scores."""
    import pingouin
    from matplotlib import pyplot as plt

    scores = data.preference["score"].dropna().to_numpy(float)
    figure, axis = plt.subplots(figsize=(4.6, 4.4))
    pingouin.qqplot(scores, dist="norm", confidence=0.95, ax=axis)
    axis.set(xlabel="Normal quantile (sd)", ylabel="Score quantile (sd)", title="")
    for text in list(axis.texts):
        text.remove()
    caption = f"Quantiles of all {len(scores)} scores against a normal distribution with 95 % band."
    return save(figure, folder, "qq", "Normality of the scores", caption, data.label)


def heat_map(data: StudyData, folder: Path) -> Drawn:
    """Mean rating per prompt and adjective."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    frame = data.ratings
    order = list(dict.fromkeys(sorted(frame["adjective"])))
    table = frame.pivot_table(index="prompt", columns="adjective", values="value", aggfunc="mean")[order]
    wide = len(table) > 8
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
    axis.set(xlabel="Adjective", ylabel="Track" if wide else "Taste of the prompt")
    axis.tick_params(axis="y", rotation=0)
    axis.tick_params(axis="x", rotation=45)
    caption = (
        f"Mean ratings; {frame.groupby(['participant', 'trial']).ngroups} rated clips of "
        f"{frame['participant'].nunique()} participants."
    )
    return save(figure, folder, "heatmap", "What the music calls up", caption, data.label)


def correlation(data: StudyData, folder: Path) -> Drawn:
    """Correlation triangle of the adjectives."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    wide = rated_clips(data.ratings)
    r = wide.corr()
    figure, axis = plt.subplots(figsize=(7, 5.6))
    mask = np.triu(np.ones_like(r, dtype=bool))
    sns.heatmap(
        r,
        mask=mask,
        annot=True,
        fmt=".2f",
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
        ax=axis,
        cbar_kws={"label": "Pearson r"},
        annot_kws={"size": 7.5},
    )
    axis.grid(False)
    axis.set(xlabel="", ylabel="")
    caption = f"Pearson correlations between adjectives over {len(wide)} completely rated clips."
    return save(figure, folder, "correlations", "Correlations of the adjectives", caption, data.label)


def scree(tables: dict[str, list[dict[str, Any]]], n: int, folder: Path, label: str) -> Drawn:
    """Eigenvalues against parallel analysis."""
    from matplotlib import pyplot as plt

    rows = tables["eigenvalues"]
    index = [r["index"] for r in rows]
    figure, axis = plt.subplots(figsize=(5.6, 3.6))
    axis.plot(index, [r["actual"] for r in rows], "o-", color=BLUE, label="data")
    axis.plot(index, [r["threshold"] for r in rows], "s--", color=ORANGE, label="random, 95 % quantile")
    axis.set(xlabel="Factor", ylabel="Eigenvalue (reduced correlation matrix)")
    axis.set_xticks(index)
    axis.legend(frameon=False)
    kept = next(r["n_factors"] for r in tables["retention"] if r["method"] == "parallel")
    caption = f"Parallel analysis keeps {kept} factors (n = {n} rated clips)."
    return save(figure, folder, "scree", "How many factors", caption, label)


def loadings(tables: dict[str, list[dict[str, Any]]], n: int, folder: Path, label: str) -> Drawn:
    """Pattern loadings as a heat map, items grouped by their strongest factor."""
    import pandas as pd
    import seaborn as sns
    from matplotlib import pyplot as plt

    frame = pd.DataFrame(tables["loadings"]).set_index("item").drop(columns="uniqueness")
    strongest = frame.abs().to_numpy().argmax(axis=1)
    frame = frame.iloc[np.lexsort((-frame.abs().max(axis=1).to_numpy(), strongest))]
    figure, axis = plt.subplots(figsize=(2.2 + 0.9 * frame.shape[1], 1.2 + 0.32 * len(frame)))
    sns.heatmap(
        frame,
        annot=True,
        fmt=".2f",
        cmap="RdBu_r",
        vmin=-1,
        vmax=1,
        ax=axis,
        cbar_kws={"label": "Loading"},
        annot_kws={"size": 8},
    )
    axis.set(xlabel="Factor", ylabel="")
    caption = f"Pattern loadings, maximum likelihood with oblimin rotation (n = {n} rated clips)."
    return save(figure, folder, "loadings", "Which adjectives go together", caption, label)


def fad(rows: list[dict[str, Any]], folder: Path) -> Drawn:
    """Distances per taste, model and embedding, with bootstrap intervals."""
    from matplotlib import pyplot as plt

    names = list(dict.fromkeys(r["embedding"] for r in rows))
    figure, axes = plt.subplots(1, len(names), figsize=(3.4 * len(names), 3.8), squeeze=False)
    for axis, name in zip(axes[0], names, strict=True):
        part = [r for r in rows if r["embedding"] == name]
        tastes = list(dict.fromkeys(r["taste"] for r in part))
        models = list(dict.fromkeys(r["model"] for r in part))
        for k, model in enumerate(models):
            mine = [r for r in part if r["model"] == model]
            x = np.arange(len(mine)) + (k - (len(models) - 1) / 2) * 0.25
            value = np.array([r["value"] for r in mine])
            low = np.array([r["value"] if r["ci_low"] is None else min(r["ci_low"], r["value"]) for r in mine])
            high = np.array([r["value"] if r["ci_high"] is None else max(r["ci_high"], r["value"]) for r in mine])
            axis.errorbar(
                x,
                value,
                [value - low, high - value],
                fmt="os"[k % 2],
                color=MODELS[model],
                capsize=3,
                label=NAMES[model],
            )
        axis.set_xticks(range(len(tastes)), tastes, rotation=45)
        axis.set(title=name, xlabel="", ylim=(0, None))
    axes[0][0].set_ylabel("FAD (embedding units squared)")
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    n = {r["taste"]: r["n"] for r in rows}
    caption = (
        f"Fréchet Audio Distance to {rows[0]['reference']} ({rows[0]['n_reference']} clips); {n.get('all')} clips a model, "
        f"{min(n.values())} a taste; bars are 95 % bootstrap intervals over clips. Values compare within an embedding only."
    )
    return save(figure, folder, "fad", "Distance to the reference music", caption, "people")


def features(frame: pd.DataFrame, units: dict[str, str], folder: Path) -> Drawn:
    """Acoustic features by taste and model."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    names = [n for n in units if n in frame]
    columns = 4
    lines = -(-len(names) // columns)
    figure, axes = plt.subplots(lines, columns, figsize=(11, 2.9 * lines), squeeze=False)
    models = sorted(frame["model"].unique())
    for axis, name in zip(axes.flat, names, strict=False):
        sns.pointplot(
            frame,
            x="taste",
            y=name,
            hue="model",
            hue_order=models,
            palette=MODELS,
            dodge=0.3,
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
    handles = [plt.Line2D([], [], marker="o", ls="", color=MODELS[m], label=NAMES[m]) for m in models]
    axes.flat[-1].legend(handles=handles, frameon=False, loc="center")
    count = frame.groupby(["taste", "model"]).size().min()
    caption = f"Acoustic features of the clips ({count} per taste and model); bars are 95 % bootstrap intervals."
    return save(figure, folder, "features", "What the clips sound like", caption, "people")


def draw(tasks: list[Callable[[], Drawn]]) -> list[Drawn]:
    """Draw figures in turn, in the one style."""
    style()
    return [task() for task in tasks]
