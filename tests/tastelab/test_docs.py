"""Every command in an `sh` block of README and docs runs; every command in a `console` block exists with its options."""

from __future__ import annotations

import contextlib
import re
import shlex
import shutil
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from tests.conftest import ROOT
from tests.tastelab.conftest import call

# It is tried whether a command runs, which fewer simulated studies than a figure wants show as well.
FEWER = (("--n 40,80,111 --simulations 200", "--n 40,80,111 --simulations 20"),)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(kind: str) -> list[str]:
    found = []
    for page in PAGES:
        for block in re.findall(rf"```{kind}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
            found += [line for line in block.splitlines() if line.startswith("tastelab ")]
    return list(dict.fromkeys(found))  # what several pages say is run once


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory, small_study_file: Path, described_folder: Path) -> Path:
    """A directory as a user has it after a study: study.toml, outputs, participants.db with bots."""
    folder = tmp_path_factory.mktemp("user")
    shutil.copy(small_study_file, folder / "study.toml")
    shutil.copytree(described_folder, folder / "outputs" / "small" / "stimuli")
    with contextlib.chdir(folder):
        said = call("experiment", "simulate", "-n", "40")
    assert said.status == 0, said.err
    return folder


def test_docs_have_commands() -> None:
    assert len(commands("sh")) >= 12
    assert len(commands("console")) >= 6
    assert all(any(many in line for line in commands("sh")) for many, _ in FEWER)


@pytest.mark.parametrize("line", commands("sh"))
@pytest.mark.slow
def test_command_runs(line: str, desk: Path) -> None:
    for many, few in FEWER:
        line = line.replace(many, few)
    with contextlib.chdir(desk):
        said = call(*shlex.split(line)[1:])
    assert said.status == 0, said.err
    assert "Traceback" not in said.err


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


def blocks() -> list[tuple[str, str]]:
    found = []
    for page in PAGES:
        found += [
            (page.name, block)
            for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
        ]
    return found


@pytest.mark.parametrize(("page", "code"), blocks())
@pytest.mark.slow
def test_code_for_a_notebook_runs(page: str, code: str, desk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With `folder` as the guides say: a snapshot."""
    monkeypatch.chdir(desk)
    said = call("analysis", "freeze")
    assert said.status == 0, said.err
    exec(code, {"folder": desk / said.out.strip().removeprefix("frozen in ")})


def test_the_guides_hold_code_for_a_notebook() -> None:
    assert {page for page, _ in blocks()} >= {"analyst.md", "gallery.md"}


NAMED = re.compile(
    r"(?<![\w./-])((?:tastelab|analysis|experiment|stimuli|models|tests|benchmarks|docs|scripts|studies)/[\w./-]*\w)"
)
PACKAGES = ("tastelab", "analysis", "experiment", "stimuli", "models")


def test_files_that_pages_comments_and_docstrings_name_are_there() -> None:
    """A path of ours, wherever one is written; what a study or a command will make is named otherwise."""
    pages = [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "Makefile", *sorted((ROOT / "scripts").glob("*.*"))]
    code = [p for name in (*PACKAGES, "benchmarks") for p in sorted((ROOT / name).rglob("*.py"))]
    made = {
        "docs/evidence/mutants.json",
        "analysis/sound/reference/NAME.safetensors",
        "tests/mutation/faults/KIND.toml",
    }
    missing = []
    for path in [*pages, *code]:
        for at, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
            for found in NAMED.findall(line):
                if found.startswith("docs/evidence/") or found in made:  # measurements and what one adds come later
                    continue
                if not any(p.exists() for p in (ROOT / found, ROOT / f"{found}.py")):
                    missing.append(f"{path.relative_to(ROOT)}:{at}: {found}")
    assert missing == []


def test_modules_that_docstrings_name_are_there() -> None:
    wrong = []
    for package in (*PACKAGES, "benchmarks"):
        for path in sorted((ROOT / package).rglob("*.py")):
            text = path.read_text(encoding="utf-8")
            for name in re.findall(r"`((?:tastelab|analysis|experiment|stimuli|models|benchmarks)(?:\.\w+)+)`", text):
                if name.endswith(".py"):
                    continue
                parts = name.split(".")
                while parts and not ((ROOT / "/".join(parts)).is_dir() or (ROOT / f"{'/'.join(parts)}.py").is_file()):
                    parts.pop()
                rest = name.split(".")[len(parts) :]
                module = ROOT / f"{'/'.join(parts)}.py"
                if rest and not (module.is_file() and re.search(rf"\b{rest[0]}\b", module.read_text(encoding="utf-8"))):
                    wrong.append(f"{path.relative_to(ROOT)}: {name}")
    assert wrong == []
