"""Declared beside recovered: means by hand, R's interval, and whether the direction came back."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data.frames import StudyData
from analysis.data.planned import Planned
from analysis.report.recovery import analyse
from experiment.bots.effects import Effects, IdentificationEffects

EFFECTS = Effects.model_validate(
    {
        "name": "made up",
        "preference": {"mean": {"sweet": 6.0, "bitter": 4.5}, "participant_sd": 1, "clip_sd": 1, "residual_sd": 1},
        "ratings": {
            "mean": {"sweet": {"happy": 4.0, "sad": 2.0}, "bitter": {"happy": 1.5}}, "participant_sd": 1, "clip_sd": 1, "spread": 1,
        },
    }
)  # fmt: skip


def data(scores: dict[str, dict[int, list[float]]], ratings: list[tuple[str, str, float]]) -> StudyData:
    preference = [(p, t, s) for t, people in scores.items() for p, values in people.items() for s in values]
    return StudyData(
        "s", "bot", pd.DataFrame(), pd.DataFrame(preference, columns=["participant", "taste", "score"]).assign(over="finetuned", under="base"),
        pd.DataFrame(ratings, columns=["prompt", "adjective", "value"]), pd.DataFrame(), 5.0, {}, "",
    )  # fmt: skip


def test_mean_over_people_with_rs_interval() -> None:
    """R: t.test(c(7, 5, 8, 6)): mean 6.5, 95 % interval 4.445739743 to 8.554260257. A person's two answers count once."""
    rows = analyse(data({"sweet": {1: [6, 8], 2: [5], 3: [8], 4: [6]}}, []), EFFECTS)["preference"]
    assert rows == [
        {
            "taste": "sweet", "n": 4, "declared": 6.0, "recovered": 6.5, "ci_low": pytest.approx(4.445739743),
            "ci_high": pytest.approx(8.554260257), "direction_kept": True,
        }
    ]  # fmt: skip


def test_a_direction_is_kept_or_not() -> None:
    rows = analyse(
        data({"bitter": {1: [6], 2: [7]}, "sweet": {1: [6], 2: [7]}, "sour": {1: [5], 2: [5]}, "salty": {1: [6]}}, []),
        EFFECTS,
    )["preference"]
    found = {r["taste"]: r for r in rows}
    assert list(found) == ["bitter", "salty", "sour", "sweet"]
    assert {t: r["direction_kept"] for t, r in found.items()} == {
        "bitter": False,  # declared under the middle, found over it
        "salty": None,  # declared nothing: there is no direction to keep
        "sour": None,
        "sweet": True,
    }
    assert found["salty"]["declared"] == 5.0  # no effect declared: the middle
    assert found["salty"]["recovered"] == 6.0
    assert np.isnan(found["salty"]["ci_low"])  # one person has no interval


def test_cells_of_ratings_by_hand() -> None:
    answers = [
        ("sweet", "happy", 5.0), ("sweet", "happy", 4.0), ("sweet", "sad", 1.5), ("bitter", "happy", 1.0),
        ("bitter", "sad", 3.0), ("sour", "happy", 5.0),
    ]  # fmt: skip
    (row,) = analyse(data({}, answers), EFFECTS)["ratings"]
    # told 1.5, 4, 2; found 1, 4.5, 1.5
    assert row["cells"] == 3
    assert row["r"] == pytest.approx(np.corrcoef([1.5, 4, 2], [1, 4.5, 1.5])[0, 1])
    assert row["mean_difference"] == pytest.approx(-1 / 6)
    assert row["largest_difference"] == pytest.approx(0.5)
    assert analyse(data({}, answers[:3]), EFFECTS)["ratings"] == []  # two cells tell no correlation


def test_ratings_of_conditions_are_held_against_their_own_means_on_the_studys_scale() -> None:
    """Declared in shares of the scale; 1 + 4 x .25, .75, .5 and, of what every condition has, 0: 2, 4, 3, 1."""
    told = EFFECTS.model_copy(
        update={"ratings": EFFECTS.ratings.model_validate(
            {"low": 0, "high": 1, "mean": {"sour": {"happy": 0.0}}, "participant_sd": 1, "clip_sd": 1, "spread": 1,
             "conditions": {"nano": {"sweet": {"happy": 0.25}}, "film": {"sweet": {"happy": 0.75, "sad": 0.5}}}}
        )}
    )  # fmt: skip
    given = [
        ("nano", "sweet", "happy", 2.0), ("nano", "sweet", "happy", 3.0), ("film", "sweet", "happy", 4.0),
        ("film", "sweet", "sad", 3.0), ("nano", "sour", "happy", 1.0), ("nano", "sweet", "sad", 5.0),
    ]  # fmt: skip
    rated = pd.DataFrame(given, columns=["model", "prompt", "adjective", "value"])
    (row,) = analyse(replace(data({}, []), ratings=rated, planned=Planned(scale=(1.0, 5.0))), told)["ratings"]
    assert row["cells"] == 4  # of nano's sadness nothing is declared
    assert row["mean_difference"] == pytest.approx(0.5 / 4)
    assert row["largest_difference"] == pytest.approx(0.5)
    assert row["r"] == pytest.approx(np.corrcoef([2, 4, 3, 1], [2.5, 4, 3, 1])[0, 1])


def test_shares_of_tastes_named_right_beside_what_was_declared() -> None:
    """Two people of whom one names one of two sweet clips right, the other both: .75; R: t.test(c(.5, 1)), -2.426551 to 3.926551."""
    told = EFFECTS.model_copy(update={"identification": IdentificationEffects(hits={"nano": {"sweet": 0.6}})})
    given = [
        (1, "sweet", "nano", "sweet"), (1, "sweet", "nano", "sour"), (2, "sweet", "nano", "sweet"), (2, "sweet", "nano", "sweet"),
        (1, "sour", "nano", "sour"), (1, "sweet", "film", "sour"),
    ]  # fmt: skip
    answered = replace(
        data({}, []), identification=pd.DataFrame(given, columns=["participant", "asked", "condition", "answered"])
    )
    (row,) = analyse(answered, told)["identification"]  # of the others nothing is declared
    assert (row["condition"], row["taste"], row["n"], row["declared"]) == ("nano", "sweet", 2, 0.6)
    assert row["recovered"] == 0.75
    assert (row["ci_low"], row["ci_high"]) == (
        pytest.approx(0.75 - 3.176551, abs=1e-6),
        pytest.approx(0.75 + 3.176551, abs=1e-6),
    )
    assert analyse(answered, EFFECTS)["identification"] == []
