"""Task 2: what the music calls up, how far listeners agree, and by way of which feeling."""

from __future__ import annotations

from typing import Any

from analysis.data.complete import paper_rows
from analysis.errors import AnalysisError
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line
from analysis.preference import robust
from analysis.preference.section import named
from analysis.ratings import figures, mediation, paper
from analysis.sound import correspondences

CAUSES = ("tempo", "pitch_height", "centroid", "roughness")


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Task 2."""
    data, config, drawn = inputs.data, inputs.config, inputs.out / "figures"
    if data.ratings.empty:
        return None
    out = Section("ratings", "What the music calls up", how="tastelab analysis ratings --plan robust")
    tables = paper.described(data.ratings)
    rated = paper_rows(data).rated
    mixed: dict[str, list[dict[str, Any]]] = {"own_word": [], "own_word_ordinal": [], "prompts": []}
    own = data.conditions.own(data.ratings)
    if own["prompt"].nunique() > 1:
        mixed = robust.ratings(own, config)
        if mixed["own_word"]:
            said = Line(
                sentences.own_words(mixed["own_word"], config.alpha, data.conditions.of_a_taste(set(own["model"]))),
                "own_word",
            )
            summary.append(said)
            out.text.append(said)
    if len(own) < len(data.ratings):
        out.text.append(
            "Music of wrong prompts is left out of these tests, for it was asked for other tastes than those that it stands for; means, "
            "figures and agreement are of all that was rated."
        )
    if len(heard := figures.rated_conditions(data, own)) > 1:
        out.text.append(f"Conditions are not told apart here: ratings of {' and '.join(heard)} are taken together.")
    out.figures = [figures.heat_map(data, drawn), figures.correlation(data, drawn)]
    out.tables = [
        Table(
            "own_word",
            "Does a taste's music call up its word",
            named(mixed["own_word"], "difference"),
            "Mixed models, participants and clips as random effects: mean rating less that of the other prompts' music.",
        ),
        Table(
            "own_word_ordinal",
            "The same for ordered answers",
            named(mixed["own_word_ordinal"], "log_odds"),
            "Cumulative link mixed models (proportional odds): log odds of a higher answer.",
        ),
        Table(
            "prompts_mixed",
            "Every adjective and prompt (exploratory)",
            named(mixed["prompts"], "difference"),
            "As above, two-sided.",
        ),
        Table("means", "Means", tables["means"]),
        Table("correlations", "Correlations of adjectives", paper.correlations(rated), "Of completely rated clips."),
        Table(
            "icc",
            "Agreement of listeners on the clips",
            tables["icc"],
            "ICC(2,1) of one listener and ICC(2,k) of the mean of k, from the variances of a crossed mixed model.",
        ),
    ]
    return out


def mediation_section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Valence, arousal and temperature between music and taste."""
    data, config = inputs.data, inputs.config
    features = correspondences.feature_frame(inputs.clips)
    by_clip = None
    if not features.empty:
        by_clip = features.set_index("clip")[[f for f in CAUSES if f in features]]
    if data.ratings.empty:
        return None
    try:
        rows = mediation.of_study(data, by_clip, config)
    except AnalysisError as error:
        return Section("mediation", "From music to taste by way of feeling", [f"Not run: {error}."])
    if not rows:
        return None
    between = list(dict.fromkeys(str(r["mediator"]) for r in rows))
    asked = [name for name in between if name in set(data.affect["item"])]
    words = [name for name in between if name not in asked]
    how = " and ".join(
        f"{', '.join(names)}{as_told}"
        for names, as_told in ((asked, " as people answered"), (words, " by the words that stand for it"))
        if names
    )
    left_out = (
        " Music of wrong prompts is left out: it was asked for other tastes than those that it stands for."
        if len(data.conditions.own(data.ratings)) < len(data.ratings)
        else ""
    )
    out = Section(
        "mediation",
        "From music to taste by way of feeling",
        [
            f"Exploratory. Between the music and the taste word {'stands' if len(between) == 1 else 'stand'} {how}; slopes are within "
            "people, intervals over people. The clips are taken as they are: this is about these clips, and a pattern of "
            f"covariance is no proof of cause.{left_out}"
        ],
        how="tastelab analysis mediation",
    )
    n = int(rows[0]["n"])
    if any(r["music"] == "prompt" for r in rows):
        out.figures.append(figures.mediation(rows, n, inputs.out / "figures", data.label))
    out.tables = [
        Table(
            "mediation",
            "Indirect effects",
            rows,
            "music: the prompt's taste (1 or 0), or a feature of the clip in standard deviations. a: on the feeling; b: of the "
            "feeling on the word; reversed: with feeling and word exchanged.",
            columns=[k for k in rows[0] if k != "status"],  # the text says that all of it is exploratory
        )
    ]
    return out
