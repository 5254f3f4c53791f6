"""Tracks that a study takes as they are: a folder of audio files, and what ``tracks.csv`` in it says of them.

``tracks.csv`` has a row a track: ``file``, and optionally ``taste`` (whose music it is) and ``number`` (which track of its
taste: clip n is compared with clip n). A track without a number gets the next that is free; what has a number already, by an
earlier run, keeps it, whatever is added later.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from stimuli.errors import StimulusError
from stimuli.names import LIST, spelled
from stimuli.recordings import AUDIO_SUFFIXES, opened, sounds
from stimuli.separated import read_separated

COLUMNS = ("file", "taste", "number")


@dataclass(frozen=True)
class Track:
    """One track: its file, the taste that it stands for (empty: none), its number among those of this taste."""

    path: Path
    taste: str
    number: int


def tracks_in(folder: Path, tastes: Sequence[str], earlier: Mapping[str, tuple[str, int]] | None = None) -> list[Track]:
    """Tracks of a folder, by name.

    Parameters
    ----------
    tastes : sequence of str
        The study's.
    earlier : mapping, optional
        File name -> taste and number that a track had in an earlier run.

    Raises
    ------
    StimulusError
        One line: the folder, a track or a row of ``tracks.csv`` that can't be.
    """
    if not folder.is_dir():
        raise StimulusError(f"folder of tracks {folder} does not exist; put the audio files there")
    files, _ = sounds(folder)
    if not files:
        raise StimulusError(f"no audio files ({', '.join(AUDIO_SUFFIXES[:8])} ...) in {folder}")
    lost = [p.name for p in files if not p.exists()]
    if lost:
        raise StimulusError(f"{folder / lost[0]} is a link to nothing; put the file there, or take the link away")
    names: dict[str, Path] = {}
    for path in files:
        name = spelled(path.name)
        if name in names:
            raise StimulusError(f"{names[name]} and {path.name} would both be track {name}; rename one of them")
        names[name] = path
    said = _said(folder / LIST, files, tastes)
    numbers: dict[str, dict[int, str]] = {}
    for file, (taste, number) in said.items():
        if number is not None:
            _take(numbers.setdefault(taste, {}), number, file, folder / LIST)
    for file, (taste, number) in (earlier or {}).items():
        if file in said and said[file] == (taste, None) and number not in numbers.setdefault(taste, {}):
            numbers[taste][number] = file
    for file, (taste, _) in said.items():
        own = numbers.setdefault(taste, {})
        if file not in own.values():
            own[next(n for n in range(len(said) + len(own) + 1) if n not in own)] = file
    at = {file: (taste, n) for taste, own in numbers.items() for n, file in own.items()}
    return [Track(path, *at[path.name]) for path in files]


def sizes(path: Path) -> tuple[int, int]:
    """Samples that a track really has, and its sampling rate in Hz.

    Raises
    ------
    StimulusError
        If it cannot be read as audio.
    """
    with opened(path) as file:
        return file.frames, file.samplerate


def too_short(path: Path, frames: int, rate: int, seconds: float) -> str | None:
    """Why no clip of so many seconds can be taken from a track, in one line; None where one can."""
    if frames >= seconds * rate - 1:
        return None
    lasts = math.floor(100 * frames / rate) / 100  # never told as long as what it is too short for
    return f"{path} is shorter than seconds = {seconds:g} in [stimuli]: it lasts {lasts:g} s; take longer tracks or shorter clips"


def left_out(folder: Path) -> list[tuple[str, str]]:
    """Names and reasons of what in a folder of tracks is no track."""
    return [(name, reason) for name, reason in sounds(folder)[1] if name != LIST]


def _take(own: dict[int, str], number: int, file: str, where: Path) -> None:
    if number in own:
        raise StimulusError(f"{where}: {own[number]} and {file} have both number {number} of one taste")
    own[number] = file


def _said(path: Path, files: Sequence[Path], tastes: Sequence[str]) -> dict[str, tuple[str, int | None]]:
    """Taste and number of each file, as far as the list says."""
    said: dict[str, tuple[str, int | None]] = {p.name: ("", None) for p in files}
    if not path.exists():
        return said
    try:
        listing = read_separated(path)
    except ValueError as error:
        raise StimulusError(f"{path} {error}") from None
    strange = [name for name in listing.header if name not in COLUMNS]
    if "file" not in listing.header or strange:
        raise StimulusError(f"{path}: columns are {', '.join(COLUMNS)}, not {', '.join(listing.header) or 'none'}")
    listed: set[str] = set()
    for (line, _), row in zip(listing.lines, listing.rows, strict=True):
        name, taste, number = (str(row.get(c) or "").strip() for c in COLUMNS)
        if name not in said:
            near = difflib.get_close_matches(name, list(said), 1, 0.6)
            raise StimulusError(
                f"{path}, line {line}: {name!r} is not there" + (f"; did you mean {near[0]!r}?" if near else "")
            )
        if name in listed:
            raise StimulusError(f"{path}, line {line}: {name!r} is listed twice")
        if taste and taste not in tastes:
            near = difflib.get_close_matches(taste, list(tastes), 1, 0.5)
            known = f"did you mean {near[0]!r}?" if near else f"the study has {', '.join(tastes)}"
            raise StimulusError(f"{path}, line {line}: taste {taste!r} is not among the study's; {known}")
        if number and not (number.isascii() and number.isdigit()):
            raise StimulusError(f"{path}, line {line}: number {number!r} is not a whole number from 0 on")
        listed.add(name)
        said[name] = (taste, int(number) if number else None)
    unlisted = [name for name in said if name not in listed]
    if unlisted:
        raise StimulusError(f"{path} says nothing of {unlisted[0]}; list every track, or take it out of the folder")
    return said
