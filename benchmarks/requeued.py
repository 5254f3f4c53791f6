"""A fine-tuning shared by two processes of a job on a real Slurm: requeued by hand, its node lost, its submitter killed, its time up.

Its time is up once because somebody says so, and then by the clock: the job may take three minutes and needs more.

Its weights are held against those of the same command by torchrun without Slurm, bit for bit. The model is small and by chance, the
corpus six tones: what is tried is the way, not the music. Part of the measurement `slurm` (`benchmarks.cluster`); alone:
python -m benchmarks.requeued [FOLDER]
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PROCESSES, EPOCHS = 2, 6000
BY_HAND = 3  # requeued: told that its time is up, by hand, its node lost
SITE = f"minutes = 30\n[steps.finetune]\nminutes = 3\nprocesses = {PROCESSES}\n"
OPTIONS = ("--batch", "5", "--epochs", str(EPOCHS), "--ema", "0.5", "--name", "tuned")


def material(folder: Path) -> tuple[str, ...]:
    """A base by chance and six tones, as options of the command."""
    import numpy as np
    import soundfile
    import torch

    from models.musicgen.language import LanguageConfig, build_language_model
    from models.musicgen.nano import save_language_model

    corpus, base = folder / "corpus", folder / "base"
    (corpus / "audio").mkdir(parents=True, exist_ok=True)
    rows = []
    for n in range(6):
        seconds = 2.0 + 0.4 * n
        t = np.arange(round(16000 * seconds)) / 16000
        soundfile.write(corpus / "audio" / f"{n}.wav", 0.3 * np.sin(2 * np.pi * 110 * (n + 2) * t), 16000)
        rows.append({"path": f"audio/{n}.wav", "description": f"tone {n}", "duration": seconds})
    (corpus / "metadata.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    torch.manual_seed(0)
    config = LanguageConfig(width=32, layers=1, heads=2)
    save_language_model(build_language_model(config), config, base, torch.float32)
    return ("--corpus", str(corpus), "--base", str(base))


def requeued(folder: Path, slurm: Any, told: Callable[[str], None]) -> dict[str, Any]:
    """The training without Slurm, and in a job of it that is not left alone."""
    from benchmarks.cluster import until

    words = ("models", "finetune", *material(folder), *OPTIONS)
    environment = os.environ | slurm.environment | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    torchrun = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(PROCESSES))
    here, there = folder / "here", folder / "there"
    subprocess.run(
        [sys.executable, *torchrun, "-m", "tastelab", *words, "--out", str(here), "--quiet"],
        check=True, cwd=ROOT, env=environment, capture_output=True,
    )  # fmt: skip
    told("fine-tuned without a cluster")
    site = folder / "tuning.toml"
    site.write_text(SITE)
    command = [
        sys.executable,
        "-m",
        "tastelab",
        *words,
        "--out",
        str(there),
        "--executor",
        "slurm",
        "--site",
        str(site),
    ]
    curve = there / "state" / "tuned.jsonl"

    def begun() -> subprocess.Popen[str]:
        return subprocess.Popen(
            command, cwd=ROOT, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )

    def rows() -> int:
        return len(curve.read_text().splitlines()) if curve.exists() else 0

    def further(submitter: subprocess.Popen[str]) -> str:
        """When some steps more are made: the job."""
        before = rows()
        until(lambda: rows() >= before + 4 or submitter.poll() is not None, "the training does not go on", 900)
        assert submitter.poll() is None, submitter.communicate()[0]
        return str(slurm.said("squeue", "--noheader", "--format=%i").split()[0])

    submitter = begun()
    try:
        job = further(submitter)
        slurm.said("scancel", "--signal=USR2", job)  # what Slurm sends before the limit
        told(f"fine-tuning: job {job} is told that its time is up; its curve has {rows()} rows")
        until(
            lambda: "RUNNING" not in slurm.said("squeue", "--noheader", "--format=%T"), "the job was not requeued", 120
        )
        job = further(submitter)
        submitter.kill()
        submitter.wait()
        slurm.said("scontrol", "requeue", job)
        told(f"fine-tuning: the submitter is killed, job {job} requeued by hand; {rows()} rows")
        until(
            lambda: "RUNNING" not in slurm.said("squeue", "--noheader", "--format=%T"), "the job was not requeued", 120
        )
        submitter = begun()
        job = further(submitter)
        node = slurm.said("squeue", "--noheader", "--format=%N").split()[0]
        slurm.kill(node)
        told(f"fine-tuning: node {node} is lost with job {job}; {rows()} rows")
        until(
            lambda: "RUNNING" not in slurm.said("squeue", "--noheader", "--format=%T"),
            "the lost node was not noticed",
            300,
        )
        slurm.start(node)
        text, _ = submitter.communicate()
    finally:
        submitter.kill()
    restarts = re.search(r"Restarts=(\d+)", slurm.said("scontrol", "show", "job", job))
    met = int(restarts[1]) - BY_HAND if restarts else None
    told(
        f"fine-tuning: status {submitter.returncode}, {text.strip().splitlines()[-1]}; time limits met by the clock: {met}"
    )
    weights = [out / "tuned" / "model.safetensors" for out in (here, there)]
    return {
        "processes": PROCESSES, "steps": EPOCHS, "status": submitter.returncode, "requeued": int(restarts[1]) if restarts else None,
        "time_limits_met": met,
        "submitted": len(list((there / "state" / "cluster" / "submitted" / "finetune").glob("*.json"))),
        "weights_equal": all(w.exists() for w in weights) and weights[0].read_bytes() == weights[1].read_bytes(),
    }  # fmt: skip


if __name__ == "__main__":
    from tests.slurm import Slurm

    work = Path(sys.argv[1] if sys.argv[1:] else tempfile.mkdtemp(prefix="tastelab-requeued-"))
    cluster, start = Slurm(), time.monotonic()
    try:
        print(
            json.dumps(
                requeued(work, cluster, lambda line: print(f"{time.monotonic() - start:6.0f} s  {line}", flush=True)),
                indent=1,
            )
        )
    finally:
        cluster.close()
