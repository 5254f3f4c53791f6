"""Look into an SQLite file and leave nothing there: no log, no lock, no table; without SQLAlchemy, which a look does not need."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

SETTLED = "immutable=1"  # nobody writes it, or its folder can only be read
WRITTEN = "mode=ro"


def way(path: Path) -> str:
    """How a file can be looked into: without a log beside it nobody writes it, and looking leaves none there."""
    return WRITTEN if path.with_name(f"{path.name}-wal").exists() else SETTLED


@contextmanager
def looking(path: Path, how: str | None = None) -> Iterator[sqlite3.Connection]:
    """A connection that can't write."""
    uri = f"{path.absolute().as_uri()}?{how or way(path)}"
    with closing(sqlite3.connect(uri, uri=True, timeout=1.0)) as connection:
        yield connection
