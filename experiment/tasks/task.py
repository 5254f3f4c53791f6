"""What every task of a session is: a kind, a name (the block of its trials), its words, its questions.

A module beside this one is one kind of task: its settings, what it plans of a session, what it asks in words. `design` deals
the clips, `steps` and `items` ask the task, and nothing outside compares names of tasks.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field

from experiment.question import Question

Language = str
# As long as the database keeps them (`experiment.data.tables`).
ConditionName = Annotated[str, Field(min_length=1, max_length=20)]
BlockName = Annotated[str, Field(min_length=1, max_length=20, pattern=r"^[a-z][a-z0-9_]*$")]
ItemName = Annotated[str, Field(min_length=1, max_length=60, pattern=r"^[a-z][a-z0-9_]*$")]
STEPS = 11  # more buttons than these stand too close to be told apart
Personal = Literal[
    "sex",
    "age",
    "hearing_experience",
    "eating_experience",
    "ethnicity",
    "hearing_impairments",
    "taste_impairments",
    "device",
]
DEMOGRAPHICS: tuple[Personal, ...] = get_args(Personal)
AFTER = "affect"  # block of what is asked after a clip
ATTENTION = "attention_check"  # block of questions that have one right answer
RESERVED = ("demographics", AFTER, ATTENTION)


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


@dataclass(frozen=True)
class Clip:
    """A clip as the design sees it: database id, taste, condition, number within taste and condition."""

    id: int
    taste: str
    model: str
    number: int


@dataclass(frozen=True)
class PlannedTrial:
    """One trial: block, taste (asked about, or prompted), clips in the order heard, items to be answered.

    `repeated`: a clip or pair that this person has heard and answered before in the same task, for reliability.
    """

    block: str
    taste: str | None
    first: int | None
    second: int | None
    items: tuple[str, ...]
    repeated: bool = False


@dataclass(frozen=True)
class Reader:
    """Who reads a question: the language, all texts in it, and the study's words for its tastes."""

    language: Language
    words: dict[str, Any]
    tastes: dict[str, str] = field(default_factory=dict)

    def taste(self, name: str) -> str:
        """How a taste is shown."""
        return self.tastes.get(name, name)


class Task(BaseModel):
    """One part of a session. Subclasses declare `kind` as a literal.

    Attributes
    ----------
    kind : str
        Which task it is.
    name : str
        What its trials are called in the data; empty: as its kind. Small letters, digits and ``_``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)
    heard: ClassVar[bool] = False  # whether clips are heard in it, after an introduction
    tastes_named: ClassVar[bool] = False  # whether its questions name tastes

    kind: str
    name: str = Field(default="", max_length=20, pattern=r"^([a-z][a-z0-9_]*)?$")

    @property
    def block(self) -> str:
        """What the task's trials are called in the data."""
        return self.name or self.kind

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """Word the question of one item of a trial; a task that only shows something (a page) asks none."""
        raise LookupError(f"task {self.block} asks no {item}")

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """Every question that this task can ask, with the taste it is about: for whoever has to know them all."""
        yield from ()

    def titles(self, reader: Reader) -> list[str]:
        """What stands over each clip of a trial while it is heard."""
        return []

    def lacking(self, language: Language) -> str | None:
        """What the study file does not say in a language, as words; None where nothing is lacking."""
        return None


def scale_question(item: str, text: str, low: int, high: int, labels: Iterable[str], word: str = "") -> Question:
    """A question answered on steps."""
    return Question(item, "steps", text, low=low, high=high, labels=tuple(labels), word=word)
