"""Parts of long pieces, heard by a captioner that reads numbers instead of sound: what is cut where, kept, dropped and averaged."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from models.sonicverse.captioner import Description
from models.sonicverse.pieces.windows import (
    Segment,
    _without_strangers,
    changes,
    describe_piece,
    difference,
    windows,
)

RATE = 10


class Reader:
    """Hears of a clip the mean of each second's number: which of four instruments it is, and nothing else."""

    rate = RATE

    def __init__(self) -> None:
        self.encoded = 0
        self.batches: list[int] = []

    def encode(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        self.encoded += 1
        return {"x": np.array([np.mean(clip == k) for k in range(1, 5)])}

    def hear(self, layers: list[dict[str, np.ndarray]]) -> list[dict[str, np.ndarray]]:
        return [{"instrument": row["x"]} for row in layers]

    def describe_layers(self, layers: dict[str, np.ndarray]) -> list[Description]:
        self.batches.append(len(layers["x"]))
        return [
            Description(" ".join(f"{v:.2f}" for v in row), {"instrument": dict(zip("abcd", row.tolist(), strict=True))})
            for row in layers["x"]
        ]


def told(*parts: tuple[int, float]) -> Any:
    """A piece of parts (instrument, seconds), described; 0 is silence."""
    audio = np.concatenate([np.full(round(s * RATE), k, dtype=np.float32) for k, s in parts])
    seconds = len(audio) / RATE
    captioner: Any = Reader()
    spans = windows(seconds)
    cut: Iterator[np.ndarray] = (audio[round(a * RATE) : round(b * RATE)] for a, b in spans)
    return describe_piece(captioner, cut, seconds), captioner


def spans_of(piece: Any) -> list[tuple[float, float]]:
    return [(s.start, s.end) for s in piece.segments]


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        (4.0, [(0, 4)]), (10.0, [(0, 10)]), (13.0, [(0, 13)]), (13.5, [(0, 10), (3.5, 13.5)]), (15.0, [(0, 10), (5, 15)]),
        (17.9, [(0, 10), (5, 17.9)]), (18.0, [(0, 10), (5, 15), (8, 18)]), (20.0, [(0, 10), (5, 15), (10, 20)]),
    ],
)  # fmt: skip
def test_windows_of_ten_seconds_every_five(seconds: float, found: list[tuple[float, float]]) -> None:
    """A rest under three seconds lengthens the last window, a longer one makes one that ends with the piece."""
    assert windows(seconds) == found


def test_difference_by_hand() -> None:
    a = {"instrument": np.array([1.0, 0.0]), "register": np.array([0.7, 0.2, 0.1]), "tempo": np.array([1.0, 0.0, 0.0])}
    b = {"instrument": np.array([1.0, 1.0]), "register": np.array([0.1, 0.2, 0.7]), "tempo": np.array([0.5, 0.5, 0.0])}
    # 1 - cosine counts once, half the sum of differences one half (register) and one quarter (tempo).
    wanted = ((1 - 1 / np.sqrt(2)) * 1 + 0.6 * 0.5 + 0.5 * 0.25) / 1.75
    assert difference(a, b) == pytest.approx(wanted)
    assert difference(a, a) == pytest.approx(0)
    assert difference({"instrument": np.zeros(2)}, {"instrument": np.ones(2)}) == 1
    articulation = [{"articulation": np.array(p)} for p in ([1.0, 0.0], [0.25, 0.75])]
    assert difference(*articulation) == pytest.approx(0.75)


def test_two_parts() -> None:
    piece, captioner = told((1, 30), (2, 30))
    assert spans_of(piece) == [(0, 30), (30, 60)]
    # Windows that lie within a part describe it; the one across the change belongs to neither.
    assert [s.description.caption for s in piece.segments] == ["1.00 0.00 0.00 0.00", "0.00 1.00 0.00 0.00"]
    assert captioner.encoded == len(windows(60.0)) == 11
    assert piece.dropped == []
    assert piece.prose() == "0:00 to 0:30: 1.00 0.00 0.00 0.00 0:30 to 1:00: 0.00 1.00 0.00 0.00"
    assert piece.to_json() == {
        "seconds": 60.0, "dropped": [],
        "segments": [
            {"start": 0.0, "end": 30.0, "features": {"instrument": ["a"]}, "caption": "1.00 0.00 0.00 0.00"},
            {"start": 30.0, "end": 60.0, "features": {"instrument": ["b"]}, "caption": "0.00 1.00 0.00 0.00"},
        ],
    }  # fmt: skip


def test_changes_are_ten_seconds_apart_and_over_the_threshold() -> None:
    spans = windows(60.0)
    # 1 - cosine is 0.22 over the change, and 0.07 with a window that lies half over it.
    weak = [{"instrument": np.array([1.0, {25.0: 0.4}.get(s, 0.8 * (s >= 30))])} for s, _ in spans]
    assert changes(spans, weak) == []
    assert changes(spans, weak, 0.2) == [30.0]
    many, _ = told(*[(1 + k % 4, 10.0) for k in range(6)])
    starts = [s for s, _ in spans_of(many)]
    assert starts == [0, 10, 20, 30, 40, 50]
    assert changes(windows(13.0), [{"instrument": np.ones(2)}]) == []


def test_silence_is_left_out_and_told() -> None:
    piece, captioner = told((1, 20), (0, 30), (3, 20))
    assert [(d.start, d.end, d.reason) for d in piece.dropped] == [(20, 50, "silence")]
    assert captioner.encoded == len(windows(70.0)) - 5  # from 20, 25, 30, 35 and 40 s on
    # The windows from 15 and from 45 s on are half silent: three and a half of four.
    assert [s.description.caption for s in piece.segments] == ["0.88 0.00 0.00 0.00", "0.00 0.00 0.88 0.00"]
    assert spans_of(piece) == [(0, 25), (45, 70)]
    nothing, silent = told((0, 25))
    assert nothing.segments == []
    assert [(d.start, d.end) for d in nothing.dropped] == [(0, 25)]
    assert (silent.encoded, silent.batches) == (0, [])


@pytest.mark.parametrize(
    ("kinds", "kept"),
    [
        ("aaabaa", "aaaaa"), ("aabaab", "aaaa"), ("aababb", "aababb"), ("aab", "aab"), ("aaab", "aaa"), ("aaaaaaa", "aaaaaaa"),
    ],
)  # fmt: skip
def test_windows_unlike_the_others_of_their_part(kinds: str, kept: str) -> None:
    """Up to a third of four windows or more is left out, where they lie far from the mean of all."""
    heard = [{"instrument": np.array([1.0, 0.0] if k == "a" else [0.0, 1.0])} for k in kinds]
    inside, strange = _without_strangers(list(range(len(kinds))), heard, 0.3)
    assert "".join(kinds[i] for i in inside) == kept
    assert sorted(inside + strange) == list(range(len(kinds)))


def test_a_tone_at_the_threshold_of_silence() -> None:
    reader: Any = Reader()
    for level, segments in ((0.0011, 1), (0.0009, 0)):
        assert len(describe_piece(reader, [np.full(100, level)], 10.0).segments) == segments


def test_parts_are_described_by_eights() -> None:
    _, captioner = told(*[(1 + k % 4, 15.0) for k in range(10)])
    assert captioner.batches[0] == 8
    assert all(b <= 8 for b in captioner.batches)
    piece = Segment(0, 1, Description("x", {"tempo": {"slow": 0.4, "fast": 0.6}}))
    assert piece.to_json()["features"] == {"tempo": ["fast"]}
