"""Does a nano MusicGen keep time? Of music that it hears and goes on with, and of a tempo that it is asked for.

``python -m benchmarks.pulse [MODEL ...]`` prints it of shipped models or directories; ``python -m benchmarks.evidence pulse`` writes
docs/evidence/pulse.json. Both questions are put on clips of a corpus rendered at
known tempi. *Heard*: a model is given the codes of a clip's first seconds and goes on; the tempo of what it adds is measured.
*Asked*: it is given the clip's caption alone. A clip agrees where the measured tempo is within 4 % of the true one; with octaves,
of its half, third, double or triple too, which on short clips no tracker tells apart. Beside it stands the share that agree when the
same tempi are dealt to other clips: what is found where nothing was followed. The rendered clips, and the same through the codec,
say what the tracker could find at best.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.nano import RATE, SECONDS, WORK, Interval, mean_interval, read

TOLERANCE = 0.04
OCTAVES = (1 / 3, 1 / 2, 1.0, 2.0, 3.0)
HEARD = 7.0  # seconds given
CLIPS = 200
BATCH = 16
SEED = 9000
Clips = Sequence[np.ndarray]
Tracker = Callable[[np.ndarray], float]


def agreement(found: np.ndarray, true: np.ndarray, octaves: bool = True) -> np.ndarray:
    """Whether each found tempo (rows) agrees with each true one (columns); a tempo that is not there agrees with none."""
    multiples = np.array(OCTAVES if octaves else (1.0,))
    ratio = found[:, None, None] / (true[None, :, None] * multiples)
    return (np.abs(ratio - 1) < TOLERANCE).any(axis=2)


def followed(found: np.ndarray, true: np.ndarray, octaves: bool = True) -> dict[str, Any]:
    """Share of clips whose tempo agrees with their own, with others' dealt to them, and the difference with its interval."""
    agree = agreement(found, true, octaves)
    own = agree.diagonal().astype(float)
    # What each clip's tempo finds among the tempi of all others.
    dealt = (agree.sum(axis=1) - own) / (len(true) - 1)
    low, high = mean_interval(own - dealt)
    return {
        "n": len(true), "share": own.mean(), "dealt": dealt.mean(), "difference": (own - dealt).mean(), "ci_low": low, "ci_high": high,
    }  # fmt: skip


def librosa_tempo(audio: np.ndarray) -> float:
    """Tempo of mono audio at 16 kHz by librosa's autocorrelation of onset strength."""
    from models.compiled import librosa as compiled

    librosa = compiled()

    from stimuli.dataset.estimate import RATE as OWN
    from stimuli.dataset.estimate import estimate_tempo

    return estimate_tempo(librosa.resample(np.asarray(audio, dtype=np.float32), orig_sr=RATE, target_sr=OWN))


def octave_chosen(audio: np.ndarray) -> float:
    """librosa's tempo of a clip of `SECONDS`, or its half, third, double or triple: whichever a regression on rhythm is nearest to."""
    from benchmarks.tempo import tempi

    found, near = librosa_tempo(audio), tempi([audio], SECONDS, "pulse")[0]
    return found * min(OCTAVES, key=lambda k: abs(np.log(found * k / near)))


def measured(clips: Clips, true: np.ndarray, tracker: Tracker = librosa_tempo) -> dict[str, Any]:
    """What a tracker finds in clips of known tempo: with octaves, without, and the correlation of log tempi."""
    return judged(np.array([tracker(c) for c in clips]), true)


def judged(found: np.ndarray, true: np.ndarray) -> dict[str, Any]:
    """Found tempi beside the true ones: with octaves, without, and the correlation of their logarithms."""
    log_r = float(np.corrcoef(np.log(found), np.log(true))[0, 1]) if np.std(found) > 0 else 0.0
    return {"octaves": followed(found, true), "exact": followed(found, true, octaves=False), "log_correlation": log_r}


def codes_of(clips: Clips) -> Any:
    """Codes (clips, codebooks, frames) of mono clips of one length at 16 kHz, by codec-nano."""
    import torch

    from models.musicgen.nano import load_codec

    codec = load_codec()
    with torch.no_grad():
        return torch.cat(
            [codec.encode(torch.from_numpy(np.asarray(c, dtype=np.float32))[None, None])[0] for c in clips]
        )


def continued(model: Any, prompts: Sequence[str], codes: Any, seconds: float, sampling: Any = None) -> list[np.ndarray]:
    """Whole clips of `seconds`, that begin with `codes` and go on as `model` (a MusicGenerator) has it."""
    made: list[np.ndarray] = []
    frames = round(seconds * model.engine.frame_rate)
    for at in range(0, len(codes), BATCH):
        own = list(prompts[at : at + BATCH])
        seeds = [SEED + at + i for i in range(len(own))]
        drawn = model.codes(own, frames, seeds, sampling, heard=codes[at : at + BATCH])
        made += list(model.sound(drawn, seconds)[:, 0])
    return made


def after(clips: Clips, heard: float) -> list[np.ndarray]:
    """What follows the first `heard` seconds."""
    return [c[round(heard * RATE) :] for c in clips]


def continuation(
    model: Any, rows: Sequence[dict[str, Any]], sampling: Any = None, heard: float = HEARD
) -> dict[str, Any]:
    """Tempo of what a model adds to the first seconds of rendered clips; rendered and coded clips beside it."""
    clips = [read(row)[: round(SECONDS * RATE)] for row in rows]
    true = np.array([row["bpm"] for row in rows], dtype=float)
    codes = codes_of(clips)
    given = codes[..., : round(heard * model.engine.frame_rate)]
    return {
        "rendered": measured(after(clips, heard), true),
        "codec": measured(after(list(model.sound(codes, SECONDS)[:, 0]), heard), true),
        "continued": measured(
            after(continued(model, [row["description"] for row in rows], given, SECONDS, sampling), heard), true
        ),
    }


def of_captions(model: Any, rows: Sequence[dict[str, Any]], sampling: Any = None) -> list[np.ndarray]:
    """What a model makes of the captions of rendered clips alone."""
    made: list[np.ndarray] = []
    for at in range(0, len(rows), BATCH):
        prompts = [row["description"] for row in rows[at : at + BATCH]]
        seeds = [SEED + 500 + at + i for i in range(len(prompts))]
        made += list(model.generate(prompts, SECONDS, seeds, sampling)[:, 0])
    return made


def asked(model: Any, rows: Sequence[dict[str, Any]], sampling: Any = None) -> dict[str, Any]:
    """Tempo of what a model makes of the captions of rendered clips alone."""
    return measured(of_captions(model, rows, sampling), np.array([row["bpm"] for row in rows], dtype=float))


def kept(name: str, clips: Clips) -> Path:
    """Write clips as WAV files, for another witness (`benchmarks.witness`); returns their folder."""
    from stimuli.dataset.build import save

    folder = WORK / "pulse-clips" / name
    folder.mkdir(parents=True, exist_ok=True)
    for i, clip in enumerate(clips):
        save(folder / f"{i:04d}.wav", clip, RATE)
    return folder


def heard_by(folder: Path, true: np.ndarray) -> dict[str, Any] | None:
    """What another witness heard in a folder of clips (its tempocnn.json), beside the true tempi; None where it was not asked of these."""
    path = folder / "tempocnn.json"
    if not path.exists():
        return None
    said, found = json.loads(path.read_text(encoding="utf-8")), []
    for i in range(len(true)):
        clip = folder / f"{i:04d}.wav"
        if said.get(clip.name, {}).get("sha256") != hashlib.sha256(clip.read_bytes()).hexdigest():
            return None
        found.append(said[clip.name]["bpm"])
    return judged(np.array(found), true)


def held_out(n: int = CLIPS) -> list[dict[str, Any]]:
    """Bands of held-out tunes and harmonies (rendered on the first call)."""
    from stimuli.dataset.pulse.build import build_pulse

    folder = WORK / "pulse-held-out"
    metadata = build_pulse(folder, n, SECONDS, RATE, 41, "test")
    return [json.loads(line) | {"folder": str(folder)} for line in metadata.read_text().splitlines()]


def line(name: str, found: Interval) -> str:
    """One line of the table."""
    return (
        f"{name:32s} {found['share']:.2f}, dealt otherwise {found['dealt']:.2f}, difference {found['difference']:+.2f} "
        f"[{found['ci_low']:+.2f}, {found['ci_high']:+.2f}] of {found['n']:.0f}"
    )


def measurements(names: Sequence[str] = ("nano-base",), say: Callable[[str], None] = lambda _: None) -> dict[str, Any]:
    """Both questions put to models, on held-out bands."""
    from models.musicgen.generate import load_generator

    rows, tables = held_out(), {}
    for name in names:
        model = load_generator(name)
        true = np.array([row["bpm"] for row in rows], dtype=float)
        made = of_captions(model, rows)
        tables[name] = {**continuation(model, rows), "asked": measured(made, true)}
        real = [read(row)[: round(SECONDS * RATE)] for row in rows]
        for kind, clips in (("asked", made), ("rendered", real)):
            tables[name][f"{kind}, octave chosen"] = measured(clips, true, octave_chosen)
        for kind, clips in (("asked", made), ("rendered", real)):
            other = heard_by(kept(f"{Path(name).name}-{kind}", clips), true)
            tables[name] |= {f"{kind}, TempoCNN": other} if other else {}
        for what, found in tables[name].items():
            say(line(f"{name}, {what}", found["octaves"]))
    return {"heard_seconds": HEARD, "clips": len(rows), "models": tables}


if __name__ == "__main__":
    measurements(sys.argv[1:] or ["nano-base"], lambda text: print(text, flush=True))
