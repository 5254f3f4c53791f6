"""Who took part, who was left out, and who may have answered without listening."""

from __future__ import annotations

from analysis.agreement.repeats import reliability
from analysis.data import careless
from analysis.data.frames import demographics
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line
from analysis.preference import sensitivity


def section(inputs: Inputs, summary: list[str]) -> Section:
    """Participants."""
    data = inputs.data
    counts = data.people["status"].value_counts().to_dict()
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    out = Section(
        "people", "Participants", [Line(f"{len(data.people)} sessions ({listed}), kind: {data.kind}.", "flow")]
    )
    lost = sum(len(v) for v in inputs.excluded.values())
    if lost:
        rules = ", ".join(f"{rule} ({len(who)})" for rule, who in inputs.excluded.items() if who)
        summary.append(Line(f"Left out by the study file's rules: {lost} participants: {rules}.", "flow"))
    marks = careless.analyse(data, inputs.config.exclude)
    who = {row["participant"] for row in marks["marked"]}
    out.tables = [
        Table("flow", "From sessions to analyses", careless.flow(data, inputs.excluded)),
        Table(
            "demographics",
            "Who took part",
            demographics(data.people) + data.special,
            "Cells under five, which may identify a person, have no count, nor has what they would follow from. Special "
            "categories are counted over everybody with answers, whomever rules leave out: they are not kept by person.",
        ),
        Table(
            "careless",
            "Signs of answering without listening",
            marks["careless"],
            "Marked people are analysed unless the study file's [analysis.exclude] says otherwise.",
        ),
    ]
    if not data.repeats.empty and data.identification.empty:  # else they stand beside what was identified
        out.tables.append(
            Table(
                "repeats",
                "The same heard again",
                reliability(data.repeats),
                "Hidden repeats: share of equal answers, chance and Cohen's kappa; ICC(2,1) of numbers.",
            )
        )
    if who and len(who) < len(data.people) - 5 and not data.preference.empty:
        out.tables.append(
            Table(
                "without_marked",
                "Task 1 with and without the marked",
                sensitivity.with_and_without(data, who, inputs.config),
                "Tests over all tastes by the mixed model, one a pair of conditions; difference in points from the middle.",
            )
        )
    return out
