"""Abilities by who wins: against R's BradleyTerry2, by hand, and where there are none."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.preference import joint
from analysis.preference.bradley import bradley_terry
from tests.analysis.preference.test_joint import frame
from tests.analysis.preference.test_worth import by_hand, leaning


def test_abilities_are_bradleyterry2s() -> None:
    """d <- d[d$score != 5, ]; BTm(cbind(win, 1 - win), over, under, data = d, refcat = "base"); abilities and their covariance less
    their mean: C = diag(3) - 1/3, C a, sqrt(diag(C V C)). BradleyTerry2 1.1-2."""
    rows = bradley_terry(joint.sides(leaning()), 5.0)
    assert [r["condition"] for r in rows] == ["base", "film", "tuned"]
    assert [r["ability"] for r in rows] == pytest.approx(
        [-0.11201899518412, 0.08424272707449, 0.02777626810963], rel=1e-6
    )
    assert [r["standard_error"] for r in rows] == pytest.approx(
        [0.1221829030725, 0.1306843063003, 0.1282885973187], rel=1e-5
    )
    assert {r["state"] for r in rows} == {"ok"}
    assert rows[0]["ci_low"] == pytest.approx(-0.11201899518412 - 1.959963984540054 * 0.1221829030725, rel=1e-5)
    assert rows[0]["ci_high"] == pytest.approx(-0.11201899518412 + 1.959963984540054 * 0.1221829030725, rel=1e-5)
    # Counted in the file: 167 answers have a side, 33 are in the middle.
    assert sum(r["won"] for r in rows) == sum(r["lost"] for r in rows) == 167
    assert sum(r["middle"] for r in rows) == 2 * 33


def wins(table: dict[str, int]) -> pd.DataFrame:
    """`"ab": 3` is a judged better than b three times."""
    rows = [(k, "sweet", f"{a} - {b}", a, b, f"x{k}", f"y{k}", 8.0) for (a, b), n in table.items() for k in range(n)]
    return pd.DataFrame(rows, columns=["participant", "taste", "pair", "over", "under", "first", "second", "score"])


def test_where_every_pair_is_met_as_often_log_odds_are_those_of_the_counts() -> None:
    """a beats b 3 to 1, b beats c 3 to 1, a beats c 9 to 1: abilities a log 3 apart fit exactly."""
    rows = bradley_terry(wins({"ab": 3, "ba": 1, "bc": 3, "cb": 1, "ac": 9, "ca": 1}), 5.0)
    assert [r["ability"] for r in rows] == pytest.approx([np.log(3), 0, -np.log(3)], abs=1e-8)
    assert [(r["won"], r["lost"]) for r in rows] == [(12, 2), (4, 4), (2, 12)]


def test_the_side_of_an_answer_is_all_that_counts() -> None:
    d = joint.sides(leaning())
    far = d.assign(score=np.where(d["score"] > 5, 10.0, np.where(d["score"] < 5, 0.0, 5.0)))
    assert bradley_terry(far, 5.0) == bradley_terry(d, 5.0)
    turned = d.rename(columns={"over": "under", "under": "over"}).assign(score=10 - d["score"])
    for mine, was in zip(bradley_terry(turned, 5.0), bradley_terry(d, 5.0), strict=True):
        assert mine == {k: pytest.approx(v) for k, v in was.items()}


@pytest.mark.parametrize(
    ("table", "state"),
    [
        ({"ab": 3, "bc": 3, "cb": 1, "ac": 2}, "separated"),  # a never lost
        ({"ab": 3, "ba": 1, "cd": 2, "dc": 2}, "not connected"),
        ({"ab": 2, "bc": 2, "ca": 2}, "ok"),  # a ring of wins
    ],
)
def test_abilities_without_bound_are_not_told(table: dict[str, int], state: str) -> None:
    rows = bradley_terry(wins(table), 5.0)
    assert {r["state"] for r in rows} == {state}
    assert all((r["ability"] is None) == (state != "ok") for r in rows)
    assert all((r["standard_error"] is None) == (state != "ok") for r in rows)


def test_two_conditions_have_none_and_answers_in_the_middle_alone_say_nothing() -> None:
    assert bradley_terry(joint.sides(frame()), 5.0) == []
    none = by_hand("ab bc", dict.fromkeys("abc", 0.0)).assign(score=5.0)
    rows = bradley_terry(none, 5.0)
    assert [(r["ability"], r["state"], r["won"], r["middle"]) for r in rows] == [
        (None, "not connected", 0, 4),
        (None, "not connected", 0, 8),
        (None, "not connected", 0, 4),
    ]
