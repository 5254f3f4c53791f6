"""How much is recognised in one clip: every adjective rated on steps."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from experiment.question import Question
from experiment.tasks.after import After
from experiment.tasks.preference import ITEM as COMPARED
from experiment.tasks.task import (
    STEPS,
    ConditionName,
    Language,
    Reader,
    Task,
    check_labels,
    check_scale,
    scale_question,
    twice,
)
from models.conditions import EARLIER_COMPARED, EarlierName

FORM = 14  # adjectives below each other that a screen has room for


class Adjective(BaseModel):
    """One item of the semantic differential: its name in the data and its word per language.

    `opposite` makes it bipolar (cold - warm): that word stands at the low end, `words` at the high end.

    Attributes
    ----------
    name : str
        What stands in the data: small letters and ``_``.
    words : dict
        What people read, per language.
    opposite : dict or None
        What stands at the low end, per language.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z_]*$")  # as `ItemName`, without digits
    words: dict[Language, str]
    opposite: dict[Language, str] | None = None


class Scales(BaseModel):
    """What is rated of a clip: each adjective from `low` to `high`; `labels` word the steps per language.

    Attributes
    ----------
    clips : int
        Clips a person.
    low, high : int
        Ends of the scale; 11 steps at most.
    labels : dict
        Per language: a word for each step, or two for the ends.
    adjectives : list of Adjective
        What is rated.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    clips: int = Field(default=3, ge=1, le=100)
    low: int = 1
    high: int = 5
    labels: dict[Language, list[str]]
    adjectives: list[Adjective] = Field(min_length=1)

    @model_validator(mode="after")
    def _scale(self) -> Scales:
        check_scale(self.low, self.high, STEPS)
        check_labels(self.labels, self.high - self.low + 1)
        names = [a.name for a in self.adjectives]
        if twice(names):
            raise ValueError(f"adjectives are named twice: {twice(names)}")
        if COMPARED in names:
            raise ValueError(f"an adjective can't be named {COMPARED!r}; that is the item of the other task")
        return self


class RatingsConfig(Scales):
    """The task as version 0.1's `[experiment.ratings]` declares it.

    Attributes
    ----------
    models : list of str
        Whose clips are rated.
    """

    models: list[EarlierName] = [EARLIER_COMPARED]

    @model_validator(mode="after")
    def _models(self) -> RatingsConfig:
        if not self.models or twice(self.models):
            raise ValueError("models names each model that is rated once")
        return self


class RatingsTask(Task, Scales):
    """One clip, and how much of each adjective is in it, on steps.

    Attributes
    ----------
    conditions : list of str
        Whose clips are rated; empty: all conditions'.
    after : list of str
        What is asked after each clip.
    shuffled : bool
        Whether the adjectives come in another order with each clip.
    one_page : bool
        Whether all adjectives of a clip stand below each other on one screen, instead of one a screen.
    repeats : int
        How many clips are heard a second time, unannounced, for reliability.
    """

    heard: ClassVar[bool] = True

    kind: Literal["ratings"] = "ratings"
    conditions: list[ConditionName] = Field(default=[])
    after: list[After] = Field(default=[])
    shuffled: bool = True
    one_page: bool = False
    repeats: int = Field(default=0, ge=0, le=20)

    @model_validator(mode="after")
    def _lists(self) -> RatingsTask:
        if twice(self.conditions) or twice(self.after):
            raise ValueError(f"named twice: {twice(self.conditions) or twice(self.after)}")
        if self.repeats > self.clips:
            raise ValueError(f"repeats = {self.repeats} are more than the {self.clips} clips")
        return self

    @property
    def items(self) -> tuple[str, ...]:
        """Names of the adjectives, in the file's order."""
        return tuple(a.name for a in self.adjectives)

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """How much is this recognised in the music?"""
        adjective = next(a for a in self.adjectives if a.name == item)
        word, words = adjective.words[reader.language], reader.words["ratings"]
        if adjective.opposite is not None:
            ends = (adjective.opposite[reader.language], word)
            return scale_question(item, words["question_bipolar"], self.low, self.high, ends)
        text = words.get("question_all", words["question"]) if self.one_page else words["question"]
        return scale_question(item, text, self.low, self.high, self.labels[reader.language], word)

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """One an adjective."""
        for item in self.items:
            yield None, self.asks(item, None, reader)

    def together(self, items: Sequence[str]) -> list[str]:
        """Those of some items, from the first on, that stand on one screen: they are asked alike, and there is room for them.

        More than there is room for are spread evenly over screens.
        """
        if not self.one_page:
            return list(items[:1])
        poles = {a.name: a.opposite is not None for a in self.adjectives}
        alike = next((i for i, item in enumerate(items) if poles[item] != poles[items[0]]), len(items))
        screens = -(-alike // FORM)
        return list(items[: -(-alike // screens)])

    def titles(self, reader: Reader) -> list[str]:
        """One clip."""
        return [reader.words["ratings"]["listen"]]

    def lacking(self, language: Language) -> str | None:
        """Labels, or an adjective's word."""
        if language not in self.labels:
            return f"{self.block}.labels has no words in {language!r}"
        for adjective in self.adjectives:
            if language not in adjective.words or language not in (adjective.opposite or adjective.words):
                return f"adjective {adjective.name!r} has no word in {language!r}"
        return None
