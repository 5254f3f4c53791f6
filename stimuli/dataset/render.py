"""Notes to sound: a MIDI file played by FluidSynth with the FluidR3 General MIDI soundfont (MIT licence)."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from stimuli.dataset.arrange import INSTRUMENTS, Note
from stimuli.errors import StimulusError

SOUNDFONTS = (
    Path("/usr/share/sounds/sf2/FluidR3_GM.sf2"),
    Path("/usr/share/soundfonts/FluidR3_GM.sf2"),
)
RENDER_RATE = 32000
DRUMS, VOLUME = 9, 7  # General MIDI: channel, controller


@dataclass(frozen=True)
class Voicing:
    """How notes are played where it is not the plain way.

    Attributes
    ----------
    programs : tuple of int
        General MIDI program (0-based) of each channel, instead of the instrument's first.
    kit : int
        Program of the drum channel.
    volumes : tuple of int
        MIDI volume (0-127) of each channel, then of the drums.
    soundfont : Path
        The soundfont that plays.
    """

    programs: tuple[int, ...]
    kit: int
    volumes: tuple[int, ...]
    soundfont: Path


def find_soundfont() -> Path:
    """Return the FluidR3 soundfont, or raise a one-line StimulusError that says how to get it."""
    for path in SOUNDFONTS:
        if path.exists():
            return path
    raise StimulusError(
        "soundfont FluidR3_GM.sf2 not found in /usr/share/sounds/sf2; install Debian's package fluid-soundfont-gm"
    )


def write_midi(notes: list[Note], instruments: tuple[str, ...], path: Path, voicing: Voicing | None = None) -> None:
    """Write `notes` as a type-0 MIDI file; channel k plays ``instruments[k]``, channel 9 is percussion."""
    import mido

    ticks, tempo = 480, 500000  # 120 BPM: one second is 960 ticks
    events: list[tuple[float, int, mido.Message]] = []
    for n in notes:
        events.append((n.onset, 1, mido.Message("note_on", channel=n.channel, note=n.pitch, velocity=n.velocity)))
        end = n.onset + max(n.duration, 0.03)
        events.append((end, 0, mido.Message("note_off", channel=n.channel, note=n.pitch)))
    events.sort(key=lambda e: (e[0], e[1]))
    track = mido.MidiTrack()
    track.append(mido.MetaMessage("set_tempo", tempo=tempo))
    programs = [INSTRUMENTS[name][0] for name in instruments] if voicing is None else voicing.programs
    for channel, program in enumerate(programs):
        track.append(mido.Message("program_change", channel=channel, program=program))
    if voicing is not None:
        track.append(mido.Message("program_change", channel=DRUMS, program=voicing.kit))
        for channel, value in zip((*range(len(programs)), DRUMS), voicing.volumes, strict=True):
            track.append(mido.Message("control_change", channel=channel, control=VOLUME, value=value))
    now = 0
    for seconds, _, message in events:
        tick = round(seconds * 2 * ticks)
        track.append(message.copy(time=tick - now))
        now = tick
    midi = mido.MidiFile(type=0, ticks_per_beat=ticks)
    midi.tracks.append(track)
    midi.save(path)


def render(
    notes: list[Note],
    instruments: tuple[str, ...],
    seconds: float,
    rate: int,
    room: float = 0.2,
    voicing: Voicing | None = None,
) -> np.ndarray:
    """Render notes to mono float32 audio of exactly ``round(seconds * rate)`` samples.

    Parameters
    ----------
    room : float
        FluidSynth's reverb room size, 0-1.

    Raises
    ------
    StimulusError
        If FluidSynth or its soundfont is missing, or FluidSynth fails.
    """
    import soundfile
    import soxr

    binary = shutil.which("fluidsynth")
    if binary is None:
        raise StimulusError("fluidsynth not found; install Debian's package fluidsynth")
    with tempfile.TemporaryDirectory() as folder:
        midi, wav = Path(folder, "x.mid"), Path(folder, "x.wav")
        write_midi(notes, instruments, midi, voicing)
        font = find_soundfont() if voicing is None else voicing.soundfont
        command = [binary, "-ni", "-q", "-F", str(wav), "-r", str(RENDER_RATE), "-O", "float", "-T", "wav"]
        command += ["-g", "0.5", "-C", "0", "-R", "1", "-o", f"synth.reverb.room-size={room}"]
        command += ["-o", "synth.dynamic-sample-loading=1", str(font), str(midi)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0 or not wav.exists():
            raise StimulusError(f"fluidsynth failed: {done.stderr.strip().splitlines()[-1:]}")
        audio, _ = soundfile.read(wav, dtype="float32", always_2d=True)
    mono = audio.mean(axis=1)
    mono = np.asarray(soxr.resample(mono, RENDER_RATE, rate), dtype=np.float32)
    wanted = round(seconds * rate)
    mono = np.pad(mono, (0, max(0, wanted - len(mono))))[:wanted]
    peak = float(np.abs(mono).max())
    return mono / peak * 0.8 if peak > 0.8 else mono
