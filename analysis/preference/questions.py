"""What task 1 asks of the answers: over all tastes, and for each taste in the direction that was declared for it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Question:
    """One question: of which taste ("all": over all of them), against which alternative, declared or exploratory."""

    taste: str
    alternative: str
    status: str

    def part(self, data: pd.DataFrame) -> pd.DataFrame:
        """The answers that it is about."""
        return data if self.taste == "all" else data[data["taste"] == self.taste]


def questions(tastes: Iterable[str], config: AnalysisConfig) -> list[Question]:
    """The overall question, then one a taste in alphabetical order; a taste without a declared direction is asked both ways."""
    declared = {h.taste: h.alternative for h in config.hypotheses}
    return [Question("all", "greater", "declared")] + [
        Question(t, declared.get(t, "two-sided"), "declared" if t in declared else "exploratory")
        for t in sorted(set(tastes))
    ]


def answered(data: pd.DataFrame) -> pd.DataFrame:
    """The rows with a score.

    Raises
    ------
    AnalysisError
        If there are none.
    """
    data = data.dropna(subset=["score"])
    if data.empty:
        raise AnalysisError("there are no preference answers in this study; task 1 was not run")
    return data
