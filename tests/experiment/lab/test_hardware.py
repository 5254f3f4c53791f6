"""Screens and sound cards by their names: what there is, which is used, and what is said where a name means none or several."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from experiment.errors import ExperimentError
from experiment.lab import hardware, station
from experiment.lab.hardware import Device, Display
from tests.experiment.test_own_questions import config as asked


@pytest.fixture(autouse=True)
def as_before(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test chose is no choice of the next."""
    for name in ("PULSE_SINK", "PIPEWIRE_NODE"):
        monkeypatch.setenv(name, "x")
        monkeypatch.delenv(name)
    monkeypatch.setattr(hardware, "_display", None)
    yield
    for name in ("PULSE_SINK", "PIPEWIRE_NODE"):
        os.environ.pop(name, None)


def pactl(monkeypatch: pytest.MonkeyPatch, answers: dict[str, str], status: int = 0) -> None:
    """Let `pactl` answer by its first word."""
    monkeypatch.setattr(hardware.shutil, "which", lambda name: f"/usr/bin/{name}")

    def run(command: list[str], **_: Any) -> Any:
        assert command in (["pactl", "get-default-sink"], ["pactl", "-f", "json", "list", "sinks"])
        return SimpleNamespace(returncode=status, stdout=answers["name" if "get-default-sink" in command else "sinks"])

    monkeypatch.setattr(hardware.subprocess, "run", run)


def sinks(*specs: tuple[str, str, str | None]) -> str:
    return json.dumps([{"name": n, "sample_specification": s, "description": d} for n, s, d in specs])


def test_the_default_sink_is_the_sound_card(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = sinks(("a", "s16le 1ch 8000Hz", "Phone"), ("b", "float32le 2ch 48000Hz", "USB headphones"))
    pactl(monkeypatch, {"name": "b\n", "sinks": listed})
    assert hardware.output_device() == Device("USB headphones", 48000.0, 2)
    pactl(monkeypatch, {"name": "a\n", "sinks": sinks(("a", "s16le 1ch 8000Hz", ""))})
    assert hardware.output_device() == Device("a", 8000.0, 1)


@pytest.mark.parametrize("sound", [{"name": "c", "sinks": sinks(("a", "s16le 2ch 8000Hz", "A"))},
                                   {"name": "", "sinks": "[]"}, {"name": "a", "sinks": "{"},
                                   {"name": "a", "sinks": sinks(("a", "unknown", "A"))}])  # fmt: skip
def test_else_what_portaudio_calls_default(monkeypatch: pytest.MonkeyPatch, sound: dict[str, str]) -> None:
    pactl(monkeypatch, sound)
    found = {"name": "Realtek", "max_output_channels": 2, "default_samplerate": 44100.0}
    fake = SimpleNamespace(query_devices=lambda kind: found if kind == "output" else None)
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    assert hardware.output_device() == Device("Realtek", 44100.0, 2)
    found["max_output_channels"] = 0
    assert hardware.output_device() is None

    def none(kind: str) -> None:
        raise ValueError(kind)

    fake.query_devices = none
    assert hardware.output_device() is None
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    assert hardware.output_device() is None


def test_a_pulseaudio_that_hangs_or_refuses_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(
        query_devices=lambda kind: {"name": "R", "max_output_channels": 2, "default_samplerate": 48000}
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)  # type: ignore[arg-type]
    pactl(monkeypatch, {"name": "a", "sinks": sinks(("a", "s16le 2ch 8000Hz", "A"))}, status=1)
    assert hardware.output_device() == Device("R", 48000.0, 2)

    def hangs(*_: Any, **__: Any) -> None:
        raise subprocess.TimeoutExpired("pactl", 5)

    monkeypatch.setattr(hardware.subprocess, "run", hangs)
    assert hardware.output_device() == Device("R", 48000.0, 2)


TWO = sinks(("a", "s16le 2ch 48000Hz", "Monitor's speakers"), ("usb-7", "float32le 2ch 48000Hz", "USB headphones"))


@pytest.mark.parametrize("wanted", ["USB headphones", "usb-7", "headPHONES"])
def test_a_sound_card_is_chosen_by_its_name_or_a_part_of_it(monkeypatch: pytest.MonkeyPatch, wanted: str) -> None:
    """What libpulse and PipeWire's plugin read then names it, and so does the check before a session."""
    pactl(monkeypatch, {"name": "a\n", "sinks": TWO})
    assert hardware.sounds() == ["Monitor's speakers", "USB headphones"]
    assert hardware.output_device() == Device("Monitor's speakers", 48000.0, 2)
    hardware.choose(None, wanted)
    assert (os.environ["PULSE_SINK"], os.environ["PIPEWIRE_NODE"]) == ("usb-7", "usb-7")
    assert hardware.output_device() == Device("USB headphones", 48000.0, 2)
    both = "USB headphones, 48000 Hz, 2 channels (of 2: Monitor's speakers; USB headphones; --sound)"
    assert station.check_sound().found == both


@pytest.mark.parametrize(
    ("wanted", "why"),
    [("Bluetooth", "is not there"), ("s", "may be any of several"), ("", "is not there")],
)
def test_a_sound_card_that_is_none_or_several_is_refused(
    monkeypatch: pytest.MonkeyPatch, wanted: str, why: str
) -> None:
    pactl(monkeypatch, {"name": "a\n", "sinks": TWO})
    with pytest.raises(ExperimentError) as told:
        hardware.choose(None, wanted)
    assert str(told.value) == f"--sound {wanted}: {why}; this computer has: Monitor's speakers; USB headphones"
    assert "PULSE_SINK" not in os.environ


def test_without_pulseaudio_psychopy_and_portaudio_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    there = [
        {"name": "Microphone", "max_output_channels": 0, "index": 0},
        {"name": "Realtek", "max_output_channels": 2, "index": 1},
        {"name": "Focusrite", "max_output_channels": 8, "index": 4},
    ]
    fake: Any = SimpleNamespace(query_devices=lambda: there, default=SimpleNamespace(device=(0, 1)))
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    psychopy = ModuleType("psychopy")
    psychopy.__dict__["prefs"] = SimpleNamespace(hardware={"audioDevice": ["default"]})
    monkeypatch.setitem(sys.modules, "psychopy", psychopy)
    assert hardware.sounds() == ["Realtek", "Focusrite"]
    hardware.choose(None, "focus")
    assert fake.default.device == (None, 4)
    assert psychopy.__dict__["prefs"].hardware == {"audioDevice": ["Focusrite"]}
    with pytest.raises(ExperimentError, match="--sound Micro: is not there; this computer has: Realtek; Focusrite"):
        hardware.choose(None, "Micro")


def test_a_card_that_windows_lists_four_times_is_chosen_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    """Under each of its ways to sound a card has a name of its own, or the same; PsychoPy looks among WASAPI's alone."""
    monkeypatch.setattr(hardware.shutil, "which", lambda name: None)
    monkeypatch.setattr(hardware.platform, "system", lambda: "Windows")
    focusrite, realtek = "Headphones (Focusrite USB Audio)", "Speakers (Realtek(R) Audio)"
    named = [("Microsoft Sound Mapper - Output", 0), (focusrite[:31], 0), (realtek, 0), ("Primary Sound Driver", 1),
             (focusrite, 1), (realtek, 1), (focusrite, 2), (realtek, 2), (focusrite, 3), (realtek, 3)]  # fmt: skip
    there = [{"name": n, "max_output_channels": 2, "index": k, "hostapi": way} for k, (n, way) in enumerate(named)]
    ways = [{"name": n} for n in ("MME", "Windows DirectSound", "Windows WASAPI", "Windows WDM-KS")]
    fake: Any = SimpleNamespace(
        query_devices=lambda: there, query_hostapis=lambda: ways, default=SimpleNamespace(device=(0, 1))
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    psychopy = ModuleType("psychopy")
    psychopy.__dict__["prefs"] = SimpleNamespace(hardware={})
    monkeypatch.setitem(sys.modules, "psychopy", psychopy)
    assert hardware.sounds() == [focusrite, realtek]
    hardware.choose(None, "realtek")
    assert (fake.default.device, psychopy.__dict__["prefs"].hardware) == ((None, 7), {"audioDevice": [realtek]})
    del ways[2]
    assert len(hardware.sounds()) == len(named)


@pytest.fixture
def screens(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two screens, the second of which tells its name as Windows does."""
    there = [
        SimpleNamespace(width=1920, height=1080),
        SimpleNamespace(width=1280, height=1024, get_device_name=lambda: "\\\\.\\DISPLAY2"),
    ]
    pyglet: Any = SimpleNamespace(
        canvas=SimpleNamespace(get_display=lambda: SimpleNamespace(get_screens=lambda: there))
    )
    monkeypatch.setitem(sys.modules, "pyglet", pyglet)


@pytest.mark.parametrize("wanted", ["2", "DISPLAY2", "display2", "2: DISPLAY2, 1280 x 1024"])
def test_a_screen_is_chosen_by_its_number_or_its_name(
    screens: None, monkeypatch: pytest.MonkeyPatch, wanted: str
) -> None:
    from experiment.lab.opening import display_size

    assert hardware.displays() == [Display(0, "", 1920, 1080), Display(1, "DISPLAY2", 1280, 1024)]
    assert (hardware.chosen_display(), display_size()) == (0, (1920, 1080))
    hardware.choose(wanted, None)
    assert (hardware.chosen_display(), display_size()) == (1, (1280, 1024))
    monkeypatch.setattr(hardware, "output_device", lambda: Device("Card", 48000.0, 2))
    assert hardware.used() == {"display": "2: DISPLAY2, 1280 x 1024", "sound card": "Card"}


def test_a_screen_that_is_not_there_is_refused(screens: None) -> None:
    with pytest.raises(
        ExperimentError,
        match=r"--display 3: is not there; this computer has: 1: 1920 x 1080; 2: DISPLAY2, 1280 x 1024$",
    ):
        hardware.choose("3", None)
    assert hardware.chosen_display() == 0


def test_without_a_display_there_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def none() -> None:
        raise OSError

    monkeypatch.setitem(sys.modules, "pyglet", SimpleNamespace(canvas=SimpleNamespace(get_display=none)))  # type: ignore[arg-type]
    with pytest.raises(ExperimentError, match=r"no display can be asked \(OSError\)"):
        hardware.displays()


def test_a_station_has_its_own_and_an_option_comes_before_it(screens: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pactl(monkeypatch, {"name": "a\n", "sinks": TWO})
    config = asked(stations={"booth 2": {"display": "2", "sound": "USB"}})
    hardware.choose_for(config, "booth 1")
    assert (hardware.chosen_display(), "PULSE_SINK" in os.environ) == (0, False)
    hardware.choose_for(config, "booth 2")
    assert (hardware.chosen_display(), os.environ["PULSE_SINK"]) == (1, "usb-7")
    hardware.choose_for(config, "booth 2", "1", "speakers")
    assert (hardware.chosen_display(), os.environ["PULSE_SINK"]) == (0, "a")


def test_distance_and_height_of_a_station_belong_together() -> None:
    with pytest.raises(ValueError, match="distance and height belong together"):
        asked(stations={"b": {"distance": 60}})


def test_a_session_is_kept_awake_and_the_computer_sleeps_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """What wakepy calls succeeding (its own switch for tests): asked at the beginning, let go at the end."""
    import wakepy

    monkeypatch.setenv("WAKEPY_FAKE_SUCCESS", "yes")
    with hardware.awake() as by:
        assert by == "WakepyFakeSuccess"
        assert wakepy.current_mode() is not None
        assert wakepy.current_mode().name == "keep.presenting"
    assert station.check_sleep() == station.Check("sleep", "ok", "held off while a session runs (WakepyFakeSuccess)")
    monkeypatch.delenv("WAKEPY_FAKE_SUCCESS")
    monkeypatch.delenv("DBUS_SESSION_BUS_ADDRESS", raising=False)
    with hardware.awake() as by:
        assert by == ""
    check = station.check_sleep()
    assert (check.state, "blanking" in check.mend) == ("warning", True)
