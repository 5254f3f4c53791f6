"""tastelab analysis ..."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastelab.context import (
    definition_of,
    open_store,
    progress,
    read_study,
    say,
    show,
    stimuli_folder,
    told_clips,
)
from tastelab.errors import UserError
from tastelab.options import (
    Answers,
    Clips,
    EffectsOption,
    KindOption,
    Place,
    PlanOption,
    QuietOption,
    SeedOption,
    Shown,
    grouped,
)

if TYPE_CHECKING:
    from analysis.data.frames import StudyData
    from tastelab.study import Study

app = typer.Typer(no_args_is_help=True)


def load_data(
    study: Study, db: str, kind: str | None, snapshot: Path | None = None, quiet: bool = True, whole: bool = False
) -> StudyData:
    """Read a study's answers from a snapshot, or from the live database (and say so).

    Without those whom the study file's rules leave out, unless `whole`.
    """
    from analysis.data import careless

    if snapshot is not None:
        from analysis.data.freeze import thaw

        data = thaw(snapshot)
    else:
        from analysis.data.frames import load

        with open_store(db, new=False) as store:
            data = load(store.engine, study.name, kind)
        say(f"live database, {data.label}, data {data.digest[:12]}", quiet)
    if whole:
        return data
    data, left_out = careless.apply(data, study.analysis.exclude)
    gone = sum(len(who) for who in left_out.values())
    if gone:
        say(f"{gone} participants left out by the study file's rules", quiet)
    return data


def load_answers(study: Study, answers: Answers, shown: Shown) -> StudyData:
    """Read the answers that a command's options name; says what they are where a person reads."""
    return load_data(study, answers.db, answers.kind, answers.snapshot, shown.as_json)


def chosen_plan(plan: str | None, default: str, known: tuple[str, ...] = ("robust", "paper")) -> str:
    """The plan that is asked for, or the study's, if there is such a one here."""
    chosen = plan or (default if default in known else known[0])
    if chosen not in known:
        raise UserError(f"--plan {plan!r} is not known here; there is: {', '.join(known)}")
    return chosen


@app.command()
@grouped
def freeze(place: Place, *, kind: KindOption = None) -> None:
    """Freeze a study's answers into a checksummed snapshot."""
    from tastelab.report import frozen

    _, folder = frozen(read_study(place.study), place.db, place.out, kind)
    say(f"frozen in {folder}")


@app.command()
@grouped
def preference(
    answers: Answers,
    *,
    plan: PlanOption = None,
    correction: Annotated[str | None, typer.Option("--correction", help="bonferroni or holm.")] = None,
    seed: SeedOption = None,
    shown: Shown,
) -> None:
    """Test task 1: which of the compared conditions fits the taste better?"""
    from analysis.data.complete import flow_of, paper_rows, some
    from analysis.page.sentences import over_the_middle
    from analysis.preference import paper, robust
    from analysis.preference.moderators import moderators
    from analysis.preference.pairs import by_pair, named_pair, pairs_in
    from analysis.preference.section import sides_of

    loaded = read_study(answers.study)
    chosen = chosen_plan(plan, loaded.analysis.plan)
    if correction not in (None, "bonferroni", "holm"):
        raise UserError(f"--correction {correction!r} is not known; there are: bonferroni, holm")
    changes: dict[str, Any] = {k: v for k, v in (("correction", correction), ("seed", seed)) if v is not None}
    data = load_answers(loaded, answers, shown)
    config = loaded.analysis.model_copy(update=changes)
    if chosen == "robust":
        tables = robust.preference(data.preference, data.middle, config)
        tables |= by_pair(
            data.preference, lambda part: {"moderators": moderators(part, data.people, data.middle, config)}
        )
    else:
        rows = paper_rows(data)
        chose = (
            rows.choices
            if data.preference.empty
            else some(rows.choices, "made all choices of task 1 and given demographics")
        )
        tables = by_pair(chose, lambda part: paper.analyse(part, data.middle, config)) | {
            "flow": flow_of(rows, "task 1")
        }
    show("preference", chosen, data.digest, tables, shown.as_json, shown.csv)
    for pair in pairs_in(data.preference):
        say(f"{named_pair(*pair)}: {over_the_middle(sides_of(data, pair))}", shown.as_json)


@app.command()
@grouped
def identification(answers: Answers, *, shown: Shown) -> None:
    """Analyse which taste people named: confusion, accuracy, mixed logits, unbiased rates, similarity and bias."""
    from analysis.identification.analyse import analyse

    loaded = read_study(answers.study)
    data = load_answers(loaded, answers, shown)
    if data.identification.empty:
        raise UserError(f"nobody named a taste in {loaded.name}; a study asks so by a task of kind 'identification'")
    tables = analyse(data.identification, data.repeats, loaded.analysis)
    show("identification", "robust", data.digest, tables, shown.as_json, shown.csv)


@app.command()
@grouped
def ratings(
    answers: Answers,
    *,
    plan: PlanOption = None,
    shown: Shown,
) -> None:
    """Analyse task 2: mixed models of the adjectives; the paper's ANOVA, Tukey, means, correlations."""
    from analysis.data.complete import flow_of, paper_rows, some
    from analysis.preference import robust
    from analysis.ratings import paper

    loaded = read_study(answers.study)
    chosen = chosen_plan(plan, loaded.analysis.plan)
    data = load_answers(loaded, answers, shown)
    if chosen == "robust":
        own = data.conditions.own(data.ratings)
        if own.empty and not data.ratings.empty:
            raise UserError("all rated music is of wrong prompts; there is nothing to test")
        tables = robust.ratings(own, loaded.analysis) | paper.described(data.ratings)
    else:
        rows = paper_rows(data)
        rated = rows.rated if data.ratings.empty else some(rows.rated, "rated all clips of task 2")
        tables = paper.analyse(rated, data.people, data.conditions.wrong) | {
            "flow": flow_of(rows, "correlations and factors", "Tukey", "ANOVA")
        }
    show("ratings", chosen, data.digest, tables, shown.as_json, shown.csv)


@app.command()
@grouped
def factors(
    answers: Answers,
    *,
    plan: PlanOption = None,
    number: Annotated[int | None, typer.Option("--factors", min=1, help="How many; default: the study's.")] = None,
    seed: SeedOption = None,
    shown: Shown,
) -> None:
    """Factor analysis of the ratings: the paper's, or on polychoric correlations with intervals and reliability."""
    from analysis.data.complete import flow_of, paper_rows, some
    from analysis.factors import trust
    from analysis.factors.paper import analyse

    loaded = read_study(answers.study)
    chosen = chosen_plan(plan, loaded.analysis.plan)
    data = load_answers(loaded, answers, shown)
    asked, drawn = number or loaded.analysis.factors, loaded.analysis.seed if seed is None else seed
    if chosen == "robust":
        tables = analyse(data.ratings, asked, drawn, ordinal=True, wrong=data.conditions.wrong)
    else:
        rows = paper_rows(data)
        rated = rows.rated if data.ratings.empty else some(rows.rated, "rated all clips of task 2")
        tables = analyse(rated, asked, drawn, wrong=data.conditions.wrong) | {
            "flow": flow_of(rows, "correlations and factors")
        }
    del tables["scores"]  # one row a clip: the report's CSV has them
    if chosen == "robust":
        used = tables["retention"][-1]["n_factors"]
        structure = trust.analyse(data, used, loaded.analysis.groups, drawn)
        tables["notes"] += structure.pop("notes")
        tables |= structure
    show("factors", chosen, data.digest, tables, shown.as_json, shown.csv)


@app.command()
@grouped
def mediation(
    answers: Answers,
    *,
    seed: SeedOption = None,
    shown: Shown,
) -> None:
    """Does music reach the taste word by way of valence, arousal or temperature? (exploratory)"""
    from analysis.ratings.mediation import of_study

    loaded = read_study(answers.study)
    data = load_answers(loaded, answers, shown)
    drawn = loaded.analysis.seed if seed is None else seed
    rows = of_study(data, None, loaded.analysis.model_copy(update={"seed": drawn}))
    show("mediation", "robust", data.digest, {"paths": rows}, shown.as_json, shown.csv)


@app.command()
@grouped
def agreement(
    targets: Annotated[
        Path | None,
        typer.Option("--targets", help="Target vectors, xlsx or csv, one row a track; default: the study's."),
    ] = None,
    *,
    answers: Answers,
    permutations: Annotated[int | None, typer.Option(min=99, help="Default: those of the report.")] = None,
    seed: SeedOption = None,
    shown: Shown,
) -> None:
    """Compare mean ratings with target vectors: Mantel, Procrustes, permutation of targets."""
    from analysis.agreement.agreement import PERMUTATIONS, against

    loaded = read_study(answers.study)
    file = targets or loaded.analysis.targets
    if file is None:
        raise UserError("which targets? give --targets FILE, or targets = FILE in [analysis] of the study file")
    data = load_answers(loaded, answers, shown)
    tables = against(data, file, permutations or PERMUTATIONS, loaded.analysis.seed if seed is None else seed)
    show("agreement", "paper", data.digest, tables, shown.as_json, shown.csv)


@app.command()
@grouped
def fad(
    clips: Clips,
    *,
    reference: Annotated[
        str | None, typer.Option("--reference", help="Directory of audio; default: the study's.")
    ] = None,
    shown: Shown,
    quiet: QuietOption = False,
) -> None:
    """Fréchet Audio Distance per model, taste and embedding."""
    from analysis.data.compared import Conditions
    from analysis.kept import Kept
    from analysis.sound import intervals
    from analysis.sound.distances import analyse

    loaded = read_study(clips.study)
    folder = stimuli_folder(loaded, clips.out)
    with progress("embedding", quiet or shown.as_json) as update:
        tables = analyse(
            told_clips(folder),
            folder,
            list(loaded.models.embedders),
            reference or loaded.analysis.reference,
            clips.out / loaded.name / intervals.CACHE,
            seed=loaded.analysis.seed,
            progress=update,
            conditions=Conditions.declared(definition_of(loaded)),
            kept=Kept(clips.out / loaded.name / intervals.KEPT),
        )
    show("fad", "paper", None, tables, shown.as_json, shown.csv)


@app.command()
@grouped
def captions(clips: Clips, shown: Shown) -> None:
    """Do captions say what prompts asked for?"""
    from analysis.data.compared import Conditions
    from analysis.sound.words import caption_check
    from stimuli.config import asked_words

    loaded = read_study(clips.study)
    rows = caption_check(
        told_clips(stimuli_folder(loaded, clips.out)),
        asked_words(loaded.stimuli),
        Conditions.declared(definition_of(loaded)),
    )
    if not rows:
        raise UserError("no clip of this study has a caption yet; run 'tastelab stimuli caption'")
    show("captions", "paper", None, {"captions": rows}, shown.as_json, shown.csv)


@app.command()
@grouped
def report(
    place: Place,
    *,
    kind: KindOption = None,
    effects: EffectsOption = None,
    check: Annotated[bool, typer.Option("--check", help="Only say whether the report still matches.")] = False,
    quiet: QuietOption = False,
) -> None:
    """Freeze the data and build the report: every analysis that the data allow."""
    from tastelab.report import build_report, check_report

    loaded = read_study(place.study)
    if check:
        problems = check_report(loaded, place.db, place.out, kind, effects)
        if problems:
            raise UserError(f"the report is not current: {'; '.join(problems)}; run 'tastelab analysis report'")
        say("the report matches data, code, study and its own files", quiet)
        return
    with progress("report", quiet) as update:
        path, built = build_report(loaded, place.db, place.out, kind, update, effects=effects)
    say(f"{path}{'' if built else ' (nothing has changed)'}", quiet)
