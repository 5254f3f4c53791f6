"""Which of two clips fits a taste better: a slider from the first clip heard to the second."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import ClassVar, Final, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from experiment.question import Question
from experiment.tasks.after import After
from experiment.tasks.task import ConditionName, Reader, Task, check_scale, twice
from models.conditions import each_once

ITEM: Final = "preference"
KIND: Final = "preference"


class PreferenceConfig(BaseModel):
    """Two clips of one taste, one from each of two conditions; which fits the taste better.

    The answer is a slider from `low` (the first clip) to `high` (the second), without a marker until it is touched.
    `replicate` gives the paper's design: tastes drawn at random, a clip may be heard again, the slider starts in the middle,
    adjectives stand on one page in the order of the study file. Else each taste comes once a round, every taste before every other
    equally often (``latin``), or in an order drawn with the study's seed.

    Attributes
    ----------
    trials : int
        Comparisons a person.
    low, high : int
        Ends of the slider.
    replicate : bool
        Whether it is the seed paper's own draw.
    order : {"latin", "random"}
        In which order tastes come.
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


class PreferenceTask(Task, PreferenceConfig):
    """Two clips of one taste, of two conditions: which fits the taste better? Answered on a slider.

    Attributes
    ----------
    pairs : list of (str, str)
        Conditions that are compared; an answer nearer the first named one's clip is a score over the middle. A pair that
        stands here twice is heard twice as often.
    match : {"number", "crossed"}
        Clip n with clip n; or with every other of its taste in turn, over people.
    repeats : int
        How many pairs are heard a second time, unannounced, for reliability.
    after : list of str
        What is asked about each of the two clips after the comparison.
    start : {"nowhere", "middle"}
        Where the slider's marker stands before it is touched.
    """

    heard: ClassVar[bool] = True
    tastes_named: ClassVar[bool] = True

    kind: Literal["preference"] = KIND
    pairs: list[tuple[ConditionName, ConditionName]] = Field(min_length=1)
    match: Literal["number", "crossed"] = "number"
    repeats: int = Field(default=0, ge=0, le=20)
    after: list[After] = Field(default=[])
    start: Literal["nowhere", "middle"] = "nowhere"

    @model_validator(mode="after")
    def _pairs(self) -> PreferenceTask:
        for first, second in self.pairs:
            if first == second:
                raise ValueError(f"pairs: {first!r} is compared with itself")
            if (second, first) in [tuple(p) for p in self.pairs]:
                raise ValueError(f"pairs: {first!r} with {second!r} stands there both ways round; name it one way")
        if self.replicate and (self.match != "number" or self.repeats or self.after):
            raise ValueError(
                "replicate = true is the paper's design: no crossed pairs, no repeats, nothing asked after a clip"
            )
        if twice(self.after):
            raise ValueError(f"named twice: {twice(self.after)}")
        if self.repeats > self.trials:
            raise ValueError(f"repeats = {self.repeats} are more than the {self.trials} trials")
        return self

    @property
    def middle(self) -> float:
        """The slider's middle: both fit alike."""
        return (self.low + self.high) / 2

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """Which piece fits the taste better?"""
        words = reader.words["preference"]
        text = words["question"].format(taste=reader.taste(str(taste)).upper())
        ends = (words["low"], words["high"])
        start = self.middle if self.replicate or self.start == "middle" else None
        return Question(item, "slider", text, low=self.low, high=self.high, labels=ends, start=start)

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """One a taste."""
        for taste in reader.tastes:
            yield taste, self.asks(ITEM, taste, reader)

    def practice(self, reader: Reader) -> Question:
        """A question about no taste of the study."""
        words = reader.words["preference"]
        text, ends = reader.words["practice"]["question"], (words["low"], words["high"])
        return Question("practice", "slider", text, low=self.low, high=self.high, labels=ends)

    def titles(self, reader: Reader) -> list[str]:
        """First piece, second piece."""
        return [reader.words["preference"]["listen_first"], reader.words["preference"]["listen_second"]]


def compared(tasks: Iterable[Task]) -> list[tuple[str, str]]:
    """The pairs of conditions of all comparisons, each once: that one first which a score over the middle speaks for."""
    return each_once(pair for task in tasks if isinstance(task, PreferenceTask) for pair in task.pairs)
