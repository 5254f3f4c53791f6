"""Where copies of a database's answers lie: folders of backups, exports and snapshots, on whichever computer.

Each folder that something is written to is entered before it is written, so that a withdrawal knows of it. A folder is known
again by a mark in it (``.tastelab-id``), not by its path alone: two booths may both have a ``C:\\lab\\backups``.
"""

from __future__ import annotations

import platform
import uuid
from pathlib import Path

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from experiment.data.private import own_folder, write_own
from experiment.data.store import Store
from experiment.data.tables import Copy, Place, utc_now
from experiment.data.tombstones import EVERY

MARK = ".tastelab-id"


def machine() -> str:
    """This computer's name, as people are told where something lies."""
    return platform.node() or "this computer"


def mark_of(folder: Path) -> str | None:
    """The mark in a folder; none where there is none."""
    path = folder / MARK
    try:
        found = path.read_text(encoding="utf-8").strip() if path.is_file() else ""
    except OSError:  # another account's folder: it is known by its path alone
        return None
    return found or None


def register(store: Store, kind: str, folder: Path, study: str | None = None) -> None:
    """Enter a folder that something is about to be written to; it is made where it is not there."""
    if store.reads_a_copy:
        return
    own_folder(folder)
    mark = mark_of(folder)
    if mark is None:
        mark = uuid.uuid4().hex
        write_own(folder / MARK, mark + "\n")
    place = str(folder.resolve())

    def work(s: Session) -> None:
        row = s.scalar(select(Copy).where(Copy.mark == mark, Copy.kind == kind))
        if row is None:
            s.add(Copy(kind=kind, study=study, path=place, mark=mark, machine=machine()))
        else:
            row.path, row.machine, row.at = place, machine(), utc_now()

    store.do(work)


def known(s: Session, study: str) -> list[Place]:
    """The places of all folders that hold something of a study, or of any where it is `EVERY`."""
    query = select(Copy).order_by(Copy.id)
    if study != EVERY:
        query = query.where(or_(Copy.study.is_(None), Copy.study == study))
    return [Place(kind=c.kind, path=c.path, mark=c.mark, machine=c.machine) for c in s.scalars(query)]


def here(place: Place) -> Path | None:
    """The folder of a place, where it is within reach of this computer and is the one that was meant."""
    folder = Path(place.path)
    if not folder.is_dir():
        return None
    mark = mark_of(folder)
    if mark == place.mark or place.mark is None:
        return folder
    # The mark was deleted; the path and the computer are those that were entered.
    return folder if mark is None and place.machine == machine() else None
