"""The arithmetic of the design, counted row by row; bounds are worked out from how much there is of what."""

from __future__ import annotations

import itertools
import math
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from experiment.balance import Rotation, Sides, orders, walk, zigzag


def test_williams_square_of_four() -> None:
    """Williams (1949): 0 1 3 2 and its turns; every condition stands once in every place and follows every other once."""
    assert zigzag(4) == [0, 1, 3, 2]
    assert zigzag(5) == [0, 1, 4, 2, 3]
    rows = [[p.taste for p in Rotation(4, 4).row(r)] for r in range(4)]
    assert rows == [[0, 1, 3, 2], [1, 2, 0, 3], [2, 3, 1, 0], [3, 0, 2, 1]]
    followed = Counter(pair for row in rows for pair in itertools.pairwise(row))
    assert set(followed.values()) == {1}
    assert len(followed) == 12


@pytest.mark.parametrize("n", [2, 4, 6, 8, 10, 12])
def test_steps_of_an_even_zigzag_are_all_different(n: int) -> None:
    steps = [(b - a) % n for a, b in itertools.pairwise(zigzag(n))]
    assert sorted(steps) == list(range(1, n))


@given(tastes=st.integers(2, 7), places=st.integers(1, 30))
@settings(max_examples=60)
def test_no_taste_follows_itself_and_rounds_are_whole(tastes: int, places: int) -> None:
    walked = walk(tastes, places)
    assert len(walked) == places
    assert all(a != b for a, b in itertools.pairwise(walked))
    for start in range(0, places - tastes + 1, tastes):
        assert sorted(walked[start : start + tastes]) == list(range(tastes))


def test_rounds_are_led_into_by_every_step_in_turn() -> None:
    """Five rounds of four: one, two, three, one further than the taste before."""
    walked = walk(4, 20)
    assert [(walked[4 * k] - walked[4 * k - 1]) % 4 for k in range(1, 5)] == [1, 2, 3, 1]
    assert walk(1, 3) == [0, 0, 0]
    assert walk(2, 5) == [0, 1, 0, 1, 0]


@pytest.mark.parametrize(
    ("tastes", "places", "blocks"),
    # Blocks after which every taste has followed every other equally often: 3! = 6 ways to name 4 tastes that are no turn
    # of each other; 3 where the step over is one half (2 of 4), or both ways round; 2 for 3 tastes (mirrored squares).
    [(2, 5, 1), (3, 3, 2), (3, 7, 2), (4, 4, 1), (4, 5, 6), (4, 8, 6), (4, 6, 6), (4, 12, 6), (5, 5, 24), (3, 2, 2)],
)  # fmt: skip
def test_every_taste_follows_every_other_equally_often(tastes: int, places: int, blocks: int) -> None:
    rotation = Rotation(tastes, places)
    for turns in (1, 2):
        rows = [[p.taste for p in rotation.row(r)] for r in range(tastes * blocks * turns)]
        followed = Counter(pair for row in rows for pair in itertools.pairwise(row))
        assert len(followed) == tastes * (tastes - 1)
        assert len(set(followed.values())) == 1
        for at in range(places):
            assert set(Counter(row[at] for row in rows).values()) == {blocks * turns}


def test_names_of_tastes_come_in_all_ways_once() -> None:
    names = orders(4, [0, 1, 3, 2, 3])
    assert names[0] == (0, 1, 2, 3)
    assert sorted(names) == [(0, *p) for p in itertools.permutations((1, 2, 3))]
    assert len(orders(1, [0, 0])) == 1
    assert len(orders(7, zigzag(7))) == 720
    # Of more than seven tastes only the steps that lead through all of them are taken as names.
    assert orders(8, zigzag(8))[1:] == ((0, 3, 6, 1, 4, 7, 2, 5), (0, 5, 2, 7, 4, 1, 6, 3), (0, 7, 6, 5, 4, 3, 2, 1))


@pytest.mark.parametrize("walked", [[0, 1, 3, 2, 3], [0, 1], [0, 1, 3, 2, 3, 0]])
def test_the_next_names_are_those_that_even_out_most(walked: list[int]) -> None:
    """Of all ways that are left none would leave the counts of who follows whom more even."""
    names = list(orders(4, walked))
    followed: Counter[tuple[int, int]] = Counter()

    def unevenness(way: tuple[int, ...]) -> int:
        after = Counter(followed)
        for turn in range(4):
            row = [way[(x + turn) % 4] for x in walked]
            after.update(itertools.pairwise(row))
        return sum(n * n for n in after.values())

    while names:
        assert unevenness(names[0]) == min(map(unevenness, names))
        for turn in range(4):
            followed.update(itertools.pairwise([names[0][(x + turn) % 4] for x in walked]))
        names.pop(0)
    assert len(set(followed.values())) == 1


@given(
    tastes=st.integers(1, 4),
    kinds=st.integers(1, 4),
    clips=st.integers(2, 30),
    places=st.integers(1, 16),
    blocks=st.integers(1, 24),
)
@settings(max_examples=150)
def test_clips_kinds_and_places_at_the_end_of_any_block(
    tastes: int, kinds: int, clips: int, places: int, blocks: int
) -> None:
    """In a place, clips of a taste and kind come within one of each other, and a row has no number of a taste twice."""
    rotation = Rotation(tastes, places, kinds)
    fits = math.ceil(places / tastes) <= clips
    at: Counter[tuple[int, int, int, int]] = Counter()
    kind: Counter[tuple[int, int, int]] = Counter()
    for row in range(tastes * blocks):
        numbers = []
        for p, place in enumerate(rotation.row(row)):
            number = rotation.clip(place, clips)
            numbers.append((place.taste, number))
            at[place.taste, place.kind, number, p] += 1
            kind[place.taste, place.kind, p] += 1
        assert not fits or len(set(numbers)) == places
    for p, taste in itertools.product(range(places), range(tastes)):
        own = [kind[taste, k, p] for k in range(kinds)]
        assert sum(own) == blocks
        assert max(own) - min(own) <= 1
        cells = [at[taste, k, c, p] for k in range(kinds) for c in range(clips)]
        assert max(cells) - min(cells) <= 1


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 2)), max_size=8), max_size=6),
)
def test_a_pair_changes_sides_each_time_it_comes(calls: list[list[tuple[int, int]]]) -> None:
    """Whatever is asked in whatever portions, the sides of a pair differ by one at most, at any time."""
    sides = Sides()
    more: Counter[int] = Counter()
    for call in calls:
        for (pair, _), ahead in zip(call, sides.choose([(pair, [part]) for pair, part in call]), strict=True):
            more[pair] += 1 if ahead else -1
            assert abs(more[pair]) <= 1


def test_free_sides_even_out_what_the_pairs_are_part_of() -> None:
    """Eight pairs that are new: four of them ahead, not all of them in one half; those that came before come on their other side."""
    sides = Sides()
    first = sides.choose([(k, ["all", k // 4]) for k in range(8)])
    assert sum(first) == 4
    assert 1 <= sum(first[:4]) <= 3
    again = sides.choose([(k, ["all", k // 4]) for k in range(8)])
    assert again == [not side for side in first]
    # Two kinds of three pairs each: no half of three, so that one has two ahead and the other one.
    three = Sides().choose([(k, ["all", k // 3]) for k in range(6)])
    assert sum(three) == 3
    assert {sum(three[:3]), sum(three[3:])} == {1, 2}
