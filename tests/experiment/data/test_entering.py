"""People of generated survey files are entered as their rows say or listed, and come out of every export as they went in."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from pathlib import Path

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.exchange import imported
from experiment.data.store import Store
from tests.experiment.data.generated import BAD, GOOD, ODD, lines


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(seed=st.integers(0, 2**32))
def test_every_row_is_imported_as_it_says_or_listed_and_every_export_says_the_same(seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = Store(f"sqlite:///{folder}/p.db")
        try:
            found = imported(store, Path(folder), rows=40, each=20, seed=seed)
        finally:
            store.close()
    assert found["wrong"] == []
    assert found["rows"] == found["reached"] + found["listed"]
    assert set(found["exports_equal"]) == {"csv", "psychds", "bids", "psychopy"}
    assert all(n == found["reached"] for n in found["exports_equal"].values())


def test_of_a_thousand_rows_each_kind_is_there_and_half_reach_the_database() -> None:
    made = list(lines(random.Random(1), 1000, 0))
    met = Counter(m.how for m in made)
    assert set(met) == {*GOOD, *ODD}
    assert all(met[how] >= 10 for how in (*GOOD, *BAD))
    assert 400 < sum(m.stored is not None for m in made) < 600


def test_on_postgresql(postgres, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    store = Store(postgres.database("generated"))
    try:
        found = imported(store, tmp_path, rows=120, each=60, seed=3)
    finally:
        store.close()
    assert (found["wrong"], found["rows"]) == ([], found["reached"] + found["listed"])
