"""The figures that README has of the follow-up study, off tables written by hand."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.followup import told


@pytest.mark.parametrize(
    ("p", "below"), [(0.0001, "< .001"), (0.001, "< .01"), (0.049, "< .05"), (0.05, "not below .05")]
)
def test_figures_of_the_tables(p: float, below: str) -> None:
    tables: dict[str, list[dict[str, Any]]] = {
        "tests": [{"test": "mantel", "n": 9, "p": 0.9}, {"test": "permutation", "n": 4, "p": p}],
        "correlations": [{"r": 0.7}, {"r": -0.2}, {"r": 0.9}],
        "vectors": [{"rank": 1}, {"rank": 3}, {"rank": 1}, {"rank": 2}],
    }
    assert told(tables) == {
        "tracks": 4,
        "nearer": {"p": p, "below": below},
        "word_by_word": {"least": -0.2, "most": 0.9},
        "nearest_to_their_own": 2,
    }
