"""The first screen says of one row what the rest of the report says of it, and promises no more than its tests can keep."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.config import AnalysisConfig
from analysis.page.page import Section, Table
from analysis.report.answer import could_have_found, first_screen, generalises_to
from tests.analysis.ratings.test_wrong_prompts import rated
from tests.analysis.report.study import answers, inputs
from tests.analysis.report.test_answer import WRONG, row, screen

NOTHING = "Nothing: no model could be fitted."
CLIPS = "Other clips, but these people only: the clips were dealt anew, people were not."
ALL = "Other people like these, and other clips made in the same way."


@pytest.mark.parametrize(
    ("states", "said"),
    [
        (["one answer", "one answer"], NOTHING),
        (["not connected"], NOTHING),
        (["too few", "one answer", "not converged"], NOTHING),
        (["separated"], CLIPS),
        (["separated", "too few", "one answer"], CLIPS),
        (["ok", "one answer"], ALL),
        (["ok", "separated"], f"{ALL} For b: other clips, but these people only, for the clips were dealt anew, people were not."),
    ],
)  # fmt: skip
def test_what_was_not_tested_is_promised_to_nobody(states: list[str], said: str) -> None:
    assert generalises_to([{"state": s, "taste": t} for s, t in zip(states, "abc", strict=False)]) == said


def test_one_row_has_one_verdict_on_the_screen(tmp_path: Path) -> None:
    """Right and wrong prompts that are equivalent are so where it is asked whether it is the taste, too; of the other pair nothing."""
    pair = "finetuned - wrong"
    over = row("all", pair=pair, difference=0.1, ci_low=-0.5, ci_high=0.7, p=0.4, p_adjusted=1.0)
    bounds = [
        {"taste": "sweet", "pair": pair, "bound": 9.0, "p": 0.9, "p_adjusted": 0.9, "state": "ok"},
        {"taste": "all", "pair": "finetuned - base", "bound": 8.0, "p": 0.9, "p_adjusted": 0.9, "state": "ok"},
        {"taste": "all", "pair": pair, "bound": 1.5, "p": 0.001, "p_adjusted": 0.004, "state": "ok"},
    ]
    data = replace(answers(), conditions=WRONG)
    found = screen(tmp_path, over, row("all", pair="finetuned - base"), near=bounds, data=data)
    assert "equivalent within ±1.5 points of each other" in found["Answer"][0]
    (line,) = found["Is it the taste"]
    assert line.startswith(
        "Over all tastes, music that the fine-tuned model made for the taste and its music for other tastes are equivalent within ±1.5 points"
    )
    assert getattr(line, "on", ()) == ("preference_mixed.0", "preference_equivalence.2")


def detectable(taste: str, **changes: Any) -> dict[str, Any]:
    return {"taste": taste, "detectable": 0.77, "power": 0.8, **changes}


def test_behind_a_gate_the_power_of_single_tastes_has_its_condition(tmp_path: Path) -> None:
    rows = [detectable("all"), detectable("sweet", detectable=1.09)]
    open_ = "With 80 % power a difference of 0.77 over all tastes, 1.09 for sweet (of 10 points)"
    assert could_have_found(rows, 10) == f"{open_}; smaller ones may have been missed."
    behind = "; those of single tastes where the test over all tastes was passed"
    assert could_have_found(rows, 10, gate=True) == f"{open_}{behind}; smaller ones may have been missed."
    assert could_have_found(rows[:1], 10, gate=True) == could_have_found(rows[:1], 10)
    section = Section("preference", "t")
    section.tables = [
        Table("preference_mixed", "", [row("all"), row("sweet")]),
        Table("preference_detectable", "", rows),
    ]
    for overall, told in (("gate", True), ("member", False)):
        config = AnalysisConfig.model_validate({"overall": overall})
        said = dict(first_screen(inputs(tmp_path, config=config), [section]).said)["Could have found"]
        assert (behind in said[0]) is told


def test_music_is_called_by_what_was_tested(tmp_path: Path) -> None:
    """Tracks were chosen; that a wrong prompt was rated beside them prompts nothing with a taste."""
    data = rated("finetuned", "wrong")
    data = replace(data, conditions=replace(data.conditions, tracks=("finetuned",)))
    rows = [{"prompt": "sweet", "p": 0.001, "p_adjusted": 0.01, "effect": 1.0, "state": "ok", "alternative": "greater"}]
    section = Section("ratings", "r", tables=[Table("own_word", "", rows)])
    (said,) = dict(first_screen(inputs(tmp_path, data=data), [section]).said)["Is it the taste"]
    assert said.startswith("Music made or chosen for a taste is shown to call up its own word")


def test_what_no_test_was_made_of_is_not_what_it_generalises_by() -> None:
    """Naming that could not be tested stands before own words that were: these are what the report found."""
    from analysis.report.answer import _generalises

    named = [{"taste": "sweet", "state": "too few"}, {"taste": "sour", "state": "one answer"}]
    own = [{"adjective": "sweet", "state": "ok"}]
    tables = {"identification_tests": named, "own_word": own}
    assert _generalises(tables, []) == generalises_to(own)
    assert _generalises({"identification_tests": named}, []).startswith("Nothing")
    assert _generalises(tables, named).startswith("Nothing")  # preference is what the answer is of, where it was asked
