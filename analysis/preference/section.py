"""Task 1: the tests of both plans, effect sizes, and what could have made the answers."""

from __future__ import annotations

from typing import Any

from analysis.data.complete import paper_rows
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.preference import figures, paper, robust, sensitivity


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Task 1."""
    data, config, drawn = inputs.data, inputs.config, inputs.out / "figures"
    if data.preference.empty:
        return None
    chose = paper_rows(data).choices
    tables: dict[str, list[dict[str, Any]]] = {key: [] for key in paper.TABLES}
    if not chose.empty:
        tables = paper.analyse(chose, data.middle, config)
    out = Section("preference", "Which model fits the taste better")
    robustly = robust.preference(data.preference, data.middle, config)
    mixed = robustly["tests"]
    for row in mixed:
        row["apa"] = sentences.apa_mixed(row)
    for row in tables["tests"]:
        row["apa"] = sentences.apa(row) if row["p"] is not None else ""
    out.how = "tastelab analysis preference --plan robust | paper"
    out.text += [_mixed_words(row) for row in mixed]
    out.text.append("The seed paper's tests, which take all answers for independent:")
    for row in tables["tests"]:
        where = "Over all tastes" if row["taste"] == "all" else f"For {row['taste']}"
        if row["status"] == "exploratory" and row["taste"] != "all":
            where += f" (exploratory, {row['alternative']})"
        leaning = "fine-tuned" if row["effect"] > 0 else "base"
        out.text.append(f"{where} the answers lean to the {leaning} model: {sentences.apa(row)}.")
    plans = {
        "robust": (mixed, "mixed model, Holm"),
        "paper": (tables["tests"], f"Wilcoxon, {config.correction.capitalize()}"),
    }
    for plan in (config.plan, *(p for p in plans if p != config.plan)):
        rows, name = plans[plan]
        good = [
            r["taste"]
            for r in rows[1:]
            if r["status"] == "declared"
            and r["p_adjusted"] is not None
            and r["p_adjusted"] < config.alpha
            and r["effect"] > 0  # a taste declared to be less speaks for the base model
        ]
        summary.append(
            f"The fine-tuned model is preferred for {', '.join(good) or 'no taste'} by the {plan} plan (one-sided, "
            f"{name}, α = {config.alpha:g}; {data.preference['participant'].nunique()} {data.label} sessions)."
        )
    out.figures = [figures.preference(data, drawn), figures.distribution(data, drawn), figures.qq(data, drawn)]
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
        Table(
            "preference_tests",
            "Wilcoxon signed-rank tests",
            tables["tests"],
            "R's conventions; effect: matched-pairs rank-biserial correlation with 95 % bootstrap interval over participants.",
        ),
        Table("preference_normality", "Shapiro-Wilk tests", tables["normality"]),
        Table(
            "preference_bayes",
            "t-tests and Bayes factors on participants' means",
            tables["bayes"],
            "JZS prior, scale 0.707; two-sided.",
        ),
        Table(
            "preference_equivalence",
            "Equivalence (TOST)",
            tables["equivalence"],
            "Null: the mean lies outside the declared bound around no preference.",
        ),
        Table("preference_agreement", "Agreement within participants", tables["agreement"]),
        Table(
            "preference_sides",
            "Side bias",
            tables["sides"],
            "Answers to the raw slider; two-sided Wilcoxon against the middle.",
        ),
    ]
    return out


def named(rows: list[dict[str, Any]], effect: str) -> list[dict[str, Any]]:
    """Rows with their effect under its own name: the report calls an `effect` rank-biserial."""
    return [{(effect if k == "effect" else k): v for k, v in row.items()} for row in rows]


def _mixed_words(row: dict[str, Any]) -> str:
    where = "Over all tastes" if row["taste"] == "all" else f"For {row['taste']}"
    if row["p"] is None:
        return f"{where}: {row['note']}."
    after = "" if row["p_adjusted"] is None else f", after Holm {sentences.p_value(row['p_adjusted'])}"
    return (
        f"{where} the fine-tuned model scores {row['effect']:+.2f} points from the middle, 95 % CI "
        f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}], t({row['df']:.1f}) = {row['statistic']:.2f}, "
        f"{sentences.p_value(row['p'])}{after} (mixed model, {row['alternative']})."
    )
