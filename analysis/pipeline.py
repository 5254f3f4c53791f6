"""From a frozen snapshot and a stimulus folder to report.html: every analysis that the data allow, in order."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis import factors, figures, preference, ratings, recovery, report, robust, sound
from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.frames import StudyData, demographics, rated_clips
from analysis.provenance import fingerprint, versions, written
from analysis.report import Section, Table

if TYPE_CHECKING:
    from experiment.effects import Effects
    from stimuli.manifest import ClipRow


@dataclass
class Inputs:
    """Everything a report is made of.

    `asked` maps taste -> attribute -> words that a caption of its clips should hold; `desk` is the record of a driven
    session; `timings` are seconds per stage.
    """

    title: str
    data: StudyData
    config: AnalysisConfig
    embedders: list[str]
    clips: list[ClipRow]
    folder: Path
    out: Path
    version: str
    study_sha256: str
    asked: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    effects: Effects | None = None
    desk: dict[str, Any] | None = None
    timings: dict[str, float] = field(default_factory=dict)


def build(inputs: Inputs, progress: Callable[[int, int, str], None] | None = None) -> tuple[Path, bool]:
    """Build the report, or leave it where nothing has changed; returns its path and whether it was built."""
    path = inputs.out / "report.html"
    stamp = inputs.out / "manifest.json"
    now = fingerprint(inputs)
    if path.exists() and stamp.exists() and json.loads(stamp.read_text(encoding="utf-8")).get("fingerprint") == now:
        return path, False
    data, config = inputs.data, inputs.config
    drawn = inputs.out / "figures"
    figures.style()
    sections: list[Section] = []
    summary: list[str] = []
    steps: list[Callable[[], Section | None]] = [
        lambda: _people(data),
        lambda: _preference(data, config, drawn, summary),
        lambda: _ratings(data, config, drawn),
        lambda: _factors(data, config, drawn, summary),
        lambda: _recovery(data, inputs.effects),
        lambda: _sound(inputs, drawn, summary),
        lambda: _captions(inputs),
        lambda: _desk(inputs),
        lambda: _clips(inputs),
    ]
    for i, step in enumerate(steps):
        section = step()
        if section is not None:
            sections.append(section)
        if progress:
            progress(i + 1, len(steps), section.title if section else "")
    manifest = {
        "fingerprint": now,
        "study_sha256": inputs.study_sha256,
        "data_sha256": data.digest,
        "kind": data.kind,
        "tastelab": inputs.version,
        "libraries": versions(),
        "analysis": json.loads(config.model_dump_json()),
        "seconds_per_stage": inputs.timings,
        "clips": [
            {
                "clip": c.clip,
                "sha256": c.sha256,
                "prompt": c.prompt,
                "seed": c.seed,
                "checkpoint": c.checkpoint,
                "checkpoint_sha256": c.checkpoint_sha256,
            }
            for c in inputs.clips
        ],
    }
    report.write_report(path, inputs.title, data.label, summary, sections, manifest)
    manifest["files"] = written(inputs.out)
    stamp.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return path, True


def _people(data: StudyData) -> Section:
    rows = demographics(data.people)
    counts = data.people["status"].value_counts().to_dict()
    listed = ", ".join(f"{n} {status}" for status, n in counts.items())
    section = Section("people", "Participants", [f"{len(data.people)} sessions ({listed}), kind: {data.kind}."])
    note = "Cells under five are marked: they may identify a person."
    section.tables.append(Table("demographics", "Who took part", rows, note))
    return section


def _preference(data: StudyData, config: AnalysisConfig, drawn: Path, summary: list[str]) -> Section | None:
    if data.preference.empty:
        return None
    tables = preference.analyse(data.preference, data.middle, config)
    section = Section("preference", "Which model fits the taste better")
    robustly = robust.preference(data.preference, data.middle, config)
    mixed = robustly["tests"]
    section.text += [_mixed_words(row) for row in mixed]
    section.text.append("The seed paper's tests, which take all answers for independent:")
    for row in tables["tests"]:
        where = "Over all tastes" if row["taste"] == "all" else f"For {row['taste']}"
        if row["status"] == "exploratory" and row["taste"] != "all":
            where += f" (exploratory, {row['alternative']})"
        leaning = "fine-tuned" if row["effect"] > 0 else "base"
        section.text.append(f"{where} the answers lean to the {leaning} model: {report.apa(row)}.")
    plans = {"robust": (mixed, "mixed model, holm"), "paper": (tables["tests"], f"Wilcoxon, {config.correction}")}
    for plan in (config.plan, *(p for p in plans if p != config.plan)):
        rows, name = plans[plan]
        good = [
            r["taste"]
            for r in rows[1:]
            if r["status"] == "declared" and r["p_adjusted"] is not None and r["p_adjusted"] < config.alpha
        ]
        summary.append(
            f"The fine-tuned model is preferred for {', '.join(good) or 'no taste'} by the {plan} plan (one-sided, "
            f"{name}, α = {config.alpha:g}; {data.preference['participant'].nunique()} {data.label} sessions)."
        )
    section.figures = [figures.preference(data, drawn), figures.qq(data, drawn)]
    section.tables = [
        Table(
            "preference_mixed",
            "Mixed models: participants and clips as random effects",
            _named(mixed, "difference"),
            "Difference: mean score less the middle, points; t with Satterthwaite's df; p adjusted: Holm over tastes.",
        ),
        Table(
            "preference_effects",
            "Effect sizes and spread",
            robustly["effects"],
            "Intervals by bootstrap over participants; standard deviations of the mixed models.",
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
    return section


def _named(rows: list[dict[str, Any]], effect: str) -> list[dict[str, Any]]:
    """Rows with their effect under its own name: the report calls an `effect` rank-biserial."""
    return [{(effect if k == "effect" else k): v for k, v in row.items()} for row in rows]


def _mixed_words(row: dict[str, Any]) -> str:
    where = "Over all tastes" if row["taste"] == "all" else f"For {row['taste']}"
    if row["p"] is None:
        return f"{where}: {row['note']}."
    after = "" if row["p_adjusted"] is None else f", after Holm {report.p_value(row['p_adjusted'])}"
    return (
        f"{where} the fine-tuned model scores {row['effect']:+.2f} points from the middle, 95 % CI "
        f"[{row['ci_low']:.2f}, {row['ci_high']:.2f}], t({row['df']:.1f}) = {row['statistic']:.2f}, "
        f"{report.p_value(row['p'])}{after} (mixed model, {row['alternative']})."
    )


def _ratings(data: StudyData, config: AnalysisConfig, drawn: Path) -> Section | None:
    if data.ratings.empty:
        return None
    tables = ratings.analyse(data.ratings, data.people)
    section = Section("ratings", "What the music calls up")
    mixed: dict[str, list[dict[str, Any]]] = {"own_word": [], "own_word_ordinal": [], "prompts": []}
    if data.ratings["prompt"].nunique() > 1:
        mixed = robust.ratings(data.ratings, config)
        found = [
            r["prompt"] for r in mixed["own_word"] if r["p_adjusted"] is not None and r["p_adjusted"] < config.alpha
        ]
        if mixed["own_word"]:
            section.text.append(
                f"Of {len(mixed['own_word'])} tastes, music prompted with it calls up its own word more than the others' music "
                f"for {', '.join(found) or 'none'} (mixed models, one-sided, Holm)."
            )
    section.figures = [figures.heat_map(data, drawn), figures.correlation(data, drawn)]
    section.tables = [
        Table(
            "own_word",
            "Does a taste's music call up its word",
            _named(mixed["own_word"], "difference"),
            "Mixed models, participants and clips as random effects: mean rating less that of the other prompts' music.",
        ),
        Table(
            "own_word_ordinal",
            "The same for ordered answers",
            _named(mixed["own_word_ordinal"], "log_odds"),
            "Cumulative link mixed models (proportional odds): log odds of a higher answer.",
        ),
        Table(
            "prompts_mixed",
            "Every adjective and prompt (exploratory)",
            _named(mixed["prompts"], "difference"),
            "As above, two-sided.",
        ),
        Table(
            "anova",
            "Analysis of variance (type I)",
            tables["anova"],
            "value ~ prompt * adjective + demographics, in this order.",
        ),
        Table(
            "tukey",
            "Tukey's honest significant differences",
            tables["tukey"],
            "Error of the additive model; group1 minus group2.",
        ),
        Table("means", "Means", tables["means"]),
        Table("correlations", "Correlations of adjectives", tables["correlations"]),
        Table(
            "icc",
            "Agreement of raters",
            tables["icc"],
            "ICC(2,k) over prompts, for adjectives rated on every prompt by the same people.",
        ),
    ]
    return section


def _factors(data: StudyData, config: AnalysisConfig, drawn: Path, summary: list[str]) -> Section | None:
    if data.ratings.empty:
        return None
    section = Section("factors", "Factor analysis")
    try:
        tables = factors.analyse(data.ratings, config.factors, config.seed)
    except AnalysisError as error:
        section.text.append(f"Not run: {error}.")
        return section
    n = len(rated_clips(data.ratings))
    kept = tables["retention"][0]["n_factors"]
    used = tables["retention"][-1]["n_factors"]
    total = tables["variance"][-1]["cumulative"]
    summary.append(
        f"Parallel analysis keeps {kept} factors of the adjectives; {used} explain {100 * total:.0f} % of the variance ({n} rated clips)."
    )
    section.text += [f"{row['note']}." for row in tables["notes"]]
    section.figures = [figures.scree(tables, n, drawn, data.label), figures.loadings(tables, n, drawn, data.label)]
    names = {
        "adequacy": "Is the matrix fit for factor analysis?",
        "variance": "Variance explained",
        "loadings": "Pattern loadings",
        "phi": "Correlations of factors",
        "scores_by_prompt": "Mean factor scores by prompt",
    }
    section.tables = [Table(f"factors_{k}", title, tables[k]) for k, title in names.items()]
    return section


def _recovery(data: StudyData, effects: Effects | None) -> Section | None:
    if data.kind != "bot" or effects is None:
        return None
    tables = recovery.analyse(data, effects)
    section = Section(
        "recovery",
        "Declared and recovered effects",
        [
            f"The simulated participants followed the effects declared in '{effects.name}'. Clip effects are random and shared "
            "by all participants, so a taste's mean may lie off its declared value by about their size."
        ],
    )
    section.tables = [
        Table("recovery_preference", "Mean preference", tables["preference"]),
        Table(
            "recovery_ratings",
            "Mean ratings",
            tables["ratings"],
            "Correlation and differences over prompt x adjective cells.",
        ),
    ]
    return section


def _sound(inputs: Inputs, drawn: Path, summary: list[str]) -> Section | None:
    if not inputs.clips:
        return None
    from analysis import fad
    from stimuli.features import FEATURES

    tables = fad.analyse(
        inputs.clips,
        inputs.folder,
        inputs.embedders,
        inputs.config.reference,
        inputs.out / "embeddings",
        seed=inputs.config.seed,
    )
    rows = tables["distances"]
    section = Section("sound", "The sound itself")
    section.figures.append(figures.fad(rows, drawn))
    section.tables.append(
        Table(
            "fad",
            "Fréchet Audio Distance",
            rows,
            "Where frames are fewer than dimensions (rank deficient), the covariance is not full and the value is an upper guide only.",
        )
    )
    overall = {(r["model"], r["embedding"]): r for r in rows if r["taste"] == "all"}
    for name in inputs.embedders:
        base, tuned = overall.get(("base", name)), overall.get(("finetuned", name))
        if base and tuned:
            summary.append(
                f"FAD ({name}) to the held-out taste set: base {base['value']:.2f} [{base['ci_low']:.2f}, {base['ci_high']:.2f}], "
                f"fine-tuned {tuned['value']:.2f} [{tuned['ci_low']:.2f}, {tuned['ci_high']:.2f}]."
            )
    frame = sound.feature_frame(inputs.clips)
    if not frame.empty and frame["taste"].astype(bool).any():
        section.figures.append(figures.features(frame, FEATURES, drawn))
        tests = sound.feature_tests(frame, ["tempo", "pitch_height", "centroid", "roughness", "gaps"])
        section.tables.append(
            Table(
                "feature_tests",
                "Features between tastes",
                tests,
                "Mann-Whitney U, Holm-corrected within feature and model.",
            )
        )
    return section


def _captions(inputs: Inputs) -> Section | None:
    rows = sound.caption_check(inputs.clips, inputs.asked)
    if not rows:
        return None
    text = [
        "Captions are written from the sound alone. A share far above that of the other tastes' clips means that the attribute is audible."
    ]
    return Section(
        "captions",
        "Do captions say what prompts asked for",
        text,
        tables=[Table("captions", "Manipulation check", rows)],
    )


def _desk(inputs: Inputs) -> Section | None:
    if not inputs.desk:
        return None
    d = inputs.desk
    section = Section(
        "session",
        "A real session on a virtual desk",
        [
            f"One PsychoPy session ran on a virtual screen and sound card, answered by mouse: {d['answers']} answers given, "
            f"{d['matching']} stored exactly as given. The sound card's output was recorded and held against the files."
        ],
    )
    section.tables.append(
        Table(
            "desk_audio",
            "Captured audio against stimulus",
            d["audio"],
            "r: correlation at the best lag; error: largest absolute difference (full scale 1).",
        )
    )
    return section


def _clips(inputs: Inputs) -> Section | None:
    if not inputs.clips:
        return None
    cards = []
    for c in sorted(inputs.clips, key=lambda c: (c.taste, c.number, c.model)):
        relative = Path("stimuli") / c.file
        title = f"{c.taste} {c.number + 1}, {figures.NAMES.get(c.model, c.model)}" if c.taste else c.clip
        cards.append({"title": title, "caption": c.caption, "src": relative.as_posix()})
    text = [
        f"{len(inputs.clips)} clips, {inputs.clips[0].seconds:g} s, {inputs.clips[0].loudness:.1f} LUFS; the text is the captioner's."
    ]
    return Section("clips", "Listen", text, html=report.players(cards))
