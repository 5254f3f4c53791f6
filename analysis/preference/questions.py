"""What task 1 asks of the answers, and the family that its declared tests are: corrected together, or behind a gate.

The family holds every test that was declared before the data: over all tastes, the tastes with a declared direction, and the
equivalence tests. With ``overall = "member"`` all are corrected together; with ``overall = "gate"`` the overall test comes first at the full
level, and the others, corrected among themselves, count only where it was passed (a hierarchical procedure: Maurer,
Hothorn & Lehmacher 1995). Both hold the error rate of the family.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from analysis.config import AnalysisConfig
from analysis.engines.tails import adjust
from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

DECLARED, EXPLORATORY = "declared", "exploratory"


@dataclass(frozen=True)
class Question:
    """One question: of which taste ("all": over all of them), against which alternative, declared or exploratory."""

    taste: str
    alternative: str
    role: str
    pair: str = ""
    bound: None = None

    def part(self, data: pd.DataFrame) -> pd.DataFrame:
        """The answers that it is about."""
        return data if self.taste == "all" else data[data["taste"] == self.taste]


@dataclass(frozen=True)
class Bound:
    """A declared equivalence test: the mean lies within `bound` points of the middle."""

    taste: str
    bound: float
    reason: str = ""
    pair: str = ""
    alternative: str = "equivalence"
    role: str = DECLARED


def direction(config: AnalysisConfig) -> str:
    """The alternative of the test over all tastes: the declared one, else what all declared tastes share, else either direction."""
    declared = {h.taste: h.alternative for h in config.hypotheses}
    shared = {alternative for taste, alternative in declared.items() if taste != "all"}
    return declared.get("all") or (shared.pop() if len(shared) == 1 else "two-sided")


def questions(tastes: Iterable[str], config: AnalysisConfig, pair: str = "") -> list[Question]:
    """The overall question, then one a taste in alphabetical order; a taste without a declared direction is asked both ways."""
    declared = {h.taste: h.alternative for h in config.hypotheses}
    return [Question("all", direction(config), DECLARED, pair)] + [
        Question(t, declared.get(t, "two-sided"), DECLARED if t in declared else EXPLORATORY, pair)
        for t in sorted(set(tastes))
    ]


def bounds(tastes: Iterable[str], config: AnalysisConfig, pair: str = "") -> list[Bound]:
    """The declared equivalence tests of tastes that were asked."""
    there = {*tastes, "all"}
    return [Bound(e.taste, e.bound, e.reason, pair) for e in config.equivalence if e.taste in there]


def asked_of(tastes: Mapping[str, Iterable[str]], config: AnalysisConfig) -> list[Question | Bound]:
    """Every question of every pair of conditions, of the tastes that it is compared for, then the equivalence tests."""
    asked: list[Question | Bound] = [q for pair, there in tastes.items() for q in questions(there, config, pair)]
    return asked + [b for pair, there in tastes.items() for b in bounds(there, config, pair)]


def declared_words(config: AnalysisConfig, pairs: int) -> list[str]:
    """What a study file declares of so many pairs of conditions, in words; over all tastes a test is declared of any pair."""
    out = [f"all tastes together ({direction(config)})"] if pairs else []
    out += [f"{h.taste} ({h.alternative})" for h in config.hypotheses if h.taste != "all"]
    out += [f"{b.taste} within ±{b.bound:g}" for b in config.equivalence]
    return out + ([f"each of them of {pairs} pairs of conditions"] if pairs > 1 else [])


def corrected_words(family: str, config: AnalysisConfig) -> str:
    """How the p-values of a family are corrected, and over what."""
    first = ", the one over all tastes first" if config.overall == "gate" else ""
    return f"{config.correction.capitalize()} over the {family}{first}"


def family(asked: list[Question | Bound], p: np.ndarray, config: AnalysisConfig) -> np.ndarray:
    """p of the declared tests, corrected as a family; nan for what is exploratory.

    Parameters
    ----------
    p : ndarray
        (questions, ...) uncorrected. A test that could not be made (nan) counts as one that was declared, with p = 1.
    """
    p = np.asarray(p, dtype=float)
    declared = np.array([q.role == DECLARED for q in asked], dtype=bool)
    first = np.array([q.taste == "all" and q.bound is None for q in asked], dtype=bool) & declared
    out = np.full(p.shape, np.nan)
    if config.overall == "member":
        out[declared] = _adjusted(p[declared], config.correction)
        return out
    rest = declared & ~first
    out[first] = _adjusted(p[first], config.correction)
    out[rest] = _adjusted(p[rest], config.correction)
    for k in np.flatnonzero(rest):
        for g in np.flatnonzero(first):
            if asked[g].pair == asked[k].pair:
                out[k] = np.where(np.isnan(p[k]), np.nan, np.maximum(out[k], np.nan_to_num(out[g], nan=1.0)))
    return out


def _adjusted(p: np.ndarray, method: str) -> np.ndarray:
    """Corrected over all that were declared: also over those that could not be made, which the data decided."""
    if not len(p):
        return p
    return np.where(np.isnan(p), np.nan, adjust(np.nan_to_num(p, nan=1.0), method))


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
