"""The `[experiment]` table of a study file."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Language = str


class Adjective(BaseModel):
    """One item of the semantic differential: its name in the data and its word per language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[a-z][a-z_]*$")
    words: dict[Language, str]


class PreferenceConfig(BaseModel):
    """Task 1: two clips of one taste, one from each model; which fits the taste better.

    The answer is a slider from `low` (the first clip) to `high` (the second), without a marker until it is touched.
    `replicate` gives the paper's design: tastes drawn at random, a clip may be heard again.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(default=5, ge=1, le=100)
    low: int = 0
    high: int = 10
    replicate: bool = False


class RatingsConfig(BaseModel):
    """Task 2: one clip, every adjective rated from `low` to `high`; `labels` word the steps per language."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: int = Field(default=3, ge=1, le=100)
    low: int = 1
    high: int = 5
    labels: dict[Language, list[str]]
    adjectives: list[Adjective] = Field(min_length=1)
    models: list[Literal["base", "finetuned", "given"]] = ["finetuned"]

    @model_validator(mode="after")
    def _labels_fit(self) -> RatingsConfig:
        steps = self.high - self.low + 1
        for language, words in self.labels.items():
            if len(words) not in (2, steps):
                raise ValueError(
                    f"labels.{language} has {len(words)} words; the scale needs {steps}, or 2 for its ends"
                )
        return self


class ImportConfig(BaseModel):
    """How a wide survey CSV is read: `items` names the adjectives that the column suffixes _1, _2 ... stand for."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: list[str] = Field(min_length=1)


class ExperimentConfig(BaseModel):
    """Sessions of a study.

    Attributes
    ----------
    taste_words : dict
        How each taste is shown to people, per language.
    replays : int
        How often a clip may be heard again.
    resume_hours : float
        How long after its last answer an interrupted session may go on; later its place in the design is given away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: list[Language] = Field(default=["en"], min_length=1)
    preference: PreferenceConfig | None = None
    ratings: RatingsConfig | None = None
    taste_words: dict[Language, dict[str, str]] = {}
    replays: int = Field(default=2, ge=0)
    minimum_age: int = Field(default=18, ge=0)
    resume_hours: float = Field(default=24.0, gt=0, le=24 * 366)
    sound_check: bool = True
    psytoolkit: ImportConfig | None = None
    seed: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _something_to_do(self) -> ExperimentConfig:
        if self.preference is None and self.ratings is None:
            raise ValueError("a session needs [experiment.preference] or [experiment.ratings]")
        for language in self.languages:
            if self.ratings:
                if language not in self.ratings.labels:
                    raise ValueError(f"ratings.labels has no words in {language!r}")
                for adjective in self.ratings.adjectives:
                    if language not in adjective.words:
                        raise ValueError(f"adjective {adjective.name!r} has no word in {language!r}")
        return self
