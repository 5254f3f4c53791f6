"""Do the ratings of a track follow what it was made or chosen to call up: the declared targets against the mean ratings."""

from __future__ import annotations

from typing import Any

from analysis.agreement.agreement import PERMUTATIONS, against
from analysis.errors import AnalysisError
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line

NOTES = {
    "agreement_tests": "Mantel (1967) and PROTEST (Jackson 1995) on z-scores; permutation: mean distance of ratings to their own target, "
    "targets dealt to the tracks anew. p one-sided, by permutations.",
    "agreement_correlations": "Pearson, over tracks.",
    "agreement_vectors": "z-scores (ratings by the mean and sd of single answers, targets over tracks); rank: how many targets lie "
    "nearer to the ratings than the track's own, plus one; chance: share of the targets that are the nearest, several where tracks share one.",
    "agreement_pca": "Principal components of the mean ratings and of the targets.",
}
TITLES = {
    "agreement_tests": "Ratings against targets",
    "agreement_correlations": "Word by word",
    "agreement_vectors": "Track by track",
    "agreement_pca": "Components",
}


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Ratings against the study file's targets; None where it declares none or nothing was rated."""
    data, config = inputs.data, inputs.config
    if config.targets is None or data.ratings.empty:
        return None
    how = f"tastelab analysis agreement --targets {config.targets.name}"
    out = Section("agreement", "Do the ratings follow their targets", how=how)
    try:
        found = against(data, config.targets, PERMUTATIONS, config.seed)
    except AnalysisError as error:
        out.text = [f"Ratings and targets could not be compared: {error}."]
        summary.append(out.text[0])
        return out
    tests = {row["test"]: row for row in found["tests"]}
    out.text = [
        Line(follows(tests["permutation"], config.alpha), "agreement_tests"),
        Line(word_by_word(found["correlations"]), "agreement_correlations"),
        Line(nearest(found["vectors"]), "agreement_vectors"),
        Line(alike(tests["mantel"], config.alpha), "agreement_tests"),
    ]  # fmt: skip
    out.text += [f"{row['note'][0].upper()}{row['note'][1:]}." for row in found["notes"]]
    summary.append(out.text[0])
    out.tables = [
        Table(f"agreement_{name}", TITLES[f"agreement_{name}"], found[name], NOTES[f"agreement_{name}"])
        for name in ("tests", "correlations", "vectors", "pca")
    ]
    return out


def follows(row: dict[str, Any], alpha: float) -> str:
    """Whether ratings lie nearer to their own targets than targets dealt anew would, as a sentence."""
    claim = "on average the ratings of a track lie nearer to its own target than to one dealt at random"
    told = f"mean distance {row['statistic']:.2f} (z-scores)" if row["p"] is not None else ""
    return _claimed(row, alpha, claim, told, f"{row['n']} tracks, {row['permutations']:,} permutations")


def alike(row: dict[str, Any], alpha: float) -> str:
    """Whether tracks with like targets are rated alike, as a sentence."""
    told = f"Mantel's r = {row['statistic']:.2f}" if row["p"] is not None else ""
    return _claimed(row, alpha, "tracks with like targets are rated alike", told)


def _claimed(row: dict[str, Any], alpha: float, claim: str, told: str, *more: str) -> str:
    """A claim where the test's p carries it, else that it is not shown; where there is no p, why."""
    if row["p"] is None:
        return f"Whether {claim} can't be told: {row['state']}."
    shown = f"{claim[0].upper()}{claim[1:]}" if row["p"] < alpha else f"It is not shown that {claim}"
    return f"{shown}: {', '.join([told, sentences.p_value(row['p']), *more])}."


def word_by_word(rows: list[dict[str, Any]]) -> str:
    """How mean ratings and targets go together over tracks, for each word, as a sentence."""
    told = ", ".join(f"{row['item']} {row['r']:.2f}" for row in rows)
    return f"Over tracks, ratings and targets correlate: {told}."


def nearest(vectors: list[dict[str, Any]]) -> str:
    """How many tracks' ratings have no other target nearer than their own, beside chance: more than one where tracks share targets."""
    hits, chance = sum(row["rank"] == 1 for row in vectors), sum(row["chance"] for row in vectors)
    shown = f"{chance:.1f}".removesuffix(".0")
    return (
        f"Of {len(vectors)} tracks {hits} {'is' if hits == 1 else 'are'} rated nearest to {'its' if hits == 1 else 'their'} own target; "
        f"by chance it would be {'one' if shown == '1' else shown}."
    )
