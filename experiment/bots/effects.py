"""Declared effects of simulated participants."""

from __future__ import annotations

import hashlib
import tomllib
from collections.abc import Collection, Iterable, Sequence
from pathlib import Path
from typing import Annotated, Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from experiment.errors import ExperimentError
from experiment.finite import endless
from experiment.tasks.identification import IdentificationTask
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import Task
from models.conditions import EARLIER_COMPARED

DEFAULT = Path(__file__).parent / "effects" / "multimodal-symphony.toml"


class Scale(BaseModel):
    """The ends of the scale that numbers of an effects file are on: a study's own scale may have others."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    low: float
    high: float

    @model_validator(mode="after")
    def _runs_up(self) -> Scale:
        if self.low >= self.high:
            raise ValueError(f"low = {self.low:g} is not under high = {self.high:g}")
        return self

    @property
    def middle(self) -> float:
        """Neither end."""
        return (self.low + self.high) / 2

    def points(self, low: float, high: float) -> float:
        """Points of a study's scale from `low` to `high` that one point of this one makes."""
        return (high - low) / (self.high - self.low)


class PreferenceEffects(Scale):
    """How much better the music of conditions fits, by taste, and what else moves answers; in points from `low` to `high`.

    Attributes
    ----------
    low, high : float
        Ends of the scale that all numbers here are on; 0 and 1 for shares of the slider.
    mean : dict
        Condition -> taste -> mean score against a condition that has no effect. What is not declared is in the middle. Files
        of version 0.1 have taste -> mean score alone, of its fine-tuned condition.
    participant_sd, taste_sd : float
        Of people: their leaning to one of two conditions, over all tastes, and by taste (random slopes).
    clip_sd, pair_sd : float
        Of the clip that a high score speaks for, whatever it is compared with; and of two clips together.
    ends : float
        Share of answers that are pushed to the end of the slider on whose side they are.
    careless : float
        Share of people who answer at random.
    """

    low: float = 0.0
    high: float = 10.0
    mean: dict[str, dict[str, float]] = {}
    participant_sd: float = Field(ge=0)
    taste_sd: float = Field(default=0.0, ge=0)
    clip_sd: float = Field(ge=0)
    pair_sd: float = Field(default=0.0, ge=0)
    residual_sd: float = Field(gt=0)
    ends: float = Field(default=0.0, ge=0, le=1)
    careless: float = Field(default=0.0, ge=0, le=1)

    @field_validator("mean", mode="before")
    @classmethod
    def _by_condition(cls, mean: Any) -> Any:
        if isinstance(mean, dict) and mean and not any(isinstance(v, dict) for v in mean.values()):
            return {EARLIER_COMPARED: mean}
        return mean

    def score(self, taste: str, over: str, under: str, low: float, high: float) -> float:
        """Mean score of `over` against `under` on a slider from `low` to `high`."""
        lead = self.mean.get(over, {}).get(taste, self.middle) - self.mean.get(under, {}).get(taste, self.middle)
        return (low + high) / 2 + lead * self.points(low, high)


class Correlation(BaseModel):
    """Correlation matrix of the items."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: list[str]
    matrix: list[list[float]]


class RatingEffects(Scale):
    """Mean rating per taste of the clip and item, on a scale from `low` to `high`.

    Attributes
    ----------
    mean : dict
        Taste -> item -> mean, of every condition's clips. Items without one are a quarter of the scale up, the clip's own
        taste half of it.
    conditions : dict
        Condition -> taste -> item -> mean, where a condition differs from that.
    """

    low: float = 1.0
    high: float = 5.0
    mean: dict[str, dict[str, float]] = {}
    conditions: dict[str, dict[str, dict[str, float]]] = {}
    participant_sd: float = Field(ge=0)
    clip_sd: float = Field(ge=0)
    spread: float = Field(gt=0)
    correlation: Correlation | None = None

    def declared(self, condition: str, taste: str, item: str) -> float | None:
        """The mean that is declared, on this file's scale; None where none is."""
        return self.conditions.get(condition, {}).get(taste, {}).get(item, self.mean.get(taste, {}).get(item))

    def raised(self, condition: str, taste: str, items: Collection[str]) -> bool:
        """Whether a clip's own taste is asked about and, nothing being declared of it, rated higher than what it is not."""
        return taste in items and self.declared(condition, taste, taste) is None

    def rating(self, condition: str, taste: str, item: str, low: float, high: float) -> float:
        """Mean rating of a clip on a scale from `low` to `high`."""
        told = self.declared(condition, taste, item)
        if told is None:
            told = self.low + (0.5 if item == taste else 0.25) * (self.high - self.low)
        return told if (low, high) == (self.low, self.high) else low + (told - self.low) * self.points(low, high)


Share = Annotated[float, Field(ge=0, le=1)]


class IdentificationEffects(BaseModel):
    """How often a clip's own taste is named.

    Attributes
    ----------
    hits : dict
        Condition -> taste -> share of answers that name the taste which the clip stands for; the others are spread evenly.
        What is not declared is named by chance.
    participant_sd, clip_sd : float
        Of people and of clips, in log odds of a hit.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    hits: dict[str, dict[str, Share]] = {}
    participant_sd: float = Field(default=0.0, ge=0)
    clip_sd: float = Field(default=0.0, ge=0)

    def share(self, condition: str, taste: str) -> float | None:
        """The declared share of hits; None where none is declared."""
        return self.hits.get(condition, {}).get(taste)


class Effects(BaseModel):
    """Everything a simulated participant is told; `file` is what the file is called that says it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    file: str = Field(default="", exclude=True)
    preference: PreferenceEffects
    ratings: RatingEffects
    identification: IdentificationEffects = IdentificationEffects()

    @property
    def sha256(self) -> str:
        """Of what is declared, wherever its file lies."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @property
    def shown(self) -> str:
        """Name and file, for a sentence."""
        return f"'{self.name}'" + (f" ({self.file})" if self.file else "")

    def neutral(self, tasks: Iterable[Task], conditions: Sequence[str]) -> dict[str, list[str]]:
        """Conditions that a task has and of which nothing is declared for it, by the task's name.

        Where they are compared they fit alike, a taste is named by chance, and they are rated as every condition is that has
        no ratings of its own: all alike, but for tastes whose word is asked about (`raised`).
        """
        found: dict[str, list[str]] = {}
        for task in tasks:
            if isinstance(task, PreferenceTask):
                asked, told = {name for pair in task.pairs for name in pair}, set(self.preference.mean)
            elif isinstance(task, RatingsTask):
                asked = set(task.conditions or conditions)
                told = asked if self.ratings.mean else set(self.ratings.conditions)
            elif isinstance(task, IdentificationTask):
                asked, told = set(task.conditions or conditions), set(self.identification.hits)
            else:
                continue
            found[task.block] = [c for c in conditions if c in asked - told]
        return {block: names for block, names in found.items() if names}

    def raised(self, tasks: Iterable[Task], conditions: Sequence[str], tastes: Sequence[str]) -> dict[str, list[str]]:
        """Tastes that a task asks ratings of and of whose ratings nothing is declared, by the task's name: their own clips stand out."""
        found: dict[str, list[str]] = {}
        for task in tasks:
            if isinstance(task, RatingsTask):
                items = [a.name for a in task.adjectives]
                heard = task.conditions or conditions
                found[task.block] = [t for t in tastes if any(self.ratings.raised(c, t, items) for c in heard)]
        return {block: names for block, names in found.items() if names}

    def strange(self, conditions: Iterable[str]) -> list[str]:
        """Conditions that effects are declared for and that a study does not have."""
        declared = [*self.preference.mean, *self.ratings.conditions, *self.identification.hits]
        return list(dict.fromkeys(c for c in declared if c not in set(conditions)))

    def covariance_root(self, items: list[str]) -> np.ndarray:
        """Return L with L @ L.T the declared correlation of `items` (identity where none is declared)."""
        matrix = np.eye(len(items))
        declared = self.ratings.correlation
        if declared is not None:
            place = {name: i for i, name in enumerate(declared.items)}
            known = [(i, place[name]) for i, name in enumerate(items) if name in place]
            for i, a in known:
                for j, b in known:
                    matrix[i, j] = declared.matrix[a][b]
        values, vectors = np.linalg.eigh(matrix)
        return np.asarray(vectors * np.sqrt(np.clip(values, 0, None)))


def load_effects(path: Path | None = None) -> Effects:
    """Read an effects file; the default has the seed paper's directions."""
    path = path or DEFAULT
    try:
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8-sig"))
        # Words such as "inf" are read as numbers, too.
        strange = endless(raw) or endless((found := Effects.model_validate(raw)).model_dump())
        if strange is not None:
            raise ExperimentError(f"effects file {path}: {strange[0]} = {strange[1]} is no finite number")
        return found.model_copy(update={"file": path.name})
    except FileNotFoundError:
        raise ExperimentError(f"effects file {path} does not exist") from None
    except UnicodeDecodeError as error:
        raise ExperimentError(f"effects file {path} is no UTF-8: {error}") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ExperimentError(f"effects file {path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"effects file {path}: {str(error).splitlines()[0]}") from None
