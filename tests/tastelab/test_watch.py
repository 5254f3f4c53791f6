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
