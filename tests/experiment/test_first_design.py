"""The design of version 0.1, which studies that began under it keep: counted over the rows of the design by what a person would meet, not by how the plan is made."""

from __future__ import annotations

import itertools
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment.config import ExperimentConfig
from experiment.data.allotment import free_row
from experiment.design import period, plan
from experiment.errors import ExperimentError
from experiment.tasks.task import Clip, PlannedTrial
from tastelab.study import load_study
from tests.conftest import ROOT

TASTES = ("bitter", "salty", "sour", "sweet")
ADJECTIVES = {
    "salty", "sweet", "bitter", "sour", "happy", "sad", "anger", "disgust", "fear", "surprise", "hot", "cold",
}  # fmt: skip


@pytest.fixture
def config() -> ExperimentConfig:
    return changed(load_study(ROOT / "study.toml").experiment)


def clips(n: int = 5) -> list[Clip]:
    out = []
    for taste in TASTES:
        for model in ("base", "finetuned"):
            out += [Clip(len(out) + k, taste, model, k) for k in range(n)]
    return out


def block(trials: list[PlannedTrial], name: str) -> list[PlannedTrial]:
    return [t for t in trials if t.block == name]


def changed(config: ExperimentConfig, **tables: Any) -> ExperimentConfig:
    """The design with some values changed, ``preference={"order": "random"}``."""
    values = config.model_dump() | {"design": "0.1"}
    for name, value in tables.items():
        values[name] = {**values[name], **value} if isinstance(values[name], dict) and value else value
    return ExperimentConfig.model_validate(values)


@given(st.integers(0, 5000), st.integers(3, 25))
@settings(max_examples=80)
def test_no_clip_is_heard_twice_and_pairs_are_pairs(config_row: int, n: int) -> None:
    config = changed(load_study(ROOT / "study.toml").experiment)
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
            assert t.items == ("preference",)
    # Nor is what is rated the other model's clip of a pair that was heard.
    compared = {(known[t.first or 0].taste, known[t.first or 0].number) for t in block(trials, "preference")}
    rated = block(trials, "ratings")
    assert len({t.taste for t in rated}) == 3
    for t in rated:
        clip = known[t.first or 0]
        assert clip.model == "finetuned"
        assert clip.taste == t.taste
        assert (clip.taste, clip.number) not in compared
        assert t.second is None
        assert set(t.items) == ADJECTIVES
        assert len(t.items) == 12


def test_questions_about_the_person_come_first_then_both_tasks(config: ExperimentConfig) -> None:
    trials = plan(config, clips(), 3)
    assert [t.block for t in trials] == ["demographics", *["preference"] * 5, *["ratings"] * 3]
    assert trials[0] == PlannedTrial(
        "demographics", None, None, None,
        ("sex", "age", "hearing_experience", "eating_experience", "ethnicity", "hearing_impairments",
         "taste_impairments", "device"),
    )  # fmt: skip
    felt = plan(changed(config, affect=["arousal", "valence"]), clips(), 3)
    assert [t.block for t in felt][6:] == ["ratings", "affect"] * 3
    assert all(t.items == ("arousal", "valence") and t.second is None for t in block(felt, "affect"))
    assert [t.first for t in block(felt, "affect")] == [t.first for t in block(felt, "ratings")]
    assert [t.taste for t in block(felt, "affect")] == [t.taste for t in block(felt, "ratings")]


def test_tastes_places_sides_and_clips_are_balanced_over_80_rows(config: ExperimentConfig) -> None:
    """Five trials of four tastes with five clips each: 80 rows are the least in which all can come out even."""
    known = {c.id: c for c in clips()}
    place: Counter[tuple[str | None, int]] = Counter()
    first: Counter[tuple[str | None, str]] = Counter()
    number: Counter[tuple[str | None, int]] = Counter()
    doubled: Counter[tuple[int, ...]] = Counter()
    for row in range(80):
        trials = block(plan(config, clips(), row), "preference")
        names = [t.taste for t in trials]
        for i, t in enumerate(trials):
            place[t.taste, i] += 1
            first[t.taste, known[t.first or 0].model] += 1
            number[t.taste, known[t.first or 0].number] += 1
        doubled[tuple(i for i, name in enumerate(names) if names.count(name) == 2)] += 1
        # No session in which one model is always first.
        assert sum(known[t.first or 0].model == "base" for t in trials) in (2, 3)
    assert set(place.values()) == {20}
    assert len(place) == 20
    assert set(first.values()) == {50}
    assert len(first) == 8
    assert set(number.values()) == {20}
    assert len(number) == 20
    # The taste that comes twice stands in every two places equally often, neighbours or not.
    assert len(doubled) == 10
    assert set(doubled.values()) == {8}


def test_a_taste_changes_sides_from_row_to_row(config: ExperimentConfig) -> None:
    known = {c.id: c for c in clips()}
    four = changed(config, preference={"trials": 4})
    sides = [
        {t.taste: known[t.first or 0].model for t in block(plan(four, clips(), row), "preference")} for row in range(17)
    ]
    for before, after in itertools.pairwise(sides):
        assert all(before[taste] != after[taste] for taste in TASTES)
        assert sorted(before.values()) == ["base", "base", "finetuned", "finetuned"]


def test_rows_differ_and_repeat_after_the_period(config: ExperimentConfig) -> None:
    """In tastes, places and sides 16 rows are a period; in clips and order of the adjectives no two rows are alike."""
    known = {c.id: c for c in clips()}
    four = changed(config, preference={"trials": 4})

    def shape(row: int) -> list[tuple[str | None, str]]:
        return [(t.taste, known[t.first or 0].model) for t in block(plan(four, clips(), row), "preference")]

    assert period(four, clips()) == 16
    assert period(config, clips()) == 16
    assert [shape(r) for r in range(16)] == [shape(r + 16) for r in range(16)]
    assert len({str(shape(r)) for r in range(4)}) == 4
    assert len({str(plan(config, clips(), r)) for r in range(200)}) == 200
    assert plan(config, clips(), 7) == plan(config, clips(), 7)


def test_other_seeds_give_other_orders(config: ExperimentConfig) -> None:
    other = changed(config, seed=112)
    a, b = (block(plan(c, clips(), 0), "ratings") for c in (config, other))
    assert [t.items for t in a] != [t.items for t in b]
    assert [t.items for t in block(plan(config, clips(), 1), "ratings")] != [t.items for t in a]


def test_adjectives_and_rated_clips_come_in_shuffled_order(config: ExperimentConfig) -> None:
    """Over 400 rows (1,200 clips) every adjective is in every place about a hundred times, a taste about 100 of 400."""
    place: Counter[tuple[str, int]] = Counter()
    taste: Counter[tuple[str | None, int]] = Counter()
    orders = set()
    for row in range(400):
        rated = block(plan(config, clips(), row), "ratings")
        orders.add(tuple(t.taste for t in rated))
        assert len({t.items for t in rated}) == 3  # anew for each clip
        for i, t in enumerate(rated):
            taste[t.taste, i] += 1
            place.update((item, k) for k, item in enumerate(t.items))
    assert len(place) == 144
    assert all(60 < n < 145 for n in place.values())
    assert len(taste) == 12
    assert len(orders) == 24  # all orders of three of four tastes, not the rows' own four
    assert all(70 < n < 130 for n in taste.values())
    assert Counter(t for t, _ in taste.elements()) == dict.fromkeys(TASTES, 300)


def test_every_clip_is_rated_by_somebody(config: ExperimentConfig) -> None:
    heard = Counter(t.first for row in range(80) for t in block(plan(config, clips(), row), "ratings"))
    assert set(heard) == {c.id for c in clips() if c.model == "finetuned"}


def test_a_random_order_has_each_taste_once_a_round(config: ExperimentConfig) -> None:
    shuffled = changed(config, preference={"order": "random"})
    rows = [tuple(t.taste for t in block(plan(shuffled, clips(), r), "preference")) for r in range(80)]
    assert all(set(Counter(r).values()) == {1, 2} for r in rows)
    assert len(set(rows)) > 60
    latin = [tuple(t.taste for t in block(plan(config, clips(), r), "preference")) for r in range(80)]
    assert rows != latin


def test_sides_clips_and_tastes_with_one_task_alone(config: ExperimentConfig) -> None:
    """Comparisons without ratings need no clip to spare; ratings without comparisons rotate through all clips."""
    alone = changed(config, ratings=None)
    assert [t.block for t in plan(alone, clips(2), 0)] == ["demographics", *["preference"] * 5]
    with pytest.raises(ExperimentError, match="make at least 2"):
        plan(alone, clips(1), 0)
    rated = changed(config, preference=None)
    assert period(rated, clips()) == 20 // 3
    counts = Counter(t.first for row in range(20) for t in block(plan(rated, clips(), row), "ratings"))
    assert set(counts.values()) == {3}
    assert set(counts) == {c.id for c in clips() if c.model == "finetuned"}
    both = changed(config, preference=None, ratings={"models": ["base", "finetuned"]})
    assert period(both, clips()) == 40 // 3
    assert {c.model for c in clips() for t in plan(both, clips(), 0) if t.first == c.id} <= {"base", "finetuned"}


def test_replicate_draws_as_the_paper_did(config: ExperimentConfig) -> None:
    """25 clips a taste: tastes at random with repetition, sides too; the clips of task 2 have the tastes of trials 1, 3, 4.

    What is rated is the fine-tuned clip of another number than the one compared.
    """
    replicate = changed(config, preference={"replicate": True})
    pool = clips(25)
    known = {c.id: c for c in pool}
    tastes, sides, starts, steps = Counter(), Counter(), Counter(), Counter()
    repeated = 0
    for row in range(200):
        trials = plan(replicate, pool, row)
        asked, rated = block(trials, "preference"), block(trials, "ratings")
        assert [t.taste for t in rated] == [asked[i].taste for i in (0, 2, 3)]
        numbers = [known[t.first or 0].number for t in asked]
        assert numbers == [(numbers[0] + k) % 25 for k in range(5)]
        starts[numbers[0]] += 1
        for t in asked:
            first, second = known[t.first or 0], known[t.second or 0]
            assert (first.taste, first.number) == (second.taste, second.number)
            assert t.taste == first.taste
            tastes[t.taste] += 1
            sides[first.model] += 1
        gaps = {(known[r.first or 0].number - numbers[i]) % 25 for r, i in zip(rated, (0, 2, 3), strict=True)}
        assert len(gaps) == 1
        steps[gaps.pop()] += 1
        assert {known[r.first or 0].model for r in rated} == {"finetuned"}
        repeated += max(Counter(t.taste for t in asked).values()) >= 3
    # 1,000 draws: means 250 and 500, standard deviations 14 and 16.
    assert all(190 < n < 310 for n in tastes.values())
    assert len(tastes) == 4
    assert all(430 < n < 570 for n in sides.values())
    assert len(starts) == 25
    assert set(steps) == {1, 2}
    assert min(steps.values()) > 70
    # Of five draws from four, three or more are alike in 106 of 256 (counted: 4 * (90 + 15 + 1) / 1024).
    assert 55 < repeated < 110
    assert period(replicate, pool) == 1
    assert len({str(plan(replicate, pool, r)) for r in range(200)}) == 200


def test_too_few_clips_is_said(config: ExperimentConfig) -> None:
    with pytest.raises(ExperimentError, match=r"2 clips a taste are too few for 5 .* make at least 3"):
        plan(config, clips(2), 0)
    assert len(plan(config, clips(3), 0)) == 9
    many = changed(config, preference={"trials": 8})
    with pytest.raises(ExperimentError, match="make at least 3"):
        plan(many, clips(2), 0)
    assert Counter(t.taste for t in block(plan(many, clips(3), 0), "preference")) == dict.fromkeys(TASTES, 2)
    with pytest.raises(ExperimentError, match="no clips of finetuned to rate"):
        plan(changed(config, preference=None), [c for c in clips() if c.model == "base"], 0)
    lost = [c for c in clips() if (c.taste, c.model, c.number) != ("sour", "finetuned", 1)]
    asked = [
        r for r in range(20) if any(t.taste == "sour" for t in plan(config, clips(), r) if t.block == "preference")
    ]
    with pytest.raises(ExperimentError, match="clip 1 of 'sour' is missing from 'finetuned', with which 'base'"):
        [plan(config, lost, row) for row in asked]
    with pytest.raises(
        ExperimentError, match=r"too few clips of .* or ask for fewer \(clips of ratings, trials of preference\)"
    ):
        plan(changed(config, ratings={"clips": 20}), clips(), 0)
    one_taste = [Clip(i, "", "given", i) for i in range(2)]
    with pytest.raises(ExperimentError, match="3 clips a person are asked for and only 2 are there"):
        plan(changed(config, preference=None, ratings={"models": ["given"]}), one_taste, 0)


def test_given_tracks_are_rated_equally_often() -> None:
    """20 tracks, 10 a person: each pair of rows shares one order of all of them, and the next has another."""
    config = changed(load_study(ROOT / "studies" / "five-tastes.toml").experiment)
    tracks = [Clip(i, "", "given", i) for i in range(20)]
    counts: Counter[int | None] = Counter()
    orders = []
    for row in range(10):
        rated = [t.first for t in plan(config, tracks, row) if t.block == "ratings"]
        assert len(set(rated)) == 10
        counts.update(rated)
        orders.append(rated)
        if row % 2:
            assert set(rated) | set(orders[row - 1]) == set(range(20))
    assert set(counts.values()) == {5}
    assert len({tuple(sorted(o, key=str)) for o in orders}) == 10
    assert period(config, tracks) == 2
    assert period(config, tracks[:5]) == 1


def test_a_dropout_gives_its_row_back_and_cells_fill_evenly() -> None:
    """Rows are given out as a receptionist would: an even count in every cell, the lowest free row of the emptiest."""
    taken: list[int] = []
    for n in range(48):
        taken.append(free_row(taken, 16))
        cells = Counter(r % 16 for r in taken)
        assert max(cells.values()) - min(cells.get(c, 0) for c in range(16)) <= 1
        assert len(taken) == len(set(taken)) == n + 1
    assert sorted(taken) == list(range(48))
    assert free_row([], 4) == 0
    assert free_row([0, 1, 3], 4) == 2
    assert free_row([0, 1, 2, 3, 5], 4) == 4
    assert free_row([4, 1, 2, 3], 4) == 0  # cell 0 is as full as the others: its lowest row
    assert free_row([0, 4, 1], 3) == 2  # cell 1 has two (1, 4), 0 has one, 2 none
    assert free_row([3], 3) == 1  # 0 is lower, but its cell is taken already
    assert free_row([0, 1, 2], 1) == 3
    assert free_row([1, 2], 1) == 0
