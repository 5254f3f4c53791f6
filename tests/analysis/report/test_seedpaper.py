"""The chapter on the seed paper's tests: its rows, its warning, its tables, and what it says where nobody finished."""

from dataclasses import replace
from pathlib import Path

import pytest

from analysis.data.planned import Planned
from analysis.report.seedpaper import section
from tests.analysis.report.study import answers, inputs, sketched


def test_the_chapter_says_what_the_tests_assume_and_shows_them(tmp_path: Path) -> None:
    with sketched():
        made = section(inputs(tmp_path), [])
    assert made is not None
    tables = {t.name: t for t in made.tables}
    assert list(tables) == [
        "paper_flow", "preference_tests", "preference_normality", "preference_agreement", "preference_sides", "anova", "tukey",
    ]  # fmt: skip
    assert "independent" in made.text[0]
    assert [r["term"] for r in tables["anova"].rows] == ["prompt", "adjective", "prompt:adjective", "Residual"]
    assert tables["anova"].rows[-1]["apa"] == ""
    assert tables["anova"].rows[0]["apa"].startswith(f"F(1, {tables['anova'].rows[-1]['df']:.0f}) = ")
    (counted,) = [line for line in made.text if line.startswith("The analysis of variance")]
    assert counted == "The analysis of variance counts every answer of a person as if another person had given it."
    lean = [line for line in made.text if "the answers " in line and " lean to " in line]
    assert len(lean) == len(tables["preference_tests"].rows)
    assert tables["preference_tests"].rows[0]["n"] == 16


def test_terms_about_people_are_warned_of_where_they_stand(tmp_path: Path) -> None:
    data = answers(people=12)
    people = data.people.assign(sex=["female", "male"] * 6)
    with sketched():
        made = section(inputs(tmp_path, data=replace(data, people=people)), [])
    assert made is not None
    (found,) = [t.rows for t in made.tables if t.name == "anova"]
    assert "sex" in [r["term"] for r in found]
    assert any("Its terms about people (sex) " in line and "no findings" in line for line in made.text)


def test_nobody_who_finished_is_said(tmp_path: Path) -> None:
    data = replace(answers("imported"), planned=Planned(choices=5, clips=3, items=3))
    with sketched():
        made = section(inputs(tmp_path, data=data), [])
    assert made is not None
    assert [t.name for t in made.tables] == ["paper_flow"]
    assert made.text[1:] == [
        "Task 1: not run, nobody has made all choices and given demographics.", "Task 2: not run, nobody has rated all clips.",
    ]  # fmt: skip
    none = replace(data, preference=data.preference.iloc[:0], ratings=data.ratings.iloc[:0])
    assert section(inputs(tmp_path, data=none), []) is None


def test_the_chapter_shows_how_normal_the_scores_are(tmp_path: Path) -> None:
    with sketched():
        made = section(inputs(tmp_path), [])
    assert made is not None
    assert "qq" in [f.name for f in made.figures]
    assert (made.name, made.title) == ("seed-paper", "As the seed paper did it")


@pytest.mark.parametrize("score", [5.0, 10.0, 7.5])
def test_answers_that_are_all_the_same_have_no_quantiles(tmp_path: Path, score: float) -> None:
    """No distribution has them; the chapter says all else of such answers."""
    data = answers()
    data = replace(data, preference=data.preference.assign(score=score, answer=score))
    with sketched():
        made = section(inputs(tmp_path, data=data), [])
    assert made is not None
    assert made.figures == []
    (table,) = [t for t in made.tables if t.name == "preference_normality"]
    assert {r["state"] for r in table.rows} == {"all answers are the same"}
