"""The default study on a real Slurm of this machine, beside the same here: equal to the digit, whatever is killed meanwhile.

A controller and two node daemons on loopback (`tests.slurm`). The networks are those that ship. A node is lost as by a power cut, a job
is cancelled and the submitting process is killed; then manifests, sounds, embeddings and every table of
the report are held against those of a run without a cluster; so are the weights of a fine-tuning
(`benchmarks.requeued`); beside it a first user's day (`benchmarks.firstday`). Given a folder, it goes on where it was stopped.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.firstday import first_day

ROOT = Path(__file__).resolve().parent.parent
PEOPLE = 111
STUDY = "multimodal-symphony"
SITE = """
minutes = 30
block = 8
[steps.generate]
block = 5            # a set
"""
# What differs between two runs of one study wherever they are made: when and how long, nothing of what was found.
TIMES = ("seconds_per_stage",)


class Runs:
    """Runs of one study in a folder, and what happened in them."""

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder, self.events, self.all = folder, list[str](), list[subprocess.Popen[str]]()
        self.began = time.monotonic()
        self.environment = os.environ | environment | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        folder.mkdir(parents=True, exist_ok=True)
        self.study = ROOT / "study.toml"
        self.site = folder / "site.toml"
        self.site.write_text(SITE)

    def told(self, what: str) -> None:
        """Note what happened, and when."""
        self.events.append(f"{time.monotonic() - self.began:6.0f} s  {what}")
        print(self.events[-1], flush=True)

    def begun(self, out: Path, *words: str) -> subprocess.Popen[str]:
        """A command of tastelab, begun."""
        where = ["--study", str(self.study), "--out", str(out)]
        process = subprocess.Popen(
            [sys.executable, "-m", "tastelab", *words, *where], cwd=ROOT, env=self.environment, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        self.all.append(process)
        return process

    def end(self) -> None:
        """Leave nothing behind that still waits."""
        for process in self.all:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def said(self, out: Path, *words: str, status: int = 0) -> str:
        """What a command says, which ends with a status."""
        process = self.begun(out, *words)
        text, _ = process.communicate()
        assert process.returncode == status, text
        return text

    def on_cluster(self, out: Path) -> tuple[str, ...]:
        """The words that have the heavy steps made on the cluster."""
        return ("study", "run", "--executor", "slurm", "--site", str(self.site), "--only", "all", "--quiet")

    def rest(self, out: Path) -> None:
        """People and report, which need no cluster."""
        db = ("--db", f"sqlite:///{out}/participants.db")
        self.said(out, "experiment", "simulate", "-n", str(PEOPLE), "--seed", "1", *db)
        self.said(out, "analysis", "report", "--kind", "bot", *db)

    def units(self, out: Path, step: str) -> dict[str, bool]:
        """A step's units, and whether each is made."""
        rows = json.loads(self.said(out, "study", "units", step, "--json"))["tables"]["units"]
        return {r["unit"]: r["done"] for r in rows}


def until(there: Callable[[], bool], what: str, seconds: float = 3600) -> None:
    """Wait for something to come about."""
    deadline = time.monotonic() + seconds
    while not there():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.5)


def disturbed(runs: Runs, cluster: Any, out: Path) -> dict[str, Any]:
    """The heavy steps on a cluster on which things go wrong."""
    base = out / STUDY
    found: dict[str, Any] = {}

    def running() -> list[tuple[str, str]]:
        lines = cluster.said("squeue", "--noheader", "--array", "--states=RUNNING", "--format=%i %N").splitlines()
        return [(line.split()[0], line.split()[1]) for line in lines if len(line.split()) == 2]

    def made() -> int:
        return len(list((base / "stimuli" / "clips").glob("*.wav")))

    first = runs.begun(out, *runs.on_cluster(out))
    until(lambda: made() >= 2 and any(node == "n2" for _, node in running()), "no job on the second node")
    cut = [job for job, node in running() if node == "n2"]
    runs.told(f"node n2 is lost with job {cut[0]}; {made()} clips are made")
    cluster.kill("n2")
    until(lambda: "n2" not in {node for _, node in running()} or made() >= 12, "the lost node was not noticed")
    os.killpg(first.pid, signal.SIGKILL)
    first.wait()
    queued = cluster.said("squeue", "--noheader", "--array", "--format=%i").split()
    submitted = noted(base, "generate")
    runs.told(f"the submitting process is killed; {len(queued)} jobs are in the queue, {made()} clips are made")
    second = runs.begun(out, *runs.on_cluster(out))
    # One that has only just begun: whoever is told to end may make what it is at first.
    there = {job for job, _ in running()}
    until(lambda: bool({job for job, _ in running()} - there), "no job begins")
    victim = next(job for job, _ in running() if job not in there)
    cluster.said("scancel", victim)
    runs.told(f"job {victim} is cancelled; node n2 comes back")
    cluster.start("n2")
    text, _ = second.communicate()
    found["submitted_twice"] = len(noted(base, "generate")) - len(submitted)
    runs.told(f"the second run ends with status {second.returncode}: {' '.join(text.strip().splitlines()[-1:])}")
    found["told_of_the_cancelled_job"] = [x.replace(str(out), "OUT") for x in text.splitlines() if victim in x]
    found["status_after_the_cancelled_job"] = second.returncode
    last = runs.said(out, *runs.on_cluster(out))
    runs.told(f"the third run: {' '.join(last.split())[-200:]}")
    return found


def noted(base: Path, step: str) -> list[str]:
    """The units that jobs were submitted for, once for each time."""
    found = []
    for path in sorted((base / "units" / "submitted" / step).glob("*.json")):
        for job in json.loads(path.read_text()):
            found += list(job["units"])
    return found


def compared(one: Path, other: Path) -> dict[str, Any]:
    """What is the same in two outputs of one study, and what is not."""
    rows = [json.loads((out / STUDY / "stimuli" / "manifest.json").read_text())["clips"] for out in (one, other)]
    names = [r["clip"] for r in rows[1]]
    sounds = [
        hashlib.sha256((other / STUDY / "stimuli" / r["file"]).read_bytes()).hexdigest() == r["sha256"] for r in rows[1]
    ]
    left = [p for p in (other / STUDY).rglob("*") if p.name.endswith(".partial") or p.parent.parent.name == "waiting"]
    found: dict[str, Any] = {
        "clips": len(names), "rows_equal": sum(a == b for a, b in zip(*rows, strict=True)), "doubled": len(names) - len(set(names)),
        "sounds_as_the_manifest_says": sum(sounds), "half_written": len([p for p in left if p.is_file()]),
    }  # fmt: skip
    for what, pattern in (("embeddings", "embeddings/*/*.npy"), ("tables_of_the_report", "tables/*.csv")):
        files = [
            {p.relative_to(out / STUDY): p.read_bytes() for p in (out / STUDY).glob(pattern)} for out in (one, other)
        ]
        found[what] = len(files[0])
        found[f"{what}_equal"] = sum(files[1].get(name) == data for name, data in files[0].items())
        found[f"{what}_different"] = sorted(
            str(n) for n in files[0].keys() | files[1].keys() if files[0].get(n) != files[1].get(n)
        )
    reports = [json.loads((out / STUDY / "manifest.json").read_text()) for out in (one, other)]
    for report in reports:
        for name in (*TIMES, "files"):
            report.pop(name, None)
    found["report_fingerprint_equal"] = reports[0] == reports[1]
    return found


def cluster(folder: Path | None = None) -> dict[str, Any]:
    """The study without a cluster, and on one on which things go wrong."""
    from benchmarks.requeued import requeued
    from tests.slurm import Slurm, missing

    why = missing()
    if why is not None:
        raise SystemExit(why)
    work = folder or Path(tempfile.mkdtemp(prefix="tastelab-cluster-"))
    slurm = Slurm()
    runs = Runs(work, slurm.environment)
    try:
        local, wild = work / "local", work / "cluster"
        runs.said(local, "study", "run", "--only", "all", "--quiet")
        runs.rest(local)
        runs.told("made without a cluster")
        found = disturbed(runs, slurm, wild)
        runs.rest(wild)
        runs.told("people and report of what the cluster made")
        tuned = requeued(work / "finetuning", slurm, runs.told)
        return {
            "slurm": slurm.version, "nodes": len(slurm.nodes), "accounting": False, "study": STUDY, "people": PEOPLE,
            **compared(local, wild), "disturbances": found, "finetuning": tuned, "first_day": first_day(work / "day", slurm.environment),
            "log": [event.replace(str(work), "FOLDER") for event in runs.events],
        }  # fmt: skip
    finally:
        runs.end()
        slurm.close()
        if folder is None:
            shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    print(json.dumps(cluster(Path(sys.argv[1]) if sys.argv[1:] else None), indent=1))
