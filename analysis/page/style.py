"""The one style of all figures: colour-blind safe, no screen, SVG, PNG and PDF files, simulated data marked as such."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from analysis.data.compared import Conditions

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.transforms import Bbox

BLUE, ORANGE, GREEN, GREY = "#0072B2", "#D55E00", "#009E73", "#68737C"
SERIES = (GREY, BLUE, GREEN, "#CC79A7", "#E69F00", "#56B4E9", "#F0E442")  # of conditions, in their declared order


def colours(conditions: Conditions, present: Iterable[str]) -> dict[str, str]:
    """A colour for each condition that is there; the same in every figure of a study."""
    shown = [*conditions.names, *(n for n in conditions.order(present) if n not in conditions.names)]
    return {name: SERIES[k % len(SERIES)] for k, name in enumerate(shown)}


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
            "text.parse_math": False,  # a study's own words: two dollars in a label are no formula
        },
    )


def signed_map(frame: pd.DataFrame, axis: Axes, label: str, mask: np.ndarray | None = None) -> None:
    """A matrix of values from -1 to 1, each written into its cell."""
    import seaborn as sns

    sns.heatmap(
        frame, mask=mask, annot=True, fmt=".2f", cmap="RdBu_r", vmin=-1, vmax=1, ax=axis, cbar_kws={"label": label},
        annot_kws={"size": 8},
    )  # fmt: skip


def by_people(label: str) -> bool:
    """Whether people gave the answers of this label; all others are marked wherever they stand."""
    return label in ("people", "imported")


def whole(figure: Figure) -> Bbox | None:
    """A figure's area widened to all words that stand on it, inches; None where none goes beyond its edges."""
    from matplotlib.transforms import Bbox

    drawn = figure.get_tightbbox()
    width, height = figure.get_size_inches()
    if drawn.x0 >= 0 and drawn.y0 >= 0 and drawn.x1 <= width and drawn.y1 <= height:
        return None
    room = 0.05  # in
    return Bbox.union([Bbox([[0, 0], [width, height]]), drawn.padded(room)])


def save(figure: Figure, folder: Path, name: str, title: str, caption: str, label: str) -> Drawn:
    """Write SVG, PNG and PDF; simulated or driven data is marked across the figure."""
    from matplotlib import pyplot as plt

    if not by_people(label):
        # A title of the whole figure has room of its own: the mark covers nothing.
        figure.suptitle(label, x=0.99, ha="right", color=ORANGE, weight="bold", fontsize=9)
    folder.mkdir(parents=True, exist_ok=True)
    svg = folder / f"{name}.svg"
    figure.savefig(svg, metadata={"Date": None})
    figure.set_layout_engine("none")  # the places are found: in all three formats they are those
    box = whole(figure)
    if box is not None:
        figure.savefig(svg, metadata={"Date": None}, bbox_inches=box)
    figure.savefig(folder / f"{name}.png", dpi=160, metadata={"Software": None}, bbox_inches=box)
    figure.savefig(folder / f"{name}.pdf", metadata={"CreationDate": None}, bbox_inches=box)
    plt.close(figure)
    return Drawn(name, title, caption, svg)
