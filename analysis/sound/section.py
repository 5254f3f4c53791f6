"""The sound itself: distances to reference music, acoustic features."""

from __future__ import annotations

from typing import Any

import numpy as np

from analysis.data.compared import Conditions
from analysis.engines.ranks import rank_sum
from analysis.kept import Kept
from analysis.page import sentences
from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.standing import Line, rows_on
from analysis.preference.section import named
from analysis.sound import correspondences, distances, figures, intervals


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Distances and features."""
    if not inputs.clips:
        return None
    from stimuli.features import FEATURES

    drawn, seed, known = inputs.out / "figures", inputs.config.seed, inputs.data.conditions
    tables = distances.analyse(
        inputs.clips,
        inputs.folder,
        inputs.embedders,
        inputs.config.reference,
        inputs.out / intervals.CACHE,
        seed=seed,
        conditions=known,
        kept=Kept(inputs.out / intervals.KEPT),
    )
    rows = tables["distances"]
    out = Section("sound", "The sound itself", how="tastelab analysis fad")
    lines = figures.extrapolation(tables["fits"], rows, drawn, known, inputs.data.label)
    out.figures = [figures.fad(rows, drawn, known, inputs.data.label), *([lines] if lines else [])]
    out.tables.append(
        Table(
            "fad",
            "Distances to the reference music",
            rows,
            "FAD with bootstrap interval over clips; FAD-infinity: extrapolated to infinitely many clips (interval of the line); "
            "KAD: 100 times the unbiased squared maximum mean discrepancy. Where frames are fewer than dimensions (rank "
            "deficient) the covariance is not full and FAD an upper guide only.",
            [
                "metric", "embedding", "model", "taste", "n", "n_reference", "n_frames", "seconds", "value", "ci_low", "ci_high",
                "rank_deficient", "r_squared",
            ],
        )
    )  # fmt: skip
    summary += _summary(rows, inputs.embedders, known)
    if not inputs.data.preference.empty:
        found = distances.against_preference(tables["clips"], inputs.data.preference, inputs.data.middle)
        out.tables.append(
            Table(
                "distance_preference",
                "Does the nearer clip fit better? (exploratory)",
                named(found, "difference"),
                "Points towards the clip that a high score speaks for, a standard deviation nearer to the reference than the "
                "other (mixed model); Spearman's correlation over clips beside it.",
            )
        )
    out.tables.append(
        Table(
            "clip_distances",
            "Distance of each clip",
            tables["clips"],
            "Rank deficient: compare within an embedding only.",
        )
    )
    frame = correspondences.feature_frame(inputs.clips)
    if not frame.empty and frame["taste"].astype(bool).any():
        out.figures.append(figures.features(frame, FEATURES, drawn, known, inputs.data.label))
        declared = correspondences.correspondences(frame, known)
        for row in declared:
            if row["p_adjusted"] is not None and row["feature"] == "pitch_height":
                family = sum(other["model"] == row["model"] for other in declared)
                said = pitch(row, family, inputs.config.alpha, known)
                summary.append(Line(said, *rows_on("correspondences", declared, [row])))
        out.tables += [
            Table(
                "correspondences",
                "Published correspondences in the clips",
                declared,
                "One-sided Mann-Whitney U in the published direction, Holm within a model.",
            ),
            Table(
                "feature_tests",
                "Features between tastes",
                correspondences.feature_tests(frame, [f for f in FEATURES if f in frame], known),
                "Mann-Whitney U, two-sided, Holm within feature and model.",
            ),
        ]
    return out


def pitch(row: dict[str, Any], family: int, alpha: float, conditions: Conditions) -> str:
    """Whether one taste's music is higher in pitch than another's, from a row of `correspondences`; `family`: tests of its condition.

    Where not even clips without any overlap would pass the corrected test, that is said in place of a result.
    """
    whose, counts = conditions.spoken(str(row["model"])), f"{row['n1']} and {row['n2']} clips"
    found = f"{whose}: {row['difference']:+.1f} semitones, {counts}"
    least = rank_sum(np.arange(row["n1"]) + row["n2"], np.arange(row["n2"]), "greater")[1] * family
    about = f"higher in pitch than music for {row['lower']}"
    if row["p_adjusted"] < alpha:
        return f"Music for {row['higher']} is {about} ({found})."
    if least >= alpha:
        return f"{counts} are too few to show whether music for {row['higher']} is {about} ({whose}: {row['difference']:+.1f} semitones)."
    p = sentences.p_value(row["p_adjusted"])
    return f"Whether music for {row['higher']} is {about} is undecided ({found}, one-sided corrected {p})."


def _summary(rows: list[dict[str, Any]], embedders: list[str], conditions: Conditions) -> list[str]:
    overall = {(r["model"], r["embedding"]): r for r in rows if r["taste"] == "all" and r["metric"] == "FAD"}
    out: list[str] = []
    for name in embedders:
        there = conditions.order(model for model, embedding in overall if embedding == name)
        found = [(conditions.label(model), overall[model, name]) for model in there]
        told = [
            f"{label} {r['value']:.2f} [{r['ci_low']:.2f}, {r['ci_high']:.2f}]"
            for label, r in found
            if r["ci_low"] is not None
        ]
        if len(told) > 1:
            on = rows_on("fad", rows, [r for _, r in found])
            out.append(Line(f"FAD ({name}) to the reference music: {', '.join(told)}.", *on))
    return out
