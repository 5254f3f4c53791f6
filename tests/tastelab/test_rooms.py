"""The groups of commands are read when they are asked for: help comes at once."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.tastelab.conftest import call


def test_help_reads_no_module_of_a_group() -> None:
    code = (
        "import sys; sys.argv = ['tastelab', '--help']\n"
        "from tastelab.cli import main; main()\n"
        "heavy = {'pydantic', 'numpy', 'sqlalchemy', 'importlib.metadata', 'tastelab.study'} & set(sys.modules)\n"
        "rooms = {m for m in sys.modules if m.startswith('tastelab.commands.')} - {'tastelab.commands.top', 'tastelab.commands.init'}\n"
        "print('READ', sorted(heavy | rooms))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.rstrip().endswith("READ []")


@pytest.mark.parametrize("room", ["study", "stimuli", "models", "experiment", "analysis"])
def test_a_group_s_help_has_its_line_and_its_commands(room: str) -> None:
    from tastelab.rooms import ROOMS

    said = call(room, "--help")
    assert said.status == 0
    module, about = ROOMS[room]
    assert about in " ".join(said.out.split())
    found = __import__(module, fromlist=["app"]).app
    names = [c.name or c.callback.__name__.rstrip("_") for c in found.registered_commands]
    assert names
    assert all(name.replace("_", "-") in said.out for name in names)


def test_a_group_without_a_command_shows_its_help() -> None:
    said = call("experiment", "key")
    assert said.status == 2
    assert "encrypt" in said.out
