"""People of generated survey files are entered as their rows say or listed, and come out of every export as they went in."""

from __future__ import annotations

import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from benchmarks.exchange import imported
from experiment.data import entering
from experiment.data.entering import Entering, PlannedRow
from experiment.data.known import Known
from experiment.data.store import Store
from experiment.data.tables import Response, SessionRow, Stimulus, Trial
from experiment.data.withdrawal import withdraw
from stimuli.names import opaque
from tests.experiment.data.generated import BAD, GOOD, ODD, lines
from tests.postgres import Postgres


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
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


def test_on_postgresql(postgres: Postgres, tmp_path: Path) -> None:
    store = Store(postgres.database("generated"))
    try:
        found = imported(store, tmp_path, rows=120, each=60, seed=3)
    finally:
        store.close()
    assert (found["wrong"], found["rows"]) == ([], found["reached"] + found["listed"])


@pytest.fixture
def alone(tmp_path: Path) -> Iterator[tuple[Store, int]]:
    """An empty study in a database of its own."""
    opened = Store(f"sqlite:///{tmp_path / 'p.db'}")
    yield opened, opened.ensure_study("s", "S", {})
    opened.close()


def rated(track: str, **answers: float) -> PlannedRow:
    return PlannedRow("ratings", track, track, None, {item: (value, None) for item, value in answers.items()})


def held(store: Store) -> list[tuple[str, str, list[tuple[int, str, str | None, float | None]]]]:
    """Code, status and answers of each session, in the order of the database."""
    with store.transaction() as s:
        return [
            (
                x.participant.code,
                x.status,
                [
                    (t.position, r.item, t.first.clip if t.first else None, r.value)
                    for t in sorted(x.trials, key=lambda t: t.position)
                    for r in sorted(t.responses, key=lambda r: r.id)
                ],
            )
            for x in s.scalars(select(SessionRow).order_by(SessionRow.id))
        ]


def test_people_are_entered_in_the_order_of_the_file_some_at_a_time(
    alone: tuple[Store, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(entering, "BATCH", 2)
    store, study = alone
    way = Entering(store, study, "it")
    plan = [rated("one", sweet=1.0, sour=2.0), rated("two", sour=3.0)]
    for k in range(5):
        way.add(k + 2, Known((f"imp-{k}",), (f"said {k}",)), plan if k != 3 else [], complete=k != 1)
        assert len(held(store)) == 2 * ((k + 1) // 2)
    assert way.done() == [
        (2, 3, "imported"),
        (3, 3, "imported"),
        (4, 3, "imported"),
        (5, 0, "imported"),
        (6, 3, "imported"),
    ]
    answers = [(0, "sweet", "one", 1.0), (0, "sour", "one", 2.0), (1, "sour", "two", 3.0)]
    assert held(store) == [
        ("imp-0", "complete", answers), ("imp-1", "stopped", answers), ("imp-2", "complete", answers),
        ("imp-3", "complete", []), ("imp-4", "complete", answers),
    ]  # fmt: skip
    with store.transaction() as s:
        rows = list(s.scalars(select(SessionRow)))
        assert {(x.kind, x.station, x.language, x.design_row, x.seed) for x in rows} == {
            ("imported", "import", "it", None, 0)
        }
        assert [x.versions["row_sha256"] for x in rows] == [f"said {k}" for k in range(5)]
        assert all(x.ended_at is not None for x in rows)
        assert {tuple(t.items) for t in s.scalars(select(Trial))} == {("sweet", "sour"), ("sour",)}
        assert {r.response_time for r in s.scalars(select(Response))} == {None}
        assert [(c.clip, c.taste, c.model, c.number) for c in s.scalars(select(Stimulus).order_by(Stimulus.id))] == [
            ("one", "one", "given", 0), ("two", "two", "given", 0),
        ]  # fmt: skip


def test_who_is_there_already_says_the_same_or_is_listed(alone: tuple[Store, int]) -> None:
    """In the file twice, or from an earlier one; who withdrew comes in under no line of it."""
    store, study = alone
    first = Entering(store, study, "it")
    for code, said in (("a", "x"), ("b", "x"), ("a", "x"), ("b", "y")):
        first.add(1, Known((code,), (said,)), [rated("one", sweet=1.0)], True)
    other = "the same participant is there with other answers"
    assert [x for _, _, x in first.done()] == ["imported", "imported", "already", other]
    with store.transaction() as s:
        s.scalars(select(SessionRow).order_by(SessionRow.id).limit(1)).one().versions = {}
    withdraw(store, "b")
    again = Entering(store, study, "it")
    again.add(
        7, Known(("a",), ("anything",)), [rated("one", sweet=2.0)], True
    )  # older versions did not note what the row said
    again.add(8, Known(("B",), ("x",)), [rated("one", sweet=2.0)], True)
    again.add(9, Known(("c",), ("x",)), [rated("one", sweet=2.0)], True)
    assert again.done() == [(7, 0, "already"), (8, 0, "withdrawn"), (9, 1, "imported")]
    assert [(code, answers[0][3]) for code, _, answers in held(store) if answers] == [("a", 1.0), ("c", 2.0)]


def test_a_clip_that_is_there_is_that_clip_whatever_it_is_called(alone: tuple[Store, int]) -> None:
    """By what it is: taste, condition, number; both clips of a pair, on the sides that the file tells."""
    store, study = alone
    name = opaque(0, "base", "sweet", 4)
    store.ensure_stimuli(
        study, [{"clip": name, "taste": "sweet", "model": "base", "number": 4, "path": None, "sha256": "1" * 64}]
    )
    way = Entering(store, study, "it")
    pair = PlannedRow("preference", "sweet", "sweet-tuned-more-012", "sweet-base-004", {"preference": (7.0, None)})
    dry = rated("dry", cold=2.0)
    dry.taste, dry.first = "bitter-sweet", "bitter-sweet-nano-taste-003"
    way.add(
        2,
        Known(("a",), ("x",)),
        [PlannedRow("demographics", None, None, None, {"sex": (None, "female")}), pair, dry],
        True,
    )
    assert way.done() == [(2, 3, "imported")]
    with store.transaction() as s:
        clips = {c.clip: (c.taste, c.model, c.number) for c in s.scalars(select(Stimulus))}
        about, heard, _ = s.scalars(select(Trial).order_by(Trial.position))
        assert (about.block, about.taste, about.first, about.second) == ("demographics", None, None, None)
        assert (heard.block, heard.taste, heard.first.clip, heard.second.clip) == (
            "preference", "sweet", "sweet-tuned-more-012", name,
        )  # fmt: skip
        assert [(r.item, r.choice, r.value) for r in s.scalars(select(Response).order_by(Response.id))] == [
            ("sex", "female", None), ("preference", None, 7.0), ("cold", None, 2.0),
        ]  # fmt: skip
    assert clips == {
        name: ("sweet", "base", 4),
        "sweet-tuned-more-012": ("sweet", "tuned-more", 12),
        "bitter-sweet-nano-taste-003": ("bitter-sweet", "nano-taste", 3),
    }
