"""Task 1 in the report: no sentence that the numbers do not say, every table with its rows."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.data.frames import StudyData
from analysis.page.inputs import Inputs
from analysis.page.page import Section
from analysis.page.style import Drawn
from analysis.preference import figures, section
from tests.analysis.data.test_careless import study
from tests.analysis.preference.test_robust import unbalanced

HYPOTHESES = [
    {"taste": "sweet"}, {"taste": "sour"}, {"taste": "salty", "alternative": "greater"}, {"taste": "bitter", "alternative": "less"},
]  # fmt: skip


def data() -> StudyData:
    frame = unbalanced().assign(first_model="base", clip_base="b", answer=lambda d: d["score"], response_time=2.0)
    frame["trial"] = frame.groupby("participant").cumcount()
    return replace(study(), preference=frame)


def made(
    monkeypatch: pytest.MonkeyPatch, folder: Path, whole: StudyData, config: AnalysisConfig
) -> tuple[Section | None, list[str]]:
    """The section without drawing, and the lines that it adds to the summary."""
    for name in ("preference", "distribution", "qq"):
        monkeypatch.setattr(figures, name, lambda d, out, name=name: Drawn(name, "", "", out / f"{name}.svg"))
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


def test_the_summary_names_the_tastes_that_the_corrected_tests_found_for_the_finetuned_model(
    whole: tuple[Section, list[str]],
) -> None:
    found, summary = whole
    mixed, wilcoxon = table(found, "preference_mixed"), table(found, "preference_tests")
    # By the paper's tests sweet and bitter are found; bitter, declared to be less, speaks for the base model.
    assert {r["taste"] for r in wilcoxon[1:] if r["p_adjusted"] is not None and r["p_adjusted"] < 0.05} == {
        "sweet",
        "bitter",
    }
    assert next(r for r in mixed if r["taste"] == "sweet")["p_adjusted"] < 0.05
    assert summary == [
        "The fine-tuned model is preferred for sweet by the paper plan (one-sided, Wilcoxon, Bonferroni, α = 0.05; 36 "
        "SIMULATED sessions).",
        "The fine-tuned model is preferred for sweet by the robust plan (one-sided, mixed model, Holm, α = 0.05; 36 "
        "SIMULATED sessions).",
    ]


def test_what_only_uncorrected_tests_find_is_not_in_the_summary(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    config = AnalysisConfig(hypotheses=HYPOTHESES, resamples=200, alpha=0.01, correction="holm")
    found, summary = made(monkeypatch, tmp_path, data(), config)
    assert found is not None
    row = next(r for r in table(found, "preference_mixed") if r["taste"] == "sweet")
    assert row["p"] < 0.01 < row["p_adjusted"]
    assert summary[0].startswith(
        "The fine-tuned model is preferred for no taste by the robust plan (one-sided, mixed model, Holm, α"
    )
    assert "by the paper plan (one-sided, Wilcoxon, Holm, α = 0.01" in summary[1]
    undeclared, lines = made(monkeypatch, tmp_path, data(), AnalysisConfig(resamples=200, alpha=0.5))
    assert undeclared is not None
    assert all("preferred for no taste" in line for line in lines)  # nothing was declared, so nothing was confirmed


def test_sentences_say_what_the_rows_say(whole: tuple[Section, list[str]]) -> None:
    found, _ = whole
    mixed, wilcoxon = table(found, "preference_mixed"), table(found, "preference_tests")
    assert len(found.text) == 5 + 1 + 6
    for words, row in zip(found.text[:5], mixed, strict=True):
        assert words.startswith("Over all tastes" if row["taste"] == "all" else f"For {row['taste']} ")
        assert (
            f"{row['difference']:+.2f} points from the middle, 95 % CI [{row['ci_low']:.2f}, {row['ci_high']:.2f}]"
            in words
        )
        assert f"t({row['df']:.1f}) = {row['statistic']:.2f}" in words
        assert words.endswith(f"(mixed model, {row['alternative']}).")
        assert ("after Holm" in words) == (row["taste"] != "all")
        assert row["apa"].startswith(f"difference = {row['difference']:.2f}")
        assert "effect" not in row
    for words, row in zip(found.text[6:], wilcoxon, strict=True):
        leaning = "fine-tuned" if row["effect"] > 0 else "base"
        assert f"the answers lean to the {leaning} model: V = " in words
        assert ("(exploratory, " in words) == (row["status"] == "exploratory")
        assert f"n = {row['n']}" in words
        assert row["apa"] in words
    assert "For salty (exploratory, less) the answers" in found.text[-1]


def test_every_table_is_there_in_order(whole: tuple[Section, list[str]]) -> None:
    found, _ = whole
    assert [t.name for t in found.tables] == [
        f"preference_{n}"
        for n in (
            "mixed", "effects", "detectable", "bias", "tests", "normality", "bayes", "equivalence", "agreement", "sides",
        )
    ]  # fmt: skip
    assert [f.name for f in found.figures] == ["preference", "distribution", "qq"]
    assert found.how == "tastelab analysis preference --plan robust | paper"
    assert [r["taste"] for r in table(found, "preference_detectable")] == ["all", "bitter", "salty", "sour", "sweet"]
    assert [r["bias"] for r in table(found, "preference_bias")] == ["order"]  # the base clip always came first here
    assert table(found, "preference_sides")[0]["n"] == 216


def test_models_that_cannot_be_fitted_say_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    same = data()
    same.preference["score"] = same.preference["answer"] = 7.0
    found, summary = made(monkeypatch, tmp_path, same, AnalysisConfig(resamples=100))
    assert found is not None
    assert found.text[0] == "Over all tastes: too few answers for the model."
    assert found.text[4] == "For sweet: too few answers for the model."
    assert [r["apa"] for r in table(found, "preference_mixed")] == [""] * 5
    assert len(summary) == 2


def test_no_answers_no_section(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bare = replace(data(), preference=pd.DataFrame(columns=data().preference.columns))
    assert made(monkeypatch, tmp_path, bare, AnalysisConfig()) == (None, [])
