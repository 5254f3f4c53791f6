"""Conditions that are tracks, blends and wrong prompts: what each clip is made of; tracks kept, replaced and refused."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

from models.config import ModelsConfig
from stimuli.config import StimuliConfig
from stimuli.errors import StimulusError
from stimuli.generate import generate
from stimuli.manifest import ClipRow, read_manifest, verify, write_manifest
from tests.stimuli.test_generate import Bench, bench, heard, study
from tests.stimuli.test_generate import pitch as played

__all__ = ["bench"]

RATE = 16000


def steps(*pitches: float, rate: int = 22050) -> np.ndarray:
    """A second of each pitch; the right channel is silent."""
    t = np.arange(rate) / rate
    left = np.concatenate([0.3 * np.sin(2 * np.pi * p * t) for p in pitches])
    return np.stack([left, np.zeros_like(left)], axis=1)


def config(**changes: Any) -> StimuliConfig:
    given = {"tastes": [{"name": "sweet"}, {"name": "sour"}], "seconds": 1.0, "rate": RATE, "fade": 0}
    return StimuliConfig.model_validate({**given, **changes})


def conditions(*declared: dict[str, Any], **models: Any) -> ModelsConfig:
    return ModelsConfig.model_validate({"conditions": list(declared), **models})


def take(folder: Path, out: Path, **changes: Any) -> list[ClipRow]:
    """The clips of a study that has nothing but tracks."""
    return generate(config(**changes), conditions({"name": "film", "tracks": folder}), out)


@pytest.fixture
def tracks(tmp_path: Path) -> Path:
    folder = tmp_path / "tracks"
    folder.mkdir()
    soundfile.write(folder / "One track!.flac", steps(300, 500, 700), 22050)
    soundfile.write(folder / "another_one.WAV", steps(900, 1100, 1300), 22050)
    (folder / "notes.txt").write_text("not a track")
    return folder


def pitch(path: Path) -> float:
    audio, rate = soundfile.read(path)
    return float(np.abs(np.fft.rfft(audio[:, 0] * np.hanning(len(audio)))).argmax() * rate / len(audio))


def test_the_middle_of_each_track_is_taken(tracks: Path, tmp_path: Path) -> None:
    rows = {r.told: r for r in take(tracks, tmp_path / "out")}
    assert set(rows) == {"one-track", "another-one"}
    assert [round(pitch(tmp_path / "out" / rows[n].file)) for n in ("one-track", "another-one")] == [500, 1100]
    one = rows["one-track"]
    assert (one.model, one.taste, one.prompt, one.seed) == ("film", "", None, None)
    assert one.checkpoint == "One track!.flac"
    assert one.checkpoint_sha256 == hashlib.sha256((tracks / "One track!.flac").read_bytes()).hexdigest()
    assert one.loudness == pytest.approx(-23, abs=0.1)
    assert sorted(r.number for r in rows.values()) == [0, 1]
    audio, _ = soundfile.read(tmp_path / "out" / one.file)
    assert np.abs(audio[:, 0]).max() > 0.01
    assert np.abs(audio[:, 1]).max() < 1e-3  # both channels stay what they were
    assert verify(tmp_path / "out") == []


def test_no_file_tells_condition_taste_track_or_order(tracks: Path, tmp_path: Path) -> None:
    (tracks / "tracks.csv").write_text("file,taste\nOne track!.flac,sweet\nanother_one.WAV,sour\n")
    rows = take(tracks, tmp_path / "out")
    assert {p.name for p in (tmp_path / "out" / "clips").iterdir()} == {Path(r.file).name for r in rows}
    for row in rows:
        assert row.clip == Path(row.file).stem
        for told in ("film", "sweet", "sour", "track", "another", "000", "001"):
            assert told not in row.file.lower(), row.file
    assert {r.told for r in rows} == {"sweet-film-000", "sour-film-000"}


def test_a_study_of_tracks_needs_no_networks(tracks: Path, tmp_path: Path) -> None:
    told: list[tuple[float, int, str]] = []
    film = conditions({"name": "film", "tracks": tracks})
    rows = generate(config(), film, tmp_path, lambda *x: told.append(x))
    assert {r.told for r in rows} == {"one-track", "another-one"}
    assert [(d, t) for d, t, _ in told] == [(1, 2), (2, 2)]
    assert {w for _, _, w in told} == {"film, One track!.flac", "film, another_one.WAV"}


def taken_again(tracks: Path, out: Path, **changes: Any) -> set[str]:
    before = {p.stem: p.stat().st_mtime_ns for p in (out / "clips").iterdir()}
    rows = take(tracks, out, **changes)
    return {r.told for r in rows if (out / r.file).stat().st_mtime_ns != before.get(r.clip)}


def test_only_what_has_changed_is_taken_again(tracks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    files = {r.told: out / r.file for r in take(tracks, out)}
    assert taken_again(tracks, out) == set()
    soundfile.write(tracks / "another_one.WAV", steps(1500, 1700, 1900), 22050)
    assert taken_again(tracks, out) == {"another-one"}
    assert round(pitch(files["another-one"])) == 1700
    files["one-track"].write_bytes(b"changed")
    assert taken_again(tracks, out) == {"one-track"}
    files["one-track"].unlink()
    assert taken_again(tracks, out) == {"one-track"}
    changed: list[dict[str, Any]] = [
        {"loudness": -30.0},
        {"fade": 0.1},
        {"seconds": 1.5},
        {"peak": -3.0},
        {"rate": 22050},
    ]
    for changes in changed:
        assert taken_again(tracks, out, **changes) == {"one-track", "another-one"}, changes
    assert verify(out) == []


def test_tracks_that_come_later_leave_the_others_their_numbers(tracks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    first = {r.told: (r.clip, r.number) for r in take(tracks, out)}
    soundfile.write(tracks / "a new one.wav", steps(300, 310, 320), 22050)  # before the others by its name
    now = {r.told: (r.clip, r.number) for r in take(tracks, out)}
    assert {k: v for k, v in now.items() if k in first} == first
    assert now["a-new-one"][1] == 2


def test_a_track_that_is_taken_away_goes(tracks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    take(tracks, out)
    (tracks / "One track!.flac").unlink()
    (row,) = take(tracks, out)
    assert row.told == "another-one"
    assert [p.name for p in (out / "clips").iterdir()] == [f"{row.clip}.wav"]


def test_a_manifest_of_version_0_1_keeps_its_names(tracks: Path, tmp_path: Path) -> None:
    """Its clips are the study's, as they are; new ones beside them get names that tell nothing."""
    out = tmp_path / "out"
    rows = take(tracks, out)
    for row in rows:  # as version 0.1 named them
        (out / row.file).rename(out / "clips" / f"{row.told}.wav")
        row.clip, row.file = row.told, f"clips/{row.told}.wav"
    write_manifest(out, rows)
    assert taken_again(tracks, out) == set()
    assert [r.clip for r in read_manifest(out)] == [r.clip for r in rows]
    soundfile.write(tracks / "later.wav", steps(300, 310, 320), 22050)
    (new,) = {r.clip for r in take(tracks, out)} - {r.clip for r in rows}
    assert new.startswith("clip-")
    assert verify(out) == []


def test_a_track_of_just_the_length_is_taken_a_shorter_one_not(tracks: Path, tmp_path: Path) -> None:
    rows = take(tracks, tmp_path / "out", seconds=3.0)
    assert {r.seconds for r in rows} == {3.0}
    with pytest.raises(StimulusError, match=r"(One track!\.flac|another_one\.WAV) is shorter than seconds = 3\.1"):
        take(tracks, tmp_path / "out2", seconds=3.1)


def test_folders_and_files_that_cannot_be_taken_are_one_line(tracks: Path, tmp_path: Path) -> None:
    with pytest.raises(StimulusError, match=r"nowhere does not exist"):
        take(tmp_path / "nowhere", tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StimulusError, match=r"no audio files \(\.wav, \.flac, \.mp3, \.ogg, .* \.\.\.\) in"):
        take(tmp_path / "empty", tmp_path / "out")
    (tracks / "One-track.wav").write_bytes(b"no audio")
    with pytest.raises(
        StimulusError, match=r"One track!\.flac and One-track\.wav would both be track one-track; rename"
    ):
        take(tracks, tmp_path / "out")
    (tracks / "One-track.wav").rename(tracks / "third.wav")
    with pytest.raises(StimulusError, match=r"third\.wav cannot be read as audio"):
        take(tracks, tmp_path / "out")


ONE = {"name": "zor", "checkpoint": "one"}
TWO = {"name": "bly", "checkpoint": "two"}


def test_generated_and_taken_music_make_one_study(bench: Bench, tracks: Path, tmp_path: Path) -> None:
    film = {"name": "film", "tracks": tracks}
    rows = generate(study(seconds=1.0, clips_per_taste=2), conditions(TWO, film, ONE), tmp_path)
    assert {(r.model, r.taste, r.number) for r in rows} == {
        *((m, t, n) for m in ("zor", "bly") for t in ("sweet", "sour") for n in (0, 1)), ("film", "", 0), ("film", "", 1),
    }  # fmt: skip
    for row in rows:
        if row.model != "film":
            wanted = played(str(row.checkpoint), str(row.prompt), row.seed or 0)
            assert heard(tmp_path, row) == pytest.approx(wanted, abs=1)
    assert verify(tmp_path) == []


def test_checkpoints_exchanged_change_places_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    one = generate(study(), conditions(ONE, TWO), tmp_path / "a")
    other = generate(study(), conditions(ONE | {"checkpoint": "two"}, TWO | {"checkpoint": "one"}), tmp_path / "b")
    turned = {"zor": "bly", "bly": "zor"}
    sound = {(r.model, r.taste, r.number): r.sha256 for r in one}
    assert {(turned[r.model], r.taste, r.number): r.sha256 for r in other} == sound
    assert [(r.clip, r.model, r.taste, r.number, r.prompt, r.seed) for r in one] == [
        (r.clip, r.model, r.taste, r.number, r.prompt, r.seed) for r in other
    ]


THREE = [
    {"name": "sweet", "prompt": "a prompt"},
    {"name": "sour", "prompt": "another"},
    {"name": "salty", "prompt": "third"},
]


def test_wrong_prompts_are_the_others_evenly_and_the_manifest_says_which(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.stimuli import test_generate

    monkeypatch.setitem(test_generate.PROMPTS, "third", 900)
    wrong = {"name": "wrong", "checkpoint": "one", "prompts_of": "other tastes"}
    rows = generate(study(tastes=THREE, clips_per_taste=4), conditions(ONE, wrong, batch=3), tmp_path)
    prompts = {t["name"]: t["prompt"] for t in THREE}
    own = {(r.taste, r.number): r for r in rows if r.model == "zor"}
    for row in (r for r in rows if r.model == "wrong"):
        assert row.prompt_of not in (None, row.taste)
        assert row.prompt == prompts[str(row.prompt_of)]
        assert row.seed == own[row.taste, row.number].seed  # a pair differs in its prompt alone
        assert heard(tmp_path, row) == pytest.approx(played("one", str(row.prompt), row.seed or 0), abs=1)
    for taste in prompts:
        used = [r.prompt_of for r in rows if r.model == "wrong" and r.taste == taste]
        assert sorted(map(str, used)) == sorted([t for t in prompts if t != taste] * 2)
    assert all(r.prompt_of is None for r in own.values())
    # A clip that is lost comes back the same, whatever lies beside it in its batch.
    lost = next(r for r in rows if r.model == "wrong" and r.number == 1)
    (tmp_path / lost.file).unlink()
    again = generate(study(tastes=THREE, clips_per_taste=4), conditions(ONE, wrong, batch=3), tmp_path)
    assert {r.clip: r.sha256 for r in again} == {r.clip: r.sha256 for r in rows}


def test_one_taste_has_no_wrong_prompt(bench: Bench, tmp_path: Path) -> None:
    wrong = {"name": "wrong", "checkpoint": "one", "prompts_of": "other tastes"}
    with pytest.raises(StimulusError, match="two tastes at least"):
        generate(study(tastes=THREE[:1]), conditions(wrong), tmp_path)
    two = generate(study(tastes=THREE[:2]), conditions(wrong), tmp_path / "two")
    assert {(r.taste, r.prompt_of) for r in two} == {("sweet", "sour"), ("sour", "sweet")}


def test_the_same_music_in_two_conditions_is_refused_by_name(bench: Bench, tracks: Path, tmp_path: Path) -> None:
    bench.weights["two"] = bench.weights["one"]  # the same weights under another name
    with pytest.raises(StimulusError, match="conditions 'zor' and 'bly' have the same music"):
        generate(study(), conditions(ONE, TWO), tmp_path / "a")
    assert bench.calls == []  # before anything is made
    copy = tmp_path / "copy"
    copy.mkdir()
    (copy / "other name.flac").write_bytes((tracks / "One track!.flac").read_bytes())
    films = ({"name": "film", "tracks": tracks}, {"name": "games", "tracks": copy})
    with pytest.raises(StimulusError, match="conditions 'film' and 'games' have the same music"):
        generate(config(), conditions(*films), tmp_path / "b")
    # The same samples in another container: another file, and the same audio.
    audio, rate = soundfile.read(tracks / "One track!.flac")
    (copy / "other name.flac").unlink()
    soundfile.write(copy / "other name.wav", audio, rate, subtype="PCM_16")
    with pytest.raises(StimulusError, match="conditions 'film' and 'games' have the same audio"):
        generate(config(), conditions(*films), tmp_path / "c")
