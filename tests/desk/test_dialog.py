"""The experimenter's dialog: typed into, accepted, and the session begins under that code."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import Participant, SessionRow
from experiment.lab.desk import virtual_desk

pytestmark = pytest.mark.desk


def test_the_dialog_starts_a_session(
    small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    db = f"sqlite:///{tmp_path / 'p.db'}"
    command = [sys.executable, "-m", "tastelab.cli", "experiment", "launch", "--window", "--markers", "--driven"]
    command += ["--study", str(small_study_file), "--db", db, "--out", str(outputs), "--station", "booth7"]
    with virtual_desk() as desk:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=desk.environment
        )

        def xdotool(*arguments: str) -> str:
            done = subprocess.run(["xdotool", *arguments], env=desk.environment, capture_output=True, text=True)
            return done.stdout.strip()

        deadline = time.monotonic() + 60
        found = ""
        while not found and time.monotonic() < deadline:
            time.sleep(0.5)
            found = xdotool("search", "--onlyvisible", "--name", "symphony|Multimodal|taste")
        assert found, process.poll()
        time.sleep(1)
        window = found.splitlines()[-1]
        xdotool("windowfocus", window)
        desk.screenshot(tmp_path / "dialog.png")
        xdotool("type", "--delay", "40", "L042")
        xdotool("key", "Return")
        assert process.stdout is not None
        marker = next((json.loads(line) for line in process.stdout if line.startswith("{")), None)
        process.kill()
        _, errors = process.communicate()
    assert marker is not None, errors
    assert marker["screen"] == "consent"
    store = Store(db)
    with store.transaction() as s:
        assert s.scalars(select(Participant.code)).all() == ["L042"]
        assert s.scalars(select(SessionRow.station)).all() == ["booth7"]
    store.close()
