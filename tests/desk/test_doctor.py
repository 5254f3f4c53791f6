"""What the doctor refuses, each on a desk where it is so, and what it lets pass."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from experiment.data.store import Store
from experiment.data.tables import SessionRow
from experiment.lab.desk import Desk, virtual_desk
from stimuli.manifest import read_manifest

pytestmark = pytest.mark.desk


@pytest.fixture(scope="module")
def desk() -> Iterator[Desk]:
    with virtual_desk() as made:
        yield made


def doctor(
    environment: dict[str, str], study: Path, out: Path, db: str, *more: str
) -> tuple[dict[str, dict[str, Any]], Any]:
    command = [sys.executable, "-m", "tastelab.cli", "doctor", "--json", "--study", str(study), "--db", db]
    done = subprocess.run(
        [*command, "--out", str(out), *more], capture_output=True, text=True, env=environment, timeout=120
    )
    assert "Traceback" not in done.stderr
    rows = json.loads(done.stdout)["tables"]["checks"]
    return {r["check"]: r for r in rows}, done


def refused(found: tuple[dict[str, dict[str, Any]], Any], check: str, words: str) -> None:
    rows, done = found
    assert done.returncode == 2
    assert rows[check]["state"] == "FAILED"
    assert words in rows[check]["found"]
    assert rows[check]["mend"]
    assert check in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_good_desk(desk: Desk, small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    rows, done = doctor(desk.environment, small_study_file, outputs, f"sqlite:///{tmp_path / 'p.db'}", "--tones")
    assert done.returncode == 0, done.stderr
    # No vsync here, and no desktop that could be asked to stay awake; both are said.
    assert {n for n, r in rows.items() if r["state"] != "ok"} == {"refresh", "sleep"}
    assert rows["sleep"]["found"] == "can't be held off here: the screen may go dark while somebody listens"
    # Of a software renderer, so however fast or slow this machine draws.
    assert rows["refresh"]["found"] == "not measurable: drawn in software (llvmpipe), so nothing waits for the display"
    assert "48000 Hz, 2 channels" in rows["sound"]["found"]


def test_no_sound_card(small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    with virtual_desk(sound=False) as silent:
        found = doctor(silent.environment, small_study_file, outputs, f"sqlite:///{tmp_path / 'p.db'}", "--no-screen")
    refused(found, "sound", "no audio device")


def test_wrong_rate_and_mono(small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    db = f"sqlite:///{tmp_path / 'p.db'}"
    with virtual_desk(rate=44100) as slow:
        refused(doctor(slow.environment, small_study_file, outputs, db, "--no-screen"), "sound", "44100 Hz")
    with virtual_desk(channels=1) as mono:
        refused(doctor(mono.environment, small_study_file, outputs, db, "--no-screen"), "sound", "1 channels")


def test_no_display(desk: Desk, small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    environment = {k: v for k, v in desk.environment.items() if k != "DISPLAY"}
    refused(doctor(environment, small_study_file, outputs, f"sqlite:///{tmp_path / 'p.db'}"), "display", "no display")


def test_a_full_disk(desk: Desk, small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path) -> None:
    """A study that wants more than any disk here has."""
    wants = tmp_path / "study.toml"
    wants.write_text(small_study_file.read_text().replace("sound_check = true", "sound_check = true\ndisk_gb = 1e9"))
    found = doctor(desk.environment, wants, outputs, f"sqlite:///{tmp_path / 'p.db'}", "--no-screen")
    refused(found, "disk", "GB free")


def test_a_changed_stimulus(desk: Desk, small_study_file: Path, stimuli_folder: Path, tmp_path: Path) -> None:
    copy = tmp_path / "small" / "stimuli"
    shutil.copytree(stimuli_folder, copy)
    row = read_manifest(copy)[2]
    data = bytearray((copy / row.file).read_bytes())
    data[5000] ^= 1
    (copy / row.file).write_bytes(data)
    found = doctor(desk.environment, small_study_file, tmp_path, f"sqlite:///{tmp_path / 'p.db'}", "--no-screen")
    refused(found, "stimuli", row.clip)


def test_a_locked_and_a_read_only_database(
    desk: Desk, small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    path = tmp_path / "p.db"
    Store(f"sqlite:///{path}").close()
    holder = sqlite3.connect(path, isolation_level=None)
    holder.execute("BEGIN EXCLUSIVE")
    refused(
        doctor(desk.environment, small_study_file, outputs, f"sqlite:///{path}", "--no-screen"), "database", "locked"
    )
    holder.execute("ROLLBACK")
    holder.close()
    read_only = f"sqlite:///file:{path}?mode=ro&uri=true"
    refused(doctor(desk.environment, small_study_file, outputs, read_only, "--no-screen"), "database", "readonly")


def test_a_station_is_calibrated_and_an_override_is_stored(
    desk: Desk, small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    """Without a calibration a session is refused; with one, its gain is in the session's header."""
    study = tmp_path / "study.toml"
    level = '[experiment.level]\nby = "station"\ndba = 65\n\n[experiment.taste_words.en]'
    study.write_text(small_study_file.read_text().replace("[experiment.taste_words.en]", level))
    db = f"sqlite:///{tmp_path / 'p.db'}"
    environment = {**desk.environment, "PYTHONPATH": os.getcwd()}
    more = ["--study", str(study), "--db", db]

    def tastelab(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "tastelab.cli", *arguments, *more]
        return subprocess.run(command, capture_output=True, text=True, env=environment, input=given, timeout=120)

    run = ("experiment", "run", "--window", "--driven", "--station", "booth1", "--out", str(outputs), "--code")
    done = tastelab(*run, "c1")
    assert done.returncode == 2
    assert "calibrate --station booth1" in done.stderr
    assert tastelab("experiment", "calibrate", "--station", "booth1", given="58\n").returncode == 2  # too soft
    assert tastelab("experiment", "calibrate", "--station", "booth1", given="71.3\n66.1\n").returncode == 2  # it moved
    rows, _ = doctor(environment, study, outputs, db, "--no-screen", "--station", "booth1")
    assert rows["calibration"]["state"] == "FAILED"
    good = tastelab("experiment", "calibrate", "--station", "booth1", given="71.3\n65.1\n")
    assert good.returncode == 0, good.stderr
    rows, _ = doctor(environment, study, outputs, db, "--no-screen", "--station", "booth1")
    assert "65.0 dB(A), -6.3 dB" in rows["calibration"]["found"]
    rows, _ = doctor(environment, study, outputs, db, "--no-screen", "--station", "booth2")
    assert rows["calibration"]["state"] == "FAILED"
    # Two sessions that are ended at their first screen: one calibrated, one overridden.
    for code, extra in (("c2", ["--station", "booth1"]), ("c3", ["--station", "booth2", "--override", "calibration"])):
        command = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--window", "--driven", "--markers"]
        process = subprocess.Popen(
            [*command, *more, "--out", str(outputs), "--code", code, *extra],
            stdout=subprocess.PIPE, text=True, env=environment,
        )  # fmt: skip
        assert process.stdout is not None
        assert any(line.startswith("{") for line in process.stdout)
        process.kill()
        process.wait()
    store = Store(db)
    with store.transaction() as s:
        calibrated, overridden = s.scalars(select(SessionRow).order_by(SessionRow.id))
    store.close()
    assert calibrated.calibration["gain_db"] == pytest.approx(-6.3)
    assert calibrated.overrides == []
    assert overridden.calibration is None
    assert "calibration" in overridden.overrides[0]


def test_tones_come_from_the_sound_card_that_was_named(
    desk: Desk, small_study_file: Path, stimuli_folder: Path, outputs: Path, tmp_path: Path
) -> None:
    """Two cards: by an option, then by the study file, the second one sounds and the default is silent."""
    import numpy as np

    def pactl(*arguments: str) -> str:
        done = subprocess.run(["pactl", *arguments], env=desk.environment, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    text = small_study_file.read_text(encoding="utf-8")
    named = tmp_path / "named.toml"
    named.write_text(text + '\n[experiment.stations.b7]\nsound = "second"\n', encoding="utf-8")
    db = f"sqlite:///{tmp_path / 'p.db'}"
    module = pactl(
        "load-module", "module-null-sink", "sink_name=other", "rate=48000", "sink_properties=device.description=Second"
    )
    try:
        for study, more in ((small_study_file, ["--sound", "second"]), (named, ["--station", "b7"])):
            heard = {}
            recorders = []
            for sink in ("desk", "other"):
                path = tmp_path / f"{study.stem}-{sink}.raw"
                heard[sink] = path
                command = [
                    "parec",
                    "--raw",
                    "--format=float32le",
                    "--rate=48000",
                    "--channels=2",
                    "-d",
                    f"{sink}.monitor",
                ]
                recorders.append(subprocess.Popen(command, stdout=path.open("wb"), env=desk.environment))
            rows, done = doctor(desk.environment, study, outputs, db, "--tones", "--no-screen", *more)
            for recorder in recorders:
                recorder.terminate()
                recorder.wait()
            assert done.returncode == 0, done.stderr
            assert rows["sound"]["found"].startswith("Second, 48000 Hz, 2 channels (of 2: ")
            loudest = {s: float(np.abs(np.fromfile(p, dtype="<f4")).max(initial=0.0)) for s, p in heard.items()}
            assert loudest["desk"] == 0.0
            assert 0.05 < loudest["other"] < 0.15  # tones at -20 dBFS
    finally:
        pactl("unload-module", module)
    command = [sys.executable, "-m", "tastelab.cli", "doctor", "--study", str(named), "--db", db, "--station", "b7"]
    gone = subprocess.run(command, capture_output=True, text=True, env=desk.environment, timeout=120)
    assert (gone.returncode, gone.stdout) == (2, "")
    assert gone.stderr.startswith("tastelab: --sound second: is not there; this computer has: ")
