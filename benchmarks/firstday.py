"""The first day on a cluster as docs/scale.md tells it, word for word on a real Slurm: each line of its first block, in a folder with a study.

The study is the default one with few and short clips. Nothing is set but what a user has: the environment's own ``tastelab`` on the
path, Slurm's configuration, a home of one's own without settings of a site.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "scale.md"


def lines(text: str) -> list[str]:
    """The commands of the first block under the first day."""
    block = re.search(r"## A first day on a cluster\n.*?```console\n(.*?)```", text, re.DOTALL)
    assert block is not None
    return block[1].split("\n")[:-1]


def first_day(folder: Path, environment: dict[str, str]) -> dict[str, Any]:
    """What became of each line."""
    from tests.conftest import write_small_study

    folder.mkdir(parents=True, exist_ok=True)
    write_small_study(folder)
    path = f"{Path(sys.executable).parent}:{os.environ.get('PATH', '')}"
    surroundings = os.environ | environment | {
        "PATH": path, "HOME": str(folder), "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
    }  # fmt: skip
    out = []
    for line in lines(PAGE.read_text(encoding="utf-8")):
        began = time.monotonic()
        done = subprocess.run(
            line, shell=True, cwd=folder, env=surroundings, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
        )
        last = [x for x in done.stdout.splitlines() if x.strip()][-1:]
        out.append({
            "line": line, "status": done.returncode, "seconds": round(time.monotonic() - began, 1),
            "last": last[0].replace(str(folder), "") if last else "",
        })  # fmt: skip
        print(f"{out[-1]['seconds']:7.1f} s  {line}: {done.returncode}", flush=True)
        if done.returncode != 0:
            print(done.stdout, flush=True)
            break
    return {"commands": out, "report": (folder / "outputs" / "small" / "report.html").exists()}
