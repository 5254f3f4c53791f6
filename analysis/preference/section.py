"""Task 1: which condition fits the taste better, effect sizes, and what could have made the answers."""

from __future__ import annotations

from typing import Any

from analysis.config import AnalysisConfig
from analysis.data.frames import StudyData
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.sentences import Sides
from analysis.page.standing import Line, rows_on
from analysis.preference import figures, moderators, robust, sensitivity
from analysis.preference.pairs import by_pair, named_pair, pairs_in


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Task 1."""
    data, config, drawn = inputs.data, inputs.config, inputs.out / "figures"
    if data.preference.empty:
        return None
    pairs = pairs_in(data.preference)
    sides = sides_of(data, pairs[0])
    title = f"Which fits the taste better: {sides.first} or {sides.second}"
    out = Section("preference", title if len(pairs) == 1 else "Which fits the taste better, pair by pair")
    robustly = robust.preference(data.preference, data.middle, config)
    mixed = robustly["tests"]
    bounds = robustly["equivalence"]
    declared = sum(row["role"] == "declared" for row in mixed) + len(bounds)
    for row in mixed:
        row["apa"] = sentences.apa_mixed(row)
    out.how = "tastelab analysis preference --plan robust"
    family = sentences.counted(mixed, bounds)
    for pair in pairs:
        own = [row for row in mixed if row.get("pair", named_pair(*pair)) == named_pair(*pair)]
        sides = sides_of(data, pair)
        near = {row["taste"]: row for row in bounds if row.get("pair", named_pair(*pair)) == named_pair(*pair)}
        for row in own:
            bound = near.get(row["taste"])
            on = rows_on("preference_mixed", mixed, [row]) + rows_on("preference_equivalence", bounds, [bound or {}])
            out.text.append(Line(sentences.compared(row, sides, config.alpha, bound), *on))
        said = sentences.by_taste(own, sides, config.alpha, near.values(), family)
        on = rows_on("preference_mixed", mixed, own) + rows_on("preference_equivalence", bounds, [*near.values()])
        summary.append(Line(said if len(pairs) == 1 else sentences.of_pair(said, sides), *on))
    worths = robustly.get("worth", [])
    called = {name: data.conditions.label(name) for name in dict.fromkeys(r["condition"] for r in worths)}
    for taste in dict.fromkeys(r["taste"] for r in worths):
        own = [r for r in worths if r["taste"] == taste]
        out.text.append(Line(sentences.worths(own, sides.points, called), *rows_on("worth", worths, own)))
    out.figures = [
        figures.intervals(mixed, bounds, sides, drawn, data.label),
        *([figures.worth(worths, sides.points, data.conditions, drawn, data.label)] if worths else []),
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
        *(_worth_tables(robustly) if worths else []),
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
            "The mixed model's difference against the declared bound on both sides; the interval that goes with it is the "
            f"{100 * (1 - 2 * config.alpha):g} % one.",
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
            "Where a taste is judged by its own variance of clips: one variance for all. Where the variance of clips was estimated as zero "
            "the tests keep it off zero (after Chung et al. 2013): here as estimated; where that of people was, kept off zero. Where tastes do "
            "not share the variance of clips: one for each.",
        ),
        Table(
            "preference_detectable",
            "What this study could have found",
            sensitivity.detectable(mixed, config.alpha, declared, gate=config.overall == "gate"),
            "Smallest difference (points) that each test finds with 80 % power, from its own standard error; "
            + (
                "those over all tastes at the level itself, shared where there are several, the others at Bonferroni's share, where the first was passed."
                if config.overall == "gate"
                else "Bonferroni's share."
            ),
        ),
        *_moderated(data, config),
        Table(
            "preference_bias",
            "Order and side",
            by_pair(data.preference, lambda part: {"bias": sensitivity.order_and_side(part, data.middle)})["bias"],
            "Mixed model; points a trial, and points towards the clip that is heard second.",
        ),
    ]
    return out


def _moderated(data: StudyData, config: AnalysisConfig) -> list[Table]:
    rows = by_pair(
        data.preference, lambda part: {"moderators": moderators.moderators(part, data.people, data.middle, config)}
    )["moderators"]
    if not rows:
        return []
    note = (
        "Differences of levels in which condition fits better, points, over all tastes (exploratory): mixed model with the level as "
        "a column of people; clips have slopes of their own where these vary. Levels of fewer than five people are left out."
    )
    return [Table("moderators", "Do groups of people differ", named(rows, "difference"), note)]


def _worth_tables(tables: dict[str, list[dict[str, Any]]]) -> list[Table]:
    return [
        Table(
            "worth",
            "What each condition is worth",
            tables["worth"],
            "Signed graded mixed model of all comparisons: points from the mean of the conditions, with 95 % intervals; "
            "people and clips as random effects. Exploratory.",
        ),
        Table(
            "worth_sensitivity",
            "The same with variances kept off zero",
            tables["worth_sensitivity"],
            "Beside a singular fit (Chung et al. 2013).",
        ),
        Table(
            "triangles",
            "Do differences add up",
            tables["triangles"],
            "What is left, in points, when the differences of three conditions are added round: zero where they lie on one scale. "
            "Mixed model, two-sided, exploratory.",
        ),
        Table(
            "bradley_terry",
            "Who wins",
            tables["bradley_terry"],
            "Bradley and Terry's model of the side of each answer alone (log odds from the mean of the conditions), as other studies "
            "report it. It takes all answers for independent: its intervals are too short where people or clips differ. Exploratory.",
        ),
    ]


def named(rows: list[dict[str, Any]], effect: str) -> list[dict[str, Any]]:
    """Rows with their effect under its own name: the report calls an `effect` rank-biserial."""
    return [{(effect if k == "effect" else k): v for k, v in row.items()} for row in rows]


def sides_of_row(data: StudyData, row: dict[str, Any]) -> Sides:
    """What a row of results compares: of its pair, where it names one."""
    own = [pair for pair in pairs_in(data.preference) if named_pair(*pair) == row.get("pair")]
    return sides_of(data, own[0] if own else None)


def sides_of(data: StudyData, pair: tuple[str, str] | None = None) -> Sides:
    """What the scores compare, as sentences call it; without a pair that of a study that has one, or the first.

    Without answers it is what the study declares.
    """
    found = pairs_in(data.preference) or list(data.conditions.pairs)
    if not (pair or found):
        return Sides("the first", "the second", data.ends)
    pair = pair or found[0]
    over, under = (data.conditions.spoken(name) for name in pair)
    return Sides(f"the {over}", f"the {under}", data.ends)
