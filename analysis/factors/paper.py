"""Factor analysis of the ratings, as the seed paper's: which adjectives go together, which taste scores where."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import factors_carried
from analysis.data.frames import rated_clips
from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.factors.extraction import SMALLEST_UNIQUENESS, FactorSolution, extract
from analysis.factors.polychoric import polychoric
from analysis.factors.retention import adequacy, ordinal_parallel, parallel_analysis

if TYPE_CHECKING:
    import pandas as pd


FEWEST = 3  # adjectives that one factor can be told from


@dataclass(frozen=True)
class Rated:
    """What a factor analysis starts from: completely rated clips (`wide`), their `answers` (rows, items), and the correlations `r`."""

    wide: pd.DataFrame
    items: tuple[str, ...]
    answers: np.ndarray
    r: np.ndarray


def prepare(ratings: pd.DataFrame, ordinal: bool = False) -> Rated:
    """Completely rated clips and the correlations of their items, Pearson's or polychoric.

    Raises
    ------
    AnalysisError
        If there are fewer complete rows, or fewer items, than a factor analysis can use, or an item never varies, or
        correlations are singular.
    """
    wide = rated_clips(ratings.dropna(subset=["value"]))
    items = tuple(str(c) for c in wide.columns)
    n = len(wide)
    if len(items) < FEWEST:
        # One factor of two items has -1 degrees of freedom: any two loadings with their correlation as product are as good.
        raise AnalysisError(
            f"a factor analysis needs {FEWEST} adjectives at least; rated: {', '.join(items) or 'none'}"
        )
    if n < 3 * len(items):
        raise AnalysisError(f"{n} completely rated clips are too few for a factor analysis of {len(items)} items")
    constant = [i for i in items if wide[i].std() == 0]
    if constant:
        raise AnalysisError(f"the answers to {', '.join(constant)} never vary; leave them out of the adjectives")
    values = wide.to_numpy(float)
    r = np.corrcoef(values, rowvar=False)
    if np.linalg.eigvalsh(r)[0] < 1e-8:
        i, j = np.unravel_index(np.argmax(np.abs(r - np.eye(len(r)))), r.shape)
        raise AnalysisError(
            f"the correlations are singular: some adjectives follow from others (closest: {items[i]} and {items[j]}, "
            f"r = {r[i, j]:.3f}); leave one out"
        )
    if ordinal:
        r = polychoric(values)
    return Rated(wide, items, values, r)


def analyse(
    ratings: pd.DataFrame, n_factors: int | str, seed: int, ordinal: bool = False, wrong: Collection[str] = ()
) -> dict[str, list[dict[str, Any]]]:
    """Run the factor analysis of all completely rated clips.

    Parameters
    ----------
    n_factors : int or "parallel"
        How many factors; ``"parallel"`` takes what parallel analysis keeps (at least one).
    ordinal : bool
        Take the answers as ordered categories: polychoric correlations, and parallel analysis on them.
    wrong : collection of str
        Conditions whose music was asked for other tastes than it stands for: tables by prompt leave it out.

    Returns
    -------
    dict
        Tables ``retention``, ``eigenvalues``, ``adequacy``, ``loadings``, ``phi``, ``variance``, ``scores_by_prompt``,
        ``scores`` (one row a rated clip; neither has `wrong`), ``notes`` (what to distrust: Heywood cases).

    Raises
    ------
    AnalysisError
        If there are fewer complete rows than a factor analysis can use, an item never varies, or more factors are asked
        than the items carry.
    """
    with one_thread():
        other = set(ratings.loc[ratings["model"].isin(list(wrong)), "clip"]) if wrong else set()
        return _analyse(prepare(ratings, ordinal), n_factors, seed, ordinal, other)


def _analyse(
    rated: Rated, n_factors: int | str, seed: int, ordinal: bool, other: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    wide, items, r, n = rated.wide, rated.items, rated.r, len(rated.wide)
    carried = factors_carried(len(items))
    if n_factors != "parallel" and int(n_factors) > carried:
        raise AnalysisError(f"{n_factors} factors of {len(items)} adjectives: they carry {carried} at most")
    rng = np.random.default_rng(seed)
    if ordinal:
        kept, actual, threshold = ordinal_parallel(rated.answers, rng)
    else:
        kept, actual, threshold = parallel_analysis(r, n, rng)
    number = int(min(max(1, kept), carried) if n_factors == "parallel" else n_factors)
    solution = extract(r, items, number)
    names = [f"F{i + 1}" for i in range(number)]
    square = (solution.loadings**2).sum(axis=0)
    weighted = np.diag(solution.phi @ solution.loadings.T @ solution.loadings)
    values = rated.answers
    z = (values - values.mean(axis=0)) / values.std(axis=0, ddof=1)
    asked = ~wide.index.get_level_values("clip").isin(list(other))  # for the taste that they stand for
    scores = solution.scores(z)[asked]
    prompts = wide.index.get_level_values("prompt").to_numpy()[asked]
    return {
        "retention": [
            {"method": "parallel", "n_factors": kept},
            {"method": "kaiser", "n_factors": int((np.linalg.eigvalsh(r) > 1).sum())},
            {"method": "used", "n_factors": number},
        ],
        "eigenvalues": [
            {"index": i + 1, "actual": float(a), "threshold": float(t)}
            for i, (a, t) in enumerate(zip(actual, threshold, strict=True))
        ],
        "adequacy": adequacy(wide),
        "loadings": [
            {"item": item, **{f: float(v) for f, v in zip(names, row, strict=True)}, "uniqueness": float(u)}
            for item, row, u in zip(items, solution.loadings, solution.uniqueness, strict=True)
        ],
        "phi": [
            {"factor1": names[i], "factor2": names[j], "r": float(solution.phi[i, j])}
            for i in range(number)
            for j in range(i + 1, number)
        ],
        "variance": [
            {
                "factor": f,
                "ss_loadings": float(s),
                "phi_weighted": float(w),
                "proportion": float(s / len(items)),
                "cumulative": float(square[: i + 1].sum() / len(items)),
            }
            for i, (f, s, w) in enumerate(zip(names, square, weighted, strict=True))
        ],
        "scores_by_prompt": [
            {
                "prompt": str(p),
                "n": int((prompts == p).sum()),
                **{f: float(scores[prompts == p, i].mean()) for i, f in enumerate(names)},
            }
            for p in sorted(set(prompts))
        ],
        "scores": [
            {"prompt": str(p), **{f: float(v) for f, v in zip(names, row, strict=True)}}
            for p, row in zip(prompts, scores, strict=True)
        ],
        "notes": [{"note": note} for note in _notes(solution)],
    }


def _notes(solution: FactorSolution) -> list[str]:
    """What is to be known of a solution before its loadings are read."""
    lost = "The search for the loadings did not converge: they are where it stopped, and nothing can be concluded from them"
    return [lost] * (solution.state != "ok") + [
        f"Heywood case: the uniqueness of {item} lies on its bound of {SMALLEST_UNIQUENESS}; its loadings are uncertain"
        for item, u in zip(solution.items, solution.uniqueness, strict=True)
        if u <= SMALLEST_UNIQUENESS * 1.01
    ]
