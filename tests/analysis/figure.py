"""What a figure shows, read off it before it is closed: points, lines and words, without writing files."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@contextmanager
def kept() -> Iterator[list[Figure]]:
    """Figures that are saved in this block, still open after it; their files are not written."""
    from matplotlib import pyplot as plt

    found: list[Figure] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Figure, "savefig", lambda *_, **__: None)
        patch.setattr(plt, "close", found.append)
        yield found
    for figure in found:
        check_room(figure)
    plt.close("all")


def check_room(figure: Figure) -> None:
    """A figure fits a page, and each of its panels is large enough to be read, whatever their number (inches)."""
    wide, high = (float(x) for x in figure.get_size_inches())
    assert 2 <= wide <= 24, wide
    assert 1.5 <= high <= 24, high
    for axis in figure.axes:
        place = axis.get_position()
        assert place.width * wide >= 0.9 or axis.get_label() == "<colorbar>", place.width * wide
        assert place.height * high >= 0.7, place.height * high


def points(axis: Axes) -> list[tuple[float, float]]:
    """All points of an axis' lines, without those that run through the whole of it (axhline, axvline) and whiskers."""
    out: list[tuple[float, float]] = []
    for line in axis.lines:
        if line.get_transform() == axis.transData and line.get_marker() not in ("_", "|", 2, 3):
            out += [(float(x), float(y)) for x, y in np.column_stack(line.get_data())]
    return out


def bars(axis: Axes) -> list[tuple[float, float, float, float]]:
    """Error bars as (x1, y1, x2, y2)."""
    out = []
    for container in axis.containers:
        for lines in container[2]:
            out += [tuple(float(v) for v in s.ravel()) for s in lines.get_segments()]
    return out


def words(figure: Figure) -> list[str]:
    """All words of a figure, axis by axis."""
    from matplotlib.text import Text

    return [t.get_text() for t in figure.findobj(Text) if t.get_text()]
