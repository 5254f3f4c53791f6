"""What Slurm says of jobs: squeue of those that wait and run, and of those that ended its accounting, or the controller while it remembers."""

from __future__ import annotations

import getpass
import re
import shutil
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from tastelab.errors import UserError

PATIENCE = 30  # s for an answer of the controller
ACCOUNTING = "accounting is off on this cluster: how a job ended is known for some minutes from the controller, then from its log alone"


@dataclass(frozen=True)
class Waiting:
    """A job that Slurm has: its state (``PENDING``, ``RUNNING``, ...) and, where it waits, for what."""

    state: str
    reason: str


def here() -> bool:
    """Whether this machine can submit to a cluster."""
    return shutil.which("sbatch") is not None and shutil.which("squeue") is not None


def require() -> None:
    """Refuse to go on without.

    Raises
    ------
    UserError
        If there is no Slurm.
    """
    if not here():
        raise UserError(
            "--executor slurm: sbatch and squeue are not on this machine; run it on the cluster's login node"
        )


def jobs() -> dict[str, Waiting] | None:
    """This user's jobs by ``ARRAY_TASK``; None where the controller does not answer now, which says nothing of them."""
    said = _said(["squeue", "--noheader", "--array", f"--user={getpass.getuser()}", "--format=%i|%T|%r"])
    return None if said is None else read_queue(said)


def certain_jobs() -> dict[str, Waiting]:
    """The same, for who is about to submit.

    Raises
    ------
    UserError
        If Slurm does not answer: without it nobody knows what is underway.
    """
    known = jobs()
    if known is None:
        raise UserError("Slurm does not answer (squeue); jobs of an earlier run may be underway: try again later")
    return known


def read_queue(said: str) -> dict[str, Waiting]:
    """The jobs of squeue's lines."""
    rows = (line.strip().split("|", 2) for line in said.splitlines() if line.count("|") >= 2)
    return {job: Waiting(state, "" if reason == "None" else reason) for job, state, reason in rows}


def ended(arrays: Iterable[str]) -> tuple[dict[str, str], bool]:
    """How jobs of some arrays ended, by ``ARRAY_TASK``, as far as anybody knows; and whether there is accounting."""
    out: dict[str, str] = {}
    asked = sorted(set(arrays))
    if not asked:
        return out, True
    accounted = _said(["sacct", "--noheader", "--parsable2", "--format=JobID,State", "--jobs", ",".join(asked)])
    if accounted is not None and accounted.strip():
        for line in accounted.splitlines():
            job, _, state = line.partition("|")
            if "." not in job:
                out[job] = state.split()[0] if state else "UNKNOWN"
        return out, True
    for array in asked:
        out |= read_controller(_said(["scontrol", "--oneliner", "show", "job", array]) or "")
    return out, accounted is not None


def read_controller(said: str) -> dict[str, str]:
    """States of jobs by ``ARRAY_TASK`` from scontrol's lines, one a job."""
    out = {}
    for line in said.splitlines():
        found = dict(re.findall(r"(\w+)=(\S+)", line))
        job = found.get("ArrayJobId", found.get("JobId"))
        if job and "JobState" in found:
            task = found.get("ArrayTaskId")
            out[f"{job}_{task}" if task else job] = found["JobState"]
    return out


def at_work(known: Mapping[str, Waiting] | None) -> frozenset[str] | None:
    """The jobs that run, of those that Slurm has."""
    return None if known is None else frozenset(j for j, w in known.items() if w.state in ("RUNNING", "COMPLETING"))


def _said(command: list[str]) -> str | None:
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout if done.returncode == 0 else None
