"""A section as it is kept in a file: nothing of it is lost or exchanged, and it can be read in another place."""

import json
from pathlib import Path

import pytest

from analysis.page.page import Section, Table
from analysis.page.style import Drawn


def section(folder: Path) -> Section:
    return Section(
        "ratings",
        "What it calls up",
        ["one", "two"],
        [Drawn("heatmap", "A map", "Its caption", folder / "figures" / "heatmap.svg")],
        [
            Table(
                "means", "Means", [{"prompt": "sweet", "mean": 1 / 3, "n": 3, "p": None}], "A note", ["mean", "prompt"]
            ),
            Table("empty", "Nothing", []),
        ],
        "<p>as it is</p>",
        "tastelab analysis ratings",
    )


def test_what_is_written_says_each_thing_by_its_name(tmp_path: Path) -> None:
    """Older reports' sections are read by these names."""
    assert section(tmp_path).to_json(tmp_path) == {
        "name": "ratings",
        "title": "What it calls up",
        "text": ["one", "two"],
        "figures": [
            {"name": "heatmap", "title": "A map", "caption": "Its caption", "svg": "figures/heatmap.svg"},
        ],
        "tables": [
            {
                "name": "means", "title": "Means", "rows": [{"prompt": "sweet", "mean": 1 / 3, "n": 3, "p": None}],
                "note": "A note", "columns": ["mean", "prompt"],
            },
            {"name": "empty", "title": "Nothing", "rows": [], "note": "", "columns": None},
        ],
        "html": "<p>as it is</p>",
        "how": "tastelab analysis ratings",
    }  # fmt: skip


def test_it_comes_back_whole_and_in_the_folder_it_is_read_from(tmp_path: Path) -> None:
    here, there = tmp_path / "here", tmp_path / "there"
    text = json.dumps(section(here).to_json(here))
    assert Section.from_json(json.loads(text), here) == section(here)
    assert Section.from_json(json.loads(text), there) == section(there)


@pytest.mark.parametrize("name", ["Order and side", "Do groups of people differ", "Worth", "", "a b"])
def test_a_title_in_a_names_place_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="no name"):
        Table(name, "order", [])
    with pytest.raises(ValueError, match="no name"):
        Section(name, "order")
    assert Table("two_words-1", name, []).title == Section("two", name).title
