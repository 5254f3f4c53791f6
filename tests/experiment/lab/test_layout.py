"""Where things stand, by arithmetic: apart, inside, in order, and where they want to be if they can."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from experiment.lab.layout import FIRST_FLOOR, FLOOR, SCALES, Block, Sheet, across, sized, stacked, within

blocks = st.lists(st.tuples(st.floats(0.01, 0.5), st.floats(-0.6, 0.6)), min_size=1, max_size=7)


@given(blocks)
def test_blocks_stand_apart_and_inside_in_their_order(found: list[tuple[float, float]]) -> None:
    """Or it is said that there is no room, where their heights and the gaps are more than there is."""
    heights = [h for h, _ in found]
    middles = stacked([Block(h, wish) for h, wish in found], 0.4, -0.45, 0.02)
    if sum(heights) + 0.02 * (len(heights) - 1) > 0.85 + 1e-6:
        assert middles is None
    if middles is None:
        assert sum(heights) + 0.02 * (len(heights) - 1) > 0.85
        return
    edges = [(y + h / 2, y - h / 2) for y, h in zip(middles, heights, strict=True)]
    assert edges[0][0] <= 0.4 + 1e-6
    assert edges[-1][1] >= -0.45 - 1e-6
    for (_, lower), (upper, _) in itertools.pairwise(edges):
        assert lower - upper >= 0.02 - 1e-6


@given(blocks)
def test_who_stands_as_wanted_is_left_there(found: list[tuple[float, float]]) -> None:
    middles = stacked([Block(h, wish) for h, wish in found])
    if middles is not None:
        again = stacked([Block(h, y) for (h, _), y in zip(found, middles, strict=True)])
        assert again == pytest.approx(middles, abs=1e-9)


def test_one_gives_way_to_the_other() -> None:
    """The upper one stands as wanted, the lower one as far below as it has to; at the bottom it is the other way round."""
    assert stacked([Block(0.2, 0.1), Block(0.2, 0.0)], 0.5, -0.5, 0.1) == pytest.approx([0.1, -0.2])
    assert stacked([Block(0.2, -0.3), Block(0.2, -0.4)], 0.5, -0.5, 0.1) == pytest.approx([-0.1, -0.4])
    assert stacked([Block(0.2, 0.9)], 0.5, -0.5) == pytest.approx([0.4])
    assert stacked([Block(0.5, 0), Block(0.5, 0)], 0.5, -0.5, 0.0) == pytest.approx([0.25, -0.25])
    assert stacked([Block(0.5, 0), Block(0.5, 0)], 0.5, -0.5, 0.01) is None


def test_a_sheet_is_as_wide_as_the_screen_but_not_wider_than_16_to_10() -> None:
    for width, height, half in (
        (1024, 768, 0.6467), (1280, 1024, 0.605), (1280, 800, 0.78), (1920, 1080, 0.78), (3840, 1080, 0.78),
    ):  # fmt: skip
        assert Sheet.of(width, height).half == pytest.approx(half, abs=1e-4)
        assert Sheet.of(width, height).room == pytest.approx(2 * half, abs=2e-4)


def test_letters_shrink_to_their_floor_and_under_it_last_of_all() -> None:
    assert [sized(0.04, k, 0.025) for k in (1.0, 0.8, 0.5)] == pytest.approx([0.04, 0.032, 0.025])
    assert [sized(0.04, k, 0.025) for k in (0.48, 0.2)] == pytest.approx([0.024, 0.01])
    assert [sized(0.02, k, 0.025) for k in (1.0, 0.5, 0.25)] == pytest.approx([0.02, 0.02, 0.01])


def test_a_row_stands_in_the_middle() -> None:
    assert across([0.2, 0.2], 0.1) == pytest.approx([-0.15, 0.15])
    assert across([0.1, 0.3], 0.0) == pytest.approx([-0.15, 0.05])
    assert across([0.3], 0.5) == pytest.approx([0.0])


def test_what_would_leave_is_moved_in() -> None:
    assert within(0.5, 0.4, 0.6) == pytest.approx(0.4)
    assert within(-0.5, 0.4, 0.6) == pytest.approx(-0.4)
    assert within(0.1, 0.4, 0.6) == pytest.approx(0.1)
    assert within(0.1, 1.4, 0.6) == 0.0


def test_what_is_shown_has_85_hundredths_of_the_height_between_progress_and_the_way_to_stop() -> None:
    """Those stand at .455 above and below the middle and are .045 high, to .4325: a hair apart is .425."""
    assert stacked([Block(0.85, 0.3)]) == pytest.approx([0.0])
    assert stacked([Block(0.851, 0.0)]) is None
    assert stacked([Block(0.1, 0.5)]) == pytest.approx([0.375])
    assert stacked([Block(0.1, -0.5)]) == pytest.approx([-0.375])
    assert stacked([Block(0.416, 0.0)] * 2) == pytest.approx([0.217, -0.217])  # .018 between them
    assert stacked([Block(0.4165, 0.0)] * 2) is None
    assert Block(0.1, 0.2).put(0.3) == 0.3
    assert Block(0.1, 0.2).width == 0


def test_scales_are_tried_from_the_usual_size_down_to_a_fifth() -> None:
    """In steps of a twenty-fifth; the floor under letters is the last to give way."""
    assert (SCALES[0], SCALES[1], SCALES[-1], len(SCALES)) == (1.0, 0.96, 0.2, 21)
    assert list(SCALES) == sorted(set(SCALES), reverse=True)
    assert sized(0.03, FIRST_FLOOR) == FLOOR == sized(FLOOR, 1.0)
    assert sized(0.03, 0.25) == pytest.approx(FLOOR / 2)
