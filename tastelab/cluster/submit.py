"""Heavy steps on a Slurm cluster: what is missing is submitted as arrays of jobs through submitit, waited for and taken in.

Slurm schedules, runs jobs again whose node is lost, and ends those whose time is up; submitit ships what a job does, and has it
requeued. Here is only said which units are missing, and of which of them Slurm has a job already: whoever runs the same again,
after the shell was closed or beside it, waits for the same jobs.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tastelab.cluster import queue
from tastelab.cluster.block import Block
from tastelab.cluster.heavy import HEAVY, Work, work_of
from tastelab.cluster.notes import Told, failures_of, write_json
from tastelab.cluster.settings import Settings
from tastelab.context import progress, say
from tastelab.errors import UserError
from tastelab.study import Study

if TYPE_CHECKING:
    from stimuli.units import Step, Unit

EVERY = 5.0  # s between two looks
COUNTING = 20  # times as long as counting took, until it is counted again
GATHER = 600.0  # s between two times that what was made is taken in meanwhile
SILENCE = 3600.0  # s without an answer of the controller, after which nobody is kept waiting
GONE = 2  # looks in a row at which Slurm does not have a job: it has ended
Progress = Callable[..., None]


@dataclass(frozen=True)
class Job:
    """One job of an array, and the units that it makes, by name and fingerprint."""

    job: str
    step: str
    units: dict[str, str]

    @property
    def array(self) -> str:
        """What it was submitted in."""
        return self.job.partition("_")[0]


def run_steps(
    study: Study,
    out: Path,
    settings: Settings,
    only: Sequence[str] = (),
    quiet: bool = False,
    every: float = EVERY,
) -> None:
    """Have the heavy steps of a study done, one after the other, each as far as what it needs is there; raises as `run_all` does."""
    names = [n for n in HEAVY if not only or n in only]
    run_all([work_of(name, study, out.resolve()) for name in names], settings, quiet, every)


def run_all(
    works: Sequence[Work], settings: Settings, quiet: bool = False, every: float = EVERY, alone: bool = False
) -> None:
    """Have steps done, one after the other; `alone` is that of `told_of`.

    Raises
    ------
    UserError
        If units were not made when the jobs have ended: which, why, and where the log is.
    """
    queue.require()
    lines: list[str] = []
    for work in works:
        started = time.monotonic()
        with progress(work.name, quiet) as update:
            told = run_step(work, settings, update, every)
        say(f"{work.name:<12} {time.monotonic() - started:7.1f} s   {told.made} of {told.units} made", quiet)
        lines += told.problems
    told_of(lines, alone)


def told_of(lines: Sequence[str], alone: bool = False) -> None:
    """Say what was not made, if anything was not; `alone`: in the one line of the error, where nothing else may be printed.

    Raises
    ------
    UserError
        With how many it were.
    """
    if not lines:
        return
    for line in [] if alone else lines:
        say(line)
    first = f"{lines[0]}; " if alone else ""
    raise UserError(
        f"{first}{len(lines)} {'unit was' if len(lines) == 1 else 'units were'} not made; what was is kept, and the same command makes the rest"
    )


def run_step(work: Work, settings: Settings, update: Progress | None = None, every: float = EVERY) -> Told:
    """One step: submit what is missing and no job is there for, wait for all jobs of it, take in what they made."""
    step, folder, name = work.opened(), work.folder, work.name
    step.gather()  # what another run left
    units = step.units()
    missing = lacking(step, units)
    if not missing:
        return Told(len(units), len(units), [])
    began = time.time()
    jobs = underway(folder, name, missing)
    taken = {unit for job in jobs for unit in job.units}
    blocks = blocks_of([u.name for u in units], [u.group for u in units], settings.of(name).block, step.aligned)
    todo = [kept for block in blocks if (kept := tuple(u for u in block if u in missing and u not in taken))]
    jobs += submit(work, todo, missing, settings)
    wait(step, [missing[u] for u in missing], jobs, update, every)
    step.gather()
    left = lacking(step, step.units())
    return Told(len(units), len(units) - len(left), problems(folder, name, sorted(left), jobs, began))


def lacking(step: Step, units: Sequence[Unit]) -> dict[str, Unit]:
    """The units that are not made, by name."""
    done = step.done(units)
    return {u.name: u for u in units if u.name not in done}


def blocks_of(names: Sequence[str], groups: Sequence[str], size: int, aligned: int) -> list[tuple[str, ...]]:
    """All units in blocks of about `size`: of one group each, and cut at multiples of `aligned`, whatever is made already.

    So a block is made in the same batches as the whole is.
    """
    step = -(-size // aligned) * aligned
    by_group: dict[str, list[str]] = {}
    for name, group in zip(names, groups, strict=True):
        by_group.setdefault(group, []).append(name)
    return [tuple(own[k : k + step]) for own in by_group.values() for k in range(0, len(own), step)]


def submit(work: Work, blocks: Sequence[tuple[str, ...]], units: dict[str, Unit], settings: Settings) -> list[Job]:
    """Submit a job a block, as arrays; each is noted before anything else happens, so that no other run submits it again."""
    folder, name = work.folder, work.name
    jobs: list[Job] = []
    for start in range(0, len(blocks), settings.array):
        some = blocks[start : start + settings.array]
        of = [{unit: units[unit].fingerprint for unit in block} for block in some]
        jobs += shipped(folder, name, [Block(work, block) for block in some], of, settings)
    return jobs


def shipped(
    folder: Path, name: str, works: Sequence[Any], units: Sequence[dict[str, str]], settings: Settings, **more: Any
) -> list[Job]:
    """Submit what some jobs of a step do, as one array, and note what they make; `more` of what sbatch is asked."""
    import submitit

    logs = folder / "jobs" / name
    logs.mkdir(parents=True, exist_ok=True)
    python = None if settings.container is None else f"{settings.container} python3"
    executor = submitit.SlurmExecutor(logs, max_num_timeout=settings.requeues, python=python)
    executor.update_parameters(**(settings.submitted(name) | more))
    try:
        made = executor.submit_array(list(works))
    except submitit.core.utils.FailedJobError as error:
        raise UserError(f"sbatch refused the jobs of {name}: {_last(str(error))}") from None
    jobs = [Job(job.job_id, name, of) for job, of in zip(made, units, strict=True)]
    write_json(folder / "submitted" / name / f"{jobs[-1].array}.json", [asdict(j) for j in jobs])
    return jobs


def underway(folder: Path, name: str, missing: dict[str, Unit]) -> list[Job]:
    """Jobs that Slurm has of an earlier run, with those of their units that are what is missing now.

    Raises
    ------
    UserError
        If Slurm does not answer: without it nobody knows what is underway.
    """
    noted = list(noted_jobs(folder, name))
    if not noted:
        return []
    known = queue.certain_jobs()
    jobs = []
    for job in noted:
        own = {u: of for u, of in job.units.items() if u in missing and missing[u].fingerprint == of}
        if job.job in known and own:
            jobs.append(Job(job.job, name, own))
    return jobs


def noted_jobs(folder: Path, name: str) -> Iterator[Job]:
    """Every job that was submitted for a step."""
    for path in sorted((folder / "submitted" / name).glob("[!.]*.json")):
        try:
            raws = json.loads(path.read_text(encoding="utf-8"))
        except ValueError:
            raise UserError(f"{path} can't be read; if squeue shows no job {path.stem}, delete it") from None
        for raw in raws:
            yield Job(**raw)


def wait(step: Step, units: list[Unit], jobs: list[Job], update: Progress | None, every: float) -> None:
    """Wait until Slurm has none of the jobs any more (`looks`); that it does not answer for a while says nothing.

    What is made is counted the more seldom the longer counting takes, and taken in now and then, so that small files do not heap up.
    """
    done, count_at, gathered = 0, 0.0, time.monotonic()
    for known, left in looks([job.job for job in jobs], every):
        if update is not None:
            began = time.monotonic()
            if began >= count_at:
                done = len(step.done(units))
                count_at = time.monotonic() + COUNTING * (time.monotonic() - began)
            update(done, len(units), told_now(known, left))
        if time.monotonic() - gathered > GATHER:
            step.gather()
            gathered = time.monotonic()


def looks(jobs: Sequence[str], every: float) -> Iterator[tuple[dict[str, queue.Waiting] | None, set[str]]]:
    """What Slurm says, None where it does not answer now, and which of the jobs it has still; again and again, until it has none.

    Raises
    ------
    UserError
        If it does not answer for an hour.
    """
    left, unseen, heard = set(jobs), dict.fromkeys(jobs, 0), time.monotonic()
    while left:
        known = queue.jobs()
        if known is None and time.monotonic() - heard > SILENCE:
            raise UserError(
                "Slurm has not answered for an hour (squeue); its jobs may go on: the same command waits for them"
            )
        if known is not None:
            heard = time.monotonic()
            for job in sorted(left):
                unseen[job] = 0 if job in known else unseen[job] + 1
                if unseen[job] >= GONE:
                    left.discard(job)
        yield known, left
        if left:
            time.sleep(every)


def told_now(known: dict[str, queue.Waiting] | None, left: set[str]) -> str:
    """In a few words, what the jobs are at."""
    if known is None:
        return "Slurm does not answer now"
    own = [known[job] for job in left if job in known]
    running = sum(w.state == "RUNNING" for w in own)
    why = sorted({w.reason for w in own if w.state != "RUNNING" and w.reason})
    return f"{running} jobs run" + (f", {len(own) - running} wait ({', '.join(why)})" if len(own) > running else "")


def problems(folder: Path, name: str, left: Sequence[str], jobs: Sequence[Job], since: float) -> list[str]:
    """Why each unit that is not made is not: its own line and log, or how its job ended."""
    failed = {f.unit: f for f in failures_of(folder, name) if f.when >= since}
    of = {unit: job for job in jobs for unit in job.units}
    lost = [unit for unit in left if unit not in failed and unit in of]
    states, accounting = queue.ended(of[unit].array for unit in lost)
    lines = []
    for unit in left:
        if unit in failed:
            lines.append(f"{name}: {unit} failed: {failed[unit].line} (log: {failed[unit].log})")
        elif unit in of:
            job = of[unit].job
            state = states.get(job, "ended; how is not known").lower().replace("_", " ")
            told = "" if accounting else f"; {queue.ACCOUNTING}"
            lines.append(
                f"{name}: {unit} was not made: job {job} {state} (log: {folder / 'jobs' / name / job}_0_log.err){told}"
            )
        else:
            lines.append(f"{name}: {unit} was not made")
    return lines


def _last(text: str) -> str:
    lines = [line for line in text.strip().splitlines() if line.strip()]
    return lines[-1].strip() if lines else "it did not say why"
