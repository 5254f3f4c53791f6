"""Sound through PsychoPy's psychtoolbox backend, made to work on PulseAudio too."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from experiment.errors import ExperimentError

RATE = 48000
_PREPARED = False


def prepare_audio() -> None:
    """Choose psychtoolbox, and mend three things before any stream is opened.

    psychtoolbox suspends PulseAudio's sink while it opens a stream (and then stalls), and ALSA's ``pulse`` device claims
    32 channels, all of which PsychoPy would open.
    """
    global _PREPARED
    if _PREPARED:
        return
    from psychopy import prefs

    prefs.hardware["audioLib"] = ["ptb"]
    try:
        from psychtoolbox import PsychPortAudio, audio
    except (ImportError, OSError) as error:
        raise ExperimentError(
            f"psychtoolbox cannot load ({error}); install libportaudio2 and libasound2-plugins"
        ) from None
    PsychPortAudio("EngineTunables", None, None, None, 0)
    original = audio.get_devices

    def two_channels(*args: Any, **kwargs: Any) -> Any:
        devices = original(*args, **kwargs)
        for device in devices:
            device["NrOutputChannels"] = min(2, device["NrOutputChannels"])
            # Stimuli are 48 kHz; opened at another rate, PsychoPy would resample them while they play.
            device["DefaultSampleRate"] = float(RATE)
        return devices

    audio.get_devices = two_channels
    _PREPARED = True


def open_sound(path_or_array: Any, rate: int = 48000) -> Any:
    """Open a sound for playing.

    Raises
    ------
    ExperimentError
        If there is no audio device.
    """
    prepare_audio()
    from psychopy import sound

    try:
        if isinstance(path_or_array, (str, Path)):
            return sound.Sound(str(path_or_array), stereo=True, hamming=False)
        return sound.Sound(path_or_array, sampleRate=rate, stereo=True, hamming=False)
    except Exception as error:  # psychopy raises bare Exceptions and its own kinds
        raise ExperimentError(
            f"no audio device can be opened ({error}); plug in headphones and run 'tastelab doctor'"
        ) from None


def play_through(player: Any, seconds: float, tick: Callable[[float], None]) -> dict[str, Any]:
    """Play to the end, calling ``tick(share)`` all the while; returns the onset as the driver stamped it.

    Returns
    -------
    dict
        ``asked`` and ``onset``: monotonic seconds since ``asked``; ``driver``: whether the stamp is the driver's own.
    """
    from psychtoolbox import GetSecs

    asked = GetSecs()
    player.play()
    started = time.monotonic()
    onset: float | None = None
    while True:
        elapsed = time.monotonic() - started
        tick(min(1.0, elapsed / seconds))
        if onset is None:
            onset = _driver_onset(player)
        if elapsed >= seconds + 0.1:
            break
    player.stop()
    delay = None if onset is None else round(onset - asked, 5)
    return {"onset_delay": delay, "driver": onset is not None, "seconds": round(time.monotonic() - started, 3)}


def _driver_onset(player: Any) -> float | None:
    track = getattr(player, "track", None)
    status = getattr(track, "status", None) if track is not None else None
    start = float(status["StartTime"]) if status and status.get("StartTime") else 0.0
    return start or None
