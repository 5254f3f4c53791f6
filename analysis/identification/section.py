"""Which taste the music calls up: is each named for its own music, and what is it taken for."""

from __future__ import annotations

from typing import Any

from analysis.config import AnalysisConfig
from analysis.data.compared import Conditions
from analysis.identification import figures
from analysis.identification.analyse import analyse
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line, rows_on
from analysis.preference.section import named


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
        said = headline(tests, str(condition), data.conditions, config)
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
            "identification_tests", "Is a taste named more for its own music", named(tables["tests"], "log_odds"),
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


def headline(tests: list[dict[str, Any]], condition: str, conditions: Conditions, config: AnalysisConfig) -> str:
    """For which tastes of a condition it is shown that they are named more for their own music, of those that were tested."""
    known = [r for r in tests if r["p_adjusted"] is not None]
    found = [str(r["taste"]) for r in known if r["p_adjusted"] < config.alpha]
    lost = ", ".join(str(r["taste"]) for r in tests if r["p_adjusted"] is None)
    wrong, head = condition in conditions.wrong, f"Of {conditions.music(condition)} it"
    if not known:  # no test was made, which found none
        own = "the music that stands for it" if wrong else "its own music"
        return f"{head} {sentences.UNKNOWN} whether a taste is named more for {own} than for other music: {lost}."
    who, own, stands = ("it is", "its", "it") if len(found) == 1 else ("they are", "their", "them")
    music = f"the music that stands for {stands}" if wrong else f"{own} own music"
    said = (
        f"{head} is shown for {', '.join(found) or 'none'} of {sentences.many(len(known), 'taste')} that {who} named more for {music} than "
        f"for other music (mixed logit, one-sided, {config.correction.capitalize()})"
    )
    return f"{said}; it {sentences.UNKNOWN} for {lost}." if lost else f"{said}."


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
    if test["state"] == "too few":  # of clips or people, whatever they answered
        return f"{said}: too few clips or people, or no other music, for a test."
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
