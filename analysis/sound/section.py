"""The sound itself: distances to reference music, acoustic features."""

from __future__ import annotations

from typing import Any

from analysis.page.inputs import Inputs
from analysis.page.page import Section, Table
from analysis.page.style import NAMES
from analysis.preference.section import named
from analysis.sound import correspondences, distances, figures


def section(inputs: Inputs, summary: list[str]) -> Section | None:
    """Distances and features."""
    if not inputs.clips:
        return None
    from stimuli.features import FEATURES

    drawn, seed = inputs.out / "figures", inputs.config.seed
    tables = distances.analyse(
        inputs.clips, inputs.folder, inputs.embedders, inputs.config.reference, inputs.out / "embeddings", seed=seed
    )
    rows = tables["distances"]
    out = Section("sound", "The sound itself", how="tastelab analysis fad")
    lines = figures.extrapolation(tables["fits"], rows, drawn, inputs.data.label)
    out.figures = [figures.fad(rows, drawn, inputs.data.label), *([lines] if lines else [])]
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
    summary += _summary(rows, inputs.embedders)
    if not inputs.data.preference.empty:
        found = distances.against_preference(tables["clips"], inputs.data.preference, inputs.data.middle)
        out.tables.append(
            Table(
                "distance_preference",
                "Is the nearer clip preferred? (exploratory)",
                named(found, "difference"),
                "Points of preference for the fine-tuned clip a standard deviation nearer to the reference than the base clip "
                "(mixed model); Spearman's correlation over clips beside it.",
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
        out.figures.append(figures.features(frame, FEATURES, drawn, inputs.data.label))
        declared = correspondences.correspondences(frame)
        for row in declared:
            if row["p_adjusted"] is not None and row["feature"] == "pitch_height":
                higher = "is" if row["p_adjusted"] < inputs.config.alpha else "is not shown to be"
                name = NAMES.get(str(row["model"]), str(row["model"]))
                summary.append(
                    f"Music for {row['higher']} {higher} higher in pitch than music for {row['lower']} ({name} model: "
                    f"{row['difference']:+.1f} semitones)."
                )
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
                correspondences.feature_tests(frame, [f for f in FEATURES if f in frame]),
                "Mann-Whitney U, two-sided, Holm within feature and model.",
            ),
        ]
    return out


def _summary(rows: list[dict[str, Any]], embedders: list[str]) -> list[str]:
    overall = {(r["model"], r["embedding"]): r for r in rows if r["taste"] == "all" and r["metric"] == "FAD"}
    out = []
    for name in embedders:
        base, tuned = overall.get(("base", name)), overall.get(("finetuned", name))
        if base and tuned and base["ci_low"] is not None and tuned["ci_low"] is not None:
            out.append(
                f"FAD ({name}) to the reference music: base {base['value']:.2f} [{base['ci_low']:.2f}, {base['ci_high']:.2f}], "
                f"fine-tuned {tuned['value']:.2f} [{tuned['ci_low']:.2f}, {tuned['ci_high']:.2f}]."
            )
    return out
