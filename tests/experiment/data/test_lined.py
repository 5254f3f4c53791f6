"""Rows of a survey file are told by the line at which an editor shows them, and a quote that is not closed hides none of them."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest

from experiment.config import ExperimentConfig
from experiment.data.imports import import_psytoolkit, read_rows
from experiment.data.store import Store
from experiment.errors import ExperimentError
from tests.experiment.data.surveys import Seen
from tests.experiment.data.test_imports import db, study, write

__all__ = ["db"]  # a fixture


def lines_of(remarks: list[str]) -> list[str]:
    """The lines of a file of people who each said something at the end of their row, which is written as it stands here."""
    rows = [Seen(age=30 + k).row(f"s.{k}") for k in range(len(remarks))]
    head = ",".join([*rows[0], "remark"])
    return [head, *(",".join([*row.values(), remark]) for row, remark in zip(rows, remarks, strict=True))]


def test_a_row_is_told_by_its_line_in_the_file(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    """Empty lines before it count, and so do the lines of what others said over several."""
    head, first, second, third, fourth = lines_of(["", '"a\nb\nc"', "", '"d\ne"'])
    third, fourth = third.replace("s.2,24,", "s.2,-24,"), fourth.replace("s.3,24,", "s.3,-24,")
    text = "\n".join([head, first, "", second, "", third, fourth]) + "\n"
    path = tmp_path / "x.csv"
    path.write_text(text)
    _, study_id = study(db, config)
    report = import_psytoolkit(db, study_id, config, path)
    shown = text.split("\n")
    wanted = [next(i for i, line in enumerate(shown, 1) if line.startswith(f"s.{k},-24")) for k in (2, 3)]
    assert wanted == [8, 9]
    assert [line for line, _ in report.skipped] == wanted
    assert report.imported == 2


@pytest.mark.parametrize("apart", [",", ";", "\t"])
@pytest.mark.parametrize(
    ("remarks", "line"),
    [
        (["", '"good', "", ""], 3),  # it would take the rest of the file for one remark
        (["", '"good', "", '"bad'], 3),  # or all that stands between two of them
        (['"so" they said', "", "", ""], 2),
        (["", "", "", '"'], 5),
    ],
)
def test_a_quote_that_is_not_closed_swallows_no_row(
    db: Store, config: ExperimentConfig, tmp_path: Path, remarks: list[str], line: int, apart: str
) -> None:
    path = tmp_path / "x.csv"
    path.write_text("\n".join(x.replace(",", apart) for x in lines_of(remarks)) + "\n")
    with pytest.raises(ExperimentError, match=rf'in the row that begins at line {line} a quote \("\) is not closed'):
        read_rows(path)


def test_a_long_file_in_which_a_quote_is_not_closed_says_so_too(tmp_path: Path) -> None:
    """What follows the quote is longer than any field may be."""
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines_of(["", '"good', *[""] * 1200])) + "\n")
    assert path.stat().st_size > csv.field_size_limit()
    with pytest.raises(ExperimentError, match=r"begins at line 3 a quote"):
        read_rows(path)


def test_a_quote_that_ends_in_another_row_is_told_beside_the_line(
    db: Store, config: ExperimentConfig, tmp_path: Path
) -> None:
    """As text it is one row of several lines, which does not fit the header."""
    lines = lines_of(["", "", '"', ""])
    lines[2] = '"' + lines[2]
    path = tmp_path / "x.csv"
    path.write_text("\n".join(lines) + "\n")
    _, study_id = study(db, config)
    report = import_psytoolkit(db, study_id, config, path)
    assert report.imported == 2
    ((line, reason),) = report.skipped
    assert line == 3
    assert reason == 'the row ends before the header does; it goes on to line 4, as if a quote (") were not closed'


def test_quotes_as_programs_write_them_are_read(db: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    said = ['it was "good"', "a, b; c\td", 'two\r\nlines, "quoted"', 'in 5" speakers', ""]
    rows = [Seen(age=30 + k).row(f"s.{k}") | {"remark": remark} for k, remark in enumerate(said)]
    path = write(tmp_path / "x.csv", rows)
    assert [row["remark"] for row in read_rows(path)] == said
    _, study_id = study(db, config)
    assert import_psytoolkit(db, study_id, config, path).imported == len(said)
