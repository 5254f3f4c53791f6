"""What is asked after a clip on steps from 1 to 9: how it feels, how much it is liked, how well it is made."""

from __future__ import annotations

from typing import Literal, get_args

from experiment.question import Question
from experiment.tasks.task import Reader, scale_question

Felt = Literal["valence", "arousal", "familiarity"]
After = Literal[Felt, "liking", "quality"]
ITEMS: tuple[str, ...] = get_args(After)
LOW, HIGH = 1, 9


def question(item: str, reader: Reader, piece: str = "") -> Question:
    """Word one of them; `piece` says of which clip where two were heard."""
    asked = reader.words["affect"][item]
    return scale_question(item, asked["question"], LOW, HIGH, (asked["low"], asked["high"]), piece)
