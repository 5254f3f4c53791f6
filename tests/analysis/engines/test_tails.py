"""p-values from tails, and adjusted ones, against R's p.adjust and by the definition."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.engines.tails import adjust, p_value

GAP = float("nan")


def test_each_direction_takes_its_own_tail() -> None:
    assert p_value(0.02, 0.98, "greater") == 0.02
    assert p_value(0.02, 0.98, "less") == 0.98
    assert p_value(0.02, 0.98, "two-sided") == 0.04
    assert p_value(0.9, 0.1, "two-sided") == 0.2
    # A discrete statistic at its middle has both tails over a half.
    assert p_value(0.6, 0.6, "two-sided") == 1.0
    assert p_value(np.array([0.3, 0.8]), np.array([0.7, 0.2]), "two-sided") == pytest.approx([0.6, 0.4])


def test_a_misspelled_direction_or_correction_is_refused() -> None:
    with pytest.raises(ValueError, match="'smaller'"):
        p_value(0.1, 0.9, "smaller")
    with pytest.raises(ValueError, match="'sidak'"):
        adjust(np.array([0.1]), "sidak")


@pytest.mark.parametrize(
    ("p", "holm", "bonferroni"),
    [
        # R 4.2.2: p.adjust(p, 'holm'), p.adjust(p, 'bonferroni')
        (
            [0.03, 0.004, GAP, 0.6, 0.02, 0.031, 0.3],
            [0.12, 0.024, GAP, 0.6, 0.1, 0.12, 0.6],
            [0.18, 0.024, GAP, 1.0, 0.12, 0.186, 1.0],
        ),
        ([0.02, 0.021, 0.019, 0.9], [0.076, 0.076, 0.076, 0.9], [0.08, 0.084, 0.076, 1.0]),
        ([0.01, 0.04, 0.03, 0.5], [0.04, 0.09, 0.09, 0.5], [0.04, 0.16, 0.12, 1.0]),
        ([0.6, 0.7], [1.0, 1.0], [1.0, 1.0]),
        ([0.04], [0.04], [0.04]),
        ([GAP, GAP], [GAP, GAP], [GAP, GAP]),
    ],
)
def test_adjustments_are_those_of_r(p: list[float], holm: list[float], bonferroni: list[float]) -> None:
    assert adjust(np.array(p), "holm") == pytest.approx(holm, nan_ok=True)
    assert adjust(np.array(p), "bonferroni") == pytest.approx(bonferroni, nan_ok=True)


@pytest.mark.parametrize("method", ["holm", "bonferroni"])
def test_several_studies_at_once_are_the_studies_alone(method: str) -> None:
    rng = np.random.default_rng(0)
    p = rng.random((5, 40)) ** 3
    p[rng.random(p.shape) < 0.1] = np.nan
    together = adjust(p, method)
    for k in range(p.shape[1]):
        assert together[:, k] == pytest.approx(adjust(p[:, k], method), nan_ok=True)


@settings(max_examples=60)
@given(st.lists(st.floats(1e-6, 1), min_size=1, max_size=7))
def test_holm_rejects_what_holms_steps_reject(p: list[float]) -> None:
    """Holm 1979: from the smallest p on, reject while p <= alpha / (tests left); the first that fails ends it."""
    for alpha in (0.05, 0.3):
        rejected = set()
        for step, k in enumerate(sorted(range(len(p)), key=lambda i: p[i])):
            if p[k] * (len(p) - step) > alpha:
                break
            rejected.add(k)
        assert {int(k) for k in np.flatnonzero(adjust(np.array(p), "holm") <= alpha)} == rejected
