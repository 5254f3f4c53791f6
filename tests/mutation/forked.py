"""Runs pytest in a copy of the tree again and again: libraries are imported once, each run is a fork that starts with them.

``python -m tests.mutation.forked`` in the copy reads requests as JSON lines (`tests`, `seconds`, `options`) and answers each with `status`
(pytest's; 124: out of time) and the end of `output`. Nothing of the copy itself is imported before the fork.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import tempfile
import time
from typing import Any

LIBRARIES = (
    "numpy", "scipy.signal", "scipy.stats", "scipy.optimize", "pandas", "pydantic", "sqlalchemy.orm", "alembic.command",
    "hypothesis.strategies", "cryptography.fernet", "typer.testing", "rich.table", "soundfile", "soxr", "pyloudnorm",
    "statsmodels.api", "pingouin", "matplotlib.pyplot", "seaborn", "librosa.feature", "librosa.onset", "torch",
    "onnxruntime", "transformers", "accelerate", "safetensors.torch", "audiocraft.models.builders", "audiocraft.models.lm",
    "audiocraft.models.encodec",
)  # fmt: skip
CRASHED = 70  # pytest itself did not begin, or did not end
OURS = ("tests", "tastelab", "analysis", "experiment", "stimuli", "models")


def preload() -> None:
    """Import what tests import, as far as it is there, and forget whatever of the tree came along."""
    os.environ.setdefault("XFORMERS_IGNORE_FLASH_VERSION_CHECK", "1")
    os.environ.setdefault("MPLBACKEND", "Agg")
    for name in LIBRARIES:
        try:
            importlib.import_module(name)
        except ImportError:
            continue
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(1)
    for name in [m for m in sys.modules if m.split(".")[0] in OURS]:
        del sys.modules[name]


def run(tests: list[str], seconds: float, options: list[str]) -> tuple[int, str]:
    """Run tests in a fork; a fork that takes longer than `seconds` is ended with all that it started."""
    with tempfile.TemporaryFile() as log:
        child = os.fork()
        if child == 0:
            _child([*options, *tests], log.fileno())
        deadline, status = time.monotonic() + seconds, 124
        while time.monotonic() < deadline:
            done, how = os.waitpid(child, os.WNOHANG)
            if done:
                status = os.waitstatus_to_exitcode(how)
                break
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(child, signal.SIGKILL)  # what the tests left running, and the fork itself if it is late
        if status == 124:
            os.waitpid(child, 0)
        log.seek(0)
        return status, log.read().decode(errors="replace")[-6000:]


def _child(words: list[str], log: int) -> None:
    os.setsid()
    os.dup2(log, 1)
    os.dup2(log, 2)
    code = CRASHED
    try:
        import pytest

        code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *words]))
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def main() -> None:
    """Answer requests until there are no more."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    preload()
    for line in sys.stdin:
        asked: dict[str, Any] = json.loads(line)
        status, output = run(asked["tests"], asked["seconds"], asked["options"])
        answers.write(json.dumps({"status": status, "output": output}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
