"""The chapter "As the seed paper did it": its tests on its rows, and what they assume."""

from __future__ import annotations

from typing import Any

from analysis.data.complete import MODEL, paper_rows
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line
from analysis.preference import figures
from analysis.preference import paper as choices
from analysis.preference.pairs import by_pair
from analysis.preference.section import sides_of_row
from analysis.ratings import paper as ratings

ASSUMES = (
    "These are the tests of the seed paper (arXiv 2503.02823), on the rows that it analysed. They take all answers for independent, "
    "those of one person and those about one clip too: where people or clips differ they find what is not there more often than "
    "their p says. What this study found stands in the chapters before."
)
ANOVA = "The analysis of variance counts every answer of a person as if another person had given it."
ABOUT = (
    "Its terms about people ({}) are no findings: in 87 % of data sets in which what people say of themselves was shuffled between them, some "
    "such term came out as significant."
)
WRONG = (
    "Music of wrong prompts is left out of Tukey's comparisons and of the analysis of variance: it was asked for other tastes than those "
    "that it stands for."
)


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """The paper's tests of both tasks."""
    data, config = inputs.data, inputs.config
    rows = paper_rows(data)
    if not rows.flow:
        return None
    out = Section(
        "seed-paper",
        "As the seed paper did it",
        [Line(ASSUMES)],
        how="tastelab analysis preference | ratings --plan paper",
    )
    out.tables.append(
        Table("paper_flow", "Who is in which analysis", rows.flow, "Rows: choices of task 1, rated clips of task 2.")
    )
    if not rows.choices.empty:
        found = by_pair(rows.choices, lambda part: choices.analyse(part, data.middle, config))
        for k, row in enumerate(found["tests"]):
            row["apa"] = sentences.apa(row) if row["p"] is not None else ""
            out.text.append(Line(sentences.ranked(row, sides_of_row(data, row), config.alpha), f"preference_tests.{k}"))
        quantiles = figures.qq(data, inputs.out / "figures")
        out.figures += [quantiles] if quantiles else []
        out.tables += [
            Table(
                "preference_tests", "Wilcoxon signed-rank tests", found["tests"],
                f"R's conventions; n ranked: answers off the middle, which the test ranks; p adjusted: {config.correction.capitalize()} over the tastes; effect: matched-pairs rank-biserial "
                "correlation with a two-sided 95 % bootstrap interval over participants, beside one-sided p too.",
            ),
            Table("preference_normality", "Shapiro-Wilk tests", found["normality"]),
            Table("preference_agreement", "Agreement within participants", found["agreement"]),
            Table(
                "preference_sides", "Side bias", found["sides"],
                "Answers to the raw slider; two-sided Wilcoxon against the middle.",
            ),
        ]  # fmt: skip
    elif not data.preference.empty:
        out.text.append("Task 1: not run, nobody has made all choices and given demographics.")
    if not rows.rated.empty:
        if len(data.conditions.own(rows.rated)) < len(rows.rated):
            out.text.append(WRONG)
        found = ratings.analyse(rows.rated, data.people, data.conditions.wrong)
        about = [str(r["term"]).replace("_", " ") for r in found["anova"] if r["term"] in MODEL]
        out.text.append(Line(f"{ANOVA} {ABOUT.format(', '.join(about))}" if about else ANOVA))
        _of_ratings(out, found)
    elif not data.ratings.empty:
        out.text.append("Task 2: not run, nobody has rated all clips.")
    return out


def _of_ratings(out: Section, found: dict[str, list[dict[str, Any]]]) -> None:
    out.text += [f"{row['note'][0].upper()}{row['note'][1:]}." for row in found["notes"]]
    rest = float(found["anova"][-1]["df"]) if found["anova"] else 0.0
    for row in found["anova"]:
        row["apa"] = sentences.apa_anova(row, rest)
    out.tables += [
        Table(
            "anova",
            "Analysis of variance (type I)",
            found["anova"],
            "value ~ prompt * adjective + demographics, in this order.",
        ),
        Table(
            "tukey",
            "Tukey's honest significant differences",
            found["tukey"],
            "Error of the additive model; group1 minus group2.",
        ),
    ]
