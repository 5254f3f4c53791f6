"""One's own copy of MusicBench (Melechovsky et al. 2024, CC BY-SA 3.0) as training rows, with MusicCaps' evaluation kept out;
and MusicCaps itself, for evaluation.

MusicBench lists augmented siblings of MusicCaps clips (pitch, speed, volume) as rows of their own; the released SonicVerse
trained on siblings of its evaluation clips. Here a clip's siblings share its YouTube identifier, and every sibling of a row that
is marked as evaluation is left out of training.

Soft labels come from a JSON-lines file beside it, one row a location: ``{"location", "key": {"C major": 0.7, ...},
"instrument": {...}, "mood": {...}, "genre": {...}, "vocals": {...}, "gender": {...}}``, as MIRFLEX' extractors give them.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from models.errors import ModelError

CAPTIONS = ("main_caption", "alt_caption")
# Sentences of control that MusicBench appends to captions of its augmented rows.
CONTROLS = ("prompt_bpm", "prompt_key", "prompt_ch", "prompt_bt")
SOUNDS = (".wav", ".flac", ".ogg", ".opus", ".mp3")
EVALUATION = ("is_audioset_eval_mcaps", "is_audioset_eval")
FLATS = {"C#": "C#", "Db": "C#", "D#": "Eb", "Eb": "Eb", "G#": "Ab", "Ab": "Ab", "A#": "Bb", "Bb": "Bb", "Gb": "F#"}


@dataclass(frozen=True)
class Row:
    """One clip: `audio` its file, `location` its name in the listing, `identifier` what siblings share, `captions` its wordings,
    `soft` labels by head."""

    audio: Path
    identifier: str
    captions: tuple[str, ...]
    bpm: float | None
    key: str | None
    evaluation: bool
    soft: dict[str, dict[str, float]] = field(default_factory=dict)
    location: str = ""


def identifier(location: str) -> str:
    """What a clip and its augmented siblings share: the YouTube identifier of 11 characters, else the name without its number."""
    stem = Path(location).stem
    found = re.match(r"[A-Za-z0-9_-]{11}", stem)
    return found.group() if found else re.sub(r"_\d+$", "", stem)


def read_musicbench(listing: Path, audio: Path, labels: Path | None = None) -> list[Row]:
    """Read a listing of MusicBench (JSON lines or a JSON list) as it is published.

    Parameters
    ----------
    audio : Path
        Directory that the column ``location`` is relative to.
    labels : Path, optional
        Soft labels by location.

    Raises
    ------
    ModelError
        In one line with the row's number, if a column is missing or not as published.
    """
    rows = _json_rows(listing)
    soft = {str(r.get("location")): r for r in _json_rows(labels)} if labels else {}
    out = []
    for i, row in enumerate(rows, start=1):
        location = row.get("location")
        if not isinstance(location, str) or not location:
            raise ModelError(f"{listing} row {i}: no location; is it a listing of MusicBench?")
        captions = [str(row[c]).strip() for c in CAPTIONS if isinstance(row.get(c), str) and str(row[c]).strip()]
        if not captions:
            raise ModelError(f"{listing} row {i}: neither {' nor '.join(CAPTIONS)} says anything")
        controls = [str(row[c]).strip() for c in CONTROLS if isinstance(row.get(c), str) and str(row[c]).strip()]
        out.append(
            Row(
                audio / location,
                identifier(location),
                tuple(dict.fromkeys([*captions, *(f"{c} {' '.join(controls)}" for c in captions if controls)])),
                _number(row.get("bpm")),
                key_name(row.get("key")),
                any(row.get(c) in (True, 1, "True", "true") for c in EVALUATION),
                _soft(soft.get(location, {}), location, labels),
                location,
            )
        )
    return out


def read_musiccaps(listing: Path, audio: Path) -> list[Row]:
    """Read the published table of MusicCaps (Agostinelli et al. 2023, CC BY-SA 4.0): ``musiccaps-public.csv``.

    Parameters
    ----------
    audio : Path
        Directory with one file a clip, whose name has the YouTube identifier in it; rows without a file are left out, because
        many videos are gone.

    Raises
    ------
    ModelError
        In one line, if a column is missing or no row has its audio.
    """
    import csv

    if not listing.is_file():
        raise ModelError(f"{listing} does not exist")
    with listing.open(encoding="utf-8", newline="") as file:
        table = csv.DictReader(file)
        missing = {"ytid", "caption", "is_audioset_eval"} - set(table.fieldnames or [])
        if missing:
            raise ModelError(f"{listing} has no column {sorted(missing)[0]}; is it the table of MusicCaps?")
        rows = list(table)
    files = sorted(p for p in audio.rglob("*") if p.suffix.lower() in SOUNDS) if audio.is_dir() else []
    # Names differ between those who fetched it: ID.wav, ID_30-40.wav, [ID]-[30-40].wav.
    by_id = {found: p for p in reversed(files) for found in _identifiers(p.stem)}
    out = [
        Row(
            by_id[r["ytid"]], r["ytid"], (r["caption"].strip(),), None, None, r["is_audioset_eval"] in ("True", "true", "1"),
            location=by_id[r["ytid"]].relative_to(audio).as_posix(),
        )
        for r in rows if r["ytid"] in by_id and r["caption"].strip()
    ]  # fmt: skip
    if not out:
        raise ModelError(f"no audio of {listing} is in {audio}: files named by their YouTube identifiers are needed")
    return out


def _identifiers(stem: str) -> list[str]:
    """Every run of 11 characters of a file's name that may be a YouTube identifier."""
    return [stem[i : i + 11] for i in range(len(stem) - 10) if re.fullmatch(r"[A-Za-z0-9_-]{11}", stem[i : i + 11])]


def read_listing(listing: Path, audio: Path, labels: Path | None = None) -> list[Row]:
    """Read a listing of MusicBench (JSON) or the table of MusicCaps (CSV)."""
    if listing.suffix.lower() == ".csv":
        if labels is None:
            return read_musiccaps(listing, audio)
        soft = {str(r.get("location")): r for r in _json_rows(labels)}
        return [
            replace(r, soft=_soft(soft.get(r.location, {}), r.location, labels)) for r in read_musiccaps(listing, audio)
        ]
    return read_musicbench(listing, audio, labels)


def _soft(row: dict[str, Any], location: str, labels: Path | None) -> dict[str, dict[str, float]]:
    """The soft labels of one line, checked."""
    given = {h: v for h, v in row.items() if isinstance(v, dict)}
    for head, scores in given.items():
        if any(not isinstance(p, (int, float)) or not 0 <= p <= 1 for p in scores.values()):
            raise ModelError(f"{labels}: {location}: {head} holds something that is no probability")
    return {h: {k: float(p) for k, p in v.items()} for h, v in given.items()}


def split(rows: list[Row]) -> tuple[list[Row], list[Row]]:
    """Training rows, and evaluation rows; no sibling of an evaluation row is trained on."""
    held = {r.identifier for r in rows if r.evaluation}
    return [r for r in rows if r.identifier not in held], [r for r in rows if r.evaluation]


def soft_targets(row: Row, labels: dict[str, list[str]]) -> dict[str, np.ndarray]:
    """Values in [0, 1] by head for binary cross-entropy; a label that is not named is 0, a head that is missing all 0.5."""
    out = {}
    for head, names in labels.items():
        given = row.soft.get(head)
        if given is None and head == "key" and row.key is not None:
            given = {row.key: 1.0}
        values = [0.5] * len(names) if given is None else [float(given.get(n, 0.0)) for n in names]
        out[head] = np.array(values, dtype=np.float32)
    return out


def key_name(given: Any) -> str | None:
    """MusicBench's key, a pair such as ``["C#", "minor"]`` or its text, by the names of the heads; None where there is none."""
    if isinstance(given, str):
        given = re.findall(r"[A-G](?:#|b)?(?![a-z])|major|minor", given)
    if not isinstance(given, (list, tuple)) or len(given) != 2 or given[1] not in ("major", "minor"):
        return None
    tonic = str(given[0])
    return f"{FLATS.get(tonic, tonic)} {given[1]}"


def _number(given: Any) -> float | None:
    try:
        value = float(given)
    except (TypeError, ValueError):
        return None
    return value if math.isfinite(value) and value > 0 else None


def _json_rows(path: Path) -> list[dict[str, Any]]:
    """Rows of a JSON-lines file or a JSON list."""
    if not path.is_file():
        raise ModelError(f"{path} does not exist")
    text = path.read_text(encoding="utf-8")
    try:
        rows = (
            json.loads(text)
            if text.lstrip().startswith("[")
            else [json.loads(x) for x in text.splitlines() if x.strip()]
        )
    except ValueError as error:
        raise ModelError(f"{path} is neither JSON lines nor a JSON list ({error})") from None
    if not rows or not all(isinstance(r, dict) for r in rows):
        raise ModelError(f"{path} holds no rows")
    return list(rows)
