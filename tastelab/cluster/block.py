"""What one job does: some units of one step. Time that is up costs what was being made; a job that is begun again makes the rest."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from tastelab.cluster.heavy import Work
from tastelab.cluster.notes import Notes
from tastelab.errors import UserError


@dataclass(frozen=True)
class Block:
    """Units of a step, by name; called, they are made wherever it is called."""

    work: Work
    units: tuple[str, ...]

    def __call__(self) -> int:
        """Make what is not made yet; returns how many of the units are made now."""
        job, log, passing = _surroundings()
        return make_units(self.work, self.units, Notes(self.work.folder, self.work.name, job, log, passing))

    def checkpoint(self) -> Any:
        """The same again: what is made lies there, and is not made twice."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def make_units(work: Work, names: Sequence[str], notes: Notes) -> int:
    """Make units of a step here, now; returns how many of them are made."""
    try:
        this = work.opened()
        known = {u.name: u for u in this.units()}
        for name in names:
            if name not in known:
                notes.failed([name], UserError(f"step {work.name} has no unit {name!r}"))
        this.make([name for name in names if name in known], notes)
        return len(this.done([known[name] for name in names if name in known]) & set(names))
    finally:
        notes.ends()


def _surroundings() -> tuple[str, str, tuple[type[Exception], ...]]:
    """This process' job, its log, and the errors by which submitit says that time is up."""
    import submitit
    from submitit.core.utils import UncompletedJobError

    if "SUBMITIT_EXECUTOR" not in os.environ:
        return "", "", ()
    here = submitit.JobEnvironment()
    sys.stderr.flush()
    return here.job_id, str(here.paths.stderr), (UncompletedJobError,)
