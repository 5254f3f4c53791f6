"""A fine-tuning as one job: by the words that were given, in as many processes as there are cards, submitted once; what is told of it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest

from tastelab.cluster import queue, tuning
from tastelab.cluster.notes import failures_of, write_json
from tastelab.cluster.queue import Waiting
from tastelab.cluster.settings import TUNING, Settings
from tastelab.cluster.submit import Job
from tastelab.cluster.tuning import Tuning, last_row, made_of, reason, run_tuning, shared_by
from tastelab.errors import UserError
from tests.tastelab.conftest import call

BUG = """[rank1]: Traceback (most recent call last):
[rank1]:   File "x.py", line 3, in f
[rank1]: RuntimeError: CUDA error: no kernel image
torch.distributed.elastic.multiprocessing.errors.ChildFailedError:
"""


@pytest.mark.parametrize(
    ("log", "told"),
    [
        ("taste 5 of 9\ntastelab: corpus has 6 clips\nTraceback\nValueError: later\n", "corpus has 6 clips"),
        (BUG, "RuntimeError: CUDA error: no kernel image"),
        ("ZeroDivisionError: division by zero\n...errors.ChildFailedError:\n", "ZeroDivisionError: division by zero"),
        ("  traceback : Signal 15 (SIGTERM) received by PID 7\n  traceback : Signal 9 (SIGKILL) received by PID 8\n",
         "Signal 9 (SIGKILL) received by PID 8"),
        ("no error here", "torchrun ended with status 3"),
    ],
)  # fmt: skip
def test_why_a_training_failed_is_one_line(log: str, told: str) -> None:
    assert reason(log, 3) == told


def test_a_process_a_card_or_as_many_as_are_asked() -> None:
    assert [shared_by(None, False, 0), shared_by(None, True, 4), shared_by(2, True, 4), shared_by(3, False, 0)] == [
        1,
        4,
        2,
        3,
    ]
    with pytest.raises(UserError, match="asked for cards"):
        shared_by(2, True, 0)
    with pytest.raises(UserError, match="processes = 4, but the job has 1 card;"):
        shared_by(4, True, 1)


def test_the_last_whole_line_of_a_curve(tmp_path: Path) -> None:
    assert last_row(tmp_path / "none.jsonl") == {}
    (tmp_path / "c.jsonl").write_text('{"step": 1, "loss": 3.0}\n{"step": 2, "loss": 2.5}\n{"step": 3, "lo')
    assert last_row(tmp_path / "c.jsonl") == {"step": 2, "loss": 2.5}


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """A cluster on which a job ends when it is looked at for the second time, and makes what it is to make if `works` says so."""
    made: dict[str, Any] = {"jobs": {}, "submitted": [], "works": True, "more": []}

    def shipped(folder: Path, name: str, works: Any, units: Any, settings: Settings, **more: Any) -> list[Job]:
        job = Job(str(len(made["submitted"]) + 1), name, units[0])
        made["submitted"].append(works[0])
        made["more"].append(more)
        made["jobs"][job.job] = Waiting("RUNNING", "")
        write_json(folder / "submitted" / name / f"{job.job}.json", [asdict(job)])
        return [job]

    def looks(jobs: Any, every: float) -> Any:
        yield made["jobs"], set(jobs)
        work = made["submitted"][int(jobs[0]) - 1]
        if made["works"]:
            write_json(made_of(work.folder, work.name), {"of": work.of, "job": jobs[0]})
            (work.folder.parents[1] / work.name).mkdir(exist_ok=True)
        made["jobs"].pop(jobs[0])

    monkeypatch.setattr(queue, "require", lambda: None)
    monkeypatch.setattr(queue, "jobs", lambda: made["jobs"])
    monkeypatch.setattr(queue, "ended", lambda arrays: ({"1": "CANCELLED"}, True))
    monkeypatch.setattr(tuning, "shipped", shipped)
    monkeypatch.setattr(tuning, "looks", looks)
    return made


def tuned(out: Path, *words: str, clips: str = "these") -> Path:
    return run_tuning(words, out, "taste", [clips], 9, Settings(processes=2), quiet=True)


def test_a_training_is_submitted_once_and_what_is_over_is_over(cluster: dict[str, Any], tmp_path: Path) -> None:
    assert tuned(tmp_path, "--lr", "1") == tmp_path / "taste" == tuned(tmp_path, "--lr", "1")
    assert len(cluster["submitted"]) == 1
    tuned(tmp_path, "--lr", "1", clips="others")
    (tmp_path / "taste").rmdir()
    tuned(tmp_path, "--lr", "1", clips="others")
    first, second, third = cluster["submitted"]
    assert (first.words, first.where, first.processes) == (("--lr", "1"), Path.cwd(), 2)
    assert first.of != second.of == third.of
    assert len({more["job_name"] for more in cluster["more"]}) == 1  # which singleton goes by
    assert {more["dependency"] for more in cluster["more"]} == {"singleton"}


def test_whoever_comes_again_waits_for_the_same_job_and_not_for_another_training(
    cluster: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def closed(jobs: Any, every: float) -> Any:
        raise KeyboardInterrupt
        yield

    with monkeypatch.context() as shell:
        shell.setattr(tuning, "looks", closed)
        with pytest.raises(KeyboardInterrupt):
            tuned(tmp_path, "--lr", "1")
    with pytest.raises(UserError, match=r"job 1 trains .*/taste with other options or clips: .*scancel 1"):
        tuned(tmp_path, "--lr", "2")
    tuned(tmp_path, "--lr", "1")
    assert len(cluster["submitted"]) == 1


def test_a_cancelled_job_is_told_and_submitted_again(cluster: dict[str, Any], tmp_path: Path) -> None:
    cluster["works"] = False
    with pytest.raises(UserError, match=r"taste was not made: job 1 cancelled \(log: .*\); the same command goes on"):
        tuned(tmp_path)
    cluster["works"] = True
    assert tuned(tmp_path) == tmp_path / "taste"
    assert len(cluster["submitted"]) == 2


def test_a_limit_in_which_nothing_would_get_done_is_refused(cluster: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"minutes = 2 is too short for a training: .*notice = 30 s"):
        run_tuning([], tmp_path, "taste", [], 9, Settings(minutes=2), quiet=True)
    assert cluster["submitted"] == []


def work(folder: Path, *words: str, notice: int = 30) -> Tuning:
    (folder / "jobs" / TUNING).mkdir(parents=True)
    return Tuning(words, folder, folder, "taste", "of", 1, False, notice)


def test_a_failed_training_is_told_by_its_own_line_and_log(tmp_path: Path) -> None:
    """By a real torchrun, of a command that refuses its options."""
    with pytest.raises(RuntimeError, match="there are: paper, script, nano"):
        work(tmp_path, "--corpus", "c", "--preset", "big")()
    (told,) = failures_of(tmp_path, TUNING)
    assert (told.unit, told.line) == ("taste", "--preset 'big' is not known; there are: paper, script, nano")
    assert told.line in Path(told.log).read_text()
    assert not made_of(tmp_path, "taste").exists()
    assert signal.getsignal(signal.SIGTERM) == signal.SIG_DFL


def test_when_time_is_up_torchrun_is_told_and_waited_for(tmp_path: Path) -> None:
    """It takes its time, as for the keeping of a state; what begins again is the same work."""
    code = f"import signal, time; t = lambda *_: (time.sleep(1), open({str(tmp_path / 'kept')!r}, 'w'), exit(1)); signal.signal(15, t); print(1, flush=True); time.sleep(60)"
    one = work(tmp_path, "--lr", "1")
    one._torchrun = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE)
    assert one._torchrun.stdout is not None
    one._torchrun.stdout.readline()
    began = time.monotonic()
    again = one.checkpoint().function
    assert (tmp_path / "kept").exists()
    assert time.monotonic() - began < 20
    assert again == Tuning(("--lr", "1"), tmp_path, tmp_path, "taste", "of", 1, False, 30)
    assert one._torchrun.wait() == 1
    deaf = subprocess.Popen(
        [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"], stdout=subprocess.PIPE
    )  # fmt: skip
    assert deaf.stdout is not None
    deaf.stdout.readline()
    began = time.monotonic()
    tuning._end(deaf.pid, 0.5)  # no longer than there is
    assert 0.5 <= time.monotonic() - began < 10
    deaf.kill()
    deaf.wait()
    tuning._end(deaf.pid, 60)  # nor for what is gone


def test_the_command_ships_the_words_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """All but those that are of the one who submits; the corpora's clips and a site's file are read before."""
    asked: list[tuple[Any, ...]] = []
    monkeypatch.setattr(tuning, "run_tuning", lambda *given: asked.append(given) or tmp_path / "done")
    (tmp_path / "a.wav").write_bytes(b"x")
    (tmp_path / "metadata.jsonl").write_text(json.dumps({"path": "a.wav", "description": "a"}) + "\n")
    (tmp_path / "site.toml").write_text("[steps.finetune]\nprocesses = 3\n")
    words = [
        "--corpus",
        str(tmp_path),
        "--epochs",
        "4",
        "--batch",
        "1",
        "--without-taste-words",
        "--lr",
        "0.5",
        "--name",
        "n",
    ]
    site = ["--executor", "slurm", "--site", str(tmp_path / "site.toml")]
    said = call("models", "finetune", *words, *site, "--quiet")
    assert (said.status, said.err) == (0, "")
    (given,) = asked
    assert sorted(given[0]) == sorted(words)
    assert given[1:3] == (Path("outputs/training"), "n")
    assert (given[4], given[5].of(TUNING).processes, given[6]) == (4, 3, True)
    assert call("models", "finetune", *words, *site[2:]).err == "tastelab: --site is for --executor slurm\n"
    assert call("models", "finetune", "--corpus", "nowhere", *site).status == 2
