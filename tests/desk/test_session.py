"""A real PsychoPy session on a virtual desk: what was given is stored, what was heard is the stimulus, a kill loses nothing."""

from __future__ import annotations

import signal
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import Event, Response, SessionRow
from experiment.lab.desk import RATE, Hand, compare_capture, drive, virtual_desk
from stimuli.audio import load_mono
from stimuli.manifest import read_manifest

pytestmark = pytest.mark.desk


def command(study: Path, db: str, out: Path, *more: str) -> list[str]:
    base = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven"]
    return [*base, "--study", str(study), "--db", db, "--out", str(out), *more]


def stored(db: str) -> list[tuple[str, float | None, str | None]]:
    store = Store(db)
    with store.transaction() as s:
        rows = [(r.item, r.value, r.choice) for r in s.scalars(select(Response).order_by(Response.id))]
    store.close()
    return rows


def given(report: Any) -> list[tuple[str, float | None, str | None]]:
    return [(g["item"], g.get("value"), g.get("choice")) for g in report.given]


def test_a_killed_session_loses_nothing_and_goes_on(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    db = f"sqlite:///{tmp_path / 'p.db'}"
    rng = np.random.default_rng(5)
    asked = 0

    def pull_the_plug(count: int, marker: dict[str, Any], process: Any) -> None:
        nonlocal asked
        if marker["screen"] == "steps":
            asked += 1
            if asked == 4:
                process.send_signal(signal.SIGKILL)
                process.wait()

    with virtual_desk() as desk:
        capture = tmp_path / "capture.raw"
        first = drive(desk, command(small_study_file, db, outputs, "--code", "d1"), rng, capture, pull_the_plug, 200)
        assert first.status == -signal.SIGKILL, first.errors
        assert stored(db) == given(first)  # every answer given before the kill is there, exactly
        assert len(given(first)) == 8 + 4 + 3
        second = drive(desk, command(small_study_file, db, outputs, "--resume", "d1"), rng, None, None, 200)
        assert second.status == 0, second.errors
    assert stored(db) == given(first) + given(second)
    assert len(stored(db)) == 8 + 4 + 2 * 12
    assert "consent" not in [m["screen"] for m in second.markers]

    heard = np.fromfile(capture, dtype=np.float32).reshape(-1, 2).mean(axis=1)
    clips = {r.clip: r for r in read_manifest(stimuli_folder)}
    played = [m["clip"] for m in first.markers if m["screen"] == "playing"]
    assert len(played) == 2 * 4 + 1
    start = 0
    for name in played:
        stimulus = load_mono(stimuli_folder / clips[name].file, RATE)
        r, at, error = compare_capture(heard, stimulus, start)
        assert r > 0.999, name
        assert error < 1e-3, name
        start = at + len(stimulus) // 2

    store = Store(db)
    with store.transaction() as s:
        session = s.scalars(select(SessionRow)).one()
        assert session.status == "complete"
        assert session.kind == "driven"
        assert session.versions["psychopy"]
        onsets = list(s.scalars(select(Event).where(Event.name == "audio_onset")))
        assert len(onsets) >= len(played)
        assert all(e.detail["driver"] and 0 <= e.detail["onset_delay"] < 0.5 for e in onsets)
        times = list(s.scalars(select(Response.response_time)))
        assert all(t is not None and t > 0 for t in times)
    store.close()


def test_a_whole_session_in_italian_by_keyboard_alone(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    """No mouse at all; Esc asks once, 'no' goes on where one was."""
    db = f"sqlite:///{tmp_path / 'p.db'}"
    asked = 0
    with virtual_desk() as desk:
        hand = Hand(desk, np.random.default_rng(0))

        def doubt(count: int, marker: dict[str, Any], process: Any) -> None:
            nonlocal asked
            asked += marker["screen"] in ("choice", "slider")
            if asked == 3 and marker["screen"] in ("choice", "slider"):
                asked += 1
                hand.press("Escape")
                time.sleep(0.5)
                hand.press("2")
                time.sleep(0.5)

        session = command(small_study_file, db, outputs, "--code", "k1", "--language", "it")
        done = drive(desk, session, np.random.default_rng(6), None, doubt, 300, keyboard=True)
    assert done.status == 0, done.errors
    assert [m["screen"] for m in done.markers].count("stop") == 1
    assert stored(db) == given(done)
    assert len(stored(db)) == 8 + 4 + 2 * 12
    store = Store(db)
    with store.transaction() as s:
        session_row = s.scalars(select(SessionRow)).one()
        assert (session_row.status, session_row.language) == ("complete", "it")
    store.close()


def test_a_changed_file_is_refused_before_anything_is_shown(
    small_study_file: Path, stimuli_folder: Path, tmp_path: Path
) -> None:
    import shutil
    import subprocess

    copy = tmp_path / "small" / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    row = read_manifest(copy)[0]
    data = bytearray((copy / row.file).read_bytes())
    data[9000] ^= 1
    (copy / row.file).write_bytes(data)
    db = f"sqlite:///{tmp_path / 'p.db'}"
    with virtual_desk() as desk:
        done = subprocess.run(
            command(small_study_file, db, tmp_path, "--code", "d1"),
            capture_output=True, text=True, env=desk.environment,
        )  # fmt: skip
    assert done.returncode == 2
    assert row.clip in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert stored(db) == []


def test_no_display_is_one_line(small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    import os
    import subprocess

    environment = {k: v for k, v in os.environ.items() if k not in ("DISPLAY", "WAYLAND_DISPLAY")}
    done = subprocess.run(
        command(small_study_file, f"sqlite:///{tmp_path / 'p.db'}", outputs, "--code", "x"),
        capture_output=True, text=True, env=environment,
    )  # fmt: skip
    assert done.returncode == 2
    assert "display" in done.stderr
