"""The headline on task 1 from constructed results: which tastes it names, by which plan, at which level, of whom."""

from pathlib import Path
from typing import Any

import pytest

from analysis.config import AnalysisConfig
from analysis.preference import paper, robust, sensitivity
from analysis.preference.section import section
from tests.analysis.report.study import answers, inputs, sketched

FIRST = {"effect": 0.5, "statistic": 3.0, "df": 20.0, "n": 16, "ci_low": 0.1, "ci_high": 0.9, "note": ""}


def row(taste: str, p_adjusted: float | None, status: str = "declared", **changes: Any) -> dict[str, Any]:
    """A test whose uncorrected p is far under any level: only the corrected one can decide."""
    return {
        **FIRST,
        "taste": taste,
        "p": 1e-6,
        "p_adjusted": p_adjusted,
        "status": status,
        "alternative": "greater",
        **changes,
    }


@pytest.fixture
def headline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The summary's sentences for constructed tests of both plans."""

    def make(mixed: list[dict[str, Any]], ranks: list[dict[str, Any]], kind: str = "bot", **settings: Any) -> list[str]:
        whole = row("all", None)
        empty = {k: [] for k in ("normality", "bayes", "equivalence", "agreement", "sides")}
        monkeypatch.setattr(robust, "preference", lambda *_: {"tests": [whole, *mixed], "effects": []})
        monkeypatch.setattr(paper, "analyse", lambda *_: {"tests": [whole, *ranks], **empty})
        monkeypatch.setattr(sensitivity, "detectable", lambda *_: [])
        summary: list[str] = []
        with sketched():
            section(inputs(tmp_path, data=answers(kind), config=AnalysisConfig(**settings)), summary)
        return summary

    return make


def test_each_plan_names_its_own_tastes_and_the_studys_plan_comes_first(headline) -> None:
    mixed, ranks = [row("sweet", 0.01), row("bitter", 0.2)], [row("sweet", 0.3), row("bitter", 0.02)]
    told = [
        "The fine-tuned model is preferred for sweet by the robust plan (one-sided, mixed model, Holm, α = 0.05; 4 SIMULATED sessions).",
        "The fine-tuned model is preferred for bitter by the paper plan (one-sided, Wilcoxon, Bonferroni, α = 0.05; 4 SIMULATED "
        "sessions).",
    ]  # fmt: skip
    assert headline(mixed, ranks, plan="robust") == told
    assert headline(mixed, ranks, plan="paper") == told[::-1]
    assert "Wilcoxon, Holm" in headline(mixed, ranks, correction="holm")[1]


@pytest.mark.parametrize(
    ("alpha", "named"),
    [(0.05, "sweet, bitter"), (0.03, "sweet"), (0.01, "no taste"), (0.04, "sweet"), (0.0401, "sweet, bitter")],
)
def test_only_what_is_under_the_studys_own_level_after_correction(headline, alpha: float, named: str) -> None:
    mixed = [row("sweet", 0.02), row("bitter", 0.04), row("salty", None), row("sour", 0.9)]
    assert headline(mixed, mixed, alpha=alpha)[0].startswith(f"The fine-tuned model is preferred for {named} by")


def test_what_was_not_declared_is_no_headline(headline) -> None:
    mixed = [row("sweet", 0.001, "exploratory"), row("bitter", 0.001)]
    assert "preferred for bitter by" in headline(mixed, mixed)[0]


@pytest.mark.parametrize(
    ("kind", "label"),
    [("person", "people"), ("imported", "imported"), ("bot", "SIMULATED"), ("driven", "DRIVEN TEST SESSION")],
)
def test_whose_answers_they_are(headline, kind: str, label: str) -> None:
    assert f"; 4 {label} sessions)" in headline([row("sweet", 0.01)], [row("sweet", 0.01)], kind)[0]


def test_a_taste_that_fits_better_with_the_base_model_is_never_said_to_favour_the_other(headline) -> None:
    """Declared "less" or two-sided: what decides whether a taste is named is where the answers lie."""
    lower = {"effect": -0.5, "statistic": -3.0}
    mixed = [
        row("bitter", 0.01, alternative="less", **lower), row("salty", 0.01, alternative="two-sided", **lower),
        row("sour", 0.01, alternative="two-sided"), row("sweet", 0.2, alternative="less", **lower),
    ]  # fmt: skip
    for line in headline(mixed, mixed):
        assert line.startswith("The fine-tuned model is preferred for sour by the ")
