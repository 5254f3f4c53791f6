"""One division of ages for everything that leaves the database."""

from __future__ import annotations

import math

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.data.frames import demographics
from experiment.data.ages import age_band, coarse_age

# As published with every export so far, counted off by hand.
WRITTEN = {
    "0-17": (0, 1, 16, 17),
    "18-24": (18, 19, 24),
    "25-34": (25, 34),
    "35-44": (35, 44),
    "45-54": (45, 54),
    "55-64": (55, 64),
    "65-120": (65, 66, 99, 110, 120),
}


@pytest.mark.parametrize("band", WRITTEN)
def test_ages_fall_into_their_bands(band: str) -> None:
    assert {age_band(float(age)) for age in WRITTEN[band]} == {band}


@given(age=st.floats(0, 121, exclude_max=True))
def test_an_age_between_two_years_counts_the_full_ones(age: float) -> None:
    first, last = map(int, age_band(age).split("-"))
    assert first <= math.floor(age) <= last
    assert age_band(age) == age_band(math.floor(age))


@given(age=st.floats(0, 121, exclude_max=True))
def test_one_year_stands_for_all_of_a_band(age: float) -> None:
    assert age_band(coarse_age(age)) == age_band(age)
    assert coarse_age(coarse_age(age)) == coarse_age(age)
    assert coarse_age(math.floor(age)) == coarse_age(age)


def test_the_years_that_stand_for_bands() -> None:
    assert [coarse_age(x) for x in (3, 20, 25, 44, 45, 60, 65, 119)] == [17, 21, 29.5, 39.5, 49.5, 59.5, 69.5, 69.5]


def test_the_report_counts_ages_in_the_bands_that_exports_name() -> None:
    people = pd.DataFrame(
        {
            "participant": range(1, 13),
            "status": "complete",
            "language": "en",
            "age": [17, 17.5, 18, 24, 24.9, 25, 64, 64, 64, 64, 64, None],
        }
    )
    people.loc[len(people)] = [13, "complete", "en", 71]
    found = [r for r in demographics(people) if r["item"] == "age"]
    assert [(r["answer"], r["n"], r["small"]) for r in found] == [
        ("0-17", None, True),
        ("18-24", None, True),
        ("25-34", None, True),
        ("55-64", 5, False),
        ("65-120", None, True),
    ]
