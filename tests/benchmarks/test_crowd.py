"""People at a link, counted: that the comparison with the database would find what is lost or doubled."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from sqlalchemy import select

from benchmarks import crowd
from experiment.data.store import Store
from experiment.data.tables import Response


def test_what_was_acknowledged_and_is_not_there_is_found(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'p.db'}"
    found: dict[str, Any] = crowd.run(url, 2, most=7)
    assert (found["people"], found["messages"], found["acknowledged"]) == (2, 14, 12)
    assert (found["acknowledged_but_not_stored"], found["stored_twice"], found["design_rows_twice"]) == (0, 0, 0)
    store = Store(url)
    with store.transaction() as s:
        s.delete(s.scalars(select(Response).order_by(Response.id)).first())
    store.close()
    people: Any = [
        SimpleNamespace(noted=[1000.0 * k + n for n in range(1, 7)], waited=[0.1], sounds=[], complete=False)
        for k in range(2)
    ]
    measured: Any = SimpleNamespace(spent=0.0, largest=0)
    told = crowd._found(url, people, 1.0, measured)
    assert told["acknowledged_but_not_stored"] == 1
