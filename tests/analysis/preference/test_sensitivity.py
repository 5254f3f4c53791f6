"""Order and side against lme4, detectable effects against R's noncentral t, and the result without marked people."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.preference import robust
from analysis.preference.questions import Bound, Question, family
from analysis.preference.sensitivity import detectable, order_and_side, with_and_without
from tests.analysis.data.test_careless import study


def answers(n: int = 40, seed: int = 11) -> pd.DataFrame:
    """Later answers are .3 higher a trial, those whose fine-tuned clip came second .7; the data of R's figures below."""
    rng = np.random.default_rng(seed)
    liking, clips = rng.normal(0, 0.8, n), rng.normal(0, 0.5, (4, 5))
    rows = []
    for p in range(n):
        for k, t in enumerate(("bitter", "salty", "sour", "sweet")):
            c, place, second = (p + k) % 5, (k + p) % 4, (p // 4 + k) % 2
            y = 5.4 + liking[p] + clips[k, c] + 0.3 * place + 0.7 * (second - 0.5) + rng.normal(0, 1.5)
            first = "base" if second else "finetuned"
            rows.append((p, 2 * place + 1, t, first, f"{t}-{c}", float(np.clip(round(y), 0, 10))))
    return pd.DataFrame(rows, columns=["participant", "trial", "taste", "first_model", "clip_over", "score"]).assign(
        over="finetuned", under="base"
    )


def test_order_and_side_are_lme4s() -> None:
    """lmer(score - 5 ~ order + second + (1 | participant) + (1 | clip)); order: the trial's rank within the participant, less
    its mean; second: .5 where the fine-tuned clip came second, else -.5. The pull of a side is half of that."""
    order, side = order_and_side(answers(), 5.0)
    assert (order["bias"], order["unit"]) == ("order", "points a trial")
    assert [order[k] for k in ("difference", "ci_low", "ci_high")] == pytest.approx(
        [0.425, 0.2234573054518, 0.6265426945482], rel=1e-4
    )
    assert [order[k] for k in ("statistic", "df", "p")] == pytest.approx(
        [4.183604997265, 100.12481469643, 6.165076488155e-05], rel=1e-3
    )
    assert (side["bias"], side["unit"]) == ("side", "points towards the second clip")
    assert [2 * side[k] for k in ("difference", "ci_low", "ci_high")] == pytest.approx(
        [0.825, 0.3743368346218, 1.275663165378], rel=1e-4
    )
    assert [side[k] for k in ("statistic", "df", "p")] == pytest.approx(
        [3.631873299311, 100.12481469663, 4.457263468092e-04], rel=1e-3
    )
    assert order["state"] == side["state"] == "ok"


def test_what_was_not_varied_is_not_tested() -> None:
    data = answers()
    assert [r["bias"] for r in order_and_side(data.assign(first_model="base"), 5.0)] == ["order"]
    assert [r["bias"] for r in order_and_side(data[data["trial"] == 1], 5.0)] == ["side"]
    assert order_and_side(data.head(19), 5.0) == []
    assert len(order_and_side(data.head(20), 5.0)) == 2
    assert order_and_side(data.assign(score=5.0), 5.0) == []
    gone = data.assign(score=data["score"].where(data["participant"] != 3))
    assert order_and_side(gone, 5.0) == order_and_side(data[data["participant"] != 3], 5.0)


def row(taste: str, alternative: str, df: float, effect: float | None = 1.0, statistic: float | None = 2.0) -> dict:
    known = effect is not None and statistic is not None
    error = abs(effect / statistic) if known else None
    return {
        "taste": taste, "alternative": alternative, "df": df, "standard_error": error, "p": 0.04 if known else None,
        "role": "declared", "state": "ok",
    }  # fmt: skip


def test_detectable_effects_are_rs_noncentral_t() -> None:
    """uniroot(function(s) pt(qt(1 - tail, df), df, ncp = s, lower.tail = FALSE) - power, c(0, 20)); declared tests share alpha."""
    tests = [row("all", "greater", 17.2)] + [row(t, "greater", 17.2, -3.0, -6.0) for t in ("bitter", "salty", "sour")]
    found = detectable([*tests, row("sweet", "two-sided", 8.0, 0.9, 3.0)], 0.05, 4)
    found[0] = detectable(tests[:1], 0.05)[0]
    assert [r["alpha"] for r in found] == [0.05, 0.0125, 0.0125, 0.0125, 0.0125]
    assert [r["standard_error"] for r in found] == pytest.approx([0.5, 0.5, 0.5, 0.5, 0.3])
    assert found[0]["detectable"] == pytest.approx(0.5 * 2.590454572907)
    assert found[1]["detectable"] == pytest.approx(0.5 * 3.330754766118)
    assert found[4]["detectable"] == pytest.approx(0.3 * 4.175483014033)
    assert [r["taste"] for r in found] == ["all", "bitter", "salty", "sour", "sweet"]
    assert {r["power"] for r in found} == {0.8}
    (strict,) = detectable([row("all", "greater", 110.0)], 0.05, 1, 0.9)
    assert strict["detectable"] == pytest.approx(0.5 * 2.944591578082)
    # A test without a number is no test, but it was declared; an exploratory one has the whole level.
    loose = row("bitter", "greater", 17.2) | {"role": "exploratory"}
    none = detectable([row("sour", "greater", 17.2), row("sweet", "greater", 17.2, None, None), loose], 0.025, 2)
    assert [(r["taste"], r["alpha"], r["state"]) for r in none] == [("sour", 0.0125, "ok"), ("bitter", 0.025, "ok")]


@pytest.mark.parametrize(("overall", "first", "other"), [("member", 0.05 / 4, 0.05 / 4), ("gate", 0.05, 0.05 / 3)])
def test_the_level_that_a_test_is_told_to_have_is_the_one_at_which_it_is_passed(
    overall: str, first: float, other: float
) -> None:
    """Held against the correction itself: over all tastes, two tastes and a bound; a p just under the level passes, one just over it not."""
    config = AnalysisConfig.model_validate({"overall": overall})
    asked = [*(Question(t, "greater", "declared") for t in ("all", "sour", "sweet")), Bound("sweet", 1.0)]
    found = detectable([row(q.taste, "greater", 17.2) for q in asked[:3]], 0.05, 4, gate=overall == "gate")
    assert [r["alpha"] for r in found] == pytest.approx([first, other, other])
    for k, r in enumerate(found):
        for by, passed in ((0.999, True), (1.001, False)):
            p = np.array([0.0, 0.9, 0.9, 0.9])
            p[k] = by * r["alpha"]
            assert bool(family(asked, p, config)[k] < 0.05) is passed


def test_with_and_without_is_told_of_every_pair_of_conditions() -> None:
    """Of three conditions each pair is one of the plan's own tests, with as many people and answers as it has."""
    data, config = study(), AnalysisConfig(resamples=100)
    half = data.preference["participant"] % 3 == 0
    frame = data.preference.assign(under=np.where(half & (data.preference["trial"] < 3), "wrong", "base"))
    rows = with_and_without(replace(data, preference=frame), {1, 2, 3}, config)
    pairs = ["finetuned - base"] * 2 + ["finetuned - wrong"] * 2
    assert [(r["pair"], r["who"]) for r in rows] == list(zip(pairs, ["everybody", "without marked"] * 2, strict=True))
    assert [r["n_participants"] for r in rows] == [60, 57, 20, 19]
    assert [r["n"] for r in rows] == [240, 228, 60, 57]
    tests = [r for r in robust.preference(frame, 5.0, config)["tests"] if r["taste"] == "all"]
    assert [(r["difference"], r["p"], r["state"]) for r in rows[::2]] == [
        (t["effect"], t["p"], t["state"]) for t in tests
    ]
    # Where nobody else heard the other pair, what is left is still told of its own.
    one = with_and_without(replace(data, preference=frame), {p for p in range(1, 61) if p % 3 == 0}, config)
    assert [(r["pair"], r["who"], r["n"]) for r in one] == [
        ("finetuned - base", "everybody", 240), ("finetuned - base", "without marked", 200), ("finetuned - wrong", "everybody", 60),
    ]  # fmt: skip


def test_with_and_without_are_the_plans_own_overall_test() -> None:
    data, config = study(), AnalysisConfig(resamples=100)
    everybody, rest = with_and_without(data, {1, 2, 3}, config)
    assert (everybody["who"], rest["who"]) == ("everybody", "without marked")
    for found, people in ((everybody, set()), (rest, {1, 2, 3})):
        frame = data.preference[~data.preference["participant"].isin(people)]
        test = robust.preference(frame, 5.0, config)["tests"][0]
        assert (found["n"], found["n_participants"]) == (len(frame), 60 - len(people))
        names = {"difference": "effect"} | {k: k for k in ("ci_low", "ci_high", "statistic", "df", "p")}
        assert {k: found[k] for k in names} == {k: test[v] for k, v in names.items()}
    assert [r["who"] for r in with_and_without(data, set(range(1, 61)), config)] == ["everybody"]
