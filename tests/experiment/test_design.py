from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment.config import ExperimentConfig
from experiment.design import Clip, plan
from experiment.errors import ExperimentError

TASTES = ("bitter", "salty", "sour", "sweet")


def clips(n: int = 5) -> list[Clip]:
    out = []
    for taste in TASTES:
        for model in ("base", "finetuned"):
            out += [Clip(len(out) + k, taste, model, k) for k in range(n)]
    return out


@given(st.integers(0, 5000), st.integers(3, 25))
@settings(max_examples=80, deadline=None)
def test_no_clip_is_heard_twice_and_pairs_are_pairs(config_row: int, n: int) -> None:
    from tastelab.study import load_study
    from tests.conftest import ROOT

    config = load_study(ROOT / "study.toml").experiment
    known = {c.id: c for c in clips(n)}
    trials = plan(config, clips(n), config_row)
    heard = [c for t in trials for c in (t.first, t.second) if c is not None]
    assert len(heard) == len(set(heard)) == 2 * 5 + 3
    for t in trials:
        if t.block == "preference":
            first, second = known[t.first or 0], known[t.second or 0]
            assert (first.taste, first.number) == (second.taste, second.number)
            assert first.taste == t.taste
            assert {first.model, second.model} == {"base", "finetuned"}
    rated = [t for t in trials if t.block == "ratings"]
    assert len({t.taste for t in rated}) == 3
    assert all(known[t.first or 0].model == "finetuned" for t in rated)


def test_sides_and_tastes_are_balanced_over_rows(config: ExperimentConfig) -> None:
    known = {c.id: c for c in clips()}
    first, tastes = Counter(), Counter()
    for row in range(80):
        for t in plan(config, clips(), row):
            if t.block == "preference":
                first[t.taste, known[t.first or 0].model] += 1
                tastes[t.taste] += 1
    assert set(tastes.values()) == {100}
    assert all(abs(first[t, "base"] - first[t, "finetuned"]) <= 4 for t in TASTES)


def test_replicate_draws_tastes_at_random(config: ExperimentConfig) -> None:
    assert config.preference is not None
    replicate = config.model_copy(update={"preference": config.preference.model_copy(update={"replicate": True})})
    counts = [Counter(t.taste for t in plan(replicate, clips(25), row) if t.block == "preference") for row in range(60)]
    assert any(max(c.values()) >= 3 for c in counts)  # a cyclic order never gives a taste three times
    rated = [t.taste for t in plan(replicate, clips(25), 0) if t.block == "ratings"]
    asked = [t.taste for t in plan(replicate, clips(25), 0) if t.block == "preference"]
    assert rated == [asked[0], asked[2], asked[3]]


def test_too_few_clips_is_said(config: ExperimentConfig) -> None:
    with pytest.raises(ExperimentError, match="too few"):
        plan(config, clips(2), 0)


def test_given_tracks_are_rated_equally_often() -> None:
    from tastelab.study import load_study
    from tests.conftest import ROOT

    config = load_study(ROOT / "studies" / "five-tastes.toml").experiment
    tracks = [Clip(i, "", "given", i) for i in range(20)]
    counts: Counter[int | None] = Counter()
    for row in range(10):
        rated = [t.first for t in plan(config, tracks, row) if t.block == "ratings"]
        assert len(set(rated)) == 10
        counts.update(rated)
    assert set(counts.values()) == {5}
