"""Expected values: R 4.2.2 with psych 2.2.9, tests/golden/likert.R on tests/golden/likert.csv."""

import itertools
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from analysis.data.frames import StudyData
from analysis.engines.threads import one_thread
from analysis.errors import AnalysisError
from analysis.factors import trust
from analysis.factors.extraction import FactorSolution, extract
from analysis.factors.trust import (
    aligned,
    analyse,
    between_groups,
    congruence,
    cronbach,
    loading_intervals,
    omega,
    people_groups,
    second_order,
    subscales,
)

DATA = pd.read_csv(Path(__file__).parents[2] / "golden" / "likert.csv")
ITEMS = tuple(DATA.columns[:9])
X = DATA[list(ITEMS)].to_numpy(float)
R = np.corrcoef(X, rowvar=False)


@pytest.fixture(autouse=True)
def _one_thread():
    with one_thread():
        yield


def test_second_order_equals_fa_multi() -> None:
    found = second_order(R, 3, 1)
    assert found.higher[:, 0] == pytest.approx([0.6094041005, 0.7133233672, 0.5237512921], abs=1e-4)
    assert found.phi[0, 1:] == pytest.approx([0.4347021745, 0.3191761541], abs=1e-4)
    assert found.loadings[0] == pytest.approx([0.174262807334, 0.69036839889, -0.07201957867], abs=1e-4)
    assert found.identified
    with pytest.raises(AnalysisError, match="three are needed"):
        second_order(R, 2, 1)


def test_two_factors_over_four_are_said_to_be_not_identified() -> None:
    assert not second_order(R, 4, 2).identified


def test_a_factor_without_variance_of_its_own_above_is_flagged(monkeypatch: pytest.MonkeyPatch) -> None:
    """First-order factors correlated as .9, .8 and .5: one factor above them asks 1.2 of the first (.9 * .8 / .5 = 1.44): Heywood."""
    phi = np.array([[1, 0.9, 0.8], [0.9, 1, 0.5], [0.8, 0.5, 1.0]])
    real = trust.extract

    def first_given(r: np.ndarray, items: tuple[str, ...], number: int, **how: Any) -> FactorSolution:
        return FactorSolution(items, np.zeros((9, 3)), phi, r) if len(r) == 9 else real(r, items, number, **how)

    assert not second_order(R, 3, 1).heywood.any()
    monkeypatch.setattr(trust, "extract", first_given)
    assert second_order(R, 3, 1).heywood.tolist() == [True, False, False]


def test_omega_equals_psych() -> None:
    found = omega(R, 3)
    assert found["omega_h"] == pytest.approx(0.5741371586, abs=1e-5)
    assert found["omega_total"] == pytest.approx(0.8792818581, abs=1e-5)
    assert found["alpha"] == pytest.approx(0.8091314152, abs=1e-9)
    # An item turned round is turned back first.
    turned = R.copy()
    turned[0] *= -1
    turned[:, 0] *= -1
    assert omega(turned, 3)["omega_h"] == pytest.approx(found["omega_h"], abs=1e-4)


def test_subscales_equal_psych() -> None:
    rows = {r["items"]: r for r in subscales(X, ITEMS, extract(R, ITEMS, 3).loadings)}
    assert rows["a, b, c"]["alpha"] == pytest.approx(0.7916591905, abs=1e-9)
    assert rows["a, b, c"]["omega"] == pytest.approx(0.7943283113, abs=1e-6)


def test_congruence_and_alignment() -> None:
    loadings = extract(R, ITEMS, 3).loadings
    shuffled = loadings[:, [2, 0, 1]] * [-1, 1, -1]
    assert aligned(shuffled, loadings) == pytest.approx(loadings)
    assert np.diag(congruence(loadings, loadings)) == pytest.approx(1)


def test_loading_intervals_hold_the_loadings() -> None:
    solution = extract(R, ITEMS, 3)
    low, high, used = loading_intervals(X, np.arange(300) // 3, solution, 30, np.random.default_rng(0))
    assert used == 30
    inside = (low <= solution.loadings) & (solution.loadings <= high)
    assert inside.mean() > 0.9
    assert (low[np.abs(solution.loadings) > 0.6] > 0).all()


def test_shuffled_people_agree_as_well_as_the_groups() -> None:
    people = np.arange(300) // 3
    rows = between_groups(
        X, people, {i: "ab"[i % 2] for i in range(100)}, extract(R, ITEMS, 3), 19, np.random.default_rng(0)
    )
    assert all(r["congruence"] > 0.9 for r in rows)
    assert all(r["p"] >= 0.05 for r in rows)


def test_groups_of_people() -> None:
    people = pd.DataFrame(
        {"participant": range(60), "age": range(20, 80), "sex": ["male"] * 35 + ["female"] * 22 + ["other"] * 3}
    )
    ages = people_groups(people, "age")
    assert ages is not None
    assert sorted(set(ages.values())) == ["49.5 and over", "under 49.5"]
    sexes = people_groups(people, "sex")
    assert sexes is not None
    assert len(sexes) == 57
    assert people_groups(people, "sex", smallest=30) is None
    assert people_groups(people, "language") is None


def test_second_order_over_four_equals_fa_multi() -> None:
    """psych: fa.multi(cor(x), 4, 1, fm = "minres", rotate = "oblimin")$f2$loadings; the factors' correlations, not their loadings."""
    found = second_order(R, 4, 1)
    assert found.higher[:, 0] == pytest.approx([0.4882117060, 0.5793391925, 0.7971866652, 0.5436101423], abs=2e-3)
    assert found.phi[0, 1:] == pytest.approx([0.4344589396, 0.3320188172, 0.1876616551], abs=2e-3)
    assert found.identified


@pytest.mark.parametrize(
    ("factors", "higher", "identified"), [(3, 1, True), (4, 1, True), (4, 2, False), (5, 2, True), (6, 3, True)]
)
def test_identified_where_there_are_no_more_unknowns_than_correlations(
    monkeypatch: pytest.MonkeyPatch, factors: int, higher: int, identified: bool
) -> None:
    """((f - h)^2 - (f + h)) / 2 degrees of freedom: 0, 2, -1, 1, 0."""
    made = FactorSolution((), np.eye(factors), np.eye(factors), np.eye(factors))
    monkeypatch.setattr("analysis.factors.trust.extract", lambda *_, **__: made)
    assert second_order(np.eye(9), factors, higher).identified is identified


def test_alpha_by_hand() -> None:
    """Two items of variance 1 and covariance .5: 2 / 1 * (1 - 2 / 3)."""
    assert cronbach(np.array([[1, 0.5], [0.5, 1]])) == pytest.approx(2 / 3)
    assert cronbach(np.eye(3)) == pytest.approx(0)
    assert cronbach(np.ones((4, 4))) == pytest.approx(1)


def test_subscales_hold_each_item_once_and_say_which_are_reversed() -> None:
    """psych: alpha(x[, 1:3], check.keys = TRUE) with an item reversed is that of the items as they were: .79165919."""
    turned, loads = X.copy(), extract(R, ITEMS, 3).loadings.copy()
    turned[:, 1] = 6 - turned[:, 1]
    loads[1] *= -1
    rows = subscales(turned, ITEMS, loads)
    assert [r["factor"] for r in rows] == ["F1", "F2", "F3"]
    by = {r["items"]: r for r in rows}
    assert by["a, -b, c"]["alpha"] == pytest.approx(0.7916591905, abs=1e-9)
    assert by["a, -b, c"]["omega"] == pytest.approx(0.7943283113, abs=1e-6)
    # An item goes with its strongest factor, from .4 on; two items have no omega, one no alpha.
    few = np.array([[0.9, 0.5, 0], [0.4, 0.1, 0], [0.39, 0.1, 0], [0, 0.8, 0.7], [0, 0, 0.3], *[[0.0, 0, 0]] * 4])
    found = subscales(X, ITEMS, few)
    assert [(r["items"], r["n_items"], r["alpha"] is None, r["omega"] is None) for r in found] == [
        ("a, b", 2, False, True), ("d", 1, True, True), ("", 0, True, True),
    ]  # fmt: skip
    assert found[0]["alpha"] == pytest.approx(cronbach(np.cov(X[:, :2], rowvar=False)))


def test_congruence_by_hand() -> None:
    """Tucker: (1, 2) with (2, 1) is 4 / 5; with itself 1; with its negative -1."""
    found = congruence(np.array([[1.0, 0], [2, 1]]), np.array([[2.0, -1], [1, -2]]))
    assert found[0] == pytest.approx([4 / 5, -1])
    assert found[1] == pytest.approx([1 / 5**0.5, -2 / 5**0.5])
    assert congruence(np.zeros((2, 1)), np.ones((2, 1)))[0, 0] == 0


def test_each_factor_is_matched_once_for_the_best_of_all() -> None:
    """Two columns near the first target: the nearer takes it, whatever their order."""
    target = np.array([[1.0, 0], [0, 1], [0, 1]])
    given = np.array([[-0.8, 0.9], [0.6, 0.3], [0.5, 0.0]])
    assert aligned(given, target) == pytest.approx(np.array([[0.9, -0.8], [0.3, 0.6], [0.0, 0.5]]))


def test_intervals_are_the_bootstrap_over_people_written_out() -> None:
    people = np.arange(300) // 10
    solution = extract(R, ITEMS, 3)
    rng = np.random.default_rng(5)
    found = []
    for _ in range(20):
        drawn = rng.integers(30, size=30)
        rows = np.concatenate([np.flatnonzero(people == p) for p in drawn])
        loads = extract(np.corrcoef(X[rows], rowvar=False), ITEMS, 3, precise=False).loadings
        best = max(
            itertools.permutations(range(3)),
            key=lambda o: sum(abs(congruence(solution.loadings, loads)[i, o[i]]) for i in range(3)),
        )
        loads = loads[:, best]
        found.append(loads * np.sign((loads * solution.loadings).sum(axis=0)))
    low, high, used = loading_intervals(X, people, solution, 20, np.random.default_rng(5))
    assert used == 20
    assert low == pytest.approx(np.quantile(found, 0.025, axis=0))
    assert high == pytest.approx(np.quantile(found, 0.975, axis=0))


def test_resamples_that_can_not_be_factored_are_not_counted() -> None:
    """One person alone varies on an item: a third of the resamples are without that person."""
    x = X[:90].copy()
    x[3:, 0] = 3.0
    _, _, used = loading_intervals(x, np.arange(90) // 3, extract(R, ITEMS, 2), 60, np.random.default_rng(0))
    assert 20 <= used < 60
    with pytest.raises(AnalysisError, match=r"only \d+ of 20 resamples"):
        loading_intervals(x, np.arange(90) // 3, extract(R, ITEMS, 2), 20, np.random.default_rng(0))


def grouped() -> tuple[np.ndarray, np.ndarray, dict[int, str]]:
    """A hundred people with three rows each; in group a the second factor's items are exchanged for noise."""
    people, x = np.arange(300) // 3, X.copy()
    group = {i: "ab"[i % 2] for i in range(100)}
    rng = np.random.default_rng(2)
    x[people % 2 == 0, 3:6] = rng.integers(1, 6, size=(150, 3))
    return x, people, group


def test_groups_that_differ_agree_less_than_shuffled_people() -> None:
    x, people, group = grouped()
    solution = extract(np.corrcoef(X, rowvar=False), ITEMS, 3)
    rows = between_groups(x, people, group, solution, 39, np.random.default_rng(0))
    assert [(r["factor"], r["group1"], r["n1"], r["group2"], r["n2"]) for r in rows] == [
        (f"F{k}", "a", 50, "b", 50) for k in (1, 2, 3)
    ]
    worst = min(rows, key=lambda r: r["congruence"])
    assert worst["factor"] == "F3"  # items d, e, f
    # Written out: each group's own factors, in the order and with the signs in which they are most like the whole's.
    halves = []
    for name in ("a", "b"):
        part = x[[group[p] == name for p in people]]
        own = extract(np.corrcoef(part, rowvar=False), ITEMS, 3).loadings
        like = congruence(solution.loadings, own)
        best = max(itertools.permutations(range(3)), key=lambda o: sum(abs(like[i, o[i]]) for i in range(3)))
        halves.append(own[:, best] * np.sign([like[i, best[i]] for i in range(3)]))
    wanted = [
        np.dot(u, v) / np.sqrt(np.dot(u, u) * np.dot(v, v)) for u, v in zip(halves[0].T, halves[1].T, strict=True)
    ]
    assert [r["congruence"] for r in rows] == pytest.approx(wanted, abs=1e-3)
    assert worst["congruence"] < 0.9
    assert worst["p"] == pytest.approx(1 / (worst["permutations"] + 1))
    assert worst["permutations"] > 30
    # People of no group do not count.
    some = {p: g for p, g in group.items() if p < 90}
    assert {(r["n1"], r["n2"]) for r in between_groups(x, people, some, solution, 1, np.random.default_rng(0))} == {
        (45, 45)
    }


def test_groups_that_can_not_be_compared_are_named() -> None:
    x, people, group = grouped()
    solution = extract(R, ITEMS, 3)
    with pytest.raises(AnalysisError, match="there are 3"):
        between_groups(x, people, {**group, 0: "c"}, solution, 1, np.random.default_rng(0))
    few = {p: ("a" if p < 8 else "b") for p in range(100)}  # 24 rows, 27 are needed
    with pytest.raises(AnalysisError, match="too few completely rated clips"):
        between_groups(x, people, few, solution, 1, np.random.default_rng(0))
    # Nobody is shuffled: no number without a null.
    with pytest.raises(AnalysisError, match="however people are shuffled"):
        between_groups(x, people, group, solution, 0, np.random.default_rng(0))


def test_groups_by_age_and_by_commonest_answers() -> None:
    people = pd.DataFrame(
        {"participant": range(60), "age": [20] * 30 + [50] * 30, "language": ["it"] * 30 + ["en"] * 20 + ["de"] * 10}
    )
    ages = people_groups(people, "age")
    assert ages is not None
    assert {ages[0], ages[59]} == {"under 35", "35 and over"}
    assert ages[0] == "under 35"
    languages = people_groups(people, "language")
    assert languages is not None
    assert (languages[0], languages[45], 55 in languages) == ("it", "en", False)
    assert people_groups(people.assign(age=40), "age") is None  # all on one side
    assert people_groups(people, "language", smallest=20) is not None
    assert people_groups(people, "language", smallest=21) is None


def data(rows: int = 300, groups: bool = True) -> StudyData:
    """The golden answers as a study: three clips a person, two sexes, thirty years between the ages."""
    long = [
        (p // 3, p % 3, "sweet", "finetuned", "c", item, float(X[p, k]))
        for p in range(rows)
        for k, item in enumerate(ITEMS)
    ]
    ratings = pd.DataFrame(long, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value"])
    n = rows // 3
    people = pd.DataFrame({"participant": range(n)})
    if groups:
        people["sex"] = np.where(np.arange(n) % 2 == 0, "male", "female")
    empty = ratings.iloc[:0]
    return StudyData("s", "bot", people, empty, ratings, empty, 5.0, {}, "0")


def test_everything_about_trust_in_one_place(monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis.factors import trust

    monkeypatch.setattr(trust, "PERMUTATIONS", 3)
    found = analyse(data(), 3, ["language", "sex"], 0, resamples=20)
    assert found["notes"] == []
    assert len(found["loading_intervals"]) == 27
    solution = extract(R, ITEMS, 3)
    for row in found["loading_intervals"]:
        i, k = ITEMS.index(row["item"]), int(row["factor"][1]) - 1
        assert row["loading"] == pytest.approx(solution.loadings[i, k])
        assert row["ci_low"] - 0.1 < row["loading"] < row["ci_high"] + 0.1
        assert row["resamples"] == 20
    assert found["reliability"][0]["items"] == 9
    assert found["reliability"][0]["omega_h"] == pytest.approx(0.5741371586, abs=1e-5)
    assert [r["factor"] for r in found["second_order"]] == [f"F{k} (minres)" for k in (1, 2, 3)]
    assert [r["G1"] for r in found["second_order"]] == pytest.approx(
        [0.6094041005, 0.7133233672, 0.5237512921], abs=1e-4
    )
    assert all(r["identified"] and "G2" not in r for r in found["second_order"])
    assert {(r["by"], r["group1"], r["group2"]) for r in found["groups"]} == {("sex", "female", "male")}
    assert [r["step"] for r in found["invariance"]] == ["configural", "metric", "scalar"]
    assert {r["permutations"] for r in found["invariance"]} == {3}
    four = analyse(data(groups=False), 4, ["sex"], 0, resamples=1)
    assert [set(r) for r in four["second_order"]] == [{"factor", "G1", "G2", "identified", "state"}] * 4
    assert four["groups"] == four["invariance"] == []
    assert [r["note"] for r in four["notes"]] == [
        "loading intervals: not computed, only 1 of 1 resamples could be factored; intervals need more people"
    ]
    two = analyse(data(groups=False), 2, [], 0, resamples=1)
    assert two["reliability"] == two["second_order"] == []
    assert len(two["subscales"]) == 2
