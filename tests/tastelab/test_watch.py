"""The experimenter's view of all booths: which session wants a look, and why."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from rich.console import Console

from experiment.data.store import Store
from tastelab import watch
from tests.tastelab.conftest import Lived

NOW = datetime(2026, 3, 1, 12, 0, 0, tzinfo=UTC)


def session(**changed: Any) -> dict[str, Any]:
    row = {
        "study": "s", "participant": "P1", "kind": "person", "status": "running", "station": "booth-2",
        "started_at": "2026-03-01 11:30:00", "answers": 3, "last_answer": "2026-03-01 11:59:00", "expected": 36,
    }  # fmt: skip
    return row | changed


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({}, ""),
        ({"last_answer": "2026-03-01 11:55:00"}, ""),  # five minutes are no problem yet
        ({"last_answer": "2026-03-01 11:54:59"}, "no answer for 5 min"),
        ({"last_answer": "2026-03-01 11:47:00"}, "no answer for 13 min"),
        ({"last_answer": None, "answers": 0}, "no answer for 30 min"),  # counted from the start
        ({"last_answer": None, "answers": 0, "started_at": "2026-03-01 11:59:00"}, ""),
        ({"status": "stopped"}, "stopped: can go on with --resume"),
        ({"status": "stopped", "last_answer": "2026-03-01 08:00:00"}, "stopped: can go on with --resume"),
        ({"status": "complete"}, ""),
        ({"status": "complete", "last_answer": "2026-03-01 08:00:00"}, ""),
        ({"status": "complete", "answers": 0}, "complete without answers"),
        ({"status": "withdrawn", "answers": 0}, ""),
    ],
)
def test_what_to_look_at(changed: dict[str, Any], told: str) -> None:
    assert watch.problem(session(**changed), NOW) == told


def shown(rows: list[dict[str, Any]]) -> list[str]:
    console = Console(width=200, record=True, file=open("/dev/null", "w"))  # noqa: SIM115
    console.print(watch.table(rows, NOW))
    return console.export_text().splitlines()


def test_the_newest_session_stands_on_top_with_what_is_known_of_it() -> None:
    lines = shown([session(participant="OLD"), session(participant="NEW", status="stopped", last_answer=None)])
    assert lines[0].strip() == "12:00:00 UTC"
    rows = [line for line in lines if "booth-2" in line]
    assert [next(p for p in ("OLD", "NEW") if p in r) for r in rows] == ["NEW", "OLD"]
    cells = [c.strip() for c in rows[1].split("│")[1:-1]]
    assert cells == ["booth-2", "OLD", "s", "running", "3", "36", "2026-03-01 11:59:00", ""]
    assert "None" not in rows[0]
    assert "--resume" in rows[0]


def test_watching_shows_people_bots_on_demand_and_ends_with_ctrl_c(
    lived: Lived, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    waited: list[float] = []

    def interrupted(seconds: float) -> None:
        waited.append(seconds)
        if len(waited) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupted)
    monkeypatch.setenv("COLUMNS", "200")
    store = Store(lived.db)
    watch.watch(store, "small", False, 2.5)
    assert waited == [2.5, 2.5]
    assert "bot-1-" not in capsys.readouterr().out
    waited.clear()
    watch.watch(store, "small", True, 2.5)
    assert "bot-1-0023" in capsys.readouterr().out
    waited.clear()
    watch.watch(store, "another study", True, 2.5)
    assert "bot-1-" not in capsys.readouterr().out
    store.close()


def test_a_day_is_counted_by_booth_group_and_outcome() -> None:
    from tastelab.watch import so_far

    def row(station: str, status: str, kind: str = "person", group: str | None = None) -> dict[str, Any]:
        return {"station": station, "status": status, "kind": kind, "group": group}

    rows = [row("b", "complete", group="x"), row("a", "complete"), row("b", "refused", group="y"), row("a", "stopped")]
    rows += [row("c", "complete", "pilot"), row("b", "complete", group="x")]
    assert so_far(rows, 40) == [
        {"where": "booth a", "complete": 1, "stopped": 1, "refused": 0, "wanted": None},
        {"where": "booth b", "complete": 2, "stopped": 0, "refused": 1, "wanted": None},
        {"where": "group x", "complete": 2, "stopped": 0, "refused": 0, "wanted": None},
        {"where": "group y", "complete": 0, "stopped": 0, "refused": 1, "wanted": None},
        {"where": "all", "complete": 3, "stopped": 1, "refused": 1, "wanted": 40},
        {"where": "pilots", "complete": 1},
    ]
    assert so_far(rows[:2], None)[-1] == {"where": "all", "complete": 2}


def test_what_wants_a_look_is_named_with_why() -> None:
    from tastelab.watch import to_look_at

    now = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
    base = {"station": "a", "answers": 3, "started_at": "2026-11-26 11:00:00"}
    rows = [
        base | {"participant": "P1", "status": "complete", "last_answer": "2026-11-26 11:10:00"},
        base | {"participant": "P2", "status": "running", "last_answer": "2026-11-26 11:40:00"},
        base | {"participant": "P3", "status": "running", "last_answer": "2026-11-26 11:59:00"},
        base | {"participant": "P4", "status": "stopped", "last_answer": None},
    ]
    assert to_look_at(rows, now) == [
        {"participant": "P2", "station": "a", "look_at": "no answer for 20 min"},
        {"participant": "P4", "station": "a", "look_at": "stopped: can go on with --resume"},
    ]
