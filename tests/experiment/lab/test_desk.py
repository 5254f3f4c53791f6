"""The virtual desk: its programs, how they are called, and what is said where one does not start."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from experiment.errors import ExperimentError
from experiment.lab import desk


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.time, "sleep", lambda _: None)


def test_missing_programs_are_named_by_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk.shutil, "which", lambda name: None if name in ("parec", "pactl", "Xvfb") else "/usr/bin/x")
    assert desk.missing_programs() == ["pulseaudio-utils", "xvfb"]
    with pytest.raises(ExperimentError, match="needs the packages pulseaudio-utils, xvfb"), desk.virtual_desk():
        pass
    monkeypatch.setattr(desk.shutil, "which", lambda name: "/usr/bin/x")
    assert desk.missing_programs() == []


STUBS = {
    "Xvfb": 'printf "%s " "$@" > "$LOG/Xvfb"; [ -n "$NO_SCREEN" ] && exit 1; echo 77 > /proc/self/fd/$2; exec sleep 60',
    "pulseaudio": 'printf "%s " "$@" > "$LOG/pulseaudio"; env > "$LOG/environment"; cp "$3" "$LOG/script"; [ -n "$NO_SOUND" ] && exit 1; '
    'touch "$(sed -n \'s/.*socket=//p\' "$3")"; exec sleep 60',
    "parec": 'printf "%s " "$@" > "$LOG/parec"; printf sound; exec sleep 60',
    "xdotool": "true",
    "pactl": "true",
}


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Stand-ins for the desk's programs, which write down how they were called; returns the folder of what they wrote."""
    monkeypatch.undo()
    (tmp_path / "bin").mkdir()
    for name, script in STUBS.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{script}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:{os.environ['PATH']}")
    monkeypatch.setenv("LOG", str(tmp_path))
    for name in ("DISPLAY", "WAYLAND_DISPLAY", "PULSE_SERVER"):
        monkeypatch.setenv(name, "the user's own")
    return tmp_path


def test_a_desk_is_a_screen_and_a_sound_card_of_its_own(programs: Path) -> None:
    """No program reaches the user's screen or sound; all of it ends with the desk."""
    with desk.virtual_desk() as made:
        assert made.environment["DISPLAY"] == ":77"
        assert "WAYLAND_DISPLAY" not in made.environment
        folder = made.folder
        assert made.environment["PULSE_SERVER"] == f"unix:{folder / 'pulse.socket'}"
        assert made.environment["HOME"] == made.environment["XDG_RUNTIME_DIR"] == str(folder)
        # Drawing and sound share one processor here: one thread for the one, 80 ms for the other.
        wanted = {"LIBGL_ALWAYS_SOFTWARE": "1", "LP_NUM_THREADS": "1", "PULSE_LATENCY_MSEC": "80"}
        assert {k: made.environment[k] for k in wanted} == wanted
        assert (folder / ".asoundrc").read_text().splitlines() == [
            "pcm.!default { type pulse }",
            "ctl.!default { type pulse }",
        ]
        recorder = made.record(programs / "capture.raw")
        assert (programs / "capture.raw").read_bytes() == b"sound"
        processes = list(made._processes)
        assert len(processes) == 3
        assert all(p.poll() is None for p in processes)
        assert recorder in processes
    assert all(p.poll() is not None for p in processes)
    assert not folder.exists()
    assert (programs / "Xvfb").read_text().split()[2:] == ["-screen", "0", "1280x800x24", "-nolisten", "tcp"]
    assert (programs / "script").read_text().splitlines() == [
        f"load-module module-native-protocol-unix auth-anonymous=1 socket={folder / 'pulse.socket'}",
        "load-module module-null-sink sink_name=desk rate=48000 format=float32le channels=2",
        "set-default-sink desk",
    ]
    said = (programs / "pulseaudio").read_text().split()
    assert said[:2] == ["-n", "-F"]
    assert {"--daemonize=no", "--exit-idle-time=-1", "--use-pid-file=no", "--disable-shm=yes"} <= set(said)
    assert "DISPLAY=:77" in (programs / "environment").read_text().splitlines()
    heard = (programs / "parec").read_text().split()
    assert set(heard[:-2]) == {"--raw", "--format=float32le", "--rate=48000", "--channels=2", "--latency-msec=200"}
    assert heard[-2:] == ["-d", "desk.monitor"]


def test_a_desk_may_have_another_sound_card_or_none(programs: Path) -> None:
    with desk.virtual_desk(44100, 1):
        assert "rate=44100 format=float32le channels=1" in (programs / "script").read_text()
    (programs / "pulseaudio").unlink()
    with desk.virtual_desk(sound=False) as made:
        assert len(made._processes) == 1
    assert not (programs / "pulseaudio").exists()


@pytest.mark.parametrize(
    ("lacking", "told"), [("NO_SCREEN", "Xvfb did not start"), ("NO_SOUND", "pulseaudio did not start")]
)
def test_what_does_not_start_is_said_and_nothing_is_left(
    lacking: str, told: str, programs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[str] = []
    was = desk.tempfile.mkdtemp
    monkeypatch.setattr(desk.tempfile, "mkdtemp", lambda **how: made.append(was(**how)) or made[-1])
    monkeypatch.setenv(lacking, "1")
    with pytest.raises(ExperimentError, match=told), desk.virtual_desk():
        pass
    assert len(made) == 1
    assert not Path(made[0]).exists()
