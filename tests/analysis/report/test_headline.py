"""The headline on task 1 from constructed results: which tastes it names, at which level; never the opposite of the rows."""

from pathlib import Path
from typing import Any

import pytest

from analysis.config import AnalysisConfig
from analysis.preference import robust, sensitivity
from analysis.preference.section import section
from tests.analysis.report.study import answers, inputs, sketched

FIRST = {"effect": 0.5, "statistic": 3.0, "df": 20.0, "n": 16, "ci_low": 0.1, "ci_high": 0.9, "note": "", "state": "ok"}


def row(taste: str, p_adjusted: float | None, status: str = "declared", **changes: Any) -> dict[str, Any]:
    """A test whose uncorrected p is far under any level: only the corrected one can decide."""
    head = {"taste": taste, "p": 1e-6, "p_adjusted": p_adjusted, "role": status, "alternative": "greater"}
    return {**FIRST, **head, **changes}


@pytest.fixture
def headline(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """The summary's sentence for constructed tests."""

    def make(mixed: list[dict[str, Any]], **settings: Any) -> str:
        rest = {k: [] for k in ("effects", "equivalence", "spread", "variances", "sensitivity")}
        monkeypatch.setattr(robust, "preference", lambda *_: {"tests": [dict(r) for r in mixed], **rest})
        monkeypatch.setattr(sensitivity, "detectable", lambda *_, **__: [])
        summary: list[str] = []
        with sketched():
            section(inputs(tmp_path, data=answers(), config=AnalysisConfig(**settings)), summary)
        (line,) = summary
        return line

    return make


@pytest.mark.parametrize(
    ("alpha", "named", "open_"),
    [
        (0.05, "sweet, bitter", "sour"),
        (0.03, "sweet", "bitter, sour"),
        (0.04, "sweet", "bitter, sour"),
        (0.0401, "sweet, bitter", "sour"),
    ],
)
def test_only_what_is_under_the_studys_own_level_after_correction(
    headline, alpha: float, named: str, open_: str
) -> None:
    mixed = [row("sweet", 0.02), row("bitter", 0.04), row("salty", None), row("sour", 0.9)]
    assert headline(mixed, alpha=alpha) == (
        f"By taste: the fine-tuned model fits better for {named}; undecided for {open_}; can't be told for salty "
        "(4 declared tests: 4 one-sided)."
    )


def test_what_was_not_declared_is_no_headline(headline) -> None:
    assert "sweet" not in headline([row("sweet", 0.001, "exploratory"), row("bitter", 0.001)])
    assert headline([row("sweet", 0.001, "exploratory")]).startswith("No test was declared before the data")


def test_a_taste_that_fits_better_with_the_base_model_is_never_said_to_favour_the_other(headline) -> None:
    lower = {"effect": -0.5, "statistic": -3.0, "ci_low": -0.9, "ci_high": -0.1}
    said = headline(
        [
            row("bitter", 0.01, alternative="less", **lower), row("salty", 0.01, alternative="two-sided", **lower),
            row("sour", 0.01, alternative="two-sided"), row("sweet", 0.2, alternative="less", **lower),
        ]
    )  # fmt: skip
    assert "the base model fits better for bitter, salty" in said
    assert "the fine-tuned model fits better for sour;" in said
    assert "undecided for sweet" in said
