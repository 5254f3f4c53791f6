"""Do groups of people find another condition to fit better: what people are, on people, not on their answers.

The joint model of the comparisons (`analysis.preference.joint`) with one column more: a person's group, or their experience, age or
language, less its mean over people. Its slope is how far the groups' differences lie apart. A person has one value for all answers,
so it is judged against how much people differ; clips may strike the groups differently, so that each has a slope of its own (+1 and
-1 on its side), which stays where its variance is found to be over zero and is left out, and said, where it is not.
Exploratory: nobody was dealt into these groups.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.engines.mixed import NOT_CONVERGED, TOO_FEW, Fit, fit
from analysis.engines.tails import adjust
from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.preference import joint
from analysis.preference.questions import answered

if TYPE_CHECKING:
    import pandas as pd

ASKED = ("group", "hearing_experience", "eating_experience", "sex", "age", "language")
FEWEST = 5  # people of a level: smaller ones are left out, and may be known by it
DECADE = 10.0
SLOPES = "clips x level"
NUMBERS = ("effect", "ci_low", "ci_high", "statistic", "df", "p")


def moderators(data: pd.DataFrame, people: pd.DataFrame, middle: float, config: AnalysisConfig) -> list[dict[str, Any]]:
    """How far apart levels of what people are lie in which condition fits better, over all tastes.

    Parameters
    ----------
    data, people : DataFrame
        `analysis.data.frames.StudyData.preference` of one pair of conditions, and `.people`.

    Returns
    -------
    list of dict
        One row a level that at least five people have (of two levels one; age in decades): moderator, level, against (the other levels,
        each with the same weight), people, n (answers), effect (points: difference of the level less that of the others), ci_low,
        ci_high, statistic, df, p (two-sided), p_adjusted (over all rows, by the study's rule), slopes ("clips" where they carry
        slopes of their own), state.
    """
    with one_thread():
        rows = [row for name in ASKED if name in people for row in _of(answered(data), people, name, middle)]
    p = np.array([np.nan if r["p"] is None else r["p"] for r in rows], dtype=float)
    for row, value in zip(rows, adjust(p, config.correction), strict=True):
        row["p_adjusted"] = None if np.isnan(value) else float(value)
    return rows


def _of(data: pd.DataFrame, people: pd.DataFrame, name: str, middle: float) -> list[dict[str, Any]]:
    given = people.set_index("participant")[name]
    given = given[given.index.isin(set(data["participant"]))].dropna()
    if name == "age":
        years = given.astype(float)
        if len(years) < 2 * FEWEST or years.nunique() < 3:
            return []
        return [
            _slope(
                data, (years - years.mean()) / DECADE, middle, {"moderator": name, "level": "a decade", "against": ""}
            )
        ]
    counts = given.astype(str).value_counts()
    levels = sorted(counts.index[counts >= FEWEST])
    if len(levels) < 2:
        return []
    given = given.astype(str)[given.astype(str).isin(levels)]
    rows = []
    for level in levels[: 1 if len(levels) == 2 else None]:
        others = [o for o in levels if o != level]
        rows.append(
            _level(
                data, given, level, others, middle, {"moderator": name, "level": level, "against": ", ".join(others)}
            )
        )
    return rows


def _level(
    data: pd.DataFrame, given: pd.Series, level: str, others: list[str], middle: float, head: dict[str, Any]
) -> dict[str, Any]:
    """One level against the others: with more than two, each of the others has a column of its own."""
    part = data[data["participant"].isin(given.index)]
    mine = part["participant"].map(given).to_numpy(str)
    columns = np.column_stack([(mine == o).astype(float) for o in others])
    contrast = np.full(len(others), -1.0 / len(others))
    return _fitted(part, columns - columns.mean(axis=0), contrast, (mine == level).astype(float), middle, head)


def _slope(data: pd.DataFrame, values: pd.Series, middle: float, head: dict[str, Any]) -> dict[str, Any]:
    part = data[data["participant"].isin(values.index)]
    column = part["participant"].map(values).to_numpy(float)
    return _fitted(part, column[:, None], np.ones(1), column, middle, head)


def _fitted(
    part: pd.DataFrame, columns: np.ndarray, contrast: np.ndarray, own: np.ndarray, middle: float, head: dict[str, Any]
) -> dict[str, Any]:
    compared = joint.sides(part)
    design = joint.comparison(compared)
    y = part["score"].to_numpy(float) - middle
    x = np.hstack([design.x, columns])
    whole = np.append(np.zeros(design.x.shape[1]), contrast)
    row = head | {"people": int(part["participant"].nunique()), "n": len(part)}
    found: Fit | None = None
    slopes = ""
    try:
        clips = next((design.factors[k] for k in ("pair", "clips") if k in design.factors), None)
        if clips is not None:
            names = np.unique(clips) if clips.ndim == 1 else None
            weights = (clips[:, None] == names).astype(float) if names is not None else clips
            found = fit(y, x, design.factors | {SLOPES: weights * (own - own.mean())[:, None]})
            carried = found.sd[-1] > 0 and found.state != NOT_CONVERGED
            slopes = "clips" if carried else ""
            found = found if carried else None
        found = found or fit(y, x, design.factors)
    except AnalysisError:
        return row | {**dict.fromkeys(NUMBERS), "p_adjusted": None, "slopes": "", "state": TOO_FEW}
    if found.state == NOT_CONVERGED:
        return row | {**dict.fromkeys(NUMBERS), "p_adjusted": None, "slopes": "", "state": NOT_CONVERGED}
    c = found.test(whole)
    numbers = dict(zip(NUMBERS, (c.estimate, c.ci_low, c.ci_high, c.t, c.df, c.p), strict=True))
    return row | numbers | {"p_adjusted": None, "slopes": slopes, "state": found.state}
