"""Expected values: R 4.2.2, tests/golden/golden.R."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.config import AnalysisConfig, Equivalence, Hypothesis
from analysis.errors import AnalysisError
from analysis.preference.paper import adjust, analyse, cluster_interval, rank_biserial, signed_rank

# fmt: off
SCORES = np.array([
    7, 3, 8, 8, 1, 3, 6, 5, 6, 4, 8, 8, 6, 9, 7, 4, 7, 3, 8, 6, 5, 4, 9, 5, 5, 5, 7, 7, 7, 7, 10, 5, 5, 4, 7, 9, 6, 4,
    4, 7, 8, 7, 4, 6, 6, 6, 8, 6, 7, 6, 7, 7, 2, 5, 5, 4, 5, 10, 4, 8,
], dtype=float)
# fmt: on


@pytest.mark.parametrize(
    ("alternative", "p"), [("greater", 0.000111633500416), ("less", 0.99989257638), ("two-sided", 0.000223267000833)]
)
def test_signed_rank_equals_wilcox_test_of_r(alternative: str, p: float) -> None:
    statistic, found = signed_rank(SCORES, 5, alternative)
    assert statistic == 1016
    assert found == pytest.approx(p, rel=1e-9)


def test_less_is_not_one_minus_greater() -> None:
    assert signed_rank(SCORES, 5, "less")[1] != pytest.approx(1 - signed_rank(SCORES, 5, "greater")[1], abs=1e-6)


@given(st.lists(st.integers(0, 10), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_rank_biserial_is_bounded_and_turns_with_the_scale(scores: list[int]) -> None:
    x = np.array(scores, dtype=float)
    r = rank_biserial(x, 5)
    assert -1 <= r <= 1
    assert rank_biserial(10 - x, 5) == pytest.approx(-r, abs=1e-12)


def test_interval_widens_when_answers_of_a_person_agree() -> None:
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(30), 5)
    alike = np.repeat(rng.normal(5.5, 2, 30), 5)
    free = rng.normal(5.5, 2, 150)
    widths = []
    for scores in (alike, free):
        low, high = cluster_interval(scores, people, 5, 400, np.random.default_rng(1))
        widths.append(high - low)
    assert widths[0] > 1.4 * widths[1]


def test_adjustments_are_the_textbook_ones() -> None:
    p = np.array([0.01, 0.04, 0.03, 0.5])
    assert adjust(p, "bonferroni") == pytest.approx([0.04, 0.16, 0.12, 1.0])
    assert adjust(p, "holm") == pytest.approx([0.04, 0.09, 0.09, 0.5])


def _frame(n: int = 40, lift: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for person in range(n):
        for trial, taste in enumerate(("bitter", "salty", "sour", "sweet"), start=1):
            score = float(np.clip(round(rng.normal(5 + lift * (taste != "salty"), 2)), 0, 10))
            first = "base" if (person + trial) % 2 else "finetuned"
            answer = score if first == "base" else 10 - score
            rows.append((person + 1, trial, taste, first, "a", "b", answer, score))
    columns = ["participant", "trial", "taste", "first_model", "clip_base", "clip_finetuned", "answer", "score"]
    return pd.DataFrame(rows, columns=columns)


def test_analysis_has_declared_tests_corrected_and_the_rest_marked_exploratory() -> None:
    config = AnalysisConfig(
        hypotheses=[Hypothesis(taste=t) for t in ("sweet", "sour", "salty")],
        equivalence=[Equivalence(taste="salty", bound=1.0)],
        resamples=100,
    )
    tables = analyse(_frame(), 5, config)
    tests = {(r["taste"], r["alternative"]): r for r in tables["tests"]}
    assert tests["sweet", "greater"]["p_adjusted"] == pytest.approx(min(1, 4 * tests["sweet", "greater"]["p"]))
    assert tests["bitter", "two-sided"]["status"] == "exploratory"
    assert tests["salty", "less"]["status"] == "exploratory"
    assert tests["salty", "less"]["p_adjusted"] is None
    assert tests["all", "greater"]["n"] == 160
    assert tables["equivalence"][0]["p"] < 0.05
    assert {r["taste"] for r in tables["bayes"]} == {"all", "bitter", "salty", "sour", "sweet"}
    assert tables["agreement"][0]["ci_low"] <= tables["agreement"][0]["value"] <= tables["agreement"][0]["ci_high"]


def test_no_answers_is_one_clear_line() -> None:
    with pytest.raises(AnalysisError, match="no preference answers"):
        analyse(_frame().iloc[:0], 5, AnalysisConfig())
