"""Write corpora: a directory of WAV files and a metadata.jsonl in audiocraft's fields, for models to train on."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.dataset.arrange import Attributes, arrange, draw_attributes
from stimuli.dataset.captions import caption, character
from stimuli.dataset.render import render
from stimuli.dataset.scores import Skeleton, chorales, key_name
from stimuli.errors import StimulusError
from stimuli.names import LIST

TEST_EVERY = 12  # every twelfth piece is held out: splits are by piece, never by clip
# Further wordings of the taste set: how much they keep (a little, or the taste alone), and whether they name every taste
# over the threshold or the strongest alone.
SHORT = ((0.4, 0.3, True), *[(0.0, 0.0, True)] * 2, *[(0.0, 0.0, False)] * 2)
WORDINGS = 3  # captions per clip: the same attributes, other words, other attributes left out
Progress = Callable[[int, int], None]


def split_of(index: int) -> str:
    """Split of the piece with this index in the sorted list of pieces."""
    return "test" if index % TEST_EVERY == 0 else "train"


def build_base(
    out: Path, n: int, seconds: float, rate: int, seed: int, split: str = "train", progress: Progress | None = None
) -> Path:
    """Write `n` clips with independent attributes and captions that name no taste; returns the metadata file.

    Clip k depends on (`seed`, k) alone, and finished clips are not rendered again, so the command can be interrupted.
    """
    pieces = chorales(out.parent)
    chosen = [p for i, p in enumerate(pieces) if split_of(i) == split]

    def make(k: int) -> tuple[Skeleton, Attributes, str, np.random.Generator]:
        rng = np.random.default_rng([seed, k])
        skeleton = chosen[int(rng.integers(len(chosen)))]
        return skeleton, draw_attributes(rng), "", rng

    begin(out, {"kind": "base", "seconds": seconds, "rate": rate, "seed": seed, "split": split})
    return write_corpus(out, n, seconds, rate, make, progress)


def begin(out: Path, recipe: dict[str, Any]) -> None:
    """Make a corpus' directory, or go on with one of the same recipe (``recipe.json``); clips are never of two.

    Raises
    ------
    StimulusError
        If the directory was begun by another recipe, naming what differs.
    """
    (out / "audio").mkdir(parents=True, exist_ok=True)
    path = out / "recipe.json"
    here = json.loads(json.dumps(recipe))
    if path.exists():
        there = json.loads(path.read_text())
        other = sorted(k for k in {*here, *there} if here.get(k) != there.get(k))
        if other:
            raise StimulusError(
                f"{out} was begun with another {', '.join(other)} ({path.name}); choose another directory, or remove it"
            )
        return
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(here, indent=1) + "\n")
    os.replace(partial, path)


def save(path: Path, audio: np.ndarray, rate: int) -> None:
    """Write a clip as 16-bit WAV, whole or not at all."""
    import soundfile

    partial = path.with_suffix(".partial")
    soundfile.write(partial, audio, rate, format="WAV", subtype="PCM_16")
    os.replace(partial, path)


def write_corpus(
    out: Path,
    n: int,
    seconds: float,
    rate: int,
    make: Callable[[int], tuple[Skeleton, Attributes, str, np.random.Generator]],
    progress: Progress | None,
    ratings: list[dict[str, float]] | None = None,
) -> Path:
    """Render and word `n` clips, each of what `make` gives for its number; returns the metadata file."""
    rows = []
    for k in range(n):
        skeleton, a, taste_words, rng = make(k)
        key = key_name(skeleton.tonic + a.transpose, skeleton.mode)
        text = caption(a, key, rng, taste_words)
        # From a generator of their own, so that clip k stays what it is whatever their number.
        others = [caption(a, key, other, taste_words) for other in rng.spawn(WORDINGS - 1)]
        said = [taste_words] * WORDINGS
        if ratings is not None:
            # audiocraft drops half of the descriptions in training and keeps the keywords; so do these.
            strongest = max(ratings[k], key=ratings[k].__getitem__) if taste_words else ""
            for other, (keep, lead, every) in zip(rng.spawn(len(SHORT)), SHORT, strict=True):
                said.append(taste_words if every else strongest)
                others.append(caption(a, key, other, said[-1], keep, lead))
        name = f"{k:05d}"
        wav = out / "audio" / f"{name}.wav"
        room = float(rng.uniform(0.05, 0.6))
        if not wav.exists():
            audio = render(arrange(skeleton, a, seconds, rng), a.instruments, seconds, rate, room)
            save(wav, audio, rate)
        row = {
            "path": f"audio/{name}.wav",
            "name": name,
            "title": skeleton.piece,
            "artist": "J. S. Bach, arranged",
            "sample_rate": rate,
            "file_extension": "wav",
            "duration": seconds,
            "description": text,
            "wordings": [text, *others],
            "wordings_without_taste": [
                capital(w.removeprefix(capital(words)).strip()) for w, words in zip((text, *others), said, strict=True)
            ],
            "key": key,
            "bpm": a.bpm,
            "genre": "classical",
            "instrument": ", ".join(a.instruments),
            "moods": character(a),
            "keywords": taste_words,
            "attributes": asdict(a),
        }
        if ratings is not None:
            row["ratings"] = ratings[k]
        rows.append(row)
        if progress:
            progress(k + 1, n)
    return write_metadata(out, rows)


def capital(text: str) -> str:
    """A text with a capital in front."""
    return text[:1].upper() + text[1:]


def write_metadata(folder: Path, rows: list[dict[str, Any]]) -> Path:
    """Write a corpus' metadata.jsonl, a row a clip; returns it."""
    metadata = folder / "metadata.jsonl"
    partial = metadata.with_suffix(".partial")
    partial.write_text("".join(json.dumps(row) + "\n" for row in rows))
    os.replace(partial, metadata)
    return metadata


def list_tastes(out: Path, tastes: dict[str, str]) -> None:
    """Write ``audio/tracks.csv``, the tastes by file name: it makes a corpus' folder a condition of a study."""
    partial = out / "audio" / f"{LIST}.partial"
    partial.write_text(
        "file,taste\n" + "".join(f"{name},{taste}\n" for name, taste in tastes.items()), encoding="utf-8"
    )
    os.replace(partial, out / "audio" / LIST)
