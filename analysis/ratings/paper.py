"""Task 2: which adjectives does a taste's music call up? The seed paper's ANOVA, Tukey's test, means, correlations.

Type-I sums of squares (R's anova(aov(...))): main effects in the listed order, the interaction last. Tukey-Kramer with
the error of the fitted additive model, as R's TukeyHSD(aov(value ~ prompt + adjective + hearing_experience)): for
later factors of an unbalanced design the differences are of sequentially adjusted means (R: model.tables).
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.complete import describe, men_and_women
from analysis.data.frames import rated_clips
from analysis.errors import AnalysisError
from analysis.ratings.reliability import agreement

if TYPE_CHECKING:
    import pandas as pd

TERMS = ("prompt", "adjective", "hearing_experience", "eating_experience", "sex")


def model_frame(ratings: pd.DataFrame, people: pd.DataFrame) -> pd.DataFrame:
    """Join answers with demographics as the seed paper did: men and women only, levels of one person dropped."""
    return men_and_women(describe(ratings.dropna(subset=["value"]), people))[0]


def anova(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """Type-I ANOVA of value on prompt * adjective and the demographics that are there (statsmodels)."""
    import statsmodels.formula.api as smf
    from statsmodels.stats.anova import anova_lm

    terms = [t for t in TERMS if t in frame and frame[t].nunique() > 1]
    if not terms:
        raise AnalysisError("ratings vary over neither prompts nor adjectives; nothing can be compared")
    formula = "value ~ " + " + ".join(f"C({t})" for t in terms)
    if "prompt" in terms and "adjective" in terms:
        formula += " + C(prompt):C(adjective)"
    fitted = smf.ols(formula, frame).fit()
    if fitted.df_resid < 1 or fitted.ssr <= 1e-12 * len(frame):
        raise AnalysisError(
            f"{len(frame)} ratings leave nothing to compare prompts and adjectives with (no residual); more people are needed"
        )
    table = anova_lm(fitted, typ=1)
    residual = float(table.loc["Residual", "sum_sq"])
    rows = []
    for name, row in table.iterrows():
        term = str(name).replace("C(", "").replace(")", "")
        last = term == "Residual"
        rows.append(
            {
                "term": term,
                "df": float(row["df"]),
                "sum_sq": float(row["sum_sq"]),
                "mean_sq": float(row["mean_sq"]),
                "F": None if last else float(row["F"]),
                "p": None if last else float(row["PR(>F)"]),
                "partial_eta_sq": None if last else float(row["sum_sq"] / (row["sum_sq"] + residual)),
            }
        )
    return rows


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
    df = len(y) - np.linalg.matrix_rank(design)
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
        {"prompt": str(prompt), "item": str(item), "mean": float(mean), "sd": float(sd), "n": int(n)}
        for (prompt, item), mean, sd, n in grouped.agg(["mean", "std", "size"]).itertuples(name=None)
    ]


def correlations(ratings: pd.DataFrame) -> list[dict[str, Any]]:
    """Pearson correlation of every pair of adjectives over rated clips, with interval and p (pingouin.corr)."""
    import pingouin

    wide = rated_clips(ratings)
    rows: list[dict[str, Any]] = []
    if len(wide) < 3:
        return rows
    for a, b in combinations(wide.columns, 2):
        if wide[a].std() == 0 or wide[b].std() == 0:
            continue
        found = pingouin.corr(wide[a], wide[b]).iloc[0]
        low, high = found["CI95"]
        rows.append(
            {
                "item1": a,
                "item2": b,
                "n": int(found["n"]),
                "r": float(found["r"]),
                "ci_low": float(low),
                "ci_high": float(high),
                "p": float(found["p_val"]),
            }
        )
    return rows


def described(ratings: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """What stands beside either plan: tables ``means`` and ``icc``."""
    ratings = ratings.dropna(subset=["value"])
    return {"means": means(ratings), "icc": agreement(ratings)}


def analyse(ratings: pd.DataFrame, people: pd.DataFrame) -> dict[str, list[dict[str, Any]]]:
    """Run everything of task 2: tables ``anova``, ``tukey``, ``means``, ``correlations``, ``icc``.

    Parameters
    ----------
    ratings : DataFrame
        `analysis.data.complete.PaperRows.rated`: Tukey's comparisons are made on those of people with demographics, the
        analysis of variance on the men and women among them. Where nobody is left, on all of them.

    Raises
    ------
    AnalysisError
        If there are no ratings.
    """
    ratings = ratings.dropna(subset=["value"])
    if ratings.empty:
        raise AnalysisError("there are no ratings in this study; task 2 was not run")
    modelled, known = model_frame(ratings, people), describe(ratings, people)
    return {
        "anova": anova(ratings if modelled.empty else modelled),
        "tukey": tukey(ratings if known.empty else known),
        "means": means(ratings),
        "correlations": correlations(ratings),
        "icc": agreement(ratings),
    }
