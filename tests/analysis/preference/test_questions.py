"""What task 1 asks."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.preference.questions import Bound, Question, answered, bounds, declared_words, family, questions


def test_overall_first_then_every_taste_that_is_there_once() -> None:
    config = AnalysisConfig(
        hypotheses=[{"taste": "sour", "alternative": "less"}, {"taste": "sweet"}, {"taste": "umami"}]
    )
    assert questions(["sweet", "sour", "bitter", "sweet"], config) == [
        Question("all", "two-sided", "declared"),
        Question("bitter", "two-sided", "exploratory"),
        Question("sour", "less", "declared"),
        Question("sweet", "greater", "declared"),
    ]


@pytest.mark.parametrize(
    ("declared", "alternative"),
    [
        ({}, "two-sided"),
        ({"sweet": "greater"}, "greater"),
        ({"sweet": "greater", "sour": "greater"}, "greater"),
        ({"sweet": "less", "sour": "less"}, "less"),
        ({"sweet": "greater", "sour": "less"}, "two-sided"),
        ({"sweet": "greater", "sour": "two-sided"}, "two-sided"),
        ({"sweet": "less", "all": "greater"}, "greater"),
        ({"sweet": "greater", "all": "two-sided"}, "two-sided"),
    ],
)
def test_over_all_tastes_no_direction_is_tested_that_nobody_declared(
    declared: dict[str, str], alternative: str
) -> None:
    """A study file that declares nothing has no one-sided test, and the report does not call one declared."""
    config = AnalysisConfig(hypotheses=[{"taste": t, "alternative": a} for t, a in declared.items()])
    assert questions(["sweet", "sour"], config)[0] == Question("all", alternative, "declared")
    assert declared_words(config, 1)[0] == f"all tastes together ({alternative})"


def test_a_question_is_about_its_tastes_answers() -> None:
    data = pd.DataFrame({"taste": ["sweet", "sour", "sweet"], "score": [1.0, 2.0, None]})
    assert len(Question("all", "greater", "declared").part(data)) == 3
    assert Question("sweet", "greater", "declared").part(data).index.tolist() == [0, 2]
    assert answered(data)["score"].tolist() == [1, 2]
    with pytest.raises(AnalysisError, match="no preference answers"):
        answered(data.iloc[2:])


ASKED = [
    Question("all", "greater", "declared"), Question("bitter", "two-sided", "exploratory"), Question("sour", "less", "declared"),
    Question("sweet", "greater", "declared"), Bound("bitter", 1.0),
]  # fmt: skip
P = np.array([0.03, 0.001, 0.01, 0.2, 0.004])


def test_the_overall_test_may_have_a_direction_of_its_own_and_bounds_are_of_what_was_asked() -> None:
    config = AnalysisConfig(
        hypotheses=[{"taste": "all", "alternative": "two-sided"}],
        equivalence=[
            {"taste": "sweet", "bound": 1, "reason": "a step"},
            {"taste": "umami", "bound": 1},
            {"taste": "all", "bound": 2},
        ],
    )
    assert questions(["sweet"], config)[0] == Question("all", "two-sided", "declared")
    assert bounds(["sweet"], config) == [Bound("sweet", 1.0, "a step"), Bound("all", 2.0)]


def test_declared_tests_and_bounds_are_one_family() -> None:
    """R: p.adjust(c(.03, .01, .2, .004), "bonferroni") and "holm"."""
    plain = family(ASKED, P, AnalysisConfig())
    assert plain[[0, 2, 3, 4]] == pytest.approx([0.12, 0.04, 0.8, 0.016])
    assert np.isnan(plain[1])
    assert family(ASKED, P, AnalysisConfig(correction="holm"))[[0, 2, 3, 4]] == pytest.approx([0.06, 0.03, 0.2, 0.016])


def test_behind_a_gate_the_others_count_where_the_first_was_passed() -> None:
    """The overall test at its own level; the rest: p.adjust(c(.01, .2, .004), "holm"), no smaller than the gate's."""
    gate = AnalysisConfig(correction="holm", overall="gate")
    assert family(ASKED, P, gate)[[0, 2, 3, 4]] == pytest.approx([0.03, 0.03, 0.2, 0.03])
    closed = P.copy()
    closed[0] = 0.4
    assert family(ASKED, closed, gate)[[0, 2, 3, 4]] == pytest.approx([0.4] * 4)
    closed[0] = np.nan
    assert family(ASKED, closed, gate)[[2, 3, 4]] == pytest.approx([1.0] * 3)


def test_a_test_that_could_not_be_made_stays_one_of_the_family() -> None:
    """Otherwise the data would decide how many tests there are."""
    lost = P.copy()
    lost[3] = np.nan
    found = family(ASKED, lost, AnalysisConfig())
    assert found[[0, 2, 4]] == pytest.approx([0.12, 0.04, 0.016])
    assert np.isnan(found[3])


def test_many_studies_are_corrected_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    p = rng.uniform(size=(5, 40)) ** 2
    for config in (AnalysisConfig(), AnalysisConfig(correction="holm", overall="gate")):
        whole = family(ASKED, p, config)
        for k in range(40):
            assert whole[:, k] == pytest.approx(family(ASKED, p[:, k], config), nan_ok=True)
