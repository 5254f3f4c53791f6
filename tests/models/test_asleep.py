"""Threads that wait for each other sleep, as OpenMP itself says when it is loaded; and what was asked for otherwise stays."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from models.asleep import wait_asleep

PROGRAM = """
import sys
from tastelab.cli import main
sys.argv = ["tastelab", "--version"]
try:
    main()
except SystemExit:
    pass
assert "torch" not in sys.modules
import torch
"""


@pytest.mark.skipif(sys.platform != "linux", reason="another OpenMP")
@pytest.mark.parametrize(("asked", "found"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_the_command_line_has_threads_sleep(asked: str | None, found: str) -> None:
    given = {k: v for k, v in os.environ.items() if not k.startswith(("OMP_", "KMP_", "GOMP_"))}
    told = {**given, "OMP_DISPLAY_ENV": "TRUE"} | ({"OMP_WAIT_POLICY": asked} if asked else {})
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=told, check=True)
    assert f"OMP_WAIT_POLICY = '{found}'" in done.stderr


def test_what_is_asked_for_otherwise_stays() -> None:
    environment = {"KMP_BLOCKTIME": "200", "OMP_NUM_THREADS": "3"}
    wait_asleep(environment)
    assert environment == {"KMP_BLOCKTIME": "200", "OMP_NUM_THREADS": "3", "OMP_WAIT_POLICY": "PASSIVE"}
