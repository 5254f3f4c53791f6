"""Pairs of clips that are alike."""

from __future__ import annotations

import numpy as np

from benchmarks.taste import matched


def test_the_nearest_are_pairs_each_row_once_and_none_beyond_half_a_deviation() -> None:
    own = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0], [5.0, 9.0]])
    theirs = np.array([[0.9, 0.0], [0.1, 0.0], [5.0, 0.0]])
    # Deviations of all seven: 3.6 and 3.1; a row twice as near to one as to the other takes the nearer.
    assert sorted(matched(own, theirs)) == [(0, 1), (1, 0)]
    assert matched(own[3:], theirs[2:]) == []  # alike in one column alone
    assert matched(np.ones((2, 2)), np.ones((3, 2))) == [(0, 0), (1, 1)]
