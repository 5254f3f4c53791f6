"""Files and folders for their owner alone: modes 0600 and 0700, whatever the umask; on Windows access lists that name the owner alone."""

from __future__ import annotations

import getpass
import os
import stat
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

WINDOWS = os.name == "nt"


def _listed(path: Path, below: str = "") -> None:
    """Give a file's or folder's access list one name; what is made in a folder later inherits that.

    Without icacls (it comes with Windows), or on a disk without access lists, all stays as it was.
    """
    if WINDOWS:
        grant = f"{getpass.getuser()}:{below}F"
        command = ["icacls", str(path), "/inheritance:r", "/grant:r", grant]
        with suppress(OSError):
            subprocess.run(command, check=False, capture_output=True)


def own_folder(folder: Path) -> None:
    """Make a folder that its owner alone can enter; one that is there already stays as it is."""
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        _listed(folder, "(OI)(CI)")


def own_file(path: Path) -> None:
    """Make an empty file that its owner alone can read, or take it from all others where it is there.

    A file that is there is not opened: closing it again would let go of the locks that SQLite holds on it in this process.
    """
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        path.chmod(0o600)
        _listed(path)
    except FileExistsError:
        path.chmod(stat.S_IMODE(path.stat().st_mode) & 0o700)


def write_own(path: Path, text: str, encoding: str = "utf-8", append: bool = False) -> None:
    """Write a text to a file that its owner alone can read, from the first byte on; `append`: after what it holds."""
    if append:
        with path.open("a", encoding=encoding, newline="") as more:
            more.write(text)
        return
    try:
        made = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), 0o600)
    except FileExistsError:
        own_file(path)
        path.write_text(text, encoding=encoding, newline="")
        return
    with open(made, "wb") as file:
        if stat.S_IMODE(os.fstat(made).st_mode) != 0o600:  # whatever the umask
            path.chmod(0o600)
        file.write(text.encode(encoding))


def close_to_others(folder: Path) -> None:
    """Take a folder and all in it from everybody but its owner."""
    folder.chmod(0o700)
    for path in folder.rglob("*"):
        path.chmod(0o700 if path.is_dir() else 0o600)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold a lock of `path` against other processes; it is let go when its holder ends, however it ends."""
    lock = path.with_name(f".{path.name}.lock")
    own_file(lock)
    with lock.open("r+b") as file:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK, 1)  # type: ignore[attr-defined]  # mypy knows it on Windows alone
        else:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        yield
