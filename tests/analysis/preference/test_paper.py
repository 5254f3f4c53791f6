"""The seed paper's tests of task 1: what is asked, of whom, in which direction, and how it is corrected."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig, Hypothesis
from analysis.errors import AnalysisError
from analysis.preference.paper import analyse


def _frame(n: int = 40, lift: float = 1.0) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    rows = []
    for person in range(n):
        for trial, taste in enumerate(("bitter", "salty", "sour", "sweet"), start=1):
            score = float(np.clip(round(rng.normal(5 + lift * (taste != "salty"), 2)), 0, 10))
            first = "base" if (person + trial) % 2 else "finetuned"
            answer = score if first == "base" else 10 - score
            rows.append((person + 1, trial, taste, first, "a", "b", answer, score))
    columns = ["participant", "trial", "taste", "first_model", "clip_under", "clip_over", "answer", "score"]
    return pd.DataFrame(rows, columns=columns).assign(over="finetuned", under="base")


DECLARED = AnalysisConfig(
    hypotheses=[
        Hypothesis(taste="all"), Hypothesis(taste="sour"), Hypothesis(taste="bitter", alternative="less"), Hypothesis(taste="salty"),
    ],
    resamples=100, seed=5,
)  # fmt: skip
TABLES = analyse(_frame(), 5, DECLARED)


def _tests(tables: dict[str, list[dict[str, Any]]]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(r["taste"], r["alternative"]): r for r in tables["tests"]}


def test_every_taste_is_tested_in_its_declared_direction() -> None:
    """R 4.2.2: wilcox.test(score, mu = 5, alternative = ..., exact = FALSE) of all answers and of each taste's."""
    wanted = [
        ("all", "greater", 160, 6125, 3.242611406931e-05, "declared"),
        ("bitter", "less", 40, 434, 0.9762825239155, "declared"),
        ("salty", "greater", 40, 268, 0.4735079780937, "declared"),
        ("sour", "greater", 40, 532, 0.0001694488028307, "declared"),
        ("sweet", "two-sided", 40, 345, 0.019030183929, "exploratory"),
        ("salty", "less", 40, 268, 0.53404481537, "exploratory"),
    ]
    assert [(r["taste"], r["alternative"], r["n"], r["statistic"], r["role"]) for r in TABLES["tests"]] == [
        (*w[:4], w[5]) for w in wanted
    ]
    assert [r["p"] for r in TABLES["tests"]] == pytest.approx([w[4] for w in wanted], rel=1e-10)
    assert [r["test"] for r in TABLES["tests"]] == ["wilcoxon"] * 6
    assert [r["n_participants"] for r in TABLES["tests"]] == [40] * 6
    # V ranks the answers off the middle alone.
    scores = _frame().query("score != 5")["taste"].value_counts()
    off = {"all": int(scores.sum()), **scores.to_dict()}
    assert off["all"] < 160
    assert [r["n_ranked"] for r in TABLES["tests"]] == [off[w[0]] for w in wanted]


@pytest.mark.parametrize("method", ["bonferroni", "holm"])
def test_the_four_tastes_are_corrected_for_each_other_and_nothing_else(method: str) -> None:
    """R: p.adjust(c(bitter, salty, sour, sweet), method); the overall test and the look the other way stay as they are."""
    rows = analyse(_frame(), 5, DECLARED.model_copy(update={"correction": method}))["tests"]
    wanted = {
        "bonferroni": [1, 1, 0.0006777952113228, 0.076120735716],
        "holm": [0.9762825239155, 0.9470159561874, 0.0006777952113228, 0.057090551787],
    }
    assert [r["p_adjusted"] for r in rows[1:5]] == pytest.approx(
        [min(1, max(w, 0.9470159561874)) if method == "holm" and k == 0 else w for k, w in enumerate(wanted[method])]
    )
    assert rows[0]["p_adjusted"] is None
    assert rows[5]["p_adjusted"] is None


def test_salty_is_looked_at_the_other_way_only_where_it_was_declared_greater() -> None:
    for hypotheses in ([], [Hypothesis(taste="salty", alternative="less")], [Hypothesis(taste="sweet")]):
        rows = analyse(_frame(), 5, AnalysisConfig(hypotheses=hypotheses, resamples=100))["tests"]
        assert [r["taste"] for r in rows] == ["all", "bitter", "salty", "sour", "sweet"]


def test_effects_and_intervals_are_those_of_the_taste() -> None:
    """Rank-biserial by hand: 2 V / (n (n + 1) / 2) - 1 with n answers off the middle; intervals hold people together."""
    frame = _frame()
    for row in TABLES["tests"]:
        part = frame if row["taste"] == "all" else frame[frame["taste"] == row["taste"]]
        n = int((part["score"] != 5).sum())
        assert row["effect"] == pytest.approx(4 * row["statistic"] / (n * (n + 1)) - 1)
        assert row["ci_low"] < row["effect"] < row["ci_high"]
        assert row["mean"] == pytest.approx(part["score"].sum() / len(part))
        assert row["median"] == part["score"].quantile(0.5)
    twice = analyse(frame, 5, DECLARED)
    assert twice["tests"] == TABLES["tests"]
    other = analyse(frame, 5, DECLARED.model_copy(update={"seed": 6}))
    assert other["tests"][0]["ci_low"] != TABLES["tests"][0]["ci_low"]


def test_the_overall_interval_draws_people_not_answers() -> None:
    """Everybody answers alike four times: the interval is as wide as that of a quarter of the answers."""
    one = _frame().query("taste == 'sour'")
    four = pd.concat([one.assign(taste=t) for t in ("bitter", "salty", "sour", "sweet")])
    config = AnalysisConfig(resamples=2000)
    alone, together = (analyse(d, 5, config)["tests"][0] for d in (one, four))
    assert together["effect"] == pytest.approx(alone["effect"], abs=0.02)
    width = alone["ci_high"] - alone["ci_low"]
    assert together["ci_high"] - together["ci_low"] == pytest.approx(width, rel=0.1)


def test_normality_is_shapiro_test_of_r() -> None:
    """shapiro.test(score): of all answers and of each taste's"""
    wanted = {
        "all": (0.9715788595359, 0.002209135258312), "bitter": (0.9605815430558, 0.1753380198757),
        "salty": (0.9609503850623, 0.1804912100981), "sour": (0.9654572242174, 0.2560992974264),
        "sweet": (0.948692964886, 0.06837612828773),
    }  # fmt: skip
    assert {r["taste"]: (r["statistic"], r["p"]) for r in TABLES["normality"]} == {
        t: pytest.approx(w, rel=1e-4) for t, w in wanted.items()
    }
    assert [r["n"] for r in TABLES["normality"]] == [160, 40, 40, 40, 40]
    few = analyse(_frame(3), 5, DECLARED)["normality"]
    assert {r["taste"]: r["n"] for r in few}["sour"] == 3  # the fewest that Shapiro and Wilk's test takes
    assert [r["taste"] for r in analyse(_frame(2), 5, DECLARED)["normality"] if r["p"] is not None] == ["all"]


def test_agreement_is_psychs_icc() -> None:
    """psych: ICC(people x trials, lmer = FALSE)$results[1, ]"""
    (row,) = TABLES["agreement"]
    assert row["value"] == pytest.approx(0.02328615696863, rel=1e-9)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((-0.08812373974593, 0.1837757276336), rel=1e-9)
    assert (row["F"], row["p"], row["n"]) == pytest.approx((1.095365319678, 0.3463473042606, 40), rel=1e-9)
    assert analyse(_frame(4), 5, DECLARED)["agreement"] == []
    assert len(analyse(_frame(5), 5, DECLARED)["agreement"]) == 1


def test_the_side_is_tested_on_the_slider_as_it_stood() -> None:
    """R: wilcox.test(answer, mu = 5, exact = FALSE)"""
    (row,) = TABLES["sides"]
    assert (row["mean_answer"], row["statistic"], row["n"]) == (5.26875, 4985, 160)
    assert row["p"] == pytest.approx(0.1704993084056, rel=1e-9)
    assert row["share_over_first"] == 0.5
    frame = _frame()
    frame.loc[frame["trial"] > 1, "first_model"] = "finetuned"
    assert analyse(frame, 5, DECLARED)["sides"][0]["share_over_first"] == pytest.approx(
        (120 + 20) / 160
    )  # half of the first trials already had it


def test_missing_answers_are_left_out_everywhere() -> None:
    frame = _frame()
    gone = frame.assign(score=frame["score"].where(frame["participant"] != 3), answer=frame["answer"])
    less = frame[frame["participant"] != 3]
    assert analyse(gone, 5, DECLARED) == analyse(less, 5, DECLARED)


def test_no_answers_is_one_clear_line() -> None:
    with pytest.raises(AnalysisError, match="no preference answers"):
        analyse(_frame().iloc[:0], 5, AnalysisConfig())


def test_normality_is_said_where_it_can_not_be_tested() -> None:
    """R's shapiro.test takes 3 to 5000 values that differ."""
    frame = _frame(1)
    rows = {r["taste"]: r for r in analyse(frame, 5, DECLARED)["normality"]}
    assert rows["all"]["state"] == "ok"
    assert (rows["sour"]["p"], rows["sour"]["state"]) == (None, "too few answers")
    same = {r["taste"]: r for r in analyse(_frame().assign(score=6.0), 5, DECLARED)["normality"]}
    assert {r["state"] for r in same.values()} == {"all answers are the same"}
    many = {r["taste"]: r for r in analyse(_frame(1251), 5, DECLARED)["normality"]}
    assert (many["all"]["n"], many["all"]["p"]) == (5004, None)
    assert "5000" in many["all"]["state"]
    assert many["sour"]["state"] == "ok"


def test_answers_that_are_all_in_the_middle_or_on_one_side_have_no_interval() -> None:
    level = analyse(_frame().assign(score=5.0), 5, DECLARED)["tests"]
    assert {(r["statistic"], r["p"], r["p_adjusted"], r["ci_low"]) for r in level} == {(None, None, None, None)}
    high = analyse(_frame().assign(score=8.0), 5, DECLARED)["tests"]
    assert {(r["effect"], r["ci_low"], r["ci_high"]) for r in high} == {(1.0, None, None)}
    assert ({r["state"] for r in level}, {r["state"] for r in high}) == ({"no answer off the middle"}, {"ok"})


def test_sides_of_answers_that_are_all_in_the_middle_say_so() -> None:
    """One person with one pair a taste, who left the slider where it was: no p, and why."""
    from benchmarks.grid import made

    data = made(1, 6, 2).preference.assign(answer=5.0, score=5.0)
    (row,) = analyse(data, 5.0, AnalysisConfig(plan="paper"))["sides"]
    assert (row["p"], row["state"], row["mean_answer"]) == (None, "all in the middle", 5.0)
    (row,) = analyse(data.assign(answer=[1.0, 2.0, 3.0, 4.0, 5.0]), 5.0, AnalysisConfig(plan="paper"))["sides"]
    assert row["state"] == "ok"
    assert row["p"] == pytest.approx(
        0.1003482, rel=1e-5
    )  # R: wilcox.test(c(-4, -3, -2, -1), exact = FALSE): (5 - .5) / sqrt(7.5)
