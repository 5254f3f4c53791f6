"""The first screen from constructed rows: what stands where, in which order, and what is said of states, power and people."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Equivalence, Hypothesis
from analysis.page.page import Section, Table
from analysis.page.style import Drawn
from analysis.report.answer import could_have_found, first_screen, generalises_to, repeats, span
from tests.analysis.report.study import answers, inputs


def row(taste: str, **changes: Any) -> dict[str, Any]:
    base = {
        "taste": taste, "alternative": "greater", "status": "declared", "n": 40, "difference": 0.8, "ci_low": 0.2, "ci_high": 1.4,
        "statistic": 2.9, "df": 20.0, "p": 0.004, "p_adjusted": 0.016, "state": "ok",
    }  # fmt: skip
    return {**base, **changes}


def screen(
    tmp_path: Path, *rows: dict[str, Any], near: Iterable[dict[str, Any]] = (), **changes: Any
) -> dict[str, list[str]]:
    section = Section("preference", "t", figures=[Drawn("intervals", "", "", tmp_path / "intervals.svg")])
    section.tables = [
        Table("preference_mixed", "", list(rows)),
        Table("preference_equivalence", "", list(near)),
        Table("preference_detectable", "", [{"taste": "all", "detectable": 0.9, "power": 0.8}]),
    ]
    flow = [
        {"step": "sessions begun", "n": 9, "lost": 0, "why": ""}, {"step": "with answers", "n": 4, "lost": 5, "why": "ended early"},
        {"step": "analysed: ratings", "n": 3, "lost": 1, "why": "no answer to this task"},
    ]  # fmt: skip
    people = Section("people", "p", tables=[Table("flow", "", flow)])
    found = first_screen(inputs(tmp_path, **changes), [people, section])
    assert found.figure is not None
    return dict(found.said)


def test_the_order_is_the_readers(tmp_path: Path) -> None:
    found = screen(tmp_path, row("all"), row("sweet"))
    assert list(found) == [
        "Question", "Answer", "Is it the taste", "Rests on", "Could have found", "Plan and deviations", "Generalises to", "Does not show",
    ]  # fmt: skip


def test_the_answer_has_difference_interval_and_state_then_the_tastes(tmp_path: Path) -> None:
    overall, tastes = screen(tmp_path, row("all", state="singular: clip"), row("sweet"), row("sour", p_adjusted=0.4))[
        "Answer"
    ]
    assert "+0.80 of 10 points, 95 % CI [0.20, 1.40]" in overall
    assert "estimated as zero" in overall
    assert tastes == (
        "By taste: the fine-tuned model fits better for sweet; undecided for sour (3 declared tests: 3 one-sided)."
    )


def test_the_counts_are_of_the_family_that_is_corrected(tmp_path: Path) -> None:
    """Over all tastes, two tastes and an equivalence test make four; of two pairs, eight; a gate is said."""
    near = {"taste": "sour", "bound": 1.0, "p": 0.001, "p_adjusted": 0.004, "state": "ok"}
    rows = [row("all"), row("sweet"), row("sour", p_adjusted=0.4)]
    found = screen(tmp_path, *rows, near=[near])
    assert found["Answer"][1].endswith(
        "equivalent within ±1 for sour (4 declared tests: 3 one-sided, 1 of equivalence)."
    )
    assert "over the 4 declared tests: 3 one-sided, 1 of equivalence; declared" in found["Plan and deviations"][0]
    both = [r | {"pair": p} for p in ("finetuned - base", "finetuned - wrong") for r in rows]
    config = AnalysisConfig(hypotheses=[Hypothesis(taste="sweet"), Hypothesis(taste="sour")], overall="gate")
    twice = screen(tmp_path, *both, near=[near | {"pair": "finetuned - wrong"}], config=config)
    assert [line.count("7 declared tests: 6 one-sided, 1 of equivalence") for line in twice["Answer"]] == [0, 0, 1, 1]
    assert ["equivalent" in line.split("(")[0] for line in twice["Answer"]] == [False, False, False, True]
    assert "1 of equivalence, the one over all tastes first; declared" in twice["Plan and deviations"][0]
    assert "each of them of 2 pairs of conditions" in twice["Plan and deviations"][0]


def test_it_rests_on_people_of_those_who_began_and_on_answers_a_pair(tmp_path: Path) -> None:
    """Four people compare one pair a taste, each twice; why people are fewer is told, what a task lost is not counted twice."""
    found = screen(tmp_path, row("all"))["Rests on"]
    assert found[0] == "4 of 9 sessions begun (SIMULATED): 5 ended early."
    assert found[1] == "16 choices of 4 people on 1 pair of clips a taste, 8 answers a pair."
    assert found[2] == "8 ratings of 4 clips."
    assert found[3].startswith("8 pairs were judged again by the same person: on average ")


def test_a_pair_that_came_again_says_how_far_apart_answers_are() -> None:
    frame = pd.DataFrame(
        [(1, "sweet", "a", 4.0), (1, "sweet", "a", 7.0), (2, "sweet", "a", 5.0), (2, "sweet", "b", 9.0), (3, "sour", "a", 5.0), (3, "sour", "a", 4.0)],
        columns=["participant", "taste", "clip", "score"],
    )  # fmt: skip
    assert repeats(frame, "clip") == "2 pairs were judged again by the same person: on average 2.00 points apart."


def test_plan_and_deviations(tmp_path: Path) -> None:
    config = AnalysisConfig(
        plan="paper", alpha=0.01, correction="holm", hypotheses=[Hypothesis(taste="sweet"), Hypothesis(taste="umami", alternative="less")],
        equivalence=[Equivalence(taste="sour", bound=0.5)],
    )  # fmt: skip
    plan, deviation, left, missing = screen(
        tmp_path, row("sweet"), config=config, excluded={"incomplete": [3, 4], "spread": []}
    )["Plan and deviations"]
    assert "the seed paper's tests; α = 0.01, Holm over the 1 declared test: 1 one-sided;" in plan
    assert "all tastes together (greater), sweet (greater), umami (less), sour within ±0.5" in plan
    assert deviation.startswith("Deviation: the answer above is by mixed models")
    assert left == "Left out by declared rules: 2 by 'incomplete'."
    assert missing == "Deviation: umami was declared, but there are no answers to it."


@pytest.mark.parametrize(
    ("states", "must", "never"),
    [
        (["ok", "ok"], "other clips made in the same way", "only"),
        (["confounded: clip", "ok"], "these clips only", "other clips made"),
        (["singular: clip"], "with care", "only"),
        (["too few", "not converged"], "Nothing", "people"),
        (["confounded: clip; singular: participant"], "these clips only", "with care"),
    ],
)
def test_to_whom_it_generalises_follows_from_the_state(states: list[str], must: str, never: str) -> None:
    said = generalises_to([{"state": s} for s in states])
    assert must in said
    assert never not in said
    assert generalises_to([]).startswith("Nothing")


def test_what_could_have_been_found() -> None:
    rows = [{"taste": "all", "detectable": 0.5, "power": 0.8}, {"taste": "sweet", "detectable": None, "power": 0.8}]
    assert could_have_found(rows, 100) == (
        "With 80 % power a difference of 0.50 over all tastes (of 100 points); smaller ones may have been missed."
    )
    assert "can't be told" in could_have_found([], 10)
    assert (span(2, 2), span(1, 9)) == ("2", "1 to 9")


def test_simulated_answers_show_nothing_about_people(tmp_path: Path) -> None:
    assert (
        screen(tmp_path, row("all"))["Does not show"][0] == "It shows nothing about people: the answers were simulated."
    )
    people = replace(answers("person"))
    assert "simulated" not in " ".join(screen(tmp_path, row("all"), data=people)["Does not show"])
