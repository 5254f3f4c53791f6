"""A fine-tuning as one job on one node of a Slurm cluster, whose cards torchrun shares it out to.

Slurm schedules, runs the job again whose node is lost, and ends it when its time is up; submitit ships it, and has it requeued in time;
torchrun starts the processes, each of the very command that was given here, which goes on from the training's state. Here is only said
whether Slurm has a job of it already: whoever gives the same command again waits for that one.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from models.processes import told_to_end
from stimuli.units import fingerprint
from tastelab.cluster import queue
from tastelab.cluster.notes import Failure, failure_of, write_json
from tastelab.cluster.settings import TUNING, Settings
from tastelab.cluster.submit import EVERY, Job, Progress, looks, noted_jobs, problems, shipped
from tastelab.context import progress, say
from tastelab.errors import UserError

BESIDE = "cluster"  # beside a training's state: its jobs, their logs, what was made and what failed
MARGIN = 5  # s of the notice that are left for the requeue itself
SOONEST = 120  # s from a job's begin to its notice, without which it would never come to a step
LOOK = 0.2  # s between two looks at torchrun
COMMAND = ("models", "finetune")


@dataclass
class Tuning:
    """What the job does: the command, by torchrun, until it is over; what it is told to end goes on in the same job, requeued.

    Attributes
    ----------
    words : tuple of str
        The command's options.
    where : Path
        The folder that it was given in.
    folder : Path
        Where is noted what came of it.
    name, of : str
        What is trained, and the fingerprint of all that it is made from.
    processes : int or None
        How many share it; None: the cards that the job is given.
    cards : bool
        Whether the job asked for cards.
    notice : int
        Seconds from being told to the end.
    """

    words: tuple[str, ...]
    where: Path
    folder: Path
    name: str
    of: str
    processes: int | None
    cards: bool
    notice: int
    _torchrun: subprocess.Popen[bytes] | None = field(default=None, init=False)

    def __call__(self) -> str:
        """Train; returns when the training is over.

        Raises
        ------
        RuntimeError
            If it failed, or was ended; the first is noted, with the training's log.
        """
        import submitit

        job = submitit.JobEnvironment().job_id if "SUBMITIT_EXECUTOR" in os.environ else "here"
        log = self.folder / "jobs" / TUNING / f"{job}_training.log"
        say(f"the training's log: {log}")
        with told_to_end() as ending:  # torchrun has the signal from Slurm as well
            try:
                begun = log.stat().st_size if log.exists() else 0
                status = self._run(shared_by(self.processes, self.cards, _cards()), log)
                why = "" if status == 0 else reason(log.read_bytes()[begun:].decode(errors="replace"), status)
            except UserError as error:
                why = str(error)
        if not why:
            failure_of(self.folder, TUNING, self.name).unlink(missing_ok=True)
            write_json(made_of(self.folder, self.name), {"of": self.of, "job": job})
            return self.name
        if ending.asked:
            raise RuntimeError("the training was ended from outside")
        write_json(
            failure_of(self.folder, TUNING, self.name),
            asdict(Failure(TUNING, self.name, why, str(log), time.time())),
        )
        raise RuntimeError(why)

    def _run(self, processes: int, log: Path) -> int:
        """The command in so many processes, to its end; returns torchrun's status."""
        import submitit

        told = getattr(signal, f"SIG{submitit.JobEnvironment.USR_SIG}")

        def deaf() -> None:
            """Slurm tells every process of the job; the others are ended by this one, in order."""
            signal.signal(told, signal.SIG_IGN)

        command = [
            sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "--shutdown-timeout",
            str(max(MARGIN, self.notice - 2 * MARGIN)), "-m", "tastelab", *COMMAND, *self.words,
        ]  # fmt: skip
        with log.open("ab") as file:
            self._torchrun = subprocess.Popen(
                command,
                cwd=self.where,
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                preexec_fn=deaf,
            )
            while (status := self._torchrun.poll()) is None:
                time.sleep(LOOK)
        return status

    def checkpoint(self) -> Any:
        """Time is up: the processes keep a state and end; then the same again."""
        from submitit.helpers import DelayedSubmission

        if self._torchrun is not None and self._torchrun.returncode is None:
            _end(self._torchrun.pid, self.notice - MARGIN)
        return DelayedSubmission(replace(self))


def _end(pid: int, seconds: float) -> None:
    """Tell torchrun to end, which tells its processes, and wait; asks the kernel, since Popen may be asking in the code that this breaks."""
    deadline = time.monotonic() + seconds
    with contextlib.suppress(ProcessLookupError, ChildProcessError):
        os.kill(pid, signal.SIGTERM)
        while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None and time.monotonic() < deadline:
            time.sleep(LOOK)


def _cards() -> int:
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def shared_by(asked: int | None, wanted: bool, there: int) -> int:
    """How many processes share a training: as many as the site's file says, else one a card, else one.

    Raises
    ------
    UserError
        If the job wanted cards and has none that PyTorch can use, or fewer than processes.
    """
    if wanted and not there:
        raise UserError("the job asked for cards (gres), and has none that PyTorch can use")
    if asked is not None and 0 < there < asked:
        raise UserError(
            f"processes = {asked}, but the job has {there} {'card' if there == 1 else 'cards'}; each needs its own"
        )
    return asked or there or 1


def reason(log: str, status: int) -> str:
    """Why a training failed, in one line: what its command said, else its error, else how a process ended."""
    for told in (r"^tastelab: (.+)$", r"^(?:\[rank\d+\]: ?)?((?!.*(?:ChildFailedError|SignalException))[\w.]*(?:Error|Exception)\b.*)$",
                 r"(Signal (?!15\b)\d+ \(\w+\) received by PID \d+)"):  # fmt: skip
        found = re.findall(told, log, re.MULTILINE)
        if found:
            return str(found[-1]).strip()
    return f"torchrun ended with status {status}"


def made_of(folder: Path, name: str) -> Path:
    """Where is noted that a training is over."""
    return folder / "made" / f"{name}.json"


def run_tuning(
    words: Sequence[str],
    out: Path,
    name: str,
    made_from: Sequence[Any],
    total: int,
    settings: Settings,
    quiet: bool = False,
    every: float = EVERY,
) -> Path:
    """Have a fine-tuning done by a job, and wait for it; returns the folder of the weights.

    Parameters
    ----------
    words : sequence of str
        Options of the command, as it is given here.
    made_from : sequence
        What else decides what comes out: fingerprints of the corpora.
    total : int
        Steps of the training.

    Raises
    ------
    UserError
        If a job is at it with other options, or it was not trained: why, and where the log is.
    """
    queue.require()
    own = settings.of(TUNING)
    if own.minutes * 60 < own.notice + SOONEST:
        raise UserError(
            f"minutes = {own.minutes} is too short for a training: Slurm tells a job up to a minute sooner than notice = {own.notice} s, "
            f"and it takes a minute to begin"
        )
    weights, folder = out.resolve() / name, out.resolve() / "state" / BESIDE
    of = fingerprint(list(words), str(Path.cwd()), list(made_from))

    def over() -> bool:
        note = made_of(folder, name)
        return note.exists() and weights.is_dir() and json.loads(note.read_text(encoding="utf-8"))["of"] == of

    if over():
        return weights
    jobs = at_it(folder, name, of, weights)
    if not jobs:
        failure_of(folder, TUNING, name).unlink(missing_ok=True)
        cards = "gpu" in (own.gres or "")
        work = Tuning(tuple(words), Path.cwd(), folder, name, of, own.processes, cards, own.notice)
        # Of jobs of one name Slurm runs one at a time, whoever submitted them: two would write the same state.
        alone = {"job_name": f"tastelab-{TUNING}-{fingerprint(str(weights))[:12]}", "dependency": "singleton"}
        jobs = shipped(folder, TUNING, [work], [{name: of}], settings, **alone)
    say(f"job {jobs[0].job}; this may be stopped, the job goes on, and the same command waits for it", quiet)
    with progress(name, quiet) as update:
        watch(jobs[0], out.resolve() / "state" / f"{name}.jsonl", total, update, every)
    if over():
        return weights
    raise UserError(f"{problems(folder, TUNING, [name], jobs, 0.0)[0]}; the same command goes on from its state")


def at_it(folder: Path, name: str, of: str, weights: Path) -> list[Job]:
    """The job that Slurm has of a training.

    Raises
    ------
    UserError
        If it has one that trains the same weights otherwise.
    """
    noted = [job for job in noted_jobs(folder, TUNING) if name in job.units]
    known = queue.certain_jobs() if noted else {}
    there = [job for job in noted if job.job in known]
    for job in there:
        if job.units[name] != of:
            raise UserError(
                f"job {job.job} trains {weights} with other options or clips: wait for it, end it (scancel {job.job}), or choose another --name"
            )
    return there


def watch(job: Job, curve: Path, total: int, update: Callable[..., None] | Progress, every: float) -> None:
    """Wait until Slurm has a job no more, and say what its training's curve says."""
    for known, _ in looks([job.job], every):
        found = last_row(curve)
        loss = f", loss {found['loss']:.3f}" if "loss" in found else ""
        update(int(found.get("step", -1)) + 1, total, f"{told_of(job, known)}{loss}")


def told_of(job: Job, known: dict[str, queue.Waiting] | None) -> str:
    """What a job is at, in a few words."""
    if known is None:
        return "Slurm does not answer now"
    at = known.get(job.job, queue.Waiting("ended", ""))
    return f"job {job.job} {at.state.lower()}" + (f" ({at.reason})" if at.reason and at.state != "RUNNING" else "")


def last_row(curve: Path) -> dict[str, float]:
    """The last whole line of a training's curve; nothing where there is none."""
    with contextlib.suppress(FileNotFoundError):
        for line in reversed(curve.read_text(encoding="utf-8").splitlines()[-2:]):
            with contextlib.suppress(json.JSONDecodeError):
                return dict(json.loads(line))
    return {}
