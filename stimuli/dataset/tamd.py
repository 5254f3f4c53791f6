"""The Taste & Affect Music Database, as its users download it, made into a corpus for fine-tuning.

A folder with one spreadsheet of mean ratings (a column each for sweet, bitter, sour, salty, 0-100) and the tracks as
``1.mp3`` ... ``100.mp3`` (anywhere below it). Captions are the seed study's (arXiv 2503.02823): a free description and
instrument where a JSON file of them lies in the folder, then tempo, key, and the tastes rated over 25.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from models.tempo import tempo_class
from stimuli.audio import finite, opened
from stimuli.dataset.build import begin, write_metadata
from stimuli.dataset.estimate import RATE as ESTIMATE_RATE
from stimuli.dataset.estimate import estimate_key, estimate_tempo
from stimuli.dataset.taste import TASTES, THRESHOLD, taste_words
from stimuli.errors import StimulusError
from stimuli.recordings import mono as one_channel

SPLIT_SEED = 42  # the seed study's
TEST_SHARE = 0.15
Progress = Callable[[int, int], None]


# Words that may stand beside a taste in the name of its column of means; any other makes it a column of something else.
MEAN = frozenset(("m", "mean", "means", "average", "avg", "rating", "ratings", "rated", "score"))


def read_ratings(folder: Path, declared: Mapping[str, str] | None = None) -> dict[int, dict[str, float]]:
    """Mean ratings (0-100) of each track by its number.

    A taste's column is the one named by the taste alone, or by it and words for a mean; what else a name says (``Sweet N``,
    ``Sweet_SE``, ``Bittersweet``) makes it another. `declared` names columns that are called otherwise.

    Raises
    ------
    StimulusError
        If there is not exactly one spreadsheet, or it does not have exactly one column for a taste, or no track numbers.
    """
    import pandas as pd

    sheets = sorted(p for p in folder.rglob("*.xlsx") if not p.name.startswith("~"))
    if len(sheets) != 1:
        raise StimulusError(
            f"{folder} holds {len(sheets)} spreadsheets (.xlsx); the database's ratings must be the only one"
        )
    try:
        table = pd.read_excel(sheets[0])
    except (ValueError, OSError, KeyError) as error:
        raise StimulusError(f"{sheets[0]} cannot be read as a spreadsheet ({error})") from None
    chosen = {taste: _column(taste, list(table.columns), (declared or {}).get(taste), sheets[0]) for taste in TASTES}
    for taste, column in chosen.items():
        values = pd.to_numeric(table[column], errors="coerce").dropna()
        if not len(values) or values.min() < 0 or values.max() > 100:
            raise StimulusError(f"{sheets[0]}: column {str(column)!r} holds no ratings of {taste} from 0 to 100")
    number = next((c for c in table.columns if _numbers_tracks(table[c].tolist())), None)
    if number is None:
        raise StimulusError(f"{sheets[0]} has no column that numbers the tracks (1, 2, 3 ...)")
    rows = table.dropna(subset=[number])
    return {int(r[number]): {t: float(r[c]) for t, c in chosen.items()} for _, r in rows.iterrows()}


def _column(taste: str, columns: list[Any], declared: str | None, where: Path) -> Any:
    """The column of a taste's means."""
    if declared is not None:
        named = [c for c in columns if str(c) == declared]
        if not named:
            raise StimulusError(
                f"{where} has no column {declared!r}; its columns: {', '.join(map(str, columns))[:200]}"
            )
        return named[0]
    found = [c for c in columns if taste in (words := _words(str(c))) and words - {taste} <= MEAN]
    if len(found) == 1:
        return found[0]
    what = f"several columns for {taste!r}: {', '.join(map(str, found))}" if found else f"no column for {taste!r}"
    raise StimulusError(
        f"{where} has {what}; name the column of its means, e.g. --column '{taste}=NAME'; its columns: {', '.join(map(str, columns))[:200]}"
    )


def _words(name: str) -> set[str]:
    """Words of a column's name, in small letters: ``SweetMean`` and ``sweet_mean`` have the same."""
    apart = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name)
    return set(re.findall(r"[^\W_]+", apart.lower()))


def _numbers_tracks(values: list[Any]) -> bool:
    numbers = [v for v in values if isinstance(v, int | float) and v == v]
    return len(numbers) >= 0.9 * len(values) and sorted(numbers) == list(range(1, len(numbers) + 1))


def read_descriptions(folder: Path) -> dict[int, dict[str, str]]:
    """Free descriptions and instruments by track number, from a JSON list of ``{id, instrument, description}``."""
    for path in sorted(folder.rglob("*.json")):
        try:
            rows = json.loads(path.read_text(encoding="utf-8"))
        except (json.JSONDecodeError, UnicodeDecodeError):
            continue
        if isinstance(rows, list) and rows and isinstance(rows[0], dict) and {"id", "description"} <= set(rows[0]):
            return {int(r["id"]): {k: str(v) for k, v in r.items()} for r in rows}
    return {}


def caption(
    description: str, instrument: str, key: str, bpm: float, graded: dict[str, float], taste: bool = True
) -> str:
    """Word a track's caption; without `taste` its tastes and the taste words of the description are left out."""
    words = taste_words(graded) if taste else ""
    if not taste:
        description = re.sub(r"\b(sweet|bitter|sour|salty)(-(?=\w)|\b)", "", description, flags=re.IGNORECASE)
        description = re.sub(r"\s+([,.])", r"\1", re.sub(r"\s{2,}", " ", description)).strip(" ,-")
    text = " ".join(filter(None, [words.rstrip(",") + "." if words else "", description]))
    facts = [f"{tempo_class(bpm)} tempo, {bpm:.0f} BPM", f"in {key}", f"with {instrument}" if instrument else ""]
    text = f"{text} " + ", ".join(f for f in facts if f) + "."
    return text.strip()[0].upper() + text.strip()[1:]


def build_tamd(
    source: Path,
    out: Path,
    rate: int,
    split: str,
    progress: Progress | None = None,
    columns: Mapping[str, str] | None = None,
) -> Path:
    """Write the tracks of one split, whole, mono at `rate` Hz, with metadata.jsonl; finished ones are kept.

    `columns` names those of the tastes' means where the spreadsheet calls them otherwise (`read_ratings`). 15 % of the tracks, drawn with the study's seed, are the test split. Tempo is the ID3 tag's, else estimated.

    Raises
    ------
    StimulusError
        If the folder is not the database, or a track cannot be read.
    """
    import mutagen
    import soundfile
    import soxr

    if not source.is_dir():
        raise StimulusError(f"{source} is no directory; unpack the database there")
    graded, described = read_ratings(source, columns), read_descriptions(source)
    found = {int(p.stem): p for p in source.rglob("*.mp3") if p.stem.isdecimal()}
    numbers = sorted(set(graded) & set(found))
    if not numbers:
        raise StimulusError(f"{source} holds no tracks (1.mp3, 2.mp3 ...); unpack the archive of tracks there")
    order = np.random.default_rng(SPLIT_SEED).permutation(numbers)
    test = set(order[: round(TEST_SHARE * len(numbers))].tolist())
    chosen = [n for n in numbers if (n in test) == (split == "test")]
    begin(out, {"kind": "tamd", "rate": rate, "split": split, "tracks": [int(n) for n in numbers]})
    rows = []
    for i, n in enumerate(chosen):
        wav = out / "audio" / f"{n:03d}.wav"
        with opened(found[n]) as file:
            own = file.samplerate
            mono = one_channel(finite(file.read(), own, str(found[n])))
        if not wav.exists():
            partial = wav.with_suffix(".partial")
            soundfile.write(partial, soxr.resample(mono, own, rate, "VHQ"), rate, format="WAV", subtype="PCM_16")
            os.replace(partial, wav)
        probe = soxr.resample(mono, own, ESTIMATE_RATE)
        tags = mutagen.File(found[n], easy=True) or {}
        bpm = _tag_bpm(tags) or estimate_tempo(probe)
        key, about = estimate_key(probe), described.get(n, {})
        parts = (about.get("description", ""), about.get("instrument", ""), key, bpm, graded[n])
        rows.append(
            {
                "path": f"audio/{n:03d}.wav",
                "name": f"{n:03d}",
                "title": _tag(tags, "title"),
                "artist": _tag(tags, "artist"),
                "sample_rate": rate,
                "file_extension": "wav",
                "duration": len(mono) / own,
                "description": caption(*parts),
                # audiocraft drops half of the descriptions in training and keeps the keywords; so does the second.
                "wordings": [caption(*parts), f"{taste_words(graded[n])} music.".strip(", ").capitalize()],
                "wordings_without_taste": [caption(*parts, taste=False), "Music."],
                "key": key,
                "bpm": round(bpm, 1),
                "genre": _tag(tags, "genre"),
                "instrument": about.get("instrument", ""),
                "moods": [],
                "keywords": ", ".join(t for t in TASTES if graded[n][t] > THRESHOLD),
                "ratings": graded[n],
            }
        )
        if progress:
            progress(i + 1, len(chosen))
    return write_metadata(out, rows)


def _tag(tags: Any, name: str) -> str:
    values = tags.get(name) or [""]
    return str(values[0])


def _tag_bpm(tags: Any) -> float | None:
    try:
        bpm = float(_tag(tags, "bpm"))
    except ValueError:
        return None
    return bpm if 20 <= bpm <= 300 else None
