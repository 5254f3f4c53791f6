"""What the `[analysis]` table allows, and what holds where it says nothing: written from the study-file reference."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from analysis.config import AnalysisConfig, Equivalence, Exclude, Hypothesis
from analysis.factors import trust


def test_what_holds_where_nothing_is_said() -> None:
    found = AnalysisConfig()
    said = found.model_dump()
    assert said == {
        "plan": "robust", "alpha": 0.05, "correction": "bonferroni", "overall": "member", "hypotheses": [], "equivalence": [],
        "factors": "parallel", "reference": "shipped", "resamples": 2000, "seed": 0, "targets": None, "groups": ["language", "sex", "age"],
        "exclude": {"incomplete": False, "long_string": None, "spread": None, "distance_p": None, "seconds": None},
    }  # fmt: skip
    assert Hypothesis(taste="sweet").alternative == "greater"
    assert Equivalence(taste="sweet", bound=1).reason == ""


def test_the_reference_says_which_numbers_of_resamples_are_others() -> None:
    said = " ".join(str(AnalysisConfig.__doc__).split())
    assert f"loadings have intervals of {trust.RESAMPLES} resamples" in said
    assert f"groups are compared by {trust.PERMUTATIONS} permutations" in said


@pytest.mark.parametrize(
    ("name", "allowed", "refused"),
    [
        ("alpha", [1e-9, 0.999], [0.0, 1.0, -0.1]),
        ("factors", [1, 7, "parallel"], [0, -1, 1.5, "kaiser"]),
        ("resamples", [100, 1_000_000], [99, 1_000_001]),
        ("seed", [0, 2**63 - 1], [-1, 2**63]),
        ("plan", ["paper"], ["both"]),
        ("correction", ["holm"], ["none", "fdr"]),
        ("overall", ["gate"], ["none"]),
        ("groups", [[], ["sex"]], [["sex", "age", "sex"]]),
        (
            "hypotheses",
            [[{"taste": "sweet"}, {"taste": "sour", "alternative": "less"}]],
            [[{"taste": "sweet"}, {"taste": "sweet", "alternative": "less"}], [{"taste": "a", "alternative": "more"}]],
        ),
        (
            "equivalence",
            [[{"taste": "sweet", "bound": 0.1}]],
            [[{"taste": "sweet", "bound": 0.0}], [{"taste": "sweet", "bound": 1}, {"taste": "sweet", "bound": 2}]],
        ),
        (
            "exclude",
            [{"long_string": 1.0}, {"distance_p": 0.5}, {"spread": 0.1}],
            [{"long_string": 0}, {"long_string": 1.1}],
        ),
        (
            "exclude",
            [{"seconds": 0.1}, {"incomplete": True}],
            [{"distance_p": 1}, {"distance_p": 0}, {"seconds": 0}, {"spread": 0}],
        ),
        ("unknown", [], [1]),
    ],
)
def test_what_is_allowed_at_the_edge_and_refused_beyond(name: str, allowed: list[Any], refused: list[Any]) -> None:
    for value in allowed:
        AnalysisConfig.model_validate({name: value})
    for value in refused:
        with pytest.raises(ValidationError):
            AnalysisConfig.model_validate({name: value})


def test_limits_are_by_their_names() -> None:
    rules = Exclude(incomplete=True, long_string=0.9, spread=0.3, distance_p=0.001, seconds=0.5)
    assert rules.limits() == {"long_string": 0.9, "spread": 0.3, "distance_p": 0.001, "seconds": 0.5}
