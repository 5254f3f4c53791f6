"""tastelab study units, step, status: the heavy steps of a study by their units, wherever they are made."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from tastelab.commands.study import ClipsOption, app, with_clips
from tastelab.context import ONLY_JSON, read_study, say, show
from tastelab.errors import UserError
from tastelab.options import OUT, STUDY, JsonOption, OutOption, StudyOption

__all__ = ["app"]
StepArgument = Annotated[str, typer.Argument(help="generate, distinct, captions, features or embeddings.")]


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
    units: Annotated[Path | None, typer.Option("--units", help="A file of units, one a line; default: all.")] = None,
    study: StudyOption = STUDY,
    out: OutOption = OUT,
    clips: ClipsOption = None,
) -> None:
    """Make a heavy step's units here, or a share of them: what is made stays, and two that make the same do no harm."""
    from tastelab.stages import step_here

    loaded = with_clips(read_study(study), clips)
    names = None if units is None else listed(units)
    made, asked, failed = step_here(loaded, out, step, names)
    for line in failed:
        say(line)
    if failed:
        raise UserError(f"{len(failed)} of {asked} units were not made; see above")
    say(f"{made} of {asked} units are made")


def listed(path: Path) -> list[str]:
    """The units that a file names."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--units {path} cannot be read: {error}") from None
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


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
