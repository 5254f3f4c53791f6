"""Figures of task 1."""

from __future__ import annotations

from pathlib import Path

from analysis.data.frames import StudyData
from analysis.page.style import BLUE, ORANGE, Drawn, save


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
        f"Distribution of the {len(frame)} scores of {frame['participant'].nunique()} participants. Orange: no preference; "
        "dotted: the mean. Over the middle the fine-tuned model is preferred."
    )
    return save(figure, folder, "distribution", "Distribution of the scores", caption, data.label)
