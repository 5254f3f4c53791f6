"""Clips by a generator from a corpus' captions: music in which nobody sings, of the sound that a study's clips have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stimuli.dataset.build import begin, save, write_metadata
from stimuli.errors import StimulusError

Progress = Callable[[int, int], None]


def voiceless(corpus: Path) -> list[dict[str, Any]]:
    """Rows of a corpus whose captions ask for no voice: nobody sings in them, and no choir plays.

    Raises
    ------
    ModelError
        If there is no corpus.
    StimulusError
        If no row of it is so.
    """
    from models.training import read_corpus

    rows = [clip.row for clip in read_corpus(corpus)]
    rows = [r for r in rows if r["description"] and not r.get("voice") and "choir" not in r.get("instrument", "")]
    if not rows:
        raise StimulusError(f"{corpus} has no caption of music without a voice")
    return rows


def build_generated(
    out: Path,
    corpus: Path,
    generator: str,
    n: int,
    seconds: float,
    rate: int,
    seed: int,
    progress: Progress | None = None,
) -> Path:
    """Write `n` clips that a generator makes from captions of `corpus`; returns the metadata file.

    A head that was never given generated music hears voices in it (high legato tones through the codec). What a generator
    makes of a caption is not what the caption says, so nothing is known of these clips but that nobody sings.

    Clip k depends on `seed`, k, the captions and the size of a batch alone, whatever `n`; finished clips are not made again, so the
    command can be interrupted, or asked for more.

    Parameters
    ----------
    generator : str
        Shipped or pulled name, or directory, of a MusicGen.
    rate : int
        Hz of the files; the generator's sound is resampled where it has another.

    Raises
    ------
    ModelError
        If there is no such corpus or generator.
    StimulusError
        If the corpus has no captions of music without a voice, or `out` was begun by another recipe.
    """
    import soxr

    from models.musicgen.generate import load_generator
    from models.training import digest

    rows = voiceless(corpus)
    model = load_generator(generator)
    begin(
        out,
        {
            "kind": "generated", "generator": generator, "sha256": model.sha256, "seconds": seconds, "rate": rate, "seed": seed,
            "captions": digest(r["description"] for r in rows),
        },
    )  # fmt: skip
    # In whole blocks, though some of the last one may not be kept: the sums of a batch of another size are rounded otherwise, and
    # sampling follows.
    size = model.batch_size(seconds)
    asked = [rows[int(np.random.default_rng([seed, 79, k]).integers(len(rows)))] for k in range(-(-n // size) * size)]
    files = [out / "audio" / f"{k:05d}.wav" for k in range(n)]
    for start in range(0, n, size):
        missing = [k for k in range(start, min(start + size, n)) if not files[k].exists()]
        if missing:
            block = range(start, start + size)
            audio = model.generate(
                [asked[k]["description"] for k in block], seconds, [seed * 1_000_003 + k for k in block]
            )
            for k in missing:
                save(files[k], np.asarray(soxr.resample(audio[k - start].mean(axis=0), model.rate, rate)), rate)
        if progress:
            progress(min(start + size, n), n)
    return write_metadata(
        out,
        [
            {
                "path": f"audio/{path.name}", "name": path.stem, "title": row.get("title", row["name"]), "artist": generator,
                "sample_rate": rate, "file_extension": "wav", "duration": seconds, "description": "", "keywords": "",
                "asked": row["description"], "voice": None, "vocoded": False,
            }
            for path, row in zip(files, asked, strict=False)
        ],
    )  # fmt: skip
