"""Rows of a query in parts: the frame that pandas makes of all of them at once."""

from __future__ import annotations

import tracemalloc
from typing import Any

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import Column, Connection, MetaData, Table, create_engine, select
from sqlalchemy import types as sql

from analysis.data import fetched as module
from analysis.data.fetched import fetched

TABLE = Table(
    "t", MetaData(), Column("id", sql.Integer, primary_key=True), Column("n", sql.Integer), Column("word", sql.String),
    Column("x", sql.Float), Column("yes", sql.Boolean),
)  # fmt: skip
NUMBERS = st.none() | st.sampled_from([0.0, 1.0, 2.5]) | st.floats(allow_nan=False, allow_infinity=False)
ROWS = st.tuples(st.integers(0, 3), st.none() | st.sampled_from(["a", "b", "ä"]), NUMBERS, st.booleans())


def filled(connection: Connection, rows: list[tuple[Any, ...]]) -> None:
    TABLE.create(connection)
    if rows:
        connection.execute(TABLE.insert(), [dict(zip(("n", "word", "x", "yes"), row, strict=True)) for row in rows])


@given(st.lists(ROWS, max_size=12), st.integers(1, 5), st.integers(0, 3))
def test_parts_make_the_whole(rows: list[tuple[Any, ...]], part: int, many: int) -> None:
    """One, 1.0 and true are kept apart; nothing is lost at the end of a part or once a column has many values."""
    with pytest.MonkeyPatch.context() as patch, create_engine("sqlite://").connect() as connection:
        patch.setattr(module, "PART", part)
        patch.setattr(module, "MANY", many)
        filled(connection, rows)
        asked = select(TABLE).order_by(TABLE.c.id)
        wanted = pd.DataFrame(connection.execute(asked).mappings().all())
        pd.testing.assert_frame_equal(fetched(connection, asked), wanted)


def test_of_equal_words_one_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    """20,000 words of 500 letters are ten megabytes where each is held."""
    monkeypatch.setattr(module, "PART", 1000)
    with create_engine("sqlite://").connect() as connection:
        filled(connection, [(k % 2, "sweet" * 100, 0.5, True) for k in range(20_000)])
        tracemalloc.start()
        rows = fetched(connection, select(TABLE.c.word, TABLE.c.n))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 5e6
    assert rows["word"].tolist() == ["sweet" * 100] * 20_000
