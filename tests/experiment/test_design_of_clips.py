"""Which clips a session draws: too few of them, tastes and tracks with other numbers, groups, comparisons that share clips."""

from __future__ import annotations

import itertools
from collections import Counter
from dataclasses import replace
from typing import Any

import pytest

from experiment.design import plan
from experiment.errors import ExperimentError
from experiment.tasks.task import Clip
from tests.experiment.test_design import CONDITIONS, SCALES, TASTES, block, clips, compared, even, study


def test_clips_heard_alone_are_of_other_prompts_where_there_are_enough() -> None:
    """Clips of one number were made of one prompt: in the same session the other condition's comes from another."""
    task = {"kind": "identification", "clips": 2}
    pool = clips(4, TASTES[:1])
    numbers = {c.id: c.number for c in pool}
    for row in range(24):
        one, other = (numbers[t.first or 0] for t in block(plan(study(task), pool, row), "identification"))
        assert one != other


def test_groups_hear_and_do_what_is_theirs() -> None:
    config = study(
        compared(3, trials=4),
        {"kind": "ratings", "clips": 4, **SCALES},
        groups=[{"name": "two", "conditions": ["alpha", "beta"]}, {"name": "only", "tasks": ["ratings"]}],
    )
    pool = clips(8, conditions=CONDITIONS)
    known = {c.id: c for c in pool}
    for row in range(20):
        two, only = plan(config, pool, row, "two"), plan(config, pool, row, "only")
        assert {known[c].model for t in two for c in (t.first, t.second) if c} <= {"alpha", "beta"}
        assert {t.block for t in two} == {"demographics", "preference", "ratings"}
        assert {t.block for t in only} == {"demographics", "ratings"}
    assert {known[t.first or 0].model for r in range(9) for t in plan(config, pool, r, "only") if t.first} == {
        *CONDITIONS
    }


def test_too_few_clips_is_said() -> None:
    task = compared(trials=5)
    assert len(plan(study(task), clips(2), 0)) == 6
    with pytest.raises(
        ExperimentError, match=r"1 clips a taste are too few for 5 preference trials without .* make at least 2"
    ):
        plan(study(task), clips(1), 0)
    both = study(task, {"kind": "ratings", "clips": 3, **SCALES})
    with pytest.raises(
        ExperimentError, match=r"2 clips a taste are too few for 5 .* and the ratings .* make at least 3"
    ):
        plan(both, clips(2), 0)
    many = study(task, {"kind": "ratings", "clips": 40, **SCALES})
    with pytest.raises(ExperimentError) as caught:
        plan(many, clips(5), 0)
    told = str(caught.value)
    assert "too few clips of" in told
    assert "of own tracks: more tracks) or ask for fewer (clips of ratings, trials of preference)" in told
    needed = int(told.split("needs ")[1].split()[0])
    with pytest.raises(ExperimentError, match="too few clips of"):
        [plan(many, clips(needed - 1), row) for row in range(16)]
    for row in range(16):
        plan(many, clips(needed), row)
    rated = study({"kind": "ratings", "clips": 3, "conditions": ["delta"], **SCALES})
    with pytest.raises(ExperimentError, match="no clips of delta to rate"):
        plan(rated, clips(5), 0)
    with pytest.raises(ExperimentError, match="no clips of both conditions to compare alpha with beta"):
        plan(study(task), [c for c in clips(5) if c.model == "alpha"], 0)
    lost = [c for c in clips(5) if (c.taste, c.model, c.number) != ("sour", "beta", 1)]
    with pytest.raises(ExperimentError, match="clip 1 of 'sour' is missing from 'beta', with which 'alpha'"):
        plan(study(task), lost, 0)
    # Four tracks beside six generated clips: nothing that is run makes more of them.
    tracks = [c for c in clips(6) if c.model == "alpha" or c.number < 4]
    with pytest.raises(ExperimentError) as caught:
        [plan(study(task), tracks, row) for row in range(16)]
    assert "'beta' has 4 clips of '" in str(caught.value)
    assert "'alpha' has 6" in str(caught.value)
    assert "more tracks, or clips_per_taste = 4" in str(caught.value)
    bare = [replace(c, taste="") if c.model == "beta" else c for c in clips(5)]
    with pytest.raises(ExperimentError, match=r"the tracks of beta have no taste, .* tracks.csv \(file,taste\) beside"):
        plan(study(task), bare, 0)
    with pytest.raises(ExperimentError, match="3 clips a person are asked for and only 2 are there"):
        plan(study({"kind": "ratings", "clips": 3, **SCALES}), clips(1, [""]), 0)


def test_numbers_of_tracks_need_not_follow_each_other() -> None:
    """Tracks that were added later keep their numbers: 3, 7 and 20 are three clips."""
    pool = [Clip(i, "", c, n) for i, (c, n) in enumerate(itertools.product(("alpha", "beta"), (3, 7, 20)))]
    count = Counter(
        (t.first, t.second)
        for row in range(48)
        for t in block(plan(study(compared(trials=2)), pool, row), "preference")
    )
    assert set(count.values()) == {16}
    assert len(count) == 6


def test_tastes_may_have_other_numbers_and_other_counts() -> None:
    """Three clips of one taste, four of the other, numbered apart: each taste's own are equally often there."""
    have = {"sour": (3, 7, 20), "sweet": (0, 1, 2, 4)}
    pool = [
        Clip(i, t, c, n)
        for i, (t, c, n) in enumerate((t, c, n) for t, own in have.items() for c in ("alpha", "beta") for n in own)
    ]
    known = {c.id: c for c in pool}
    for match in ("number", "crossed"):
        count: Counter[Any] = Counter()
        for row in range(48):
            for t in block(plan(study(compared(trials=4, match=match)), pool, row), "preference"):
                count.update((t.taste, known[c].model, known[c].number) for c in (t.first or 0, t.second or 0))
        assert {k: n for k, n in count.items() if k[0] == "sour"} == {
            ("sour", c, n): 32 for c in ("alpha", "beta") for n in have["sour"]
        }
        assert {k: n for k, n in count.items() if k[0] == "sweet"} == {
            ("sweet", c, n): 24 for c in ("alpha", "beta") for n in have["sweet"]
        }


def test_what_a_random_order_keeps_and_what_not() -> None:
    """Each taste once a round all the same, pairs equally often; places are drawn."""
    pool = clips(6)
    rows = [block(plan(study(compared(trials=4, order="random")), pool, r), "preference") for r in range(48)]
    assert all(sorted(str(t.taste) for t in row) == sorted(TASTES) for row in rows)
    assert len({tuple(t.taste for t in row) for row in rows}) > 15
    even(Counter(frozenset((t.first, t.second)) for row in rows for t in row).values(), 24)


def test_music_for_a_prompt_that_was_compared_is_not_rated_under_another_condition() -> None:
    """Clips of one number share their prompt. Of tracks, which stand for no taste, numbers say nothing."""
    tasks = (compared(2, trials=4), {"kind": "ratings", "clips": 4, "conditions": ["gamma"], **SCALES})
    pool = clips(3, conditions=CONDITIONS)
    known = {c.id: c for c in pool}
    for row in range(48):
        trials = plan(study(*tasks), pool, row)
        asked = {(t.taste, known[t.first or 0].number) for t in block(trials, "preference")}
        assert not asked & {(t.taste, known[t.first or 0].number) for t in block(trials, "ratings")}
    tracks = clips(4, [""], CONDITIONS)
    numbers = {c.id: c.number for c in tracks}
    both = [plan(study(*tasks), tracks, row) for row in range(24)]
    assert any(
        {numbers[t.first or 0] for t in block(trials, "preference")}
        & {numbers[t.first or 0] for t in block(trials, "ratings")}
        for trials in both
    )


def test_two_comparisons_share_the_clips_of_a_session() -> None:
    """What one of them took, the other takes not; of what is left, what was heard least often."""
    pairs = [["alpha", "beta"]]
    tasks = [{"kind": "preference", "name": name, "pairs": pairs, "trials": 4} for name in ("one", "two")]
    pool = clips(5)
    count: Counter[Any] = Counter()
    for row in range(50):
        trials = [t for t in plan(study(*tasks), pool, row) if t.first]
        assert len({c for t in trials for c in (t.first, t.second)}) == 16
        count.update((t.block, frozenset((t.first, t.second))) for t in trials)
    for name in ("one", "two"):
        own = [n for (task, _), n in count.items() if task == name]
        assert len(own) == 20
        assert sum(own) == 200
        assert max(own) - min(own) <= 2
    with pytest.raises(ExperimentError, match="no unheard pair of"):
        plan(study(*tasks), clips(1), 0)
