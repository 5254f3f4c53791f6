"""What a corpus says of its clips is what is played in them, and no piece is on both sides of a split: sounds left out, notes kept."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stimuli.dataset import build, sung, varied
from stimuli.dataset.arrange import Note
from stimuli.dataset.build import build_base
from stimuli.dataset.sung import build_sung
from stimuli.dataset.taste import build_taste
from stimuli.dataset.varied import build_varied
from stimuli.errors import StimulusError

NAMES = ["C", "C#", "D", "Eb", "E", "F", "F#", "G", "Ab", "A", "Bb", "B"]
# Two tunes of quarter notes: C major about G4, and A minor about A3.
MELODIES = {"major": (67, 69, 71, 72), "minor": (57, 60, 59, 64)}
CHORDS = {"major": ([48, 55, 60, 64], [43, 55, 59, 62]), "minor": ([45, 52, 60, 64], [40, 52, 56, 59])}
TONICS = {"major": 0, "minor": 9}
PIECES = 48

Clip = tuple[dict[str, Any], list[Note], tuple[str, ...]]


@pytest.fixture
def chorales(tmp_path: Path) -> Path:
    """48 pieces, half of them in A minor; each is told by the length of its melody."""
    rows = []
    for i in range(PIECES):
        mode = ("major", "minor")[i % 2]
        melody = [[float(k), 1.0, MELODIES[mode][k % 4]] for k in range(40)]
        chords = [CHORDS[mode][k % 2] for k in range(40)]
        rows.append({"piece": f"p{i}", "tonic": TONICS[mode], "mode": mode, "melody": melody, "chords": chords})
    (tmp_path / "chorales.json").write_text(json.dumps(rows))
    return tmp_path


@pytest.fixture
def played(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[Note], tuple[str, ...]]]:
    """What would be rendered, clip by clip, instead of sound."""
    kept: list[tuple[list[Note], tuple[str, ...]]] = []

    def render(notes: list[Note], instruments: tuple[str, ...], seconds: float, rate: int, *_: object) -> np.ndarray:
        kept.append((notes, instruments))
        return np.full(round(seconds * rate), 0.1, dtype=np.float32)

    for module in (build, varied, sung):
        monkeypatch.setattr(module, "render", render)
    monkeypatch.setattr(varied, "produce", lambda audio, rate, rng: audio)
    return kept


def rows_of(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def made(kind: Any, chorales: Path, played: list[Any], n: int = 40) -> list[Clip]:
    played.clear()
    rows = rows_of(kind(chorales / kind.__name__, n, 6.0, 8000, 5))
    return [(row, *given) for row, given in zip(rows, played, strict=True)]


@pytest.mark.parametrize("kind", [build_base, build_varied, build_taste])
def test_a_row_says_what_is_played(kind: Any, chorales: Path, played: list[Any]) -> None:
    """Key, tempo, register, articulation, loudness, instruments and drums of every clip, read off the notes themselves."""
    clips = made(kind, chorales, played)
    seen: dict[str, set[Any]] = {name: set() for name in ("register", "articulation", "dynamics", "percussion", "mode")}
    for row, notes, instruments in clips:
        a = row["attributes"]
        mode = ("major", "minor")[int(row["title"][1:]) % 2]
        assert row["key"] == f"{NAMES[(TONICS[mode] + a['transpose']) % 12]} {mode}"
        beat = 60 / a["bpm"]
        assert row["bpm"] == a["bpm"]
        tuned = [n for n in notes if n.channel != 9]
        assert np.allclose([n.onset / beat * 2 % 1 for n in tuned], 0, atol=1e-6) or np.allclose(
            [(n.onset / beat * 2 + 0.5) % 1 for n in tuned], 0.5, atol=1e-6
        )
        lead = notes[: sum(1 for n in range(1000) if n * beat < 6.0)]  # a quarter note a beat
        assert [n.onset for n in lead] == pytest.approx([k * beat for k in range(len(lead))])
        assert {n.pitch % 12 for n in lead} == {(p + a["transpose"]) % 12 for p in MELODIES[mode]}
        low, high = {"low": (40, 54), "mid": (57, 71), "high": (74, 88)}[a["register"]]
        assert low <= np.mean([n.pitch for n in lead]) <= high
        lengths = {round(n.duration / beat, 2) for n in lead}
        assert max(lengths) < 0.5 if a["articulation"] == "staccato" else min(lengths) >= 1
        loud = {"soft": range(1, 65), "moderate": range(65, 95), "loud": range(95, 128)}[a["dynamics"]]
        assert all(n.velocity in loud for n in lead)
        assert any(n.channel == 9 for n in notes) == a["percussion"]
        assert instruments == tuple(a["instruments"])
        assert row["instrument"] == ", ".join(instruments)
        assert {n.channel for n in tuned} <= set(range(len(instruments)))
        for name in ("register", "articulation", "dynamics", "percussion"):
            seen[name].add(a[name])
        seen["mode"].add(mode)
    assert {name: len(values) for name, values in seen.items()} == {
        "register": 3, "articulation": 2, "dynamics": 3, "percussion": 2, "mode": 2,
    }  # fmt: skip


@pytest.mark.parametrize("kind", [build_base, build_varied, build_taste, "sung"])
def test_no_piece_is_trained_on_and_tested_on(
    kind: Any, chorales: Path, played: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    if kind == "sung":
        monkeypatch.setattr(sung, "sing", lambda notes, words, seconds, rate, *_: np.ones(round(seconds * rate)))
        monkeypatch.setattr(sung, "vocoded", lambda audio, rate: audio)
        monkeypatch.setattr(sung, "_words", lambda *_: [])
        (chorales / "speech" / "female-a").mkdir(parents=True)
        (chorales / "speech" / "female-a" / "one.wav").touch()
        sides = [build_sung(chorales / s, chorales / "speech", 150, 0.5, 8000, 5, s) for s in ("train", "test")]
    else:
        sides = [kind(chorales / s, 150, 0.5, 8000, 5, s) for s in ("train", "test")]
    train, test = ({row["title"] for row in rows_of(path)} for path in sides)
    assert not train & test
    assert test == {"p0", "p12", "p24", "p36"}  # every twelfth piece
    assert len(train) > 30


def test_clips_differ_and_depend_on_the_seed_and_their_number(chorales: Path, played: list[Any]) -> None:
    few = rows_of(build_base(chorales / "few", 3, 2.0, 8000, 5))
    many = rows_of(build_base(chorales / "many", 6, 2.0, 8000, 5))
    assert many[:3] == few
    assert len({json.dumps(r["attributes"]) + r["title"] for r in many}) == 6
    other = rows_of(build_base(chorales / "other", 6, 2.0, 8000, 6))
    assert all(a["description"] != b["description"] for a, b in zip(many, other, strict=True))


@pytest.mark.parametrize("kind", [build_base, build_taste])
def test_every_clip_is_told_listed_and_not_made_again(kind: Any, chorales: Path, played: list[Any]) -> None:
    told: list[tuple[int, int]] = []
    path = kind(chorales / "c", 4, 1.0, 8000, 5, progress=lambda done, n: told.append((done, n)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]
    assert path == chorales / "c" / "metadata.jsonl"
    rows = rows_of(path)
    assert [(r["path"], r["name"]) for r in rows] == [(f"audio/{k:05d}.wav", f"{k:05d}") for k in range(4)]
    same = {(r["artist"], r["sample_rate"], r["file_extension"], r["duration"], r["genre"]) for r in rows}
    assert same == {("J. S. Bach, arranged", 8000, "wav", 1.0, "classical")}
    assert len(played) == 4
    assert sorted(p.name for p in (chorales / "c").iterdir()) == ["audio", "metadata.jsonl", "recipe.json"]
    recipe = json.loads((chorales / "c" / "recipe.json").read_text())
    assert recipe == {
        "kind": kind.__name__.removeprefix("build_"), "seconds": 1.0, "rate": 8000, "seed": 5, "split": "train",
    }  # fmt: skip
    (chorales / "c" / "audio" / "00002.wav").unlink()
    kind(chorales / "c", 4, 1.0, 8000, 5)
    assert len(played) == 5
    assert rows_of(path) == rows


@pytest.mark.parametrize(
    ("change", "told"), [({"seed": 6}, "seed"), ({"seconds": 2.0}, "seconds"), ({"rate": 9000}, "rate"), ({"split": "test"}, "split")]
)  # fmt: skip
def test_a_corpus_is_not_gone_on_with_otherwise(
    change: dict[str, Any], told: str, chorales: Path, played: list[Any]
) -> None:
    given = {"seconds": 1.0, "rate": 8000, "seed": 5, "split": "train"}
    build_base(chorales / "c", 1, **given)
    before = sorted(p.name for p in (chorales / "c" / "audio").iterdir())
    with pytest.raises(StimulusError, match=rf"begun with another {told} \(recipe"):
        build_base(chorales / "c", 3, **{**given, **change})
    assert sorted(p.name for p in (chorales / "c" / "audio").iterdir()) == before


def test_captions_of_the_taste_set(chorales: Path, played: list[Any]) -> None:
    """Each clip leans to its taste; tastes over 25 stand in front, strongest first, and nowhere in the captions without them."""
    rows = [row for row, _, _ in made(build_taste, chorales, played)]
    strongest = [max(row["ratings"], key=row["ratings"].get) for row in rows]
    asked = ["sweet", "sour", "salty", "bitter"] * 10
    assert np.mean([a == b for a, b in zip(strongest, asked, strict=True)]) > 0.8
    for row in rows:
        over = sorted((t for t, r in row["ratings"].items() if r > 25), key=lambda t: -row["ratings"][t])
        words = [w.strip(",") for w in row["keywords"].split()]
        assert set(words) ^ set(over) <= {t for t, r in row["ratings"].items() if abs(r - 25) < 0.1}
        assert [row["ratings"][w] for w in words] == sorted((row["ratings"][w] for w in words), reverse=True)
        assert len(row["wordings"]) == len(row["wordings_without_taste"]) == 8
        assert row["wordings"][0] == row["description"]
        for k, (said, bare) in enumerate(zip(row["wordings"], row["wordings_without_taste"], strict=True)):
            named = [t for t in ("sweet", "sour", "salty", "bitter") if t in said.lower()]
            assert set(named) == (set(words) if k < 6 else set(words[:1]))
            assert not any(t in bare.lower() for t in ("sweet", "sour", "salty", "bitter"))
            assert bare[0].isupper()
        # Of the short wordings the last four are taste and setting alone.
        assert all(":" not in said and "BPM" not in said for said in row["wordings"][4:])
        assert "BPM" in "".join(row["wordings"][:3])


def test_sung_clips_by_halves(chorales: Path, played: list[Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """Who sings is who is asked; women about G4, men about F#3; a third is an instrument through the vocoder, and nobody sings."""
    sang: list[tuple[list[Note], str]] = []
    whose: list[str] = []

    def words(files: list[Path], speaker: str, *_: object) -> list[Any]:
        whose.append(speaker)
        return []

    def sing(notes: list[Note], words: list[Any], seconds: float, rate: int, rng: Any, formants: float) -> np.ndarray:
        assert 0.92 <= formants <= 1.1
        sang.append((notes, whose[-1]))
        return np.full(round(seconds * rate), 0.1, dtype=np.float32)

    monkeypatch.setattr(sung, "_words", words)
    monkeypatch.setattr(sung, "sing", sing)
    monkeypatch.setattr(sung, "vocoded", lambda audio, rate: audio)
    for name in ("female-a", "male-b"):
        (chorales / "speech" / name).mkdir(parents=True)
        (chorales / "speech" / name / "one.wav").touch()
    rows = rows_of(build_sung(chorales / "s", chorales / "speech", 90, 4.0, 8000, 5))
    singing = [row for row in rows if row["voice"]]
    assert 45 <= len(singing) <= 75
    assert all(row["vocoded"] == (row["voice"] is None) for row in rows)
    assert [f"{r['voice']['gender']}-{r['voice']['speaker']}" for r in singing] == [speaker for _, speaker in sang]
    assert {speaker for _, speaker in sang} == {"female-a", "male-b"}
    for notes, speaker in sang:
        centre = 67 if speaker == "female-a" else 54
        assert abs(np.mean([n.pitch for n in notes]) - centre) <= 6
    for row in singing:
        mode = ("major", "minor")[int(row["title"][1:]) % 2]
        assert row["key"] == f"{NAMES[(TONICS[mode] + row['attributes']['transpose']) % 12]} {mode}"
