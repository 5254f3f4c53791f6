"""Task 1: is the fine-tuned model preferred? The seed paper's tests, with effect sizes, equivalence and Bayes factors.

Conventions of R's wilcox.test: zeros are dropped, ties get mid-ranks, the p-value is the normal approximation with
continuity correction (Hollander & Wolfe 1973); Bonferroni over the tastes. The rank-biserial correlation (Kerby 2014)
has a bootstrap interval over participants, because answers of one person are not independent. Beside it, per taste:
pingouin's one-sample t-test with Bayes factor (JZS), TOST within the declared bound, and the intraclass correlation of
answers within participants.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.engines.ranks import cluster_interval, counted, rank_biserial, signed_rank
from analysis.engines.tails import adjust
from analysis.preference.questions import Question, answered, questions

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("tests", "normality", "bayes", "equivalence", "agreement", "sides")


def analyse(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """Run all tests of task 1.

    Parameters
    ----------
    data : DataFrame
        `analysis.data.frames.StudyData.preference`.

    Returns
    -------
    dict
        Tables ``tests``, ``normality``, ``bayes``, ``equivalence``, ``agreement``, ``sides``.

    Raises
    ------
    AnalysisError
        If there are no answers.
    """
    from scipy import stats

    data = answered(data)
    tastes = sorted(data["taste"].unique())
    rng = np.random.default_rng(config.seed)

    def test(asked: Question) -> dict[str, Any]:
        part = asked.part(data)
        scores, people = part["score"].to_numpy(float), part["participant"].to_numpy()
        statistic, p = signed_rank(scores, middle, asked.alternative)
        low, high = cluster_interval(scores, people, middle, config.resamples, rng)
        return {
            "taste": asked.taste,
            "test": "wilcoxon",
            "alternative": asked.alternative,
            "n": len(scores),
            "n_participants": int(part["participant"].nunique()),
            "mean": float(scores.mean()),
            "median": float(np.median(scores)),
            "statistic": float(statistic),
            "p": float(p),
            "p_adjusted": None,
            "effect": float(rank_biserial(*counted(scores - middle))),
            "ci_low": low,
            "ci_high": high,
            "status": asked.status,
        }

    asked = questions(tastes, config)
    tests = [test(question) for question in asked]
    adjusted = adjust(np.array([row["p"] for row in tests[1:]]), config.correction)
    for row, value in zip(tests[1:], adjusted, strict=True):
        row["p_adjusted"] = float(value)
    if Question("salty", "greater", "declared") in asked:
        # The seed paper looked at salty the other way too, uncorrected; so it is marked.
        tests.append(test(Question("salty", "less", "exploratory")))
    normality = []
    for name, part in [("all", data), *((t, data[data["taste"] == t]) for t in tastes)]:
        scores = part["score"].to_numpy(float)
        if len(scores) >= 3 and np.ptp(scores) > 0:
            found = stats.shapiro(scores)
            normality.append(
                {
                    "taste": name,
                    "test": "shapiro-wilk",
                    "n": len(scores),
                    "statistic": float(found.statistic),
                    "p": float(found.pvalue),
                }
            )
    return {
        "tests": tests,
        "normality": normality,
        "bayes": _bayes(data, tastes, middle),
        "equivalence": _equivalence(data, middle, config),
        "agreement": _agreement(data),
        "sides": _sides(data, middle),
    }


def _bayes(data: pd.DataFrame, tastes: list[str], middle: float) -> list[dict[str, Any]]:
    """One-sample t-test and JZS Bayes factor on participants' means, per taste."""
    import pingouin

    rows = []
    for name, part in [("all", data), *((t, data[data["taste"] == t]) for t in tastes)]:
        means = part.groupby("participant")["score"].mean().to_numpy(float)
        if len(means) < 3 or np.ptp(means) == 0:
            continue
        found = pingouin.ttest(means, middle).iloc[0]
        low, high = found["CI95"]
        rows.append(
            {
                "taste": name,
                "n": len(means),
                "t": float(found["T"]),
                "df": float(found["dof"]),
                "p": float(found["p_val"]),
                "cohen_d": float(found["cohen_d"]),
                "mean": float(means.mean()),
                "ci_low": float(low),
                "ci_high": float(high),
                "bf10": float(found["BF10"]),
            }
        )
    return rows


def _equivalence(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> list[dict[str, Any]]:
    """Two one-sided tests (pingouin.tost) of participants' means within the declared bound of the middle."""
    import pingouin

    rows = []
    for declared in config.equivalence:
        part = data[data["taste"] == declared.taste]
        means = part.groupby("participant")["score"].mean().to_numpy(float)
        if len(means) < 3 or np.ptp(means) == 0:
            continue
        found = pingouin.tost(means, middle, bound=declared.bound).iloc[0]
        rows.append(
            {
                "taste": declared.taste,
                "bound": declared.bound,
                "n": len(means),
                "df": float(found["dof"]),
                "p": float(found["pval"]),
            }
        )
    return rows


def _agreement(data: pd.DataFrame) -> list[dict[str, Any]]:
    """How alike the answers of one person are: ICC(1) over trials (pingouin), the reason for cluster intervals."""
    import pingouin

    wide = data.pivot_table(index="participant", columns="trial", values="score").dropna()
    if wide.shape[0] < 5 or wide.shape[1] < 2 or np.ptp(wide.to_numpy()) == 0:
        return []
    long = wide.reset_index().melt(id_vars="participant", var_name="trial", value_name="score")
    found = pingouin.intraclass_corr(long, targets="participant", raters="trial", ratings="score")
    row = found[found["Type"].isin(["ICC1", "ICC(1,1)"])].iloc[0]
    low, high = row["CI95"]
    return [
        {
            "measure": "ICC(1,1) of answers within participants",
            "n": len(wide),
            "value": float(row["ICC"]),
            "ci_low": float(low),
            "ci_high": float(high),
            "F": float(row["F"]),
            "p": float(row["pval"]),
        }
    ]


def _sides(data: pd.DataFrame, middle: float) -> list[dict[str, Any]]:
    """Is the first or the second clip favoured, whatever its model? Two-sided, on the raw slider."""
    answers = data["answer"].to_numpy(float)
    statistic, p = signed_rank(answers, middle, "two-sided")
    first = float((data["first_model"] == "finetuned").mean())
    return [
        {
            "n": len(answers),
            "mean_answer": float(answers.mean()),
            "statistic": float(statistic),
            "p": float(p),
            "share_finetuned_first": first,
        }
    ]
