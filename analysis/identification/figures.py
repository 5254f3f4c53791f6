"""Figures of the identification task."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from analysis.identification.confusion import NONE
from analysis.page.style import Drawn, save


def heat_maps(rows: list[dict[str, Any]], people: int, folder: Path, label: str) -> Drawn:
    """Shares of what was named, a row for each taste that was asked, a panel for each condition."""
    import seaborn as sns
    from matplotlib import pyplot as plt

    conditions = list(dict.fromkeys(r["condition"] for r in rows))
    asked = list(dict.fromkeys(r["asked"] for r in rows))
    named = list(dict.fromkeys(r["answered"] for r in rows))
    figure, axes = plt.subplots(
        1,
        len(conditions),
        figsize=(1.6 + (0.7 + 0.62 * len(named)) * len(conditions), 1.6 + 0.5 * len(asked)),
        squeeze=False,
    )
    for axis, condition in zip(axes[0], conditions, strict=True):
        counts = np.array(
            [[sum(r["n"] for r in rows if (r["condition"], r["asked"], r["answered"]) == (condition, a, b)) for b in named] for a in asked],
            dtype=float,
        )  # fmt: skip
        of = counts.sum(axis=1, keepdims=True)
        shares = np.divide(counts, of, out=np.full_like(counts, np.nan), where=of > 0)
        sns.heatmap(
            100 * shares, annot=True, fmt=".0f", cmap="cividis", vmin=0, vmax=100, ax=axis, cbar=False, annot_kws={"size": 9},
            xticklabels=["none of them" if x == NONE else x for x in named], yticklabels=asked,
        )  # fmt: skip
        axis.set(title=condition, xlabel="Named", ylabel="Music that stands for")
        axis.tick_params(axis="y", rotation=0)
        axis.tick_params(axis="x", rotation=45)
    total = sum(r["n"] for r in rows)
    caption = f"Of music that stands for each taste: per cent of answers that named it, and the others. {total} answers of {people} people."
    return save(figure, folder, "confusion", "Which taste people named", caption, label)
