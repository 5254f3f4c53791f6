"""Sound through PsychoPy's psychtoolbox backend, made to work on PulseAudio too."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from experiment.errors import ExperimentError
from experiment.headphones import RATE
from experiment.tones import tone

LEAD = 0.08  # s ahead that a sound is scheduled
TAIL = 0.1  # s that samples are under way after the driver took the last of them
STALLED = 2.0  # s in which no sample leaves after which a sound is broken off
OPENING = 5.0  # s that a sound card may take to begin
BEHIND, DRIFT = (
    0.04,
    5e-4,
)  # s by which samples may leave later than they did, and that per s of sound: clocks differ a little
SLACK = 0.02  # s that may lack at a sound's end: durations are kept in ms, drivers take samples in blocks
_PREPARED = False


def prepare_audio() -> None:
    """Choose psychtoolbox, and mend three things before any stream is opened.

    psychtoolbox suspends PulseAudio's sink while it opens a stream (and then stalls), and ALSA's ``pulse`` device claims
    32 channels, all of which PsychoPy would open.
    """
    global _PREPARED
    if _PREPARED:
        return
    from psychopy import logging, prefs

    logging.console.setLevel(logging.ERROR)  # PsychoPy's warnings go to standard output too
    prefs.hardware["audioLib"] = ["ptb"]
    try:
        from psychtoolbox import PsychPortAudio, audio
    except (ImportError, OSError) as error:
        raise ExperimentError(
            f"psychtoolbox cannot load ({error}); install libportaudio2 and libasound2-plugins"
        ) from None
    PsychPortAudio("Verbosity", 1)  # errors only: its notices go to standard output, where results belong
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


def open_sound(path_or_array: Any, rate: int = RATE, gain_db: float = 0.0) -> Any:
    """Open a sound for playing, softer by `gain_db` (0 or less).

    Raises
    ------
    ExperimentError
        If there is no audio device, or the file is gone.
    """
    prepare_audio()
    from psychopy import sound

    options: dict[str, Any] = {"stereo": True, "hamming": False, "volume": min(1.0, 10 ** (gain_db / 20))}
    try:
        if isinstance(path_or_array, (str, Path)):
            return sound.Sound(str(path_or_array), **options)
        return sound.Sound(path_or_array, sampleRate=rate, **options)
    except Exception as error:  # psychopy raises bare Exceptions and its own kinds
        if isinstance(path_or_array, (str, Path)) and not Path(path_or_array).is_file():
            raise ExperimentError(
                f"sound {path_or_array} is not there any more; is the disk with the stimuli connected? What was answered is "
                "stored, go on with --resume"
            ) from None
        raise ExperimentError(
            f"no audio device can be opened ({error}); plug in headphones and run 'tastelab doctor'"
        ) from None


class Heard(Protocol):
    """Who is told of a sound."""

    def due(self, moment: float) -> None:
        """It begins at a moment of the monotonic clock."""

    def began(self, ago: float) -> None:
        """It began so many seconds ago, by the driver where that tells."""

    def over(self) -> None:
        """It is over."""


def play_through(
    player: Any, seconds: float, tick: Callable[[float], bool | None], heard: Heard | None = None
) -> dict[str, Any]:
    """Play to the end, calling ``tick(share)`` all the while; returns the onset as the driver stamped it, and how it went.

    The start is scheduled `LEAD` ahead, so that the driver, not this process, times it. It is over when the driver has taken
    all samples; where they stop leaving for `STALLED`, it is broken off. A tick that returns True ends the sound early; one
    that raises leaves it stopped. `heard` is told when it is due, when it began and when it is over.

    Returns
    -------
    dict
        ``onset_delay``: s from the call to the onset; ``onset_error``: s from the scheduled time to the driver's stamp
        of the onset; ``driver``: whether there is such a stamp; ``began``: the onset on the monotonic clock; ``seconds``:
        how long it took in all; ``played``: s of the sound that the driver took, None where it does not tell; ``underruns``
        of the driver meanwhile; ``behind``: s by which samples came to leave later than before, as after a stall; ``whole``:
        whether all of it was played without either, where the driver tells.
    """
    from psychtoolbox import GetSecs

    asked, at = GetSecs(), time.monotonic()
    player.play(when=asked + LEAD)
    started = time.monotonic()
    course = _Course(seconds, started + LEAD)
    if heard is not None:
        heard.due(at + LEAD)
    untold = heard
    try:
        while not (tick(course.share) or course.over(_told(player), time.monotonic())):
            if untold is not None and course.onset is not None:
                untold.began(GetSecs() - course.onset)
                untold = None
    finally:
        halt(player)
        if heard is not None:
            if untold is not None and course.played > 0:  # where no driver tells, at the moment that was asked for
                untold.began(GetSecs() - (asked + LEAD if course.onset is None else course.onset))
            heard.over()
    onset = course.onset
    return {
        "onset_delay": None if onset is None else round(onset - asked, 5),
        "onset_error": None if onset is None else round(onset - asked - LEAD, 5),
        "driver": onset is not None,
        "began": started + (LEAD if onset is None else onset - asked),
        "seconds": round(time.monotonic() - started, 3),
        "played": None if onset is None else round(course.played, 3),
        "underruns": course.underruns,
        "behind": round(course.behind, 3),
        "whole": not (course.stalled or course.held_up or course.underruns)
        and (onset is None or course.played >= seconds - SLACK),
    }


class _Course:
    """How far a sound has come, by the driver where it tells, else by the clock."""

    def __init__(self, seconds: float, due: float):
        self.seconds, self.due = seconds, due
        self.share, self.played, self.underruns = 0.0, 0.0, 0
        self.onset: float | None = None
        self.stalled = False
        self._moved = due
        self._before: float | None = None  # underruns that the driver counted up to the onset
        self._ended: float | None = None
        self.behind, self.held_up = 0.0, False
        self._block = 0.0  # s of samples that leave at once
        self._least: float | None = None  # smallest lag of samples behind the clock
        self._lags: list[float] = []

    def over(self, told: dict[str, Any], now: float) -> bool:
        """Whether all has been played, or has stopped being played; `told` by the driver at a moment of the monotonic clock."""
        if "PositionSecs" not in told:
            self.onset = self.onset or (float(told["StartTime"]) if told.get("StartTime") else None)
            self.played = min(self.seconds, max(0.0, now - self.due))
            self.share = self.played / self.seconds
            return now - self.due >= self.seconds + TAIL
        if told["StartTime"]:
            counted = float(told.get("XRuns", 0.0))
            self._before = counted if self._before is None else self._before
            self.underruns = max(self.underruns, int(counted - self._before))
            self.onset = float(told["StartTime"])
            at = min(self.seconds, float(told["PositionSecs"]))
            if told["Active"]:
                self._fall_behind(at, now)
            if at > self.played:
                self.played, self._moved = at, now
            self.share = self.played / self.seconds
            if self._ended is None and (self.played >= self.seconds or not told["Active"]):
                self._ended = now
        patience = OPENING if self.onset is None else STALLED
        self.stalled = self._ended is None and now - self._moved > patience
        return self.stalled or (self._ended is not None and now - self._ended >= TAIL)

    def _fall_behind(self, at: float, now: float) -> None:
        """Hear from how late samples leave whether they were held up: music had a gap then, though no driver counts one.

        A card that stalls and goes on, or that runs at another rate, takes samples later than it did before. They leave block by
        block, and whoever asks may be late himself: what counts is the earliest of three words of the driver.
        """
        if at > self.played > 0:
            self._block = min(self._block or at - self.played, at - self.played)
        if not 0 < at < self.seconds:
            return
        self._lags = [*self._lags[-2:], now - at]
        least = min(self._lags)
        if len(self._lags) == 3:
            self._least = least if self._least is None else min(self._least, least)
            self.behind = max(self.behind, least - self._least)
        if self._block:  # before, no one knows how late the next may be
            self.held_up = self.held_up or self.behind > max(BEHIND, 2 * self._block) + DRIFT * at


def _told(player: Any) -> dict[str, Any]:
    """What the driver says of a sound; nothing where it is none of psychtoolbox."""
    track = getattr(player, "track", None)
    return dict(getattr(track, "status", None) or {}) if track is not None else {}


def halt(player: Any) -> None:
    """Stop a sound. Where samples no longer leave psychtoolbox would wait for ever for the last of them: that is not waited for."""
    track = getattr(player, "track", None)
    if track is not None and hasattr(track, "stop"):
        track.stop(block_until_stopped=0)
    else:
        player.stop()


def release(player: Any) -> None:
    """Give a sound's stream back when it has been heard.

    PsychoPy opens a stream of its own for every sound and closes none: after some dozens (fewer where they are long) the sound
    server has none left, and a session could not go on.
    """
    track = getattr(player, "track", None)
    if track is not None and hasattr(track, "close"):
        track.close()
    stream = getattr(getattr(player, "speaker", None), "stream", None)
    if stream is not None:
        stream.close()


def play_tone(side: str, seconds: float = 0.8) -> None:
    """Play a tone on one side, ``"left"`` or ``"right"``."""

    def wait(_: float) -> None:
        time.sleep(0.01)

    player = open_sound(tone(side, seconds))
    play_through(player, seconds, wait)
    release(player)
