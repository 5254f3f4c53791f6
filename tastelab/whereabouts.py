"""Where one is: the study in this folder, how far it is by what lies on disk, and the next step. Nothing is opened for writing."""

from __future__ import annotations

import json
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from tastelab.errors import UserError
from tastelab.options import DB, OUT, STUDY

if TYPE_CHECKING:
    from tastelab.study import Study

REAL = ("person", "imported")  # kinds of sessions whose answers are people's
SHOWN = {"person": "of people", "imported": "imported", "bot": "simulated", "driven": "driven", "pilot": "for trial"}


@dataclass(frozen=True)
class Whereabouts:
    """What is said: a line for each thing, what is wrong if anything, and what to do next: a command, and what for."""

    lines: tuple[tuple[str, str], ...]
    problem: str
    command: str
    purpose: str


def whereabouts(folder: Path) -> Whereabouts:
    """Look round in a folder (where outputs and database have their usual names)."""
    from tastelab.context import read_study, stimuli_folder

    found = study_files(folder)
    if not found:
        return Whereabouts((("study", "none in this folder"),), "", "tastelab init", "begin one")
    file = found[0]
    if file.name != STUDY.name and len(found) > 1:
        names = ", ".join(p.name for p in found)
        return Whereabouts(
            (("studies", names),),
            "",
            f"tastelab study check {shlex.quote(file.name)}",
            "see what a person will meet in one",
        )
    option = "" if file.name == STUDY.name else f" --study {shlex.quote(file.name)}"
    try:
        study = read_study(file)
    except UserError as error:
        shown = file.name if option else ""
        return Whereabouts(
            (("study", f"{file.name}, which can't be run"),), str(error).replace(str(file), file.name),
            f"tastelab study check {shown}".rstrip(), "when that is mended",
        )  # fmt: skip
    out = folder / OUT
    there, wanted = clips(study, stimuli_folder(study, out))
    counts, last = sessions(folder, study.name)
    report = out / study.name / "report.html"
    lines = (
        ("study", f"{file.name}: {study.title}"),
        ("clips", f"{there} of {wanted}"),
        ("sessions", ", ".join(f"{n} {SHOWN.get(kind, kind)}" for kind, n in counts.items()) or "none"),
        ("report", str(report.relative_to(folder)) if report.exists() else "none"),
    )
    command, purpose = next_step(study, there, wanted, counts, last, report)
    return Whereabouts(lines, "", command + option, purpose)


def study_files(folder: Path) -> list[Path]:
    """Study files of a folder: `study.toml` first, else whatever TOML file has what a study file needs."""
    if (folder / STUDY).is_file():
        return [folder / STUDY]
    import tomllib

    found = []
    for path in sorted(folder.glob("*.toml")):
        try:
            raw = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        except (OSError, ValueError):
            continue
        if {"name", "title", "stimuli", "experiment"} <= raw.keys():
            found.append(path)
    return found


def clips(study: Study, folder: Path) -> tuple[int, int]:
    """How many clips a study has, and how many it will have; of tracks that are not there yet, as many as are heard."""
    from stimuli.manifest import FILE
    from tastelab.check import planned_clips

    wanted = len(planned_clips(study.stimuli, study.experiment, study.models.conditions))
    try:
        there = len(json.loads((folder / FILE).read_text(encoding="utf-8"))["clips"])
    except (OSError, ValueError, KeyError):
        there = 0
    return there, wanted


def sessions(folder: Path, study: str) -> tuple[dict[str, int], datetime | None]:
    """Sessions of a study by kind, and when the last of them began or ended (UTC); none where there is no database."""
    path = folder / DB.removeprefix("sqlite:///")
    if not path.exists():
        return {}, None
    from sqlalchemy.exc import SQLAlchemyError

    from experiment.data.queries import begun

    try:
        rows = begun(path, study)
    except SQLAlchemyError:
        raise UserError(f"{path.name} can't be read; is it another program's? (tastelab doctor)") from None
    order = {kind: k for k, kind in enumerate(SHOWN)}
    counts = {kind: n for kind, n, _ in sorted(rows, key=lambda r: order.get(r[0], len(order)))}
    last = max((at for _, _, at in rows if at is not None), default=None)
    return counts, None if last is None else last.replace(tzinfo=UTC)


def next_step(
    study: Study, there: int, wanted: int, counts: Mapping[str, int], last: datetime | None, report: Path
) -> tuple[str, str]:
    """A command, without the study's option, and what it is for."""
    answered = sum(n for kind, n in counts.items() if kind != "pilot")  # what was tried is no answer
    if not answered and study.experiment.psytoolkit is not None and not there:
        return "tastelab experiment import psytoolkit FILE", "read the survey's file"
    if there < wanted and not counts.get("imported"):
        missing = [c for c in study.models.conditions if c.tracks is not None and not c.tracks.is_dir()]
        if missing:
            return "tastelab stimuli generate", f"when the tracks of {missing[0].name!r} lie in {missing[0].tracks}"
        from stimuli.manifest import mend
        from tastelab.context import stimuli_folder

        _, _, copied = mend(stimuli_folder(study, OUT)).partition(", ")
        return "tastelab stimuli generate", f"make the clips that are missing{copied and f', {copied}'}"
    if not answered:
        return "tastelab experiment simulate -n 24", "try the study with simulated people"
    kind = "" if any(counts.get(k) for k in REAL) else " --kind bot" if counts.get("bot") else ""
    if not report.exists():
        return f"tastelab analysis report{kind}", "draw the conclusions"
    if last is not None and datetime.fromtimestamp(report.stat().st_mtime, UTC) < last:
        return f"tastelab analysis report{kind}", "make it anew: there are sessions since"
    if counts.get("imported"):
        return "tastelab analysis report --check", "see whether it still matches data, code and study"
    return "tastelab doctor", "check this machine; when a person comes: tastelab experiment launch"


def told(found: Whereabouts) -> list[str]:
    """As lines to print."""
    wide = max(len(name) for name, _ in found.lines)
    lines = [f"{name:<{wide}}  {said}" for name, said in found.lines]
    if found.problem:
        lines.append(found.problem)
    return [*lines, f"{'next':<{wide}}  {found.command}", f"{'':<{wide}}  ({found.purpose})"]
