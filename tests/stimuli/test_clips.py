"""Real clips of the shipped nano models."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from models.weights import file_sha256
from stimuli.errors import StimulusError
from stimuli.generate import clip_seed, generate
from stimuli.loudness import integrated_loudness, true_peak
from stimuli.manifest import read_manifest, verify
from tastelab.study import load_study


def test_every_clip_is_exact_level_and_hashed(stimuli_folder: Path) -> None:
    rows = read_manifest(stimuli_folder)
    assert len(rows) == 2 * 4 * 4
    for row in rows:
        audio, rate = soundfile.read(stimuli_folder / row.file)
        assert rate == 48000
        assert audio.shape == (2 * 48000, 2)
        assert abs(integrated_loudness(audio, rate) + 23) < 0.5
        assert true_peak(audio) < -1
        assert file_sha256(stimuli_folder / row.file) == row.sha256
    assert verify(stimuli_folder) == []


def test_pairs_share_prompt_and_seed_and_differ_in_sound(stimuli_folder: Path) -> None:
    rows = {(r.taste, r.number, r.model): r for r in read_manifest(stimuli_folder)}
    for (taste, number, model), row in rows.items():
        if model == "base":
            other = rows[taste, number, "finetuned"]
            assert (row.prompt, row.seed) == (other.prompt, other.seed)
            assert row.sha256 != other.sha256
            assert row.checkpoint_sha256 != other.checkpoint_sha256
    assert len({r.sha256 for r in rows.values()}) == len(rows)


def test_a_changed_byte_and_a_lost_file_are_found(stimuli_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    rows = read_manifest(copy)
    path = copy / rows[0].file
    data = bytearray(path.read_bytes())
    data[5000] ^= 1
    path.write_bytes(data)
    (copy / rows[1].file).unlink()
    problems = verify(copy)
    assert len(problems) == 2
    assert rows[0].clip in problems[0]
    assert "missing" in problems[1]


def test_generation_goes_on_and_mends(stimuli_folder: Path, small_study_file: Path, tmp_path: Path) -> None:
    copy = tmp_path / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    study = load_study(small_study_file)
    before = {r.clip: r.sha256 for r in read_manifest(copy)}
    lost = read_manifest(copy)[3]
    (copy / lost.file).unlink()
    untouched = copy / read_manifest(copy)[0].file
    stamp = untouched.stat().st_mtime_ns
    generate(study.stimuli, study.models, copy)
    assert untouched.stat().st_mtime_ns == stamp
    assert set(before) == {r.clip for r in read_manifest(copy)}
    assert verify(copy) == []


def test_seeds_differ_between_clips_and_not_between_models(small_study_file: Path) -> None:
    config = load_study(small_study_file).stimuli
    seeds = {clip_seed(config, t.name, n) for t in config.tastes for n in range(25)}
    assert len(seeds) == 100


def test_given_tracks(tmp_path: Path) -> None:
    tracks = tmp_path / "tracks"
    tracks.mkdir()
    rng = np.random.default_rng(0)
    for name in ("One track", "another_one"):
        soundfile.write(tracks / f"{name}.flac", 0.1 * rng.normal(size=(44100 * 3, 2)), 44100)
    study = load_study(Path(__file__).resolve().parents[2] / "studies" / "five-tastes.toml")
    config = study.stimuli.model_copy(update={"folder": tracks, "seconds": 2.0})
    rows = generate(config, study.models, tmp_path / "out")
    assert {r.clip for r in rows} == {"one-track", "another-one"}
    assert all(r.model == "given" for r in rows)
    with pytest.raises(StimulusError, match="shorter"):
        generate(config.model_copy(update={"seconds": 5.0}), study.models, tmp_path / "out2")
    with pytest.raises(StimulusError, match="does not exist"):
        generate(config.model_copy(update={"folder": tmp_path / "no"}), study.models, tmp_path / "out3")
    (tracks / "One-track.wav").write_bytes(b"no audio")
    with pytest.raises(StimulusError, match=r"One track\.flac and One-track\.wav would both be clip one-track"):
        generate(config, study.models, tmp_path / "out")
    (tracks / "One-track.wav").rename(tracks / "third.wav")
    with pytest.raises(StimulusError, match=r"third\.wav cannot be read as audio"):
        generate(config, study.models, tmp_path / "out")


def test_tags_of_a_file_are_passed_over(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """The same samples with any ID3v2 tag; libmpg123 wrote a line about odd ones to the terminal for every file."""
    from mutagen.id3 import ID3, TIT2, TXXX

    from stimuli.audio import length, load_mono, load_spans

    path, tagged = tmp_path / "plain.mp3", tmp_path / "tagged.mp3"
    tone = 0.3 * np.sin(2 * np.pi * 330 * np.arange(3 * 44100) / 44100)
    soundfile.write(path, np.stack([tone, 0.5 * tone], axis=1), 44100, format="MP3")
    tagged.write_bytes(path.read_bytes())
    tags = ID3()
    tags.add(TIT2(encoding=3, text="x" * 3000))
    tags.add(TXXX(encoding=1, desc="", text=""))
    tags.save(tagged)
    second = b"ID3\x04\x00\x10" + bytes([0, 0, 1, 2]) + bytes(130) + b"3DI\x04\x00\x10" + bytes([0, 0, 1, 2])
    tagged.write_bytes(second + tagged.read_bytes())  # another tag before it, with a footer
    assert length(tagged) == length(path) == pytest.approx(3, abs=0.1)
    assert np.array_equal(load_mono(tagged, 16000), load_mono(path, 16000))
    spans = [(0.5, 1.5), (2.0, 2.75)]
    for one, other in zip(load_spans(tagged, 16000, spans), load_spans(path, 16000, spans), strict=True):
        assert np.array_equal(one, other)
    assert capfd.readouterr().err == ""
