"""Groups of people in which condition fits better: against lmerTest, and that people, not answers, are counted."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.preference.moderators import moderators
from tests.analysis.preference.test_robust import unbalanced

CONFIG = AnalysisConfig(correction="holm")
KEYS = ("effect", "ci_low", "ci_high", "statistic", "df", "p")


def asked() -> tuple[pd.DataFrame, pd.DataFrame]:
    """36 people: men and women hear some clips otherwise; the trained find the new model to fit better."""
    rng = np.random.default_rng(40)
    people = pd.DataFrame(
        {
            "participant": range(36), "sex": rng.choice(["female", "male"], 36), "age": rng.integers(18, 70, 36).astype(float),
            "hearing_experience": rng.choice(["none", "amateur", "professional"], 36, p=[0.4, 0.4, 0.2]), "language": "en",
            "eating_experience": ["none"] * 33 + ["professional"] * 3,
        }
    )  # fmt: skip
    data = unbalanced()
    male = data["participant"].map(people["sex"].eq("male")).to_numpy()
    trained = data["participant"].map(people["hearing_experience"].eq("professional")).to_numpy()
    clips = np.unique(data["clip_over"], return_inverse=True)[1]
    moved = data["score"] + np.where(male, rng.normal(0, 1.5, 20)[clips], 0.0) + 1.5 * trained
    return data.assign(score=np.clip(np.round(moved), 0, 10)), people


def test_levels_are_contrasts_of_people_as_lmertest_has_them() -> None:
    """lmer(y ~ 0 + taste + columns of the levels + (1 | participant) + (1 | clip) + (0 + level - mean | clip)), the last left out
    where lme4 finds it to be zero, bobyqa with rhoend = 1e-10; contest1D(m, the level less the mean of the others, confint = TRUE)."""
    rows = {(r["moderator"], r["level"]): r for r in moderators(*asked(), 5.0, CONFIG)}
    assert list(rows) == list(WANTED)
    for key, (*numbers, slopes) in WANTED.items():
        row = rows[key]
        assert [row[k] for k in KEYS] == pytest.approx(numbers, rel=2e-4, abs=1e-6), key
        assert (row["slopes"], row["state"], row["n"], row["people"]) == (slopes, "ok", 216, 36)
    assert rows["sex", "female"]["against"] == "male"
    assert rows["hearing_experience", "none"]["against"] == "amateur, professional"
    p = sorted(r["p"] for r in rows.values())
    assert min(r["p_adjusted"] for r in rows.values()) == pytest.approx(min(1, len(p) * p[0]))  # Holm's first step


WANTED: dict[tuple[str, str], tuple[float, float, float, float, float, float, str]] = {
    ("hearing_experience", "amateur"): (-1.059697046136, -2.037883141477, -0.08151095079428, -2.206960903529, 31.89218548373, 0.03463483096594, ""),
    ("hearing_experience", "none"): (-0.8072243407428, -1.768874975465, 0.1544262946599, -1.711620886558, 31.16987354332, 0.09690140920651, ""),
    ("hearing_experience", "professional"): (1.866921388863, 0.5747031682776, 3.159139609448, 2.944834691557, 31.45730667274, 0.006031597336951, ""),
    ("sex", "female"): (-0.07032826916091, -1.303787735303, 1.163131196982, -0.1153649293189, 38.61288049598, 0.9087537468418, "clips"),
    ("age", "a decade"): (-0.2504794070617, -0.6195469858343, 0.1185881717109, -1.380327839927, 33.29232407141, 0.1766843055319, ""),
}  # fmt: skip


def test_levels_of_few_people_are_left_out_with_their_answers() -> None:
    """Three have eaten professionally: too few, and nobody is left to compare with; one language is no moderator."""
    data, people = asked()
    found = {r["moderator"] for r in moderators(data, people, 5.0, CONFIG)}
    assert found == {"sex", "hearing_experience", "age"}
    some = people.assign(eating_experience=people["hearing_experience"])  # asked alike: two moderators, hearing first
    told = [r["moderator"] for r in moderators(data, some, 5.0, CONFIG)]
    assert list(dict.fromkeys(told)) == ["hearing_experience", "eating_experience", "sex", "age"]
    people.loc[:4, "sex"] = None
    (sex,) = [r for r in moderators(data, people, 5.0, CONFIG) if r["moderator"] == "sex"]
    assert sex["people"] == 31
    assert sex["n"] == int((data["participant"] > 4).sum())
    assert moderators(data, people[["participant"]], 5.0, CONFIG) == []


def test_people_are_counted_and_not_their_answers() -> None:
    """Every answer ten times over (2,160 of 36 people) brings no more people: the error stays what their differences make it."""
    data, people = asked()
    once, often = (
        next(r for r in moderators(d, people, 5.0, CONFIG) if r["moderator"] == "age")
        for d in (data, pd.concat([data] * 10))
    )
    assert often["df"] < 2 * 36
    assert abs(often["effect"] / often["statistic"]) > 0.8 * abs(once["effect"] / once["statistic"])


def test_dealt_groups_are_found_in_five_of_a_hundred() -> None:
    """A group dealt at random: the seed paper's way finds it in most data sets."""
    rng = np.random.default_rng(2)
    data, people = asked()
    hits = 0
    for _ in range(60):
        dealt = people.assign(group=rng.permutation(["a", "b"] * 18))[["participant", "group"]]
        (row,) = moderators(data, dealt, 5.0, CONFIG)
        hits += row["p"] < 0.05
    assert hits <= 9  # of 5 %: more happens once in a thousand


def test_too_few_answers_are_said() -> None:
    data, people = asked()
    one = data.drop_duplicates("participant").assign(score=5.0)
    rows = moderators(one, people, 5.0, CONFIG)
    assert {(r["state"], r["p"], r["p_adjusted"]) for r in rows} == {("too few", None, None)}


def test_ages_of_nine_people_are_too_few_and_those_of_ten_enough() -> None:
    data, people = asked()
    for known, rows in ((9, []), (10, ["a decade"])):
        aged = people[["participant", "age"]].copy()
        aged["age"] = [20.0 + k if k < known else np.nan for k in range(len(aged))]
        assert [r["level"] for r in moderators(data, aged, 5.0, CONFIG)] == rows


def test_two_ages_are_no_slope_and_three_are() -> None:
    data, people = asked()
    for ages, rows in ((2, []), (3, ["a decade"])):
        aged = people[["participant"]].assign(age=[20.0 + k % ages for k in range(len(people))])
        assert [r["level"] for r in moderators(data, aged, 5.0, CONFIG)] == rows
