"""Reliability from hidden repeats; values by R's psych (ICC without lmer, cohen.kappa) and by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.agreement.repeats import absolute_agreement, reliability


def pairs(item: str, first: list[Any], again: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"participant": np.arange(len(first)) % 4, "item": item, "first": first, "again": again})


def test_absolute_agreement_is_psychs() -> None:
    assert absolute_agreement(np.array([[9, 2], [6, 1], [8, 4], [7, 1], [10, 5], [6, 2.0]])) == pytest.approx(
        0.1256545, abs=1e-6
    )
    assert absolute_agreement(np.array([[1, 1], [2, 3], [3, 3], [4, 4], [5, 4], [5, 5], [2, 1.0]])) == pytest.approx(
        0.91
    )
    assert absolute_agreement(np.array([[3, 3], [3, 3.0]])) is None


def test_choices_and_numbers() -> None:
    """psych: kappa .5; four of six the same. The second numbers are lower by 1/7 on average."""
    frame = pd.concat(
        [
            pairs("identification", ["sweet", "sour", "sweet", "salty", "none", "sweet"], ["sweet", "sour", "salty", "salty", "sweet", "sweet"]),
            pairs("liking", [1, 2, 3, 4, 5, 5, 2], [1, 3, 3, 4, 4, 5, 1]),
        ]
    )  # fmt: skip
    choice, number = reliability(frame)
    assert (choice["item"], choice["people"], choice["pairs"], choice["state"]) == ("identification", 4, 6, "ok")
    assert choice["same"] == pytest.approx(4 / 6)
    assert choice["chance"] == pytest.approx((3 * 3 + 1 * 1 + 1 * 2 + 1 * 0) / 36)
    assert choice["kappa"] == pytest.approx(0.5)
    assert (choice["icc"], choice["shift"]) == (None, None)
    assert number["same"] == pytest.approx(4 / 7)
    assert number["icc"] == pytest.approx(0.91)
    assert number["shift"] == pytest.approx(-1 / 7)


def test_too_few_and_constant_answers_are_said() -> None:
    few, always = reliability(
        pd.concat([pairs("a", [1, 2, 3, 4], [1, 2, 3, 4]), pairs("b", ["sweet"] * 6, ["sweet"] * 6)])
    )
    assert (few["state"], few["pairs"], few["same"], few["icc"]) == ("too few", 4, None, None)
    assert (always["state"], always["same"], always["chance"], always["kappa"]) == ("constant", 1.0, 1.0, None)
