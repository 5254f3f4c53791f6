"""What Slurm's commands say, as 22.05 prints it, is read as it is meant."""

from __future__ import annotations

import pytest

from tastelab.cluster import queue
from tastelab.cluster.queue import Waiting
from tastelab.errors import UserError

SQUEUE = """11_2|RUNNING|None
11_3|PENDING|Resources
12|PENDING|launch failed requeued held
"""
SCONTROL = (
    "JobId=14 ArrayJobId=11 ArrayTaskId=2 JobName=tastelab-captions UserId=root(0) JobState=CANCELLED Reason=None Requeue=1\n"
    "JobId=11 ArrayJobId=11 ArrayTaskId=3-4 JobName=tastelab-captions UserId=root(0) JobState=PENDING Reason=Resources\n"
    "JobId=12 JobName=tastelab-captions UserId=root(0) JobState=NODE_FAIL Reason=NodeDown Requeue=1\n"
)


def test_states_and_reasons() -> None:
    known = queue.read_queue(SQUEUE)
    assert known == {
        "11_2": Waiting("RUNNING", ""), "11_3": Waiting("PENDING", "Resources"),
        "12": Waiting("PENDING", "launch failed requeued held"),
    }  # fmt: skip
    assert queue.at_work(known) == {"11_2"}
    assert queue.at_work(None) is None
    assert queue.read_controller(SCONTROL) == {"11_2": "CANCELLED", "11_3-4": "PENDING", "12": "NODE_FAIL"}


def test_accounting_is_asked_first_and_the_controller_where_there_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"sacct": "11_2|CANCELLED by 0\n11_2.batch|FAILED\n11_3|COMPLETED\n", "scontrol": SCONTROL}
    monkeypatch.setattr(queue, "_said", lambda command: said.get(command[0]))
    assert queue.ended(["11", "11"]) == ({"11_2": "CANCELLED", "11_3": "COMPLETED"}, True)
    del said["sacct"]
    states, accounting = queue.ended(["11"])
    assert (states["11_2"], accounting) == ("CANCELLED", False)
    said["scontrol"] = None  # type: ignore[assignment]
    assert queue.ended(["11"]) == ({}, False)
    assert queue.ended([]) == ({}, True)


def test_a_controller_that_does_not_answer_says_nothing_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "_said", lambda command: None)
    assert queue.jobs() is None


def test_without_slurm_it_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        UserError, match="sbatch and squeue are not on this machine; run it on the cluster's login node"
    ):
        queue.require()
