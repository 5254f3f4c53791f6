"""tastelab study ..."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from tastelab.context import ONLY_JSON, WIDTH, definition_of, open_store, read_study, say, show, stimuli_folder
from tastelab.errors import UserError
from tastelab.options import (
    DB,
    OUT,
    SEEDS,
    STUDY,
    Cluster,
    DbOption,
    EffectsOption,
    JsonOption,
    OutOption,
    Place,
    QuietOption,
    grouped,
)

if TYPE_CHECKING:
    from tastelab.study import Study

app = typer.Typer(no_args_is_help=True)
ClipsOption = Annotated[
    int | None, typer.Option("--clips", min=1, help="Clips per taste and condition (the paper: 25).")
]


@app.callback()
def _study() -> None:
    """The whole way, from prompts to report."""


@app.command()
@grouped
def run(
    place: Place,
    *,
    clips: ClipsOption = None,
    participants: Annotated[int, typer.Option("--participants", min=10, help="Simulated participants.")] = 111,
    person: Annotated[bool, typer.Option("--person", help="The session is for a person at this screen.")] = False,
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEEDS, help="Seed of the simulated participants.")] = 1,
    effects: EffectsOption = None,
    cluster: Cluster,
    only: Annotated[
        list[str] | None, typer.Option("--only", help="A heavy step, and nothing after; all: every one of them.")
    ] = None,
    quiet: QuietOption = False,
) -> None:
    """Stimuli, captions, sessions, report. Run again: what is done stays."""
    from tastelab.cluster.settings import settings_for
    from tastelab.stages import Run, heavy_steps, run_study

    started = time.monotonic()
    loaded = with_clips(read_study(place.study), clips)
    settings_for(cluster.executor, cluster.site)
    if cluster.slurm or only:
        heavy_steps(loaded, place.out, cluster.executor, cluster.site, only or ["all"], quiet)
    if only:
        say(f"The rest: tastelab study run{place.repeated()}", quiet)
        return
    path = run_study(Run(loaded, place.study, place.db, place.out, participants, person, seed, quiet, effects=effects))
    say(f"\nReport: {path}   ({time.monotonic() - started:.0f} s)")
    say("Next:")
    say(f"  a real session:            tastelab experiment run --code P001{place.repeated()}")
    say(
        "  with the released models:  NAME (e.g. facebook/musicgen-small) in [models] of the study file, tastelab models pull --study FILE"
    )
    say(
        "  your own survey's data:    tastelab experiment import psytoolkit FILE --study STUDY, then tastelab analysis report"
    )


def with_clips(study: Study, clips: int | None) -> Study:
    """The study with another number of clips a taste and condition, where one is given."""
    if clips is None:
        return study
    return study.model_copy(update={"stimuli": study.stimuli.model_copy(update={"clips_per_taste": clips})})


def _times(n: int) -> str:
    return "once" if n == 1 else f"{n} times"


@app.command()
def check(
    file: Annotated[Path, typer.Argument(help="Study file (TOML).")] = STUDY,
    language: Annotated[str | None, typer.Option("--language", help="Language of the screens.")] = None,
    as_json: JsonOption = False,
    out: OutOption = OUT,
) -> None:
    """Read a study file, refuse what can't be run, and say what a person will meet."""
    from tastelab.check import balance, declared_tests, group_names, met, remarks
    from tastelab.unready import impossible, made, unready

    loaded = read_study(file)
    known = loaded.models.conditions
    chosen = language or loaded.experiment.languages[0]
    if chosen not in loaded.experiment.languages:
        raise UserError(f"--language {chosen!r}: this study declares {', '.join(loaded.experiment.languages)}")
    from experiment.lab.legible import on_the_narrowest

    no_room, small = on_the_narrowest(loaded.experiment)
    if no_room:
        raise UserError(f"{file}: {no_room[0]}" + (f" (and {len(no_room) - 1} more)" if no_room[1:] else ""))
    clips = made(stimuli_folder(loaded, out))
    for problem in impossible(loaded, clips):
        raise UserError(f"{file}: {problem}")
    tables: dict[str, list[dict[str, Any]]] = {}
    for name in group_names(loaded.experiment):
        of = "" if name is None else f"_of_{name}"
        tables[f"a_session{of}"] = [p.row() for p in met(loaded.stimuli, loaded.experiment, chosen, name, known)]
        tables[f"balance{of}"] = balance(loaded.stimuli, loaded.experiment, name, known)
    show("check", "study", None, tables, as_json, None, ONLY_JSON)
    empty = loaded.experiment.consent.empty(generated=any(c.tracks is None for c in known))
    if empty:
        say(f"The consent does not say, in [experiment.consent]: {'; '.join(empty)}.", as_json)
    declared = declared_tests(loaded.stimuli, loaded.experiment, loaded.analysis, known)
    for sentence in [*([declared] if declared else []), *remarks(loaded.experiment), *small, *unready(loaded, clips)]:
        say(sentence, as_json)
    say(
        f"{file} can be run. Minutes are an estimate; each clip may be heard {_times(loaded.experiment.replays)} more.",
        as_json,
    )


@app.command()
def reference(
    word: Annotated[str | None, typer.Argument(help="A table or a key; default: all of them.")] = None,
    markdown: Annotated[bool, typer.Option("--markdown", help="As a page of the guides.")] = False,
) -> None:
    """Every table and key of a study file: what it takes, its default, what it means."""
    from tastelab.check import nearest
    from tastelab.reference import about, lines, page, tables

    found = tables() if word is None else about(tables(), word)
    if not found:
        known = sorted({k.name for t in tables() for k in t.keys})
        raise UserError(f"no table or key of a study file is called {word!r}{nearest(str(word), known)}")
    if markdown:
        typer.echo(page(found), nl=False)
        return
    for line in lines(found, WIDTH):
        say(line)


@app.command()
def amend(
    file: Annotated[Path, typer.Argument(help="Study file (TOML), as it is to count from here on.")] = STUDY,
    db: DbOption = DB,
    note: Annotated[str | None, typer.Option("--note", help="Why; kept, and told in the report.")] = None,
    wording: Annotated[
        str | None, typer.Option("--wording", help="Why what people are asked reads otherwise and means the same.")
    ] = None,
) -> None:
    """Let changed limits, languages and wording of a study file count in its course; refuse what changes what is asked."""
    from experiment.amending import amend as run_amend

    loaded = read_study(file)
    with open_store(db, new=False) as store:
        changes = run_amend(store, loaded.name, definition_of(loaded), loaded.experiment, note, wording)
    if not changes:
        say(f"nobody took part in {loaded.name} yet (pilots and imports bind nothing): the file counts as it is")
        return
    say(f"{loaded.name}: {len(changes)} changed; whoever comes, and whoever goes on, meets it as it is now")
    for change in changes:
        say(f"  {change.weight}: {change.line()}")
