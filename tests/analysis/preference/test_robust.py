"""The robust plan: its error rates, what it asks, and what it says about broken data."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.config import AnalysisConfig, Equivalence
from analysis.errors import AnalysisError
from analysis.preference import joint
from analysis.preference.questions import Question
from analysis.preference.robust import preference, ratings, rows_of_tests
from tests.analysis.preference.test_joint import frame


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
    return pd.DataFrame(rows, columns=["participant", "taste", "clip_over", "score"])


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
    hypotheses=[{"taste": "all"}, {"taste": "sweet"}, {"taste": "bitter", "alternative": "less"}, {"taste": "salty", "alternative": "two-sided"}],
    resamples=300, seed=4,
)  # fmt: skip
FOUND = preference(unbalanced(), 5.0, CONFIG)


def test_all_tastes_are_contrasts_of_one_model() -> None:
    """lme4, lmerTest: m <- lmer(score - 5 ~ 0 + taste + (1 | participant) + (1 | clip)), bobyqa with rhoend = 1e-10;
    contest1D(m, c(.25, .25, .25, .25), confint = TRUE) and so on."""
    together = [
        ("all", 0.159846771652, -0.421913364236, 0.74160690754, 0.287925826736, 0.555166493622, 40.355554619, 0.581845293378),
        ("bitter", -1.09937997536, -2.0349783896, -0.163781561122, 0.457875930357, -2.40104338855, 29.6291734215, 0.0228365467726),
        ("salty", -0.616204143556, -1.55180255779, 0.31939427068, 0.457875930357, -1.34578846081, 29.6291734225, 0.18857906958),
        ("sour", 0.551226728431, -0.38437168581, 1.48682514267, 0.457875930357, 1.20387793261, 29.6291734189, 0.238166862384),
        ("sweet", 1.80374447709, 0.945937446489, 2.6615515077, 0.409961465695, 4.39979029257, 19.0828851068, 0.000305036870269),
    ]  # fmt: skip
    # The clips of sour and sweet vary more than all together, .737 and .942 against .718 (of bitter .354, of salty 0). With d_sour
    # and so on 1 in a taste's rows: lmer(score - 5 ~ 0 + taste + (1 | participant) + (0 + d_bitter | clip) + (0 + d_salty | clip) + ...)
    apart = [
        ("sour", 0.552672462634, -0.612234177288, 1.71757910256, 0.465561827653, 1.18710862834, 5.49759628175, 0.283934016158),
        ("sweet", 1.80427981043, 0.590593269243, 3.01796635162, 0.493881221642, 3.65326667905, 5.89567240886, 0.0109986509783),
    ]  # fmt: skip
    sides = {"all": "greater", "sweet": "greater", "bitter": "less", "salty": "two-sided", "sour": "two-sided"}
    own = "judged by the variance of its own clips, whose interval is the wider"
    reported = [(*w, "") for w in together[:3]] + [(*w, own) for w in apart]
    assert [r["taste"] for r in FOUND["tests"]] == [w[0] for w in together]
    keys = ("effect", "ci_low", "ci_high", "standard_error", "statistic", "df")
    for row, (taste, *numbers, two_sided, note) in zip(FOUND["tests"], reported, strict=True):
        assert [row[k] for k in keys] == pytest.approx(numbers, rel=3e-6)
        assert row["alternative"] == sides[taste]
        # Every effect lies on the side that was declared for it, so the one-sided p is half.
        assert row["p"] == pytest.approx(two_sided / (1 if sides[taste] == "two-sided" else 2), rel=1e-5)
        assert row["role"] == ("exploratory" if taste == "sour" else "declared")
        assert (row["state"], row["note"], row["test"]) == ("ok", note, "mixed model")
    assert [r["n"] for r in FOUND["tests"]] == [216, 36, 36, 36, 108]
    assert "pair" not in FOUND["tests"][0]
    beside = [r for r in FOUND["sensitivity"] if r["test"] == "one variance of clips"]
    assert len(beside) == len(FOUND["sensitivity"]) == 5
    for row, (taste, *numbers, two_sided) in zip(beside, together, strict=True):
        assert (row["taste"], row["sd_clips"]) == (taste, pytest.approx(0.718396724925, rel=1e-6))
        assert [row[k] for k in keys] == pytest.approx(numbers, rel=1e-6)
        assert row["p"] == pytest.approx(two_sided / (1 if sides[taste] == "two-sided" else 2), rel=1e-5)


def test_the_declared_tests_are_corrected_as_one_family() -> None:
    """R: p.adjust of the four declared p (over all, bitter, salty, sweet) and the equivalence test's, "holm"."""
    config = CONFIG.model_copy(
        update={"correction": "holm", "equivalence": [Equivalence(taste="salty", bound=1.5, reason="r")]}
    )
    found = preference(unbalanced(), 5.0, config)
    (tost,) = found["equivalence"]
    e, s, df = -0.616204143556, 0.457875930357, 29.6291734225
    p = stats.t.cdf((e - 1.5) / s, df), stats.t.sf((e + 1.5) / s, df)
    assert tost["p"] == pytest.approx(max(p), rel=1e-5)
    half = stats.t.ppf(0.95, df) * s
    assert [tost[k] for k in ("effect", "ci_low", "ci_high", "df")] == pytest.approx(
        [e, e - half, e + half, df], rel=1e-6
    )
    assert (tost["taste"], tost["test"], tost["bound"], tost["reason"], tost["n"]) == ("salty", "tost", 1.5, "r", 36)
    assert tost["statistic"] == pytest.approx((1.5 + e) / s, rel=1e-6)
    assert tost["interval_level"] == pytest.approx(0.9)
    assert {(r["bound"] is None, round(r["interval_level"], 9)) for r in found["sensitivity"]} == {
        (True, 0.95),
        (False, 0.9),
    }
    corrected = [r["p_adjusted"] for r in [*found["tests"], tost]]
    assert corrected[3] is None  # sour is exploratory
    sweet, bitter, over = 0.0109986509783 / 2, 0.0228365467726 / 2, 0.581845293378 / 2
    assert corrected[4] == pytest.approx(5 * sweet, rel=1e-5)
    assert corrected[1] == pytest.approx(4 * bitter, rel=1e-5)
    assert corrected[5] == pytest.approx(3 * tost["p"], rel=1e-5)
    assert corrected[2] == pytest.approx(2 * 0.18857906958, rel=1e-5)
    assert corrected[0] == pytest.approx(max(over, 2 * 0.18857906958), rel=1e-5)
    plain = preference(unbalanced(), 5.0, CONFIG)["tests"]
    assert plain[4]["p_adjusted"] == pytest.approx(4 * sweet, rel=1e-5)  # the study's own correction: Bonferroni


def test_what_varies_stands_beside() -> None:
    """as.data.frame(VarCorr(m))$sdcor"""
    assert [r["part"] for r in FOUND["spread"]] == ["people", "clips", "residual"]
    sds = [1.260109239121, 0.718396724925, 1.496338702217]
    assert [r["sd"] for r in FOUND["spread"]] == pytest.approx(sds, rel=1e-6)
    assert [r["share"] for r in FOUND["spread"]] == pytest.approx(
        [s**2 / sum(v**2 for v in sds) for s in sds], rel=1e-5
    )
    assert [(r["part"], r["taste"]) for r in FOUND["variances"]] == [
        (part, taste) for part in ("clips", "residual") for taste in ("bitter", "salty", "sour", "sweet")
    ]
    data = unbalanced()
    for row in FOUND["effects"]:
        part = data if row["taste"] == "all" else data[data["taste"] == row["taste"]]
        delta = ((part["score"] > 5).sum() - (part["score"] < 5).sum()) / len(part)
        assert row["cliffs_delta"] == pytest.approx(delta)
        assert row["delta_low"] < delta < row["delta_high"]
        assert row["rank_low"] < row["rank_biserial"] < row["rank_high"]
        assert (row["n_participants"], row["n_clips"]) == (36, 20 if row["taste"] == "all" else 5)
        assert row["state"] == "ok"
    high = unbalanced().assign(score=lambda d: d["score"].clip(lower=6))
    for row in preference(high, 5.0, CONFIG)["effects"]:
        assert (row["rank_biserial"], row["cliffs_delta"], row["state"]) == (1.0, 1.0, "all on one side")
        assert [row[k] for k in ("rank_low", "rank_high", "delta_low", "delta_high")] == [None] * 4
    lone = unbalanced().assign(clip_over=lambda d: d["taste"])
    assert {r["state"] for r in preference(lone, 5.0, CONFIG)["effects"]} == {"confounded: clips"}


def test_where_clips_seem_not_to_vary_the_tests_keep_their_variance_off_zero_and_the_fit_as_estimated_stands_beside() -> (
    None
):
    data = unbalanced()
    level = data.groupby("clip_over")["score"].transform("mean") - data.groupby("taste")["score"].transform("mean")
    flat = data.assign(score=data["score"] - level)  # clips do not differ
    found = preference(flat, 5.0, CONFIG)
    assert {r["state"] for r in found["tests"]} == {"singular: clips"}
    assert {r["note"] for r in found["tests"]} == {"no variance of clips was found; the tests keep variances off zero"}
    assert [(r["taste"], r["test"]) for r in found["sensitivity"]] == [
        (r["taste"], "as estimated") for r in found["tests"]
    ]
    design = joint.comparison(joint.sides(flat))
    kept = joint.fitted(design, flat["score"].to_numpy(float)[:, None] - 5, 3.0)
    overall = joint.answered_by(kept, design, [Question("all", "greater", "declared")])
    assert (found["tests"][0]["standard_error"], found["tests"][0]["df"]) == pytest.approx(
        (overall.error[0, 0], overall.df[0, 0])
    )
    for careful, plain in zip(found["tests"], found["sensitivity"], strict=True):
        assert plain["state"] == "singular: clips"
        assert plain["sd_clips"] == 0
        assert careful["standard_error"] > plain["standard_error"]
        assert careful["alternative"] == plain["alternative"]
        assert (careful["ci_low"], careful["ci_high"]) != (plain["ci_low"], plain["ci_high"])


def test_where_tastes_do_not_share_the_variance_of_clips_the_tests_with_one_each_stand_beside() -> None:
    rng = np.random.default_rng(6)
    data = unbalanced()
    wide = dict(zip(sorted(set(data["clip_over"])), rng.normal(0, 9.0, 20), strict=True))
    apart = data.assign(score=data["score"] + np.where(data["taste"] == "sour", data["clip_over"].map(wide), 0.0))
    found = preference(apart, 5.0, CONFIG)
    assert [r["state"] for r in found["tests"]] == ["ok"] + ["unequal: clips"] * 4
    assert {r["p"] < 0.05 for r in found["variances"] if r["part"] == "clips"} == {True}
    rows = {r["taste"]: r for r in found["sensitivity"] if r["test"] == "variances by taste"}
    plain = {r["taste"]: r for r in found["tests"]}
    assert set(rows) == set(plain)
    assert rows["sour"]["sd_clips sour"] > 2 * rows["sour"]["sd_clips salty"]
    assert rows["sour"]["standard_error"] > plain["sour"]["standard_error"]
    own = "judged by each taste's own variance of clips, whose interval is the wider"
    assert [own in plain[t]["note"] for t in ("all", "sour", "salty")] == [True, False, False]
    one = {r["taste"]: r for r in found["sensitivity"] if r["test"] == "one variance of clips"}
    assert one["all"]["ci_high"] - one["all"]["ci_low"] < plain["all"]["ci_high"] - plain["all"]["ci_low"]
    assert rows["salty"]["standard_error"] < plain["salty"]["standard_error"]
    assert all(r["sd_clips bitter"] > 0 for r in rows.values())


def test_clips_that_vary_alike_are_not_said_to_vary_unequally() -> None:
    """The wider interval may be wider by its degrees of freedom alone: the note says what was done, and claims no more."""
    rng = np.random.default_rng(5)
    clip = {(t, c): rng.normal(0, 0.4) for t in ("sweet", "sour", "bitter", "salty") for c in range(6)}
    rows = [(p, t, f"{t}-{c}", 5 + clip[t, c] + rng.normal(0, 1.5)) for p in range(20) for t, c in clip]
    data = pd.DataFrame(rows, columns=["participant", "taste", "clip_over", "score"]).assign(over="a", under="b")
    found = preference(data, 5.0, CONFIG)
    assert min(r["p"] for r in found["variances"]) > 0.1
    notes = [r["note"] for r in found["tests"]]
    assert notes[0].endswith("judged by each taste's own variance of clips, whose interval is the wider")
    assert not [n for n in notes if "unequal" in n or "vary" in n]


def test_one_clip_a_taste_is_about_these_clips_alone() -> None:
    """lmer(score - 5 ~ 0 + taste + (1 | participant)); before, p was where the search began: .100 or .702."""
    alone = preference(unbalanced().assign(clip_over=lambda d: d["taste"]), 5.0, CONFIG)["tests"]
    assert {r["state"] for r in alone} == {"confounded: clips"}
    assert alone[4]["note"] == "about these clips alone: one a mean"
    assert all(abs(r["ci_high"]) < 10 and np.isfinite(r["p"]) for r in alone)


def test_every_pair_of_conditions_has_its_rows() -> None:
    found = preference(frame(3, people=20), 5.0, AnalysisConfig(resamples=100, hypotheses=[{"taste": "sweet"}]))
    pairs = ["base - tuned", "film - base", "film - tuned"]
    assert [(r["pair"], r["taste"]) for r in found["tests"]] == [
        (p, t) for p in pairs for t in ("all", "bitter", "salty", "sour", "sweet")
    ]
    assert sum(r["p_adjusted"] is not None for r in found["tests"]) == 6
    assert [r["pair"] for r in found["effects"]] == [r["pair"] for r in found["tests"]]
    assert found["tests"][0]["n"] == (frame(3, people=20)["pair"] == "p12").sum()


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
        ("sour", "sour", "greater"), ("sweet", "sweet", "greater"),
    ]  # fmt: skip
    assert [r["p"] for r in found["own_word"]] == pytest.approx([0.0271447222058 / 2, 0.0721158909776 / 2], rel=1e-3)
    assert [r["p_adjusted"] for r in found["own_word"]] == pytest.approx([0.0271447222058, 0.0721158909776], rel=1e-3)
    assert [r["n"] for r in found["own_word"]] == [int((worded()["adjective"] == "sweet").sum())] * 2
    for row, effect, error in zip(
        found["own_word_ordinal"], (1.94913899232, 1.24443740777), (0.729480532137, 0.595809203418), strict=True
    ):
        assert row["effect"] == pytest.approx(effect, abs=1e-3)
        assert row["effect"] / row["statistic"] == pytest.approx(error, rel=1e-3)
        half = stats.norm.ppf(0.975) * row["effect"] / row["statistic"]
        assert (row["ci_low"], row["ci_high"]) == pytest.approx((row["effect"] - half, row["effect"] + half))
        assert row["p"] == pytest.approx(stats.norm.sf(row["statistic"]))
        assert (row["test"], row["alternative"], row["note"], row["state"]) == (
            "ordinal mixed model",
            "greater",
            "",
            "ok",
        )


@pytest.mark.parametrize(("correction", "second"), [("bonferroni", 9), ("holm", 8)])
def test_exploratory_ratings_follow_the_studys_correction(correction: str, second: int) -> None:
    """Nine questions: of the second smallest p, .0271, Holm takes eight times, Bonferroni nine."""
    found = ratings(worded(), AnalysisConfig(correction=correction))["prompts"]
    row = sorted(found, key=lambda r: r["p"])[1]
    assert row["p"] == pytest.approx(0.0271447222058, rel=1e-3)
    assert row["p_adjusted"] == pytest.approx(second * row["p"])


def test_ratings_of_one_prompt_are_refused_and_words_of_one_prompt_passed_over() -> None:
    data = worded()
    with pytest.raises(AnalysisError, match="ratings of one prompt alone"):
        ratings(data[data["prompt"] == "sweet"], AnalysisConfig())
    some = data[(data["adjective"] != "hot") | (data["prompt"] == "sour")]
    assert {r["adjective"] for r in ratings(some, AnalysisConfig())["prompts"]} == {"sweet", "sour"}
    two = {
        (r["adjective"], r["prompt"]): r["effect"]
        for r in ratings(data[data["prompt"] != "salty"], AnalysisConfig())["prompts"]
    }
    assert len(two) == 6
    assert two["hot", "sour"] == pytest.approx(-two["hot", "sweet"])
    gone = data.assign(value=data["value"].where(data["participant"] != 7))
    assert ratings(gone, AnalysisConfig()) == ratings(data[data["participant"] != 7], AnalysisConfig())


def test_the_declared_tests_hold_five_percent_under_participant_and_clip_variance() -> None:
    """400 null studies of 60 people and 5 clips a taste: errors of every contrast within what 5 % allows (binomial, 99.9 %: 35)."""
    rng = np.random.default_rng(0)
    people, taste = np.repeat(np.arange(60), 4), np.tile(np.arange(4), 60)
    clip = 5 * taste + rng.integers(0, 5, 240)
    data = pd.DataFrame({"participant": people, "taste": taste.astype(str), "clip_over": clip, "score": 5.0})
    y = rng.normal(0, 1, (60, 400))[people] + rng.normal(0, 0.6, (20, 400))[clip] + rng.normal(0, 2, (240, 400))
    y = np.clip(np.round(y + 5), 0, 10) - 5
    design = joint.comparison(joint.sides(data))
    asked = [Question(t, a, "declared") for t in ("all", "0", "1") for a in ("greater", "two-sided")]
    found = joint.answered_by(joint.fitted(design, y), design, asked)
    assert ((found.p < 0.05).sum(axis=0) <= 35).all()
    assert ((found.p < 0.05).sum(axis=0) >= 6).all()
    strong = joint.answered_by(joint.fitted(design, y[:, :50] + 1.8), design, asked)
    assert np.median(strong.p[:, 0]) < 0.01
    low, high = strong.interval(0.95)
    assert ((low[:, 0] < 1.8) & (high[:, 0] > 1.8)).sum() >= 40


def test_the_tests_alone_are_those_of_the_whole() -> None:
    assert rows_of_tests(unbalanced(), 5.0, CONFIG) == FOUND["tests"]


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
    assert all(
        r["p_adjusted"] < 0.01
        and r["state"] in ("ok", "singular: people", "singular: clips", "singular: people, clips")
        for r in found["own_word"]
    )
    assert len(found["prompts"]) == 4 * 5
    assert all(r["effect"] > 0 and r["p_adjusted"] < 0.01 for r in found["own_word_ordinal"])
    data.loc[data["adjective"] == "sour", "value"] = 3.0  # constant ratings
    broken = ratings(data, AnalysisConfig())
    columns = {tuple(r) for r in broken["own_word_ordinal"]}  # an export's columns are those of its first row
    assert len(columns) == 1
    flagged = next(r for r in broken["own_word"] if r["adjective"] == "sour")
    assert flagged["p"] is None
    assert flagged["state"] == "too few"
    assert flagged["note"]
