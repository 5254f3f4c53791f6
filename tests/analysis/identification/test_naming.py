"""Is a taste named more for its own music: held to R's glmer, and to people who always say one taste."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.identification.naming import accuracy, naming

# glmer(y ~ x + (1 | p) + (1 | c), family = binomial, control = glmerControl(optimizer = "bobyqa")): estimate, SE, z
GLMER = {
    "bitter": (1.815509, 0.398821, 4.552187), "salty": (1.299298, 0.417125, 3.114888),
    "sour": (2.495580, 0.582252, 4.286084), "sweet": (2.484993, 0.343100, 7.242755),
}  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    return pd.read_csv(Path(__file__).with_name("answers.csv")).assign(condition="one")


def test_estimates_are_glmers(answers: pd.DataFrame) -> None:
    found = {r["taste"]: r for r in naming(answers)}
    assert list(found) == list(GLMER)
    for taste, (estimate, se, z) in GLMER.items():
        row = found[taste]
        assert (row["n"], row["clips"], row["df"], row["alternative"]) == (300, 16, 14, "greater")
        assert row["effect"] == pytest.approx(estimate, abs=2e-3)
        assert row["se"] == pytest.approx(se, abs=3e-3)
        assert row["statistic"] == pytest.approx(z, abs=3e-2)
        assert row["p"] == pytest.approx(stats.t.sf(row["statistic"], 14))
        half = stats.t.ppf(0.975, 14) * row["se"]
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((row["effect"] - half, row["effect"] + half))
    assert found["sour"]["state"] == "ok"
    assert "singular" in found["bitter"]["state"]


def test_directions(answers: pd.DataFrame) -> None:
    for alternative, p in (("less", stats.t.cdf), ("two-sided", lambda z, df: 2 * stats.t.sf(abs(z), df))):
        row = naming(answers, alternative)[1]
        assert row["p"] == pytest.approx(p(row["statistic"], 14))


def sessions(draw: np.random.Generator, right: float, always: float, people: int = 12, clips: int = 5) -> pd.DataFrame:
    """People who name the taste that was asked with a chance of `right`, else sweet with `always`, else any."""
    tastes = ["bitter", "salty", "sour", "sweet"]
    rows = []
    for person, (taste, clip) in product(range(people), product(tastes, range(clips))):
        said = taste if draw.random() < right else "sweet" if draw.random() < always else str(draw.choice(tastes))
        rows.append((person, f"{taste}{clip}", taste, said))
    return pd.DataFrame(rows, columns=["participant", "clip", "asked", "answered"]).assign(condition="one")


def test_who_names_one_taste_by_habit_scores_nothing_by_it() -> None:
    draw = np.random.default_rng(1)
    found = [r["p"] for _ in range(12) for r in naming(sessions(draw, 0.0, 0.7)) if r["taste"] == "sweet"]
    assert len(found) == 12
    assert sum(p < 0.05 for p in found) <= 3
    assert np.median(found) > 0.2
    known = {r["taste"]: r["p"] for r in naming(sessions(draw, 0.6, 0.7))}
    assert max(known.values()) < 0.01


def test_what_can_not_be_told_is_said() -> None:
    draw = np.random.default_rng(0)
    always = naming(sessions(draw, 0.0, 1.0))
    assert {r["taste"]: r["state"] for r in always} == dict.fromkeys(("bitter", "salty", "sour", "sweet"), "one answer")
    assert all(r["p"] is None and r["effect"] is None for r in always)
    perfect = sessions(draw, 1.0, 0.0)
    for alternative, p in (
        ("greater", 1 / 15504),
        ("two-sided", 2 / 15504),
        ("less", 1.0),
    ):  # 20 clips, 5 of them: 15,504 ways
        row = naming(perfect, alternative)[0]
        assert (row["state"], row["effect"]) == ("separated", None)
        assert row["p"] == pytest.approx(p)
    turned = perfect.assign(
        answered=perfect["asked"].map({"bitter": "salty", "salty": "bitter", "sour": "sour", "sweet": "sweet"})
    )
    two = turned[turned["asked"].isin(["bitter", "salty"])]
    row = naming(two)[0]
    assert (row["state"], row["p"]) == ("separated", 1.0)
    assert naming(two, "less")[0]["p"] == pytest.approx(1 / 252)
    one = perfect[perfect["asked"] == "sweet"]
    assert [r["state"] for r in naming(one)] == ["too few"]
    few = sessions(draw, 0.5, 0.0, people=1)
    assert {r["state"] for r in naming(few)} == {"too few"}
    single = sessions(draw, 0.5, 0.0, clips=1)
    assert {r["state"] for r in naming(single)} == {"too few"}


def by_clip(own: list[list[int]], other: list[list[int]]) -> pd.DataFrame:
    """Who (a column) named sweet for which clip (a row)."""
    rows = [
        (person, f"{asked}{clip}", asked, "sweet" if said else "sour")
        for asked, clips in (("sweet", own), ("sour", other))
        for clip, people in enumerate(clips)
        for person, said in enumerate(people)
    ]
    return pd.DataFrame(rows, columns=["participant", "clip", "asked", "answered"]).assign(condition="one")


@pytest.mark.parametrize(
    ("own", "other", "p"),
    [
        # Always when asked, now and then when not: of the 15 ways to choose two of six clips one is as good.
        ([[1, 1], [1, 1]], [[1, 0], [0, 0], [0, 0], [0, 0]], {"greater": 1 / 15, "less": 1.0, "two-sided": 2 / 15}),
        # Another clip is named by everybody, too: three ways.
        ([[1, 1], [1, 1]], [[1, 1], [0, 0], [0, 0], [1, 0]], {"greater": 3 / 15, "less": 1.0, "two-sided": 6 / 15}),
        # Never when asked, now and then when not: six ways of two clips without any.
        ([[0, 0], [0, 0]], [[1, 0], [1, 1], [0, 0], [0, 0]], {"greater": 1.0, "less": 6 / 15, "two-sided": 12 / 15}),
        # Never when not asked, half the time when asked.
        ([[1, 0], [0, 1]], [[0, 0], [0, 0], [0, 0], [0, 0]], {"greater": 1 / 15, "less": 1.0, "two-sided": 2 / 15}),
    ],
)
def test_where_one_side_is_all_alike_the_ways_to_deal_clips_are_counted(own, other, p) -> None:
    for alternative, wanted in p.items():
        row = next(r for r in naming(by_clip(own, other), alternative) if r["taste"] == "sweet")
        assert (row["state"], row["effect"], row["se"]) == ("separated", None, None)
        assert row["p"] == pytest.approx(wanted)


def test_of_many_clips_so_many_ways_are_drawn_and_always_the_same() -> None:
    """C(24, 12) are 2.7 million ways, of which one is as good: as it is, and none of the 20,000."""
    many = by_clip([[1, 1, 1]] * 12, [[1, 0, 0]] * 12)
    first, again = (next(r for r in naming(many) if r["taste"] == "sweet") for _ in range(2))
    assert first["p"] == again["p"] == pytest.approx(1 / 20_001)


def test_a_fit_without_curvature_is_no_traceback() -> None:
    """Nine of ten answers are "sweet" whatever is heard; the search ended where a direction says nothing."""
    from benchmarks.habit import CELLS, answered

    rows = naming(answered(CELLS["nine of ten"], np.random.default_rng([17, 1, 33])))
    assert len(rows) == 4
    for row in rows:
        assert row["state"]
        assert (row["p"] is None) == (row["state"] in ("too few", "one answer", "not converged"))
        assert row["p"] is None or 0 < row["p"] <= 1


def test_accuracy_stands_beside_its_own_chance(answers: pd.DataFrame) -> None:
    """Counted in R's table: 37 of 73 for bitter, named 34 times in 227 answers about other music."""
    both = pd.concat([answers, answers.assign(condition="two", answered="sweet")])
    tests = naming(both)
    found = {(r["condition"], r["taste"]): r for r in accuracy(both, tests)}
    row = found[("one", "bitter")]
    assert (row["n"], row["share"], row["chance"]) == (73, pytest.approx(37 / 73), pytest.approx(34 / 227))
    assert row["d_prime"] == pytest.approx(stats.norm.ppf(37.5 / 74) - stats.norm.ppf(34.5 / 228))
    assert 0.1 < row["ci_low"] < 37 / 73 < row["ci_high"] < 0.9  # four clips: 3 degrees of freedom
    assert row["p"] == next(t["p"] for t in tests if (t["condition"], t["taste"]) == ("one", "bitter"))
    habit = found[("two", "sweet")]
    assert (habit["share"], habit["chance"], habit["p"], habit["state"]) == (1.0, 1.0, None, "one answer")


def test_a_fit_without_curvature_is_told_and_gives_no_number(
    answers: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    for variance, converged in ((0.0, True), (-1.0, True), (np.nan, True), (np.inf, True), (0.1, False)):
        flat = SimpleNamespace(beta=np.array([1.0]), covariance=np.array([[variance]]), state="ok", converged=converged)
        monkeypatch.setattr("analysis.identification.naming.fit_ordinal", lambda *_, flat=flat: flat)
        row = naming(answers)[0]
        assert (row["state"], row["effect"], row["p"], row["n"]) == ("not converged", None, None, 300)
