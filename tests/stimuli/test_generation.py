"""Real clips of the shipped nano models; sets that are broken off, shared between processes, and mended."""

from __future__ import annotations

import multiprocessing
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
import soundfile

from models.config import ModelsConfig
from models.weights import file_sha256
from stimuli.config import StimuliConfig, TasteConfig
from stimuli.generate import generate
from stimuli.loudness import integrated_loudness, true_peak
from stimuli.manifest import read_manifest, verify
from tastelab.study import load_study


def command(study: Path, out: Path) -> list[str]:
    made = [
        sys.executable,
        "-m",
        "tastelab",
        "stimuli",
        "generate",
        "--study",
        str(study),
        "--out",
        str(out),
        "--quiet",
    ]
    return made


def hashes(folder: Path) -> dict[str, str]:
    return {row.clip: row.sha256 for row in read_manifest(folder)}


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
        assert row.settings["batch"] == 8
        assert row.checks["silent_share"] < 0.5
        assert row.checks["nearest"] < 0.95
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


def test_a_lost_clip_comes_back_to_the_bit(small_study_file: Path, stimuli_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    lost = read_manifest(copy)[5]
    (copy / lost.file).write_bytes(b"changed")
    study = load_study(small_study_file)
    generate(study.stimuli, study.models, copy)
    assert hashes(copy) == hashes(stimuli_folder)


EIGHT = StimuliConfig(
    tastes=[TasteConfig(name="sweet", instruments=["harp"], bpm=70)], clips_per_taste=4, seconds=1.0, seed=2025
)


@pytest.mark.slow
def test_killed_and_shared_sets_are_the_same_to_the_bit(tmp_path: Path) -> None:
    """Killed in the middle, then finished by two processes at once: nothing lost, doubled, half-written, or different."""
    folder, whole = tmp_path / "shared", tmp_path / "whole"
    generate(EIGHT, ModelsConfig(batch=2), whole)

    def started() -> multiprocessing.process.BaseProcess:
        # Forked: the networks, which are not what is tried here, are in memory already.
        process = multiprocessing.get_context("fork").Process(
            target=generate, args=(EIGHT, ModelsConfig(batch=2), folder)
        )
        process.start()
        return process

    first = started()
    deadline = time.monotonic() + 240
    while not list(folder.glob("waiting/generate/*.json")) and time.monotonic() < deadline and first.is_alive():
        time.sleep(0.005)
    first.kill()
    first.join()
    assert 0 < len(read_manifest(folder)) < 8
    both = [started() for _ in range(2)]
    for process in both:
        process.join(300)
    assert [process.exitcode for process in both] == [0, 0]
    assert hashes(folder) == hashes(whole)
    assert len(hashes(folder)) == 8
    assert verify(folder) == []
    assert {p.suffix for p in (folder / "clips").iterdir()} == {".wav"}


def test_bad_settings_are_one_line(small_study_file: Path, tmp_path: Path) -> None:
    text = small_study_file.read_text().replace("[models]", '[models]\nengine = "jax"')
    (tmp_path / "study.toml").write_text(text)
    done = subprocess.run(command(tmp_path / "study.toml", tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "engine" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    with pytest.raises(FileNotFoundError):
        (tmp_path / "small").stat()
