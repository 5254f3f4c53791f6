"""A copy of the working tree in which code may be broken: tests run there, the tree itself is never touched."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HEAVY = ("models/weights", "docs/images")  # read by tests, broken by none: linked instead of copied


@contextmanager
def copied(folder: Path) -> Iterator[Path]:
    """Copy what git tracks or would track into `folder`; the copy goes when the block ends."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout.split("\0")  # fmt: skip
    for name in filter(None, listed):
        source, target = ROOT / name, folder / name
        if not source.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if name.startswith(HEAVY):
            target.symlink_to(source)
        else:
            shutil.copy2(source, target)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def broken(path: Path, text: str) -> Iterator[None]:
    """Let a file of a copy read `text` for the time of the block."""
    was = path.read_bytes()
    path.write_text(text, encoding="utf-8")
    try:
        yield
    finally:
        path.write_bytes(was)


def environment(copy: Path) -> dict[str, str]:
    """Variables for a process that is to import from `copy`, whatever is installed."""
    found = {**os.environ, "PYTHONPATH": str(copy), "OMP_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    found["TASTELAB_SHRINK"] = "no"  # that a test fails is all that is asked
    found.setdefault("TASTELAB_CACHE", str(ROOT / ".pytest_cache" / "tastelab"))
    return found


class Runner:
    """Runs tests in a copy, the first failure ends each run (`forked`)."""

    def __init__(self, copy: Path):
        self._server = subprocess.Popen(
            [sys.executable, "-m", "tests.mutation.forked"],
            cwd=copy, env=environment(copy), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip

    def __enter__(self) -> Runner:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._server.stdin is not None
        self._server.stdin.close()
        self._server.wait()

    def run(self, tests: Sequence[str], seconds: float, options: Sequence[str] = ()) -> tuple[int, str]:
        """pytest's status (124: out of time) and the end of its output; `options` are pytest's."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        self._server.stdin.write(
            json.dumps({"tests": list(tests), "seconds": seconds, "options": list(options)}) + "\n"
        )
        self._server.stdin.flush()
        answer = self._server.stdout.readline()
        if not answer:
            raise RuntimeError("the process that runs the tests is gone")
        told = json.loads(answer)
        return int(told["status"]), str(told["output"])
