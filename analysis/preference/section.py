"""Task 1: which condition fits the taste better, effect sizes, and what could have made the answers."""

from __future__ import annotations

from typing import Any

from analysis.data.frames import StudyData
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.sentences import Sides
from analysis.preference import figures, robust, sensitivity


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Task 1."""
    data, config, drawn = inputs.data, inputs.config, inputs.out / "figures"
    if data.preference.empty:
        return None
    sides = sides_of(data)
    out = Section("preference", f"Which fits the taste better: {sides.first} or {sides.second}")
    robustly = robust.preference(data.preference, data.middle, config)
    mixed = robustly["tests"]
    bounds = {row["taste"]: row for row in robustly["equivalence"]}
    declared = sum(row["role"] == "declared" for row in mixed) + len(bounds)
    for row in mixed:
        row["apa"] = sentences.apa_mixed(row)
    out.how = "tastelab analysis preference --plan robust"
    out.text += [sentences.compared(row, sides, config.alpha, bounds.get(row["taste"])) for row in mixed]
    summary.append(sentences.by_taste(mixed, sides, config.alpha, bounds.values()))
    out.figures = [
        figures.intervals(mixed, list(bounds.values()), sides, drawn, data.label),
        figures.preference(data, drawn),
        figures.distribution(data, drawn),
    ]
    out.tables = [
        Table(
            "preference_mixed",
            "Mixed models: participants and clips as random effects",
            named(mixed, "difference"),
            "Difference: mean score less the middle, points; t with Satterthwaite's df; p adjusted: over the declared tests.",
        ),
        Table(
            "preference_effects",
            "Effect sizes",
            robustly["effects"],
            "Intervals for other people and other clips (two bootstraps).",
        ),
        Table(
            "preference_equivalence",
            "Equivalence (TOST)",
            named(robustly["equivalence"], "difference"),
            "The mixed model's difference against the declared bound on both sides; the interval that goes with it is the 90 % one.",
        ),
        Table(
            "preference_spread",
            "What varies",
            robustly["spread"],
            "Standard deviations of the mixed model (points) and their shares of an answer's variance.",
        ),
        Table(
            "preference_variances",
            "Do tastes share their variances",
            robustly["variances"],
            "One standard deviation a taste against a common one: likelihood-ratio tests of the mixed model.",
        ),
        Table(
            "preference_sensitivity",
            "The same tests by other models",
            named(robustly["sensitivity"], "difference"),
            "Beside a singular fit: variances kept off zero (Chung et al. 2013). Where tastes do not share the variance of clips: "
            "one for each.",
        ),
        Table(
            "preference_detectable",
            "What this study could have found",
            sensitivity.detectable(mixed, config.alpha, declared),
            "Smallest difference (points) that each test finds with 80 % power, from its own standard error; Bonferroni's share.",
        ),
        Table(
            "preference_bias",
            "Order and side",
            sensitivity.order_and_side(data.preference, data.middle),
            "Mixed model; points a trial, and points towards the clip that is heard second.",
        ),
    ]
    return out


def named(rows: list[dict[str, Any]], effect: str) -> list[dict[str, Any]]:
    """Rows with their effect under its own name: the report calls an `effect` rank-biserial."""
    return [{(effect if k == "effect" else k): v for k, v in row.items()} for row in rows]


def sides_of(data: StudyData) -> Sides:
    """What the scores compare, as sentences call it."""
    over, under = (data.conditions.spoken(data.preference[side].iloc[0]) for side in ("over", "under"))
    return Sides(f"the {over}", f"the {under}", data.ends)
