"""What is submitted: blocks that are made as the whole is, only what is missing, nothing that a job is there for; and what is told of it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

import pytest

from stimuli.units import Unit
from tastelab.cluster import queue, submit
from tastelab.cluster.block import Block
from tastelab.cluster.heavy import HEAVY, beside, heavy, work_of
from tastelab.cluster.notes import Failure, failure_of, failures_of, write_json
from tastelab.cluster.queue import Waiting
from tastelab.cluster.submit import Job, blocks_of, told_now
from tastelab.errors import UserError
from tastelab.study import Study


def test_blocks_are_of_one_group_and_cut_where_batches_are() -> None:
    names = [f"u{k}" for k in range(20)]
    groups = ["one"] * 11 + ["two"] * 9
    assert blocks_of(names, groups, 4, 4) == [
        tuple(names[0:4]), tuple(names[4:8]), tuple(names[8:11]), tuple(names[11:15]), tuple(names[15:19]), tuple(names[19:20]),
    ]  # fmt: skip
    assert [len(b) for b in blocks_of(names, [""] * 20, 3, 8)] == [8, 8, 4]  # never a part of a batch
    assert blocks_of([], [], 3, 8) == []


def test_units_of_jobs_that_slurm_has_are_not_submitted_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = [
        Job("7_0", "generate", {"a": "of a", "b": "of b"}), Job("7_1", "generate", {"c": "of c"}),
        Job("7_2", "generate", {"d": "of an earlier study"}), Job("7_3", "generate", {"made": "of made"}),
    ]  # fmt: skip
    write_json(tmp_path / "submitted" / "generate" / "7.json", [asdict(j) for j in jobs])
    missing = {n: Unit(n, f"of {n}") for n in "abcd"}
    known = {"7_0": Waiting("RUNNING", ""), "7_2": Waiting("PENDING", "Resources"), "7_3": Waiting("RUNNING", "")}
    monkeypatch.setattr(queue, "jobs", lambda: known)
    assert submit.underway(tmp_path, "generate", missing) == [jobs[0]]  # 7_1 has ended, 7_2 makes something else
    assert submit.underway(tmp_path, "captions", missing) == []
    monkeypatch.setattr(queue, "jobs", lambda: None)
    with pytest.raises(UserError, match="Slurm does not answer"):
        submit.underway(tmp_path, "generate", missing)


def test_a_list_of_jobs_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    """What it listed may be underway: whoever looked after that deletes it."""
    file = tmp_path / "submitted" / "captions" / "12.json"
    write_json(file, [])
    file.write_text("")
    with pytest.raises(UserError, match=r"12.json can't be read.*squeue.*delete it"):
        list(submit.noted_jobs(tmp_path, "captions"))


def test_a_job_has_ended_when_slurm_has_said_so_twice(
    film: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = {"7_0": Waiting("RUNNING", ""), "7_1": Waiting("PENDING", "Resources")}
    answers = [here, None, None, {}, here, {}, None, {}]
    monkeypatch.setattr(queue, "jobs", lambda: answers.pop(0))
    told: list[str] = []
    step = heavy("generate", film, tmp_path)
    submit.wait(step, step.units(), [Job("7_0", "generate", {}), Job("7_1", "generate", {})],
                lambda done, total, what: told.append(f"{done} of {total}, {what}"), 0)  # fmt: skip
    assert answers == []
    assert told[0] == "0 of 7, 1 jobs run, 1 wait (Resources)"
    assert told[1] == "0 of 7, Slurm does not answer now"
    assert told_now({}, set()) == "0 jobs run"
    monkeypatch.setattr(submit, "SILENCE", -1.0)
    monkeypatch.setattr(queue, "jobs", lambda: None)
    with pytest.raises(UserError, match="Slurm has not answered for an hour"):
        submit.wait(step, step.units(), [Job("7_0", "generate", {})], None, 0)


def test_why_a_unit_was_not_made_is_one_line_with_its_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for unit, when in (("a", 100.0), ("old", 1.0)):
        write_json(
            failure_of(tmp_path, "generate", unit), asdict(Failure("generate", unit, "ValueError: x", "/a.err", when))
        )
    monkeypatch.setattr(
        queue, "ended", lambda arrays: ({"7_0": "OUT_OF_MEMORY"} if list(arrays) == ["7", "7"] else {}, False)
    )
    jobs = [Job("7_0", "generate", {"b": "", "a": ""}), Job("7_1", "generate", {"old": ""})]
    a, b, old, none = submit.problems(tmp_path, "generate", ["a", "b", "old", "z"], jobs, 50.0)
    assert a == "generate: a failed: ValueError: x (log: /a.err)"
    assert b.startswith(
        f"generate: b was not made: job 7_0 out of memory (log: {tmp_path}/jobs/generate/7_0_0_log.err)"
    )
    assert b.endswith(queue.ACCOUNTING)
    assert "job 7_1 ended; how is not known" in old
    assert none == "generate: z was not made"


def test_a_job_as_submitit_runs_it_makes_its_units_and_tells_of_those_it_cannot(film: Study, tmp_path: Path) -> None:
    """Shipped to a process of its own; what fails keeps nobody, and its log holds the traceback."""
    import submitit

    out = tmp_path / "out"
    step = heavy("generate", film, out)
    names = [u.name for u in step.units()]
    (tmp_path / "tracks" / "track3.wav").write_bytes((tmp_path / "tracks" / "track3.wav").read_bytes()[:2000])
    executor = submitit.LocalExecutor(tmp_path / "logs")
    jobs = [
        executor.submit(Block(work_of("generate", film, out), tuple(part))) for part in (names[:5], names[2:])
    ]  # three of them twice
    assert [job.result() for job in jobs] == [4, 4]
    (failure,) = failures_of(beside(film, out), "generate")
    assert failure.unit not in step.done(step.units())
    assert "track3.wav is shorter than seconds = 2" in failure.line
    assert "Traceback" in Path(failure.log).read_text()
    step.gather()
    assert len(step.done(step.units())) == 6
    assert not list((out / film.name).rglob("*.partial"))


def test_a_job_that_is_begun_again_makes_the_rest(film: Study, tmp_path: Path) -> None:
    from submitit.core.utils import DelayedSubmission

    work = work_of("generate", film, tmp_path)
    step = work.opened()
    names = tuple(u.name for u in step.units())
    block = Block(work, names)
    Block(work, names[:3])()
    before = {p: p.stat().st_mtime_ns for p in (tmp_path / film.name / "stimuli" / "clips").glob("*.wav")}
    assert len(before) == 3
    again = block.checkpoint()
    assert isinstance(again, DelayedSubmission)
    assert again.function() == 7
    assert {p: p.stat().st_mtime_ns for p in before} == before


def test_every_step_needs_only_what_comes_before_it(film: Study, tmp_path: Path) -> None:
    seen: list[str] = []
    for name in HEAVY:
        step = heavy(name, film, tmp_path)
        assert step.name == name
        assert set(step.needs) <= set(seen)
        seen.append(name)
    with pytest.raises(UserError, match="no step is called 'dream'; there are: generate, distinct"):
        heavy("dream", film, tmp_path)
