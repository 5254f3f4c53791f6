"""The section on factors from constructed results: the headline that they must give, and what stands under which title."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.factors import paper, trust
from analysis.factors.section import explained, section
from tests.analysis.factors.test_paper import rated
from tests.analysis.report.study import answers, inputs, sketched


def tables(
    kept: int, used: int, cumulative: list[float], notes: list[str] | None = None
) -> dict[str, list[dict[str, Any]]]:
    names = [f"F{k + 1}" for k in range(used)]
    loads = [
        {"item": f"i{k}", **{f: 0.7 if k % used == j else 0.1 for j, f in enumerate(names)}, "uniqueness": 0.5}
        for k in range(6)
    ]
    return {
        "retention": [{"method": "parallel", "n_factors": kept}, {"method": "kaiser", "n_factors": 9}, {"method": "used", "n_factors": used}],
        "eigenvalues": [{"index": k, "actual": 3.0 / k, "threshold": 1.0} for k in range(1, 4)],
        "adequacy": [{"measure": "KMO", "value": 0.7}], "loadings": loads,
        "phi": [{"factor1": a, "factor2": b, "r": 0.3} for i, a in enumerate(names) for b in names[i + 1 :]],
        "variance": [
            {"factor": f, "phi_weighted": 6 * (c - b), "proportion": 0.011, "cumulative": 0.5 * c}
            for f, b, c in zip(names, [0.0, *cumulative], cumulative, strict=False)
        ],
        "scores_by_prompt": [{"prompt": "sweet", "n": 2}],
        "scores": [{"prompt": "sweet" if k else "sour", **{f: k / 3 - 1 + j for j, f in enumerate(names)}} for k in range(6)],
        "notes": [{"note": n} for n in notes or []],
    }  # fmt: skip


STRUCTURE = {
    "loading_intervals": [], "reliability": [{"omega_h": 0.51}], "subscales": [{"factor": "F1"}], "second_order": [{"G1": 0.5}],
    "groups": [{"congruence": 0.9}], "invariance": [{"step": "metric"}], "notes": [{"note": "omega: not computed"}],
}  # fmt: skip


@pytest.fixture
def told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def make(plain: dict[str, Any], ordered: dict[str, Any] | Exception, **changes: Any):
        def analyse(ratings: Any, n_factors: Any, seed: int, ordinal: bool = False, wrong: Any = ()) -> dict[str, Any]:
            if ordinal and isinstance(ordered, Exception):
                raise ordered
            return plain if isinstance(ordered, Exception) or not ordinal else ordered

        monkeypatch.setattr(paper, "analyse", analyse)
        given = {"config": changes.pop("config")} if "config" in changes else {}
        monkeypatch.setattr(trust, "analyse", lambda *_: {**STRUCTURE, **changes})
        summary: list[str] = []
        with sketched():
            made = section(inputs(tmp_path, **given), summary)
        assert made is not None
        return summary, made

    return make


def test_headline_says_what_was_kept_what_was_used_and_what_they_explain(told) -> None:
    summary, made = told(tables(3, 2, [0.25, 0.4321]), tables(2, 2, [0.3, 0.5]))
    assert summary == [
        "Parallel analysis keeps 3 factors; the adjectives carry 2 at most, which explain 43 % of the variance (8 rated clips)."
    ]
    assert made.text == [
        "omega: not computed.",
        "Taken as ordered answers (polychoric correlations), parallel analysis keeps 2 factors instead of 3.",
    ]
    _, same = told(tables(3, 2, [0.25, 0.4321], ["Heywood case: i1"]), tables(3, 3, [0.3, 0.5, 0.6]))
    assert same.text == [
        "Heywood case: i1.", "omega: not computed.",
        "Taken as ordered answers (polychoric correlations), parallel analysis keeps 3 factors, as many.",
    ]  # fmt: skip
    _, failed = told(tables(3, 2, [0.25, 0.4]), AnalysisError("too few"))
    assert failed.text[-1] == "On polychoric correlations: not run, too few."
    assert "factors_ordinal_loadings" not in {t.name for t in failed.tables}


def test_factors_that_correlate_explain_what_psych_says() -> None:
    """fa(likert[, 1:9], 3, fm = "ml", rotate = "oblimin")$Vaccounted["Cumulative Var", 3]; the pattern's squares alone: .552."""
    assert explained(paper.analyse(rated(), 3, 0)) == pytest.approx(0.5699862950, abs=1e-5)


def test_one_factor_is_one(told) -> None:
    """Of ordered answers, and under the figure."""
    for kept, said in ((1, "1 factor"), (0, "no factor"), (2, "2 factors")):
        plain = tables(kept, max(kept, 1), [0.25, 0.4][: max(kept, 1)])
        _, made = told(plain, plain)
        assert made.text[-1].endswith(f"parallel analysis keeps {said}, as many.")
        assert made.figures[0].caption == f"Parallel analysis keeps {said} (n = 8 rated clips)."


def test_headline_says_by_whose_rule_so_many_are_used(told, tmp_path: Path) -> None:
    """Six adjectives carry two factors: (6 - 1) / 2, rounded down."""
    for kept, used, asked, said in (
        (2, 2, "parallel", "Parallel analysis keeps 2 factors of the adjectives, which explain 43 %"),
        (1, 1, "parallel", "Parallel analysis keeps 1 factor of the adjectives, which explains 43 %"),
        (2, 1, 1, "Parallel analysis keeps 2 factors; the study file asks for 1, which explains 43 %"),
        (2, 2, 2, "Parallel analysis keeps 2 factors of the adjectives, which explain 43 %"),
        (0, 1, "parallel", "Parallel analysis keeps no factor; 1 is taken nevertheless, which explains 43 %"),
    ):
        plain = tables(kept, used, [0.25, 0.4321][-used:])
        (line,), _ = told(plain, plain, config=AnalysisConfig(resamples=100, factors=asked))
        assert str(line) == f"{said} of the variance (8 rated clips)."


def test_tables_stand_under_their_titles(told) -> None:
    plain, ordered = tables(3, 2, [0.25, 0.4]), tables(2, 2, [0.3, 0.5])
    _, made = told(plain, ordered)
    titles = {
        "factors_retention": ("How many factors", plain["retention"]),
        "factors_adequacy": ("Is the matrix fit for factor analysis?", plain["adequacy"]),
        "factors_variance": ("Variance explained", plain["variance"]),
        "factors_loadings": ("Pattern loadings", plain["loadings"]),
        "factors_phi": ("Correlations of factors", plain["phi"]),
        "factors_scores_by_prompt": ("Mean factor scores by prompt", plain["scores_by_prompt"]),
        "factors_loading_intervals": ("Loadings with intervals", []),
        "factors_reliability": ("Reliability of all items", STRUCTURE["reliability"]),
        "factors_subscales": ("Reliability of the factors' items", STRUCTURE["subscales"]),
        "factors_second_order": ("Factors above the factors", STRUCTURE["second_order"]),
        "factors_groups": ("The same factors in two groups?", STRUCTURE["groups"]),
        "factors_invariance": ("Measurement invariance", STRUCTURE["invariance"]),
        "factors_ordinal_retention": ("How many factors of ordered answers", ordered["retention"]),
        "factors_ordinal_loadings": ("Pattern loadings on polychoric correlations", ordered["loadings"]),
    }
    assert {t.name: (t.title, t.rows) for t in made.tables} == titles
    assert [t.name for t in made.tables] == list(titles)


def test_figures_that_the_numbers_allow(told) -> None:
    two = tables(2, 2, [0.25, 0.4])
    rows = [
        {"item": "i", "factor": f, "loading": 0.5, "ci_low": 0.1, "ci_high": 0.9, "resamples": 20} for f in ("F1", "F2")
    ]
    assert [f.name for f in told(two, two)[1].figures] == ["scree", "loadings", "diagram", "biplots"]
    assert [f.name for f in told(two, two, loading_intervals=rows)[1].figures][-1] == "loading_intervals"
    one = tables(1, 1, [0.25])
    assert [f.name for f in told(one, one)[1].figures] == ["scree", "loadings", "diagram"]


def test_what_can_not_be_factored_says_why(tmp_path: Path) -> None:
    summary: list[str] = []
    made = section(inputs(tmp_path), summary)
    assert made is not None
    assert made.text == ["Not run: 8 completely rated clips are too few for a factor analysis of 3 items."]
    assert (made.tables, made.figures, summary) == ([], [], [])
    data = answers()
    assert section(inputs(tmp_path, data=replace(data, ratings=data.ratings.iloc[:0])), []) is None
