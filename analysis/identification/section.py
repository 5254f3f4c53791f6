"""Which taste the music calls up: is each named for its own music, and what is it taken for."""

from __future__ import annotations

from typing import Any

from analysis.data.compared import Conditions
from analysis.identification import figures
from analysis.identification.analyse import analyse
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line, rows_on


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """The identification task; None where nobody was asked."""
    data, config = inputs.data, inputs.config
    if data.identification.empty:
        return None
    tables = analyse(data.identification, data.repeats, config)
    out = Section("identification", "Which taste the music calls up", how="tastelab analysis identification")
    for condition in dict.fromkeys(r["condition"] for r in tables["tests"]):
        tests = [r for r in tables["tests"] if r["condition"] == condition]
        shares = {r["taste"]: r for r in tables["accuracy"] if r["condition"] == condition}
        for row in tests:
            share = shares[row["taste"]]
            on = rows_on("identification_tests", tables["tests"], [row])
            on += rows_on("identification_accuracy", tables["accuracy"], [share])
            out.text.append(Line(told(row, share, config.alpha, data.conditions), *on))
        found = [r["taste"] for r in tests if r["p_adjusted"] is not None and r["p_adjusted"] < config.alpha]
        one = len(found) == 1
        stands, own = ("it", "its own music") if one else ("them", "their own music")
        own = f"the music that stands for {stands}" if condition in data.conditions.wrong else own
        said = (
            f"Of {data.conditions.music(str(condition))}, {len(found)} of {len(tests)} tastes {'is' if one else 'are'} named more for "
            f"{own} than for other music{': ' + ', '.join(found) if found else ''} (mixed logit, one-sided, {config.correction.capitalize()})."
        )
        summary.append(Line(said, *rows_on("identification_tests", tables["tests"], tests)))
    people = int(data.identification["participant"].nunique())
    out.figures = [figures.heat_maps(tables["confusion"], people, inputs.out / "figures", data.label)]
    out.tables = [
        Table(
            "identification_accuracy", "How often each taste was named for its own music", tables["accuracy"],
            "Interval: for other people and other clips. Chance: how often it was named for other music. d': half an answer "
            "added to each cell.",
        ),
        Table(
            "identification_tests", "Is a taste named more for its own music", tables["tests"],
            "Mixed logit: people and clips as random effects; log odds; t with clips - 2 degrees of freedom.",
        ),
        Table(
            "identification_unbiased", "Unbiased hit rates", tables["unbiased"],
            "Wagner (1993): hits squared over times asked times times named, beside its own chance.",
        ),
        Table("identification_similarity", "How alike the tastes' music is", tables["similarity"], "Luce's choice model; 1: not told apart."),
        Table("identification_bias", "How readily each taste is named", tables["bias"], "Luce's choice model; they sum to 1."),
        Table("identification_choice_model", "Fit of the choice model", tables["choice_model"]),
        Table("identification_confusion", "Counts", tables["confusion"]),
        Table(
            "identification_reliability", "The same clip heard again", tables["reliability"],
            "Hidden repeats: share of equal answers, chance and Cohen's kappa; ICC(2,1) of numbers.",
        ),
    ]  # fmt: skip
    out.tables = [t for t in out.tables if t.rows]
    return out


def told(test: dict[str, Any], share: dict[str, Any], alpha: float, conditions: Conditions = Conditions()) -> str:
    """A taste's result as a sentence, from its rows alone: it claims a difference where the corrected p carries it."""
    name = str(test["condition"])
    how = (
        "Music asked for other tastes that stands"
        if name in conditions.wrong
        else "Music chosen"
        if name in conditions.tracks
        else "Music made"
    )
    where = f"{how} for {test['taste']} ({conditions.label(name)})"
    said = f"{where} was named so in {100 * share['share']:.0f} % of {share['n']} answers"
    if share["chance"] is not None:
        said += f", other music in {100 * share['chance']:.0f} %"
    if test["state"] == "one answer":
        return f"{said}: it was named always or never, so that nothing can be told from it."
    if test["p_adjusted"] is None:
        return f"{said}: {sentences.state_words(test['state']) or test['state']}, no test."
    # One-sided: what is named less is no more, and no interval that leaves out zero stands beside "no difference".
    verdict = "more than other music" if test["p_adjusted"] < alpha else "not shown to be more"
    p = sentences.p_value(test["p_adjusted"])
    if test["state"] == "separated":
        return f"{said}: {verdict} ({p}, corrected; the odds have no bound)."
    words = sentences.state_words(test["state"])
    return (
        f"{said}: {verdict} (log odds {test['effect']:+.2f} {sentences.interval(test['ci_low'], test['ci_high'])}, one-sided {p}, corrected)"
        f"{'; ' + words if words else ''}."
    )
