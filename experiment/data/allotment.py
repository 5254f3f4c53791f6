"""Which place in the design a session gets, and when a place that somebody holds is free again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from experiment.config import Group
from experiment.data.tables import Response, SessionRow, Trial, utc_now
from experiment.errors import ExperimentError

HOLDING = ("running", "complete")  # sessions of these states hold their places


class FullError(ExperimentError):
    """As many sessions as are wanted are complete or running."""


@dataclass(frozen=True)
class Places:
    """What places a study has to give.

    Attributes
    ----------
    period : int
        Rows that are given out once each before any of them is given out again (`free_row`).
    target : int or None
        Complete sessions that are wanted of one kind.
    groups : sequence of Group
        Each with rows of its own.
    group : str or None
        The group that the experimenter chose.
    language : str or None
        The language that was asked for; without one a group's own comes first.
    capped : bool
        Whether target and quotas hold; they do not for simulated people.
    """

    period: int = 1
    target: int | None = None
    groups: Sequence[Group] = ()
    group: str | None = None
    language: str | None = None
    capped: bool = True


def allot(s: Session, study_id: int, kind: str, places: Places) -> tuple[Group | None, int]:
    """The group and the design row of the next session.

    Of groups that are not full the one of which the smallest share is filled (of its quota, where all have one), and the
    first named of such.

    Raises
    ------
    FullError
        If the study, or the group, is full.
    """
    held = Counter(
        s.scalars(
            select(SessionRow.group_name).where(
                SessionRow.study_id == study_id, SessionRow.kind == kind, SessionRow.status.in_(HOLDING)
            )
        )
    )
    if places.capped and places.target is not None and held.total() >= places.target:
        raise FullError(f"the study is full: {_held(s, study_id, kind, None, places.target)}")
    if not places.groups:
        return None, free_row(taken_rows(s, study_id, kind), places.period)
    if places.group is not None:
        known = [g for g in places.groups if g.name == places.group]
        if not known:
            names = ", ".join(g.name for g in places.groups)
            raise ExperimentError(f"--group {places.group!r}: this study has {names}")
        wanted = known
    else:
        wanted = list(places.groups)
    open_ones = [g for g in wanted if not places.capped or g.quota is None or held[g.name] < g.quota]
    if not open_ones:
        full = wanted[0] if places.group is not None else None
        if full is None:
            raise FullError("the study is full: every group has its quota, complete or running")
        raise FullError(f"group {full.name} is full: {_held(s, study_id, kind, full.name, full.quota or 0)}")
    shares = all(g.quota is not None for g in places.groups)
    chosen = min(open_ones, key=lambda g: held[g.name] / (g.quota or 1) if shares else held[g.name])
    return chosen, free_row(taken_rows(s, study_id, kind, chosen.name), places.period)


def _held(s: Session, study_id: int, kind: str, group: str | None, wanted: int) -> str:
    """Who holds the places of a study or group, in words."""
    query = select(SessionRow.status, func.count()).where(SessionRow.study_id == study_id, SessionRow.kind == kind)
    if group is not None:
        query = query.where(SessionRow.group_name == group)
    found = {str(status): int(n) for status, n in s.execute(query.group_by(SessionRow.status))}
    running = found.get("running", 0)
    words = f"{found.get('complete', 0)} of {wanted} sessions are complete"
    return f"{words}, {running} running; a place is free again when one of these is stopped" if running else words


def taken_rows(s: Session, study_id: int, kind: str, group: str | None = None) -> list[int]:
    """Design rows that running and complete sessions of a study, kind and group hold."""
    held = select(SessionRow.design_row).where(
        SessionRow.study_id == study_id,
        SessionRow.kind == kind,
        SessionRow.group_name.is_(None) if group is None else SessionRow.group_name == group,
        SessionRow.status.in_(HOLDING),
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
