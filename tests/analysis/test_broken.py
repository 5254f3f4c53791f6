"""Broken data: a clear line or a flagged result, never a silent number and never a traceback."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from analysis.config import AnalysisConfig
from analysis.errors import AnalysisError
from analysis.factors import paper as factors
from analysis.preference import paper as preference
from analysis.preference import robust
from analysis.ratings import paper as ratings

TASTES = ("bitter", "salty", "sour", "sweet")
WORDS = (*TASTES, "happy", "sad", "hot", "cold")
CONFIG = AnalysisConfig(
    resamples=100, hypotheses=[{"taste": t} for t in TASTES], equivalence=[{"taste": "salty", "bound": 1}]
)


def choices(people: int = 20, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (
            p,
            k,
            t,
            ("base", "finetuned")[(p + k) % 2],
            f"{t}-base-{p % 5}",
            f"{t}-finetuned-{p % 5}",
            *[float(rng.integers(0, 11))] * 2,
        )
        for p in range(people)
        for k, t in enumerate(TASTES)
    ]
    names = ["participant", "trial", "taste", "first_model", "clip_under", "clip_over", "answer", "score"]
    return pd.DataFrame(rows, columns=names).assign(over="finetuned", under="base")


def rated(people: int = 30, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        (p, k, t, "finetuned", f"{t}-{p % 5}", w, float(rng.integers(1, 6)))
        for p in range(people)
        for k, t in enumerate(TASTES[p % 2 : p % 2 + 3])
        for w in WORDS
    ]
    return pd.DataFrame(rows, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value"])


PEOPLE = pd.DataFrame(
    {"participant": range(30), "sex": ["male", "female"] * 15, "hearing_experience": ["none", "amateur", "none"] * 10}
)


def numbers(value: Any) -> list[float]:
    """All numbers of a result."""
    if isinstance(value, dict):
        return [x for v in value.values() for x in numbers(v)]
    if isinstance(value, (list, tuple)):
        return [x for v in value for x in numbers(v)]
    return [float(value)] if isinstance(value, (int, float)) else []


def calm(work: Callable[[], Any]) -> Any:
    """Do it; warnings of libraries about numbers count as a failure to look at one's data."""
    with warnings.catch_warnings():
        warnings.simplefilter("error", RuntimeWarning)
        return work()


def test_one_answer_a_person_about_one_clip_is_the_t_test_and_says_so() -> None:
    """No variance of people or clips can be told then; task 2 by the ordinal model too."""
    data = choices(24)
    data = data[data["taste"] == "sweet"].assign(clip_over="sweet-finetuned-0", clip_under="sweet-base-0")
    test = robust.preference(data, 5.0, CONFIG)["tests"][0]
    plain = stats.ttest_1samp(data["score"], 5, alternative="greater")
    assert (test["statistic"], test["p"]) == pytest.approx((plain.statistic, plain.pvalue), rel=1e-4)
    assert test["state"] == "confounded: pair"
    assert test["note"] == "about these pairs of clips alone: one a mean"
    words = rated(48)
    words = words[words["trial"] == words["participant"] % 3]
    words["clip"] = [f"{p}-{t}" for p, t in zip(words["prompt"], words["participant"], strict=True)]
    found = robust.ratings(words, CONFIG)
    for row in (*found["own_word"], *found["own_word_ordinal"]):
        assert 0 < row["p"] < 1
        assert row["state"] == "ok"


def told(error: AnalysisError) -> None:
    assert len(str(error).splitlines()) == 1


@pytest.mark.parametrize("plan", [preference.analyse, robust.preference], ids=["paper", "robust"])
@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("constant", lambda d: d.assign(score=7.0, answer=7.0)),
        ("all in the middle", lambda d: d.assign(score=5.0, answer=5.0)),
        ("a missing taste", lambda d: d[d["taste"] != "sour"]),
        ("one taste", lambda d: d[d["taste"] == "sour"]),
        ("one participant", lambda d: d[d["participant"] == 0]),
        ("one answer", lambda d: d.head(1)),
        ("half missing", lambda d: d.assign(score=d["score"].where(d.index % 2 == 0))),
    ],
)
def test_preference(plan: Callable[..., Any], name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    data = change(choices())
    tables = calm(lambda: plan(data, 5.0, CONFIG))
    tests = tables["tests"]
    kept = data.dropna(subset=["score"])
    assert {r["taste"] for r in tests} == {"all", *kept["taste"]}
    assert tests[0]["n"] == len(kept)
    if name in ("constant", "all in the middle", "one answer"):
        # Nothing to test by a model; by ranks only where answers differ from the middle.
        for row in tests:
            p = row["p"]
            assert p is None or np.isnan(p) or (name != "all in the middle" and 0 < p <= 1)
            if plan is robust.preference:
                assert p is None
                assert row["note"]


@pytest.mark.parametrize("plan", [preference.analyse, robust.preference])
def test_no_answers_is_one_line(plan: Callable[..., Any]) -> None:
    with pytest.raises(AnalysisError, match="no preference answers"):
        plan(choices().assign(score=np.nan), 5.0, CONFIG)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("constant", lambda d: d.assign(value=3.0)),
        ("one constant adjective", lambda d: d.assign(value=d["value"].where(d["adjective"] != "sad", 2.0))),
        ("a missing taste", lambda d: d[d["prompt"] != "sour"]),
        ("one participant", lambda d: d[d["participant"] == 0]),
        ("missing values", lambda d: d.assign(value=d["value"].where(d.index % 7 != 0))),
        ("one prompt", lambda d: d[d["prompt"] == "sour"]),
    ],
)
def test_ratings(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    data = change(rated())
    try:
        tables = calm(lambda: ratings.analyse(data, PEOPLE))
    except AnalysisError as error:
        told(error)
        assert name in ("constant", "one participant", "one prompt")
    else:
        assert all(np.isfinite(x) or np.isnan(x) for x in numbers(tables))
        assert all(row["item1"] != "sad" for row in tables["correlations"]) or name != "one constant adjective"
    try:
        found = calm(lambda: robust.ratings(data, CONFIG))
    except AnalysisError as error:
        told(error)
        assert name == "one prompt"
    else:
        assert all(r["p"] is not None or r["note"] for r in found["own_word"])


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("constant", lambda d: d.assign(value=3.0)),
        ("one constant adjective", lambda d: d.assign(value=d["value"].where(d["adjective"] != "sad", 2.0))),
        (
            "two the same",
            lambda d: pd.concat([d[d["adjective"] != "sad"], d[d["adjective"] == "happy"].assign(adjective="sad")]),
        ),
        ("few rows", lambda d: d[d["participant"] < 2]),
        ("one row", lambda d: d[(d["participant"] == 0) & (d["trial"] == 0)]),
        ("two adjectives", lambda d: d[d["adjective"].isin(["sad", "happy"])]),
        ("duplicate rows", lambda d: pd.concat([d, d])),
    ],
)
def test_factors(name: str, change: Callable[[pd.DataFrame], pd.DataFrame]) -> None:
    data = change(rated())
    try:
        tables = calm(lambda: factors.analyse(data, "parallel", 0))
    except AnalysisError as error:
        told(error)
    else:
        assert all(np.isfinite(x) for x in numbers(tables["loadings"]))
        assert all(
            abs(x) < 2 for x in numbers([{k: v for k, v in r.items() if k != "item"} for r in tables["loadings"]])
        )


def test_a_heywood_case_is_flagged() -> None:
    """One adjective that is all but another: its uniqueness lies on the bound, and a note says so."""
    rng = np.random.default_rng(0)
    latent = rng.normal(size=300)
    values = {w: latent * 0.4 + rng.normal(size=300) for w in WORDS[:6]}
    values["hot"] = latent + 0.02 * rng.normal(size=300)
    values["cold"] = latent + 0.02 * rng.normal(size=300)
    rows = [(p, 0, "sweet", "finetuned", "c", w, v) for w, x in values.items() for p, v in enumerate(x)]
    data = pd.DataFrame(rows, columns=["participant", "trial", "prompt", "model", "clip", "adjective", "value"])
    tables = factors.analyse(data, 1, 0)
    assert any("hot" in r["note"] or "cold" in r["note"] for r in tables["notes"])
