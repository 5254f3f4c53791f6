"""What is not installed is one line that says what installs it, whatever command stumbles over it; what is there works."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys

import pytest
import typer

from models.errors import PACKAGES
from tastelab import extras
from tests.conftest import ROOT
from tests.tastelab.conftest import Lived
from tests.tastelab.without import WORDS, brought, declared, leaves

# What has to work with nothing but the core, and what an extra adds to it.
CORE = {
    "", "init", "study check", "study reference", "experiment simulate", "experiment status", "experiment discard-pilots",
    "experiment discard-bots", "experiment discard-imports",
    "experiment export", "experiment backup", "experiment key add", "experiment key show", "experiment key remove",
}  # fmt: skip
ADDED = {
    "": set(),
    "lab": {"experiment key encrypt", "analysis freeze", "analysis preference", "trace"},  # PsychoPy brings pandas
    "analysis": {
        "analysis freeze", "analysis preference", "analysis ratings", "analysis factors", "analysis mediation", "analysis power",
        "trace",
    },
}  # fmt: skip
LINE = re.compile(r'tastelab: this needs ([\w.]+), which is not installed here: pip install "tastelab\[(\w+)\]"\n')


def test_no_command_is_left_out() -> None:
    from tastelab.cli import app

    assert {path for path in WORDS if path} == set(leaves(typer.main.get_command(app)))


@pytest.mark.parametrize("extra", ["", "lab", "analysis"])
@pytest.mark.slow
def test_every_command_of_a_partial_installation(mine: Lived, extra: str) -> None:
    shutil.rmtree(mine.out / "small" / "snapshots", ignore_errors=True)
    done = subprocess.run(
        [sys.executable, "-m", "tests.tastelab.without", extra, mine.folder], cwd=ROOT, capture_output=True, text=True, timeout=300
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    rows = json.loads(done.stdout.splitlines()[-1])
    assert [(r["command"], r["raised"]) for r in rows if r["raised"]] == []
    assert {r["command"] for r in rows if r["status"] == 0} >= CORE | ADDED[extra]
    assert {r["status"] for r in rows} == {0, 2}
    needing = {r["command"]: found for r in rows if (found := LINE.fullmatch(r["err"]))}
    assert all(r["err"].startswith("tastelab: ") and r["err"].count("\n") == 1 for r in rows if r["status"] == 2)
    if extra == "":
        assert len(needing) >= 20
    for command, found in needing.items():
        module, told = found[1], found[2]
        assert command not in CORE | ADDED[extra]
        package = extras.PACKAGES.get(module, module).lower().replace("_", "-")
        assert package in brought(told), f"{command}: {told} does not bring {module}"
        assert package not in brought(extra), f"{command}: {extra} has {module}"


@pytest.mark.parametrize(
    ("module", "room", "told"),
    [
        ("pandas", "analysis", "analysis"),
        ("pandas.core", "stimuli", "models"),
        ("torch", "analysis", "models"),  # no room's own extra has it: the one that does
        ("psychopy", "experiment", "lab"),
        ("sklearn.svm", "analysis", "analysis"),
        ("torch", "study", "all"),
        ("PIL", "experiment", "lab"),
        ("nobody_knows", None, "lab"),
    ],
)
def test_the_extra_is_the_room_s_own_if_that_has_it(
    monkeypatch: pytest.MonkeyPatch, module: str, room: str | None, told: str
) -> None:
    monkeypatch.setattr(extras, "declared", declared)
    line = extras.missing(module, room)
    assert line is not None
    assert line.endswith(f'pip install "tastelab[{told}]"')


def test_what_no_extra_has_is_said_to_be_so() -> None:
    assert "scripts/setup.sh" in str(extras.missing("audiocraft.models", "models"))
    assert extras.missing("tastelab.nothing", None) is None
    assert extras.missing("tomllib", None) is None


def test_packages_with_networks_are_those_of_the_set_up() -> None:
    told = (ROOT / "scripts" / "setup.sh").read_text(encoding="utf-8")
    assert all(f" {line}" in told for line in PACKAGES)


def test_a_module_of_ours_that_is_missing_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    from tastelab.commands import top
    from tests.tastelab.conftest import call

    def broken(*_: object) -> None:
        raise ModuleNotFoundError("No module named 'analysis.nothing'", name="analysis.nothing")

    monkeypatch.setattr(top, "read_study", broken)
    with pytest.raises(ModuleNotFoundError, match="nothing"):
        call("trace", "sweet")
