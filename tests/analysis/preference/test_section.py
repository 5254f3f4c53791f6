"""Task 1 in the report: no sentence that the numbers do not say, every table with its rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Equivalence
from analysis.data.compared import Conditions
from analysis.data.frames import StudyData
from analysis.page.inputs import Inputs
from analysis.page.page import Section
from analysis.page.standing import Line
from analysis.page.style import Drawn
from analysis.preference import figures, section
from tests.analysis.data.test_careless import study
from tests.analysis.preference.test_moderators import asked
from tests.analysis.preference.test_robust import unbalanced
from tests.analysis.preference.test_worth import leaning
from tests.analysis.report.study import CONDITIONS

HYPOTHESES = [
    {"taste": "sweet"}, {"taste": "sour"}, {"taste": "salty", "alternative": "greater"}, {"taste": "bitter", "alternative": "less"},
]  # fmt: skip


def data() -> StudyData:
    frame = unbalanced().assign(
        first_model="base",
        over="finetuned",
        under="base",
        clip_under=lambda d: "b" + d["clip_over"],
        answer=lambda d: d["score"],
        response_time=2.0,
    )
    frame["participant"] += 1  # as people are numbered
    frame["trial"] = frame.groupby("participant").cumcount()
    return replace(study(), preference=frame, conditions=CONDITIONS)


def three() -> StudyData:
    """Three conditions, each compared with each."""
    frame = leaning(people=30).assign(first_model=lambda d: d["under"], answer=lambda d: d["score"], response_time=2.0)
    frame["participant"] += 1
    frame["trial"] = frame.groupby("participant").cumcount()
    names = ("film", "base", "tuned")
    known = Conditions(names, {"tuned": "fine-tuned"}, pairs=(("film", "base"), ("film", "tuned"), ("base", "tuned")))
    return replace(study(), preference=frame, conditions=known)


def made(
    monkeypatch: pytest.MonkeyPatch, folder: Path, whole: StudyData, config: AnalysisConfig
) -> tuple[Section | None, list[str]]:
    """The section without drawing, and the lines that it adds to the summary."""
    for name in ("preference", "distribution", "intervals", "worth"):
        monkeypatch.setattr(figures, name, lambda *given, name=name: Drawn(name, "", "", folder / f"{name}.svg"))
    summary: list[str] = []
    given = Inputs("t", whole, config, [], [], folder, folder, "0", "0")
    return section.section(given, summary), summary


@pytest.fixture
def whole(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Section, list[str]]:
    # A bitter taste that people clearly found to fit the base model, as was declared for it.
    frame = data()
    low = frame.preference["taste"] == "bitter"
    frame.preference.loc[low, "score"] = frame.preference.loc[low, "score"].clip(upper=3)
    found, summary = made(
        monkeypatch, tmp_path, frame, AnalysisConfig(hypotheses=HYPOTHESES, resamples=200, plan="paper")
    )
    assert found is not None
    return found, summary


def table(found: Section, name: str) -> list[dict[str, Any]]:
    return next(t.rows for t in found.tables if t.name == name)


def test_the_summary_is_of_the_declared_tests_by_the_mixed_model(whole: tuple[Section, list[str]]) -> None:
    """Bitter, declared to be less, is not told as a taste that the fine-tuned model fits better."""
    found, summary = whole
    mixed = {r["taste"]: r for r in table(found, "preference_mixed")}
    assert mixed["sweet"]["p_adjusted"] < 0.05
    assert len(summary) == 1
    assert "the fine-tuned model fits better for " in summary[0]
    named = summary[0].split("the fine-tuned model fits better for ")[1].split(";")[0]
    assert "sweet" in named
    assert "bitter" not in named
    assert "preferred" not in summary[0]


def test_sentences_are_made_from_the_rows_of_the_table(whole: tuple[Section, list[str]]) -> None:
    found, _ = whole
    mixed = table(found, "preference_mixed")
    assert len(found.text) == len(mixed) == 5
    for words, row in zip(found.text, mixed, strict=True):
        assert words.startswith("Over all tastes," if row["taste"] == "all" else f"For {row['taste']}")
        assert f"95 % CI [{row['ci_low']:.2f}, {row['ci_high']:.2f}]" in words
        assert f"t({row['df']:.1f}) = {row['statistic']:.2f}" in words
        assert row["apa"].startswith(f"difference = {row['difference']:.2f}")
        assert "effect" not in row


def test_every_table_is_there_in_order(whole: tuple[Section, list[str]]) -> None:
    found, _ = whole
    assert [t.name for t in found.tables] == [
        f"preference_{n}"
        for n in (
            "mixed", "effects", "equivalence", "spread", "variances", "sensitivity", "detectable", "bias",
        )
    ]  # fmt: skip
    assert [f.name for f in found.figures] == ["intervals", "preference", "distribution"]
    assert found.how == "tastelab analysis preference --plan robust"
    assert [r["taste"] for r in table(found, "preference_detectable")] == ["all", "bitter", "salty", "sour", "sweet"]
    assert [r["bias"] for r in table(found, "preference_bias")] == ["order"]  # the base clip always came first here


def test_three_conditions_have_worths_and_bounds_of_every_pair(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    config = AnalysisConfig(resamples=100, equivalence=[Equivalence(taste="sour", bound=4.0, reason="r")])
    found, summary = made(monkeypatch, tmp_path, three(), config)
    assert found is not None
    assert [f.name for f in found.figures] == ["intervals", "worth", "preference", "distribution"]
    worths = table(found, "worth")
    assert [(r["taste"], r["condition"]) for r in worths[:3]] == [("all", c) for c in ("base", "film", "tuned")]
    assert len(worths) == 15
    (said,) = [line for line in found.text if line.startswith("Over all tastes, what each condition is worth")]
    best = max(worths[:3], key=lambda r: r["value"])
    named = {"tuned": "fine-tuned"}.get(best["condition"], best["condition"])
    assert f"with 95 % intervals: {named} {best['value']:+.2f} [{best['ci_low']:.2f}, {best['ci_high']:.2f}], " in said
    assert len([line for line in found.text if "what each condition is worth" in line]) == 5
    (triangle,) = table(found, "triangles")
    assert sorted(triangle["triangle"].split(", ")) == ["base", "film", "tuned"]
    # A bound is declared of every pair, and each pair's sentence of sour says what came of its own.
    within = [r for r in table(found, "preference_equivalence") if r["p_adjusted"] < 0.05]
    told = [line for line in found.text if isinstance(line, Line) and line.startswith("For sour") and "±4" in line]
    assert len(table(found, "preference_equivalence")) == 3
    assert len(told) == len(within) > 0
    for line in told:
        # What it says of the bound stands on the bound's own row.
        (on,) = [name for name in line.on if name.startswith("preference_equivalence.")]
        row = table(found, "preference_equivalence")[int(on.partition(".")[2])]
        assert f"±{row['bound']:g}" in line
        assert row["taste"] == "sour"
    assert len(summary) == 3
    assert not [line for line in summary if line.startswith("By taste")]  # each says which two it is about


def test_models_that_cannot_be_fitted_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    same = data()
    same.preference["score"] = same.preference["answer"] = 7.0
    found, summary = made(monkeypatch, tmp_path, same, AnalysisConfig(resamples=100))
    assert found is not None
    assert found.text[0].startswith("Over all tastes, which fits better can't be told: ")
    assert found.text[4].startswith("For sweet, which fits better can't be told: ")
    assert [r["apa"] for r in table(found, "preference_mixed")] == [""] * 5
    assert len(summary) == 1


def test_no_answers_no_section(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = replace(data(), preference=pd.DataFrame(columns=data().preference.columns))
    assert made(monkeypatch, tmp_path, bare, AnalysisConfig()) == (None, [])


def test_groups_of_people_stand_in_a_table_of_their_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    answers, people = asked()
    frame = data()
    shown = answers.assign(
        first_model="base", answer=answers["score"], response_time=2.0, over="finetuned", under="base"
    )
    shown["trial"] = shown.groupby("participant").cumcount()
    shown["clip_under"] = "b" + shown["clip_over"]
    frame = replace(frame, preference=shown, people=people.assign(status="complete"))
    found, _ = made(monkeypatch, tmp_path, frame, AnalysisConfig(hypotheses=HYPOTHESES, resamples=200))
    assert found is not None
    (groups,) = [t for t in found.tables if t.name == "moderators"]
    assert groups.title == "Do groups of people differ"
    assert "exploratory" in groups.note
    assert {(r["moderator"], r["level"]) for r in groups.rows} >= {("sex", "female"), ("hearing_experience", "amateur")}


def test_without_answers_the_sides_are_what_the_study_declares() -> None:
    bare = data()
    bare = replace(bare, preference=bare.preference.iloc[:0])
    declared = replace(
        bare, conditions=Conditions(("base", "tuned"), {"tuned": "fine-tuned"}, pairs=(("base", "tuned"),))
    )
    assert section.sides_of(declared).first == f"the {declared.conditions.spoken('base')}"
    assert section.sides_of(declared).second == f"the {declared.conditions.spoken('tuned')}"
    none = section.sides_of(replace(bare, conditions=Conditions(("base",), {})))
    assert (none.first, none.second) == ("the first", "the second")
