"""Skeletons of scores that are written here note by note."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stimuli.dataset import scores
from stimuli.dataset.scores import Skeleton, key_name, read_chorales

music21 = pytest.importorskip("music21")


def part(notes: list[tuple[float, float, int]]) -> Any:
    made = music21.stream.Part()
    for onset, duration, pitch in notes:
        made.insert(onset, music21.note.Note(pitch, quarterLength=duration))
    return made


def score(beats: int = 28, voices: int = 4, **changed: Any) -> Any:
    """C major: a scale in quarters, thirds of two beats, a G held four beats at a time, and a C an octave under it in eighths."""
    scale = (72, 74, 76, 77, 79, 81, 83)
    given = {
        "soprano": [(float(k), 1.0, scale[k % 7]) for k in range(beats)],
        "alto": [(2.0 * k, 2.0, (64, 65)[k % 2]) for k in range(beats // 2)],
        "tenor": [(4.0 * k, 4.0, 55) for k in range(beats // 4)],
        "bass": [(k / 2, 0.5, (48, 47)[k % 2]) for k in range(2 * beats)],
    } | changed
    whole = music21.stream.Score()
    for notes in list(given.values())[:voices]:
        whole.insert(0, notes if isinstance(notes, music21.stream.Part) else part(notes))
    return whole


def test_melody_and_chords_are_the_scores() -> None:
    found = scores._skeleton(score(), "bwv0")
    assert found is not None
    assert (found.piece, found.tonic, found.mode) == ("bwv0", 0, "major")
    assert found.melody[:3] == [(0.0, 1.0, 72), (1.0, 1.0, 74), (2.0, 1.0, 76)]
    assert len(found.melody) == len(found.chords) == 28
    # What begins at a beat sounds there, what ends at it does not; the eighth after the beat is not of the chord.
    assert found.chords[:4] == [[48, 55, 64, 72], [48, 55, 64, 74], [48, 55, 65, 76], [48, 55, 65, 77]]


def test_beats_on_which_nobody_sings_keep_the_chord_before() -> None:
    rests = {
        "soprano": [(float(k), 1.0, 72) for k in range(30) if k not in (0, 5)],
        "alto": [(3.0, 1.0, 64)], "tenor": [(3.0, 1.0, 67)], "bass": [(3.0, 1.0, 48)],
    }  # fmt: skip
    found = scores._skeleton(score(30, **rests), "x")
    assert found is not None
    assert found.chords[:7] == [[48, 55, 60, 64], [72], [72], [48, 64, 67, 72], [72], [72], [72]]


def test_of_two_notes_of_one_voice_the_upper_is_its_tune_and_ornaments_have_no_time() -> None:
    soprano = part([(float(k), 1.0, 72) for k in range(1, 28)])
    soprano.insert(0, music21.chord.Chord([67, 76], quarterLength=1.0))
    soprano.insert(4, music21.note.Note(74).getGrace())
    found = scores._skeleton(score(soprano=soprano), "x")
    assert found is not None
    assert found.melody[0] == (0.0, 1.0, 76)
    assert all(duration > 0 for _, duration, _ in found.melody)
    assert len(found.melody) == 28


def test_which_pieces_are_of_no_use() -> None:
    assert scores._skeleton(score(28), "x") is not None
    assert scores._skeleton(score(27), "x") is None  # too short
    assert scores._skeleton(score(voices=3), "x") is None
    assert scores._skeleton(score(tenor=[]), "x") is None


def test_minor_is_told() -> None:
    natural = (69, 71, 72, 74, 76, 77, 68)
    soprano = [(float(k), 1.0, natural[k % 7]) for k in range(28)]
    drones = {name: [(4.0 * k, 4.0, p) for k in range(7)] for name, p in (("alto", 64), ("tenor", 60), ("bass", 45))}
    found = scores._skeleton(score(soprano=soprano, **drones), "x")
    assert found is not None
    assert (found.tonic, found.mode) == (9, "minor")


def test_pieces_are_read_once_in_order_of_their_names_and_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    short = {"b": 27}
    listed = ["bach/c.mxl", "bach/a.mxl", "bach/b.mxl", "bach/d.krn"]
    monkeypatch.setattr(music21.corpus, "getComposer", lambda name: listed if name == "bach" else [])
    asked: list[dict[str, Any]] = []

    def parse(path: str, **how: Any) -> Any:
        asked.append(how)
        return score(short.get(Path(path).stem, 28))

    monkeypatch.setattr(music21.converter, "parse", parse)
    told: list[tuple[int, int]] = []
    cache = tmp_path / "new" / "chorales.json"
    found = read_chorales(cache, lambda done, total: told.append((done, total)))
    assert [s.piece for s in found] == ["a", "c"]
    assert told == [(1, 3), (2, 3), (3, 3)]
    assert all(how == {"forceSource": True, "storePickle": False} for how in asked)
    assert [p.name for p in cache.parent.iterdir()] == ["chorales.json"]
    again = read_chorales(cache)
    assert again == found
    assert len(asked) == 3
    assert isinstance(again[0], Skeleton)
    assert isinstance(again[0].melody[0], tuple)


@pytest.mark.parametrize(
    ("tonic", "name"), [(0, "C"), (1, "C#"), (2, "D"), (3, "Eb"), (4, "E"), (5, "F"), (6, "F#"), (7, "G"), (8, "Ab"), (9, "A"),
                        (10, "Bb"), (11, "B"), (-1, "B"), (14, "D")],
)  # fmt: skip
def test_names_of_keys(tonic: int, name: str) -> None:
    assert key_name(tonic, "minor") == f"{name} minor"
