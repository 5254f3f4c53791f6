"""Task 1: which condition fits the taste better, effect sizes, and what could have made the answers."""

from __future__ import annotations

from typing import Any

from analysis.data.frames import StudyData
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.sentences import Sides
from analysis.page.style import NAMES
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
    bounds = {e.taste: {"taste": e.taste, "bound": e.bound, "p": None} for e in config.equivalence}
    bounds |= {row["taste"]: row for row in robustly.get("equivalence", [])}
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
            "Difference: mean score less the middle, points; t with Satterthwaite's df; p adjusted: Holm over tastes.",
        ),
        Table(
            "preference_effects",
            "Effect sizes and spread",
            robustly["effects"],
            "Intervals for other people and other clips (two bootstraps); standard deviations of the mixed models.",
        ),
        Table(
            "preference_detectable",
            "What this study could have found",
            sensitivity.detectable(mixed, config.alpha),
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
    return Sides(f"the {NAMES['finetuned']} model", f"the {NAMES['base']} model", (0.0, 2 * data.middle))
