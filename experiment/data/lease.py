"""Whose a session is: one sitting at a time may write it, and whoever sits gives signs of life.

A sitting's number is its right to write: who takes a session over begins the next one, and from then on nothing of the one before
is stored. A session of which nothing was heard for `LEASE` seconds may be taken over by another computer; until one does, it stays
its holder's, however long that was away.
"""

from __future__ import annotations

import os
import platform
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC

from sqlalchemy import CursorResult, Update, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from experiment.data.store import Store
from experiment.data.tables import SessionRow, utc_now
from experiment.data.temporary import lives
from experiment.errors import ExperimentError

LEASE = 600.0  # s without a sign of life after which another computer may go on with a session
BEAT = 60.0  # s between signs of life while nothing is answered


class LostError(ExperimentError):
    """A session is not this sitting's any more; `status` is what became of it where it is over."""

    def __init__(self, words: str, status: str | None = None):
        super().__init__(words)
        self.status = status


def holder() -> str:
    """This computer and process."""
    return f"{platform.node()}/{uuid.getnode():x}/{os.getpid()}"


def held(s: Session, session_id: int, sitting: int) -> bool:
    """Give a sign of life, and let nobody take or delete the session before this transaction ends.

    Returns
    -------
    bool
        False where this sitting is over: stopped or complete.

    Raises
    ------
    LostError
        If the session goes on elsewhere, or its participant withdrew.
    """
    beats = update(SessionRow).where(
        SessionRow.id == session_id, SessionRow.sitting == sitting, SessionRow.status == "running"
    )
    if _changed(s, beats.values(alive_at=utc_now())):
        return True
    row = s.get_one(SessionRow, session_id)
    if row.status == "withdrawn":
        raise LostError("the participant withdrew while the session ran; nothing of it is kept", row.status)
    if row.sitting != sitting:
        raise LostError(
            f"this session goes on at {row.station}, in a later sitting; what was answered here before that is stored"
        )
    return False


def alone_with(s: Session, session_id: int) -> None:
    """Let nobody else answer for a session before this transaction ends."""
    same = update(SessionRow).where(SessionRow.id == session_id).values(sitting=SessionRow.sitting)
    s.execute(same, execution_options={"synchronize_session": False})


def taken(s: Session, session_id: int, before: int) -> bool:
    """Begin the sitting after `before`; False where somebody else did, or the session is over."""
    takes = update(SessionRow).where(
        SessionRow.id == session_id, SessionRow.sitting == before, SessionRow.status == "running"
    )
    return _changed(s, takes.values(sitting=before + 1, alive_at=utc_now(), holder=holder()))


def _changed(s: Session, statement: Update) -> bool:
    done = s.execute(statement, execution_options={"synchronize_session": False})
    assert isinstance(done, CursorResult)
    return done.rowcount == 1


def elsewhere(row: SessionRow) -> str | None:
    """Where a session runs that this process may not take over, in words; None where it may."""
    if row.status != "running" or row.alive_at is None or row.holder in (None, holder()):
        return None
    alive = row.alive_at if row.alive_at.tzinfo else row.alive_at.replace(tzinfo=UTC)
    silent = (utc_now() - alive).total_seconds()
    place, _, process = str(row.holder).rpartition("/")
    # A sign of life from the future was given by a clock that was set back since, or is another's: it says no more than silence.
    if abs(silent) > LEASE or (place == holder().rpartition("/")[0] and not lives(int(process))):
        return None
    return f"runs at {row.station} (last sign of life {max(0.0, silent):.0f} s ago)"


@contextmanager
def alive(store: Store, session_id: int, sitting: int, every: float = BEAT) -> Iterator[None]:
    """Signs of life from a thread of its own, while somebody reads, listens or rests."""
    over = threading.Event()

    def beat() -> None:
        while not over.wait(every):
            # A server that is away, or a session that was lost, is told of at the next answer.
            with suppress(DBAPIError, ExperimentError), store.transaction() as s:
                held(s, session_id, sitting)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
