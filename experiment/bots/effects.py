"""Declared effects of simulated participants."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from experiment.errors import ExperimentError
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

    def rating(self, condition: str, taste: str, item: str, low: float, high: float) -> float:
        """Mean rating of a clip on a scale from `low` to `high`."""
        told = self.conditions.get(condition, {}).get(taste, {}).get(item, self.mean.get(taste, {}).get(item))
        if told is None:
            told = self.low + (0.5 if item == taste else 0.25) * (self.high - self.low)
        return told if (low, high) == (self.low, self.high) else low + (told - self.low) * self.points(low, high)


class Effects(BaseModel):
    """Everything a simulated participant is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    preference: PreferenceEffects
    ratings: RatingEffects

    def neutral(self, conditions: Iterable[str]) -> list[str]:
        """Those of a study's conditions of which nothing is declared: compared with each other they fit alike."""
        return [c for c in conditions if c not in self.preference.mean and c not in self.ratings.conditions]

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
        raw: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
        return Effects.model_validate(raw)
    except FileNotFoundError:
        raise ExperimentError(f"effects file {path} does not exist") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise ExperimentError(f"effects file {path}: {where}: {first['msg'].removeprefix('Value error, ')}") from None
    except tomllib.TOMLDecodeError as error:
        raise ExperimentError(f"effects file {path}: {str(error).splitlines()[0]}") from None
