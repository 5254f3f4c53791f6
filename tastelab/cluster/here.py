"""Units of one step on this machine: in this process, or shared out to several, of which whoever is free takes the next."""

from __future__ import annotations

import multiprocessing
import signal
import time
from collections.abc import Callable, Sequence
from typing import Any

from tastelab.cluster.block import make_units
from tastelab.cluster.heavy import Work
from tastelab.cluster.notes import Notes, Told, failures_of
from tastelab.cluster.submit import blocks_of, lacking

OFTEN = 0.3  # s between two looks at how far processes are


def made_here(
    work: Work, names: Sequence[str] | None = None, jobs: int = 1, update: Callable[..., None] | None = None
) -> Told:
    """Make a step's units in `jobs` processes: all of them, and take in what was made; or a share by name, for others to take in."""
    began, step = time.time(), work.opened()
    units = step.units()
    asked = [u.name for u in units] if names is None else list(names)
    known = [u for u in units if u.name in set(asked)]

    def tell(done: int) -> None:
        if update is not None:
            update(done, len(asked))

    missing = lacking(step, known)
    blocks = blocks_of([u.name for u in units], [u.group for u in units], 1, step.aligned)
    todo = [kept for block in blocks if (kept := tuple(u for u in block if u in missing))]
    rest, ended = asked, [0]
    if jobs > 1 and len(todo) > 1:
        ended = _shared(work, todo, min(jobs, len(todo)), lambda: tell(len(step.done(known))))
        rest = [
            name for name in asked if name not in {u.name for u in known}
        ]  # are told as what the step does not have
    if rest:
        make_units(work, rest, Notes(work.folder, work.name, hears=tell))
    if names is None:
        step.gather()
    done = step.done(known) & set(asked)
    failed = {f.unit: f.line for f in failures_of(work.folder, work.name) if f.when >= began}
    lines = [f"{work.name}: {unit}: {line}" for unit, line in failed.items()]
    for unit in asked:
        if unit not in done and unit not in failed and any(ended):
            lines.append(f"{work.name}: {unit} was not made: a process ended with {next(e for e in ended if e)}")
    return Told(len(asked), len(done), lines)


def _shared(work: Work, blocks: list[tuple[str, ...]], jobs: int, look: Callable[[], None]) -> list[int]:
    """Have blocks made by so many processes; how each of these ended (0: well). None outlives this one."""
    waiting: multiprocessing.Queue[tuple[str, ...] | None] = multiprocessing.Queue()
    waiting.cancel_join_thread()
    processes = [multiprocessing.Process(target=_taking, args=(work, waiting)) for _ in range(jobs)]
    try:
        for process in processes:
            process.start()
        for block in [*blocks, *[None] * jobs]:
            waiting.put(block)
        while any(process.is_alive() for process in processes):
            for process in processes:
                process.join(OFTEN / jobs)
            look()
    finally:
        for process in processes:
            if process.is_alive():
                process.terminate()
                process.join()
    return [process.exitcode or 0 for process in processes]


def _taking(work: Work, waiting: Any) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who stops the command ends its processes
    notes = Notes(work.folder, work.name)
    try:
        step = work.opened()
        for block in iter(waiting.get, None):
            step.make(block, notes)
    finally:
        notes.ends()
