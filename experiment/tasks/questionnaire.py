"""Statements about oneself on one scale, e.g. the Gold-MSI (whose wording its authors license)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from experiment.question import Question
from experiment.tasks.task import (
    DEMOGRAPHICS,
    RESERVED,
    STEPS,
    BlockName,
    ItemName,
    Language,
    Reader,
    Task,
    check_labels,
    check_scale,
    scale_question,
    twice,
)


class QuestionnaireItem(BaseModel):
    """One statement; `reverse` says that agreeing counts the other way.

    Attributes
    ----------
    name : str
        What stands in the data.
    words : dict
        The statement, per language.
    reverse : bool
        Whether agreeing counts the other way.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ItemName
    words: dict[Language, str]
    reverse: bool = False


class Questionnaire(BaseModel):
    """Statements rated on one scale, as version 0.1's `[[experiment.questionnaires]]` declares them.

    Attributes
    ----------
    name : str
        What its answers are called in the data.
    question : dict
        What stands over each statement, per language.
    labels : dict
        Per language: a word for each step, or two for the ends.
    low, high : int
        Ends of the scale; 11 steps at most.
    items : list of QuestionnaireItem
        The statements.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: BlockName
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
        taken = sorted({*DEMOGRAPHICS, *RESERVED, "preference", "ratings"} & set(names))
        if taken:
            raise ValueError(f"item {taken[0]!r} has the name of a question that every session asks; name it otherwise")
        return self


class QuestionnaireTask(Task, Questionnaire):
    """Statements rated on one scale; the task has to have a name."""

    kind: Literal["questionnaire"] = "questionnaire"
    name: BlockName

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """How far does a statement apply?"""
        statement = next(i for i in self.items if i.name == item)
        word, labels = statement.words[reader.language], self.labels[reader.language]
        return scale_question(item, self.question[reader.language], self.low, self.high, labels, word)

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """One a statement."""
        for statement in self.items:
            yield None, self.asks(statement.name, None, reader)

    def lacking(self, language: Language) -> str | None:
        """The question, labels, or a statement's words."""
        if language not in self.question or language not in self.labels:
            return f"questionnaire {self.name!r} has no question or labels in {language!r}"
        for item in self.items:
            if language not in item.words:
                return f"item {item.name!r} of {self.name!r} has no words in {language!r}"
        return None
