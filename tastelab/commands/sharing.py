"""tastelab study units, step, status: the heavy steps of a study by their units, wherever they are made."""

from __future__ import annotations

from typing import Annotated

import typer

from tastelab.commands.study import ClipsOption, app, with_clips
from tastelab.context import ONLY_JSON, read_study, say, show
from tastelab.options import OUT, STUDY, JsonOption, OutOption, StudyOption, UnitsOption, listed

__all__ = ["app"]
StepArgument = Annotated[str, typer.Argument(help="generate, distinct, captions, features, embeddings or distances.")]


@app.command()
def units(
    step: StepArgument,
    study: StudyOption = STUDY,
    out: OutOption = OUT,
    clips: ClipsOption = None,
    todo: Annotated[bool, typer.Option("--todo", help="Those alone that are not made.")] = False,
    as_json: JsonOption = False,
) -> None:
    """List what a heavy step consists of, one unit a line: split the list, and any share runs anywhere."""
    from tastelab.cluster.heavy import heavy

    this = heavy(step, with_clips(read_study(study), clips), out)
    found = this.units()
    done = this.done(found)
    rows = [
        {"unit": u.name, "done": u.name in done, "needs": ", ".join(this.needs), "fingerprint": u.fingerprint}
        for u in found
        if not (todo and u.name in done)
    ]
    if as_json:
        show("units", step, None, {"units": rows}, True, None)
        return
    for row in rows:
        typer.echo(row["unit"])


@app.command()
def step(
    step: StepArgument,
    units: UnitsOption = None,
    study: StudyOption = STUDY,
    out: OutOption = OUT,
    clips: ClipsOption = None,
) -> None:
    """Make a heavy step's units here, or a share of them: what is made stays, and two that make the same do no harm."""
    from tastelab.cluster.heavy import work_of
    from tastelab.cluster.here import made_here
    from tastelab.cluster.submit import told_of

    loaded = with_clips(read_study(study), clips)
    told = made_here(work_of(step, loaded, out), None if units is None else listed(units))
    told_of(told.problems)
    say(f"{told.made} of {told.units} units are made")


@app.command()
def status(
    study: StudyOption = STUDY,
    out: OutOption = OUT,
    clips: ClipsOption = None,
    as_json: JsonOption = False,
) -> None:
    """How far each heavy step is, here or on a cluster: units made, being made, failed, and how long the rest takes."""
    from tastelab.cluster.status import standing

    tables = standing(with_clips(read_study(study), clips), out)
    show("status", "study", None, tables, as_json, None, ONLY_JSON)
