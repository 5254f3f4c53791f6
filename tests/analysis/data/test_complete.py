"""`--plan paper` on a survey file in the seed's layout: each analysis on the paper's rows, counted here by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.data.complete import unfinished
from analysis.data.planned import Planned
from tests.analysis.report.study import answers
from tests.analysis.seed_layout import CHOICES, DEMOGRAPHICS, RATINGS, person, write
from tests.tastelab.conftest import call

STUDY = Path(__file__).parents[3] / "study.toml"
SETTINGS = {"resamples = 2000": "resamples = 100"}


def full(n: int = 20) -> list[dict[str, Any]]:
    """Twenty people who finished: 9 men, 8 women, one of another sex, one who did not say, one professional eater (a man)."""
    rng = np.random.default_rng(11)
    rows = [person(f"full.{k}", rng) for k in range(n)]
    for k, row in enumerate(rows):
        row["anagrafica_1"] = 1 if k < 10 else 2 if k < 18 else k - 15
        row["eating_experience_1"] = 1 if k == 9 else 2 + k % 2
    return rows


def dropouts() -> list[dict[str, Any]]:
    """Three people who finished no part."""
    rng = np.random.default_rng(12)
    return [
        person("broke.1", rng, without=(*CHOICES[2:], *RATINGS, *DEMOGRAPHICS)),
        person("broke.2", rng, without=(CHOICES[4], *RATINGS[24:], "hearing_experience_1")),
        person("broke.3", rng, without=(*CHOICES[:1], RATINGS[35], *DEMOGRAPHICS)),
    ]


def partly() -> dict[str, list[dict[str, Any]]]:
    """People who finished one part only."""
    rng = np.random.default_rng(13)
    return {
        "choices": [person("choices", rng, without=RATINGS[12:])],
        "ratings": [person("ratings", rng, without=(CHOICES[3],), anagrafica_1=2)],
        "undescribed": [person("undescribed", rng, without=(CHOICES[0], *DEMOGRAPHICS))],
    }


@pytest.fixture
def ask(tmp_path: Path):
    """The tables of the paper's plan for a file of these rows."""
    study = tmp_path / "study.toml"
    text = STUDY.read_text(encoding="utf-8")
    for old, new in SETTINGS.items():
        assert old in text
        text = text.replace(old, new)
    study.write_text(text, encoding="utf-8")
    count = 0

    def tables(rows: list[dict[str, Any]], *names: str) -> dict[str, dict[str, list[dict[str, Any]]]]:
        nonlocal count
        count += 1
        db = f"sqlite:///{tmp_path}/{count}.db"
        file = write(tmp_path / f"{count}.csv", rows)
        said = call("experiment", "import", "psytoolkit", file, "--study", study, "--db", db)
        assert said.status == 0, said.err
        found = {}
        for name in names:
            said = call("analysis", name, "--plan", "paper", "--study", study, "--db", db, "--json")
            assert said.status == 0, said.err
            whole = json.loads(said.out)
            assert whole["plan"] == "paper"
            found[name] = whole["tables"]
        return found

    return tables


def flow(tables: dict[str, list[dict[str, Any]]]) -> dict[str, tuple[int, int, int]]:
    return {r["analysis"]: (r["people"], r["rows"], r["lost"]) for r in tables["flow"]}


NAMES = ("preference", "ratings", "factors")


def test_each_analysis_is_made_on_the_papers_rows(ask) -> None:
    found = ask(full() + dropouts() + [r for rows in partly().values() for r in rows], *NAMES)
    # 20 who finished and one whose ratings alone are missing.
    assert found["preference"]["tests"][0]["n"] == 21 * 5
    assert found["preference"]["normality"][0]["n"] == 21 * 5
    assert flow(found["preference"]) == {"task 1": (21, 105, 5)}
    # 20 who finished, one without the fourth choice, one without the first choice and demographics.
    assert {r["n"] for r in found["ratings"]["correlations"]} == {22 * 3}
    assert sum(r["n"] for r in found["ratings"]["means"]) == 22 * 36
    assert sum(r["n"] for r in found["factors"]["scores_by_prompt"]) == 22 * 3
    # The analysis of variance is on 9 men and 9 women.
    anova = {r["term"]: r["df"] for r in found["ratings"]["anova"]}
    assert sum(anova.values()) == 18 * 36 - 1
    assert (anova["sex"], anova["eating_experience"], anova["prompt"], anova["prompt:adjective"]) == (1, 1, 3, 33)
    assert flow(found["ratings"]) == {
        "correlations and factors": (22, 66, 4),
        "Tukey": (21, 63, 5),
        "ANOVA": (18, 54, 8),
    }
    assert flow(found["factors"]) == {"correlations and factors": (22, 66, 4)}
    why = {r["analysis"]: r["why"] for r in found["ratings"]["flow"]}
    assert why["ANOVA"] == (
        "4 without all ratings; 1 without demographics; 2 neither men nor women; 1 alone with their eating experience"
    )
    assert found["preference"]["flow"][0]["why"] == "5 without all choices"


def test_tukey_has_the_error_of_people_with_demographics(ask) -> None:
    """Its degrees of freedom: 21 people's 36 ratings less 1 + 3 prompts + 11 adjectives + 2 levels of hearing experience."""
    rows = full() + partly()["ratings"] + partly()["undescribed"]
    found = ask(rows, "ratings")["ratings"]["tukey"]
    described = [r for r in rows if r["anagrafica_1"] != ""]
    assert len(described) == 21
    by_hand: dict[str, list[float]] = {}
    for row in described:
        for k, j in enumerate((1, 3, 4), start=1):
            by_hand.setdefault(row[f"random_taste_label_{j}_1"], []).extend(
                float(row[f"task_2_{k}_{i}"]) for i in range(1, 13)
            )
    for row in found:
        if row["factor"] == "prompt":
            wanted = np.mean(by_hand[row["group1"]]) - np.mean(by_hand[row["group2"]])
            assert row["diff"] == pytest.approx(wanted, abs=1e-9)
    one = next(r for r in found if r["factor"] == "prompt")
    # Half the interval over the critical value is the standard error: both from R's qtukey(.95, 4, 756 - 17).
    y = {t: np.array(v) for t, v in by_hand.items()}
    assert (one["ci_high"] - one["ci_low"]) / 2 == pytest.approx(
        3.641439 * np.sqrt(_additive_error(described) / 2 * (1 / len(y[one["group1"]]) + 1 / len(y[one["group2"]]))),
        rel=1e-4,
    )


def _additive_error(rows: list[dict[str, Any]]) -> float:
    """Mean square that prompt, adjective and hearing experience leave, by least squares over indicator columns."""
    values, design = [], []
    for row in rows:
        for k, j in enumerate((1, 3, 4), start=1):
            for i in range(1, 13):
                values.append(float(row[f"task_2_{k}_{i}"]))
                marks = [row[f"random_taste_label_{j}_1"], i, ("h", row["hearing_experience_1"])]
                levels = ["salty", "sweet", "bitter", "sour", *range(1, 13), ("h", 1), ("h", 2), ("h", 3)]
                design.append([float(level in marks) for level in levels])
    x, y = np.array(design), np.array(values)
    left = y - x @ np.linalg.lstsq(x, y, rcond=None)[0]
    return float(left @ left / (len(y) - 17))


def test_who_finished_no_part_changes_nothing(ask) -> None:
    clean, more = ask(full(), *NAMES), ask(full() + dropouts(), *NAMES)
    for name in NAMES:
        assert {k: v for k, v in clean[name].items() if k != "flow"} == {
            k: v for k, v in more[name].items() if k != "flow"
        }
        assert [r["lost"] + 3 for r in clean[name]["flow"]] == [r["lost"] for r in more[name]["flow"]]


@pytest.mark.parametrize(
    ("part", "same", "other"),
    [
        ("choices", {"ratings": ("anova", "tukey", "correlations", "means"), "factors": ("loadings",)}, {"preference": ("tests",)}),
        ("ratings", {"preference": ("tests", "normality")}, {"ratings": ("anova", "tukey", "correlations"), "factors": ("loadings",)}),
        (
            "undescribed", {"preference": ("tests",), "ratings": ("anova", "tukey")},
            {"ratings": ("correlations", "means"), "factors": ("loadings",)},
        ),
    ],
)  # fmt: skip
def test_who_finished_one_part_changes_that_part_alone(ask, part: str, same: dict, other: dict) -> None:
    clean, more = ask(full(), *NAMES), ask(full() + partly()[part], *NAMES)
    for name, tables in same.items():
        for table in tables:
            assert clean[name][table] == more[name][table], (name, table)
    for name, tables in other.items():
        for table in tables:
            assert clean[name][table] != more[name][table], (name, table)


def test_nobody_who_finished_is_one_line(ask, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="nobody has made all choices of task 1 and given demographics"):
        ask(dropouts(), "preference")
    with pytest.raises(AssertionError, match="nobody has rated all clips of task 2"):
        ask(dropouts(), "ratings")
    with pytest.raises(AssertionError, match="nobody has rated all clips of task 2"):
        ask(dropouts(), "factors")


def test_an_unfinished_person_of_a_file_is_left_out_where_that_is_declared(tmp_path: Path) -> None:
    """Whatever plan: the study file says so once."""
    text = STUDY.read_text(encoding="utf-8").replace("resamples = 2000", "resamples = 100")
    study = tmp_path / "study.toml"
    study.write_text(text + "\n[analysis.exclude]\nincomplete = true\n", encoding="utf-8")
    db = f"sqlite:///{tmp_path}/x.db"
    rows = full() + dropouts() + [r for part in partly().values() for r in part]
    said = call("experiment", "import", "psytoolkit", write(tmp_path / "x.csv", rows), "--study", study, "--db", db)
    assert said.status == 0, said.err
    said = call("analysis", "preference", "--plan", "robust", "--study", study, "--db", db, "--json")
    assert json.loads(said.out)["tables"]["tests"][0]["n"] == 20 * 5
    said = call("analysis", "ratings", "--plan", "robust", "--study", study, "--db", db, "--json")
    assert sum(r["n"] for r in json.loads(said.out)["tables"]["means"]) == 20 * 36
    said = call("analysis", "preference", "--plan", "paper", "--study", study, "--db", db)
    assert "6 participants left out by the study file's rules" in said.out


def test_all_choices_without_demographics_are_not_in_the_papers_tests(ask) -> None:
    """Twenty people's hundred choices, and one whose five are not counted."""
    silent = person("silent", np.random.default_rng(14), without=(*RATINGS, *DEMOGRAPHICS))
    found = ask([*full(), silent], "preference")["preference"]
    assert found["tests"][0]["n"] == 100
    assert found["flow"][0]["why"] == "1 without demographics"


def test_a_file_of_choices_alone_is_finished_by_all_choices_and_one_of_ratings_by_all_ratings() -> None:
    """What a survey did not ask leaves nobody unfinished; what it asked and somebody lacks does."""
    data = replace(answers("imported"), planned=Planned(choices=4, clips=2, items=3))
    people = data.people.assign(sex="female", hearing_experience="none", eating_experience="none", age=30.0)
    data = replace(data, people=people)
    assert unfinished(data) == set()
    assert unfinished(replace(data, ratings=data.ratings.iloc[:0])) == set()
    assert unfinished(replace(data, preference=data.preference.iloc[:0])) == set()
    short = data.ratings[~((data.ratings["participant"] == 2) & (data.ratings["trial"] == 4))]
    assert unfinished(replace(data, ratings=short)) == {2}
    few = data.preference[~((data.preference["participant"] == 3) & (data.preference["trial"] == 0))]
    assert unfinished(replace(data, preference=few)) == {3}
