"""Sentences of the identification task: what each constructed result must and must not say; corrections within a condition."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.data.compared import Conditions
from analysis.identification.analyse import analyse
from analysis.identification.section import section, told
from analysis.report.write import columns_of, label_of
from tests.analysis.identification.test_naming import sessions
from tests.analysis.report.study import inputs, sketched

TEST = {
    "condition": "base", "taste": "sweet", "effect": 1.25, "ci_low": 0.4, "ci_high": 2.1, "p": 0.001, "p_adjusted": 0.004,
    "state": "ok",
}  # fmt: skip
SHARE = {"share": 0.5, "n": 80, "chance": 0.21}


@pytest.mark.parametrize(
    ("changes", "must", "must_not"),
    [
        ({}, ["50 % of 80 answers", "other music in 21 %", "more than other music", "+1.25 [0.40, 2.10], one-sided p = .004, corrected"], ["not shown"]),
        ({"p_adjusted": 0.08}, ["not shown to be more", "p = .080"], ["more than"]),
        ({"p": 0.03, "p_adjusted": 0.12}, ["not shown to be more"], ["more than", ".030"]),
        ({"effect": -1.0, "ci_low": -2.0, "ci_high": 0.1, "p_adjusted": 1.0}, ["-1.00 [-2.00, 0.10]", "not shown to be more"], ["more than"]),
        ({"effect": -2.0, "ci_low": -3.0, "ci_high": -1.0, "p_adjusted": 1.0}, ["not shown to be more (log odds -2.00 [-3.00, -1.00]"], ["no difference", "more than"]),
        ({"state": "singular: clips"}, ["more than other music", "the variance of clips was estimated as zero"], []),
        ({"state": "one answer", "p": None, "p_adjusted": None, "effect": None}, ["always or never", "nothing can be told"], ["more than", "p ", "log odds"]),
        ({"state": "too few", "p": None, "p_adjusted": None, "effect": None}, ["too few clips or people, or no other music, for a test"], ["more than", "log odds"]),
        ({"state": "not converged", "p": None, "p_adjusted": None}, ["did not converge, no test"], ["more than", "log odds"]),
        ({"state": "separated", "effect": None, "ci_low": None}, ["more than other music", "no bound", "p = .004"], ["log odds"]),
        ({"state": "separated", "effect": None, "p_adjusted": 1.0}, ["not shown to be more"], ["more than"]),
    ],
)  # fmt: skip
def test_a_sentence_says_what_its_row_says(changes: dict[str, Any], must: list[str], must_not: list[str]) -> None:
    said = told(TEST | changes, SHARE, 0.05)
    assert said.startswith("Music made for sweet (base) was named so in ")
    assert said.endswith(".")
    for words in must:
        assert words in said, said
    for words in must_not:
        assert words not in said, said


def test_music_is_told_by_how_it_came_to_its_taste() -> None:
    """Wrong prompts ask for other tastes than the one that their music stands for; tracks are chosen."""
    known = Conditions(
        ("base", "wrong", "film"), {"base": "first model", "film": "films"}, tracks=("film",), wrong={"wrong": "base"}
    )
    for condition, head in (
        ("base", "Music made for sweet (first model) was named so in 50 %"),
        ("wrong", "Music asked for other tastes that stands for sweet (wrong) was named so in 50 %"),
        ("film", "Music chosen for sweet (films) was named so in 50 %"),
    ):
        assert told(TEST | {"condition": condition}, SHARE, 0.05, known).startswith(head)


def test_what_stands_for_a_taste_by_a_wrong_prompt_is_not_its_own_music(tmp_path: Path) -> None:
    given = inputs(tmp_path)
    named = given.data.identification.assign(condition="wrong")
    known = Conditions(("finetuned", "wrong"), {}, wrong={"wrong": "finetuned"})
    given.data = replace(given.data, identification=named, conditions=known)
    summary: list[str] = []
    with sketched():
        assert section(given, summary) is not None
    assert (
        "for none of 2 tastes that they are named more for the music that stands for them than for other music"
        in summary[0]
    )


def test_without_other_music_none_is_compared() -> None:
    assert "other music in" not in told(TEST, SHARE | {"chance": None}, 0.05)


def test_p_is_corrected_over_the_tastes_of_a_condition() -> None:
    draw = np.random.default_rng(4)
    first = sessions(draw, 0.25, 0.2)
    second = sessions(draw, 0.1, 0.0).assign(condition="two")
    second = second[second["asked"].isin(["sweet", "sour"])]
    empty = pd.DataFrame(columns=["participant", "item", "first", "again"])
    for correction in ("bonferroni", "holm"):
        tables = analyse(pd.concat([first, second]), empty, AnalysisConfig(correction=correction))
        # In this order they are exported and shown.
        assert list(tables) == [
            "confusion", "accuracy", "tests", "unbiased", "similarity", "bias", "choice_model", "reliability",
        ]  # fmt: skip
        for condition, tastes in (("one", 4), ("two", 2)):
            rows = [r for r in tables["tests"] if r["condition"] == condition]
            p, adjusted = [r["p"] for r in rows], [r["p_adjusted"] for r in rows]
            assert len(rows) == tastes
            if correction == "bonferroni":
                assert adjusted == pytest.approx([min(1.0, tastes * x) for x in p])
            else:  # the smallest times all of them, the next times one less, never falling
                steps = np.maximum.accumulate([min(1.0, (tastes - k) * x) for k, x in enumerate(sorted(p))])
                assert sorted(adjusted) == pytest.approx(list(steps))
    assert tables["reliability"] == []
    assert {r["condition"] for r in tables["choice_model"]} == {"one", "two"}
    assert [r["state"] for r in tables["choice_model"]] == ["ok", "too few"]  # two tastes leave nothing to compare


def test_where_nothing_was_asked_all_is_empty() -> None:
    nothing = pd.DataFrame(columns=["participant", "clip", "condition", "asked", "answered"])
    repeats = pd.DataFrame(
        {"participant": range(6), "item": "x", "first": [1, 2, 3, 1, 2, 3], "again": [1, 2, 3, 1, 2, 2]}
    )
    tables = analyse(nothing, repeats, AnalysisConfig())
    assert {name for name, rows in tables.items() if rows} == {"reliability"}


def test_the_part_and_its_tables_stand_under_their_own_names(tmp_path: Path) -> None:
    with sketched():
        made = section(inputs(tmp_path), [])
    assert made is not None
    assert (made.name, made.title) == ("identification", "Which taste the music calls up")
    titles = {t.name.removeprefix("identification_"): t.title for t in made.tables}
    assert titles["accuracy"] == "How often each taste was named for its own music"
    assert titles["tests"] == "Is a taste named more for its own music"
    assert titles["confusion"] == "Counts"


def test_log_odds_are_not_headed_as_another_measure(tmp_path: Path) -> None:
    with sketched():
        made = section(inputs(tmp_path), [])
    assert made is not None
    (table,) = [t for t in made.tables if t.name == "identification_tests"]
    heads = [label_of(column, table.rows) for column in columns_of(table)]
    assert "log odds" in heads
    assert "rank-biserial" not in heads


def test_a_sentence_stands_on_its_test_and_on_its_share(tmp_path: Path) -> None:
    with sketched():
        made = section(inputs(tmp_path), [])
    assert made is not None
    tests, shares = ({t.name: t.rows for t in made.tables}[f"identification_{name}"] for name in ("tests", "accuracy"))
    lines = [line for line in made.text if line.startswith("Music made for ")]
    assert len(lines) == len(tests) > 1
    for k, line in enumerate(lines):
        (share,) = (
            j
            for j, row in enumerate(shares)
            if [row[c] for c in ("condition", "taste")] == [tests[k][c] for c in ("condition", "taste")]
        )
        assert getattr(line, "on", ()) == (f"identification_tests.{k}", f"identification_accuracy.{share}")
