"""What the figure of named tastes shows, read off it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.identification.confusion import NONE
from analysis.identification.figures import heat_maps
from tests.analysis.figure import kept


def test_a_panel_a_condition_a_row_a_taste_in_per_cent(tmp_path: Path) -> None:
    """Of 8 answers to sweet music 6 were sweet; of 5 to sour 1; what nobody was asked stays empty."""
    counts = {
        ("base", "sweet", "sweet"): 6, ("base", "sweet", "sour"): 1, ("base", "sweet", NONE): 1, ("base", "sour", "sweet"): 3,
        ("base", "sour", "sour"): 1, ("base", "sour", NONE): 1, ("tuned", "sweet", "sweet"): 2,
    }  # fmt: skip
    rows: list[dict[str, Any]] = [
        {"condition": c, "asked": a, "answered": b, "n": n} for (c, a, b), n in counts.items()
    ]
    with kept() as found:
        drawn = heat_maps(rows, 3, tmp_path, "people")
        base, tuned = found[0].axes
        for axis, name in ((base, "base"), (tuned, "tuned")):
            assert (axis.get_title(), axis.get_xlabel(), axis.get_ylabel()) == (name, "Named", "Music that stands for")
            assert [t.get_text() for t in axis.get_yticklabels()] == ["sweet", "sour"]
            assert [t.get_text() for t in axis.get_xticklabels()] == ["sweet", "sour", "none of them"]
        assert [t.get_text() for t in base.texts] == ["75", "12", "12", "60", "20", "20"]
        assert [t.get_text() for t in tuned.texts] == ["100", "0", "0"]
    assert drawn.name == "confusion"
    assert "15 answers of 3 people" in drawn.caption
