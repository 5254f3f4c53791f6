"""Places in the design: every cell equally often, whoever drops out, and a place is free again when nobody holds it."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import select, update

from experiment.config import Group
from experiment.data.allotment import Places, allot, free_row, lapse, taken_rows
from experiment.data.store import Store
from experiment.data.tables import Participant, Response, SessionRow
from experiment.errors import ExperimentError
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


def given_out(store: Store, places: Places, kind: str = "person") -> tuple[str | None, int]:
    with store.transaction() as s:
        group, row = allot(s, 1, kind, places)
        return group.name if group else None, row


def grouped(store: Store, code: str, group: str, row: int, status: str = "complete") -> None:
    session = sat(store, code, [], "s", "person", status, design_row=row)
    with store.transaction() as s:
        s.get_one(SessionRow, session).group_name = group


def test_people_go_where_the_smallest_share_is_filled(quiet: Store) -> None:
    """Quotas 2 and 4: with one in each, a half is more than a quarter; rows are counted in each group by itself."""
    groups = [Group(name="few", quota=2), Group(name="many", quota=4)]
    quiet.ensure_study("s", "S", {})
    assert given_out(quiet, Places(groups=groups)) == ("few", 0)
    grouped(quiet, "A", "few", 0)
    assert given_out(quiet, Places(groups=groups)) == ("many", 0)
    grouped(quiet, "B", "many", 0, "running")
    assert given_out(quiet, Places(groups=groups)) == ("many", 1)
    assert given_out(quiet, Places(groups=groups, group="few")) == ("few", 1)
    grouped(quiet, "C", "many", 1, "stopped")
    assert given_out(quiet, Places(groups=groups)) == ("many", 1)
    grouped(quiet, "D", "few", 1)
    # The first group is full; without quotas the one with fewer people comes next.
    assert given_out(quiet, Places(groups=groups))[0] == "many"
    assert given_out(quiet, Places(groups=[Group(name="few"), Group(name="many", quota=4)])) == ("many", 1)
    assert given_out(quiet, Places(groups=groups), "driven") == ("few", 0)
    with pytest.raises(ExperimentError, match=r"group few is full: 2 of 2 sessions are complete$"):
        given_out(quiet, Places(groups=groups, group="few"))
    assert given_out(quiet, Places(groups=groups, group="few", capped=False)) == ("few", 2)
    with pytest.raises(ExperimentError, match="--group 'fewer': this study has few, many"):
        given_out(quiet, Places(groups=groups, group="fewer"))
    for k in range(2, 5):
        grouped(quiet, f"M{k}", "many", k)
    with pytest.raises(ExperimentError, match="every group has its quota"):
        given_out(quiet, Places(groups=groups))


def test_a_full_study_says_who_holds_its_places(quiet: Store) -> None:
    quiet.ensure_study("s", "S", {})
    sat(quiet, "A", [], "s", "person", "complete", design_row=0)
    assert given_out(quiet, Places(target=3)) == (None, 1)
    sat(quiet, "B", [], "s", "person", "stopped", design_row=1)
    assert given_out(quiet, Places(target=2)) == (None, 1)
    sat(quiet, "C", [], "s", "person", "running", design_row=1)
    with pytest.raises(
        ExperimentError, match="the study is full: 1 of 2 sessions are complete, 1 running; a place is free"
    ):
        given_out(quiet, Places(target=2))
    assert given_out(quiet, Places(target=2), "bot") == (None, 0)
    assert given_out(quiet, Places(target=2, capped=False)) == (None, 2)
    assert given_out(quiet, Places(4, target=3)) == (None, 2)
