"""Generation beside eight busy processes or more: how many times as long as before all of them, by how its threads wait."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from contextlib import ExitStack
from typing import Any

BUSY = 8
ROUNDS = 3
SECONDS = 4.0
LIMIT = 100.0  # seconds, after which a run is broken off
# What the command line sets; what PyTorch does where nothing is set; and one thread, which waits for none.
WAYS: dict[str, dict[str, str]] = {
    "asleep": {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"},
    "one thread": {"OMP_NUM_THREADS": "1"},
    "spinning": {},
}
PROGRAM = """
import json, os, sys, time
from models.musicgen.generate import load_generator
import torch
generator = load_generator("nano-base")
generator.generate(["warm up"], 1.0, [0])
print("ready", flush=True)
sys.stdin.readline()
wall, cpu = time.perf_counter(), time.process_time()
generator.generate(["Slow music with strings."], float(sys.argv[1]), [1])
print(json.dumps({"wall_seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu,
                  "threads": torch.get_num_threads()}), flush=True)
"""


def run(way: str, crowded: bool) -> dict[str, Any]:
    """One clip, in a process of its own; loaded before the others begin. `load`: what else wanted the cores just before."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_", "GOMP_"))} | WAYS[way]
    told = [sys.executable, "-c", PROGRAM, str(SECONDS)]
    # Where the machine is not ours alone, quiet is what it is to a process that goes before all others.
    before = (lambda: os.nice(-19)) if not crowded and os.geteuid() == 0 else None
    with ExitStack() as ending:
        one = subprocess.Popen(
            told, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, preexec_fn=before
        )  # fmt: skip
        ending.callback(one.wait)
        ending.callback(one.kill)
        assert one.stdin is not None
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
        # What runs on the machine anyhow is busy too; as many are begun as eight lack.
        for _ in range(max(0, BUSY - round(os.getloadavg()[0])) if crowded else 0):
            busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
            ending.callback(busy.wait)
            ending.callback(busy.kill)
        load, started = os.getloadavg()[0], time.perf_counter()
        one.stdin.write("\n")
        one.stdin.flush()
        while one.poll() is None and time.perf_counter() - started < LIMIT:
            time.sleep(0.02)
        if one.poll() is None:
            return {"way": way, "crowded": crowded, "load": load, "wall_seconds": LIMIT, "broken_off": True}
        return {"way": way, "crowded": crowded, "load": load, **json.loads(one.stdout.readline())}


def busy() -> dict[str, Any]:
    """Quiet and crowded runs in turn: medians, and the limit, twice what a fair share of the cores among ten processes would take."""
    runs = []
    for k in range(ROUNDS):
        for way in WAYS:
            for crowded in (False, True):
                if k == 0 or way != "spinning":  # once is enough to see it
                    runs.append(run(way, crowded))
                    print(runs[-1], flush=True)
    return summed(runs, len(os.sched_getaffinity(0)))


def summed(runs: list[dict[str, Any]], cores: int) -> dict[str, Any]:
    """Medians of runs, and whether they are within the limit."""
    out: dict[str, Any] = {"busy": BUSY, "cores": cores, "clip_seconds": SECONDS, "runs": runs, "ways": {}}
    for way in WAYS:
        quiet, crowded = (
            sorted(r["wall_seconds"] for r in runs if r["way"] == way and r["crowded"] is c) for c in (False, True)
        )
        row = {"quiet": quiet[len(quiet) // 2], "crowded": crowded[len(crowded) // 2]}
        limit = 2 * row["quiet"] * (BUSY + cores) / cores
        out["ways"][way] = row | {
            "times": row["crowded"] / row["quiet"],
            "limit": limit,
            "within": row["crowded"] <= limit,
        }
    return out
