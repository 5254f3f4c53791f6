"""Figures of the factor analysis."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from analysis.page.style import BLUE, ORANGE, Drawn, save, signed_map


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
    caption = f"Parallel analysis keeps {kept or 'no'} factor{'s' * (kept > 1)} (n = {n} rated clips)."
    return save(figure, folder, "scree", "How many factors", caption, label)


def _by_factor(loads: np.ndarray) -> np.ndarray:
    """Order of items (items, factors): by their strongest factor, within it the strongest first."""
    size = np.abs(loads)
    return np.lexsort((-size.max(axis=1), size.argmax(axis=1)))


def loadings(tables: dict[str, list[dict[str, Any]]], n: int, folder: Path, label: str) -> Drawn:
    """Pattern loadings as a heat map, items grouped by their strongest factor."""
    import pandas as pd
    from matplotlib import pyplot as plt

    frame = pd.DataFrame(tables["loadings"]).set_index("item").drop(columns="uniqueness")
    frame = frame.iloc[_by_factor(frame.to_numpy())]
    figure, axis = plt.subplots(figsize=(2.2 + 0.9 * frame.shape[1], 1.2 + 0.32 * len(frame)))
    signed_map(frame, axis, "Loading")
    axis.set(xlabel="Factor", ylabel="")
    caption = f"Pattern loadings, maximum likelihood with oblimin rotation (n = {n} rated clips)."
    return save(figure, folder, "loadings", "Which adjectives go together", caption, label)


def diagram(tables: dict[str, list[dict[str, Any]]], n: int, folder: Path, label: str, shown: float = 0.3) -> Drawn:
    """Path diagram: items on the left, factors on the right; lines for loadings from `shown` on, arcs for correlations."""
    from matplotlib import pyplot as plt
    from matplotlib.patches import FancyArrowPatch
    from matplotlib.path import Path as Bezier

    rows = tables["loadings"]
    names = [k for k in rows[0] if k.startswith("F")]
    loads = np.array([[r[f] for f in names] for r in rows])
    strongest = np.abs(loads).argmax(axis=1)
    order = _by_factor(loads)
    height = len(rows)
    y_item = {int(i): float(height - 1 - k) for k, i in enumerate(order)}
    y_factor: list[float] = [
        float(np.mean([y_item[i] for i in range(height) if strongest[i] == k] or [height / 2]))
        for k in range(len(names))
    ]
    # Factors keep a distance from each other, whatever their items' places.
    ranked = np.argsort(y_factor)[::-1]
    for above, below in pairwise(ranked):
        y_factor[below] = min(y_factor[below], y_factor[above] - 1.4)
    figure, axis = plt.subplots(figsize=(7.4, 1.2 + 0.42 * height))
    for i in range(height):
        for k in range(len(names)):
            value = loads[i, k]
            if abs(value) < shown:
                continue
            colour = BLUE if value > 0 else ORANGE
            style = "-" if value > 0 else "--"
            axis.plot(
                [0.27, 0.7], [y_item[i], y_factor[k]], color=colour, ls=style, lw=0.6 + 3 * abs(value), alpha=0.75
            )
            share = 0.22 if k == strongest[i] else 0.5
            axis.text(
                0.27 + 0.43 * share, y_item[i] + (y_factor[k] - y_item[i]) * share, f"{value:.2f}", fontsize=8,
                ha="center", va="center", bbox={"boxstyle": "round,pad=0.15", "fc": "white", "ec": "none"},
            )  # fmt: skip
    for i, row in enumerate(rows):
        axis.text(
            0.26, y_item[i], row["item"], ha="right", va="center",
            bbox={"boxstyle": "square,pad=0.3", "fc": "white", "ec": "#68737C"},
        )  # fmt: skip
    for k, name in enumerate(names):
        axis.text(
            0.71, y_factor[k], name, ha="left", va="center", weight="bold",
            bbox={"boxstyle": "circle,pad=0.35", "fc": "#E8F1F7", "ec": BLUE},
        )  # fmt: skip
    for row in tables["phi"]:
        if abs(row["r"]) < 0.1:
            continue
        a, b = y_factor[names.index(row["factor1"])], y_factor[names.index(row["factor2"])]
        bulge = 0.05 + 0.035 * abs(a - b)
        bow = Bezier([(0.79, a), (0.79 + bulge, a), (0.79 + bulge, b), (0.79, b)], [1, 4, 4, 4])
        axis.add_patch(FancyArrowPatch(path=bow, arrowstyle="<->", mutation_scale=9, color="#68737C", lw=1))
        axis.text(
            0.79 + 0.75 * bulge, (a + b) / 2, f"{row['r']:.2f}", fontsize=8, ha="center", va="center", color="#3a444c",
            bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none"},
        )  # fmt: skip
    low = min([*y_factor, 0]) - 0.8
    axis.set(xlim=(0, 1.12), ylim=(low, height - 0.3))
    axis.axis("off")
    caption = (
        f"Items and the factors they load on (|loading| of {shown:g} or more; dashed: negative), arcs: correlations of factors "
        f"of .1 or more (n = {n} rated clips)."
    )
    return save(figure, folder, "diagram", "Factor diagram", caption, label)


def biplots(tables: dict[str, list[dict[str, Any]]], n: int, folder: Path, label: str) -> Drawn | None:
    """Scores of the rated clips by prompt with loadings as arrows, for each pair of neighbouring factors."""
    from matplotlib import pyplot as plt

    rows = tables["loadings"]
    names = [k for k in rows[0] if k.startswith("F")]
    if len(names) < 2 or not tables["scores"]:
        return None
    pairs = [(0, 1)] if len(names) < 4 else [(0, 1), (2, 3)]
    prompts = sorted({r["prompt"] for r in tables["scores"]})
    prompts = prompts if len(prompts) <= 8 else []
    colours = [BLUE, ORANGE, "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#68737C", "#000000"]
    figure, axes = plt.subplots(1, len(pairs), figsize=(5.4 * len(pairs), 5), squeeze=False)
    scores = np.array([[r[f] for f in names] for r in tables["scores"]])
    who = np.array([r["prompt"] for r in tables["scores"]])
    for axis, (a, b) in zip(axes[0], pairs, strict=True):
        spread = float(np.quantile(np.abs(scores[:, [a, b]]), 0.98))
        for k, prompt in enumerate(prompts or ["all clips"]):
            part = scores[who == prompt] if prompts else scores
            axis.scatter(part[:, a], part[:, b], s=9, color=colours[k], alpha=0.3, lw=0)
            axis.scatter(
                *part[:, [a, b]].mean(axis=0),
                s=110,
                color=colours[k],
                marker="oDs^vP*X"[k],
                ec="white",
                label=prompt,
                zorder=4,
            )
        arrows = [(r["item"], r[names[a]], r[names[b]]) for r in rows if np.hypot(r[names[a]], r[names[b]]) >= 0.25]
        for item, x, y in _apart(arrows):
            tip = next((u * spread, v * spread) for i, u, v in arrows if i == item)
            axis.annotate("", tip, (0, 0), arrowprops={"arrowstyle": "->", "color": "#3a444c", "lw": 0.9})
            axis.text(
                x * spread, y * spread, item, fontsize=8, ha="center", va="center", zorder=5,
                bbox={"boxstyle": "round,pad=0.1", "fc": "white", "ec": "none", "alpha": 0.75},
            )  # fmt: skip
        axis.axhline(0, color="#DDE3E6", lw=1, zorder=0)
        axis.axvline(0, color="#DDE3E6", lw=1, zorder=0)
        limit = spread * 1.3
        axis.set(xlabel=f"{names[a]} (score)", ylabel=f"{names[b]} (score)", xlim=(-limit, limit), ylim=(-limit, limit))
    handles, labels = axes[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(6, len(labels)), frameon=False)
    caption = (
        f"Factor scores of {n} rated clips (dots), means by the prompt's taste (large marks) and loadings (arrows, from .25 on, "
        "scaled to the scores' spread). A few clips lie outside."
    )
    return save(figure, folder, "biplots", "Clips and adjectives in factor space", caption, label)


def _apart(arrows: list[tuple[str, float, float]]) -> list[tuple[str, float, float]]:
    """Places for labels a little beyond the arrows' tips, moved up until none covers another."""
    placed: list[tuple[str, float, float]] = []
    for item, x, y in sorted(arrows, key=lambda a: a[2]):
        x, y = x * 1.12, y * 1.12 + (0.04 if y > 0 else -0.04)
        while any(
            abs(x - u) < 0.035 * (len(item) + len(other)) / 2 + 0.05 and abs(y - v) < 0.085 for other, u, v in placed
        ):
            y += 0.02
        placed.append((item, x, y))
    return placed


def intervals(rows: list[dict[str, Any]], n: int, folder: Path, label: str) -> Drawn:
    """Loadings with their bootstrap intervals, one panel a factor."""
    from matplotlib import pyplot as plt

    items = list(dict.fromkeys(r["item"] for r in rows))[::-1]
    names = list(dict.fromkeys(r["factor"] for r in rows))
    figure, axes = plt.subplots(
        1, len(names), figsize=(1.6 + 2.1 * len(names), 1 + 0.3 * len(items)), sharey=True, squeeze=False
    )
    for axis, name in zip(axes[0], names, strict=True):
        part = {r["item"]: r for r in rows if r["factor"] == name}
        value = np.array([part[i]["loading"] for i in items])
        low = np.minimum(value, [part[i]["ci_low"] for i in items])
        high = np.maximum(value, [part[i]["ci_high"] for i in items])
        sure = np.array([part[i]["ci_low"] > 0 or part[i]["ci_high"] < 0 for i in items])
        at = np.arange(len(items))
        for mask, colour, marker in ((sure, BLUE, "o"), (~sure, "#9AA5AC", "o")):
            axis.errorbar(
                value[mask],
                at[mask],
                xerr=[(value - low)[mask], (high - value)[mask]],
                fmt=marker,
                color=colour,
                ms=4,
                lw=1.2,
            )
        axis.axvline(0, color=ORANGE, lw=1)
        axis.set(title=name, xlabel="Loading", xlim=(-1.15, 1.15))
        axis.set_yticks(at, items)
    used = rows[0]["resamples"]
    caption = (
        f"Pattern loadings with 95 % bootstrap intervals over participants ({used} resamples, each aligned with the whole "
        f"sample's solution; n = {n} rated clips). Grey: the interval holds zero."
    )
    return save(figure, folder, "loading_intervals", "How sure the loadings are", caption, label)
