"""The joint model's design: cells, contrasts, units; its tests against lmerTest."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.errors import AnalysisError
from analysis.preference.joint import (
    answered_by,
    answers,
    by_taste,
    comparison,
    fitted,
    no_clips,
    said,
    sides,
)
from analysis.preference.questions import Bound, Question
from benchmarks.mixed import study


def frame(conditions: int = 2, seed: int = 3, **changes: float) -> pd.DataFrame:
    d = study(np.random.default_rng([7, seed]), conditions=conditions, **changes)  # type: ignore[arg-type]  # whole numbers are floats here
    names = np.array(["film", "base", "tuned"])
    over, under = (names[d.pair.str[k].astype(int)] for k in (1, 2))
    out = d.rename(columns={"first": "clip_over", "second": "clip_under"}).assign(over=over, under=under)
    return out.assign(score=out.y + 5)


def test_what_was_not_fitted_is_too_few() -> None:
    assert said(None) == "too few"
    d = frame()
    assert said(fitted(comparison(sides(d)), d.score.to_numpy()[:, None])) == "ok"


def test_two_clips_that_always_meet_are_one_unit() -> None:
    design = comparison(sides(frame()))
    assert list(design.factors) == ["people", "pair"]
    assert design.pairs == ("",)
    assert design.cells == (("", "bitter"), ("", "salty"), ("", "sour"), ("", "sweet"))
    assert design.x.sum(axis=1).tolist() == [1.0] * len(design.x)
    one = frame().drop(columns=["clip_under", "under", "over"])
    assert list(comparison(sides(one)).factors) == ["people", "clips"]


def test_crossed_clips_are_signed_by_their_side() -> None:
    d = frame(3)
    design = comparison(sides(d))
    assert list(design.factors) == ["people", "clips", "people x conditions"]
    assert design.pairs == ("base - tuned", "film - base", "film - tuned")
    z = design.factors["clips"]
    names = np.unique([*d.clip_over, *d.clip_under])
    for k in (0, 7, len(d) - 1):
        assert {names[j]: z[k, j] for j in np.flatnonzero(z[k])} == {d.clip_over[k]: 1.0, d.clip_under[k]: -1.0}
    own = design.factors["people x conditions"]
    assert own.shape[1] <= 3 * 60
    assert (np.abs(own).sum(axis=1) == 2).all()
    assert (own.sum(axis=1) == 0).all()


def test_a_control_of_one_clip_stands_for_no_other_and_is_said() -> None:
    d = frame().assign(clip_under="silence", under="silence")
    design = comparison(sides(d))
    assert list(design.factors) == ["people", "clips", "clips of silence"]
    found = fitted(design, d.y.to_numpy()[:, None])
    assert found.states[0].startswith("confounded: clips of silence")
    matched = fitted(comparison(sides(frame())), d.y.to_numpy()[:, None])
    q = [Question("all", "greater", "declared")]
    assert answered_by(found, design, q).p == pytest.approx(answered_by(matched, comparison(sides(frame())), q).p)


def test_clips_of_several_tastes_that_are_alone_are_one_factor_of_their_condition() -> None:
    """Sweet and sour each have one film clip that meets base alone: two columns of one factor, left out and said."""
    d = frame(3, people=12)
    alone = d.over.eq("film") & d.taste.isin(["sweet", "sour"])
    d = d[~(d.taste.isin(["sweet", "sour"]) & (d.over.eq("film") & d.under.eq("tuned")))]
    d.loc[alone, "clip_over"] = "film " + d.taste
    design = comparison(sides(d))
    assert design.factors["clips of film"].shape == (len(d), 2)
    assert np.abs(design.factors["clips of film"]).sum(axis=0).tolist() == [
        float((alone & d.taste.eq(t)).sum()) for t in ("sour", "sweet")
    ]
    assert "clips of film" in fitted(design, d.y.to_numpy()[:, None]).confounded


def test_every_taste_weighs_the_same_over_all() -> None:
    d = frame()
    d = d[(d.taste != "sweet") | (d.participant < 20)]
    design = comparison(sides(d))
    assert design.contrast("all", "").tolist() == [0.25] * 4
    assert design.contrast("sour", "").tolist() == [0, 0, 1, 0]
    assert design.contrast("umami", "") is None
    many = comparison(sides(frame(3)))
    assert many.contrast("all", "film - base").sum() == pytest.approx(1)
    assert many.contrast("all", "film - base")[:4].tolist() == [0, 0, 0, 0]
    with pytest.raises(AnalysisError, match="no answer is about"):
        answered_by(fitted(design, d.y.to_numpy()[:, None]), design, [Question("umami", "less", "declared")])


def test_directions_bounds_and_intervals_come_from_one_contrast() -> None:
    d = frame()
    design = comparison(sides(d))
    asked = [Question("sweet", a, "declared") for a in ("greater", "less", "two-sided")] + [Bound("sweet", 1.5)]
    a = answered_by(fitted(design, d.y.to_numpy()[:, None]), design, asked)
    e, s, df = a.estimate[0, 0], a.error[0, 0], a.df[0, 0]
    t = stats.t(df)
    both = max(1 - t.cdf((e + 1.5) / s), t.cdf((e - 1.5) / s))
    assert a.p[0] == pytest.approx([t.sf(e / s), t.cdf(e / s), 2 * t.sf(abs(e / s)), both])
    low, high = a.interval(0.9)
    assert (low[0, 3], high[0, 3]) == pytest.approx((e - t.ppf(0.95) * s, e + t.ppf(0.95) * s))
    # p of equivalence at 5 % and the 90 % interval say the same.
    assert (both < 0.05) == bool(low[0, 3] > -1.5 and high[0, 3] < 1.5)


def test_a_fit_that_is_none_has_no_numbers() -> None:
    d = frame()
    design = comparison(sides(d))
    y = np.column_stack([d.y, np.full(len(d), 2.0), d.y])
    found = fitted(design, y)
    found = replace(found, converged=np.array([True, True, False]))
    a = answered_by(found, design, [Question("all", "greater", "declared")])
    for values in (a.estimate, a.error, a.df, a.p):
        assert np.isfinite(values[:, 0]).tolist() == [True, False, False]
    assert found.states == ["ok", "too few", "not converged"]


def test_a_taste_whose_clips_vary_more_errs_no_more_than_five_in_a_hundred() -> None:
    """1,500 studies in which nothing is to be found, clips that vary by 0.2, 0.4, 0.8 and 1.2: with one variance for all, the last
    taste is found in 11 to 15 %."""
    rng = np.random.default_rng(3)
    people = np.repeat(np.arange(60), 8)
    taste = np.tile(np.repeat(np.arange(4), 2), 60)
    clip = 5 * taste + (people + 2 * np.arange(480)) % 5
    d = pd.DataFrame({"participant": people, "taste": taste.astype(str), "clip_over": clip, "score": 0.0})
    design = comparison(sides(d))
    clips = rng.normal(size=(20, 1500)) * np.repeat([0.2, 0.4, 0.8, 1.2], 5)[:, None]
    y = 0.7 * rng.normal(size=(60, 1500))[people] + clips[clip] + 2.2 * rng.normal(size=(480, 1500))
    found = fitted(design, y)
    asked = [Question(t, "greater", "declared") for t in ("all", "0", "1", "2", "3")] + [Bound("3", 1.0)]
    together, reported = answered_by(found, design, asked), answers(found, design, y, asked)
    assert 0.11 < (together.p[:, 4] < 0.05).mean() < 0.16
    assert ((reported.p[:, :5] < 0.05).mean(axis=0) < 0.065).all()
    low, high = reported.interval(0.95)
    assert (((low < 0) & (high > 0)).mean(axis=0) > 0.94).all()
    assert 0.9 < reported.own[:, 0].mean() < 1
    assert np.median(reported.df[:, 0]) < 0.7 * np.median(together.df[:, 0])
    assert reported.own[:, 1].mean() < 0.2
    assert 0.9 < reported.own[:, 4].mean() < 1
    assert (reported.own[:, 4] == reported.own[:, 5]).all()
    # Nowhere narrower than by one variance for all, which stands where the own is.
    kept = ~no_clips(found)
    (low, high), (least, most) = reported.interval(0.95), together.interval(0.95)
    assert (high - low >= most - least - 1e-9)[kept].all()
    assert reported.p[kept][~reported.own[kept]] == pytest.approx(together.p[kept][~reported.own[kept]])


def test_a_variance_of_its_own_is_asked_of_tastes_with_three_clips_at_least() -> None:
    d = frame()
    few = d.assign(clip_over=d["taste"] + (d["participant"] % 2).astype(str), clip_under=None)
    design = comparison(sides(few.drop(columns="clip_under")))
    found = fitted(design, d.y.to_numpy()[:, None])
    assert by_taste(found, design) is None
    one = few.drop(columns="clip_under")
    one["clip_over"] = np.where(one["taste"] == "sour", "sour" + (one["participant"] % 3).astype(str), one["clip_over"])
    design = comparison(sides(one))
    y = d.y.to_numpy()[:, None] + np.where(one["clip_over"] == "sour0", 40.0, 0.0)[:, None]
    y += np.where(one["clip_over"] == "salty0", 90.0, 0.0)[:, None]
    reported = answers(
        fitted(design, y), design, y, [Question(t, "greater", "declared") for t in ("all", "salty", "sour", "sweet")]
    )
    assert not reported.own[0, [0, 1, 3]].any()
    # People who favour each of three conditions: one variance for all.
    many = comparison(sides(frame(3)))
    assert by_taste(fitted(many, frame(3).y.to_numpy()[:, None]), many) is None


def test_a_prior_takes_no_degrees_of_freedom_that_the_clips_have() -> None:
    """Sixty people, one taste, five clips that do not differ: their means have four; the fit that keeps off zero alone had 1.3."""
    rng = np.random.default_rng(0)
    people = np.repeat(np.arange(60), 5)
    d = pd.DataFrame({"participant": people, "taste": "sweet", "clip_over": np.tile(np.arange(5), 60), "score": 0.0})
    design = comparison(sides(d))
    y = (2 + rng.integers(-3, 4, (300, 40))).astype(float)
    found = fitted(design, y)
    flat = no_clips(found)
    assert flat.sum() > 5
    asked = [Question("sweet", "greater", "declared")]
    reported = answers(found, design, y, asked)
    assert (reported.df[flat] == 4).any()
    assert (reported.df[flat] >= 4).all()
    assert (reported.p[flat] < 0.01).all()  # two points with a standard error of a quarter
    low, high = reported.interval(0.95)
    assert (low[flat] > 0).all()
    assert (high[flat] < 4).all()
