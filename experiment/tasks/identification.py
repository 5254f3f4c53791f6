"""Which taste a clip calls up: a choice among the study's tastes, and how sure one is."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar, Final, Literal

from pydantic import Field, model_validator

from experiment.question import Question
from experiment.tasks.after import After
from experiment.tasks.task import STEPS, ConditionName, Reader, Task, scale_question, twice

ITEM: Final = "identification"
KIND: Final = "identification"
CONFIDENCE = "confidence"
NONE = "none"


class IdentificationTask(Task):
    """One clip; its taste is chosen among the words in `taste_words`, in their order there.

    Attributes
    ----------
    clips : int
        Clips a person.
    conditions : list of str
        Whose clips are heard; empty: all conditions'.
    none : bool
        Whether ``none`` may be chosen.
    confidence : int
        On how many steps, from 1, one says how sure one is; 0: not asked. ``true`` is 5.
    after : list of str
        What is asked after each clip.
    repeats : int
        How many clips are heard a second time, unannounced, for reliability.
    """

    heard: ClassVar[bool] = True
    tastes_named: ClassVar[bool] = True

    kind: Literal["identification"] = KIND
    clips: int = Field(default=8, ge=1, le=100)
    conditions: list[ConditionName] = Field(default=[])
    none: bool = False
    confidence: bool | int = False
    after: list[After] = Field(default=[])
    repeats: int = Field(default=0, ge=0, le=20)

    @model_validator(mode="after")
    def _lists(self) -> IdentificationTask:
        if twice(self.conditions) or twice(self.after):
            raise ValueError(f"named twice: {twice(self.conditions) or twice(self.after)}")
        if self.confidence and not 2 <= self.steps <= STEPS:
            raise ValueError(f"confidence = {self.confidence}: it is true, or 2 to {STEPS} steps")
        if self.repeats > self.clips:
            raise ValueError(f"repeats = {self.repeats} are more than the {self.clips} clips")
        return self

    @property
    def steps(self) -> int:
        """Steps of confidence; 0 where it is not asked."""
        return 5 if self.confidence is True else int(self.confidence)

    @property
    def items(self) -> tuple[str, ...]:
        """What is asked of each clip."""
        return (ITEM, CONFIDENCE) if self.steps else (ITEM,)

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """Which taste does this music call up? How sure are you?"""
        words = reader.words["identification"]
        if item == CONFIDENCE:
            ends = (words["unsure"], words["sure"])
            return scale_question(item, words["confidence"], 1, self.steps, ends)
        options = dict(reader.tastes) | ({NONE: words["none"]} if self.none else {})
        return Question(item, "choice", words["question"], options=options)

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """The choice, and the confidence."""
        for item in self.items:
            yield None, self.asks(item, None, reader)

    def titles(self, reader: Reader) -> list[str]:
        """One clip."""
        return [reader.words["ratings"]["listen"]]
