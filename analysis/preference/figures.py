"""Figures of task 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.data.frames import StudyData
from analysis.page.sentences import Sides, finite, state_of, state_words
from analysis.page.style import BLUE, GREEN, GREY, ORANGE, Drawn, save


def intervals(
    rows: list[dict[str, Any]], equivalence: list[dict[str, Any]], sides: Sides, folder: Path, label: str
) -> Drawn:
    """Every test's difference with its interval, zero as a line, declared bounds as ticks; the fit's state beside it."""
    from matplotlib import pyplot as plt

    rows = [r for r in rows if finite(r.get("effect"), r.get("ci_low"), r.get("ci_high"))]
    bounds = {e["taste"]: float(e["bound"]) for e in equivalence}
    figure, axis = plt.subplots(figsize=(7.2, 1.5 + 0.42 * max(len(rows), 1)))
    names = []
    for y, row in enumerate(reversed(rows)):
        clear = row["ci_low"] > 0 or row["ci_high"] < 0
        axis.plot([row["ci_low"], row["ci_high"]], [y, y], color=BLUE if clear else GREY, lw=2.2, solid_capstyle="butt")
        axis.plot(row["effect"], y, "o", color=BLUE if clear else GREY, ms=7)
        if row["taste"] in bounds:
            for end in (-bounds[row["taste"]], bounds[row["taste"]]):
                axis.plot([end, end], [y - 0.3, y + 0.3], color=GREEN, lw=1.6)
        pair = f" ({row['pair']})" if row.get("pair") else ""
        mark = "" if state_of(row) == "ok" else " *"
        names.append(f"{'all tastes' if row['taste'] == 'all' else row['taste']}{pair}{mark}")
    axis.axvline(0, color=ORANGE, lw=1.5)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    reach = max([abs(v) for r in rows for v in (r["ci_low"], r["ci_high"])] + list(bounds.values()) + [0.5]) * 1.1
    axis.set(
        xlim=(-reach, reach),
        xlabel=f"Difference (of {sides.points:g} points)\n← {sides.second} fits better     {sides.first} fits better →",
    )
    if not rows:
        axis.text(0, 0, "nothing can be told", ha="center", va="bottom")
    states = "; ".join(dict.fromkeys(state_words(state_of(r)) for r in rows if state_of(r) != "ok"))
    caption = (
        "Differences with two-sided 95 % intervals of the mixed model; orange: no difference; blue: the interval, which is not "
        "corrected for the number of tests, leaves it out"
        + ("; green: declared bounds of equivalence" if bounds else "")
        + (f"; * {states}" if states else "")
        + "."
    )
    return save(figure, folder, "intervals", "Differences and their intervals", caption, label)


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
    (low, high), (over, under) = data.ends, (data.conditions.label(frame[side].iloc[0]) for side in ("over", "under"))
    axis.set_xticks(range(len(order)), [f"{t}\nn = {counts[t]}" for t in order])
    axis.set(xlabel="Taste", ylabel=f"Score ({low:g} {under}, {data.middle:g} neither, {high:g} {over})")
    caption = (
        f"Scores of {frame['participant'].nunique()} participants ({len(frame)} answers). Lines in the "
        "violins are quartiles; at the orange line neither fits better."
    )
    return save(figure, folder, "preference", "Scores by taste", caption, data.label)


def qq(data: StudyData, folder: Path) -> Drawn:
    """Normal quantile plot of all scores."""
    import pingouin
    from matplotlib import pyplot as plt

    scores = data.preference["score"].dropna().to_numpy(float)
    figure, axis = plt.subplots(figsize=(4.6, 4.4))
    pingouin.qqplot(scores, dist="norm", confidence=0.95, ax=axis, square=False, s=14, color=BLUE)
    for line in axis.lines:
        line.set(color=ORANGE, alpha=0.9)
    axis.set(xlabel="Normal quantile (sd)", ylabel="Score quantile (sd)", title="", xlim=(-3.6, 3.6), ylim=(-3.6, 3.6))
    for text in list(axis.texts):
        text.remove()
    caption = f"Quantiles of all {len(scores)} scores against a normal distribution with 95 % band."
    return save(figure, folder, "qq", "Normality of the scores", caption, data.label)


def distribution(data: StudyData, folder: Path) -> Drawn:
    """How often each score was given, over all answers and per taste."""
    import numpy as np
    from matplotlib import pyplot as plt

    frame = data.preference.dropna(subset=["score"])
    tastes = sorted(frame["taste"].unique())
    low, high = frame["score"].min(), frame["score"].max()
    whole = bool((frame["score"] % 1 == 0).all())
    edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1) if whole else np.linspace(low, high, 21)
    figure, axes = plt.subplots(1, len(tastes) + 1, figsize=(2.2 * (len(tastes) + 1), 2.9), sharey=True, squeeze=False)
    for axis, name in zip(axes[0], ["all", *tastes], strict=True):
        part = frame if name == "all" else frame[frame["taste"] == name]
        axis.hist(part["score"], bins=edges, weights=np.full(len(part), 100 / len(part)), color=BLUE, alpha=0.75)
        axis.axvline(data.middle, color=ORANGE, lw=1.5)
        axis.axvline(part["score"].mean(), color="#1f2a33", lw=1.2, ls=":")
        axis.set(title=f"{name}, n = {len(part)}", xlabel="Score")
    axes[0][0].set_ylabel("Answers (%)")
    caption = (
        f"Distribution of the {len(frame)} scores of {frame['participant'].nunique()} participants. Orange: neither fits better; "
        f"dotted: the mean. Over the middle the {data.conditions.spoken(frame['over'].iloc[0])} fits better."
    )
    return save(figure, folder, "distribution", "Distribution of the scores", caption, data.label)
