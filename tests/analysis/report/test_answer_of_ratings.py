"""The first screen of a study in which music was rated and not compared: what it says never stands against the tables below it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.config import AnalysisConfig, Hypothesis
from analysis.page.page import Section, Table
from analysis.page.standing import Line
from analysis.ratings import section as ratings
from analysis.report.answer import agreed, could_have_found, first_screen, told_apart
from tests.analysis.report.study import answers, inputs, sketched

ICC: list[dict[str, Any]] = [
    {"item": "dark", "icc_2k": 0.94, "ci_low": 0.9, "ci_high": 0.97, "state": "ok"},
    {"item": "sour", "icc_2k": None, "ci_low": None, "ci_high": None, "state": "too few"},
    {"item": "sweet", "icc_2k": 0.31, "ci_low": 0.1, "ci_high": 0.6, "state": "ok"},
    {"item": "warm", "icc_2k": 0.5, "ci_low": 0.3, "ci_high": 0.7, "state": "ok"},
]
PROMPTS: list[dict[str, Any]] = [
    {"prompt": prompt, "adjective": word, "p": p, "p_adjusted": p, "standard_error": 0.2, "state": "ok" if p else "too few"}
    for prompt, word, p in (
        ("a", "dark", 0.01), ("b", "dark", 0.9), ("a", "sweet", 0.05), ("b", "sweet", 0.3), ("a", "sour", None), ("b", "sour", None),
    )
]  # fmt: skip


def rated(*tables: Table) -> Section:
    return Section("ratings", "What the music calls up", tables=list(tables))


def icc(rows: list[dict[str, Any]] = ICC) -> Table:
    return Table("icc", "Agreement of listeners on the clips", rows)


def prompts(rows: list[dict[str, Any]] = PROMPTS) -> Table:
    return Table("prompts_mixed", "Every adjective and prompt (exploratory)", rows)


def said(tmp_path: Path, *sections: Section, **changes: Any) -> dict[str, list[str]]:
    return dict(first_screen(inputs(tmp_path, **changes), list(sections)).said)


def test_rated_music_has_an_answer_and_no_sentence_denies_its_tests(tmp_path: Path) -> None:
    found = said(tmp_path, rated(icc(), prompts()))
    assert found["Question"] == ["Do listeners agree on what the music calls up?"]
    assert found["Answer"] == [
        "How far the listeners of a clip agree, as ICC(2,k) of their mean with 95 % intervals: 0.31 [0.10, 0.60] for sweet to "
        "0.94 [0.90, 0.97] for dark; it can't be told for sour.",
        "Exploratory: some music is shown to be rated otherwise than the rest on dark of 3 words (mixed models, two-sided, corrected); it can't be "
        "told for sour.",
        'Whether music is rated as its maker meant it was not asked: with targets = "FILE" under [analysis] in the study file the report '
        "answers that, too.",
    ]
    own = [{"prompt": "sour", "p": 0.01, "p_adjusted": 0.01, "effect": 1.0, "state": "ok", "alternative": "greater"}]
    below = said(tmp_path, rated(icc(), prompts(), Table("own_word", "Own words", own)))
    assert below["Answer"][-1] == (
        'Whether music is rated as its maker meant it was asked of its own word alone, see below: with targets = "FILE" under [analysis] '
        "in the study file the report answers it over all words."
    )
    assert found["Could have found"] == [
        "The study file declares no test before the data, so that no smallest difference is told; other tests stand below, under "
        "“Every adjective and prompt (exploratory)”."
    ]
    assert found["Generalises to"] == ["Other people like these, and other clips made in the same way."]


def test_numbers_lead_to_the_rows_that_they_come_from() -> None:
    first, second = agreed(ICC), told_apart(PROMPTS, 0.05)
    assert (first.on, second.on) == (("icc.0", "icc.2"), ("prompts_mixed",))


def test_one_word_and_none() -> None:
    assert agreed(ICC[:1]) == (
        "How far the listeners of a clip agree, as ICC(2,k) of their mean with 95 % intervals: 0.94 [0.90, 0.97] for dark."
    )
    assert agreed(ICC[1:2]) == (
        "How far listeners agree on the clips can't be told of any word: answers are too few or do not differ, or no fit converged."
    )
    assert "is shown to be rated otherwise than the rest on none of 1 word (" in told_apart(PROMPTS[2:4], 0.05)
    assert "on sweet of 1 word (" in told_apart(PROMPTS[2:4], 0.06)
    # Of a word that was not tested it is not said that music differs on none.
    assert "on none of 1 word (mixed models, two-sided, corrected); it can't be told for sour" in told_apart(
        PROMPTS[2:], 0.05
    )
    assert told_apart(PROMPTS[4:], 0.05) == (
        "Exploratory: whether some music is rated otherwise than the rest can't be told for sour."
    )


def test_agreement_alone_is_no_test(tmp_path: Path) -> None:
    """Music of one prompt: listeners agree or not, and nothing else is asked."""
    found = said(tmp_path, rated(icc()))
    assert [line.startswith("Exploratory") for line in found["Answer"]] == [False, False]
    assert found["Could have found"][0].endswith("no smallest difference is told; nothing else was tested.")
    confounded = [ICC[0] | {"state": "confounded: clips"}]
    assert "these clips only" in said(tmp_path, rated(icc(confounded)))["Generalises to"][0]


def test_what_was_declared_and_not_answered_is_not_called_undeclared(tmp_path: Path) -> None:
    config = AnalysisConfig(hypotheses=[Hypothesis(taste="sweet")], targets=tmp_path / "targets.csv")
    found = said(tmp_path, rated(icc(), prompts()), config=config)
    assert found["Could have found"][0].startswith("None of the declared tests could be made, ")
    assert not any("targets" in line for line in found["Answer"])  # they are declared


def test_tables_without_a_result_are_no_tests(tmp_path: Path) -> None:
    empty = Table("own_word", "Own words", [{"prompt": "sweet", "p": None, "p_adjusted": None, "state": "too few"}])
    found = said(tmp_path, rated(icc(), empty))
    assert found["Could have found"][0].endswith("nothing else was tested.")
    assert "no test of which fits better has a standard error" in could_have_found([], 10)


def test_of_the_real_section_every_test_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = inputs(tmp_path, data=replace(answers(people=8), preference=answers().preference.iloc[:0]))
    with sketched():
        section = ratings.section(given, [])
    assert section is not None
    found = dict(first_screen(given, [section]).said)
    assert "“Does a taste's music call up its word”" in found["Could have found"][0]
    assert "“Every adjective and prompt (exploratory)”" in found["Could have found"][0]
    assert [type(line) for line in found["Answer"]] == [Line, Line, str]
    assert not any(line.startswith("Nothing") for line in found["Generalises to"])
