"""From a statistic's two tails to a p-value, and from p-values of several tests to adjusted ones."""

from __future__ import annotations

import numpy as np


def p_value(upper: np.ndarray | float, lower: np.ndarray | float, alternative: str) -> np.ndarray | float:
    """p-value of a test from the probabilities of a statistic as large (`upper`) and as small (`lower`).

    Both tails are wanted as they are: one less the other is zero where the other is near one.

    Raises
    ------
    ValueError
        If the alternative is not one of the three.
    """
    if alternative == "greater":
        return upper
    if alternative == "less":
        return lower
    if alternative == "two-sided":
        return np.minimum(2 * np.minimum(upper, lower), 1.0)
    raise ValueError(f"alternative {alternative!r}: there are greater, less, two-sided")


def adjust(p: np.ndarray, method: str) -> np.ndarray:
    """Adjust p-values for several tests, by Bonferroni or Holm (1979), along the first axis.

    A test that could not be made (nan) stays nan and does not count as one.

    Raises
    ------
    ValueError
        If the method is not ``"bonferroni"`` or ``"holm"``.
    """
    p = np.asarray(p, dtype=float)
    tests = (~np.isnan(p)).sum(axis=0)
    if method == "bonferroni":
        return np.minimum(p * tests, 1.0)
    if method != "holm":
        raise ValueError(f"correction {method!r}: there are bonferroni, holm")
    order = np.argsort(p, axis=0)  # nan comes last
    left = np.maximum(tests - np.arange(len(p)).reshape(-1, *[1] * (p.ndim - 1)), 1)
    out = np.empty_like(p)
    steps = np.maximum.accumulate(np.take_along_axis(p, order, axis=0) * left, axis=0)
    np.put_along_axis(out, order, np.minimum(steps, 1.0), axis=0)
    return out
