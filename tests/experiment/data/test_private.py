"""Files and folders of people: for their owner alone, and a lock that others wait for."""

from __future__ import annotations

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from experiment.data import private
from experiment.data.private import close_to_others, locked, own_file, own_folder, write_own


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_whatever_the_umask(tmp_path: Path) -> None:
    for umask in (0, 0o077, 0o027):
        was = os.umask(umask)
        try:
            here = tmp_path / f"{umask}"
            own_folder(here / "deep")
            write_own(here / "deep" / "a", "ä\n", "utf-8-sig")
            own_file(here / "deep" / "b")
        finally:
            os.umask(was)
        assert mode(here / "deep") == 0o700
        assert [mode(here / "deep" / x) for x in "ab"] == [0o600, 0o600]
        assert (here / "deep" / "a").read_bytes() == b"\xef\xbb\xbf\xc3\xa4\n"
        assert (here / "deep" / "b").read_bytes() == b""


def test_what_is_there_keeps_its_content_and_loses_others(tmp_path: Path) -> None:
    """A folder of the user's own is left as it is; a file that its owner may not write stays so."""
    path = tmp_path / "a"
    path.write_text("kept")
    for before, after in ((0o666, 0o600), (0o644, 0o600), (0o440, 0o400), (0o600, 0o600)):
        path.chmod(before)
        own_file(path)
        assert (mode(path), path.read_text()) == (after, "kept")
    folder = tmp_path / "theirs"
    folder.mkdir()
    folder.chmod(0o755)
    own_folder(folder)
    assert mode(folder) == 0o755
    (folder / "deep").mkdir()
    (folder / "deep" / "x").write_text("")
    close_to_others(folder)
    assert [mode(folder), mode(folder / "deep"), mode(folder / "deep" / "x")] == [0o700, 0o700, 0o600]


TRIES = """
import sqlite3, sys
try:
    sqlite3.connect(sys.argv[1], timeout=0.1).execute("BEGIN IMMEDIATE")
    print("taken")
except sqlite3.OperationalError as error:
    print(error)
"""


def test_a_database_that_is_open_keeps_its_locks(tmp_path: Path) -> None:
    """POSIX takes all of a process's locks on a file when it closes the file once."""
    path = tmp_path / "p.db"
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("CREATE TABLE t (x)")
    holder.execute("BEGIN IMMEDIATE")
    own_file(path)
    done = subprocess.run([sys.executable, "-c", TRIES, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "database is locked\n"
    holder.execute("ROLLBACK")
    holder.close()
    done = subprocess.run([sys.executable, "-c", TRIES, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "taken\n"


WAITS = """
import sys
from pathlib import Path
from experiment.data.private import locked
with locked(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.readline()
"""


def test_a_lock_is_waited_for_and_goes_with_its_holder(tmp_path: Path) -> None:
    path = tmp_path / "a"
    first = subprocess.Popen([sys.executable, "-c", WAITS, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert first.stdout is not None
    assert first.stdout.readline() == b"held\n"
    child = os.fork()
    if child == 0:
        try:
            with locked(path):
                (tmp_path / "second").write_text("")
        finally:
            os._exit(0)
    assert os.waitpid(child, os.WNOHANG) == (0, 0)
    assert not (tmp_path / "second").exists()
    first.kill()  # however it ends
    first.wait()
    assert os.waitpid(child, 0)[1] == 0
    assert (tmp_path / "second").exists()


def test_on_windows_access_lists_name_the_owner_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the words of icacls' own help; it is not tried on Windows here."""
    called: list[list[str]] = []
    silent: list[tuple[object, object]] = []
    monkeypatch.setattr(private, "WINDOWS", True)

    def run(command: list[str], check: bool, capture_output: bool) -> None:
        called.append(command)
        silent.append((check, capture_output))

    monkeypatch.setattr("getpass.getuser", lambda: "ada")
    monkeypatch.setattr("subprocess.run", run)
    private.own_folder(tmp_path / "a")
    private.own_folder(tmp_path / "a")  # what is there stays as it is
    private.own_file(tmp_path / "p.db")
    assert called == [
        ["icacls", str(tmp_path / "a"), "/inheritance:r", "/grant:r", "ada:(OI)(CI)F"],
        ["icacls", str(tmp_path / "p.db"), "/inheritance:r", "/grant:r", "ada:F"],
    ]
    assert set(silent) == {(False, True)}  # it neither speaks among results nor stops a session

    def none(*_: object, **__: object) -> None:
        raise FileNotFoundError("icacls")

    monkeypatch.setattr("subprocess.run", none)
    private.own_file(tmp_path / "q.db")
    assert (tmp_path / "q.db").exists()
