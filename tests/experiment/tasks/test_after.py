"""What is asked after a clip."""

from __future__ import annotations

import pytest

from experiment.tasks import after
from experiment.tasks.task import Reader
from experiment.texts import texts


def reader(language: str) -> Reader:
    return Reader(language, texts(language), {})


@pytest.mark.parametrize(
    ("item", "text", "low", "high"),
    [
        ("liking", "How much do you like this music?", "not at all", "very much"),
        ("quality", "How well is this music made?", "very badly", "very well"),
        ("valence", "How does the music feel?", "very unpleasant", "very pleasant"),
    ],
)
def test_after_a_clip_nine_steps_are_asked(item: str, text: str, low: str, high: str) -> None:
    asked = after.question(item, reader("en"))
    assert (asked.item, asked.kind, asked.text, asked.labels) == (item, "steps", text, (low, high))
    assert (asked.low, asked.high) == (1, 9)
    assert after.ITEMS == ("valence", "arousal", "familiarity", "liking", "quality")
