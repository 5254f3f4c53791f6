"""Counts, shares, similarity and bias of named tastes; values by R 4.2.2 and by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.identification.confusion import confusion, d_prime, share_interval, similarity, unbiased

KEYS = ["bitter", "salty", "sour", "sweet"]


@pytest.fixture(scope="module")
def answers() -> pd.DataFrame:
    """300 answers of 24 people about 16 clips, drawn in R."""
    return pd.read_csv(Path(__file__).with_name("answers.csv")).assign(condition="one")


def rows(table: list[list[int]], condition: str = "one", names: list[str] | None = None) -> pd.DataFrame:
    """Answers of a table of counts (asked x answered); people and clips in turn."""
    tastes = KEYS[: len(table)]
    named = names or tastes
    out = [
        (condition, a, b)
        for a, row in zip(tastes, table, strict=True)
        for b, n in zip(named, row, strict=True)
        for _ in range(n)
    ]
    frame = pd.DataFrame(out, columns=["condition", "asked", "answered"])
    return frame.assign(
        participant=np.arange(len(frame)) % 7, clip=frame["asked"] + (np.arange(len(frame)) % 3).astype(str)
    )


def test_counts_are_rs_table(answers: pd.DataFrame) -> None:
    found = {(r["asked"], r["answered"]): r["n"] for r in confusion(answers)}
    wanted = [[37, 13, 9, 14], [15, 31, 15, 20], [11, 13, 42, 12], [8, 8, 3, 49]]
    assert found == {(a, b): n for a, row in zip(KEYS, wanted, strict=True) for b, n in zip(KEYS, row, strict=True)}


def test_what_nobody_named_counts_zero_and_none_stands_last() -> None:
    frame = pd.concat([rows([[3, 0], [1, 2]]), rows([[1, 2, 4], [0, 1, 0]], "two", ["bitter", "salty", "none"])])
    found = confusion(frame)
    assert [(r["condition"], r["asked"], r["answered"], r["n"]) for r in found] == [
        ("one", "bitter", "bitter", 3), ("one", "bitter", "salty", 0), ("one", "bitter", "none", 0),
        ("one", "salty", "bitter", 1), ("one", "salty", "salty", 2), ("one", "salty", "none", 0),
        ("two", "bitter", "bitter", 1), ("two", "bitter", "salty", 2), ("two", "bitter", "none", 4),
        ("two", "salty", "bitter", 0), ("two", "salty", "salty", 1), ("two", "salty", "none", 0),
    ]  # fmt: skip


def test_similarity_and_bias_are_rs_quasi_symmetry(answers: pd.DataFrame) -> None:
    """glm(y ~ s + r + sym, family = poisson): exp of its coefficients, deviance and residual df."""
    pairs, biases, fit = similarity(answers)
    assert [(r["taste_a"], r["taste_b"]) for r in pairs] == [
        ("bitter", "salty"), ("bitter", "sour"), ("bitter", "sweet"), ("salty", "sour"), ("salty", "sweet"), ("sour", "sweet"),
    ]  # fmt: skip
    assert [r["similarity"] for r in pairs] == pytest.approx(
        [0.410423, 0.251927, 0.242073, 0.387991, 0.320814, 0.147802], abs=2e-6
    )
    assert [r["taste"] for r in biases] == KEYS
    assert [r["bias"] for r in biases] == pytest.approx([0.226442, 0.183850, 0.214479, 0.375230], abs=2e-6)
    assert fit["deviance"] == pytest.approx(0.8277097, abs=1e-6)
    assert (fit["df"], fit["added"], fit["state"]) == (3, 0.0, "ok")
    assert fit["p"] == pytest.approx(stats.chi2.sf(0.8277097, 3), abs=1e-6)


def test_tables_that_follow_the_model_are_found_again() -> None:
    """Counts made by Luce's rule with biases .5, .3, .2 and similarities .4, .1, .25; none is no choice among tastes."""
    eta = np.array([[1, 0.4, 0.1], [0.4, 1, 0.25], [0.1, 0.25, 1]])
    p = eta * np.array([0.5, 0.3, 0.2])
    table = np.round(1e5 * p / p.sum(axis=1, keepdims=True)).astype(int)
    frame = rows(table.tolist())
    for more in (frame, pd.concat([frame, rows([[500], [0], [90]], names=["none"])])):
        pairs, biases, fit = similarity(more)
        assert [r["similarity"] for r in pairs] == pytest.approx([0.4, 0.1, 0.25], rel=1e-3)
        assert [r["bias"] for r in biases] == pytest.approx([0.5, 0.3, 0.2], rel=1e-3)
        assert fit["deviance"] < 1e-3


def test_tastes_that_were_never_confused_and_tables_too_small() -> None:
    pairs, biases, fit = similarity(rows([[20, 0, 3], [0, 20, 4], [2, 5, 20]]))
    assert fit["added"] == 0.5
    assert 0 < pairs[0]["similarity"] < 0.1 < pairs[2]["similarity"] < 1
    assert sum(b["bias"] for b in biases) == pytest.approx(1)
    for small in (rows([[20, 1], [3, 20]]), rows([[2, 1, 1], [9, 9, 9], [9, 9, 9]])):
        assert similarity(small) == (
            [],
            [],
            {"deviance": None, "df": None, "p": None, "added": 0.0, "state": "too few"},
        )


@pytest.mark.parametrize(
    ("table", "added"),
    [
        ([[5, 1, 3], [0, 6, 2], [2, 3, 5]], 0.0),  # two tastes were confused once: that can be fitted
        ([[5, 0, 3], [0, 6, 2], [2, 3, 5]], 0.5),  # never: their similarity has no bound
        ([[5, 4, 0], [4, 5, 0], [3, 6, 1]], 0.0),  # named once
        ([[5, 4, 0], [4, 5, 0], [3, 6, 0]], 0.5),  # a taste that nobody named
    ],
)
def test_half_an_answer_is_added_where_something_never_happened(table: list[list[int]], added: float) -> None:
    pairs, biases, fit = similarity(rows(table))
    assert (fit["state"], fit["added"]) == ("ok", added)
    assert all(np.isfinite(r["similarity"]) and r["similarity"] > 0 for r in pairs)
    assert all(0 < r["bias"] < 1 for r in biases)


def test_wagners_rate_does_not_reward_naming_one_taste_always() -> None:
    """By hand: hits squared over asked times named; chance is share asked times share named."""
    found = {r["taste"]: r for r in unbiased(rows([[6, 2], [4, 8]]))}
    assert found["bitter"] == {
        "condition": "one", "taste": "bitter", "n": 8, "hits": 6, "named": 10,
        "unbiased_rate": pytest.approx(36 / 80), "chance": pytest.approx(8 / 20 * 10 / 20),
    }  # fmt: skip
    assert found["salty"]["unbiased_rate"] == pytest.approx(64 / 120)
    always = {r["taste"]: r for r in unbiased(rows([[10, 0], [10, 0]]))}
    assert always["bitter"]["unbiased_rate"] == pytest.approx(0.5) == always["bitter"]["chance"]
    assert (always["salty"]["unbiased_rate"], always["salty"]["named"]) == (0.0, 0)


def test_sensitivity_by_hand() -> None:
    """15 of 20 named when asked, 10 of 60 else, half an answer added: z(15.5 / 21) - z(10.5 / 61)."""
    assert d_prime(15, 20, 10, 60) == pytest.approx(stats.norm.ppf(15.5 / 21) - stats.norm.ppf(10.5 / 61))
    assert d_prime(20, 20, 0, 60) == pytest.approx(stats.norm.ppf(20.5 / 21) - stats.norm.ppf(0.5 / 61))
    assert d_prime(5, 10, 10, 20) == pytest.approx(0.0)
    assert d_prime(5, 10, 0, 0) is None
    assert d_prime(0, 0, 3, 9) is None


def test_a_shares_interval_is_clustered_in_two_ways() -> None:
    """Two people, who differ wholly, four clips: by hand from the sums of residuals of each cluster."""
    right = np.array([1, 1, 1, 1, 0, 0, 0, 1.0])
    people, clips = np.repeat([0, 1], 4), np.tile(range(4), 2)
    p = 5 / 8
    e = right - p
    by_person = sum(e[people == g].sum() ** 2 for g in (0, 1)) * 2 / 1 / 64
    by_clip = sum(e[clips == g].sum() ** 2 for g in range(4)) * 4 / 3 / 64
    variance = by_person + by_clip - (e**2).sum() / 64
    assert by_person > by_clip
    half = stats.t.ppf(0.975, 1) * max(variance, by_person) ** 0.5 / (p * (1 - p))
    logit = np.log(p / (1 - p))
    wanted = [1 / (1 + np.exp(-(logit + sign * half))) for sign in (-1, 1)]
    assert share_interval(right, people, clips) == pytest.approx(wanted)


def test_shares_at_the_ends_and_too_few_answers() -> None:
    """R: prop.test without correction has Wilson's interval; of 6 of 6, and of 0 of 6."""
    people, clips = np.arange(12) % 6, np.arange(12) % 12
    assert share_interval(np.ones(12), people, clips) == pytest.approx((0.6096657, 1.0), abs=1e-6)
    assert share_interval(np.zeros(12), people, clips) == pytest.approx((0.0, 0.3903343), abs=1e-6)
    assert share_interval(np.array([1.0, 0, 1, 0]), np.arange(4), np.arange(4)) == (None, None)
    assert share_interval(np.ones(9), np.zeros(9), np.arange(9)) == (None, None)
    assert share_interval(np.ones(9), np.arange(9), np.zeros(9)) == (None, None)


def test_intervals_hold_for_other_people_and_clips() -> None:
    """Shares of people and clips drawn anew 400 times: the true share lies in at least 92 % of the intervals."""
    rng = np.random.default_rng(0)
    held = 0
    for _ in range(400):
        u, v = rng.normal(0, 0.8, 20), rng.normal(0, 0.8, 10)
        eta = u[:, None] + v
        y = rng.random((20, 10)) < 1 / (1 + np.exp(-eta))
        people, clips = np.indices((20, 10))
        low, high = share_interval(y.ravel().astype(float), people.ravel(), clips.ravel())
        assert low is not None
        assert high is not None
        held += low < 0.5 < high
    assert held >= 0.92 * 400
