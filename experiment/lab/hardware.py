"""The booth's screen and sound card, each by its name: which there are, and which of them a session uses.

They are chosen once for a process, before anything is opened: drivers and PsychoPy look at what stands there then.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any

from experiment.config import ExperimentConfig
from experiment.errors import ExperimentError
from experiment.stations import Seat


@dataclass(frozen=True)
class Device:
    """A sound card: its name, rate in Hz and number of output channels."""

    name: str
    rate: float
    channels: int


@dataclass(frozen=True)
class Display:
    """A screen: its number from 0, its name where the system tells one, its size in pixels."""

    number: int
    name: str
    width: int
    height: int

    @property
    def said(self) -> str:
        """As a person reads it."""
        return f"{self.number + 1}: {self.name + ', ' if self.name else ''}{self.width} x {self.height}"


_display: Display | None = None  # the one that was chosen; None: the system's first


def choose(display: str | None, sound: str | None) -> None:
    """Use this screen and this sound card from now on; None leaves the system's own.

    Raises
    ------
    ExperimentError
        If there is none of that name, or several are meant, saying what there is.
    """
    global _display
    if display is not None:
        there = displays()
        _display = there[_meant("display", display, [[str(d.number + 1), d.name, d.said] for d in there])]
    if sound is not None:
        _use_sound(sound)


def choose_for(config: ExperimentConfig, station: str, display: str | None = None, sound: str | None = None) -> None:
    """Use what is asked for, else what the study file says of a station; see `choose`."""
    seat = config.stations.get(station) or Seat()
    choose(display or seat.display, sound or seat.sound)


def chosen_display() -> int:
    """The number of the screen that windows open on, from 0."""
    return 0 if _display is None else _display.number


def used() -> dict[str, str]:
    """The screen and the sound card that a session is shown and heard on, for its header; what can't be told is left out."""
    out: dict[str, str] = {}
    with suppress(ExperimentError):
        out["display"] = displays()[chosen_display()].said
    card = output_device()
    return out | ({"sound card": card.name} if card is not None else {})


def displays() -> list[Display]:
    """The screens of this computer, as windows count them.

    Raises
    ------
    ExperimentError
        If there is none.
    """
    try:
        import pyglet

        there = pyglet.canvas.get_display().get_screens()
    except Exception as error:  # pyglet raises its own kinds
        raise ExperimentError(f"no display can be asked ({type(error).__name__}); is there one (DISPLAY)?") from None
    return [Display(k, _name(screen), int(screen.width), int(screen.height)) for k, screen in enumerate(there)]


def _name(screen: Any) -> str:
    """What Windows calls a screen; X and macOS do not tell."""
    ask = getattr(screen, "get_device_name", None)
    return str(ask()).strip("\\.") if ask is not None else ""


def sounds() -> list[str]:
    """Names of the sound cards that can be chosen: PulseAudio's or PipeWire's sinks where they run, else PortAudio's outputs."""
    sinks = pulse_sinks()
    if sinks:
        return [device.name for _, device in sinks]
    return [str(d["name"]) for d in _portaudio()]


def output_device() -> Device | None:
    """The output that is used: PulseAudio's or PipeWire's sink where they run, else PortAudio's."""
    sinks = pulse_sinks()
    name = os.environ.get("PULSE_SINK") or _pactl("get-default-sink").strip()
    for sink, device in sinks:
        if sink == name:
            return device
    try:
        import sounddevice

        found = sounddevice.query_devices(kind="output")
    except Exception:  # sounddevice raises its own, ValueError and OSError
        return None
    channels = int(found["max_output_channels"])
    return Device(str(found["name"]), float(found["default_samplerate"]), channels) if channels else None


def pulse_sinks() -> list[tuple[str, Device]]:
    """Sinks of PulseAudio or PipeWire by the server's names; none where neither runs."""
    out = []
    try:
        for sink in json.loads(_pactl("-f", "json", "list", "sinks") or "[]"):
            # e.g. "float32le 2ch 48000Hz"
            _, channels, rate = sink["sample_specification"].split()
            name = str(sink["name"])
            out.append((name, Device(str(sink["description"] or name), float(rate[:-2]), int(channels[:-2]))))
    except (ValueError, KeyError):
        return []
    return out


def _pactl(*arguments: str) -> str:
    if shutil.which("pactl") is None:
        return ""
    try:
        done = subprocess.run(["pactl", *arguments], capture_output=True, text=True, timeout=5)
    except (subprocess.TimeoutExpired, OSError):
        return ""
    return done.stdout if done.returncode == 0 else ""


def _portaudio() -> list[dict[str, Any]]:
    """Outputs that PortAudio knows. Windows has each card once for each of its four ways to sound; PsychoPy opens WASAPI's."""
    try:
        import sounddevice

        there = [d for d in sounddevice.query_devices() if d["max_output_channels"] > 0]
        if platform.system() != "Windows":
            return there
        wasapi = [k for k, way in enumerate(sounddevice.query_hostapis()) if "WASAPI" in way["name"]]
        return [d for d in there if d["hostapi"] in wasapi] or there
    except Exception:  # sounddevice raises its own, ValueError and OSError
        return []


def _use_sound(wanted: str) -> None:
    """Choose a sound card: for PulseAudio and PipeWire by what their clients read, else by PsychoPy's preference."""
    sinks = pulse_sinks()
    if sinks:
        sink, _ = sinks[_meant("sound", wanted, [[device.name, name] for name, device in sinks])]
        # libpulse's clients and PipeWire's plugin for ALSA each read one of these.
        os.environ["PULSE_SINK"] = os.environ["PIPEWIRE_NODE"] = sink
        return
    there = _portaudio()
    device = there[_meant("sound", wanted, [[str(d["name"])] for d in there])]
    import sounddevice
    from psychopy import prefs

    sounddevice.default.device = (None, device["index"])
    prefs.hardware["audioDevice"] = [str(device["name"])]


@contextmanager
def awake() -> Iterator[str]:
    """Keep the screen from going dark and the computer from sleeping; by what that was asked of, "" where nothing could be asked."""
    from wakepy import keep

    with keep.presenting(on_fail="pass") as mode:
        yield str(mode.method.name) if mode.active and mode.method is not None else ""


def _meant(option: str, wanted: str, there: Sequence[Sequence[str]]) -> int:
    """Which of some named things is meant: the one so called, else the one in one of whose names this stands."""
    known = [k for k, names in enumerate(there) if wanted in names]
    if len(known) != 1:
        known = (
            [k for k, names in enumerate(there) if any(wanted.casefold() in n.casefold() for n in names)]
            if wanted
            else []
        )
    if len(known) == 1:
        return known[0]
    listed = "; ".join(names[-1] if option == "display" else names[0] for names in there) or "none"
    why = "is not there" if not known else "may be any of several"
    raise ExperimentError(f"--{option} {wanted}: {why}; this computer has: {listed}")
