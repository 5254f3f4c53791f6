"""Everything about the identification task as tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.agreement.repeats import reliability
from analysis.config import AnalysisConfig
from analysis.engines.tails import adjust
from analysis.identification.confusion import confusion, similarity, unbiased
from analysis.identification.naming import accuracy, naming

if TYPE_CHECKING:
    import pandas as pd

TABLES = ("confusion", "accuracy", "tests", "unbiased", "similarity", "bias", "choice_model", "reliability")


def analyse(answers: pd.DataFrame, repeats: pd.DataFrame, config: AnalysisConfig) -> dict[str, list[dict[str, Any]]]:
    """All tables; empty ones where nothing was identified.

    Parameters
    ----------
    answers : DataFrame
        participant, clip, condition, asked, answered; one row an answer, repeats left out.
    repeats : DataFrame
        participant, item, first, again: pairs of answers about a clip that was heard again.

    Returns
    -------
    dict
        `TABLES`; p of the tests is corrected over a condition's tastes by the study's rule, among those that have one.
    """
    tables: dict[str, list[dict[str, Any]]] = {name: [] for name in TABLES}
    if not repeats.empty:
        tables["reliability"] = reliability(repeats)
    if answers.empty:
        return tables
    tests = naming(answers)
    for condition in dict.fromkeys(row["condition"] for row in tests):
        own = [row for row in tests if row["condition"] == condition]
        known = [row for row in own if row["p"] is not None]
        corrected = adjust(np.array([row["p"] for row in known]), config.correction)
        for row in own:
            row["p_adjusted"] = None
        for row, p in zip(known, corrected, strict=True):
            row["p_adjusted"] = float(p)
    tables |= {
        "confusion": confusion(answers), "accuracy": accuracy(answers, tests), "tests": tests, "unbiased": unbiased(answers),
    }  # fmt: skip
    for condition, part in answers.groupby("condition", sort=False):
        pairs, biases, fit = similarity(part)
        for name, rows in (("similarity", pairs), ("bias", biases), ("choice_model", [fit])):
            tables[name] += [{"condition": str(condition), **row} for row in rows]
    return tables
