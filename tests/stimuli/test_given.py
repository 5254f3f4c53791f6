"""Given tracks: the middle of each, levelled, by name; kept, replaced and refused."""

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
from stimuli.given import take_given
from stimuli.manifest import verify

RATE = 16000


def steps(*pitches: float, rate: int = 22050) -> np.ndarray:
    """A second of each pitch; the right channel is silent."""
    t = np.arange(rate) / rate
    left = np.concatenate([0.3 * np.sin(2 * np.pi * p * t) for p in pitches])
    return np.stack([left, np.zeros_like(left)], axis=1)


def config(folder: Path, **changes: Any) -> StimuliConfig:
    given = {
        "source": "given",
        "folder": folder,
        "tastes": [{"name": "sweet"}],
        "seconds": 1.0,
        "rate": RATE,
        "fade": 0,
    }
    return StimuliConfig.model_validate({**given, **changes})


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
    rows = {r.clip: r for r in take_given(config(tracks), tmp_path / "out")}
    assert set(rows) == {"one-track", "another-one"}
    assert [round(pitch(tmp_path / "out" / rows[n].file)) for n in ("one-track", "another-one")] == [500, 1100]
    one = rows["one-track"]
    assert (one.model, one.taste, one.prompt, one.seed) == ("given", "", None, None)
    assert one.checkpoint == "One track!.flac"
    assert one.checkpoint_sha256 == hashlib.sha256((tracks / "One track!.flac").read_bytes()).hexdigest()
    assert one.loudness == pytest.approx(-23, abs=0.1)
    assert sorted(r.number for r in rows.values()) == [0, 1]
    audio, _ = soundfile.read(tmp_path / "out" / one.file)
    assert np.abs(audio[:, 0]).max() > 0.01
    assert np.abs(audio[:, 1]).max() < 1e-3  # both channels stay what they were
    assert verify(tmp_path / "out") == []


def test_a_study_of_given_tracks_needs_no_networks(tracks: Path, tmp_path: Path) -> None:
    told: list[tuple[float, int, str]] = []
    rows = generate(config(tracks), ModelsConfig(base="nowhere"), tmp_path, lambda *x: told.append(x))
    assert {r.clip for r in rows} == {"one-track", "another-one"}
    assert [(d, t) for d, t, _ in told] == [(1, 2), (2, 2)]
    assert {w for _, _, w in told} == {"one-track", "another-one"}


def taken_again(folder: Path, study: StimuliConfig) -> set[str]:
    before = {p.stem: p.stat().st_mtime_ns for p in (folder / "clips").iterdir()}
    rows = take_given(study, folder)
    return {r.clip for r in rows if (folder / r.file).stat().st_mtime_ns != before.get(r.clip)}


def test_only_what_has_changed_is_taken_again(tracks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    take_given(config(tracks), out)
    assert taken_again(out, config(tracks)) == set()
    soundfile.write(tracks / "another_one.WAV", steps(1500, 1700, 1900), 22050)
    assert taken_again(out, config(tracks)) == {"another-one"}
    assert round(pitch(out / "clips" / "another-one.wav")) == 1700
    (out / "clips" / "one-track.wav").write_bytes(b"changed")
    assert taken_again(out, config(tracks)) == {"one-track"}
    (out / "clips" / "one-track.wav").unlink()
    assert taken_again(out, config(tracks)) == {"one-track"}
    for changes in ({"loudness": -30.0}, {"fade": 0.1}, {"seconds": 1.5}, {"peak": -3.0}, {"rate": 22050}):
        assert taken_again(out, config(tracks, **changes)) == {"one-track", "another-one"}, changes
    assert verify(out) == []


def test_a_track_that_is_taken_away_goes(tracks: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    take_given(config(tracks), out)
    (tracks / "One track!.flac").unlink()
    assert [r.clip for r in take_given(config(tracks), out)] == ["another-one"]
    assert [p.name for p in (out / "clips").iterdir()] == ["another-one.wav"]


def test_a_track_of_just_the_length_is_taken_a_shorter_one_not(tracks: Path, tmp_path: Path) -> None:
    rows = take_given(config(tracks, seconds=3.0), tmp_path / "out")
    assert {r.seconds for r in rows} == {3.0}
    with pytest.raises(StimulusError, match=r"(One track!\.flac|another_one\.WAV) is shorter than seconds = 3\.1"):
        take_given(config(tracks, seconds=3.1), tmp_path / "out2")


def test_folders_and_files_that_cannot_be_taken_are_one_line(tracks: Path, tmp_path: Path) -> None:
    with pytest.raises(StimulusError, match=r"nowhere does not exist"):
        take_given(config(tmp_path / "nowhere"), tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(StimulusError, match=r"no audio files \(\.wav, \.flac, \.mp3, \.ogg\) in"):
        take_given(config(tmp_path / "empty"), tmp_path / "out")
    (tracks / "One-track.wav").write_bytes(b"no audio")
    with pytest.raises(
        StimulusError, match=r"One track!\.flac and One-track\.wav would both be clip one-track; rename"
    ):
        take_given(config(tracks), tmp_path / "out")
    (tracks / "One-track.wav").rename(tracks / "third.wav")
    with pytest.raises(StimulusError, match=r"third\.wav cannot be read as audio"):
        take_given(config(tracks), tmp_path / "out")
