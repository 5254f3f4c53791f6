"""How far each heavy step of a study is, here and on a cluster: units made, being made, failed, and when the rest will be."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from tastelab.cluster import queue
from tastelab.cluster.heavy import HEAVY, beside, heavy
from tastelab.cluster.notes import Note, failures_of, notes_of
from tastelab.cluster.submit import noted_jobs
from tastelab.study import Study


def standing(study: Study, out: Path) -> dict[str, list[dict[str, Any]]]:
    """A row a step, a row a unit that failed, and a row a job that Slurm has."""
    folder, now = beside(study, out), time.time()
    known = queue.jobs() if queue.here() else {}
    steps: list[dict[str, Any]] = []
    failed: list[dict[str, Any]] = []
    jobs: list[dict[str, Any]] = []
    for name in HEAVY:
        this = heavy(name, study, out)
        units = this.units()
        done = this.done(units)
        lost = [f for f in failures_of(folder, name) if f.unit not in done]
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
