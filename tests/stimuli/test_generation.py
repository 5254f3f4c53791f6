"""Generation under interruption, by several processes, and its checks."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stimuli import checks
from stimuli.generate import generate
from stimuli.manifest import FILE, read_manifest, verify, write_table
from tastelab.study import load_study


def command(study: Path, out: Path) -> list[str]:
    return [
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


def hashes(folder: Path) -> dict[str, str]:
    return {row.clip: row.sha256 for row in read_manifest(folder)}


def test_killed_and_shared_sets_are_the_same_to_the_bit(
    small_study_file: Path, stimuli_folder: Path, tmp_path: Path
) -> None:
    """Killed in the middle, then finished by two processes at once: nothing lost, doubled, half-written, or different."""
    folder = tmp_path / "small" / "stimuli"
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    first = subprocess.Popen(command(small_study_file, tmp_path), env=environment)
    deadline = time.monotonic() + 120
    while not (folder / FILE).exists() and time.monotonic() < deadline and first.poll() is None:
        time.sleep(0.02)
    first.send_signal(signal.SIGKILL)
    first.wait()
    assert 0 < len(read_manifest(folder)) < 32
    both = [subprocess.Popen(command(small_study_file, tmp_path), env=environment) for _ in range(2)]
    assert [p.wait(240) for p in both] == [0, 0]
    assert hashes(folder) == hashes(stimuli_folder)
    assert verify(folder) == []
    assert {p.suffix for p in (folder / "clips").iterdir()} == {".wav"}


def test_a_lost_clip_comes_back_to_the_bit(small_study_file: Path, stimuli_folder: Path, tmp_path: Path) -> None:
    import shutil

    copy = tmp_path / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    lost = read_manifest(copy)[5]
    (copy / lost.file).write_bytes(b"changed")
    study = load_study(small_study_file)
    generate(study.stimuli, study.models, copy)
    assert hashes(copy) == hashes(stimuli_folder)


def test_rows_say_what_was_looked_for(stimuli_folder: Path) -> None:
    import pandas as pd

    for row in read_manifest(stimuli_folder):
        assert row.settings["batch"] == 8
        assert row.checks["silent_share"] < 0.5
        assert row.checks["nearest"] < checks.NEAR_DUPLICATE
        assert row.checks["nearest_clip"] != row.clip
    table = pd.read_parquet(write_table(stimuli_folder))
    assert len(table) == 32
    assert {"prompt", "seed", "sha256", "settings.engine", "checks.tries", "gain"} <= set(table.columns)


def test_the_contact_sheet_shows_every_clip(stimuli_folder: Path) -> None:
    from html.parser import HTMLParser

    from stimuli.sheet import write_sheet

    found: dict[str, list[str]] = {"audio": [], "img": []}

    class Page(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag in found:
                found[tag].append(dict(attrs)["src"] or "")

    path = write_sheet(stimuli_folder, "small")
    Page().feed(path.read_text())
    rows = read_manifest(stimuli_folder)
    assert found["audio"] == [r.file for r in rows]
    assert all((stimuli_folder / src).is_file() for src in found["audio"])
    assert len(set(found["img"])) == len(rows)
    stamp = path.stat().st_mtime_ns
    assert write_sheet(stimuli_folder, "small").stat().st_mtime_ns == stamp


def test_a_stuck_loop_is_found_and_a_held_tone_is_not() -> None:
    rng = np.random.default_rng(0)
    free = rng.integers(512, size=(6, 375))
    assert checks.stuck_share(free, 25) < 0.01
    loop = np.tile(free[:, :20], (1, 19))[:, :375]
    assert checks.stuck_share(loop, 25) > 0.9
    held = free.copy()
    held[0] = 7
    assert checks.stuck_share(held, 25) < 0.01
    assert checks.faults(0.0, checks.stuck_share(loop, 25), 0.0) == ["stuck"]


def test_silence_clipping_and_copies_are_found() -> None:
    rng = np.random.default_rng(0)
    tone = np.sin(2 * np.pi * 220 * np.arange(32000) / 16000).astype(np.float32)
    assert checks.silent_share(np.zeros(16000, np.float32), 16000) == 1
    assert checks.silent_share(tone, 16000) == 0
    assert checks.clipped_share(tone * 0.3) < checks.CLIPPED_SHARE
    assert checks.clipped_share(np.clip(3 * tone, -1, 1)) > checks.CLIPPED_SHARE
    noise = [rng.normal(size=32000).astype(np.float32) * np.linspace(0, k, 32000) ** 2 for k in (1, 2)]
    other = tone * np.sin(2 * np.pi * 1.5 * np.arange(32000) / 16000).astype(np.float32)
    prints = np.stack([checks.fingerprint(x, 16000) for x in (tone * 0.5 + noise[0], other, 0.7 * other + 1e-4)])
    closest, whose = checks.nearest(prints)
    assert closest[1] > checks.NEAR_DUPLICATE
    assert whose[1] == 2
    assert closest[0] < checks.NEAR_DUPLICATE


@given(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1))
def test_faults_are_those_over_their_limits(silent: float, stuck: float, clipped: float) -> None:
    found = checks.faults(silent, stuck, clipped)
    assert ("silent" in found) == (silent >= checks.SILENT_SHARE)
    assert ("stuck" in found) == (stuck >= checks.STUCK_SHARE)
    assert ("clipped" in found) == (clipped >= checks.CLIPPED_SHARE)


def test_bad_settings_are_one_line(small_study_file: Path, tmp_path: Path) -> None:
    text = small_study_file.read_text().replace("[models]", '[models]\nengine = "jax"')
    (tmp_path / "study.toml").write_text(text)
    done = subprocess.run(command(tmp_path / "study.toml", tmp_path), capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "engine" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    with pytest.raises(FileNotFoundError):
        (tmp_path / "small").stat()
