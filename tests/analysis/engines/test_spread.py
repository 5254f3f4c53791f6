"""Variances by group against lme4 and nlme."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.engines import spread
from analysis.engines.reml import Design
from analysis.engines.spread import of_factor, of_residual
from benchmarks.mixed import study

D = study(np.random.default_rng([5, 5]), people=111)
TASTE = D.taste.to_numpy(str)
Y = D.y.to_numpy() * np.where(TASTE == "sweet", 1.6, 1.0)
X = np.column_stack([t == TASTE for t in sorted(set(TASTE))]).astype(float)
FACTORS = {"people": D.participant.to_numpy(), "pair": D["first"].to_numpy()}


def test_clips_by_taste_are_lme4s() -> None:
    """m0 <- lmer(y ~ 0 + taste + (1 | participant) + (1 | first)); m1 with (0 + dummy(taste, "bitter") | first) and so on, four times;
    bobyqa, rhoend = 1e-10: REMLcrit 2591.035194 and 2576.706962."""
    found = of_factor(Y, X, FACTORS, "pair", TASTE)
    assert found is not None
    assert found.groups == ("bitter", "salty", "sour", "sweet")
    assert found.each == pytest.approx((0.12599616, 0.74635564, 0.0, 2.3343519), abs=2e-6)
    assert found.common == pytest.approx(1.2438654, rel=1e-6)
    assert found.chi_squared == pytest.approx(14.32823221, abs=1e-6)
    assert (found.df, found.p) == (3, pytest.approx(0.0024907684, rel=1e-6))


def test_residuals_by_taste_are_nlmes() -> None:
    """n0 <- lme(y ~ 0 + taste, random = list(one = pdBlocked(list(pdIdent(~participant - 1), pdIdent(~first - 1)))));
    n1 <- update(n0, weights = varIdent(form = ~1 | taste)): -2 logLik 2591.035194 and 2557.751729."""
    found = of_residual(Y, X, FACTORS, TASTE)
    assert found is not None
    assert found.chi_squared == pytest.approx(2591.035194 - 2557.751729, abs=2e-5)
    assert found.each[1:] == pytest.approx((2.0078115, 2.1487718, 3.1007647), rel=1e-4)
    assert found.each[0] == pytest.approx(2.0539481, rel=1e-4)
    assert found.df == 3
    assert found.p < 1e-6


def test_what_a_group_cannot_tell_is_not_tested() -> None:
    alone = np.where(TASTE == "sweet", "sweet-0", FACTORS["pair"])  # one clip of sweet
    assert of_factor(Y, X, FACTORS | {"pair": alone}, "pair", TASTE) is None
    few = np.where(np.arange(len(Y)) < 3, "a", "b")
    assert of_residual(Y, X, FACTORS, few) is None
    assert of_residual(Y, X, FACTORS, np.full(len(Y), "a")) is None


def test_residuals_that_can_be_fitted_to_the_point_are_not_compared() -> None:
    """Five people, hardly more answers than clips: the residual of a taste goes to nothing, and no number of it is told."""
    from analysis.config import AnalysisConfig
    from analysis.preference.robust import preference
    from benchmarks.grid import made, unsaid

    found = preference(made(5, 13, 2).preference, 5.0, AnalysisConfig(resamples=100))
    assert unsaid({"variances": found["variances"]}) == []
    assert all(np.isfinite([r["sd"], r["p"], r["chi_squared"]]).all() for r in found["variances"])


SAID = {
    "all agree about it": lambda person, track, of_person, of_track: np.full(len(person), 7),
    "each says one thing of it": lambda person, track, of_person, of_track: of_person[person],
    "each track is one thing to all": lambda person, track, of_person, of_track: of_track[track],
    "sums of the two": lambda person, track, of_person, of_track: of_person[person] + of_track[track],
}


@pytest.mark.parametrize("said", SAID)
@pytest.mark.parametrize(("people", "tracks"), [(12, 3), (6, 2), (12, 6)])
def test_answers_without_a_residual_are_not_compared(said: str, people: int, tracks: int) -> None:
    """The likelihood of a taste's own variance has no end there: the search died of it, or stopped somewhere with p = 1e-245."""
    for seed in range(5):
        rng = np.random.default_rng([seed, people, tracks])
        person, track = np.repeat(np.arange(people), tracks), np.tile(np.arange(tracks), people)
        told = SAID[said](person, track, rng.integers(1, 8, people), rng.integers(0, 3, tracks))
        y = np.concatenate([rng.integers(3, 8, len(told)), told]).astype(float)
        taste = np.repeat(["bitter", "sweet"], len(told))
        x = np.column_stack([taste == t for t in ("bitter", "sweet")]).astype(float)
        factors = {"people": np.tile(person, 2), "pair": np.concatenate([track, track + tracks])}
        assert of_residual(y, x, factors, taste) is None


def test_clips_that_are_the_only_thing_that_varies_are_compared_too() -> None:
    """Nobody answers twice: m0 <- lmer(y ~ 0 + taste + (1 | first)), m1 with a variance a taste; as above."""
    found = of_factor(Y, X, {"pair": FACTORS["pair"]}, "pair", TASTE)
    assert found is not None
    assert found.groups == ("bitter", "salty", "sour", "sweet")
    assert found.each == pytest.approx((0.10648168, 0.76634262, 0.0, 2.2815012), abs=2e-6)
    assert found.common == pytest.approx(1.2196446, rel=1e-6)
    assert found.chi_squared == pytest.approx(2593.6270994 - 2579.5913766, abs=1e-6)


@given(st.integers(0, 10_000), st.lists(st.floats(0.2, 5.0), min_size=2, max_size=3))
def test_rows_of_any_weight_are_the_weighted_columns_written_out(seed: int, weights: list[float]) -> None:
    """People are eliminated, whatever their rows weigh: criterion, slopes and effects of the design with every column there."""
    rng = np.random.default_rng(seed)
    people, clips = rng.integers(6, size=40), rng.integers(4, size=40)
    people[:6], clips[:4] = range(6), range(4)
    x, y = np.column_stack([np.ones(40), rng.normal(size=40)]), rng.normal(size=(40, 2))
    w = np.array(weights)[rng.integers(len(weights), size=40)]
    short = Design(x, [people, clips], w)
    columns = [np.eye(6)[people] * w[:, None], np.eye(4)[clips] * w[:, None]]
    long = Design(x * w[:, None], columns)
    assert short.r < long.r
    gamma = rng.uniform(0.01, 3, size=(2, 2))
    one, other = (d.slopes(gamma, d.answers(y * w[:, None])) for d in (short, long))
    for name in ("value", "gradient", "hessian"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-6, atol=1e-6)
    for a, b in zip(
        short.effects(gamma, short.answers(y * w[:, None])),
        long.effects(gamma, long.answers(y * w[:, None])),
        strict=True,
    ):
        np.testing.assert_allclose(a, b, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(short.weight, [(c**2).sum() / c.shape[1] for c in columns])


def test_residuals_of_thousands_of_people_are_compared_without_a_column_for_each(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It took two minutes for a thousand people, and grew with the cube of their number."""
    rng, wide = np.random.default_rng(3), []

    class Watched(Design):
        def __init__(self, *more: Any) -> None:
            super().__init__(*more)
            wide.append(self.r)

    monkeypatch.setattr(spread, "Design", Watched)
    people, clips, group = np.repeat(np.arange(1000), 4), rng.integers(5, size=4000), np.tile([0, 0, 1, 1], 1000)
    y = rng.normal(size=1000)[people] + rng.normal(size=5)[clips] + np.where(group, 2.0, 1.0) * rng.normal(size=4000)
    found = spread.of_residual(y, np.ones((4000, 1)), {"people": people, "clips": clips}, group)
    assert found is not None
    assert found.each == pytest.approx((1.0, 2.0), rel=0.08)
    assert max(wide) == 6
