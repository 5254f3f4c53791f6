"""MIDI files read back by mido, and what the synthesiser is asked for and gives: a stand-in that writes a known sound."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import mido
import numpy as np
import pytest
import soundfile

from stimuli.dataset import render as rendering
from stimuli.dataset.arrange import Note
from stimuli.dataset.render import Voicing, find_soundfont, render, write_midi
from stimuli.errors import StimulusError

NOTES = [Note(0, 0.0, 0.5, 60, 80), Note(0, 0.5, 0.25, 60, 81), Note(1, 0.25, 0.001, 67, 50), Note(9, 1.0, 0.1, 36, 90)]


def events(path: Path) -> list[tuple[float, str, tuple[int, ...]]]:
    """Seconds, kind and numbers of every event of a file, by mido's own clock."""
    now, found = 0.0, []
    for message in mido.MidiFile(path):
        now += message.time
        if message.type == "note_on":
            found.append((round(now, 3), "on", (message.channel, message.note, message.velocity)))
        elif message.type == "note_off":
            found.append((round(now, 3), "off", (message.channel, message.note)))
        elif message.type == "program_change":
            found.append((round(now, 3), "program", (message.channel, message.program)))
        elif message.type == "control_change":
            found.append((round(now, 3), "control", (message.channel, message.control, message.value)))
    return found


def test_notes_stand_in_the_file_at_their_seconds(tmp_path: Path) -> None:
    """A note ends before the next of its pitch begins at the same moment; none is shorter than 30 ms."""
    write_midi(NOTES, ("harp", "flute"), tmp_path / "x.mid")
    assert events(tmp_path / "x.mid") == [
        (0.0, "program", (0, 46)), (0.0, "program", (1, 73)),
        (0.0, "on", (0, 60, 80)), (0.25, "on", (1, 67, 50)), (0.28, "off", (1, 67)),
        (0.5, "off", (0, 60)), (0.5, "on", (0, 60, 81)), (0.75, "off", (0, 60)),
        (1.0, "on", (9, 36, 90)), (1.1, "off", (9, 36)),
    ]  # fmt: skip
    assert mido.MidiFile(tmp_path / "x.mid").type == 0


def test_a_voicing_sets_programs_kit_and_volumes(tmp_path: Path) -> None:
    """Controller 7 is the channel's volume, and channel 10 (9 from zero) the drums: General MIDI."""
    write_midi(NOTES[:1], ("harp", "flute"), tmp_path / "x.mid", Voicing((24, 40), 16, (100, 90, 70), Path("any.sf2")))
    assert events(tmp_path / "x.mid")[:6] == [
        (0.0, "program", (0, 24)), (0.0, "program", (1, 40)), (0.0, "program", (9, 16)),
        (0.0, "control", (0, 7, 100)), (0.0, "control", (1, 7, 90)), (0.0, "control", (9, 7, 70)),
    ]  # fmt: skip


@pytest.fixture
def synthesiser(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """Instead of FluidSynth: writes `sound` (frames, 2) at 32 kHz and keeps the words it was called with."""
    kept: dict[str, Any] = {"sound": np.zeros((32000, 2)), "status": 0, "said": ""}
    font = tmp_path / "FluidR3_GM.sf2"
    font.touch()
    monkeypatch.setattr(rendering, "SOUNDFONTS", (tmp_path / "absent.sf2", font))
    monkeypatch.setattr(rendering.shutil, "which", lambda name: f"/bin/{name}")

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        kept["command"] = command
        if kept["sound"] is not None:
            soundfile.write(command[command.index("-F") + 1], kept["sound"], 32000, format="WAV", subtype="FLOAT")
        return subprocess.CompletedProcess(command, kept["status"], "", kept["said"])

    monkeypatch.setattr(rendering.subprocess, "run", run)
    return kept


def test_the_sound_is_one_channel_of_the_length_and_rate_asked(synthesiser: dict[str, Any], tmp_path: Path) -> None:
    left, right = np.full(48000, 0.3), np.full(48000, 0.1)
    synthesiser["sound"] = np.stack([left, right], axis=1)
    audio = render(NOTES, ("harp", "flute"), 1.0, 16000, 0.35)
    assert (audio.dtype, audio.shape) == (np.float32, (16000,))
    assert audio[100:-100] == pytest.approx(0.2, abs=1e-3)  # the mean of both channels, as loud as it was played
    longer = render(NOTES, ("harp", "flute"), 2.0, 16000)
    assert longer.shape == (32000,)
    assert not longer[24100:].any()
    command = synthesiser["command"]
    assert command[0] == "/bin/fluidsynth"
    assert command[command.index("-r") + 1] == "32000"
    assert command[-2] == str(tmp_path / "FluidR3_GM.sf2")
    # By FluidSynth's manual: at half gain, without chorus, with reverberation, in floating point; no shell, no MIDI input, no words.
    for option, value in (("-g", "0.5"), ("-C", "0"), ("-R", "1"), ("-O", "float"), ("-T", "wav")):
        assert command[command.index(option) + 1] == value
    assert command[1:3] == ["-ni", "-q"]
    settings = {command[i + 1] for i, word in enumerate(command) if word == "-o"}
    assert "synth.dynamic-sample-loading=1" in settings
    assert len(settings) == 2
    render(NOTES, ("harp", "flute"), 1.0, 16000, 0.35, Voicing((0, 1), 0, (90, 90, 90), tmp_path / "other.sf3"))
    assert synthesiser["command"][-2] == str(tmp_path / "other.sf3")
    assert "synth.reverb.room-size=0.35" in synthesiser["command"]


def test_loud_music_is_brought_to_a_peak_of_eight_tenths(synthesiser: dict[str, Any]) -> None:
    tone = 1.6 * np.sin(2 * np.pi * 440 * np.arange(32000) / 32000)
    synthesiser["sound"] = np.stack([tone, tone], axis=1)
    assert np.abs(render(NOTES, ("harp", "flute"), 1.0, 32000)).max() == pytest.approx(0.8, abs=1e-4)


def test_what_is_missing_or_fails_is_one_line(
    synthesiser: dict[str, Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    synthesiser |= {"status": 1, "said": "starting\nfont is broken\n"}
    with pytest.raises(StimulusError, match="font is broken"):
        render(NOTES, ("harp", "flute"), 1.0, 16000)
    synthesiser |= {"status": 0, "sound": None}
    with pytest.raises(StimulusError, match="fluidsynth failed"):
        render(NOTES, ("harp", "flute"), 1.0, 16000)
    monkeypatch.setattr(rendering, "SOUNDFONTS", (tmp_path / "absent.sf2",))
    with pytest.raises(StimulusError, match="package fluid-soundfont-gm"):
        find_soundfont()
    monkeypatch.setattr(rendering.shutil, "which", lambda name: None)
    with pytest.raises(StimulusError, match="package fluidsynth"):
        render(NOTES, ("harp", "flute"), 1.0, 16000)
