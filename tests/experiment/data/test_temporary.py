"""Copies that a process makes for itself go with it; where it was killed, with the next one, and with whoever withdraws."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
from contextlib import closing
from pathlib import Path

import pytest

from experiment.data.connect import shown, sqlite_url
from experiment.data.erasure import carry_out
from experiment.data.store import Store
from experiment.data.tables import Place
from experiment.data.withdrawal import withdraw
from tests.conftest import ROOT
from tests.experiment.data.rows import sat

CODE = "gone-4711x"
READS = """
import os, signal
from experiment.data.store import Store
access = os.access
os.access = lambda path, *how, **more: "p.db" not in str(path) and access(path, *how, **more)
store = Store("sqlite:///p.db", new=False)
assert store.reads_a_copy
os.kill(os.getpid(), signal.SIGTERM)
"""


@pytest.mark.skipif(os.name == "nt", reason="nobody is told to end there")
@pytest.mark.parametrize("what", ["withdraw", "read"])
def test_a_copy_of_the_database_that_a_killed_reader_left_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    """Somebody looked at a database on a medium that can't be written, and closed the terminal."""
    place, url = tmp_path / "tmp", sqlite_url(tmp_path / "p.db")
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    with closing(Store(url)) as store:
        sat(store, CODE)
    there = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(place)}
    assert subprocess.run([sys.executable, "-c", READS], cwd=tmp_path, env=there, check=False).returncode == -15
    (copy,) = place.iterdir()
    assert CODE.encode() in (copy / "p.db").read_bytes()
    assert stat.S_IMODE(copy.stat().st_mode) == 0o700
    living = place / copy.name.replace(copy.name.split("-")[3], str(os.getpid()))
    shutil.copytree(copy, living)
    if what == "withdraw":
        with closing(Store(url)) as store:
            number = withdraw(store, CODE, None, [Place(kind="database", path=shown(url))]).tombstone
            assert [told.done for told in carry_out(store, only=number)] == [True]
    else:
        with monkeypatch.context() as patched:
            access = os.access
            patched.setattr(
                "os.access", lambda path, *how, **more: "p.db" not in str(path) and access(path, *how, **more)
            )
            Store(url, new=False).close()
    assert list(place.iterdir()) == [living]
