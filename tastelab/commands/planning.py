"""tastelab analysis power: how large a study should be, worked out in batches of simulated studies that can be shared out."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Annotated

import typer

from tastelab.commands.analysis import app, chosen_plan
from tastelab.context import effects_of, progress, read_study, say, show
from tastelab.errors import UserError
from tastelab.options import (
    Clips,
    EffectsOption,
    ExecutorOption,
    PlanOption,
    QuietOption,
    SeedOption,
    Shown,
    SiteOption,
    UnitsOption,
    grouped,
    listed,
)

__all__ = ["app"]


def _numbers(option: str, given: str, example: str) -> list[int]:
    """Whole numbers with commas, ascending."""
    try:
        return sorted({int(x) for x in given.split(",")})
    except ValueError:
        raise UserError(f"{option} {given!r}: give whole numbers with commas, e.g. {example}") from None


@app.command()
@grouped
def power(
    *,
    sizes: Annotated[
        str, typer.Option("--n", help="Numbers of participants, with commas.")
    ] = "20,40,60,80,111,150,200",
    per_taste: Annotated[
        str | None, typer.Option("--clips", help="Pairs of clips a taste, with commas; default: the study's.")
    ] = None,
    plan: PlanOption = None,
    simulations: Annotated[int, typer.Option("--simulations", min=20, help="Simulated studies a number.")] = 1000,
    effects: EffectsOption = None,
    no_effect: Annotated[
        bool, typer.Option("--null", help="No effect, people and clips differing as before: the false positives.")
    ] = False,
    jobs: Annotated[int, typer.Option("--jobs", min=1, help="Processes.")] = 2,
    executor: ExecutorOption = "local",
    site: SiteOption = None,
    todo: Annotated[
        bool, typer.Option("--todo", help="Only list the batches that are not simulated yet, one a line.")
    ] = False,
    units: UnitsOption = None,
    clips: Clips,
    seed: SeedOption = None,
    shown: Shown,
    quiet: QuietOption = False,
) -> None:
    """How often a study with so many participants and clips finds the declared effects, by its own plan.

    What is simulated is kept: the same again goes on where it was stopped.
    """
    from analysis.power.batches import Batches
    from analysis.power.power import Simulation, null, plot
    from experiment.tasks.preference import PreferenceTask
    from tastelab.cluster.heavy import POWER, Work, beside
    from tastelab.cluster.here import made_here
    from tastelab.cluster.settings import settings_for
    from tastelab.cluster.status import note_asked
    from tastelab.cluster.submit import run_all, told_of

    loaded = read_study(clips.study)
    plan = chosen_plan(plan, loaded.analysis.plan)
    numbers = _numbers("--n", sizes, "40,80,120")
    each = _numbers("--clips", per_taste, "5,10,25") if per_taste else [loaded.stimuli.clips_per_taste]
    if each[0] < 1 or each[-1] > 1000:
        raise UserError(f"--clips {per_taste!r}: a taste has 1 to 1000 pairs of clips")
    if numbers[0] < 2 or numbers[-1] > 100_000:
        raise UserError(f"--n {sizes!r}: a study has 2 to 100000 participants")
    settings = settings_for(executor, site)
    share = None if units is None else listed(units)
    told, config = effects_of(loaded, effects), loaded.experiment
    compared = config.task(PreferenceTask)
    if no_effect and compared is not None:
        told = null(told, compared.middle)
    tastes = tuple(t.name for t in loaded.stimuli.tastes)
    chosen = loaded.analysis.seed if seed is None else seed
    simulation = Simulation(config, told, tastes, tuple(each), loaded.analysis, simulations, chosen, plan)
    folder = clips.out.resolve() / loaded.name
    work = Work(POWER, beside(loaded, clips.out.resolve()), partial(Batches, simulation, numbers, folder / "power"))
    step = Batches(simulation, numbers, folder / "power")
    if todo:
        done = step.done(step.units())
        for unit in step.units():
            if unit.name not in done:
                typer.echo(unit.name)
        return
    if share is None:
        import_module("seaborn")  # which draws the figure: told before anything is computed
    note_asked(work.folder, step)
    if share is not None:
        with progress("power", quiet) as update:
            made = made_here(work, share, jobs, update)
        told_of(made.problems)
        say(f"{made.made} of {made.units} batches are made")
        return
    if settings is not None:
        run_all([work], settings, quiet or shown.as_json, alone=shown.as_json)
    else:
        with progress("power", quiet) as update:
            told_of(made_here(work, None, jobs, update).problems, shown.as_json)
    rows = step.rows()
    show("power", plan, None, {"power": rows}, shown.as_json, shown.csv)
    for suffix in ("svg", "png"):
        plot(rows, loaded.analysis.alpha, clips.out / loaded.name / f"power.{suffix}")
    say(f"figure {clips.out / loaded.name / 'power.svg'}", quiet or shown.as_json)
