"""Files that pg_dump wrote: they can't be written anew without a person, so that a withdrawal has to name them."""

from __future__ import annotations

import gzip
from collections.abc import Iterable
from pathlib import Path

ARCHIVE = b"PGDMP"  # how pg_dump's own formats begin (also the table of contents of its folders and tar files)
SCRIPT = b"PostgreSQL database dump"
HEAD = 600  # bytes; a tar file's table of contents begins at 512


def is_dump(path: Path) -> bool:
    """Whether pg_dump or pg_dumpall wrote a file or a folder, by how it begins, whatever its name."""
    if path.is_dir():
        return any(is_dump(toc) for toc in (path / "toc.dat", path / "toc.dat.gz") if toc.is_file())
    with path.open("rb") as file:
        head = file.read(HEAD)
    if head.startswith(b"\x1f\x8b"):
        try:
            with gzip.open(path) as file:
                head = file.read(HEAD)
        except (OSError, EOFError):
            return False
    return head.startswith(ARCHIVE) or head[512:].startswith(ARCHIVE) or SCRIPT in head or b"cluster dump" in head


def dumps_in(folders: Iterable[Path]) -> list[Path]:
    """Dumps that lie directly in these folders; what can't be read is none."""
    found = set()
    for folder in folders:
        for path in folder.iterdir() if folder.is_dir() else ():
            try:
                if (path.is_file() or path.is_dir()) and is_dump(path):
                    found.add(path.resolve())
            except OSError:
                continue
    return sorted(found)
