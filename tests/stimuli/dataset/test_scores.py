"""Harmonic skeletons of chorales: against music21's own reading of a well-known one, and read once on a machine."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import pytest

from stimuli.dataset import scores
from stimuli.dataset.scores import Skeleton, chorales, key_name, read_chorales


def test_a_skeleton_has_melody_key_and_chords_of_its_score() -> None:
    """BWV 66.6, the chorale of music21's user's guide: F# minor, 36 beats, the soprano begins C#5 B4 A4 B4 C#5 E5."""
    from music21 import converter, corpus

    path = next(p for p in corpus.getComposer("bach") if str(p).endswith("bwv66.6.mxl"))
    score = converter.parse(path, forceSource=True, storePickle=False)
    found = scores._skeleton(score, "bwv66.6")
    assert found is not None
    assert (found.piece, found.tonic, found.mode, key_name(found.tonic, found.mode)) == (
        "bwv66.6",
        6,
        "minor",
        "F# minor",
    )
    assert found.melody[:6] == [
        (0.0, 0.5, 73),
        (0.5, 0.5, 71),
        (1.0, 1.0, 69),
        (2.0, 1.0, 71),
        (3.0, 1.0, 73),
        (4.0, 1.0, 76),
    ]
    assert len(found.chords) == 36
    together = score.chordify().flatten().getElementsByClass("Chord")
    for beat, chord in enumerate(found.chords):
        sounding = [c for c in together if c.offset <= beat < c.offset + c.duration.quarterLength]
        assert chord == sorted({p.midi for c in sounding for p in c.pitches}), beat


def test_short_pieces_and_other_than_four_voices_are_left_out() -> None:
    from music21 import note, stream

    def piece(voices: int, beats: int) -> stream.Score:
        return stream.Score([stream.Part([note.Note(60 + v) for _ in range(beats)]) for v in range(voices)])

    assert scores._skeleton(piece(4, 28), "x") is not None
    assert scores._skeleton(piece(4, 27), "x") is None
    assert scores._skeleton(piece(3, 40), "x") is None
    assert scores._skeleton(piece(5, 40), "x") is None


def test_chorales_are_read_once_and_those_beside_a_corpus_come_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TASTELAB_CACHE", str(tmp_path / "cache"))
    one = Skeleton("p", 0, "major", [(0.0, 1.0, 60)], [[48, 60]])
    calls = []

    def read(cache: Path, progress: object = None) -> list[Skeleton]:
        calls.append(cache)
        cache.write_text(json.dumps([asdict(one)]))
        return read_chorales(cache)

    monkeypatch.setattr(scores, "read_chorales", read)
    assert chorales(tmp_path) == [one]
    assert calls[0].parent == tmp_path / "cache"
    assert calls[0].name.startswith("chorales-1-music21-")
    (tmp_path / "chorales.json").write_text(json.dumps([]))
    chorales(tmp_path)
    assert calls[1] == tmp_path / "chorales.json"
    assert read_chorales(calls[0]) == [one]
    assert os.listdir(tmp_path / "cache") == [calls[0].name]


def test_of_two_that_want_them_at_once_one_reads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a fresh machine; the other waits for what is kept, which both get."""
    from music21 import converter, corpus

    parsed: list[str] = []

    def parse(path: str, **_: object) -> SimpleNamespace:
        parsed.append(path)
        time.sleep(0.1)
        return SimpleNamespace(parts=[])

    monkeypatch.setattr(corpus, "getComposer", lambda name: ["a.mxl", "b.mxl", "c.krn"])
    monkeypatch.setattr(converter, "parse", parse)
    monkeypatch.setattr(scores, "_skeleton", lambda score, name: Skeleton(name, 0, "major", [(0.0, 1.0, 60)], [[48]]))
    with ThreadPoolExecutor(2) as both:
        first, second = both.map(read_chorales, [tmp_path / "new" / "kept.json"] * 2)
    assert parsed == ["a.mxl", "b.mxl"]
    assert first == second == [Skeleton(x, 0, "major", [(0.0, 1.0, 60)], [[48]]) for x in ("a", "b")]
