"""Answers of the identification task and pairs of repeated answers, from stored rows written by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from analysis.data.identified import IDENTIFIED, REPEATED, identified, repeated


def rows(*given: tuple[Any, ...]) -> pd.DataFrame:
    """participant, trial, block, kind, item, value, choice, first_id, repeated."""
    names = ["participant", "trial", "block", "kind", "item", "value", "choice", "first_id", "repeated"]
    frame = pd.DataFrame(given, columns=names)
    return frame.assign(
        taste=["sweet" if i % 2 else "sour" for i in frame["first_id"]], first_model="base", second_id=np.nan,
        first_clip=[f"clip{i}" for i in frame["first_id"]], response_time=1.5,
    )  # fmt: skip


STORED = rows(
    (1, 0, "demographics", "demographics", "sex", None, "female", 0, False),
    (1, 1, "named", "identification", "identification", None, "sweet", 7, False),
    (1, 1, "named", "identification", "confidence", 4.0, None, 7, False),
    (1, 2, "affect", "affect", "liking", 6.0, None, 7, False),
    (1, 3, "named", "identification", "identification", None, "none", 8, False),
    (1, 4, "named", "identification", "identification", None, "salty", 7, True),
    (1, 4, "named", "identification", "confidence", 4.0, None, 7, True),
    (1, 5, "affect", "affect", "liking", 5.0, None, 7, True),
    (2, 1, "named", "identification", "identification", None, "sour", 7, False),
    (2, 4, "named", "identification", "identification", None, "sour", 9, True),
)


def test_one_row_an_answer_with_its_confidence() -> None:
    found = identified(STORED[~STORED["repeated"]])
    assert list(found.columns) == list(IDENTIFIED)
    told = found.drop(columns=["confidence", "response_time"]).to_numpy().tolist()
    assert told == [
        [1, 1, "sweet", "base", "clip7", "sweet"], [1, 3, "sour", "base", "clip8", "none"], [2, 1, "sweet", "base", "clip7", "sour"],
    ]  # fmt: skip
    assert found["confidence"].iloc[0] == 4
    assert found["confidence"].iloc[1:].isna().all()


def test_pairs_are_of_one_person_clip_and_item() -> None:
    """What person 2 heard again was not heard before in these rows: no pair."""
    found = repeated(STORED)
    assert list(found.columns) == list(REPEATED)
    assert found.to_numpy().tolist() == [
        [1, "named", "clip7", "identification", "sweet", "salty"], [1, "named", "clip7", "confidence", 4.0, 4.0],
        [1, "affect", "clip7", "liking", 6.0, 5.0],
    ]  # fmt: skip


def test_pairs_of_compared_clips_are_told_by_both() -> None:
    frame = rows(
        (1, 1, "fit", "preference", "preference", 3.0, None, 5, False), (1, 2, "fit", "preference", "preference", 8.0, None, 5, False),
        (1, 9, "fit", "preference", "preference", 7.0, None, 5, True),
    ).assign(second_id=[6, 7, 7])  # fmt: skip
    assert repeated(frame)[["first", "again"]].to_numpy().tolist() == [[8.0, 7.0]]


def test_where_nothing_was_named_or_repeated_there_are_no_rows() -> None:
    plain = STORED[STORED["block"] == "demographics"]
    assert identified(plain).empty
    assert repeated(plain).empty
    assert list(identified(plain).columns) == list(IDENTIFIED)
    assert list(repeated(plain).columns) == list(REPEATED)
