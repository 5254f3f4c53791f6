"""Figures of task 1."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.data.compared import Conditions
from analysis.data.frames import StudyData
from analysis.page.sentences import Sides, finite, fits, state_of, state_words
from analysis.page.style import BLUE, GREEN, GREY, ORANGE, Drawn, colours, save
from analysis.preference.pairs import of_pair, pairs_in


def intervals(
    rows: list[dict[str, Any]], equivalence: list[dict[str, Any]], sides: Sides, folder: Path, label: str
) -> Drawn:
    """Every test's difference with its interval, zero as a line, declared bounds as ticks; the fit's state beside it."""
    from matplotlib import pyplot as plt

    rows = [r for r in rows if finite(r.get("effect"), r.get("ci_low"), r.get("ci_high"))]
    bounds = {(e["taste"], e.get("pair")): float(e["bound"]) for e in equivalence}
    # Narrow, so that its words are read on a telephone too.
    figure, axis = plt.subplots(figsize=(5.2, 1.7 + 0.4 * max(len(rows), 1)))
    names = []
    for y, row in enumerate(reversed(rows)):
        clear = row["ci_low"] > 0 or row["ci_high"] < 0
        axis.plot([row["ci_low"], row["ci_high"]], [y, y], color=BLUE if clear else GREY, lw=2.2, solid_capstyle="butt")
        axis.plot(row["effect"], y, "o", color=BLUE if clear else GREY, ms=7)
        bound = bounds.get((row["taste"], row.get("pair")))
        if bound is not None:
            for end in (-bound, bound):
                axis.plot([end, end], [y - 0.3, y + 0.3], color=GREEN, lw=1.6)
        pair = f" ({row['pair']})" if row.get("pair") else ""
        mark = "" if state_of(row) == "ok" else " *"
        names.append(f"{'all tastes' if row['taste'] == 'all' else row['taste']}{pair}{mark}")
    axis.axvline(0, color=ORANGE, lw=1.5)
    axis.set_yticks(range(len(names)), names)
    axis.set_ylim(-0.6, max(len(rows), 1) - 0.4)
    reach = max([abs(v) for r in rows for v in (r["ci_low"], r["ci_high"])] + list(bounds.values()) + [0.5]) * 1.1
    several = any(row.get("pair") for row in rows)
    left, right = ("the second of the pair", "the first") if several else (sides.second, sides.first)
    axis.set(
        xlim=(-reach, reach),
        xlabel=f"Difference (of {sides.points:g} points)\n← {fits(left)}\n{fits(right)} →",
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


def worth(rows: list[dict[str, Any]], range_: float, known: Conditions, folder: Path, label: str) -> Drawn:
    """What each condition is worth, over all tastes and for each, with its interval and the conditions' mean as a line."""
    from matplotlib import pyplot as plt

    told = [r for r in rows if finite(r.get("value"), r.get("ci_low"), r.get("ci_high"))]
    tastes, order = list(dict.fromkeys(r["taste"] for r in told)), known.order(r["condition"] for r in rows)
    shades = colours(known, order)
    figure, axis = plt.subplots(figsize=(7.2, 1.6 + 0.26 * max(len(tastes), 1) * (len(order) + 1)))
    places = []
    for k, taste in enumerate(reversed(tastes)):
        middle = k * (len(order) + 1)
        places.append(middle + (len(order) - 1) / 2)
        for j, name in enumerate(reversed(order)):
            for r in [r for r in told if (r["taste"], r["condition"]) == (taste, name)]:
                given = known.label(name) if k == 0 else None
                axis.plot([r["ci_low"], r["ci_high"]], [middle + j] * 2, color=shades[name], lw=2.2, label=given)
                axis.plot(r["value"], middle + j, "o", color=shades[name], ms=7)
    axis.axvline(0, color=ORANGE, lw=1.5)
    axis.set_yticks(places, ["all tastes" if t == "all" else t for t in reversed(tastes)])
    axis.set(xlabel=f"Worth (of {range_:g} points; 0: the mean of the conditions)")
    if told:
        handles, labels = axis.get_legend_handles_labels()
        axis.legend(
            handles[::-1], labels[::-1], frameon=False, fontsize="small", loc="center left", bbox_to_anchor=(1, 0.5)
        )
    else:
        axis.text(0, 0, "nothing can be told", ha="center", va="bottom")
    states = "; ".join(dict.fromkeys(state_words(state_of(r)) for r in rows if state_of(r) != "ok"))
    caption = (
        "What each condition is worth, all comparisons on one scale, with 95 % intervals of the signed graded mixed model; orange: the "
        f"mean of the conditions{'; ' + states if states else ''}."
    )
    return save(figure, folder, "worth", "What each condition is worth", caption, label)


def preference(data: StudyData, folder: Path) -> Drawn:
    """Scores per taste, a row a pair of conditions: violins, points of participants, the middle as a line."""
    import numpy as np
    import seaborn as sns
    from matplotlib import pyplot as plt

    frame, pairs = data.preference, pairs_in(data.preference)
    figure, axes = plt.subplots(len(pairs), 1, figsize=(7.2, 4 * len(pairs)), squeeze=False)
    for axis, pair in zip(axes[:, 0], pairs, strict=True):
        part = of_pair(frame, pair)
        order = sorted(part["taste"].unique())
        sns.violinplot(
            part, x="taste", y="score", order=order, inner="quart", color="#BCD6E6", cut=0, ax=axis, linewidth=1
        )
        # Spread by draws of our own: seaborn's come from numpy's common generator, and no two reports were alike.
        rng = np.random.default_rng(0)
        for place, taste in enumerate(order):
            own = part.loc[part["taste"] == taste, "score"]
            axis.scatter(place + rng.uniform(-0.18, 0.18, len(own)), own, s=6, color=BLUE, alpha=0.35, linewidths=0)
        axis.axhline(data.middle, color=ORANGE, lw=1.5)
        counts = part["taste"].value_counts()
        (low, high), (over, under) = data.ends, (data.conditions.label(name) for name in pair)
        axis.set_xticks(range(len(order)), [f"{t}\nn = {counts[t]}" for t in order])
        axis.set(xlabel="Taste", ylabel=f"Score ({low:g} {under}, {data.middle:g} neither, {high:g} {over})")
    caption = (
        f"Scores of {frame['participant'].nunique()} participants ({len(frame)} answers). Lines in the "
        "violins are quartiles; at the orange line neither fits better."
    )
    return save(figure, folder, "preference", "Scores by taste", caption, data.label)


def qq(data: StudyData, folder: Path) -> Drawn | None:
    """Normal quantile plot of all scores; None where all are the same, which are those of no distribution."""
    import pingouin
    from matplotlib import pyplot as plt

    scores = data.preference["score"].dropna().to_numpy(float)
    if len(set(scores.tolist())) < 2:
        return None
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
    """How often each score was given, over all answers and per taste; a row a pair of conditions."""
    import numpy as np
    from matplotlib import pyplot as plt

    frame, pairs = data.preference.dropna(subset=["score"]), pairs_in(data.preference)
    tastes = sorted(frame["taste"].unique())
    low, high = frame["score"].min(), frame["score"].max()
    whole = bool((frame["score"] % 1 == 0).all())
    edges = np.arange(np.floor(low) - 0.5, np.ceil(high) + 1) if whole else np.linspace(low, high, 21)
    figure, axes = plt.subplots(
        len(pairs), len(tastes) + 1, figsize=(2.2 * (len(tastes) + 1), 2.9 * len(pairs)), sharey=True, squeeze=False
    )
    for row, pair in zip(axes, pairs, strict=True):
        own = of_pair(frame, pair)
        for axis, name in zip(row, ["all", *tastes], strict=True):
            part = own if name == "all" else own[own["taste"] == name]
            if len(part):
                axis.hist(
                    part["score"], bins=edges, weights=np.full(len(part), 100 / len(part)), color=BLUE, alpha=0.75
                )
                axis.axvline(part["score"].mean(), color="#1f2a33", lw=1.2, ls=":")
            axis.axvline(data.middle, color=ORANGE, lw=1.5)
            axis.set(title=f"{name}, n = {len(part)}", xlabel="Score")
        over, under = (data.conditions.label(side) for side in pair)
        row[0].set_ylabel("Answers (%)" if len(pairs) == 1 else f"{over} over {under}\nAnswers (%)")
    better = fits(f"the {data.conditions.spoken(pairs[0][0])}") if len(pairs) == 1 else "the first named fits better"
    caption = (
        f"Distribution of the {len(frame)} scores of {frame['participant'].nunique()} participants. Orange: neither fits better; "
        f"dotted: the mean. Over the middle {better}."
    )
    return save(figure, folder, "distribution", "Distribution of the scores", caption, data.label)
