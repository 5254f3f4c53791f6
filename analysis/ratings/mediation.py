"""Does the music reach the taste word by way of feeling? Mediation with an interval over people.

The seed paper leaves open what besides valence, arousal and temperature carries the tie between taste and music. Here, for
each taste: X is the music (prompted with this taste, or an acoustic feature of the clip), Y the rating of the taste's word,
and between them stand, in parallel, valence, arousal and temperature of the same clip. Slopes are least squares within
people (each person's mean is taken out, so that people who answer high on everything do not count), indirect effects
products of slopes (Preacher & Hayes 2008), and intervals a bootstrap over people with all their clips. Clips are taken as
they are: the answer is about these clips. It is a pattern of covariance, no proof of cause; the same model with word and
feeling exchanged stands beside it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.data.frames import rated_clips
from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd

    from analysis.config import AnalysisConfig
    from analysis.data.frames import StudyData

MOST = 1000  # resamples: slopes need no more, and each taste and feature takes them anew

# What stands for the three dimensions where they were not asked: places of the words on the circumplex (Russell 1980).
PROXIES: dict[str, dict[str, float]] = {
    "valence": {"happy": 1, "sad": -0.25, "anger": -0.25, "disgust": -0.25, "fear": -0.25},
    "arousal": {"surprise": 1 / 3, "anger": 1 / 3, "fear": 1 / 3, "sad": -1},
    "temperature": {"hot": 1, "cold": -1},
}


def mediators(wide: pd.DataFrame, affect: pd.DataFrame | None = None) -> pd.DataFrame:
    """Valence, arousal and temperature of every rated clip, where its adjectives (or the affect answers) allow them.

    Parameters
    ----------
    wide : DataFrame
        `analysis.data.frames.rated_clips`.
    affect : DataFrame, optional
        participant, clip, item, value: answers to the affect grid; they replace the words that stand for them.
    """
    out = wide[[]].copy()
    asked = None
    if affect is not None and not affect.empty:
        asked = affect.pivot_table(index=["participant", "clip"], columns="item", values="value", aggfunc="first")
    for name, weights in PROXIES.items():
        if asked is not None and name in asked:
            keys = wide.index.droplevel([n for n in wide.index.names if n not in ("participant", "clip")])
            out[name] = asked[name].reindex(keys).to_numpy()
        elif set(weights) <= set(wide.columns):
            out[name] = sum(wide[item] * w for item, w in weights.items())
    return out


def indirect(
    x: np.ndarray, m: np.ndarray, y: np.ndarray, people: np.ndarray, resamples: int, rng: np.random.Generator
) -> dict[str, np.ndarray]:
    """Parallel mediation within people.

    Parameters
    ----------
    x, y : ndarray
        (rows,).
    m : ndarray
        (rows, mediators).
    people : ndarray
        (rows,) labels; slopes are within them, and the bootstrap draws them.

    Returns
    -------
    dict
        ``estimate``, ``low``, ``high`` of: total, direct, then a, b and a*b of each mediator (1 + 1 + 3 * mediators,).

    Raises
    ------
    AnalysisError
        If x or a mediator does not vary within people, or they can't be told apart, in these people or in most draws of them.
    """
    codes = np.unique(people, return_inverse=True)[1]
    n = int(codes.max()) + 1
    data = np.column_stack([x, m, y]).astype(float)
    counts = np.bincount(codes).astype(float)
    means = np.stack([np.bincount(codes, column) / counts for column in data.T], axis=1)
    data = data - means[codes]
    if (data[:, :-1].std(axis=0) < 1e-9).any():
        raise AnalysisError("the music or a feeling does not vary within people; mediation can't be told")
    k = data.shape[1]
    moments = np.zeros((n, k, k))
    np.add.at(moments, codes, data[:, :, None] * data[:, None, :])
    flat = moments.reshape(n, -1)
    estimate = _paths(flat.sum(axis=0).reshape(1, k, k))[0]
    drawn = rng.integers(n, size=(resamples, n))
    weights = np.stack([np.bincount(d, minlength=n) for d in drawn]).astype(float)
    values = _paths((weights @ flat).reshape(-1, k, k))
    values = values[np.isfinite(values).all(axis=1)]
    if not np.isfinite(estimate).all() or 2 * len(values) < resamples:
        raise AnalysisError("music and feelings, or two feelings, vary together; mediation can't be told")
    low, high = np.quantile(values, [0.025, 0.975], axis=0)
    return {"estimate": estimate, "low": low, "high": high}


def _paths(moments: np.ndarray) -> np.ndarray:
    """Total, direct, a..., b..., a*b... from cross-products of (x, mediators, y); nan where they are singular."""
    xx, xm, xy = moments[:, 0, 0], moments[:, 0, 1:-1], moments[:, 0, -1]
    with np.errstate(divide="ignore", invalid="ignore"):
        a = xm / xx[:, None]
        total = xy / xx
    left, right = moments[:, :-1, :-1], moments[:, :-1, -1]
    solved = np.full_like(right, np.nan)
    good = np.linalg.cond(left) < 1e10
    if good.any():
        solved[good] = np.linalg.solve(left[good], right[good][..., None])[..., 0]
    direct, b = solved[:, 0], solved[:, 1:]
    return np.column_stack([total, direct, a, b, a * b])


def of_study(data: StudyData, features: pd.DataFrame | None, config: AnalysisConfig) -> list[dict[str, Any]]:
    """Mediation of a study, as the report and the command have it: `analyse` of all music but that of wrong prompts.

    That was asked for other tastes than the one that it stands for, so that it is no music prompted with that taste.
    """
    own = data.conditions.own(data.ratings)
    return analyse(own, data.affect, features, min(config.resamples, MOST), config.seed)


def analyse(
    ratings: pd.DataFrame,
    affect: pd.DataFrame | None,
    features: pd.DataFrame | None,
    resamples: int,
    seed: int,
) -> list[dict[str, Any]]:
    """Mediation for every taste among the adjectives; exploratory.

    Parameters
    ----------
    features : DataFrame, optional
        Acoustic features by clip; each becomes an X of its own, in standard deviations over the clips.

    Returns
    -------
    list
        One row an X, taste and mediator: a, b, the indirect effect with interval, the total and direct effect, the share
        that is mediated (empty where the total's interval holds zero), and the indirect effect the other way round.

    Raises
    ------
    AnalysisError
        If neither feelings nor taste words were rated, or nothing can be told of any taste.
    """
    wide = rated_clips(ratings)
    m = mediators(wide, affect).dropna()
    wide = wide.loc[m.index]
    prompts = wide.index.get_level_values("prompt").astype(str)
    tastes = [t for t in sorted(set(prompts)) if t in wide.columns]
    if m.shape[1] == 0 or not tastes or len(wide) < 20:
        raise AnalysisError("mediation needs ratings of taste words and of feelings on the same clips, twenty at least")
    people = wide.index.get_level_values("participant").to_numpy()
    causes: dict[str, np.ndarray] = {}
    if features is not None and not features.empty:
        clips = wide.index.get_level_values("clip")
        for name in features.columns:
            given = features[name].reindex(clips).to_numpy(float)
            spread = float(features[name].std())
            if np.isfinite(given).all() and spread > 0:
                causes[name] = given / spread
    rows: list[dict[str, Any]] = []
    why = ""
    names = list(m.columns)
    k = len(names)
    for taste in tastes:
        y = wide[taste].to_numpy(float)
        for place, (cause, x) in enumerate({"prompt": (prompts == taste).astype(float), **causes}.items()):
            rng = np.random.default_rng([seed, place])  # whatever tastes are called, and so in which order they come
            try:
                found = indirect(x, m.to_numpy(float), y, people, resamples, rng)
            except AnalysisError as error:
                why = str(error)
                continue
            e, low, high = found["estimate"], found["low"], found["high"]
            for i, name in enumerate(names):
                j = 2 + 2 * k + i
                back = _reversed(x, y, m[name].to_numpy(float), people, rng)
                sure = low[0] > 0 or high[0] < 0
                rows.append(
                    {
                        "music": cause, "taste": taste, "mediator": name, "n": len(y), "a": float(e[2 + i]),
                        "b": float(e[2 + k + i]), "indirect": float(e[j]), "ci_low": float(low[j]), "ci_high": float(high[j]),
                        "total": float(e[0]), "total_low": float(low[0]), "total_high": float(high[0]), "direct": float(e[1]),
                        "direct_low": float(low[1]), "direct_high": float(high[1]),
                        "share": float(e[j] / e[0]) if sure else None, "reversed": back,
                        "status": "exploratory",
                    }
                )  # fmt: skip
    if not rows and why:
        raise AnalysisError(why)
    return rows


def _reversed(
    x: np.ndarray, y: np.ndarray, feeling: np.ndarray, people: np.ndarray, rng: np.random.Generator
) -> float | None:
    """The indirect effect with feeling and word exchanged; None where it can't be told."""
    try:
        return float(indirect(x, y[:, None], feeling, people, 200, rng)["estimate"][-1])
    except AnalysisError:
        return None
