"""Agreement of listeners, order and side, what could have been found."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.engines.mixed import fit
from analysis.preference.sensitivity import detectable, order_and_side
from analysis.ratings.reliability import agreement


def full_table(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    d = pd.DataFrame([(i, j) for i in range(40) for j in range(12)], columns=["participant", "clip"])
    people, clips = rng.normal(0, 0.5, 40), rng.normal(0, 0.6, 12)
    d["value"] = np.round(3 + people[d["participant"]] + clips[d["clip"]] + rng.normal(size=len(d)))
    return d.assign(adjective="x")


def test_on_a_full_table_it_is_pingouins_icc() -> None:
    """ICC(A,1) and ICC(A,k) of McGraw & Wong, from mean squares; REML gives the same on balanced data."""
    import pingouin

    data = full_table()
    row = agreement(data)[0]
    table = pingouin.intraclass_corr(data, targets="clip", raters="participant", ratings="value").set_index("Type")[
        "ICC"
    ]
    assert row["icc_21"] == pytest.approx(table["ICC(A,1)"], rel=1e-4)
    assert row["icc_2k"] == pytest.approx(table["ICC(A,k)"], rel=1e-4)
    assert row["ci_low"] < row["icc_2k"] < row["ci_high"]


def test_its_interval_is_the_delta_methods() -> None:
    """On the logit scale, the slope by central differences in the three standard deviations."""
    data = full_table()
    row = agreement(data)[0]
    found = fit(
        data["value"].to_numpy(float), np.ones((len(data), 1)),
        {"clips": data["clip"].to_numpy(), "people": data["participant"].to_numpy()},
    )  # fmt: skip

    def logit(sd: np.ndarray) -> float:
        return float(np.log(sd[0] ** 2) - np.log((sd[1] ** 2 + sd[2] ** 2) / 40))

    at, covariance = np.array([*found.sd, found.residual_sd]), found.deviations_covariance()
    assert covariance is not None
    slope = np.array([(logit(at + h) - logit(at - h)) / 2e-6 for h in 1e-6 * np.eye(3)])
    half = 1.959963984540054 * float(slope @ covariance @ slope) ** 0.5
    ends = [1 / (1 + np.exp(-(logit(at) + side * half))) for side in (-1, 1)]
    assert [row["ci_low"], row["ci_high"]] == pytest.approx(ends, rel=1e-6)


def test_it_holds_on_a_sparse_table() -> None:
    """Three clips a person, as in the study: the agreement that the full table has comes back, on average."""
    found = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        data = full_table(seed)
        kept = [set(rng.choice(12, 3, replace=False)) for _ in range(40)]
        some = data[[c in kept[p] for p, c in zip(data["participant"], data["clip"], strict=True)]]
        found.append((agreement(data)[0]["icc_21"], agreement(some)[0]["icc_21"]))
    full, sparse = np.array(found).T
    assert float((sparse - full).mean()) == pytest.approx(0, abs=0.08)


def test_it_is_lme4s_on_an_incomplete_table() -> None:
    """lme4 1.1-31 on the same 51 answers: v ~ 1 + (1 | c) + (1 | p); k the harmonic mean number of listeners."""
    rows = [
        (p, c, (p * 7) % 5 + (c * 5) % 7 + (p * c * 3) % 4)
        for p in range(1, 11)
        for c in range(1, 7)
        if p % 3 or c <= 3
    ]
    data = pd.DataFrame(rows, columns=["participant", "clip", "value"]).assign(adjective="x")
    row = agreement(data)[0]
    assert (row["n"], row["n_clips"]) == (51, 6)
    assert row["k"] == pytest.approx(8.23529411765)
    assert row["icc_21"] == pytest.approx(0.48675239005, rel=1e-3)
    assert row["icc_2k"] == pytest.approx(0.88649476226, rel=1e-3)
    assert 0 < row["ci_low"] < row["icc_2k"] < row["ci_high"] < 1
    assert row["state"] == "ok"


def test_interval_covers_the_agreement_that_was_put_in() -> None:
    """Variances .6^2, .5^2, 1: ICC(2,k) of twenty listeners is .36 / (.36 + 1.25 / 20); twenty-five clips, forty studies."""
    wanted, held, widths = 0.36 / (0.36 + 1.25 / 20), 0, []
    for seed in range(40):
        rng = np.random.default_rng(seed)
        d = pd.DataFrame([(i, j) for i in range(20) for j in range(25)], columns=["participant", "clip"])
        d["value"] = (
            rng.normal(0, 0.5, 20)[d["participant"]] + rng.normal(0, 0.6, 25)[d["clip"]] + rng.normal(size=len(d))
        )
        row = agreement(d.assign(adjective="x"))[0]
        held += row["ci_low"] <= wanted <= row["ci_high"]
        widths.append(row["ci_high"] - row["ci_low"])
    assert 34 <= held <= 40  # of 95 %, fewer than 34 happen once in a thousand
    assert np.mean(widths) < 0.25


def test_each_adjective_has_a_row_of_its_own() -> None:
    one, two = full_table(0), full_table(1).assign(adjective="a")
    two.loc[:9, "value"] = np.nan
    rows = agreement(pd.concat([one, two]))
    assert [(r["item"], r["n"]) for r in rows] == [("a", 470), ("x", 480)]
    assert rows[1] == agreement(one)[0]
    assert rows[0]["icc_21"] != rows[1]["icc_21"]


def test_too_few_to_tell_is_noted() -> None:
    row = agreement(full_table().query("participant == 0"))[0]
    assert row["icc_2k"] is None
    assert row["state"] == "too few"
    one = agreement(full_table().query("participant == 0").head(2))[0]
    assert (one["icc_21"], one["state"]) == (None, "too few")


def test_clips_that_do_not_differ_are_said_so() -> None:
    rng = np.random.default_rng(1)
    data = pd.DataFrame({"participant": np.arange(200) // 4, "clip": np.arange(200) % 4, "adjective": "x"})
    data["value"] = rng.normal(size=50)[data["participant"]] * 3 + np.tile(
        [1.0, -1.0, -1.0, 1.0], 50
    ) * rng.permutation([-1, 1] * 25).repeat(4)
    row = agreement(data)[0]
    assert row["icc_2k"] == 0
    assert row["state"] == "singular: clips"
    assert (row["ci_low"], row["ci_high"]) == (None, None)


def preference(order: float, side: float) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    rows = []
    for p in range(120):
        for trial in range(5):
            first = "base" if rng.random() < 0.5 else "finetuned"
            pull = side if first == "base" else -side
            rows.append((p, trial, "sweet", first, f"c{rng.integers(10)}", 5 + order * trial + pull + rng.normal()))
    return pd.DataFrame(rows, columns=["participant", "trial", "taste", "first_model", "clip_over", "score"]).assign(
        over="finetuned", under="base"
    )


def test_order_and_side_come_back() -> None:
    rows = {r["bias"]: r for r in order_and_side(preference(0.2, 0.5), 5)}
    assert rows["order"]["difference"] == pytest.approx(0.2, abs=0.06)
    assert rows["side"]["difference"] == pytest.approx(0.5, abs=0.1)
    assert rows["side"]["p"] < 1e-6
    nothing = {r["bias"]: r for r in order_and_side(preference(0, 0), 5)}
    assert nothing["order"]["p"] > 0.01
    assert nothing["side"]["p"] > 0.01


def test_detectable_effect_has_the_asked_power() -> None:
    test = {
        "taste": "all",
        "alternative": "greater",
        "effect": 0.6,
        "standard_error": 0.2,
        "statistic": 3.0,
        "df": 20.0,
        "p": 0.003,
        "role": "exploratory",
        "state": "ok",
    }
    row = detectable([test], 0.05)[0]
    shift = row["detectable"] / 0.2
    assert stats.nct.sf(stats.t.ppf(0.95, 20), 20, shift) == pytest.approx(0.8, abs=1e-6)
    assert detectable([{**test, "p": None}], 0.05) == []
