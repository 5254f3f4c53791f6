"""The robust plan: its error rates, what it asks, and what it says about broken data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.preference.robust import preference, ratings


def unbalanced():
    rng = np.random.default_rng(21)
    liking, clips = rng.normal(0, 1, 36), rng.normal(0, 0.7, (4, 5))
    lift = {"bitter": -0.9, "salty": 0.0, "sour": 1.0, "sweet": 1.6}
    rows = []
    for p in range(36):
        for k, t in enumerate(lift):
            for j in range(3 if t == "sweet" else 1):
                c = (p + k + j) % 5
                y = 5 + lift[t] + liking[p] + clips[k, c] + rng.normal(0, 1.8)
                rows.append((p, t, f"{t}-{c}", float(np.clip(round(y), 0, 10))))
    return pd.DataFrame(rows, columns=["participant", "taste", "clip_finetuned", "score"])


def worded():
    rng = np.random.default_rng(22)
    liking, clips = rng.normal(0, 0.6, 45), rng.normal(0, 0.4, (3, 5))
    tastes = ("salty", "sour", "sweet")
    rows = []
    for p in range(45):
        for k, t in enumerate(tastes):
            if (p + k) % 4 == 0:
                continue
            c = (p // 2 + k) % 5
            for a in ("sweet", "sour", "hot"):
                y = 2.6 + 0.9 * (a == t) + liking[p] + clips[k, c] + rng.normal(0, 0.9)
                rows.append((p, t, f"{t}-{c}", a, float(np.clip(round(y), 1, 5))))
    return pd.DataFrame(rows, columns=["participant", "prompt", "clip", "adjective", "value"])


CONFIG = AnalysisConfig(
    hypotheses=[{"taste": "sweet"}, {"taste": "bitter", "alternative": "less"}, {"taste": "salty", "alternative": "two-sided"}],
    resamples=300, seed=4,
)  # fmt: skip
FOUND = preference(unbalanced(), 5.0, CONFIG)


def test_every_taste_weighs_the_same_over_all_and_has_its_own_model() -> None:
    """lme4, lmerTest: lmer(score - 5 ~ taste + (1 | participant) + (1 | clip), contrasts = list(taste = "contr.sum")), its
    intercept; of one taste lmer(score - 5 ~ 1 + (1 | clip)), of sweet, which was asked three times, with (1 | participant)."""
    wanted = [
        ("all", 0.159846773142, -0.421913356655, 0.741606902939, 0.55516650127, 40.3555624803, 0.581845287603),
        ("bitter", -1.09711995462, -2.43117238697, 0.236932477731, -2.29050533315, 3.96849454684, 0.084336657952),
        ("salty", -0.61192328587, -1.77938990222, 0.555543330482, -1.48283136326, 3.81925187269, 0.215524681379),
        ("sour", 0.554198300987, -1.28896294674, 2.39735954871, 0.841014149862, 3.92651628053, 0.448504802103),
        ("sweet", 1.80212736052, 0.606263370096, 2.99799135095, 3.75654888576, 5.57550702792, 0.0108040882156),
    ]
    sides = {"all": "greater", "sweet": "greater", "bitter": "less", "salty": "two-sided", "sour": "two-sided"}
    assert [r["taste"] for r in FOUND["tests"]] == [w[0] for w in wanted]
    for row, (taste, *numbers, two_sided) in zip(FOUND["tests"], wanted, strict=True):
        assert [row[k] for k in ("effect", "ci_low", "ci_high", "statistic", "df")] == pytest.approx(numbers, rel=1e-4)
        assert row["alternative"] == sides[taste]
        # Every effect lies on the side that was declared for it, so the one-sided p is half.
        assert row["p"] == pytest.approx(two_sided / (1 if sides[taste] == "two-sided" else 2), rel=1e-4)
        assert row["status"] == ("exploratory" if taste == "sour" else "declared")
        assert row["note"] == ("" if taste in ("all", "sweet") else "no variance of participant can be told")
        assert row["converged"]
        assert row["test"] == "lmm"
    assert [r["n"] for r in FOUND["tests"]] == [216, 36, 36, 36, 108]


def test_holm_and_bonferroni_over_the_tastes() -> None:
    """R: p.adjust(c(.042168328976, .215524681379, .448504802103, .0054020441078), ...)"""
    rows = FOUND["tests"]
    assert (rows[0]["p_adjusted"], rows[0]["p_bonferroni"]) == (None, None)
    holm = [3 * 0.042168328976, 2 * 0.215524681379, 0.448504802103, 4 * 0.0054020441078]
    assert [r["p_adjusted"] for r in rows[1:]] == pytest.approx(holm, rel=1e-4)
    bonferroni = [4 * 0.042168328976, 4 * 0.215524681379, 1.0, 4 * 0.0054020441078]
    assert [r["p_bonferroni"] for r in rows[1:]] == pytest.approx(bonferroni, rel=1e-4)


def test_effects_have_their_spread_beside_them() -> None:
    """VarCorr of the models above; Cliff's delta counted here."""
    wanted = {
        "all": (1.26010939888, 0.718396561603, 1.49633869163), "bitter": (None, 0.872619802822, 1.66476670298),
        "sour": (None, 1.20313617023, 2.28034980346), "sweet": (1.17471239229, 0.934554987963, 1.35976772495),
    }  # fmt: skip
    data = unbalanced()
    for row in FOUND["effects"]:
        part = data if row["taste"] == "all" else data[data["taste"] == row["taste"]]
        delta = ((part["score"] > 5).sum() - (part["score"] < 5).sum()) / len(part)
        assert row["cliffs_delta"] == pytest.approx(delta)
        assert row["delta_low"] < delta < row["delta_high"]
        assert row["rank_low"] < row["rank_biserial"] < row["rank_high"]
        assert (row["n_participants"], row["n_clips"]) == (36, 20 if row["taste"] == "all" else 5)
        for key, value in zip(("participant", "clip", "residual"), wanted.get(row["taste"], ()), strict=False):
            assert row[f"sd_{key}"] == (None if value is None else pytest.approx(value, rel=1e-3))


def test_sides_exchanged_turn_every_effect_round() -> None:
    turned = preference(unbalanced().assign(score=lambda d: 10 - d["score"]), 5.0, CONFIG)
    for mine, theirs in zip(FOUND["tests"], turned["tests"], strict=True):
        assert theirs["effect"] == pytest.approx(-mine["effect"], rel=1e-4)
        assert (theirs["ci_low"], theirs["ci_high"]) == pytest.approx((-mine["ci_high"], -mine["ci_low"]), rel=1e-3)
        if mine["alternative"] == "two-sided":
            assert theirs["p"] == pytest.approx(mine["p"], rel=1e-3)
        else:
            assert theirs["p"] == pytest.approx(1 - mine["p"], rel=1e-3)
    for mine, theirs in zip(FOUND["effects"], turned["effects"], strict=True):
        assert theirs["rank_biserial"] == pytest.approx(-mine["rank_biserial"])


def test_own_words_and_every_word_are_contrasts_with_the_other_prompts() -> None:
    """lmerTest: contest1D(lmer(value ~ 0 + prompt + (1 | participant) + (1 | clip)), c(-.5, 1, -.5)) and so on, an adjective
    a model; ordinal: clmm(factor(value) ~ prompt + ...), the own prompt against the mean of the others."""
    found = ratings(worded(), AnalysisConfig())
    wanted = {
        ("sweet", "salty"): (0.0136296370547, -0.603230777496, 0.630490051606, 0.0495186584904, 9.58897540857, 0.961522176932),
        ("sweet", "sour"): (-0.568572540741, -1.18429110513, 0.0471460236493, -2.07482188824, 9.42026926084, 0.0664591099968),
        ("sweet", "sweet"): (0.554942903686, -0.0607756607045, 1.17066146808, 2.02508492898, 9.42026926079, 0.0721158909776),
        ("sour", "salty"): (-0.0453189320834, -0.800755438259, 0.710117574092, -0.131947353215, 11.0622596242, 0.897395245176),
        ("sour", "sour"): (0.873019422324, 0.118692671127, 1.62734617352, 2.54906198937, 10.9383165689, 0.0271447222058),
        ("sour", "sweet"): (-0.827700490241, -1.58202724143, -0.0733737390482, -2.41673873948, 10.9383165694, 0.034319238377),
        ("hot", "salty"): (0.719565666582, 0.144847489487, 1.29428384368, 2.81806515644, 9.30814317673, 0.0194777301775),
        ("hot", "sour"): (-0.0694408372362, -0.642837218605, 0.503955544133, -0.273561571389, 9.0861986759, 0.790538378052),
        ("hot", "sweet"): (-0.650124829346, -1.22352121071, -0.0767284479784, -2.56116108321, 9.08619867603, 0.0304072582911),
    }  # fmt: skip
    keys = ("effect", "ci_low", "ci_high", "statistic", "df", "p")
    assert {(r["adjective"], r["prompt"]) for r in found["prompts"]} == set(wanted)
    for row in found["prompts"]:
        numbers = wanted[row["adjective"], row["prompt"]]
        assert [row[k] for k in keys] == pytest.approx(list(numbers), rel=1e-3, abs=1e-4)
        assert row["alternative"] == "two-sided"
    # Nine questions: Holm's first step is nine times the smallest p.
    smallest = min(found["prompts"], key=lambda r: r["p"])
    assert (smallest["adjective"], smallest["p_adjusted"]) == ("hot", pytest.approx(9 * 0.0194777301775, rel=1e-3))
    assert [(r["adjective"], r["prompt"], r["alternative"]) for r in found["own_word"]] == [
        ("sweet", "sweet", "greater"), ("sour", "sour", "greater"),
    ]  # fmt: skip
    assert [r["p"] for r in found["own_word"]] == pytest.approx([0.0721158909776 / 2, 0.0271447222058 / 2], rel=1e-3)
    assert [r["p_adjusted"] for r in found["own_word"]] == pytest.approx(
        [0.0721158909776 / 2, 0.0271447222058], rel=1e-3
    )
    assert [r["n"] for r in found["own_word"]] == [int((worded()["adjective"] == "sweet").sum())] * 2
    for row, effect, error in zip(
        found["own_word_ordinal"], (1.24443740777, 1.94913899232), (0.595809203418, 0.729480532137), strict=True
    ):
        assert row["effect"] == pytest.approx(effect, abs=1e-3)
        assert row["effect"] / row["statistic"] == pytest.approx(error, rel=1e-3)
        half = stats.norm.ppf(0.975) * row["effect"] / row["statistic"]
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((row["effect"] - half, row["effect"] + half))
        assert row["p"] == pytest.approx(stats.norm.sf(row["statistic"]))
        assert (row["test"], row["alternative"], row["note"], row["converged"]) == ("clmm", "greater", "", True)


def test_ratings_of_one_prompt_are_refused_and_words_of_one_prompt_passed_over() -> None:
    data = worded()
    with pytest.raises(AnalysisError, match="ratings of one prompt alone"):
        ratings(data[data["prompt"] == "sweet"], AnalysisConfig())
    some = data[(data["adjective"] != "hot") | (data["prompt"] == "sour")]
    assert {r["adjective"] for r in ratings(some, AnalysisConfig())["prompts"]} == {"sweet", "sour"}
    gone = data.assign(value=data["value"].where(data["participant"] != 7))
    assert ratings(gone, AnalysisConfig()) == ratings(data[data["participant"] != 7], AnalysisConfig())


def scores(rng: np.random.Generator, effect: float, people: int = 60) -> pd.DataFrame:
    liking, clips = rng.normal(0, 1, people), rng.normal(0, 0.6, (4, 5))
    rows = [
        (p, t, f"{t}-{c}", float(np.clip(round(5 + effect + liking[p] + clips[k, c] + rng.normal(0, 2)), 0, 10)))
        for p in range(people)
        for k, t in enumerate(("bitter", "salty", "sour", "sweet"))
        for c in [int(rng.integers(5))]
    ]
    return pd.DataFrame(rows, columns=["participant", "taste", "clip_finetuned", "score"])


def test_the_declared_tests_hold_five_percent_under_participant_and_clip_variance() -> None:
    """60 null studies: the mixed model's overall test errs no more often than 5 % allows (binomial 99.9 %: 9)."""
    rng = np.random.default_rng(0)
    config = AnalysisConfig(resamples=100)
    p = [preference(scores(rng, 0.0), 5.0, config)["tests"][0]["p"] for _ in range(60)]
    assert sum(x < 0.05 for x in p) <= 9
    strong = preference(scores(rng, 1.8), 5.0, config)["tests"]
    assert strong[0]["p"] < 0.01
    assert strong[0]["ci_low"] < 1.8 < strong[0]["ci_high"]
    assert all(r["p_adjusted"] >= r["p"] for r in strong[1:])
    assert all(r["p_bonferroni"] >= r["p_adjusted"] for r in strong[1:])


def test_own_words_are_found_and_a_broken_taste_is_flagged() -> None:
    rng = np.random.default_rng(5)
    tastes = ("bitter", "salty", "sour", "sweet")
    rows = [
        (p, t, f"{t}-{p % 5}", a, float(np.clip(round(2 + (1.2 if a == t else 0) + rng.normal(0, 1)), 1, 5)))
        for p in range(40)
        for t in tastes
        for a in (*tastes, "happy")
    ]
    data = pd.DataFrame(rows, columns=["participant", "prompt", "clip", "adjective", "value"])
    found = ratings(data, AnalysisConfig())
    assert [r["adjective"] for r in found["own_word"]] == list(tastes)
    assert all(r["p_adjusted"] < 0.01 and r["converged"] for r in found["own_word"])
    assert len(found["prompts"]) == 4 * 5
    assert all(r["effect"] > 0 and r["p_adjusted"] < 0.01 and r["converged"] for r in found["own_word_ordinal"])
    data.loc[data["adjective"] == "sour", "value"] = 3.0  # constant ratings
    flagged = next(r for r in ratings(data, AnalysisConfig())["own_word"] if r["adjective"] == "sour")
    assert flagged["p"] is None
    assert flagged["converged"] is False
    assert flagged["note"]
