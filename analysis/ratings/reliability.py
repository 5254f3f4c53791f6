"""Agreement of listeners on the clips, adjective by adjective.

A person rates a few of the clips, so the classic two-way table is mostly empty. The intraclass correlation comes from the
variances of a crossed mixed model instead (generalizability theory: Brennan 2001; on a full table it is McGraw & Wong's
1996 ICC(A,1) and ICC(A,k)).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.engines.mixed import NOT_CONVERGED, TOO_FEW, fit
from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd


def agreement(ratings: pd.DataFrame) -> list[dict[str, Any]]:
    """ICC(2,1) and ICC(2,k) of every adjective over clips; k is the harmonic mean number of listeners a clip.

    The interval of ICC(2,k) is Wald's on the logit scale; empty where clips show no variance. `state` is the fit's.
    """
    with one_thread():
        return _agreement(ratings)


def _agreement(ratings: pd.DataFrame) -> list[dict[str, Any]]:
    rows: list[dict[str, Any]] = []
    for adjective, part in ratings.dropna(subset=["value"]).groupby("adjective", sort=True):
        row: dict[str, Any] = {"item": str(adjective), "n": len(part), "n_clips": int(part["clip"].nunique())}
        counts = part.groupby("clip").size().to_numpy(float)
        k = float(len(counts) / (1 / counts).sum())
        rows.append(row | {"k": k} | _icc(part, k))
    return rows


def _icc(part: pd.DataFrame, k: float) -> dict[str, Any]:
    empty = dict.fromkeys(("icc_21", "icc_2k", "ci_low", "ci_high"))
    try:
        found = fit(
            part["value"].to_numpy(float),
            np.ones((len(part), 1)),
            {"clips": part["clip"].to_numpy(), "people": part["participant"].to_numpy()},
        )
    except AnalysisError:
        return {**empty, "state": TOO_FEW}
    if np.isnan(found.sd).any() or found.state == NOT_CONVERGED:
        # Clips and listeners too few to tell their variances apart, or a search that did not end: no agreement to tell.
        return {**empty, "state": found.state if found.state == NOT_CONVERGED else TOO_FEW}
    clip, person, rest = (s**2 for s in (*found.sd, found.residual_sd))
    if clip < 1e-9 * rest:
        return {**empty, "icc_21": 0.0, "icc_2k": 0.0, "state": found.state}
    others = person + rest
    value = clip / (clip + others / k)
    covariance = found.deviations_covariance()
    low = high = None
    if covariance is not None:
        # logit ICC(2,k) = log(clip variance) - log(others' variance) + log k
        slope = np.array([2 / found.sd[0], -2 * found.sd[1] / others, -2 * found.residual_sd / others])
        half = 1.959963984540054 * float(np.sqrt(slope @ covariance @ slope))
        low, high = (float(1 / (1 + np.exp(-(np.log(value / (1 - value)) + u * half)))) for u in (-1, 1))
    return {
        "icc_21": float(clip / (clip + others)), "icc_2k": float(value), "ci_low": low, "ci_high": high,
        "state": found.state,
    }  # fmt: skip
