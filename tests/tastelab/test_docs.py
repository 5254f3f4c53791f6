"""Every command in an `sh` block of README and docs runs; every command in a `console` block exists with its options."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.conftest import ROOT

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(kind: str) -> list[str]:
    found = []
    for page in PAGES:
        for block in re.findall(rf"```{kind}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            found += [line for line in block.splitlines() if line.startswith("tastelab ")]
    return found


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, small_study_file: Path, stimuli_folder: Path, outputs: Path) -> Path:
    """A directory as a user has it after a study: study.toml, outputs, participants.db with bots."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(small_study_file, folder / "study.toml")
    shutil.copytree(outputs / "small" / "stimuli", folder / "outputs" / "small" / "stimuli")
    for line in ("stimuli caption", "stimuli features", "experiment simulate -n 40"):
        done = subprocess.run(
            [sys.executable, "-m", "tastelab.cli", *line.split()], cwd=folder, capture_output=True, text=True
        )
        assert done.returncode == 0, done.stderr
    return folder


def test_docs_have_commands() -> None:
    assert len(commands("sh")) >= 12
    assert len(commands("console")) >= 6


@pytest.mark.parametrize("line", commands("sh"))
def test_command_runs(line: str, desk: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tastelab.cli", *shlex.split(line)[1:]], cwd=desk, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("line", commands("console"))
def test_command_exists(line: str) -> None:
    from tastelab.cli import app

    words = shlex.split(line, comments=True)[1:]
    path: list[str] = []
    at = typer.main.get_command(app)
    for word in words:
        at = getattr(at, "commands", {}).get(word)
        if at is None:
            break
        path.append(word)
    assert path, words
    result = CliRunner().invoke(app, [*path, "--help"], env={"COLUMNS": "200", "TERM": "dumb"})
    assert result.exit_code == 0, path
    for option in (w for w in words if w.startswith("--")):
        assert option in result.output, (path, option)
