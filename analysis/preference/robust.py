"""The plan that holds its error rates: participants and clips as random effects, with effects and their intervals.

The seed paper's tests treat the answers of one person, and all answers about one clip, as independent; under ordinary
variances of people and clips they find effects that are not there (docs/evidence/coverage.json). Here every question is a
contrast of a linear mixed model with both as random intercepts (`analysis.engines.mixed`), so that a result speaks of other people
and other clips; beside it stand rank-biserial correlation and Cliff's delta with intervals for both (`analysis.engines.crossed`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.engines.crossed import Crossed, crossed_intervals
from analysis.engines.mixed import fit
from analysis.engines.ordinal import fit_ordinal
from analysis.engines.tails import adjust
from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.preference.questions import answered, questions

if TYPE_CHECKING:
    import pandas as pd

    from analysis.engines.mixed import Fit


RANDOM = ("participant", "clip")


def random_effects(part: pd.DataFrame, names: tuple[str, ...] = RANDOM) -> tuple[list[np.ndarray], list[str]]:
    """The random effects that the data can tell apart: more than one level, and levels with several answers."""
    kept = [n for n in names if 1 < part[n].nunique() < len(part)]
    return [part[n].to_numpy() for n in kept], kept


def _fitted(y: np.ndarray, x: np.ndarray, part: pd.DataFrame) -> tuple[Fit | None, list[str]]:
    factors, kept = random_effects(part)
    try:
        return fit(y, x, factors), kept
    except AnalysisError:
        return None, kept


def _row(found: Fit | None, kept: list[str], contrast: np.ndarray, alternative: str) -> dict[str, Any]:
    """Estimate, interval, test and spread of one contrast; a model that can't be fitted gives empty cells and says so."""
    empty = dict.fromkeys(("effect", "ci_low", "ci_high", "statistic", "df", "p", "p_adjusted", "p_bonferroni"))
    if found is None:
        return {**empty, "converged": False, "note": "too few answers for the model"}
    c = found.test(contrast, alternative)
    missing = [n for n in RANDOM if n not in kept]
    note = f"no variance of {' and '.join(missing)} can be told" if missing else ""
    return {
        "effect": c.estimate, "ci_low": c.ci_low, "ci_high": c.ci_high, "statistic": c.t, "df": c.df, "p": c.p,
        "p_adjusted": None, "p_bonferroni": None,
        "converged": found.converged, "note": note,
    }  # fmt: skip


def _spread(found: Fit | None, kept: list[str]) -> dict[str, float | None]:
    """Standard deviations of participants, clips and residual; empty where they can't be told."""
    known = {} if found is None else dict(zip(kept, found.sd, strict=True)) | {"residual": found.residual_sd}
    return {f"sd_{name}": known.get(name) for name in (*RANDOM, "residual")}


def preference(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """Is the fine-tuned model preferred: over all tastes, and for each in its declared direction.

    Parameters
    ----------
    data : DataFrame
        `analysis.data.frames.StudyData.preference`.

    Returns
    -------
    dict
        ``tests``: effect (mean score less the middle, points), its 95 % interval, t, Satterthwaite's df, p, p after Holm
        (`p_adjusted`) and after Bonferroni over the tastes. ``effects``: rank-biserial correlation and Cliff's delta with
        intervals, standard deviations of participants, clips and residual.

    Raises
    ------
    AnalysisError
        If there are no answers.
    """
    with one_thread():
        return _preference(data, middle, config)


def _preference(data: pd.DataFrame, middle: float, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    import pandas as pd

    data = answered(data).rename(columns={"clip_finetuned": "clip"})
    rng = np.random.default_rng(config.seed)
    rows, sizes = [], []
    for asked in questions(data["taste"], config):
        part = asked.part(data)
        if part["taste"].nunique() > 1:
            # Sum contrasts: the intercept is the mean over tastes, each with the same weight.
            dummies = pd.get_dummies(part["taste"]).to_numpy(float)
            x = np.column_stack([np.ones(len(part)), dummies[:, :-1] - dummies[:, -1:]])
        else:
            x = np.ones((len(part), 1))
        y = part["score"].to_numpy(float) - middle
        found, kept = _fitted(y, x, part)
        scores, people = part["score"].to_numpy(float), part["participant"].to_numpy()
        clips, strata = part["clip"].to_numpy(), part["taste"].to_numpy()
        effects = crossed_intervals(scores, people, clips, strata, middle, config.resamples, rng)
        rows.append(
            {"taste": asked.taste, "test": "lmm", "alternative": asked.alternative, "n": len(part)}
            | _row(found, kept, np.eye(x.shape[1])[0], asked.alternative)
            | {"status": asked.status}
        )
        sizes.append(
            {
                "taste": asked.taste, "n_participants": int(part["participant"].nunique()), "n_clips": int(part["clip"].nunique()),
                **_ends("rank_biserial", "rank", effects), **_ends("cliffs_delta", "delta", effects), **_spread(found, kept),
            }
        )  # fmt: skip
    _correct(rows[1:], config)
    return {"tests": rows, "effects": sizes}


def _ends(measure: str, short: str, found: dict[str, Crossed]) -> dict[str, float | None]:
    """An effect and its interval; empty where too little is there for an interval."""
    one = found[measure]
    low, high = (None if np.isnan(end) else end for end in (one.low, one.high))
    return {measure: one.effect, f"{short}_low": low, f"{short}_high": high}


def _correct(rows: list[dict[str, Any]], config: AnalysisConfig) -> None:
    p = np.array([np.nan if r["p"] is None else r["p"] for r in rows], dtype=float)
    for key, method in (("p_adjusted", "holm"), ("p_bonferroni", "bonferroni")):
        for row, value in zip(rows, adjust(p, method), strict=True):
            row[key] = None if np.isnan(value) else float(value)


def ratings(data: pd.DataFrame, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """Does music prompted with a taste call up that taste's word more than music prompted with the others?

    Returns
    -------
    dict
        ``own_word``: one row a taste among the adjectives, the declared question of task 2, one-sided, Holm over tastes;
        ``own_word_ordinal``: the same by a cumulative link mixed model (`analysis.engines.ordinal`), effects in log odds;
        ``prompts``: every adjective and prompt against the mean of the other prompts, two-sided, exploratory, Holm over
        all.
    """
    with one_thread():
        return _ratings(data, config)


def _ratings(data: pd.DataFrame, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    data = data.dropna(subset=["value"])
    prompts = sorted(data["prompt"].unique())
    if len(prompts) < 2:
        raise AnalysisError("ratings of one prompt alone cannot be compared; the mixed model needs at least two")
    own, ordinal, every = [], [], []
    for adjective in dict.fromkeys(data["adjective"]):
        part = data[data["adjective"] == adjective]
        there = [p for p in prompts if (part["prompt"] == p).any()]
        if len(there) < 2:
            continue
        x = np.column_stack([(part["prompt"] == p).to_numpy(float) for p in there])
        found, kept = _fitted(part["value"].to_numpy(float), x, part)
        for k, prompt in enumerate(there):
            contrast = np.where(np.arange(len(there)) == k, 1.0, -1.0 / (len(there) - 1))
            head = {"prompt": prompt, "adjective": adjective, "test": "lmm", "n": len(part)}
            if adjective == prompt:
                own.append(head | {"alternative": "greater"} | _row(found, kept, contrast, "greater"))
                row = head | {"test": "clmm", "alternative": "greater"}
                ordinal.append(row | _ordinal(part, x, k, kept))
            every.append(head | {"alternative": "two-sided"} | _row(found, kept, contrast, "two-sided"))
    for rows in (own, ordinal, every):
        if rows:
            _correct(rows, config)
    return {"own_word": own, "own_word_ordinal": ordinal, "prompts": every}


def _ordinal(part: pd.DataFrame, x: np.ndarray, k: int, kept: list[str]) -> dict[str, Any]:
    """The prompt `k` against the mean of the others, as log odds of a higher answer."""
    empty = dict.fromkeys(("effect", "ci_low", "ci_high", "statistic", "p", "p_adjusted", "p_bonferroni"))
    try:
        # Prompt k is the reference of the thresholds; its lead is minus the mean of the others' effects.
        found = fit_ordinal(part["value"].to_numpy(float), np.delete(x, k, axis=1), [part[n].to_numpy() for n in kept])
    except (AnalysisError, np.linalg.LinAlgError):
        return {**empty, "converged": False, "note": "too few answers for the model"}
    others = x.shape[1] - 1
    estimate, error, z, p = found.test(np.full(others, -1.0 / others), "greater")
    half = 1.959963984540054 * error
    note = "" if found.converged else "the fit did not converge; do not use it"
    return {
        "effect": estimate, "ci_low": estimate - half, "ci_high": estimate + half, "statistic": z, "p": p,
        "p_adjusted": None, "p_bonferroni": None,
        "converged": found.converged, "note": note,
    }  # fmt: skip
