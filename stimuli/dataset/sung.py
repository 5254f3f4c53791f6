"""Clips in which somebody sings: recorded speech set to a melody by the WORLD vocoder (Morise et al. 2016), over rendered music.

No recorded singing under a free licence comes with any package, recorded and concatenated speech does. A syllable of a
speaker (its consonant, and its voiced run) is stretched to each note of the melody; its spectral envelope and aperiodicity stay
the speaker's, its pitch becomes the note's, with glides and vibrato. As many clips have a solo instrument through the same
vocoder, so that a classifier cannot learn the vocoder instead of the voice.

The speech is a directory with one folder a speaker, ``female-NAME`` or ``male-NAME``, of WAV files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.dataset.arrange import Note, arrange_parts, draw_attributes
from stimuli.dataset.build import begin, save, split_of, write_metadata
from stimuli.dataset.captions import caption, character
from stimuli.dataset.render import render
from stimuli.dataset.scores import chorales, key_name
from stimuli.errors import StimulusError

GENDERS = ("female", "male")
CENTRE = {"female": 67, "male": 54}  # where the melody lies, MIDI pitch: G4 and F#3
FRAME = 0.005  # s, WORLD's frame
SHORTEST_VOWEL = 0.08  # s
CONSONANT = 0.06  # s in front of the voiced run
VIBRATO_HZ, VIBRATO_CENTS, VIBRATO_AFTER = 5.5, 35.0, 0.25
GLIDE = 0.04  # s
VOCODED = 1 / 3  # share of clips whose melody is an instrument through the vocoder
Progress = Callable[[int, int], None]


@dataclass(frozen=True)
class Syllable:
    """WORLD parameters of a stretch of speech: voiced flags (frames,), envelope and aperiodicity (frames, bins)."""

    voiced: np.ndarray
    envelope: np.ndarray
    aperiodicity: np.ndarray


def speakers(folder: Path) -> list[tuple[str, str, list[Path]]]:
    """Gender, name and files of the speakers in a directory, in order of their names.

    Raises
    ------
    StimulusError
        If no folder is called after a gender and a name, or one holds no WAV file.
    """
    found = []
    for path in sorted(p for p in folder.glob("*-*") if p.is_dir()):
        gender, _, name = path.name.partition("-")
        if gender in GENDERS:
            files = sorted(path.glob("*.wav"))
            if not files:
                raise StimulusError(f"{path} holds no WAV file")
            found.append((gender, name, files))
    if not found:
        raise StimulusError(f"{folder} has no speakers: folders female-NAME or male-NAME with WAV files are needed")
    return found


def _names(people: list[tuple[str, str, list[Path]]]) -> list[str]:
    return [f"{gender}-{name}: {', '.join(p.name for p in files)}" for gender, name, files in people]


def read_speech(path: Path, rate: int) -> np.ndarray:
    """Mono float64 at `rate` Hz, as WORLD wants it."""
    import soundfile
    import soxr

    audio, own = soundfile.read(path, dtype="float64", always_2d=True)
    return np.asarray(soxr.resample(audio.mean(axis=1), own, rate), dtype=np.float64)


def syllables(speech: np.ndarray, rate: int) -> list[Syllable]:
    """Cut speech into its voiced runs of at least 80 ms, each with 60 ms in front of it."""
    import pyworld

    if len(speech) < rate // 5:
        return []
    f0, at = pyworld.dio(speech, rate, f0_floor=70, f0_ceil=500, frame_period=1000 * FRAME)
    f0 = pyworld.stonemask(speech, f0, at, rate)
    envelope = pyworld.cheaptrick(speech, f0, at, rate)
    aperiodicity = pyworld.d4c(speech, f0, at, rate)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], (f0 > 0).astype(int), [0]])))
    out, free = [], 0
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        if (end - start) * FRAME >= SHORTEST_VOWEL:
            begin = max(free, start - round(CONSONANT / FRAME))
            part = slice(begin, end)
            out.append(Syllable(f0[part] > 0, envelope[part], aperiodicity[part]))
            free = end
    return out


def sing(
    notes: list[Note], words: list[Syllable], seconds: float, rate: int, rng: np.random.Generator, formants: float = 1.0
) -> np.ndarray:
    """Sing a melody, one syllable a note, in turn from a random one on; float32 at `rate` Hz.

    Parameters
    ----------
    formants : float
        Factor on the frequencies of the spectral envelope: another vocal tract of the same speaker.
    """
    import pyworld

    frames = round(seconds / FRAME) + 1
    bins = words[0].envelope.shape[1]
    f0 = np.zeros(frames)
    envelope = np.full((frames, bins), 1e-12)
    aperiodicity = np.ones((frames, bins))
    axis = np.clip(np.arange(bins) / formants, 0, bins - 1)
    lower = axis.astype(int)
    share = axis - lower
    next_word = int(rng.integers(len(words)))
    melody = sorted(notes, key=lambda n: n.onset)
    for k, note in enumerate(melody):
        until = melody[k + 1].onset if k + 1 < len(melody) else seconds
        a, b = round(note.onset / FRAME), round(min(note.onset + note.duration, until, seconds) / FRAME)
        b = min(b, frames)
        word = words[(next_word + k) % len(words)]
        onset = int(np.argmax(word.voiced))
        length, own = b - a, len(word.voiced)
        if length < 8:
            continue
        # The consonant keeps its time, the vowel is stretched.
        kept = min(onset + 6, length // 2, own - 1)
        index = np.concatenate([np.arange(kept), np.linspace(kept, own - 1, length - kept)]).astype(int)
        shape = word.envelope[index]
        shape = shape[:, lower] * (1 - share) + shape[:, np.minimum(lower + 1, bins - 1)] * share
        fade = np.minimum(1.0, np.arange(length, 0, -1) / 8)[:, None] ** 2
        envelope[a:b] = shape * fade
        aperiodicity[a:b] = word.aperiodicity[index]
        t = np.arange(length) * FRAME
        depth = VIBRATO_CENTS * np.clip((t - VIBRATO_AFTER) / 0.2, 0, 1)
        cents = depth * np.sin(2 * np.pi * VIBRATO_HZ * t) + rng.normal(0, 4)
        pitch = 440 * 2 ** ((note.pitch - 69 + cents / 100) / 12)
        f0[a:b] = np.where(word.voiced[index], pitch, 0)
    voiced = f0 > 0
    if not voiced.any():
        raise StimulusError("no syllable could be sung to this melody")
    # Glides: the logarithm of the pitch, smoothed over 40 ms across notes.
    smooth = np.interp(np.arange(frames), np.flatnonzero(voiced), np.log(f0[voiced]))
    width = round(GLIDE / FRAME)
    padded = np.pad(smooth, (width // 2, width - 1 - width // 2), mode="edge")
    smooth = np.convolve(padded, np.ones(width) / width, mode="valid")
    audio = pyworld.synthesize(np.where(voiced, np.exp(smooth), 0.0), envelope, aperiodicity, rate, 1000 * FRAME)
    return np.asarray(audio[: round(seconds * rate)], dtype=np.float32)


def vocoded(audio: np.ndarray, rate: int) -> np.ndarray:
    """An instrument through the same vocoder, nothing changed between analysis and synthesis; float32."""
    import pyworld

    x = audio.astype(np.float64)
    f0, at = pyworld.dio(x, rate, f0_floor=40, f0_ceil=1600, frame_period=1000 * FRAME)
    f0 = pyworld.stonemask(x, f0, at, rate)
    parts = pyworld.cheaptrick(x, f0, at, rate), pyworld.d4c(x, f0, at, rate)
    return np.asarray(pyworld.synthesize(f0, *parts, rate, 1000 * FRAME)[: len(x)], dtype=np.float32)


def _in_room(dry: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A little reverberation: exponentially falling noise of 0.3 to 1.2 s."""
    from scipy.signal import fftconvolve

    decay = float(rng.uniform(0.3, 1.2))
    t = np.arange(round(decay * rate)) / rate
    tail = rng.normal(size=len(t)) * np.exp(-6.9 * t / decay)
    tail *= float(rng.uniform(0.1, 0.4)) / np.sqrt(np.sum(tail**2))
    return np.asarray(dry + fftconvolve(dry, tail)[: len(dry)], dtype=np.float32)


def _over(lead: np.ndarray, music: np.ndarray, decibels: float) -> np.ndarray:
    """Mix the melody over the music, so many dB over its RMS; the peak at 0.8 at most."""

    def rms(x: np.ndarray) -> float:
        return float(np.sqrt(np.mean(np.square(x, dtype=np.float64))))

    scale = 10 ** (decibels / 20) * (rms(music) or 0.1) / max(rms(lead), 1e-6)
    mixed = music + scale * lead
    return np.asarray(0.8 * mixed / max(0.8, float(np.abs(mixed).max())), dtype=np.float32)


def build_sung(
    out: Path,
    speech: Path,
    n: int,
    seconds: float,
    rate: int,
    seed: int,
    split: str = "train",
    progress: Progress | None = None,
) -> Path:
    """Write `n` clips with a sung (or vocoded) melody; returns the metadata file. Interrupted, it goes on where it was."""
    if find_spec("pyworld") is None:
        raise StimulusError('package pyworld-prebuilt is missing: pip install "tastelab[training]"')
    pieces = [p for i, p in enumerate(chorales(out.parent)) if split_of(i) == split and p.melody]
    people = speakers(speech)
    recipe = {"kind": "sung", "seconds": seconds, "rate": rate, "seed": seed, "split": split}
    begin(out, recipe | {"speakers": _names(people)})
    words: dict[str, list[Syllable]] = {}
    rows: list[dict[str, Any]] = []
    for k in range(n):
        rng = np.random.default_rng([seed, 77, k])
        skeleton = pieces[int(rng.integers(len(pieces)))]
        a = draw_attributes(rng)
        key = key_name(skeleton.tonic + a.transpose, skeleton.mode)
        gender = GENDERS[int(rng.integers(2))]
        choice = [s for s in people if s[0] == gender] or people
        gender, name, files = choice[int(rng.integers(len(choice)))]
        through = bool(rng.random() < VOCODED)
        lead, others = arrange_parts(skeleton, a, seconds, rng)
        played = tuple(a.instruments[c] for c in sorted({m.channel for m in (lead if through else []) + others} - {9}))
        wav = out / "audio" / f"{k:05d}.wav"
        room, decibels = float(rng.uniform(0.05, 0.6)), float(rng.uniform(-2, 8))
        formants = float(rng.uniform(0.92, 1.1))
        if not wav.exists() and lead:
            music = render(others, a.instruments, seconds, rate, room) if others else np.zeros(round(seconds * rate))
            if through:
                melody = vocoded(render(lead, a.instruments, seconds, rate, 0.0), rate)
            else:
                shift = 12 * round((CENTRE[gender] - float(np.mean([m.pitch for m in lead]))) / 12)
                tune = [Note(0, m.onset, m.duration, m.pitch + shift, m.velocity) for m in lead]
                melody = sing(tune, _words(files, f"{gender}-{name}", words, rate), seconds, rate, rng, formants)
            audio = _over(_in_room(melody, rate, rng), music, decibels)
            save(wav, audio, rate)
        if lead:
            rows.append(
                {
                    "path": f"audio/{k:05d}.wav", "name": f"{k:05d}", "title": skeleton.piece, "artist": "J. S. Bach, arranged",
                    "sample_rate": rate, "file_extension": "wav", "duration": seconds,
                    "description": caption(a, key, rng), "key": key, "bpm": a.bpm, "genre": "classical",
                    "instrument": ", ".join(played), "moods": character(a), "keywords": "",
                    "attributes": asdict(a) | {"instruments": played},
                    "voice": None if through else {"gender": gender, "speaker": name}, "vocoded": through,
                }
            )  # fmt: skip
        if progress:
            progress(k + 1, n)
    return write_metadata(out, rows)


def build_over(
    out: Path,
    speech: Path,
    music: Path,
    n: int,
    seconds: float,
    rate: int,
    seed: int,
    progress: Progress | None = None,
) -> Path:
    """Write `n` clips of recorded music, every other one with a sung melody over it; returns the metadata file.

    Music of the kind that is rendered sounds unlike what people record; a head that knows the rendered kind alone hears voices in
    any other. Nothing but the voice is known of these clips.

    Parameters
    ----------
    music : Path
        Directory of recordings in which nobody sings.

    Raises
    ------
    StimulusError
        If there are no recordings of that length, or no speakers.
    """
    from stimuli.audio import length, load_spans
    from stimuli.recordings import sounds

    if find_spec("pyworld") is None:
        raise StimulusError('package pyworld-prebuilt is missing: pip install "tastelab[training]"')
    people = speakers(speech)
    tracks = sounds(music, deep=True)[0] if music.is_dir() else []
    tracks = [p for p in tracks if length(p) > seconds]
    if not tracks:
        raise StimulusError(f"{music} has no recordings of more than {seconds:g} s")
    pieces = [p for p in chorales(out.parent) if p.melody]
    recipe = {"kind": "sung over music", "seconds": seconds, "rate": rate, "seed": seed}
    begin(out, recipe | {"speakers": _names(people), "music": [str(p.relative_to(music)) for p in tracks]})
    words: dict[str, list[Syllable]] = {}
    rows: list[dict[str, Any]] = []
    for k in range(n):
        rng = np.random.default_rng([seed, 78, k])
        track = tracks[int(rng.integers(len(tracks)))]
        start = float(rng.uniform(0, length(track) - seconds))
        gender, name, files = people[int(rng.integers(len(people)))]
        wav = out / "audio" / f"{k:05d}.wav"
        sings = k % 2 == 1
        if not wav.exists():
            audio = next(iter(load_spans(track, rate, [(start, start + seconds)])))
            if sings:
                lead: list[Note] = []
                while len(lead) < 4:
                    piece = pieces[int(rng.integers(len(pieces)))]
                    lead = arrange_parts(piece, draw_attributes(rng), seconds, rng)[0]
                shift = round(CENTRE[gender] - float(np.mean([m.pitch for m in lead])) + float(rng.normal(0, 2)))
                tune = [Note(0, m.onset, m.duration, m.pitch + shift, m.velocity) for m in lead]
                formants = float(rng.uniform(0.92, 1.1))
                voice = sing(tune, _words(files, f"{gender}-{name}", words, rate), seconds, rate, rng, formants)
                audio = _over(_in_room(voice, rate, rng), audio, float(rng.uniform(-4, 6)))
            save(wav, audio, rate)
        rows.append(
            {
                "path": f"audio/{k:05d}.wav", "name": f"{k:05d}", "title": track.stem, "artist": "", "sample_rate": rate,
                "file_extension": "wav", "duration": seconds, "description": "", "keywords": "",
                "voice": {"gender": gender, "speaker": name} if sings else None, "vocoded": False,
            }
        )  # fmt: skip
        if progress:
            progress(k + 1, n)
    return write_metadata(out, rows)


def _words(files: list[Path], speaker: str, known: dict[str, list[Syllable]], rate: int) -> list[Syllable]:
    """Syllables of a speaker, read once: about two minutes of speech are enough."""
    if speaker not in known:
        found: list[Syllable] = []
        for path in files:
            found += syllables(read_speech(path, rate), rate)
            if len(found) >= 400:
                break
        if not found:
            raise StimulusError(f"no voiced syllable in the recordings of {speaker}")
        known[speaker] = found
    return known[speaker]
