"""Sounds by numbers computed here: rate, level, duration, side; and when they are played, by two clocks."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from experiment.errors import ExperimentError
from experiment.lab import playback
from tests.experiment.lab.glass import LATE, STAMP, Sound, Track, World

RATE = 48000


@pytest.mark.parametrize(("side", "left", "right"), [("left", 0.1, 0.0), ("right", 0.0, 0.1)])
def test_a_tone_on_one_side(
    glass: World, monkeypatch: pytest.MonkeyPatch, side: str, left: float, right: float
) -> None:
    """440 Hz at -20 dBFS for 0.8 s, on that side alone."""
    playback.play_tone(side)
    (sound,) = glass.sounds
    assert sound.value.shape == (round(0.8 * RATE), 2)
    assert np.abs(sound.value).max(axis=0) == pytest.approx([left, right], abs=1e-3)
    tone = sound.value.sum(axis=1)
    assert np.argmax(np.abs(np.fft.rfft(tone))) / 0.8 == pytest.approx(440)
    assert sound.options["sampleRate"] == RATE


@pytest.mark.parametrize(("gain", "volume"), [(0, 1.0), (-6, 0.501), (-20, 0.1), (-40, 0.01), (3, 1.0)])
def test_clips_are_only_made_softer(glass: World, gain: float, volume: float) -> None:
    for value in ("clip.wav", np.zeros((10, 2), np.float32)):
        made = playback.open_sound(value, gain_db=gain)
        assert made.options["volume"] == pytest.approx(volume, abs=0.001)
        assert made.options["stereo"] is True
        assert made.options["hamming"] is False
    assert Sound.made[0].value == "clip.wav"
    assert "sampleRate" not in Sound.made[0].options  # a file has its own
    assert Sound.made[1].options["sampleRate"] == RATE


def test_a_clip_that_went_away_is_no_missing_sound_card(
    glass: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A stick was pulled out: to plug in headphones would not help."""

    def none(name: str, **_: Any) -> None:
        raise ValueError(f"setSound: could not find a sound file named {name}")

    monkeypatch.setattr(sys.modules["psychopy.sound"], "Sound", none, raising=False)
    with pytest.raises(ExperimentError, match=r"gone.wav is not there any more; .*--resume") as said:
        playback.open_sound(tmp_path / "gone.wav")
    assert "audio device" not in str(said.value)


def test_a_sound_card_that_is_not_there_is_one_line(glass: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: Any, **__: Any) -> None:
        raise RuntimeError("no devices")

    monkeypatch.setattr(sys.modules["psychopy.sound"], "Sound", none, raising=False)
    with pytest.raises(ExperimentError, match=r"no audio device can be opened \(no devices\)"):
        playback.open_sound(np.zeros((10, 2), np.float32))


def test_where_the_driver_tells_no_place_the_first_onset_counts_and_the_clock_says_how_far_it_is() -> None:
    course = playback._Course(2.0, 100.0)
    assert not course.over({}, 100.5)
    assert (course.onset, course.played, course.share) == (None, 0.5, 0.25)
    assert not course.over({"StartTime": 0.0}, 99.0)
    assert (course.onset, course.played) == (None, 0.0)
    assert not course.over({"StartTime": 600.1}, 101.0)
    assert not course.over({"StartTime": 600.9}, 101.9)
    assert course.onset == 600.1
    assert course.over({}, 103.0)
    assert (course.onset, course.played, course.share) == (600.1, 2.0, 1.0)


def test_playing_is_scheduled_ahead_and_ends_after_the_sound(glass: World) -> None:
    shares: list[float] = []

    def tick(share: float) -> None:
        shares.append(share)
        glass.clock.sleep(0.05)

    began = glass.clock.now
    sound = playback.open_sound("x.wav")
    record = playback.play_through(sound, 1.0, tick)
    assert sound.played == [pytest.approx(began + 0.08)]
    assert record["onset_delay"] == pytest.approx(0.08 + LATE)
    assert record["onset_error"] == pytest.approx(LATE)
    assert record["driver"] is True
    assert record["began"] == pytest.approx(began + 0.08 + LATE)
    assert 1.18 <= record["seconds"] < 1.27
    assert sound.stopped == 1
    assert shares[0] == 0
    assert shares[-1] == 1
    assert shares == sorted(shares)
    assert shares[10] == pytest.approx(0.5 - 0.08 - LATE)  # by the driver, which began later
    assert (record["played"], record["underruns"], record["whole"]) == (1.0, 0, True)


def test_a_sound_ends_early_when_the_tick_says_so_or_fails(glass: World) -> None:
    sound = playback.open_sound("x.wav")
    record = playback.play_through(sound, 5.0, lambda share: glass.clock.sleep(0.1) or share > 0.1)
    assert record["seconds"] < 1
    assert sound.stopped == 1

    def fails(_: float) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        playback.play_through(sound, 5.0, fails)
    assert sound.stopped == 2


@pytest.mark.parametrize(
    ("breaks", "underruns", "played", "took"),
    [(0.4, 0.0, 0.4, 0.08 + 0.4 + playback.STALLED), (math.inf, 2.0, 1.0, 1.18), (0.0, 0.0, None, playback.OPENING + 0.08),
     (0.9, 0.0, 0.9, 0.08 + 0.9 + playback.STALLED)],
)  # fmt: skip
def test_a_sound_that_is_cut_or_has_gaps_was_not_whole(
    glass: World, breaks: float, underruns: float, played: float | None, took: float
) -> None:
    """The card vanishes, does not begin, or runs dry; nothing waits for its end for ever."""
    Sound.to_come.append((breaks, underruns))
    patience = iter(range(3000))

    def tick(_: float) -> None:
        glass.clock.sleep(0.02)
        next(patience)  # not for ever

    record = playback.play_through(playback.open_sound("x.wav"), 1.0, tick)
    assert record["whole"] is False
    assert record["underruns"] == underruns
    assert record["played"] == (None if played is None else pytest.approx(played, abs=0.021))
    assert record["driver"] is (played is not None)
    assert record["seconds"] == pytest.approx(took, abs=0.06)
    (sound,) = glass.sounds
    assert sound.stopped == 1


def test_a_card_that_is_late_is_waited_for(glass: World) -> None:
    """The sound is played to its end by the driver's clock, not by ours; 4 s are no reason to give up before it begins."""

    class Late(Sound):
        def play(self, when: float) -> None:
            super().play(when + 4.0)

    record = playback.play_through(Late("x"), 1.0, lambda _: glass.clock.sleep(0.02))
    assert record["whole"] is True
    assert record["onset_error"] == pytest.approx(4.0 + LATE)
    assert record["seconds"] == pytest.approx(5.18, abs=0.05)


def _ends(glass: World, end: float) -> Sound:
    """A sound whose driver says that it is over after `end` seconds, on a card that ran dry three times before."""

    class Ending(Track):
        @property
        def status(self) -> dict[str, float]:
            at = self.clock.now - self.onset
            stamp = self.onset + STAMP if at >= 0 else 0.0
            return {
                "Active": float(0 <= at < end),
                "StartTime": stamp,
                "PositionSecs": min(max(at, 0), end),
                "XRuns": 3,
            }

    class Short(Sound):
        def play(self, when: float) -> None:
            super().play(when)
            self.track = Ending(self, glass.clock, when, math.inf, 0)

    sound = Short("x")
    sound.track = Ending(sound, glass.clock, 1e9, math.inf, 0)
    return sound


def test_a_sound_whose_end_the_driver_tells_is_not_waited_for(glass: World) -> None:
    """A file of 0.99 s that is kept as 1.0: whole. One of 0.5 s: over, and not whole."""

    for end, whole in ((0.99, True), (0.5, False)):
        record = playback.play_through(_ends(glass, end), 1.0, lambda _: glass.clock.sleep(0.005))
        assert record["whole"] is whole
        assert record["played"] == pytest.approx(end, abs=0.006)
        assert record["seconds"] == pytest.approx(0.08 + LATE + end + playback.TAIL, abs=0.03)
        assert record["underruns"] == 0  # those of sounds before do not count


def test_without_a_stamp_of_the_driver_the_scheduled_moment_counts(glass: World) -> None:
    class Mute(Sound):
        def play(self, when: float) -> None:
            self.played.append(when - STAMP)
            self.track = SimpleNamespace(status={"StartTime": 0})  # type: ignore[assignment]

    began = glass.clock.now
    record = playback.play_through(Mute("x"), 0.5, lambda _: glass.clock.sleep(0.05))
    assert (record["onset_delay"], record["onset_error"], record["driver"]) == (None, None, False)
    assert record["began"] == pytest.approx(began + 0.08)


def test_psychtoolbox_is_made_ready_once(glass: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two channels at 48 kHz, whatever a device says of itself; PulseAudio is not suspended; and only once."""
    said: list[tuple[Any, ...]] = []
    devices = [
        {"NrOutputChannels": 32, "DefaultSampleRate": 44100.0},
        {"NrOutputChannels": 1, "DefaultSampleRate": 8000.0},
    ]
    audio = ModuleType("psychtoolbox.audio")
    audio.__dict__["get_devices"] = lambda *_, **__: [dict(d) for d in devices]
    psychtoolbox = sys.modules["psychtoolbox"]
    psychtoolbox.__dict__.update(PsychPortAudio=lambda *a: said.append(a), audio=audio)
    prefs = SimpleNamespace(hardware={})
    sys.modules["psychopy"].__dict__["prefs"] = prefs
    monkeypatch.setattr(playback, "_PREPARED", False)
    playback.prepare_audio()
    playback.prepare_audio()
    assert prefs.hardware == {"audioLib": ["ptb"]}
    assert said == [("Verbosity", 1), ("EngineTunables", None, None, None, 0)]
    assert audio.__dict__["get_devices"]() == [
        {"NrOutputChannels": 2, "DefaultSampleRate": 48000.0}, {"NrOutputChannels": 1, "DefaultSampleRate": 48000.0},
    ]  # fmt: skip


def _card(
    glass: World, rate: float = 1.0, block: float = 0.0, stall: tuple[float, float] = (math.inf, 0.0), deaf: int = -1
) -> Sound:
    """A card that takes samples at a rate, block by block, and from a moment on for a while none; once it is slow to tell."""

    class Card(Track):
        asked = 0

        @property
        def status(self) -> dict[str, float]:
            at = self.clock.now - self.onset
            begun = at >= 0
            played = rate * (at - min(max(at - stall[0], 0.0), stall[1]))
            played = (played // block + 1) * block if block else played
            self.asked += begun
            if self.asked == deaf:  # what it said is old when it is heard
                self.clock.sleep(0.3)
            return {"Active": float(begun), "StartTime": self.onset + STAMP if begun else 0.0, "PositionSecs": max(0.0, played), "XRuns": 0}  # fmt: skip

    class Played(Sound):
        def play(self, when: float) -> None:
            super().play(when)
            self.track = Card(self, glass.clock, when, math.inf, 0)

    return Played("x")


@pytest.mark.parametrize("gap", [0.05, 0.15, 1.5])
@pytest.mark.parametrize("block", [0.0, 0.01, 0.02])
def test_a_card_that_stalls_and_goes_on_did_not_play_the_whole(glass: World, gap: float, block: float) -> None:
    """No driver counts it, and it is shorter than what is waited for: it plays to its end, and was not whole."""
    record = playback.play_through(_card(glass, 1.0, block, (0.5, gap)), 3.0, lambda _: glass.clock.sleep(0.016))
    assert record["whole"] is False
    assert record["underruns"] == 0
    assert record["behind"] == pytest.approx(gap, abs=0.025)
    assert record["played"] == pytest.approx(3.0)


def test_a_card_of_another_rate_did_not_play_the_whole(glass: World) -> None:
    """48 kHz at 44.1: two seconds take .177 s longer."""
    record = playback.play_through(_card(glass, 44.1 / 48), 2.0, lambda _: glass.clock.sleep(0.016))
    assert record["whole"] is False
    assert record["behind"] == pytest.approx(0.177, abs=0.01)


@pytest.mark.parametrize(
    ("rate", "block", "tick", "seconds"),
    [(1.0, 0.02, 0.016, 3.0), (1.0, 0.02, 0.2, 3.0), (1.0, 0.1, 0.016, 3.0), (1 - 1e-4, 0.01, 0.012, 600.0), (1 + 1e-4, 0.01, 0.012, 600.0)],
)  # fmt: skip
def test_blocks_a_slow_computer_and_clocks_that_differ_are_no_gap(
    glass: World, rate: float, block: float, tick: float, seconds: float
) -> None:
    """Samples leave in blocks of 20 or 100 ms, one asks five times a second, or the card's clock is off by 100 in a million."""
    record = playback.play_through(_card(glass, rate, block), seconds, lambda _: glass.clock.sleep(tick))
    assert record["whole"] is True
    assert record["behind"] < 0.09


@pytest.mark.parametrize("deaf", [20, 21, 60])
def test_a_driver_that_is_slow_to_tell_is_not_believed_for_that_moment(glass: World, deaf: int) -> None:
    record = playback.play_through(_card(glass, deaf=deaf), 3.0, lambda _: glass.clock.sleep(0.016))
    assert record["whole"] is True
    assert record["behind"] == pytest.approx(0, abs=1e-6)


def test_where_no_driver_tells_the_clock_does(glass: World) -> None:
    """Another backend than psychtoolbox: begun when it was asked for, over a little after its length; its stamp, where it has one."""

    class Silent(Sound):
        stamp: float | None = None

        def play(self, when: float) -> None:
            self.played.append(when - STAMP)
            self.track = None if self.stamp is None else SimpleNamespace(status={"StartTime": self.stamp})  # type: ignore[assignment]

    shares: list[float] = []
    for stamp in (None, glass.clock.now + 50.0):
        sound = Silent("x")
        sound.stamp = stamp
        began = glass.clock.now
        record = playback.play_through(sound, 1.0, lambda share: (shares.append(share), glass.clock.sleep(0.05))[0])  # type: ignore[func-returns-value]
        assert record["seconds"] == pytest.approx(1.18, abs=0.06)
        assert (record["whole"], record["underruns"]) == (True, 0)
        assert record["driver"] is (stamp is not None)
        assert record["onset_delay"] == (None if stamp is None else pytest.approx(stamp - began - STAMP, abs=1e-4))
    assert (min(shares), max(shares)) == (0.0, 1.0)
