"""Screens as a real window draws them: what was measured before is what stands there, on the squarest and the widest display."""

from __future__ import annotations

import pytest

from benchmarks.screens import drawn, faults

pytestmark = pytest.mark.desk


@pytest.mark.parametrize(("size", "languages"), [((1280, 1024), ("de", "ar", "ja")), ((3840, 1080), ("it",))])
def test_no_two_things_overlap_and_none_leaves(size: tuple[int, int], languages: tuple[str, ...]) -> None:
    """Every kind of screen, questions harder than a study's own, and a consent of 600 words; all sizes: benchmarks.screens."""
    found = drawn([size], languages)
    assert {m["language"] for m in found} == set(languages)
    assert len(found) > 45 * len(languages)
    assert [(m["language"], m["screen"], fault) for m in found for fault in faults(m)] == []


def test_what_lies_over_something_else_is_found() -> None:
    """Words on a box belong to it; words beside it do not, and neither does what leaves the screen."""
    box = {"box": [100, 40], "at": [60, 30]}
    screen = {"size": [200, 100], "screen": "x", "shown": [box, {"text": "on it", "at": [60, 30], "size": [80, 20]}]}
    assert faults(screen) == []
    over = {"text": "wide", "at": [110, 30], "size": [40, 20]}
    out = {"text": "out", "at": [190, 80], "size": [40, 20]}
    line = {"line": [[20, 20], [20, 60]]}
    for wrong in (over, out, line):
        assert len(faults(screen | {"shown": [box, wrong]})) == 1
