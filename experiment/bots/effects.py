"""Declared effects of simulated participants."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from experiment.errors import ExperimentError

DEFAULT = Path(__file__).parent / "effects" / "multimodal-symphony.toml"


class PreferenceEffects(BaseModel):
    """Mean score of the fine-tuned model per taste, and standard deviations, all on the slider's scale."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: dict[str, float] = {}
    participant_sd: float = Field(ge=0)
    clip_sd: float = Field(ge=0)
    residual_sd: float = Field(gt=0)
    careless: float = Field(default=0.0, ge=0, le=1)


class Correlation(BaseModel):
    """Correlation matrix of the items."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: list[str]
    matrix: list[list[float]]


class RatingEffects(BaseModel):
    """Mean rating per taste of the clip and item; items without one get 2, the clip's own taste 3."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    mean: dict[str, dict[str, float]] = {}
    participant_sd: float = Field(ge=0)
    clip_sd: float = Field(ge=0)
    spread: float = Field(gt=0)
    correlation: Correlation | None = None


class Effects(BaseModel):
    """Everything a simulated participant is told."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    preference: PreferenceEffects
    ratings: RatingEffects

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
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ExperimentError(f"effects file {path}: {str(error).splitlines()[0]}") from None
