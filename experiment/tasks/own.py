"""Questions of a study's own: one option, several options, a number, free text."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator

from experiment.question import JOINED, Question
from experiment.tasks.task import DEMOGRAPHICS, RESERVED, BlockName, ItemName, Language, Reader, Task, twice

ROOM = 80  # characters in which an answer's options are kept
OPTIONS = 14  # below each other that a screen has room for
LETTERS = 500  # of free text that a screen has room for
LARGEST = 9999  # number that can be typed
PEOPLE = {"participant", "status", "language", "group", "kind"}  # what else tables say of a person


class Option(BaseModel):
    """One of several answers: its name in the data and its words per language.

    Attributes
    ----------
    name : str
        What stands in the data.
    words : dict
        What people read, per language.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: BlockName
    words: dict[Language, str]


class Asked(BaseModel, ABC):
    """What each of a study's own questions has: its name in the data and its words per language.

    Attributes
    ----------
    name : str
        What stands in the data.
    question : dict
        What people read, per language.
    kind : str
        Which question it is.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: ItemName
    question: dict[Language, str]

    @abstractmethod
    def asks(self, language: Language) -> Question:
        """As it is shown."""

    def lacking(self, language: Language) -> str | None:
        """What it does not say in a language."""
        return None if language in self.question else f"question {self.name!r} has no words in {language!r}"


class Optioned(Asked):
    """A question with options.

    Attributes
    ----------
    options : list of Option
        The answers, in the order of the screen.
    """

    options: list[Option] = Field(min_length=2, max_length=OPTIONS)

    @model_validator(mode="after")
    def _options(self) -> Optioned:
        names = [o.name for o in self.options]
        if twice(names):
            raise ValueError(f"options of {self.name!r} are named twice: {twice(names)}")
        for language in self.question:
            words = [o.words.get(language, o.name) for o in self.options]
            if twice(words):
                raise ValueError(f"options of {self.name!r} read alike in {language!r}: {twice(words)}")
        return self

    def worded(self, language: Language) -> dict[str, str]:
        """The options as they are shown."""
        return {o.name: o.words[language] for o in self.options}

    def lacking(self, language: Language) -> str | None:
        """The question, or an option's words."""
        without = next((o.name for o in self.options if language not in o.words), None)
        own = super().lacking(language)
        return own if own or without is None else f"option {without!r} of {self.name!r} has no words in {language!r}"


class Choice(Optioned):
    """One of the options."""

    kind: Literal["choice"] = "choice"

    def asks(self, language: Language) -> Question:
        """As it is shown."""
        return Question(self.name, "choice", self.question[language], options=self.worded(language))


class Multiple(Optioned):
    """From `least` to `most` of the options (None: all); `alone` is one that excludes all others, e.g. "none of these".

    Attributes
    ----------
    least, most : int
        How many are chosen; without `most`, as many as there are.
    alone : str or None
        An option that excludes all others.
    """

    kind: Literal["multiple"] = "multiple"
    least: int = Field(default=1, ge=0)
    most: int | None = Field(default=None, ge=1)
    alone: str | None = None

    @model_validator(mode="after")
    def _counts(self) -> Multiple:
        names = [o.name for o in self.options]
        if self.alone is not None and self.alone not in names:
            raise ValueError(f"alone = {self.alone!r} is none of the options of {self.name!r}: {', '.join(names)}")
        beside = len(names) - (self.alone is not None)
        if self.least > self.highest or self.highest > beside:
            raise ValueError(
                f"{self.name!r}: {self.least} to {self.highest} options can't be chosen of {beside} that go together"
            )
        long = len(JOINED.join(names))
        if long > ROOM:
            raise ValueError(f"the names of the options of {self.name!r} have {long} characters; {ROOM} are kept")
        return self

    @property
    def highest(self) -> int:
        """How many options may be chosen."""
        return self.most or len(self.options) - (self.alone is not None)

    def asks(self, language: Language) -> Question:
        """As it is shown."""
        worded = self.worded(language)
        return Question(
            self.name, "multiple", self.question[language], worded, self.least, self.highest, alone=self.alone or ""
        )


class Number(Asked):
    """A whole number from `low` to `high`.

    Attributes
    ----------
    low, high : int
        Ends of what may be typed.
    """

    kind: Literal["number"] = "number"
    low: int = Field(default=0, ge=0)
    high: int = Field(default=100, le=LARGEST)

    @model_validator(mode="after")
    def _ends(self) -> Number:
        if self.low >= self.high:
            raise ValueError(f"{self.name!r}: low = {self.low} is not under high = {self.high}")
        return self

    def asks(self, language: Language) -> Question:
        """As it is shown."""
        return Question(self.name, "number", self.question[language], low=self.low, high=self.high)


class Free(Asked):
    """Words of one's own, `most` characters; they may be left out unless they are `required`.

    Attributes
    ----------
    most : int
        Characters.
    required : bool
        Whether it may not be left empty.
    """

    kind: Literal["text"] = "text"
    most: int = Field(default=200, ge=1, le=LETTERS)
    required: bool = False

    def asks(self, language: Language) -> Question:
        """As it is shown."""
        return Question(self.name, "text", self.question[language], low=int(self.required), high=self.most)


Item = Annotated[Choice | Multiple | Number | Free, Field(discriminator="kind")]


class QuestionsTask(Task):
    """Questions one after the other, of everyone; the task has to have a name.

    Options, numbers and names of questions are part of the data, as those that every session asks (`DEMOGRAPHICS`) are; free
    text is kept apart from it and leaves the database only where that is asked for.

    Attributes
    ----------
    items : list
        The questions.
    """

    kind: Literal["questions"] = "questions"
    name: BlockName
    items: list[Item] = Field(min_length=1)

    @model_validator(mode="after")
    def _names(self) -> QuestionsTask:
        names = [i.name for i in self.items]
        if twice(names):
            raise ValueError(f"questions are named twice: {twice(names)}")
        taken = sorted({*DEMOGRAPHICS, *RESERVED, *PEOPLE, "preference", "ratings"} & set(names))
        if taken:
            raise ValueError(f"question {taken[0]!r} has a name that tables use otherwise; name it otherwise")
        return self

    def asks(self, item: str, taste: str | None, reader: Reader) -> Question:
        """One of them."""
        return next(i for i in self.items if i.name == item).asks(reader.language)

    def questions(self, reader: Reader) -> Iterator[tuple[str | None, Question]]:
        """All of them."""
        for item in self.items:
            yield None, item.asks(reader.language)

    def lacking(self, language: Language) -> str | None:
        """Words of a question, or of an option."""
        return next((found for i in self.items if (found := i.lacking(language))), None)
