"""How far each heavy step of a study is, here and on a cluster: units made, being made, failed, and when the rest will be."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tastelab.cluster import queue
from tastelab.cluster.heavy import POWER, STEPS, beside, heavy
from tastelab.cluster.notes import Note, failures_of, notes_of, write_json
from tastelab.cluster.submit import noted_jobs
from tastelab.study import Study

if TYPE_CHECKING:
    from analysis.power.batches import Batches
    from stimuli.units import Step

ASKED = Path("asked") / f"{POWER}.json"


def standing(study: Study, out: Path) -> dict[str, list[dict[str, Any]]]:
    """A row a step, a row a unit that failed, and a row a job that Slurm has."""
    folder, now = beside(study, out), time.time()
    known = queue.jobs() if queue.here() else {}
    steps: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    jobs: list[dict[str, Any]] = []
    for name in STEPS:
        units, done = _asked(folder) if name == POWER else _of(heavy(name, study, out))
        if name == POWER and not units:  # nobody asked
            continue
        lost = [f for f in failures_of(folder, name) if f.unit in units - done]
        notes = notes_of(folder, name)
        alive = [n for n in notes if n.alive(queue.at_work(known), now)]
        own = [j.job for j in noted_jobs(folder, name) if known and j.job in known]
        steps.append(
            {
                "step": name, "units": len(units), "done": len(done), "running": sum(len(n.units) for n in alive), "failed": len(lost),
                "jobs": len(own), "left": lasting(len(units) - len(done), notes, len(alive)),
            }
        )  # fmt: skip
        failed += [{"step": name, "unit": f.unit, "why": f.line, "log": f.log} for f in lost]
        jobs += [{"job": j, "step": name, "state": known[j].state, "waits_for": known[j].reason} for j in own if known]
    return {"steps": steps, "failed": failed, "jobs": jobs}


def note_asked(folder: Path, step: Batches) -> None:
    """Note which units a step has that no study file asks for, so that whoever asks how far it is need not be told."""
    write_json(folder / ASKED, {u.name: str(step.kept.path(u.fingerprint).resolve()) for u in step.units()})


def _asked(folder: Path) -> tuple[set[str], set[str]]:
    try:
        lies = json.loads((folder / ASKED).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return set(), set()
    return set(lies), {name for name, path in lies.items() if Path(path).exists()}


def _of(step: Step) -> tuple[set[str], set[str]]:
    units = step.units()
    return {u.name for u in units}, step.done(units)


def lasting(todo: int, notes: list[Note], workers: int) -> str:
    """How long the rest takes at the pace so far with those who are at work now."""
    if not todo:
        return ""
    made = sum(n.made for n in notes)
    if not made or not workers:
        return "unknown"
    pace = sum(n.told - n.begun for n in notes if n.made) / made
    seconds = todo * pace / workers
    return (
        f"{seconds:.0f} s"
        if seconds < 120
        else f"{seconds / 60:.0f} min"
        if seconds < 7200
        else f"{seconds / 3600:.1f} h"
    )
