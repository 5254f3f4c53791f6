"""Factor analysis as the paper did it, and how far it can be trusted."""

from __future__ import annotations

from typing import Any

from analysis.data.frames import rated_clips
from analysis.errors import AnalysisError
from analysis.factors import figures, paper, trust
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line

PAPER = {
    "retention": "How many factors",
    "adequacy": "Is the matrix fit for factor analysis?",
    "variance": "Variance explained",
    "loadings": "Pattern loadings",
    "phi": "Correlations of factors",
    "scores_by_prompt": "Mean factor scores by prompt",
}
NOTES = {
    "variance": "Sums of squared pattern loadings, their shares and these added up, as R prints them beside loadings. Factors that correlate "
    "share variance, which these leave out: phi-weighted, as psych has it, they add up to what all of them explain.",
}


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Factors of the adjectives."""
    data, config, drawn = inputs.data, inputs.config, inputs.out / "figures"
    if data.ratings.empty:
        return None
    out = Section("factors", "Factor analysis", how="tastelab analysis factors --plan paper | robust")
    try:
        tables = paper.analyse(data.ratings, config.factors, config.seed, wrong=data.conditions.wrong)
    except AnalysisError as error:
        out.text.append(f"Not run: {error}.")
        return out
    n = len(rated_clips(data.ratings))
    kept = tables["retention"][0]["n_factors"]
    used = tables["retention"][-1]["n_factors"]
    said = f"{_retained(kept, used, config.factors)} {100 * explained(tables):.0f} % of the variance ({n} rated clips)."
    summary.append(Line(said, "factors_retention", "factors_variance", "@complete"))
    out.text += [f"{row['note']}." for row in tables["notes"]]
    structure = trust.analyse(data, used, config.groups, config.seed)
    out.text += [f"{row['note']}." for row in structure["notes"]]
    if len(data.conditions.own(data.ratings)) < len(data.ratings):
        out.text.append(
            "Factors are of all that was rated; scores by prompt leave out music of wrong prompts, for it was asked for other tastes than "
            "those that it stands for."
        )
    two = figures.biplots(tables, len(tables["scores"]), drawn, data.label)
    out.figures = [
        figures.scree(tables, n, drawn, data.label),
        figures.loadings(tables, n, drawn, data.label),
        figures.diagram(tables, n, drawn, data.label),
        *([two] if two else []),
    ]
    if structure["loading_intervals"]:
        out.figures.append(figures.intervals(structure["loading_intervals"], n, drawn, data.label))
    out.tables = [Table(f"factors_{k}", title, tables[k], NOTES.get(k, "")) for k, title in PAPER.items()]
    out.tables += [
        Table(
            "factors_loading_intervals",
            "Loadings with intervals",
            structure["loading_intervals"],
            "Bootstrap over participants, each solution aligned with the whole sample's.",
        ),
        Table(
            "factors_reliability",
            "Reliability of all items",
            structure["reliability"],
            "Omega (hierarchical, total) by the Schmid-Leiman solution over minres factors, as psych::omega; Cronbach's alpha.",
        ),
        Table(
            "factors_subscales",
            "Reliability of the factors' items",
            structure["subscales"],
            "Items by their largest loading, from .4 on; a minus sign: reversed.",
        ),
        Table(
            "factors_second_order",
            "Factors above the factors",
            structure["second_order"],
            "As psych::fa.multi: minres at both levels. Not identified: more unknowns than correlations, as with the seed "
            "paper's two factors over four; its loadings are one of many equally good solutions.",
        ),
        Table(
            "factors_groups",
            "The same factors in two groups?",
            structure["groups"],
            "Tucker's congruence (over .95 equal, .85 to .94 similar); p: people shuffled between the groups agree as little.",
        ),
        Table(
            "factors_invariance",
            "Measurement invariance",
            structure["invariance"],
            "Multi-group factor models: same items (configural), same loadings (metric), same intercepts (scalar). A step holds "
            "while CFI falls by .01 at most; configural from CFI .90 on. p by permutation of people: clips of one person are "
            "not independent.",
        ),
    ]
    try:
        ordered = paper.analyse(data.ratings, config.factors, config.seed, ordinal=True)
    except AnalysisError as error:
        out.text.append(f"On polychoric correlations: not run, {error}.")
        return out
    other = ordered["retention"][0]["n_factors"]
    said = (
        f"Taken as ordered answers (polychoric correlations), parallel analysis keeps {other or 'no'} factor{'s' * (other > 1)}"
        f"{', as many' if other == kept else f' instead of {kept}'}."
    )
    out.text.append(Line(said, "factors_ordinal_retention", "factors_retention"))
    out.tables += [
        Table("factors_ordinal_retention", "How many factors of ordered answers", ordered["retention"]),
        Table(
            "factors_ordinal_loadings",
            "Pattern loadings on polychoric correlations",
            ordered["loadings"],
            "Random data of the parallel analysis: the same answers, every column shuffled.",
        ),
    ]
    return out


def explained(tables: dict[str, list[dict[str, Any]]]) -> float:
    """The share of the items' variance that all factors explain together, correlated as they are: their mean communality."""
    return float(sum(row["phi_weighted"] for row in tables["variance"]) / len(tables["loadings"]))


def _retained(kept: int, used: int, asked: int | str) -> str:
    """How many factors parallel analysis keeps, and by whose rule others are used."""
    verb = "explains" if used == 1 else "explain"
    factors = f"{kept or 'no'} factor{'s' if kept > 1 else ''}"
    if kept == used:
        return f"Parallel analysis keeps {factors} of the adjectives, which {verb}"
    if asked != "parallel":
        why = f"the study file asks for {used}"
    elif kept > used:
        why = f"the adjectives carry {used} at most"
    else:
        why = f"{used} is taken nevertheless"
    return f"Parallel analysis keeps {factors}; {why}, which {verb}"
