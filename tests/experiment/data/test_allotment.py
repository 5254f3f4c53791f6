"""Places in the design: every cell equally often, whoever drops out, and a place is free again when nobody holds it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from experiment.data.allotment import free_row, lapse, taken_rows
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow
from tests.experiment.data.rows import sat


@given(period=st.integers(1, 20), people=st.integers(0, 70))
def test_without_dropouts_rows_are_taken_in_order(period: int, people: int) -> None:
    taken: list[int] = []
    for _ in range(people):
        taken.append(free_row(taken, period))
    assert taken == list(range(people))


@given(
    period=st.integers(1, 12),
    steps=st.lists(st.one_of(st.none(), st.integers(0, 10**6)), max_size=60),
)
def test_whoever_drops_out_cells_come_even_again(period: int, steps: list[int | None]) -> None:
    """None: somebody begins; a number: the session at that place among those there drops out."""
    taken: list[int] = []
    for step in steps:
        if step is not None:
            if taken:
                taken.pop(step % len(taken))
            continue
        before = Counter(row % period for row in taken)
        row = free_row(taken, period)
        assert row not in taken
        fewest = min(before[cell] for cell in range(period))
        assert before[row % period] == fewest
        # No lower row would have done.
        assert all(r in taken or before[r % period] > fewest for r in range(row))
        taken.append(row)
    gaps = sum(
        max(Counter(r % period for r in taken).values(), default=0) - Counter(r % period for r in taken)[c]
        for c in range(period)
    )
    for _ in range(gaps):
        taken.append(free_row(taken, period))
    assert len({Counter(r % period for r in taken)[c] for c in range(period)}) == 1


def test_who_holds_a_row(store: Store) -> None:
    """Running and complete sessions of this study and kind; not stopped or withdrawn ones, nor imports without a row."""
    rows = [
        ("A", "s", "person", "running", 3), ("B", "s", "person", "complete", 0), ("C", "s", "person", "stopped", 1),
        ("D", "s", "person", "withdrawn", 2), ("E", "t", "person", "complete", 4), ("F", "s", "bot", "complete", 5),
        ("G", "s", "person", "complete", None),
    ]  # fmt: skip
    for code, study, kind, status, row in rows:
        sat(store, code, [], study, kind, status, design_row=row)
    with store.transaction() as s:
        assert sorted(taken_rows(s, 1, "person")) == [0, 3]
        assert taken_rows(s, 1, "bot") == [5]
        assert taken_rows(s, 2, "person") == [4]
        assert taken_rows(s, 2, "bot") == []


@pytest.fixture
def quiet(tmp_path: Path) -> Store:
    return Store(f"sqlite:///{tmp_path / 'p.db'}")


def test_a_session_lapses_when_nothing_was_heard_of_it(quiet: Store) -> None:
    """Its last answer counts, or its start where there is none; only running ones of this study lapse."""
    now = datetime.now(UTC)

    def hours(n: float) -> datetime:
        return now - timedelta(hours=n)

    # Code: study, status, begun, last answer (hours ago).
    sessions = {
        "late": ("s", "running", 30, 3.1),
        "early": ("s", "running", 30, 2.9),
        "mute": ("s", "running", 3.1, None),
        "begun": ("s", "running", 2.9, None),
        "done": ("s", "complete", 30, 29),
        "left": ("s", "stopped", 30, 29),
        "other": ("t", "running", 30, 29),
    }
    for code, (study, status, start, last) in sessions.items():
        session = sat(quiet, code, None if last else [], study, status=status, started=hours(start))
        with quiet.transaction() as s:
            trials = [t.id for t in s.get_one(SessionRow, session).trials]
            mine = list(s.scalars(select(Response.id).where(Response.trial_id.in_(trials)).order_by(Response.id)))
            for i, number in enumerate(reversed(mine)):
                s.execute(update(Response).where(Response.id == number).values(answered_at=hours((last or 0) + i)))
    with quiet.transaction() as s:
        lapse(s, 1, 3.0)
    with quiet.transaction() as s:
        query = select(Participant.code, SessionRow.status, SessionRow.ended_at).join(SessionRow)
        found = {code: (status, ended is not None) for code, status, ended in s.execute(query)}
    changed = {code: ("stopped", True) for code in ("late", "mute")}
    assert found == {code: (status, False) for code, (_, status, _, _) in sessions.items()} | changed
