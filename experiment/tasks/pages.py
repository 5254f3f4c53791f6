"""A text to read: between two tasks (instructions, a break), or when all is answered."""

from __future__ import annotations

from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, model_validator

from experiment.tasks.task import BlockName, Language, Task


class PageTask(Task):
    """A title and a text per language; it has to have a name.

    Attributes
    ----------
    title, text : dict
        What people read, per language.
    """

    kind: Literal["page"] = "page"
    name: BlockName
    title: dict[Language, str]
    text: dict[Language, str]

    def lacking(self, language: Language) -> str | None:
        """Title or text."""
        if language not in self.title or language not in self.text:
            return f"page {self.name!r} has no title or text in {language!r}"
        return None


class Notice(BaseModel):
    """What is read when all is answered: a title and a text per language, in which ``{code}`` stands for the person's code.

    Attributes
    ----------
    title, text : dict
        What people read, per language.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: dict[Language, str]
    text: dict[Language, str]

    @model_validator(mode="after")
    def _filled(self) -> Notice:
        for language, words in self.text.items():
            try:
                there = {name for _, name, _, _ in Formatter().parse(words) if name is not None}
            except ValueError as error:
                raise ValueError(f"text.{language}: {error}") from None
            if there - {"code"}:
                raise ValueError(f"text.{language} may have {{code}}, and no other braces")
        return self

    def lacking(self, language: Language) -> bool:
        """Whether it can't be read in a language."""
        return language not in self.title or language not in self.text

    def read(self, language: Language, code: str) -> tuple[str, str]:
        """Title and text as they are shown."""
        return self.title[language], self.text[language].format(code=code)
