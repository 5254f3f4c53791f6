"""Task 2: which adjectives does a taste's music call up? The seed paper's ANOVA, Tukey's test, means, correlations.

Type-I sums of squares (R's anova(aov(...))): main effects in the listed order, the interaction last. Tukey-Kramer with
the error of the fitted additive model, as R's TukeyHSD(aov(value ~ prompt + adjective + hearing_experience)): for
later factors of an unbalanced design the differences are of sequentially adjusted means (R: model.tables).
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.complete import describe, men_and_women
from analysis.data.frames import rated_clips, settled
from analysis.errors import AnalysisError
from analysis.ratings.reliability import agreement

if TYPE_CHECKING:
    import pandas as pd

TERMS = ("prompt", "adjective", "hearing_experience", "eating_experience", "sex")


def model_frame(ratings: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Join answers with demographics as the seed paper did: men and women only, levels of one person dropped."""
    return men_and_women(describe(ratings.dropna(subset=["value"]), people))[0]


def anova(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Type-I ANOVA of value on prompt * adjective and the demographics that are there, with R's degrees of freedom.

    A column that follows from those before it takes no degree of freedom, a term of such columns alone is left out (R's anova of
    lm): the models are statsmodels' by their ranks, whose own anova_lm counts both.

    Raises
    ------
    AnalysisError
        If nothing varies, or nothing is left to compare with.
    """
    from scipy import stats
    from statsmodels.regression.linear_model import OLS

    terms = [t for t in TERMS if t in frame and frame[t].nunique() > 1]
    if not terms:
        raise AnalysisError("ratings vary over neither prompts nor adjectives; nothing can be compared")
    columns = {t: _indicators(frame[t].to_numpy()) for t in terms}
    if "prompt" in terms and "adjective" in terms:
        a, b = columns["prompt"], columns["adjective"]
        columns["prompt:adjective"] = (a[:, :, None] * b[:, None, :]).reshape(len(frame), -1)
    y = frame["value"].to_numpy(float)
    # One model after the other, each by its rank: what aliased columns would add is nothing.
    design = np.ones((len(y), 1))
    before = OLS(y, design).fit()
    total = float(before.ssr)
    steps = []
    for name, block in columns.items():
        design = np.hstack([design, block])
        after = OLS(y, design).fit()
        k = round(before.df_resid - after.df_resid)
        if k:
            steps.append((name, k, float(before.ssr - after.ssr)))
        before = after
    df, residual = round(before.df_resid), float(before.ssr)
    if df < 1 or residual <= 1e-12 * max(total, len(y)):
        why = "more people are needed" if df < 1 else "they do not vary beside these"
        raise AnalysisError(
            f"{len(frame)} ratings leave nothing to compare prompts and adjectives with (no residual); {why}"
        )
    error = residual / df
    rows: list[dict[str, Any]] = [
        {
            "term": name, "df": float(k), "sum_sq": square, "mean_sq": square / k, "F": square / k / error,
            "p": float(stats.f.sf(square / k / error, k, df)), "partial_eta_sq": square / (square + residual),
        }
        for name, k, square in steps
    ]  # fmt: skip
    nothing = dict.fromkeys(("F", "p", "partial_eta_sq"))
    return [*rows, {"term": "Residual", "df": float(df), "sum_sq": residual, "mean_sq": error, **nothing}]


def _indicators(values: np.ndarray) -> np.ndarray:
    """A column of ones and zeros for each level but the first, (rows, levels - 1)."""
    levels, at = np.unique(values.astype(str), return_inverse=True)
    return np.asarray(np.eye(len(levels))[at][:, 1:])


def tukey(frame: pd.DataFrame, level: float = 0.95) -> list[dict[str, Any]]:
    """Tukey-Kramer comparisons within prompt, adjective and hearing experience on the additive model's error."""
    import pandas as pd
    from scipy import stats

    terms = [t for t in TERMS[:3] if t in frame and frame[t].nunique() > 1]
    y = frame["value"].to_numpy(float)
    design = np.ones((len(y), 1))
    fitted = np.full(len(y), y.mean())
    projections = {}
    for term in terms:
        design = np.hstack([design, pd.get_dummies(frame[term], drop_first=True).to_numpy(float)])
        now = design @ np.linalg.lstsq(design, y, rcond=None)[0]
        projections[term] = now - fitted
        fitted = now
    df = len(y) - int(np.linalg.matrix_rank(design))
    if df < 1 or not np.ptp(y - fitted) > 1e-9:
        return []
    error = float(((y - fitted) ** 2).sum() / df)
    rows = []
    for term in terms:
        groups = frame[term].to_numpy()
        levels = sorted(pd.unique(groups))
        effects = {g: float(projections[term][groups == g].mean()) for g in levels}
        counts = {g: int((groups == g).sum()) for g in levels}
        critical = float(stats.studentized_range.ppf(level, len(levels), df))
        for a, b in combinations(levels, 2):
            difference = effects[b] - effects[a]
            se = np.sqrt(error / 2 * (1 / counts[a] + 1 / counts[b]))
            half = critical * float(se)
            p = float(stats.studentized_range.sf(abs(difference) / se, len(levels), df))
            rows.append(
                {
                    "factor": term,
                    "group1": str(b),
                    "group2": str(a),
                    "diff": difference,
                    "ci_low": difference - half,
                    "ci_high": difference + half,
                    "p": p,
                }
            )
    return rows


def means(ratings: pd.DataFrame) -> list[dict[str, Any]]:
    """Mean, deviation and n per prompt and adjective."""
    grouped = ratings.dropna(subset=["value"]).groupby(["prompt", "adjective"], sort=True)["value"]
    return [
        {"prompt": str(prompt), "item": str(item), "mean": float(mean), "sd": float(sd) if n > 1 else None, "n": int(n)}
        for (prompt, item), mean, sd, n in grouped.agg(["mean", "std", "size"]).itertuples(name=None)
    ]


def correlations(ratings: pd.DataFrame) -> list[dict[str, Any]]:
    """Pearson correlation of every pair of adjectives over rated clips, with Fisher's interval and p (R's cor.test).

    An item that never varies has none; three clips have no interval.
    """
    from scipy import stats

    wide = rated_clips(ratings)
    rows: list[dict[str, Any]] = []
    if len(wide) < 3:
        return rows
    for a, b in combinations(wide.columns, 2):
        if wide[a].nunique() < 2 or wide[b].nunique() < 2:
            continue
        found = stats.pearsonr(wide[a], wide[b])
        interval = found.confidence_interval() if len(wide) > 3 and abs(found.statistic) < 1 else (None, None)
        low, high = (None if e is None else float(e) for e in interval)
        rows.append(
            {
                "item1": a, "item2": b, "n": len(wide), "r": float(found.statistic), "ci_low": low, "ci_high": high,
                "p": float(found.pvalue),
            }
        )  # fmt: skip
    return rows


def described(ratings: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """What stands beside either plan: tables ``means`` and ``icc``."""
    ratings = settled(ratings.dropna(subset=["value"]))
    return {"means": means(ratings), "icc": agreement(ratings)}


def analyse(
    ratings: pd.DataFrame, people: pd.DataFrame, wrong: Collection[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Run everything of task 2: tables ``anova``, ``tukey``, ``means``, ``correlations``, ``icc``, ``notes``.

    Parameters
    ----------
    ratings : DataFrame
        `analysis.data.complete.PaperRows.rated`: Tukey's comparisons are made on those of people with demographics, the
        analysis of variance on the men and women among them. Where nobody is left, on all of them.
    wrong : collection of str
        Conditions whose music was asked for other tastes than it stands for: these two, which compare prompts, leave it out.

    Raises
    ------
    AnalysisError
        If there are no ratings.
    """
    ratings = settled(ratings.dropna(subset=["value"]))
    if ratings.empty:
        raise AnalysisError("there are no ratings in this study; task 2 was not run")
    own = ratings[~ratings["model"].isin(list(wrong))] if wrong else ratings
    modelled, known = model_frame(own, people), describe(own, people)
    rows, notes = [], []
    try:
        if own.empty:
            raise AnalysisError("all rated music is of wrong prompts")
        rows = anova(own if modelled.empty else modelled)
    except AnalysisError as error:
        notes.append({"note": f"analysis of variance: not computed, {error}"})
    return {
        "anova": rows,
        "tukey": [] if own.empty else tukey(own if known.empty else known),
        "means": means(ratings),
        "correlations": correlations(ratings),
        "icc": agreement(ratings),
        "notes": notes,
    }
