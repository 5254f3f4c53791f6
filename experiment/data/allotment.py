"""Which place in the design a session gets, and when a place that somebody holds is free again."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment.data.tables import Response, SessionRow, Trial, utc_now


def taken_rows(s: Session, study_id: int, kind: str) -> list[int]:
    """Design rows that running and complete sessions of a study and kind hold."""
    held = select(SessionRow.design_row).where(
        SessionRow.study_id == study_id,
        SessionRow.kind == kind,
        SessionRow.status.in_(("running", "complete")),
    )
    return [row for row in s.scalars(held) if row is not None]


def free_row(taken: list[int], period: int) -> int:
    """The lowest free design row of a cell (row modulo `period`) that was taken least often."""
    cells = Counter(row % period for row in taken)
    least = min(cells.get(cell, 0) for cell in range(period))
    used = set(taken)
    return next(
        row for row in range(period * (len(taken) + 1)) if cells.get(row % period, 0) == least and row not in used
    )


def lapse(s: Session, study_id: int, hours: float) -> None:
    """Running sessions of which nothing was heard for `hours` become stopped; they can be gone on with no more."""
    limit = datetime.now(UTC) - timedelta(hours=hours)
    last = (
        select(func.max(Response.answered_at))
        .join(Trial, Trial.id == Response.trial_id)
        .where(Trial.session_id == SessionRow.id)
        .scalar_subquery()
    )
    silent = s.scalars(
        select(SessionRow).where(
            SessionRow.study_id == study_id,
            SessionRow.status == "running",
            func.coalesce(last, SessionRow.started_at) < limit,
        )
    )
    for row in silent:
        row.status, row.ended_at = "stopped", utc_now()
