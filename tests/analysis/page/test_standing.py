"""Numbers in sentences, and what sentences say that they stand on."""

import json

import pytest

from analysis.page.page import Section, Table
from analysis.page.standing import Line, kept, numbers_of, read, rows_on


@pytest.mark.parametrize(
    ("said", "numbers"),
    [
        ("difference +0.70 of 10 points, 95 % CI [-0.01, 1.40], p = .026", ["+0.70", "10", "-0.01", "1.40", ".026"]),
        ("V = 2,293.50, n = 1,000,000, p < .001; r = -0.12.", ["2,293.50", "1,000,000", ".001", "-0.12"]),
        ("within ±1 of t(11.9) = 2.16 (1e-05)", ["1", "11.9", "2.16", "1e-05"]),
        ("sweet-base-003 in task1 of version2, F1", []),
        ("with 95 % intervals: base 80 %", ["80"]),
        ("ICC(2,k) of 0.31 and ICC(2,1) 0.04", ["0.31", "0.04"]),
    ],
)
def test_numbers_of_a_sentence(said: str, numbers: list[str]) -> None:
    assert [said[start:end] for start, end in numbers_of(said)] == numbers


def test_a_section_keeps_what_its_sentences_stand_on(tmp_path) -> None:
    lines = ["plain", Line("nothing 1"), Line("rows 2", "a.0", "@ratings")]
    section = Section("s", "S", list(lines), tables=[Table("a", "A", [{"x": 1}])])
    back = Section.from_json(json.loads(json.dumps(section.to_json(tmp_path))), tmp_path).text
    assert back == lines
    assert [getattr(line, "on", None) for line in back] == [None, (), ("a.0", "@ratings")]
    assert [read(json.loads(json.dumps(kept(line)))) for line in lines] == lines


def test_rows_are_told_apart_though_they_are_equal() -> None:
    rows = [{"x": 1}, {"x": 1}, {"x": 2}]
    assert rows_on("a", rows, [rows[1], rows[2], {"x": 1}]) == ["a.1", "a.2"]
    assert rows_on("a", rows, [{}]) == []
