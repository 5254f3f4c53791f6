"""The count of acknowledged answers finds every one that a store acknowledged and did not write, and no other."""

from __future__ import annotations

from pathlib import Path

from benchmarks.booths import run


def test_a_store_that_lies_is_found_out(tmp_path: Path) -> None:
    found = run(f"sqlite:///{tmp_path / 'p.db'}", booths=2, sessions=2, kills=1, lie_every=12)
    assert found["failures"] == []
    assert found["lies_acknowledged"] >= 3  # of about 200 answers
    assert found["acknowledged_but_not_stored"] == found["lies_acknowledged"]
    assert (found["lies_not_found"], found["found_but_no_lie"], found["stored_twice"]) == (0, 0, 0)
