"""The factor analysis of rated clips: psych's numbers in tables, each score under its own prompt, and data that is not fit for it."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.errors import AnalysisError
from analysis.factors import paper
from analysis.factors.paper import analyse, prepare
from tests.analysis.factors.test_extraction import LIKERT, PHI, SCORES, THREE, UNIQUE

X = LIKERT.to_numpy(float)
ITEMS = [f"{k}{n}" for k, n in enumerate(LIKERT.columns)]  # sorted as they stand


def rated(x: np.ndarray = X, items: list[str] = ITEMS) -> pd.DataFrame:
    """Rows as rated clips, the first two of the prompt sweet, all others sour."""
    long = [
        (i, 0, "sweet" if i < 2 else "sour", "m", f"c{i}", item, v)
        for i, row in enumerate(x)
        for item, v in zip(items, row, strict=True)
    ]
    return pd.DataFrame(long, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value"])


@pytest.fixture(scope="module")
def tables() -> dict[str, list[dict]]:
    return analyse(rated(), 3, 0)


def test_tables_hold_psychs_solution(tables: dict[str, list[dict]]) -> None:
    """fa(likert[, 1:9], 3, fm = "ml", rotate = "oblimin"), as quoted beside the extraction."""
    assert [r["item"] for r in tables["loadings"]] == ITEMS
    assert np.array([[r[f"F{k}"] for k in (1, 2, 3)] for r in tables["loadings"]]) == pytest.approx(THREE, abs=1e-4)
    assert [r["uniqueness"] for r in tables["loadings"]] == pytest.approx(UNIQUE, abs=1e-4)
    assert [(r["factor1"], r["factor2"]) for r in tables["phi"]] == [("F1", "F2"), ("F1", "F3"), ("F2", "F3")]
    assert [r["r"] for r in tables["phi"]] == pytest.approx(PHI, abs=1e-4)


def test_variance_is_psychs_and_that_of_the_loadings(tables: dict[str, list[dict]]) -> None:
    rows = tables["variance"]
    assert [r["factor"] for r in rows] == ["F1", "F2", "F3"]
    assert [r["phi_weighted"] for r in rows] == pytest.approx([2.0072179883, 1.7439142774, 1.3787443891], abs=1e-4)
    square = (THREE**2).sum(axis=0)
    assert [r["ss_loadings"] for r in rows] == pytest.approx(square, abs=1e-3)
    assert [r["proportion"] for r in rows] == pytest.approx(square / 9, abs=1e-3)
    assert [r["cumulative"] for r in rows] == pytest.approx(np.cumsum(square) / 9, abs=1e-3)


def test_scores_are_psychs_and_mean_scores_their_prompts(tables: dict[str, list[dict]]) -> None:
    scores = np.array([[r[f"F{k}"] for k in (1, 2, 3)] for r in tables["scores"]])
    assert scores[:3] == pytest.approx(np.array(SCORES), abs=1e-3)
    assert [r["prompt"] for r in tables["scores"]] == ["sweet"] * 2 + ["sour"] * 298
    sour, sweet = tables["scores_by_prompt"]
    assert (sour["prompt"], sour["n"], sweet["prompt"], sweet["n"]) == ("sour", 298, "sweet", 2)
    assert [sweet[f"F{k}"] for k in (1, 2, 3)] == pytest.approx(np.mean(SCORES[:2], axis=0), abs=1e-3)
    assert [298 * sour[f"F{k}"] + 2 * sweet[f"F{k}"] for k in (1, 2, 3)] == pytest.approx([0, 0, 0], abs=1e-8)


def test_number_of_factors_by_each_rule(tables: dict[str, list[dict]]) -> None:
    found = {r["method"]: r["n_factors"] for r in tables["retention"]}
    eigenvalues = np.linalg.eigvalsh(np.corrcoef(X, rowvar=False))
    assert found == {"parallel": 3, "kaiser": int((eigenvalues > 1).sum()), "used": 3}
    rows = tables["eigenvalues"]
    assert [r["index"] for r in rows] == list(range(1, 10))
    assert [r["actual"] > r["threshold"] for r in rows][:4] == [True, True, True, False]
    assert [r["measure"] for r in tables["adequacy"]] == ["KMO", "Bartlett's chi-square"]


@pytest.mark.parametrize(
    ("asked", "kept", "used"),
    [(2, 3, 2), ("parallel", 3, 3), ("parallel", 0, 1), (4, 3, 4), ("parallel", 7, 4), (1, 3, 1)],
)
def test_no_more_factors_than_their_items_allow(
    monkeypatch: pytest.MonkeyPatch, asked: int | str, kept: int, used: int
) -> None:
    """Nine items: four at most; parallel analysis that keeps none: one."""
    one = np.ones(9)
    monkeypatch.setattr(paper, "parallel_analysis", lambda *_: (kept, one, one))
    rows = {r["method"]: r["n_factors"] for r in analyse(rated(), asked, 0)["retention"]}
    assert (rows["parallel"], rows["used"]) == (kept, used)


@pytest.mark.parametrize(("items", "used"), [(3, 1), (4, 1), (5, 2), (6, 2)])
def test_few_items_have_few_factors(items: int, used: int) -> None:
    """Two factors of four items have -1 degrees of freedom, of five 1: ((p - k)^2 - (p + k)) / 2."""
    few = rated(X[:, :items], ITEMS[:items])
    assert analyse(few, used, 0)["retention"][-1] == {"method": "used", "n_factors": used}
    with pytest.raises(AnalysisError, match=f"they carry {used} at most"):
        analyse(few, used + 1, 0)


def test_ordered_answers_have_polychoric_correlations() -> None:
    """psych: polychoric(x, correct = 0)$rho[2, 1] = 0.5622819571; Pearson's r is smaller."""
    plain, ordered = prepare(rated()), prepare(rated(), ordinal=True)
    assert ordered.r[1, 0] == pytest.approx(0.5622819571, abs=5e-5)
    assert plain.r == pytest.approx(np.corrcoef(X, rowvar=False))
    assert plain.r[1, 0] < ordered.r[1, 0]
    assert plain.items == tuple(ITEMS)
    assert plain.answers.tolist() == X.tolist()


def test_ordinal_analysis_takes_the_ordinal_number_of_factors(monkeypatch: pytest.MonkeyPatch) -> None:
    nine = np.ones(9)
    monkeypatch.setattr(paper, "ordinal_parallel", lambda *_: (2, nine, nine))
    found = analyse(rated(), "parallel", 0, ordinal=True)
    assert [r["n_factors"] for r in found["retention"]][::2] == [2, 2]
    assert found["loadings"][0]["F1"] != pytest.approx(analyse(rated(), 2, 0)["loadings"][0]["F1"], abs=1e-3)


def test_a_heywood_case_is_named_and_no_other_item() -> None:
    rng = np.random.default_rng(0)
    latent = rng.normal(size=300)
    x = np.column_stack(
        [latent * 0.4 + rng.normal(size=300) for _ in range(6)]
        + [latent + 0.01 * rng.normal(size=300) for _ in range(2)]
    )
    notes = analyse(rated(x, list("abcdefgh")), 1, 0)["notes"]
    assert [n["note"] for n in notes] == [
        f"Heywood case: the uniqueness of {i} lies on its bound of 0.005; its loadings are uncertain" for i in "gh"
    ]
    assert analyse(rated(), 3, 0)["notes"] == []


def test_what_is_not_fit_for_factors_is_one_clear_line() -> None:
    with pytest.raises(AnalysisError, match="26 completely rated clips are too few for a factor analysis of 9 items"):
        prepare(rated(X[:26]))
    assert len(prepare(rated(X[:27])).wide) == 27
    incomplete = rated(X[:28])
    incomplete.loc[0, "value"] = np.nan
    assert len(prepare(incomplete).wide) == 27  # a clip with a missing answer is left out whole
    flat = X.copy()
    flat[:, 2] = 4
    with pytest.raises(AnalysisError, match=f"answers to {ITEMS[2]} never vary"):
        prepare(rated(flat))
    double = X.copy()
    double[:, 5] = -2 * double[:, 1] + 7
    with pytest.raises(AnalysisError, match=rf"singular.*{ITEMS[1]} and {ITEMS[5]}, r = -1.000"):
        prepare(rated(double))


@pytest.mark.parametrize("items", [1, 2])
def test_fewer_than_three_adjectives_have_no_factor(items: int) -> None:
    """((p - 1)^2 - (p + 1)) / 2 degrees of freedom: -1 of two items, 0 of three."""
    with pytest.raises(AnalysisError, match=f"needs 3 adjectives at least; rated: {', '.join(ITEMS[:items])}$"):
        prepare(rated(X[:, :items], ITEMS[:items]))
    assert len(prepare(rated(X[:, :3], ITEMS[:3])).items) == 3


def test_a_search_that_was_broken_off_is_said(tables: dict[str, list[dict]], monkeypatch: pytest.MonkeyPatch) -> None:
    assert tables["notes"] == []
    extract = paper.extract
    monkeypatch.setattr(paper, "extract", lambda *given: replace(extract(*given), state="not converged"))
    (note,) = analyse(rated(), 3, 0)["notes"]
    assert note["note"].startswith("The search for the loadings did not converge")


def test_more_factors_than_the_items_carry_are_refused() -> None:
    """Nine items carry four: (9 - 1) / 2."""
    with pytest.raises(AnalysisError, match=r"5 factors of 9 adjectives: they carry 4 at most"):
        analyse(rated(), 5, 0)
    assert analyse(rated(), 4, 0)["retention"][-1] == {"method": "used", "n_factors": 4}
