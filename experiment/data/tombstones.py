"""Tombstones: that somebody's answers were deleted, without saying whose.

A code stands in a tombstone as a hash under a key of its own (HMAC-SHA-256 of study and code): who has a code can find the
tombstone, and who has the tombstone can't read the code from it. Codes are short, so that whoever has both a tombstone and a
list of all codes can still try them all: tombstones are kept like the answers were.

Beside backups they lie in ``WITHDRAWN.txt``, one a line (date, study, key, hash): whatever is restored from there leaves them out.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment.data.codes import same
from experiment.data.private import locked, own_folder, write_own
from experiment.data.tables import Tombstone, utc_now

MARKER = "WITHDRAWN.txt"
EVERY = "*"  # the study of tombstones from before there was one a study
WITHDRAWN = "withdrawn"


def keyed(key: str, study: str, code: str) -> str:
    """The hash of a code in a study under a key (hex)."""
    return hmac.digest(bytes.fromhex(key), f"{study}\n{same(code)}".encode(), "sha256").hex()


@dataclass(frozen=True)
class Entry:
    """A tombstone as it lies in a file: the study's name, the key and the hash in hex, and when it was laid."""

    study: str
    key: str
    digest: str
    at: datetime

    def means(self, study: str, code: str) -> bool:
        """Whether this is the tombstone of a code in a study."""
        return self.study in (study, EVERY) and hmac.compare_digest(keyed(self.key, self.study, code), self.digest)


def entry(study: str, code: str) -> Entry:
    """A new tombstone of a code."""
    key = secrets.token_hex(32)
    return Entry(study, key, keyed(key, study, code), utc_now())


def entry_of(row: Tombstone) -> Entry:
    """A stored tombstone."""
    at = row.at if row.at.tzinfo else row.at.replace(tzinfo=UTC)
    return Entry(row.study, row.key, row.digest, at)


def lay(s: Session, study: str, code: str, outcome: str, kinds: Sequence[str] = ()) -> Tombstone:
    """Store a new tombstone of a code; nothing is left to be done where it did not come of a withdrawal."""
    made = entry(study, code)
    done = None if outcome == WITHDRAWN else made.at
    row = Tombstone(
        study=study, outcome=outcome, key=made.key, digest=made.digest, kinds=list(kinds), at=made.at, done_at=done
    )
    s.add(row)
    s.flush()
    return row


def find(s: Session, study: str, code: str) -> Tombstone | None:
    """The tombstone of a code in a study, the last one where there are several."""
    stones = s.scalars(select(Tombstone).where(Tombstone.study.in_((study, EVERY))).order_by(Tombstone.id.desc()))
    return next((row for row in stones if entry_of(row).means(study, code)), None)


def number_of(s: Session) -> int:
    """How many there are: whoever reads answers and writes them elsewhere looks before and after."""
    return int(s.scalar(select(func.count()).select_from(Tombstone)) or 0)


def all_of(s: Session) -> list[Entry]:
    """Every stored withdrawal."""
    rows = s.scalars(select(Tombstone).where(Tombstone.outcome == WITHDRAWN).order_by(Tombstone.id))
    return [entry_of(row) for row in rows]


def read_marker(folder: Path) -> list[Entry]:
    """What the marker of a folder says; lines of older versions, which name codes, are hashed, there too."""
    found, older = _marker(folder)
    if older:
        write_marker(folder, found, anew=True)
        found, _ = _marker(folder)
    return found


def _marker(folder: Path) -> tuple[list[Entry], bool]:
    path = folder / MARKER
    if not path.is_file():
        return [], False
    found, older = [], False
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
        words = line.split()
        if len(words) == 4 and all(re.fullmatch("[0-9a-f]{64}", x) for x in words[2:]):
            found.append(Entry(words[1], words[2], words[3], _day(words[0])))
        elif len(words) >= 2:
            code = line.split(maxsplit=1)[1].strip()
            key = secrets.token_hex(32)
            found.append(Entry(EVERY, key, keyed(key, EVERY, code), _day(words[0])))
            older = True
    return found, older


def _day(text: str) -> datetime:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        return utc_now()


def write_marker(folder: Path, entries: Iterable[Entry], anew: bool = False) -> None:
    """Enter tombstones into the marker of a folder; those that stand there stay, hashed, but where it is written `anew`."""
    own_folder(folder)
    path = folder / MARKER
    with locked(path):
        there = {e.digest: e for e in ([*entries] if anew else [*_marker(folder)[0], *entries])}
        lines = [f"{e.at:%Y-%m-%d} {e.study} {e.key} {e.digest}\n" for e in there.values()]
        partial = folder / f".{MARKER}.partial"
        write_own(partial, "".join(lines))
        partial.replace(path)
