"""A file of the user's that goes by the name of one of our packages: one line, not a traceback from somewhere inside."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import ROOT

NAMES = ("analysis", "experiment", "models", "stimuli")


def started(folder: Path, command: list[str], path: str = "") -> subprocess.CompletedProcess[str]:
    paths = os.pathsep.join(filter(None, [path, str(ROOT)]))
    return subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": paths}, capture_output=True, text=True)


def check(done: subprocess.CompletedProcess[str], name: str, place: Path) -> None:
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"tastelab: {place} hides tastelab's own package {name!r}; rename it, or start")
    assert str(ROOT / name) in done.stderr


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_that_name_where_it_is_started(tmp_path: Path, name: str) -> None:
    (tmp_path / f"{name}.py").write_text("print('somebody ran this')\n")
    check(started(tmp_path, [sys.executable, "-m", "tastelab", "--version"]), name, tmp_path / f"{name}.py")


def test_a_package_of_that_name_where_it_is_started(tmp_path: Path) -> None:
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "__init__.py").touch()
    done = started(tmp_path, [sys.executable, "-m", "tastelab", "models", "info"])
    check(done, "models", tmp_path / "models" / "__init__.py")


def test_the_console_script_says_it_too(tmp_path: Path) -> None:
    """It does not look where it is started, but on PYTHONPATH."""
    script = Path(sys.executable).with_name("tastelab")
    (tmp_path / "analysis.py").touch()
    check(started(tmp_path, [str(script), "--version"], str(tmp_path)), "analysis", tmp_path / "analysis.py")
    assert started(tmp_path, [str(script), "--version"]).returncode == 0


def test_a_plain_folder_of_that_name_hides_nothing(tmp_path: Path) -> None:
    for name in NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "data.csv").touch()
    done = started(tmp_path, [sys.executable, "-m", "tastelab", "--version"])
    assert (done.returncode, done.stderr) == (0, "")


def test_the_guide_says_what_a_notebook_shows(tmp_path: Path) -> None:
    """The message quoted in docs/analyst.md is what Python says where an analysis.py stands beside a notebook."""
    (tmp_path / "analysis.py").touch()
    done = started(tmp_path, [sys.executable, "-c", "from analysis.data.frames import load"])
    said = done.stderr.splitlines()[-1]
    assert said.startswith("ModuleNotFoundError: ")
    assert said.removeprefix("ModuleNotFoundError: ") in (ROOT / "docs" / "analyst.md").read_text()
