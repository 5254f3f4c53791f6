"""What task 1 asks."""

from __future__ import annotations

import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.preference.questions import Question, answered, questions


def test_overall_first_then_every_taste_that_is_there_once() -> None:
    config = AnalysisConfig(
        hypotheses=[{"taste": "sour", "alternative": "less"}, {"taste": "sweet"}, {"taste": "umami"}]
    )
    assert questions(["sweet", "sour", "bitter", "sweet"], config) == [
        Question("all", "greater", "declared"),
        Question("bitter", "two-sided", "exploratory"),
        Question("sour", "less", "declared"),
        Question("sweet", "greater", "declared"),
    ]


def test_a_question_is_about_its_tastes_answers() -> None:
    data = pd.DataFrame({"taste": ["sweet", "sour", "sweet"], "score": [1.0, 2.0, None]})
    assert len(Question("all", "greater", "declared").part(data)) == 3
    assert Question("sweet", "greater", "declared").part(data).index.tolist() == [0, 2]
    assert answered(data)["score"].tolist() == [1, 2]
    with pytest.raises(AnalysisError, match="no preference answers"):
        answered(data.iloc[2:])
