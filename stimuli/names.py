"""What a clip is called: nothing that tells what it is in files and databases, all of it where analyses are read."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import PurePath

LIST = "tracks.csv"  # in a folder of tracks: what each file is (`stimuli.tracks`)
LONGEST = 80  # characters of a track's name
OPAQUE = re.compile(r"clip-[0-9a-f]{12}")


def opaque(seed: int, condition: str, taste: str, number: int) -> str:
    """The name of a clip's file: the same for the same place in a study, and telling neither condition, taste nor order.

    The study's seed is the key of the hash, so that nobody who hears of another study can tell this one's clips.
    """
    what = "\0".join((condition, taste, str(number)))
    return f"clip-{hashlib.blake2b(what.encode(), key=str(seed).encode(), digest_size=6).hexdigest()}"


def places(tastes: Sequence[str]) -> dict[str, int]:
    """Where each taste stands when clips are dealt to people, whatever it is called: what has no taste, then the last declared.

    From the last to the first since the default study's tastes have always been dealt so.
    """
    return {"": 0} | {taste: len(tastes) - k for k, taste in enumerate(tastes)}


def spelled(file: str) -> str:
    """A track's name: its file's, with nothing but letters, digits and dashes; by the numbers of its characters where it has neither.

    A long one is cut, and the hash of the whole stands at its end.
    """
    stem = PurePath(file).stem
    name = "".join(c if c.isalnum() else "-" for c in stem).strip("-").lower()
    name = name or "-".join(f"u{ord(c):04x}" for c in stem)
    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 9].rstrip('-')}-{hashlib.blake2b(name.encode(), digest_size=4).hexdigest()}"


def told(clip: str, condition: str, taste: str, number: int, track: str = "") -> str:
    """What analyses call a clip: taste, condition and number, or the track's name where it has no taste.

    Clips that were made before names were opaque carry it as their name.
    """
    if not OPAQUE.fullmatch(clip):
        return clip
    return f"{taste}-{condition}-{number:03d}" if taste else track or f"{condition}-{number:03d}"
