"""Through a real Slurm: the same study as without, a job that is cancelled, and a node that is lost (`benchmarks.evidence slurm` has more)."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from analysis.power.batches import Batches
from analysis.power.power import power
from stimuli.generate import generate
from stimuli.manifest import read_manifest
from tastelab.cluster.heavy import Work, beside, work_of
from tastelab.cluster.here import made_here
from tastelab.cluster.settings import Settings
from tastelab.cluster.submit import noted_jobs, run_all, run_step, run_steps
from tastelab.context import stimuli_folder
from tastelab.errors import UserError
from tastelab.study import Study
from tests import slurm
from tests.tastelab.cluster.test_here import SIZES, asked

pytestmark = pytest.mark.skipif(slurm.missing() is not None, reason=str(slurm.missing()))


@pytest.fixture(scope="module")
def cluster() -> Iterator[slurm.Slurm]:
    made = slurm.Slurm()
    before = dict(os.environ)
    os.environ.update(made.environment)
    yield made
    os.environ.clear()
    os.environ.update(before)
    made.close()


@pytest.mark.slow
def test_a_study_of_tracks_is_the_same_through_it_and_without(
    cluster: slurm.Slurm, film: Study, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    run_steps(film, out, Settings(block=3, minutes=5), ["generate", "features"], quiet=True, every=0.3)
    from stimuli.describe import describe

    generate(film.stimuli, film.models, tmp_path / "here")
    describe(tmp_path / "here", "features", film.models)
    assert read_manifest(stimuli_folder(film, out)) == read_manifest(tmp_path / "here")


@pytest.mark.slow
def test_power_is_the_same_through_it_and_a_share_that_is_there_is_no_jobs(
    cluster: slurm.Slurm, tmp_path: Path
) -> None:
    """What is asked for besides a study travels with the jobs."""
    work = Work("power", tmp_path / "units", partial(Batches, asked(), SIZES, tmp_path / "power"))
    names = [u.name for u in work.opened().units()]
    made_here(work, names[:3])
    run_all([work], Settings(block=6, minutes=5), quiet=True, every=0.3)
    (first, second) = noted_jobs(work.folder, "power")
    assert ([*first.units], [*second.units]) == (names[3:6], names[6:])
    assert Batches(asked(), SIZES, tmp_path / "power").rows() == power(asked(), SIZES)


def test_a_job_that_is_cancelled_is_told_and_the_next_run_makes_the_rest(
    cluster: slurm.Slurm, film: Study, tmp_path: Path
) -> None:
    """Cancelled while it waits, since nothing can be begun before its set-up is over."""
    settings = Settings(block=4, minutes=5, setup=["sleep 3"])

    def cancel() -> None:
        while not (found := cluster.said("squeue", "--noheader", "--array", "--format=%i").split()):
            time.sleep(0.1)
        cluster.said("scancel", sorted(found)[-1])

    thread = threading.Thread(target=cancel)
    thread.start()
    with pytest.raises(UserError, match="units were not made; what was is kept, and the same command makes the rest"):
        run_steps(film, tmp_path, settings, ["generate"], quiet=True, every=0.3)
    thread.join()
    told = run_step(work_of("generate", film, tmp_path), settings, every=0.3)
    assert (told.units, told.made, told.problems) == (7, 7, [])


def test_sbatch_that_refuses_is_one_line(cluster: slurm.Slurm, film: Study, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"sbatch refused the jobs of generate: .*partition") as error:
        run_steps(film, tmp_path, Settings(partition="none"), ["generate"], quiet=True)
    assert "\n" not in str(error.value)


@pytest.mark.slow
def test_a_lost_node_and_a_killed_submitter_cost_nothing(cluster: slurm.Slurm, film: Study, tmp_path: Path) -> None:
    """A node ends as by a power cut with a job on it, and the process that submitted is killed: whoever calls again waits for the same jobs."""
    import multiprocessing

    settings = Settings(block=2, minutes=5, setup=["sleep 6"])
    submitter = multiprocessing.get_context("spawn").Process(
        target=run_steps, args=(film, tmp_path, settings, ["generate"], True, 0.3)
    )
    submitter.start()

    def on(node: str) -> list[str]:
        return cluster.said(
            "squeue", "--noheader", "--array", "--states=RUNNING", f"--nodelist={node}", "--format=%i"
        ).split()

    deadline = time.monotonic() + 300
    while not (there := on("n2")) and time.monotonic() < deadline:
        time.sleep(0.3)
    (lost,) = there
    cluster.kill("n2")
    submitter.kill()
    submitter.join()
    submitted = list(noted_jobs(beside(film, tmp_path), "generate"))
    told = run_step(work_of("generate", film, tmp_path), settings, every=0.5)
    assert (told.units, told.made, told.problems) == (7, 7, [])
    assert lost in {job.job for job in submitted}
    assert list(noted_jobs(beside(film, tmp_path), "generate")) == submitted  # none was submitted again
    assert cluster.said("scontrol", "show", "job", lost).count("Restarts=1") == 1
    folder = stimuli_folder(film, tmp_path)
    assert read_manifest(folder) == generate(film.stimuli, film.models, tmp_path / "here")
    assert not list(folder.rglob("*.partial"))
    cluster.start("n2")
