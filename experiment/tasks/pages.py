"""A text to read between two tasks: instructions, a break."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from experiment.tasks.task import Language, Task


class PageTask(Task):
    """A title and a text per language; it has to have a name."""

    kind: Literal["page"] = "page"
    name: str = Field(min_length=1, max_length=20, pattern=r"^[a-z][a-z0-9_]*$")
    title: dict[Language, str]
    text: dict[Language, str]

    def lacking(self, language: Language) -> str | None:
        """Title or text."""
        if language not in self.title or language not in self.text:
            return f"page {self.name!r} has no title or text in {language!r}"
        return None
