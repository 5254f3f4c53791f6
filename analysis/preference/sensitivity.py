"""What else could have made the answers: order and side; what the study could have found; what marked people change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.config import AnalysisConfig
from analysis.engines.mixed import fit
from analysis.errors import AnalysisError
from analysis.preference import joint, robust
from analysis.preference.pairs import named_pair, of_pair, pairs_in

if TYPE_CHECKING:
    import pandas as pd

    from analysis.data.frames import StudyData


def order_and_side(data: pd.DataFrame, middle: float) -> list[dict[str, Any]]:
    """Mixed models of task 1: does the score move with the trial's position, or with the side of the clip that a high score speaks for?

    Participants and clips are random intercepts. Rows: effect (points a trial; points of the second clip's side over the
    first's), 95 % interval, t, Satterthwaite's df, two-sided p. `side` is the pull towards the clip heard second, whatever
    its model: half the difference between the two orders.
    """
    data = data.dropna(subset=["score"])
    position = data.groupby("participant")["trial"].rank(method="first").to_numpy(float)
    # Whether the clip that a high score speaks for came second.
    second = np.where(data["first_model"] == data["under"], 0.5, -0.5)
    columns = {"order": position - position.mean(), "side": second}
    kept = {k: v for k, v in columns.items() if np.ptp(v) > 0}
    if not kept or len(data) < 20:
        return []
    x = np.column_stack([np.ones(len(data)), *kept.values()])
    compared = joint.comparison(joint.sides(data))
    try:
        found = fit(data["score"].to_numpy(float) - middle, x, compared.factors)
    except AnalysisError:
        return []
    rows = []
    for k, name in enumerate(kept):
        c = found.test(np.eye(x.shape[1])[k + 1])
        half = 0.5 if name == "side" else 1.0
        rows.append(
            {
                "bias": name, "unit": "points a trial" if name == "order" else "points towards the second clip",
                "difference": half * c.estimate, "ci_low": half * c.ci_low, "ci_high": half * c.ci_high, "statistic": c.t,
                "df": c.df, "p": c.p, "state": found.state,
            }
        )  # fmt: skip
    return rows


def detectable(
    tests: list[dict[str, Any]], alpha: float, declared: int = 1, power: float = 0.8, gate: bool = False
) -> list[dict[str, Any]]:
    """The smallest effect that each test of the robust plan finds with the given power, from its own standard error.

    Sensitivity power (Perugini, Gallucci & Costantini 2018): unlike power at the effect that was found it does not depend
    on the outcome. Declared tests carry Bonferroni's share of alpha, which bounds Holm's; `declared` is how many there are. Behind a
    `gate` those over all tastes share it among themselves, and so do the others, given that the first was passed
    (`analysis.preference.questions.family`).
    """
    from scipy import stats

    firsts = sum(row["taste"] == joint.ALL and row["role"] == "declared" for row in tests) if gate else 0
    rows = []
    for row in tests:
        if row["p"] is None:
            continue
        error = row["standard_error"]
        sharing = firsts if firsts and row["taste"] == joint.ALL else declared - firsts
        share = alpha / max(sharing, 1) if row["role"] == "declared" else alpha
        tail = share / 2 if row["alternative"] == "two-sided" else share
        critical = float(stats.t.ppf(1 - tail, row["df"]))
        # Noncentral t: the shift at which the share `power` of outcomes passes the critical value.
        low, high = 0.0, critical + 20.0
        for _ in range(60):
            shift = (low + high) / 2
            low, high = (shift, high) if stats.nct.sf(critical, row["df"], shift) < power else (low, shift)
        rows.append(
            {
                "taste": row["taste"], **({"pair": row["pair"]} if "pair" in row else {}), "alternative": row["alternative"], "alpha": share, "power": power,
                "standard_error": error, "df": row["df"], "detectable": shift * error, "state": row["state"],
            }
        )  # fmt: skip
    return rows


def with_and_without(data: StudyData, people: set[int], config: AnalysisConfig) -> list[dict[str, Any]]:
    """The tests over all tastes with everybody and without some people (those that the careless indices mark): one, or one a pair."""
    from analysis.data.careless import without

    rows = []
    pairs = pairs_in(data.preference)
    for label, part in (("everybody", data), ("without marked", without(data, people))):
        if part.preference.empty:
            continue
        left = [named_pair(*pair) for pair in pairs_in(part.preference)]
        for test in robust.rows_of_tests(part.preference, part.middle, config):
            if test["taste"] != joint.ALL:
                continue
            pair = str(test.get("pair", left[0]))
            own = of_pair(part.preference, next(p for p in pairs if named_pair(*p) == pair))
            rows.append(
                {
                    "who": label, **({"pair": pair} if len(pairs) > 1 else {}), "n_participants": int(own["participant"].nunique()),
                    "n": test["n"], "difference": test["effect"], "ci_low": test["ci_low"], "ci_high": test["ci_high"],
                    "statistic": test["statistic"], "df": test["df"], "p": test["p"], "state": test["state"],
                }
            )  # fmt: skip
    return sorted(rows, key=lambda row: [named_pair(*p) for p in pairs].index(row["pair"])) if len(pairs) > 1 else rows
