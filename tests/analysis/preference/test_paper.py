"""The seed paper's tests of task 1: what is asked, of whom, in which direction, and how it is corrected."""

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Equivalence, Hypothesis
from analysis.errors import AnalysisError
from analysis.preference.paper import analyse


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
