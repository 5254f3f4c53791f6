"""Units of one step by several processes of this machine: shared out, stopped, failed, killed; nothing is lost or made twice."""

from __future__ import annotations

import multiprocessing
import os
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from analysis.errors import AnalysisError
from analysis.power import batches
from analysis.power.batches import Batches
from analysis.power.power import Batch, Simulation, found_in, power
from experiment.bots.effects import load_effects
from tastelab.cluster.heavy import Work, heavy, work_of
from tastelab.cluster.here import made_here
from tastelab.cluster.notes import notes_of
from tastelab.errors import UserError
from tastelab.study import Study, load_study
from tests.conftest import ROOT

SIZES = [6, 9, 12]


def asked(studies: int = 420) -> Simulation:
    study = load_study(ROOT / "study.toml")
    tastes = tuple(t.name for t in study.stimuli.tastes)
    return Simulation(study.experiment, load_effects(), tastes, (3,), study.analysis, studies, 1, "paper")


@pytest.fixture
def work(tmp_path: Path) -> Work:
    """Nine batches: three sizes of 200, 200 and 20 studies."""
    return Work("power", tmp_path / "units", partial(Batches, asked(), SIZES, tmp_path / "power"))


def opened(work: Work) -> Any:
    return work.opened()


def stamps(work: Work) -> dict[str, int]:
    """When each of the units that are there was made."""
    step = opened(work)
    made = {u.name: step.kept.path(u.fingerprint) for u in step.units() if step.kept.has(u.fingerprint)}
    return {name: path.stat().st_mtime_ns for name, path in made.items()}


def test_shares_of_two_processes_are_the_whole(work: Work, tmp_path: Path) -> None:
    names = [u.name for u in opened(work).units()]
    shares = (names[:4], names[2:])
    processes = [multiprocessing.Process(target=made_here, args=(work, share)) for share in shares]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(stamps(work)) == len(names) == 9
    assert opened(work).rows() == power(asked(), SIZES)
    assert not list((tmp_path / "power").glob(".*"))
    notes = notes_of(work.folder, "power")
    assert all(n.ended and not n.units for n in notes)
    assert 9 <= sum(n.made for n in notes) <= 11  # what both had was made by either, or by both at once


def test_processes_share_out_what_is_missing(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [u.name for u in opened(work).units()]
    assert made_here(work, names[:2]).made == 2
    before = stamps(work)
    told: list[tuple[int, int]] = []
    found = made_here(work, None, 2, lambda done, total: told.append((done, total)))
    assert (found.units, found.made, found.problems) == (9, 9, [])
    assert told[-1] == (9, 9)
    assert stamps(work).items() >= before.items()
    assert sum(n.made for n in notes_of(work.folder, "power") if n.pid != os.getpid()) == 7
    assert opened(work).rows() == power(asked(), SIZES)
    # All made: no process is begun.
    monkeypatch.setattr(multiprocessing, "Process", None)
    assert made_here(work, None, 2).made == 9


def broken(simulation: Simulation, drawn: Batch) -> Any:
    if (drawn.people, drawn.number) == (9, 1):
        raise AnalysisError("no answers\nand more")
    return found_in(simulation, drawn)


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_unit_that_fails_is_told_and_the_rest_is_made(work: Work, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    monkeypatch.setattr(batches, "found_in", broken)
    found = made_here(work, None, jobs)
    (bad,) = (u.name for u in opened(work).units() if u.name.startswith("9x3-1-"))
    assert (found.units, found.made, found.problems) == (9, 8, [f"power: {bad}: AnalysisError: no answers"])
    before = stamps(work)
    monkeypatch.undo()
    assert made_here(work, [*before][:2], jobs).problems == []  # of these nothing failed
    again = made_here(work, None, jobs)
    assert (again.made, again.problems) == (9, [])
    assert stamps(work).items() > before.items()
    assert opened(work).rows() == power(asked(), SIZES)


def test_a_process_that_is_killed_costs_what_it_was_at(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(simulation: Simulation, drawn: Batch) -> Any:
        if (drawn.people, drawn.number) == (9, 1):
            os.kill(os.getpid(), 9)
        return found_in(simulation, drawn)

    monkeypatch.setattr(batches, "found_in", killed)
    found = made_here(work, None, 2)
    assert found.made == 8
    (line,) = found.problems
    assert line.startswith("power: 9x3-1-")
    assert line.endswith("was not made: a process ended with -9")


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_was_made_before_it_was_stopped_stays(work: Work, monkeypatch: pytest.MonkeyPatch, jobs: int) -> None:
    """Ctrl-C comes while it tells how far it is; no process goes on with what takes long."""

    def long(simulation: Simulation, drawn: Batch) -> Any:
        time.sleep(60 if drawn.people == 12 else 0)
        return found_in(simulation, drawn)

    def stop(done: int, total: int) -> None:
        if done >= 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(batches, "found_in", long)
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        made_here(work, None, jobs, stop)
    assert time.monotonic() - began < 45
    assert multiprocessing.active_children() == []
    monkeypatch.undo()
    before = stamps(work)
    assert 3 <= len(before) <= 6
    assert made_here(work, None, jobs).made == 9
    assert stamps(work).items() >= before.items()


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_a_step_does_not_have_is_told(work: Work, jobs: int) -> None:
    names = [u.name for u in opened(work).units()]
    found = made_here(work, ["6x3-0-of another study", *names[:2]], jobs)
    assert (found.units, found.made) == (3, 2)
    assert found.problems == [
        "power: 6x3-0-of another study: UserError: step power has no unit '6x3-0-of another study'"
    ]


def test_clips_of_a_batch_stay_together(film: Study, tmp_path: Path) -> None:
    """Another step by the same way: all of it is taken in at the end."""
    found = made_here(work_of("generate", film, tmp_path), None, 2)
    assert (found.units, found.made, found.problems) == (7, 7, [])
    waiting = tmp_path / film.name / "stimuli" / "waiting"
    assert not list(waiting.rglob("*.json"))
    step = heavy("generate", film, tmp_path)
    assert len(step.done(step.units())) == 7


def test_power_is_asked_for_by_its_own_command(film: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="power is asked for by 'tastelab analysis power'"):
        work_of("power", film, tmp_path)
