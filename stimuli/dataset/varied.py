"""Rendered clips that sound like many studios: several timbres an instrument, two soundfonts, bands with drums, and production.

What is learned from one soundfont in one room is that soundfont; heads that were given it alone heard an electric bass in every
recording. Here everything that a listener would not name is drawn at random (domain randomisation, Tobin et al. 2017): which
program of an instrument's kind plays, from which soundfont, how loud, through which equaliser, compressor, room and bit rate. The
attributes stay exact.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.dataset.arrange import INSTRUMENTS, Attributes, arrange, draw_attributes
from stimuli.dataset.build import begin, save, split_of, write_metadata
from stimuli.dataset.captions import character
from stimuli.dataset.render import Voicing, find_soundfont, render
from stimuli.dataset.scores import chorales, key_name
from stimuli.errors import StimulusError

Progress = Callable[[int, int], None]
# General MIDI programs that a listener would call by the same name; the others have the one of `INSTRUMENTS`.
KINDS: dict[str, tuple[int, ...]] = {
    "piano": (0, 0, 1, 2), "organ": (16, 17, 18, 19, 20), "guitar": (24, 25, 25, 26, 27), "electric bass": (33, 34, 35),
    "double bass": (32, 43), "strings": (48, 49, 50), "choir": (52, 53), "deep brass": (57, 58), "horns": (60, 61),
    "electronic tones": (80, 81, 82, 84, 87, 38, 39), "synth pad": (88, 89, 90, 91, 92, 94, 95), "plucked strings": (45,),
}  # fmt: skip
KITS = (0, 0, 8, 16, 24, 25, 32)
SECOND_FONT = (
    Path("/usr/share/sounds/sf3/MuseScore_General_Full.sf3"),
    Path("/usr/share/sounds/sf3/MuseScore_General.sf3"),
)
PERCUSSION = 0.45


def soundfonts() -> list[Path]:
    """The two soundfonts, both under the MIT licence.

    Raises
    ------
    StimulusError
        In one line, if one is not installed.
    """
    second = next((p for p in SECOND_FONT if p.exists()), None)
    if second is None:
        raise StimulusError(
            "soundfont MuseScore_General not found; install Debian's package musescore-general-soundfont"
        )
    return [find_soundfont(), second]


def draw_voicing(a: Attributes, fonts: list[Path], rng: np.random.Generator) -> Voicing:
    """Draw who plays an arrangement, and how loud each."""
    programs = tuple(int(rng.choice(KINDS.get(name, INSTRUMENTS[name][:1]))) for name in a.instruments)
    volumes = tuple(int(v) for v in rng.integers(70, 120, size=len(programs) + 1))
    return Voicing(programs, int(rng.choice(KITS)), volumes, fonts[int(rng.integers(len(fonts)))])


def produce(audio: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Send mono float32 audio through what a studio may do to it, each step or not at random; its peak is 0.8 afterwards."""
    import pedalboard as fx

    def maybe(p: float, *steps: Any) -> list[Any]:
        return list(steps) if rng.random() < p else []

    def between(low: float, high: float) -> float:
        return float(rng.uniform(low, high))

    def pitch(low: float, high: float) -> float:
        return float(np.exp(rng.uniform(np.log(low), np.log(high))))

    chain = [
        *maybe(0.6, fx.LowShelfFilter(pitch(80, 400), between(-9, 9))),
        *maybe(0.6, fx.HighShelfFilter(pitch(1500, 5000), between(-12, 9))),
        *maybe(0.6, fx.PeakFilter(pitch(200, 4000), between(-9, 9), between(0.5, 2))),
        *maybe(0.15, fx.Distortion(between(3, 18))),
        *maybe(0.15, fx.Chorus(between(0.3, 2), between(0.1, 0.4))),
        *maybe(0.5, fx.Reverb(between(0.1, 0.95), between(0.1, 0.9), between(0.05, 0.45), 0.7)),
        *maybe(0.1, fx.Delay(between(0.1, 0.4), between(0.0, 0.4), between(0.1, 0.3))),
        *maybe(0.5, fx.Compressor(between(-35, -15), between(2, 8), between(1, 20), between(50, 300))),
        *maybe(0.25, fx.HighpassFilter(pitch(40, 160))),
        *maybe(0.25, fx.LowpassFilter(pitch(3000, 7500))),
    ]
    loud = float(np.abs(audio).max())
    if loud == 0:
        return audio
    out = fx.Pedalboard(chain)(np.asarray(audio / loud * 0.5, dtype=np.float32), rate)
    if rng.random() < 0.3:
        hiss = rng.normal(size=len(out)).cumsum() if rng.random() < 0.3 else rng.normal(size=len(out))
        hiss = hiss - np.convolve(hiss, np.ones(rate // 20) / (rate // 20), "same")
        out = out + hiss / hiss.std() * max(float(out.std()), 1e-6) * 10 ** (between(-45, -22) / 20)
    if rng.random() < 0.3:
        out = fx.Pedalboard([fx.MP3Compressor(between(2, 9))])(np.asarray(out, dtype=np.float32), rate)
    out = out[: len(audio)]
    return np.asarray(out / max(float(np.abs(out).max()), 1e-9) * 0.8, dtype=np.float32)


def build_varied(
    out: Path, n: int, seconds: float, rate: int, seed: int, split: str = "train", progress: Progress | None = None
) -> Path:
    """Write `n` clips with exact attributes and varied sound; returns the metadata file.

    Clip k depends on (`seed`, k) alone, and finished clips are not rendered again, so the command can be interrupted.

    Raises
    ------
    StimulusError
        If a soundfont or pedalboard is missing.
    """
    if find_spec("pedalboard") is None:
        raise StimulusError('package pedalboard is missing: pip install "tastelab[training]"')
    fonts = soundfonts()
    pieces = chorales(out.parent)
    chosen = [p for i, p in enumerate(pieces) if split_of(i) == split]
    recipe = {"kind": "varied", "produced": True, "seconds": seconds, "rate": rate, "seed": seed, "split": split}
    begin(out, recipe)
    rows: list[dict[str, Any]] = []
    for k in range(n):
        rng = np.random.default_rng([seed, 80, k])
        skeleton = chosen[int(rng.integers(len(chosen)))]
        a = draw_attributes(rng, percussion=bool(rng.random() < PERCUSSION))
        voicing = draw_voicing(a, fonts, rng)
        wav = out / "audio" / f"{k:05d}.wav"
        if not wav.exists():
            notes = arrange(skeleton, a, seconds, rng)
            audio = render(notes, a.instruments, seconds, rate, float(rng.uniform(0.05, 0.6)), voicing)
            save(wav, produce(audio, rate, rng), rate)
        rows.append(
            {
                "path": f"audio/{wav.name}", "name": wav.stem, "title": skeleton.piece, "artist": "J. S. Bach, arranged",
                "sample_rate": rate, "file_extension": "wav", "duration": seconds, "description": "", "keywords": "",
                "key": key_name(skeleton.tonic + a.transpose, skeleton.mode), "bpm": a.bpm, "moods": character(a),
                "instrument": ", ".join(a.instruments), "attributes": asdict(a),
            }
        )  # fmt: skip
        if progress:
            progress(k + 1, n)
    return write_metadata(out, rows)
