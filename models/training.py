"""What every training loop here needs: clips of a corpus, a learning-rate schedule, checkpoints that resume."""

from __future__ import annotations

import hashlib
import json
import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from models.errors import ModelError

Report = Callable[[int, int, dict[str, float]], None]  # step, steps in all, what is shown of it


@dataclass(frozen=True)
class Clip:
    """One row of a corpus' metadata.jsonl (audiocraft's fields); `path` is absolute."""

    path: Path
    description: str
    row: dict[str, Any]

    @property
    def wordings(self) -> tuple[str, ...]:
        """All captions of the clip: the row's ``wordings`` where it has any, its ``description`` otherwise."""
        return tuple(self.row.get("wordings") or (self.description,))


def read_corpus(folder: Path) -> list[Clip]:
    """Read the clips of a corpus directory.

    Raises
    ------
    ModelError
        If there is no metadata.jsonl, or it names a file that is missing.
    """
    metadata = folder / "metadata.jsonl"
    if not metadata.exists():
        raise ModelError(f"no corpus in {folder}: metadata.jsonl is missing; build one with 'tastelab stimuli dataset'")
    clips = []
    for line in metadata.read_text().splitlines():
        row = json.loads(line)
        clips.append(Clip(folder / row["path"], row["description"], row))
    if clips and not clips[0].path.exists():
        raise ModelError(f"corpus {folder} lists {clips[0].path.name}, which is missing; build the corpus again")
    return clips


def recipe_of(folder: Path) -> dict[str, Any]:
    """How a corpus was made (its recipe.json); nothing is known of one without."""
    path = folder / "recipe.json"
    return dict(json.loads(path.read_text())) if path.exists() else {}


def fingerprint(clips: Sequence[Clip]) -> str:
    """What tells two lists of clips apart: their rows, names and sizes, as 16 hexadecimal digits."""
    return digest(f"{c.path.name} {c.path.stat().st_size} {json.dumps(c.row, sort_keys=True)}" for c in clips)


def digest(parts: Iterable[Any]) -> str:
    """16 hexadecimal digits of texts and tensors."""
    total = hashlib.sha256()
    for part in parts:
        if isinstance(part, torch.Tensor):
            total.update(part.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
        else:
            total.update(str(part).encode())
        total.update(b"\0")
    return total.hexdigest()[:16]


def read_segment(path: Path, seconds: float, rate: int, rng: np.random.Generator) -> np.ndarray:
    """Read a random segment of exactly `seconds` (zero-padded) as mono float32; the file must have `rate` Hz."""
    import soundfile

    with soundfile.SoundFile(path) as file:
        if file.samplerate != rate:
            raise ModelError(f"{path} has {file.samplerate} Hz, the model wants {rate} Hz; resample the corpus")
        wanted = round(seconds * rate)
        file.seek(int(rng.integers(max(1, file.frames - wanted + 1))))
        audio = file.read(wanted, dtype="float32", always_2d=True).mean(axis=1)
    return np.pad(audio, (0, wanted - len(audio)))


def cosine(step: int, steps: int, warmup: int, floor: float = 0.05) -> float:
    """Learning-rate factor: linear warm-up, then a cosine down to `floor`."""
    if step < warmup:
        return (step + 1) / warmup
    progress = min(1.0, (step - warmup) / max(1, steps - warmup))
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * progress))


def save_state(path: Path, state: dict[str, Any], made: dict[str, Any]) -> None:
    """Write a training state atomically; tensors, numbers, strings, lists and dictionaries only. `made`: see `load_state`."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    torch.save({**state, "made": json.loads(json.dumps(made))}, partial)
    os.replace(partial, path)


def load_state(path: Path, made: dict[str, Any]) -> dict[str, Any] | None:
    """Read a training state (``weights_only=True``), or None where there is none.

    Parameters
    ----------
    made : dict
        What the training is made of: settings, `fingerprint` of its clips; plain values. It is kept in the state as ``made``.

    Raises
    ------
    ModelError
        If the state is of a training made of something else, naming what differs: to go on with it would mix the two.
    """
    if not path.exists():
        return None
    state: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    there, here = state.get("made", {}), json.loads(json.dumps(made))
    other = sorted(k for k in {*there, *here} if there.get(k) != here.get(k))
    if other:
        raise ModelError(
            f"{path} was begun with another {', '.join(other)}; choose another directory, or remove it to begin anew"
        )
    return state


def append_curve(path: Path, row: dict[str, float]) -> None:
    """Append one line to a JSON-lines training curve."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(json.dumps({k: round(v, 5) for k, v in row.items()}) + "\n")
