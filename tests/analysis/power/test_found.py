"""Power as the command prints it is found again by bots through sessions, database and the command line."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.found import POINTS, Point, beside, found_in, written
from experiment.bots.effects import load_effects
from tastelab.study import load_study


@pytest.mark.parametrize(("shift", "high", "power"), [(4.0, 100, 1.0), (-4.0, 10, 0.0)])
def test_what_is_certain_is_certain_in_both(shift: float, high: int, power: float) -> None:
    """Means of about 9.6 of 10 are always found to be greater, means of about 1.6 never."""
    row = beside(Point(10, shift, "all", high=high), studies=2, simulated=20)
    assert (row["printed"], row["found"], row["within"]) == (power, power, True)
    assert (row["people"], row["clips"], row["plan"], row["slider"]) == (10, 5, "robust", high)


def test_the_study_and_the_effects_are_the_points(tmp_path: Path) -> None:
    study, effects = written(tmp_path, Point(12, 0.7, "any", high=100))
    loaded = load_study(study)
    assert [t.kind for t in loaded.experiment.sequence()] == ["preference"]
    told = load_effects(effects)
    assert told.preference.mean["finetuned"] == pytest.approx({"sweet": 6.8, "sour": 6.6, "salty": 5.2, "bitter": 6.5})
    assert told.ratings == load_effects().ratings
    found = found_in(study, effects, Point(12, 0.7, "any", "paper"), 1)
    assert set(found) == {"all", "bitter", "salty", "sour", "sweet", "any"}
    assert found["any"] == any(found[t] for t in ("bitter", "salty", "sour", "sweet"))


def test_six_points_of_both_plans_and_two_sliders() -> None:
    assert len(POINTS) == 6
    assert {p.plan for p in POINTS} == {"robust", "paper"}
    assert {p.high for p in POINTS} == {10, 100}
