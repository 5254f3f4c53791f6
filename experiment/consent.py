"""What a study file says of consent beside its text: who answers for the data, who approved of the study, what becomes of it."""

from __future__ import annotations

from datetime import date
from typing import Literal

from pydantic import BaseModel, ConfigDict

Words = dict[str, str]  # by language
# What a person is to know, in this order, and how the empty ones are named.
FIELDS = {
    "controller": "who answers for the data (controller)",
    "approval": "the number of an ethics approval (approval)",
    "payment": "what people are paid, or that they are not (payment)",
    "open_data": "whether answers are published (open_data)",
    "music": 'whether people are told that machines made the music, or debriefed (music = "told" or "debriefed")',
    "beyond": "what of this lab's own a withdrawal can't reach (beyond)",
    "retention": "until when answers are kept (retention)",
}


class ConsentConfig(BaseModel):
    """Paragraphs under the text of the consent.

    Attributes
    ----------
    controller : str
        Who answers for the data, with an address.
    approval : str
        Number, or name, of an ethics approval.
    payment : dict
        What people are paid, or that they are not; per language.
    open_data : dict
        What becomes of answers; per language.
    beyond : dict
        What a withdrawal can't reach beside what the text says; per language.
    retention : date or None
        Until when answers are kept; people read it, and `status` and `doctor` say when it has passed.
    music : {"told", "debriefed"} or None
        Whether the consent says that a machine made the music, or the debrief does.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    controller: str = ""
    approval: str = ""
    payment: Words = {}
    open_data: Words = {}
    music: Literal["told", "debriefed"] | None = None
    beyond: Words = {}
    retention: date | None = None

    def empty(self, generated: bool = True) -> list[str]:
        """What is not said, in words; where no music is `generated` by the study's models, nobody is told that any was."""
        return [words for name, words in FIELDS.items() if not getattr(self, name) and (generated or name != "music")]

    def lacking(self, language: str) -> str | None:
        """The first of the fields with words that has none in a language."""
        said = {name: getattr(self, name) for name in ("payment", "open_data", "beyond")}
        return next((name for name, words in said.items() if words and not words.get(language, "").strip()), None)

    def needed(self) -> list[str]:
        """The texts that its fields stand in, or for."""
        there: dict[str, object] = {
            "controller": self.controller,
            "approval": self.approval,
            "music": self.music == "told",
        }
        there |= {"retention": self.retention}
        return [f"told.{name}" for name, said in there.items() if said]

    def over(self, today: date) -> str | None:
        """What is to be done where answers are kept no longer than till before today; None where they may be."""
        if self.retention is None or today <= self.retention:
            return None
        return (
            f"answers were to be kept until {self.retention.isoformat()}, as people were told, and that has passed: delete them and what "
            "was made of them (docs/data-protection.md)"
        )

    def paragraphs(self, language: str, told: Words) -> list[str]:
        """What stands under the text; `told` are the texts that frame it.

        Raises
        ------
        KeyError
            If one of these is lacking.
        """
        found = [self.payment.get(language, ""), self.open_data.get(language, ""), self.beyond.get(language, "")]
        if self.music == "told":
            found.insert(0, told["music"])
        if self.retention is not None:
            found.append(told["retention"].format(date=self.retention.isoformat()))
        if self.approval:
            found.append(told["approval"].format(approval=self.approval))
        if self.controller:
            found.append(told["controller"].format(controller=self.controller))
        return [x for x in found if x]
