"""The `[analysis]` table of a study file."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


class Hypothesis(BaseModel):
    """A direction that is declared before the data for one taste: which condition of a pair fits it better.

    Attributes
    ----------
    taste : str
        A taste of the study, or ``all``. Where nothing is declared of ``all``, the test over all tastes has the direction that the
        declared tastes share, and is two-sided where they share none or none is declared.
    favours : str or None
        The condition that is expected to fit better, or ``either``: another way to say `alternative`, by name.
    alternative : {"greater", "less", "two-sided"}
        Whether the first condition of a pair is expected to fit better, worse, or either.
    task : str or None
        What it is declared of: ``preference``, all comparisons of the study; where there is one task of them, its name too.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    taste: str
    favours: str | None = Field(default=None, exclude=True)  # what it comes to is kept as `alternative`
    alternative: Literal["greater", "less", "two-sided"] = "greater"
    task: str | None = Field(default=None, exclude=True)

    @model_validator(mode="after")
    def _said_once(self) -> Hypothesis:
        if self.favours is not None and "alternative" in self.model_fields_set:
            raise ValueError("favours and alternative say the same thing; one of them is enough")
        return self


class Equivalence(BaseModel):
    """A pre-declared equivalence test: the mean score of a taste (or of "all") lies within `bound` points of the middle.

    `reason` says why a difference under the bound would not matter; it is printed beside the result.

    Attributes
    ----------
    taste : str
        A taste of the study, or ``all``.
    bound : float
        In points of the slider; under half of it.
    reason : str
        Why a smaller difference would not matter.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    taste: str
    bound: float = Field(gt=0)
    reason: str = ""


class Exclude(BaseModel):
    """Who is left out, declared before the data; a rule that is not named leaves nobody out.

    Attributes
    ----------
    incomplete : bool
        Sessions that were not finished.
    long_string : float or None
        Longest run of one answer, share of the ratings, from which on a participant is left out.
    spread : float or None
        Standard deviation of the ratings (scale steps) under which a participant is left out.
    distance_p : float or None
        p of Mahalanobis' distance under which a participant is left out.
    seconds : float or None
        Median time of an answer under which a participant is left out.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    incomplete: bool = False
    long_string: float | None = Field(default=None, gt=0, le=1)
    spread: float | None = Field(default=None, gt=0)
    distance_p: float | None = Field(default=None, gt=0, lt=1)
    seconds: float | None = Field(default=None, gt=0)

    def limits(self) -> dict[str, float | None]:
        """The limits by name."""
        return {k: getattr(self, k) for k in ("long_string", "spread", "distance_p", "seconds")}


def factors_carried(items: int) -> int:
    """How many factors so many items carry at most: more have no degrees of freedom left."""
    return max(1, (items - 1) // 2)


class AnalysisConfig(BaseModel):
    """How a study is analysed; everything here is declared before the data.

    Attributes
    ----------
    plan : {"robust", "paper"}
        Which tests of tasks 1 and 2 are the study's answer; the others stand beside them.
    factors : int or "parallel"
        Number of factors, or as many as parallel analysis keeps.
    correction : {"bonferroni", "holm"}
        How the p-values of the declared tests are corrected.
    overall : {"member", "gate"}
        The test over all tastes is one of the family, or comes first at the full level: the others then count only where it was
        passed.
    reference : str
        Reference set of the Fréchet Audio Distance: ``shipped`` or a directory of audio files.
    resamples : int
        Bootstrap resamples and permutations. Two are fewer, since each of theirs is a factor analysis anew: loadings have
        intervals of 200 resamples, and groups are compared by 99 permutations.
    exclude : Exclude
        Who is left out.
    targets : path or None
        What each track was made or chosen to call up: a file of target vectors (xlsx or csv, one row a track), named from where the
        study file lies. The report then says how near the ratings come to them.
    groups : list of str
        Answers about people between whose two largest groups the factors are compared: language, sex, age (at its
        median), or another demographic item.
    alpha : float
        Level of the declared tests, after correction.
    hypotheses : list of Hypothesis
        Directions that are declared.
    equivalence : list of Equivalence
        Equivalence tests that are declared.
    seed : int
        Of bootstraps, permutations and random tables.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    plan: Literal["paper", "robust"] = "robust"
    alpha: float = Field(default=0.05, gt=0, lt=1)
    correction: Literal["bonferroni", "holm"] = "bonferroni"
    overall: Literal["member", "gate"] = "member"
    hypotheses: list[Hypothesis] = []
    equivalence: list[Equivalence] = []
    factors: Annotated[int, Field(ge=1)] | Literal["parallel"] = "parallel"
    reference: str = "shipped"
    resamples: int = Field(default=2000, ge=100, le=1_000_000)
    seed: int = Field(default=0, ge=0, le=2**63 - 1)
    exclude: Exclude = Exclude()
    targets: Path | None = None
    groups: list[str] = ["language", "sex", "age"]

    @model_validator(mode="after")
    def _declared_once(self) -> AnalysisConfig:
        for name, declared in (("hypotheses", self.hypotheses), ("equivalence", self.equivalence)):
            again = [taste for taste, n in Counter(d.taste for d in declared).items() if n > 1]
            if again:
                raise ValueError(
                    f"{name}: {again[0]!r} is declared more than once; one direction, or one bound, a taste"
                )
        if len(set(self.groups)) < len(self.groups):
            raise ValueError("groups: a group is named twice")
        return self
