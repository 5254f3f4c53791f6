"""Folders for a process alone, in which something of a study lies while it runs; what killed processes left goes with the next one."""

from __future__ import annotations

import os
import platform
import re
import shutil
import tempfile
from pathlib import Path


def temporary(what: str) -> Path:
    """Make a folder that its owner alone can enter (0700), named by what is in it and by this computer and process."""
    return Path(tempfile.mkdtemp(prefix=f"{_begins(what)}{os.getpid()}-"))


def swept(what: str) -> int:
    """Delete what processes of this computer left behind that were killed; returns how many folders."""
    gone = 0
    for folder in Path(tempfile.gettempdir()).glob(f"{_begins(what)}*"):
        process = re.match(r"(\d{1,9})-", folder.name.removeprefix(_begins(what)))
        if process is not None and not lives(int(process[1])):
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone


def _begins(what: str) -> str:
    return f"tastelab-{what}-{re.sub('[^A-Za-z0-9]', '', platform.node())[:40]}-"


def lives(process: int) -> bool:
    """Whether a process of this computer is there."""
    if os.name == "nt":
        import psutil

        return bool(psutil.pid_exists(process))
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
