"""People of a large study stand on several pages of the trace: each once, and every link leads to the right one."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from analysis.data.careless import without
from analysis.report import build as building
from analysis.report import tracepages
from tests.analysis.report.study import answers, inputs, sketched

PAGES = {"people": (1, 2, 4), "people-2": (5, 6, 7), "people-3": (3,)}  # 3 was left out: last


def made(folder: Path, patch: pytest.MonkeyPatch, each: int, people: int = 7) -> dict[str, str]:
    """Pages of a study of seven people, one of whom rules left out."""
    whole = answers(people=people)
    with sketched():
        patch.setattr(tracepages, "EACH", each)
        patch.setattr(building, "STEPS", tuple(s for s in building.STEPS if s[0] in ("people", "preference")))
        building.build(inputs(folder, data=without(whole, {3}), excluded={"straight": [3]}))
    return {p.stem: p.read_text(encoding="utf-8") for p in (folder / "trace").glob("*.html")}


def test_everybody_stands_once_and_links_lead_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pages = made(tmp_path, monkeypatch, each=3)
    there = {name: tuple(map(int, re.findall(r'<h2 id="person-(\d+)">', text))) for name, text in pages.items()}
    assert {name: people for name, people in there.items() if people} == PAGES
    linked = {
        (page, int(person)) for text in pages.values() for page, person in re.findall(r'href="([\w-]+)\.html#person-(\d+)"', text)
    }  # fmt: skip
    assert {page for page, _ in linked} == set(PAGES)
    assert all(person in PAGES[page] for page, person in linked)
    for name, text in pages.items():
        others = re.findall(r'<a href="(people[\d-]*)\.html">\d+ to \d+</a>', text)
        assert others == ([p for p in PAGES if p != name] if name in PAGES else [])


def test_what_stands_of_a_person_does_not_hang_on_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def of_people(pages: dict[str, str]) -> dict[int, str]:
        parts = [
            part
            for name in sorted(pages)
            if name.startswith("people")
            for part in re.split(r"(?=<h2 id=)", pages[name])[1:]
        ]
        return {
            int(re.findall(r"person-(\d+)", part)[0]): part.partition('<p class="note">')[0].strip() for part in parts
        }

    split = of_people(made(tmp_path / "split", monkeypatch, each=3))
    whole = of_people(made(tmp_path / "whole", monkeypatch, each=500))
    assert [*split] == [1, 2, 4, 5, 6, 7, 3]
    assert {p: re.sub(r"people(-\d)?\.html", "", t) for p, t in split.items()} == whole
    assert len(whole) == 7
    for person, text in whole.items():
        # Four pairs, two clips with three adjectives, four clips to be named; nothing of whom rules left out.
        assert text.count("<tr><td>") == (0 if person == 3 else 14), person
        assert "Went into: <a" in text


def test_pages_that_fewer_people_do_not_need_are_taken_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "people-3" in made(tmp_path, monkeypatch, each=3)
    assert {p for p in made(tmp_path, monkeypatch, each=3, people=3) if p.startswith("people")} == {"people"}
