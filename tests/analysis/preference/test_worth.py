"""Worth of three and more conditions: against lme4 and lm on the signed design, by hand, and the laws that it obeys."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.engines.mixed import fit
from analysis.preference import joint
from analysis.preference.worth import connected, design, triangles, worth
from tests.analysis.preference.test_joint import frame

NAMES = ("base", "film", "tuned")


def leaning(seed: int = 5, people: int = 40, apart: float = 1.0, **changes: float) -> pd.DataFrame:
    """Comparisons of three conditions by people who favour some of them."""
    d = frame(3, seed=seed, people=people, person_sd=0.8, clip_sd=0.7, **changes)
    rng = np.random.default_rng(9)
    own, place = rng.normal(0, 0.9, (people, 3)), {"film": 0, "base": 1, "tuned": 2}
    lift = apart * np.array([0.2, -0.3, 0.6])
    over, under = d.over.map(place), d.under.map(place)
    y = d.score + own[d.participant, over] - own[d.participant, under] + lift[over] - lift[under]
    return d.assign(score=np.clip(np.round(y), 0, 10))


STUDY = joint.sides(leaning())


@pytest.fixture(scope="module")
def found_all() -> list[dict]:
    return worth(STUDY, 5.0)


def test_worths_are_contrasts_of_lme4s_model_on_the_signed_design(found_all: list[dict]) -> None:
    """lme4 and lmerTest: columns x of the signed conditions by taste (the last minus the sum), lFormula(y ~ 0 + x + (1 | pc) +
    (1 | clip)) whose Zt has +1 for the condition (of this person) and the clip over the middle and -1 for the others, bobyqa
    with rhoend = 1e-10; contest1D(m, contrast, confint = TRUE)."""
    wanted = {
        ("all", "base"): (-0.14773029229539, -0.62254044968581, 0.32707986509502, 0.23324245554039, 32.504759367955),
        ("all", "film"): (-0.069495275291289, -0.54466203138379, 0.40567148080121, 0.2341362198105, 35.322404782848),
        ("all", "tuned"): (0.21722556758668, -0.26066946073597, 0.69512059590933, 0.2353643315301, 34.836794030839),
        ("bitter", "tuned"): (0.44307257127982, -0.44752338237758, 1.3336685249372, 0.4351573512826, 28.557618227915),
        ("salty", "film"): (-0.17082168411678, -1.0443374454475, 0.70269407721393, 0.42816682932577, 30.770761037926),
        ("sour", "base"): (0.18032299493822, -0.69508836273289, 1.0557343526093, 0.42668925698986, 27.054609737448),
        ("sweet", "tuned"): (0.27076471128321, -0.59084969882483, 1.1323791213913, 0.41963069000309, 26.601870616689),
    }  # fmt: skip
    rows = {(r["taste"], r["condition"]): r for r in found_all}
    assert list(rows) == [(t, c) for t in ("all", "bitter", "salty", "sour", "sweet") for c in NAMES]
    for key, numbers in wanted.items():
        row = rows[key]
        got = [row[k] for k in ("value", "ci_low", "ci_high", "standard_error", "df")]
        assert got == pytest.approx(numbers, rel=1e-5), key
        assert row["state"] == "ok"
    assert [rows["all", c]["n"] for c in NAMES] == [140, 130, 130]
    assert rows["sweet", "film"]["n"] == 35


def test_without_people_and_clips_it_is_least_squares_on_the_signed_design() -> None:
    """R: lm(y ~ 0 + I), I of base and film less tuned; the third is minus their sum, its error sqrt(sum(vcov))."""
    x = design(STUDY, list(NAMES), ["all"])
    found = fit(STUDY["score"].to_numpy(float) - 5, x, {})
    assert found.beta == pytest.approx([-0.114285714285714, -0.037593984962406])
    last = found.test(np.array([-1.0, -1.0]))
    assert (last.estimate, last.error, last.df) == pytest.approx((0.15187969924812, 0.16100413728315, 198))
    assert np.sqrt(np.diag(found.covariance)) == pytest.approx([0.15500185871798, 0.16100413728315])


def by_hand(pairs: str, lift: dict[str, float], tastes: tuple[str, ...] = ("sweet",)) -> pd.DataFrame:
    """Two people judge every pair twice, as far over the difference of the worths as under it, each time with clips of their own."""
    rows = []
    for t in tastes:
        for k, (a, b) in enumerate(pairs.split()):
            for p, off in ((1, 1.0), (1, -1.0), (2, 2.0), (2, -2.0)):
                rows.append(
                    (p, t, f"{a} - {b}", a, b, f"{t}{a}{k}{p}{off}", f"{t}{b}{k}{p}{off}", 5 + lift[a] - lift[b] + off)
                )
    return pd.DataFrame(rows, columns=["participant", "taste", "pair", "over", "under", "first", "second", "score"])


def test_differences_are_taken_apart_into_worths_that_sum_to_zero() -> None:
    """Of a - b = 1, a - c = 3, b - c = 2 the worths are 4/3, 1/3 and -5/3, exactly."""
    found = worth(by_hand("ab ac bc", {"a": 3.0, "b": 2.0, "c": 0.0}), 5.0)
    assert {r["condition"]: r["value"] for r in found if r["taste"] == "all"} == pytest.approx(
        {"a": 4 / 3, "b": 1 / 3, "c": -5 / 3}
    )
    # A chain is enough: c is never compared with a.
    chain = worth(by_hand("ab bc", {"a": 3.0, "b": 2.0, "c": 0.0}), 5.0)
    assert {r["condition"]: r["value"] for r in chain} == pytest.approx({"a": 4 / 3, "b": 1 / 3, "c": -5 / 3})


def test_where_a_taste_connects_only_some_conditions_one_worth_for_all_is_told() -> None:
    lift = {"a": 3.0, "b": 2.0, "c": 0.0}
    both = pd.concat([by_hand("ab ac bc", lift), by_hand("ab", lift, ("sour",))])
    found = worth(both, 5.0)
    assert [(r["taste"], r["condition"]) for r in found] == [("all", c) for c in "abc"]
    assert [r["value"] for r in found] == pytest.approx([4 / 3, 1 / 3, -5 / 3])


def test_conditions_that_no_chain_connects_have_no_worth_and_it_is_said() -> None:
    apart = by_hand("ab cd", {"a": 1.0, "b": 0.0, "c": 0.0, "d": 0.0})
    assert not connected(apart, list("abcd"))
    assert connected(by_hand("ab bc cd", dict.fromkeys("abcd", 0.0)), list("abcd"))
    found = worth(apart, 5.0)
    assert [r["condition"] for r in found] == list("abcd")
    assert {r["state"] for r in found} == {"not connected"}
    assert {r[k] for r in found for k in ("value", "ci_low", "ci_high", "standard_error", "df")} == {None}


def test_two_conditions_have_no_worths_and_too_few_answers_no_numbers() -> None:
    assert worth(joint.sides(frame()), 5.0) == []
    one = by_hand("ab bc", {"a": 1.0, "b": 0.0, "c": 0.0}).iloc[[0, 4]]
    found = worth(one, 5.0)
    assert [(r["state"], r["value"], r["n"]) for r in found] == [
        ("too few", None, 1),
        ("too few", None, 2),
        ("too few", None, 1),
    ]


@settings(max_examples=12)
@given(turned=st.sets(st.sampled_from(["base - tuned", "film - base", "film - tuned"])), shift=st.integers(-3, 3))
def test_turning_pairs_round_or_naming_clips_anew_changes_nothing(
    found_all: list[dict], turned: set[str], shift: int
) -> None:
    there = STUDY["pair"].isin(turned)
    other = STUDY.rename(columns={"over": "under", "under": "over", "first": "second", "second": "first"})
    other = other.assign(score=10 - other["score"], pair=other["over"] + " - " + other["under"])
    mixed = STUDY.where(~there, other[STUDY.columns])
    mixed["score"] = mixed["score"].astype(float)
    mixed["first"], mixed["second"] = "z" + mixed["first"].str[::-1], "z" + mixed["second"].str[::-1]
    mixed["participant"] = 100 + shift - mixed["participant"].astype(int)
    for mine, was in zip(worth(mixed, 5.0), found_all, strict=True):
        assert (mine["taste"], mine["condition"], mine["n"]) == (was["taste"], was["condition"], was["n"])
        assert [mine[k] for k in ("value", "ci_low", "df")] == pytest.approx(
            [was[k] for k in ("value", "ci_low", "df")], rel=1e-4, abs=1e-6
        )


def test_values_of_a_taste_sum_to_zero_and_all_is_their_mean(found_all: list[dict]) -> None:
    values = pd.DataFrame(found_all).pivot(index="taste", columns="condition", values="value")
    assert values.sum(axis=1).abs().max() < 1e-9
    assert values.loc["all"].to_numpy() == pytest.approx(values.drop("all").mean().to_numpy())


def test_what_three_differences_leave_round_a_triangle() -> None:
    """Of a - b = 1, b - c = 1, a - c = 5 the way round leaves 1 + 1 - 5 = -3; where they add up nothing is left."""
    d = by_hand("ab bc ac", {"a": 2.0, "b": 1.0, "c": 0.0}, ("sweet", "sour"))
    odd = d.assign(score=d["score"] + 3.0 * (d["pair"] == "a - c"))
    for data, left in ((d, 0.0), (odd, -3.0)):
        cells = joint.comparison(data)
        found = joint.fitted(cells, data["score"].to_numpy(float)[:, None] - 5)
        (row,) = triangles(found, cells, data)
        assert row["triangle"] == "a, b, c"
        assert row["left"] == pytest.approx(left, abs=1e-9)
        assert row["ci_low"] < row["left"] < row["ci_high"]
    assert row["p"] < 0.05
    # Another name for the first of them, last in the alphabet, turns neither the way round nor the sign.
    other = odd.replace({"over": {"a": "z"}, "under": {"a": "z"}})
    other["pair"] = other["over"] + " - " + other["under"]
    cells = joint.comparison(other)
    (turned,) = triangles(joint.fitted(cells, other["score"].to_numpy(float)[:, None] - 5), cells, other)
    assert (turned["triangle"], turned["left"]) == ("z, b, c", pytest.approx(-3.0))
    two = by_hand("ab bc", {"a": 2.0, "b": 1.0, "c": 0.0})
    cells = joint.comparison(two)
    assert triangles(joint.fitted(cells, two["score"].to_numpy(float)[:, None]), cells, two) == []
    assert triangles(None, cells, two) == []


def test_the_order_of_conditions_is_that_of_wins() -> None:
    """Beside Bradley and Terry's model of who won, R: glm(won ~ 0 + I, binomial) of scores over and under the middle."""
    d = joint.sides(leaning(seed=8, people=120, apart=2.0))
    found = {r["condition"]: r["value"] for r in worth(d, 5.0) if r["taste"] == "all"}
    wins = [-0.53820826424685, 0.11230756142305, 0.42590070282379]
    assert np.corrcoef([found[c] for c in NAMES], wins)[0, 1] > 0.98
