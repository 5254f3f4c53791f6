"""What the pages quote is what was measured: a digit that is changed in the page or in a file is seen."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import quoted
from benchmarks.freshness import changed
from benchmarks.quoted import FOLDER, PAGE, SINCE, SUMS, filled, found, front, page, sums, told, written
from tests.conftest import ROOT


def test_the_page_is_what_the_measured_files_say() -> None:
    """A digit changed in the page or in a file, or code changed that a figure of the page is of: all three differ from the page."""
    text, now = PAGE.read_text(encoding="utf-8"), page()
    commits = [
        str(by["commit"]).partition(",")[0] for by in map(measured_by, FOLDER.glob("*.json")) if by.get("commit")
    ]
    if any(changed(c, ("benchmarks",)) is None for c in commits):
        # An unpacked archive, or a clone without history: which code changed can't be told there.
        text, now = text.replace(SINCE, ""), now.replace(SINCE, "")
    assert text == now, (
        "python -m benchmarks.quoted writes it anew; python -m benchmarks.evidence --old: what to measure"
    )


def test_no_digit_of_a_measured_file_was_changed() -> None:
    """Those that no page quotes, too."""
    assert (FOLDER / SUMS).read_text(encoding="utf-8") == sums(), "measured anew? python -m benchmarks.quoted"


def test_sums_are_those_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "b.json").write_text("abc")
    (tmp_path / "a.json").write_text("")
    (tmp_path / "c.txt").write_text("abc")
    empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    abc = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert sums(tmp_path) == f"{empty}  a.json\n{abc}  b.json\n"


def measured_by(path: Path) -> dict[str, object]:
    read = json.loads(path.read_text(encoding="utf-8"))
    return read.get("measured") or read if isinstance(read, dict) else {}


def test_code_that_changed_stands_beside_the_figure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "habit.json").write_text(
        json.dumps({"measured": {"commit": "5c225f23b4b3, changed", "date": "2026-11-26"}})
    )
    asked = []

    def differs(commit: str, paths: tuple[str, ...]) -> list[str]:
        asked.append((commit, "analysis/engines" in paths))
        return ["analysis/engines/mixed.py"]

    monkeypatch.setattr(quoted, "changed", differs)
    assert told("habit", tmp_path).endswith("(5c225f2, 2026-11-26, its code changed since)")
    assert asked == [("5c225f23b4b3", True)]
    monkeypatch.setattr(quoted, "changed", lambda *_: None)
    assert told("habit", tmp_path).endswith("(5c225f2, 2026-11-26)")


def test_a_place_is_a_number_of_a_file_with_its_interval(tmp_path: Path) -> None:
    told_by = {"a: b": {"share": 0.235, "ci_low": 0.18, "ci_high": 0.294}, "rows": [{"n": 1234, "low": 1, "high": 2}]}
    (tmp_path / "m.json").write_text(json.dumps(told_by))
    assert (
        filled("{m > a: b > share | %0 | ci} of {m > rows > 0 > n | ,d|ci}", tmp_path) == "24 [18, 29] of 1,234 [1, 2]"
    )
    assert filled("{m > a: b > share | .2f} and no place", tmp_path) == "0.23 and no place"
    assert found("m > rows > 0 > n", tmp_path) == 1234
    with pytest.raises(KeyError):
        filled("{m > a: c > share | .2f}", tmp_path)
    with pytest.raises(KeyError, match=r"gone\.json is not there"):
        filled("{gone > n | d}", tmp_path)


def test_figures_as_they_are_written() -> None:
    assert written(0.2349, "%1") == "23.5"
    assert written(-0.0014, ".3f") == "-0.001"
    assert written(2426.6, "+,.0f") == "+2,427"
    assert (written(0.786, ".2r"), written(-0.5, ".1r"), written(10.0, ".1r")) == (".79", "-.5", "10.0")
    assert (written([], "len"), written(["a", "b"], "len")) == ("0", "2")


def test_a_source_says_which_code_measured_it(tmp_path: Path) -> None:
    (tmp_path / "new.json").write_text(json.dumps({"measured": {"commit": "5c225f23b4b3", "date": "2026-11-26"}}))
    (tmp_path / "old.json").write_text("{}")
    assert told("new", tmp_path) == "[new.json](evidence/new.json) (5c225f2, 2026-11-26)"
    assert told("old", tmp_path) == "[old.json](evidence/old.json) (older code)"


def test_the_front_page_says_what_was_measured() -> None:
    """A digit changed in README, or in the file that it is of."""
    text = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())
    assert [says for says in front() if says not in text] == []


def test_the_front_page_follows_its_file(tmp_path: Path) -> None:
    (tmp_path / "claims.toml").write_text('front = ["of {f > n | d} people r = {f > r | .2r}"]')
    (tmp_path / "f.json").write_text('{"n": 12, "r": 0.256}')
    assert front(tmp_path) == ["of 12 people r = .26"]


def test_the_front_page_is_short_and_leads_everywhere() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    assert len(text.split()) < 900
    # Pages that the site alone has: what stands at the top of the repository, and what one comes to from a guide.
    site = {"api.md", "changes.md", "developer.md", "readme.md", "security.md", "way.md"}
    for guide in sorted((ROOT / "docs").glob("*.md")):
        assert f"docs/{guide.name}" in text or guide.name in site, guide.name
