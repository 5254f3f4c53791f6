"""The `[experiment]` table of a study file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

Language = str
SEED = 2**63 - 1  # the largest that databases and generators keep
STEPS = 11  # more buttons than these stand too close to be told apart
DEMOGRAPHICS = (
    "sex",
    "age",
    "hearing_experience",
    "eating_experience",
    "ethnicity",
    "hearing_impairments",
    "taste_impairments",
    "device",
)
BLOCKS = ("demographics", "preference", "ratings", "affect")


def twice(names: Iterable[str]) -> str:
    """Names that stand in a list more than once, as words; empty where there are none."""
    return ", ".join(name for name, n in Counter(names).items() if n > 1)


def check_scale(low: int, high: int, most: int) -> None:
    """Refuse a scale that runs backwards, has one step, or more than `most`."""
    if low >= high:
        raise ValueError(f"low = {low} is not under high = {high}")
    if high - low + 1 > most:
        raise ValueError(f"{high - low + 1} steps from {low} to {high} are more than the {most} that a screen can show")


def check_labels(labels: dict[Language, list[str]], steps: int) -> None:
    """Refuse labels that are neither one a step nor two for the ends."""
    for language, words in labels.items():
        if len(words) not in (2, steps):
            raise ValueError(f"labels.{language} has {len(words)} words; the scale needs {steps}, or 2 for its ends")


class Adjective(BaseModel):
    """One item of the semantic differential: its name in the data and its word per language.

    `opposite` makes it bipolar (cold - warm): that word stands at the low end, `words` at the high end.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, pattern=r"^[a-z][a-z_]*$")
    words: dict[Language, str]
    opposite: dict[Language, str] | None = None


class PreferenceConfig(BaseModel):
    """Task 1: two clips of one taste, one from each model; which fits the taste better.

    The answer is a slider from `low` (the first clip) to `high` (the second), without a marker until it is touched.
    `replicate` gives the paper's design: tastes drawn at random, a clip may be heard again. Else each taste comes once a
    round, in the rows of a cyclic Latin square, or in an order drawn with the study's seed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    trials: int = Field(default=5, ge=1, le=100)
    low: int = 0
    high: int = 10
    replicate: bool = False
    order: Literal["latin", "random"] = "latin"

    @model_validator(mode="after")
    def _scale(self) -> PreferenceConfig:
        check_scale(self.low, self.high, 101)
        return self


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
    def _scale(self) -> RatingsConfig:
        check_scale(self.low, self.high, STEPS)
        check_labels(self.labels, self.high - self.low + 1)
        names = [a.name for a in self.adjectives]
        if twice(names):
            raise ValueError(f"adjectives are named twice: {twice(names)}")
        if "preference" in names:
            raise ValueError("an adjective can't be named 'preference'; that is the item of the other task")
        if not self.models or twice(self.models):
            raise ValueError("models names each model that is rated once")
        return self


class QuestionnaireItem(BaseModel):
    """One statement; `reverse` says that agreeing counts the other way."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")
    words: dict[Language, str]
    reverse: bool = False


class Questionnaire(BaseModel):
    """Statements rated on one scale after the demographics, e.g. the Gold-MSI (whose wording its authors license)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=20, pattern=r"^[a-z][a-z0-9_]*$")
    question: dict[Language, str]
    labels: dict[Language, list[str]]
    low: int = 1
    high: int = 7
    items: list[QuestionnaireItem] = Field(min_length=1)

    @model_validator(mode="after")
    def _scale(self) -> Questionnaire:
        check_scale(self.low, self.high, STEPS)
        check_labels(self.labels, self.high - self.low + 1)
        names = [i.name for i in self.items]
        if twice(names):
            raise ValueError(f"items are named twice: {twice(names)}")
        taken = sorted({*DEMOGRAPHICS, *BLOCKS} & set(names))
        if taken:
            raise ValueError(f"item {taken[0]!r} has the name of a question that every session asks; name it otherwise")
        return self


class LevelConfig(BaseModel):
    """How loud clips are played.

    Attributes
    ----------
    by : {"free", "station", "participant"}
        As the computer is set; by the station's calibration (a session is refused without a valid one); or adjusted by
        the participant on noise of the clips' loudness, within `softest`..0 dB, and stored.
    dba : float or None
        Level in dB(A) that noise of the clips' loudness is to have (station).
    days : int
        How long a calibration is valid.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    by: Literal["free", "station", "participant"] = "free"
    dba: float | None = Field(default=None, ge=40, le=85)
    days: int = Field(default=30, ge=1, le=3660)
    softest: int = Field(default=-24, ge=-60, le=-3)

    @model_validator(mode="after")
    def _target(self) -> LevelConfig:
        if self.by == "station" and self.dba is None:
            raise ValueError("by = 'station' needs dba, the level in dB(A) that stations are set to")
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
    headphones : {"off", "huggins", "antiphase", "both"}
        Headphone screening; where `headphones_required`, a session ends kindly when it is not passed.
    affect : list
        Asked after each rated clip on 1 to 9: valence, arousal, familiarity.
    texts : path or None
        Folder with TOML files of further languages (``ja.toml``), or of the study's own wording.
    font : str or None
        A font of this computer for languages that Noto Sans has no letters for.
    disk_gb : float
        Free space that `doctor` wants to see.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    languages: list[Language] = Field(default=["en"], min_length=1)
    preference: PreferenceConfig | None = None
    ratings: RatingsConfig | None = None
    taste_words: dict[Language, dict[str, str]] = {}
    replays: int = Field(default=2, ge=0)
    minimum_age: int = Field(default=18, ge=0, le=110)
    resume_hours: float = Field(default=24.0, gt=0, le=24 * 366)
    sound_check: bool = True
    psytoolkit: ImportConfig | None = None
    seed: int = Field(default=0, ge=0, le=SEED)
    level: LevelConfig = LevelConfig()
    headphones: Literal["off", "huggins", "antiphase", "both"] = "off"
    headphones_required: bool = False
    practice: bool = True
    pause: bool = True
    affect: list[Literal["valence", "arousal", "familiarity"]] = []
    questionnaires: list[Questionnaire] = []
    font: str | None = None
    texts: Path | None = None
    disk_gb: float = Field(default=2.0, ge=0)

    @model_validator(mode="after")
    def _something_to_do(self) -> ExperimentConfig:
        if self.preference is None and self.ratings is None:
            raise ValueError("a session needs [experiment.preference] or [experiment.ratings]")
        if twice(self.languages) or twice(self.affect):
            raise ValueError(f"named twice: {twice(self.languages) or twice(self.affect)}")
        if self.preference and self.preference.replicate and self.ratings and self.ratings.clips > 3:
            raise ValueError("replicate = true rates the clips after trials 1, 3 and 4: ratings.clips can be 3 at most")
        if self.psytoolkit is not None:
            known = {a.name for a in self.ratings.adjectives} if self.ratings else set()
            strange = [i for i in self.psytoolkit.items if i not in known]
            if strange or twice(self.psytoolkit.items):
                wrong = strange[0] if strange else twice(self.psytoolkit.items)
                raise ValueError(f"psytoolkit.items: {wrong!r} is not one of the adjectives, or stands there twice")
        for language in self.languages:
            if self.ratings:
                if language not in self.ratings.labels:
                    raise ValueError(f"ratings.labels has no words in {language!r}")
                for adjective in self.ratings.adjectives:
                    if language not in adjective.words or language not in (adjective.opposite or adjective.words):
                        raise ValueError(f"adjective {adjective.name!r} has no word in {language!r}")
            for asked in self.questionnaires:
                if language not in asked.question or language not in asked.labels:
                    raise ValueError(f"questionnaire {asked.name!r} has no question or labels in {language!r}")
                for item in asked.items:
                    if language not in item.words:
                        raise ValueError(f"item {item.name!r} of {asked.name!r} has no words in {language!r}")
        names = [q.name for q in self.questionnaires]
        if len(set(names)) < len(names) or set(names) & set(BLOCKS):
            raise ValueError("questionnaires need names of their own")
        return self
