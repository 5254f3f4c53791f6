"""Music of wrong prompts stands for one taste and was asked for another: what compares prompts leaves it out, and says so."""

from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.data.complete import paper_rows
from analysis.data.frames import StudyData
from analysis.factors import section as factors
from analysis.page.page import Section
from analysis.preference import robust
from analysis.ratings.section import mediation_section, section
from analysis.report.origins import SOURCES
from analysis.report.reach import Pools
from analysis.report.seedpaper import section as seed_paper
from tests.analysis.report.study import answers, inputs, sketched

TASTES = ("bitter", "sweet")
LIFT = 3.0  # how much music lifts the word of the taste that it was asked for
N = 12


@cache
def rated(*conditions: str) -> StudyData:
    """Each of twelve people rates two clips a taste and condition; wrong prompts ask for the other taste than the clip stands for."""
    rng = np.random.default_rng(5)
    rows = []
    for person in range(1, N + 1):
        for trial, (condition, taste, k) in enumerate((c, t, k) for c in conditions for t in TASTES for k in (0, 1)):
            asked = taste if condition != "wrong" else TASTES[1 - TASTES.index(taste)]
            for word in (*TASTES, "cold", "happy", "hot"):
                value = float(rng.integers(1, 4)) + LIFT * (word == asked)
                rows.append((person, trial, taste, condition, f"{taste}-{condition}-{k}", word, value, 2.0))
    columns = ["participant", "trial", "prompt", "model", "clip", "adjective", "value", "response_time"]
    data = answers(people=N)
    known = replace(data.conditions, names=("base", "finetuned", "wrong"), wrong={"wrong": "finetuned"})
    return replace(data, ratings=pd.DataFrame(rows, columns=columns), conditions=known)


def tables(made: Section | None) -> dict[str, list[dict[str, Any]]]:
    assert made is not None
    return {t.name: t.rows for t in made.tables}


def test_mediation_is_of_the_taste_that_was_asked_for(tmp_path: Path) -> None:
    """The lift of three steps is found whether the wrong prompts' music was rated beside it or not."""
    with sketched():
        made = mediation_section(inputs(tmp_path, data=rated("finetuned", "wrong"), clips=[]), [])
        alone = mediation_section(inputs(tmp_path, data=rated("finetuned"), clips=[]), [])
    totals = {r["taste"]: r["total"] for r in tables(made)["mediation"]}
    assert totals == pytest.approx({"bitter": LIFT, "sweet": LIFT}, abs=0.5)
    assert {r["n"] for r in tables(made)["mediation"]} == {N * 4}
    assert made is not None
    assert alone is not None
    assert made.text[0].endswith(
        "Music of wrong prompts is left out: it was asked for other tastes than those that it stands for."
    )
    assert "wrong prompts" not in alone.text[0]


def test_the_papers_comparisons_of_prompts_are_of_the_prompts_that_were_given(tmp_path: Path) -> None:
    """Own words get three steps more, so that prompt and adjective go together; taken together with wrong prompts they would not."""
    with sketched():
        made = seed_paper(inputs(tmp_path, data=rated("finetuned", "wrong")), [])
    found = tables(made)
    terms = {r["term"]: r for r in found["anova"]}
    assert terms["Residual"]["df"] == N * 4 * 5 - 10  # ratings of right prompts, less two prompts by five words
    assert terms["prompt:adjective"]["p"] < 1e-6
    assert made is not None
    said = "Music of wrong prompts is left out of Tukey's comparisons and of the analysis of variance: it was asked for other tastes than"
    assert any(line.startswith(said) for line in made.text)
    rows = {r["analysis"]: r["rows"] for r in found["paper_flow"]}
    assert (rows["correlations and factors"], rows["Tukey"], rows["ANOVA"]) == (N * 8, N * 4, N * 4)
    with sketched():
        plain = seed_paper(inputs(tmp_path, data=rated("finetuned")), [])
    assert plain is not None
    assert not any("wrong prompts" in line for line in plain.text)


def test_who_rated_wrong_prompts_alone_is_lost_to_the_papers_comparisons() -> None:
    data = rated("finetuned", "wrong")
    ratings = data.ratings[(data.ratings["participant"] > 1) | (data.ratings["model"] == "wrong")]
    lost = {r["analysis"]: (r["lost"], r["why"]) for r in paper_rows(replace(data, ratings=ratings)).flow}
    assert lost["correlations and factors"] == (0, "")
    assert lost["Tukey"] == lost["ANOVA"] == (1, "1 with music of wrong prompts alone")


def test_mean_factor_scores_are_of_the_prompts_that_were_given(tmp_path: Path) -> None:
    data = rated("finetuned", "wrong")
    with sketched():
        made = factors.section(inputs(tmp_path, data=data, config=AnalysisConfig(resamples=100, factors=1)), [])
    bitter, sweet = tables(made)["factors_scores_by_prompt"]
    assert (bitter["n"], sweet["n"]) == (N * 2, N * 2)
    # What tells the two apart loads on the one factor: half the people's clips lie about a deviation to either side.
    assert abs(bitter["F1"] - sweet["F1"]) > 1.5
    assert made is not None
    (two,) = [f.caption for f in made.figures if f.name == "biplots"] or [f"Factor scores of {N * 4} rated clips"]
    assert f"Factor scores of {N * 4} rated clips" in two
    assert any("of wrong prompts" in line for line in made.text)


def test_where_all_rated_music_is_of_wrong_prompts_prompts_are_not_compared(tmp_path: Path) -> None:
    data = rated("wrong")
    config = AnalysisConfig(resamples=100, factors=2)
    with sketched():
        paper, factored = (
            step(inputs(tmp_path, data=data, config=config), []) for step in (seed_paper, factors.section)
        )
    assert paper is not None
    assert "Analysis of variance: not computed, all rated music is of wrong prompts." in paper.text
    assert [tables(paper)[name] for name in ("anova", "tukey")] == [[], []]
    assert tables(factored)["factors_scores_by_prompt"] == []
    assert tables(factored)["factors_loadings"] != []


def test_one_condition_in_the_tests_is_not_taken_together_with_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    none: dict[str, list[Any]] = {"own_word": [], "own_word_ordinal": [], "prompts": []}
    monkeypatch.setattr(robust, "ratings", lambda *_: none)
    with sketched():
        made, both = (
            section(inputs(tmp_path, data=rated(*names)), [])
            for names in (("finetuned", "wrong"), ("base", "finetuned", "wrong"))
        )
    assert made is not None
    assert both is not None
    assert not any("taken together" in line for line in made.text)
    assert "Conditions are not told apart here: ratings of base and fine-tuned are taken together." in both.text


def test_numbers_of_prompts_do_not_go_back_to_music_of_wrong_prompts() -> None:
    pools = Pools(rated("finetuned", "wrong"), set(), [])
    own = {f"{taste}-finetuned-{k}" for taste in TASTES for k in (0, 1)}
    row = {"adjective": "sweet", "music": "prompt"}
    for name in ("own_word", "own_word_ordinal", "prompts_mixed", "mediation", "anova", "tukey"):
        assert pools.reach(SOURCES[name], row, "p").clips == own, name
    assert len(pools.reach(SOURCES["icc"], {"item": "sweet"}, "icc_2k").clips) == 8
