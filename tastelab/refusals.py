"""What the system refuses of a file or folder that somebody named, in one line: a folder for a file, a file for a folder, no permission."""

from __future__ import annotations

import errno
import os
from pathlib import Path

from tastelab.hints import named
from tastelab.options import OUT

FULL = (errno.ENOSPC, errno.EDQUOT)
# What is in the way is the user's, wherever the path was named; that something is not there may as well be a fault of ours.
IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP, errno.ENAMETOOLONG)
ABSENT = (errno.ENOENT, errno.EEXIST)
STUDY = "--study"  # its reader says what is wrong with it: who names the same file twice means it otherwise here


def refusal(error: OSError) -> str | None:
    """What is wrong, and with what; None of an error that is no user's mistake."""
    if error.errno in FULL:
        where = error.filename or "no space left"
        return f"the disk is full ({where}); free some space and run the same command again"
    if error.errno not in IN_THE_WAY + ABSENT or not isinstance(error.filename, (str, os.PathLike)):
        return None
    path = Path(error.filename)
    meant = [x for x, value in (*named(), ("", str(OUT))) if _within(path, value)]
    option = next((x for x in meant if x != STUDY), meant[0] if meant else None)
    if option is None and error.errno in ABSENT:
        return None
    what = f"{option} {path}" if option else f"{path}"
    if error.errno == errno.ENAMETOOLONG:  # whatever asks the disk for it gets the same error
        return f"{what}: {os.strerror(error.errno).lower()}"
    # Whatever stands in a folder that may not be entered can't be looked at: os.path takes it for nothing, where Path raises.
    file = next((x for x in (path, *path.parents) if os.path.exists(x) and not os.path.isdir(x)), None)
    shut = error.errno in (errno.EACCES, errno.EPERM) and not os.access(path, os.R_OK | os.W_OK | os.X_OK)
    if os.path.isdir(path) and error.errno not in (errno.EEXIST, errno.EROFS) and not shut:
        return f"{what} is a folder, where a file is wanted"
    if os.path.islink(path) and not os.path.exists(path) and not shut:
        return f"{what} is a link to nothing"
    if error.errno in (errno.ENOTDIR, errno.EEXIST) and file is not None:
        return f"{f'{option} ' if option else ''}{file} is a file, where a folder is wanted"
    return f"{what}: {os.strerror(error.errno).lower()}"


def _within(path: Path, value: str) -> bool:
    """Whether a path is what was named, or lies in it."""
    whole, below = os.path.abspath(value), os.path.abspath(path)
    return below == whole or below.startswith(whole.rstrip(os.sep) + os.sep)
