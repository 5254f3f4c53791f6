"""How the front door ends: exit statuses, one line for a user's mistake, a traceback for a bug."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

import tastelab.commands.top as top
from analysis.errors import AnalysisError
from experiment.errors import ExperimentError
from models.errors import ModelError
from stimuli.errors import StimulusError
from tastelab.errors import UserError
from tests.tastelab.conftest import Lived, call


def failing(monkeypatch: pytest.MonkeyPatch, error: BaseException) -> None:
    def fail(*_: object) -> NoReturn:
        raise error

    monkeypatch.setattr(top, "read_study", fail)


@pytest.mark.parametrize("kind", [UserError, AnalysisError, ExperimentError, StimulusError, ModelError])
def test_a_mistake_found_on_any_floor_is_one_line_and_status_2(
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception]
) -> None:
    failing(monkeypatch, kind("the file is not there; make it"))
    said = call("trace", "sweet")
    assert (said.status, said.out, said.err) == (2, "", "tastelab: the file is not there; make it\n")


def test_an_interruption_is_status_130_and_says_how_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, KeyboardInterrupt())
    said = call("trace", "sweet")
    assert said.status == 130
    assert said.err == "stopped; run the same command again to go on\n"


def test_ctrl_c_ends_a_real_process_with_status_130(lived: Lived) -> None:
    code = (
        # A process that was started in the background ignores Ctrl-C, and so do its children; a person's does not.
        "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "import sys, time; from tastelab import stages; from tastelab.cli import main\n"
        "def wait(run, update): print('at work', flush=True); time.sleep(60)\n"
        f"stages.STAGES = (('one', wait),); sys.argv = ['tastelab', 'study', 'run', *{lived.where!r}]; main()"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "at work\n"
    process.send_signal(signal.SIGINT)
    _, told = process.communicate(timeout=30)
    assert (process.returncode, told) == (130, "stopped; run the same command again to go on\n")


def test_a_bug_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    failing(monkeypatch, ZeroDivisionError("a bug"))
    with pytest.raises(ZeroDivisionError, match="a bug"):
        call("trace", "sweet")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("trace",), "Missing argument 'what'"),
        (("trace", "sweet", "--sudy", "x"), "No such option: --sudy"),
        (("analysis", "prefernce"), "No such command 'prefernce'"),
        (("experiment", "simulate", "-n", "0"), "greater than or equal to 1"),
        (("experiment", "simulate", "-n", "many"), "valid integer"),
    ],
)
def test_a_wrong_word_on_the_command_line_is_one_line_and_status_2(words: tuple[str, ...], told: str) -> None:
    said = call(*words)
    assert (said.status, said.out) == (2, "")
    assert said.err.startswith("tastelab: ")
    assert told in said.err
    assert said.err.count("\n") == 1


def test_the_version_is_the_project_file_s() -> None:
    import tomllib

    from tests.conftest import ROOT

    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    said = call("--version")
    assert (said.status, said.out) == (0, f"tastelab {version}\n")


def test_a_missing_study_file_ends_a_real_process_with_status_2(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tastelab", "experiment", "status"], cwd=tmp_path, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "tastelab: study file study.toml does not exist\n"
    assert list(tmp_path.iterdir()) == []  # nothing is half-made


def test_a_run_of_nothing_wrong_ends_with_status_0(lived: Lived) -> None:
    assert call("experiment", "status", *lived.answers).status == 0


def test_without_a_command_the_help_is_shown() -> None:
    said = call("experiment")
    assert (said.status, said.err) == (2, "")
    assert "Usage: " in said.out
    assert "simulate" in said.out


def test_progress_bars_of_libraries_are_muted_and_the_hub_is_not_asked() -> None:
    code = (
        "import os, sys; sys.argv = ['tastelab', '--version']\n"
        "for k in ('TQDM_DISABLE', 'HF_HUB_OFFLINE', 'TOKENIZERS_PARALLELISM'): os.environ.pop(k, None)\n"
        "from tastelab.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print(os.environ['TQDM_DISABLE'], os.environ['HF_HUB_OFFLINE'], os.environ['TOKENIZERS_PARALLELISM'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "1 1 false"
