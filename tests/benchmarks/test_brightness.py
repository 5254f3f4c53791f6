"""What captions predict of brightness: from the other half of the clips alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from benchmarks.brightness import named, predicted


def row(register: str, **other: Any) -> dict[str, Any]:
    """A band of which only the register, or what is given, differs from the others."""
    band: dict[str, Any] = {
        "register": register, "articulation": "legato", "dynamics": "soft", "harmony": "consonant",
        "percussion": "", "instruments": ["piano", "organ", "tuba"],
    }  # fmt: skip
    return {"attributes": band | other}


def test_each_half_is_predicted_by_the_means_of_the_other() -> None:
    """Low clips of the first half have 1 and 3, high ones 10; of the second 5, and 20 and 30: means by hand."""
    rows = [row("low"), row("low"), row("high"), row("low"), row("high"), row("high")]
    said = predicted(named(rows), np.array([1.0, 3.0, 10.0, 5.0, 20.0, 30.0]))
    assert said == pytest.approx([5.0, 5.0, 25.0, 2.0, 10.0, 10.0])


@pytest.mark.parametrize(
    "other",
    [
        {"articulation": "staccato"}, {"dynamics": "loud"}, {"harmony": "dissonant"}, {"percussion": "drums"},
        {"instruments": ["violin", "organ", "tuba"]}, {"instruments": ["piano", "harp", "tuba"]},
        {"instruments": ["piano", "organ", "synth bass"]}, {"register": "high"},
    ],
)  # fmt: skip
def test_whatever_a_caption_names_is_told_apart(other: dict[str, Any]) -> None:
    """One entry goes and one comes for each thing that is named otherwise."""
    one, two = named([row("mid"), row("mid") | {"attributes": row("mid")["attributes"] | other}])
    assert sorted((two - one)[two != one]) == [-1.0, 1.0]
