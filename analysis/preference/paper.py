"""Task 1: is the fine-tuned model preferred? The seed paper's tests, with effect sizes.

Conventions of R's wilcox.test: zeros are dropped, ties get mid-ranks, the p-value is the normal approximation with
continuity correction (Hollander & Wolfe 1973); Bonferroni over the tastes. The rank-biserial correlation (Kerby 2014)
has a bootstrap interval over participants, because answers of one person are not independent. Beside it stands the intraclass
correlation of answers within participants. Equivalence is the robust plan's: tests on participants' means ignore the clips and say
"equivalent" far too often.
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

LARGEST_SHAPIRO = 5000  # answers, up to which the p of Shapiro and Wilk's test is known (R refuses more)


def analyse(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """Run all tests of task 1.

    Parameters
    ----------
    data : DataFrame
        `analysis.data.frames.StudyData.preference`.

    Returns
    -------
    dict
        Tables ``tests``, ``normality``, ``agreement``, ``sides``.

    Raises
    ------
    AnalysisError
        If there are no answers.
    """
    data = answered(data)
    tastes = sorted(data["taste"].unique())
    intervals = _intervals(data, middle, config)

    def test(asked: Question) -> dict[str, Any]:
        part = asked.part(data)
        scores = part["score"].to_numpy(float)
        statistic, p = signed_rank(scores, middle, asked.alternative)
        low, high = intervals.get(asked, (None, None))
        return {
            "taste": asked.taste,
            "test": "wilcoxon",
            "alternative": asked.alternative,
            "n": len(scores),
            "n_ranked": int(sum(side.sum() for side in counted(scores - middle))),
            "n_participants": int(part["participant"].nunique()),
            "mean": float(scores.mean()),
            "median": float(np.median(scores)),
            "statistic": known(statistic),
            "p": known(p),
            "p_adjusted": None,
            "effect": float(rank_biserial(*counted(scores - middle))),
            "ci_low": low,
            "ci_high": high,
            "role": asked.role,
            "state": "ok" if np.isfinite(p) else "no answer off the middle",
        }

    asked = questions(tastes, config)
    tests = [test(question) for question in asked]
    adjusted = adjust(np.array([np.nan if row["p"] is None else row["p"] for row in tests[1:]]), config.correction)
    for row, value in zip(tests[1:], adjusted, strict=True):
        row["p_adjusted"] = known(value)
    tests += [test(question) for question in _other_way(asked)]
    normality = [_normality(name, part) for name, part in _parts(data, tastes)]
    return {
        "tests": tests,
        "normality": normality,
        "agreement": _agreement(data),
        "sides": _sides(data, middle),
    }


def _intervals(
    data: pd.DataFrame, middle: float, config: AnalysisConfig
) -> dict[Question, tuple[float | None, float | None]]:
    """Intervals of all tests, from one generator.

    They draw from it in an order that does not depend on what tastes are called: over all, then by the declared hypotheses from the last
    on (in the seed study's file this is the alphabet's order, in which version 0.1 drew), then as tastes were first heard.
    """
    rng = np.random.default_rng(config.seed)
    last = [h.taste for h in reversed(config.hypotheses)]
    heard = list(dict.fromkeys(data["taste"]))
    order = {t: k for k, t in enumerate(dict.fromkeys(["all", *(t for t in last if t in heard), *heard]))}
    asked = sorted(questions(heard, config), key=lambda q: order[q.taste])
    found = {}
    for question in [*asked, *_other_way(asked)]:
        part = question.part(data)
        scores, people = part["score"].to_numpy(float), part["participant"].to_numpy()
        low, high = cluster_interval(scores, people, middle, config.resamples, rng)
        found[question] = known(low), known(high)
    return found


def _other_way(asked: list[Question]) -> list[Question]:
    """The seed paper looked at salty the other way too, uncorrected; so it is marked."""
    return [Question("salty", "less", "exploratory")] if Question("salty", "greater", "declared") in asked else []


def known(value: Any) -> float | None:
    """A finite number, or None."""
    return float(value) if np.isfinite(value) else None


def _parts(data: pd.DataFrame, tastes: list[str]) -> list[tuple[str, pd.DataFrame]]:
    return [("all", data), *((t, data[data["taste"] == t]) for t in tastes)]


def _normality(name: str, part: pd.DataFrame) -> dict[str, Any]:
    """Shapiro and Wilk's test, or why there is none."""
    from scipy import stats

    scores = part["score"].to_numpy(float)
    row = {"taste": name, "test": "shapiro-wilk", "n": len(scores), "statistic": None, "p": None}
    if len(scores) < 3:
        return row | {"state": "too few answers"}
    if np.ptp(scores) == 0:
        return row | {"state": "all answers are the same"}
    if len(scores) > LARGEST_SHAPIRO:
        return row | {"state": f"not known for more than {LARGEST_SHAPIRO} answers"}
    found = stats.shapiro(scores)
    return row | {"statistic": float(found.statistic), "p": float(found.pvalue), "state": "ok"}


def _agreement(data: pd.DataFrame) -> list[dict[str, Any]]:
    """How alike the answers of one person are: ICC(1) over trials (McGraw & Wong 1996), the reason for cluster intervals."""
    from scipy import stats

    wide = data.pivot_table(index="participant", columns="trial", values="score").dropna().to_numpy(float)
    n, k = wide.shape
    if n < 5 or k < 2 or np.ptp(wide) == 0:
        return []
    means = wide.mean(axis=1)
    between = k * float(((means - wide.mean()) ** 2).sum()) / (n - 1)
    within = float(((wide - means[:, None]) ** 2).sum()) / (n * (k - 1))
    if within <= 0:
        return []
    f, df = between / within, (n - 1, n * (k - 1))
    low, high = (f / stats.f.ppf(0.975, *df), f * stats.f.ppf(0.975, *df[::-1]))
    value, low, high = ((x - 1) / (x + k - 1) for x in (f, low, high))
    return [
        {
            "measure": "ICC(1,1) of answers within participants", "n": n, "value": float(value), "ci_low": float(low),
            "ci_high": float(high), "F": f, "p": float(stats.f.sf(f, *df)),
        }
    ]  # fmt: skip


def _sides(data: pd.DataFrame, middle: float) -> list[dict[str, Any]]:
    """Is the first or the second clip favoured, whatever its model? Two-sided, on the raw slider."""
    answers = data["answer"].to_numpy(float)
    statistic, p = signed_rank(answers, middle, "two-sided")
    first = float((data["first_model"] == data["over"]).mean())
    return [
        {
            "n": len(answers),
            "mean_answer": float(answers.mean()),
            "statistic": known(statistic),
            "p": known(p),
            "share_over_first": first,
            "state": "ok" if known(p) is not None else "all in the middle",
        }
    ]
