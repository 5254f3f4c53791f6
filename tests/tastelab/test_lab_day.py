"""The day of docs/lab-day.md, run again with three booths on one database: it ends as the page says."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.labday import PEOPLE, outcomes, run
from tests.conftest import ROOT
from tests.postgres import Postgres

COMPLETE = {"P001", "P003", "P004", "P007", "P008", "P010", "P011", "P012"}


@pytest.mark.slow
def test_a_day_with_three_booths_goes_as_the_guides_say(
    postgres: Postgres, stimuli_folder: Path, tmp_path: Path
) -> None:
    day = run(tmp_path / "lab", postgres.database("lab_day"), stimuli_folder, report=False)
    found = outcomes(day.url)
    assert {code for code, status in found.items() if status == "complete"} == COMPLETE
    others = sorted(status for code, status in found.items() if code not in COMPLETE)
    assert others == ["refused", "too_young", "withdrawn"]
    assert set(found) & set(PEOPLE) == COMPLETE  # nobody else's code is there, nor those of pilots
    files = [p for p in day.folder.rglob("*") if p.is_file()]
    assert [p for p in files if b"P002" in p.read_bytes()] == []
    # Of whoever did not agree the contact is left, which only its keeper may delete.
    assert [p.name for p in files if b"P005" in p.read_bytes()] == ["participants.key"]
    said = "\n".join(day.lines)
    for words in (
        "NOT WITHDRAWN YET: 1 of",
        "of a withdrawal: done: backups",
        "WITHDRAWN: every place on the list is done",
    ):
        assert words in said


def test_the_page_has_every_command_of_the_day() -> None:
    page = (ROOT / "docs" / "lab-day.md").read_text(encoding="utf-8")
    for words in (
        "booth1$ tastelab study check", "--pilot", "discard-pilots", "# the power goes", "--resume P004", "study amend",
        "withdraw P002", "NOT WITHDRAWN YET", "of a withdrawal: done", "WITHDRAWN: every place", "analysis report", "Amended on",
    ):  # fmt: skip
        assert words in page, words
    assert "/tmp" not in page
