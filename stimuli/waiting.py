"""What was found of clips and waits to be taken into the manifest: a small file for a clip and a step.

Processes and machines that work on one set write these and nothing else: under a temporary name, then renamed, so that two that do
the same do no harm, and none needs a lock. A file says which clip it is of by the hash of its sound, and which of its row's
fields were found; whoever reads the manifest reads them over it, and whoever writes the manifest takes them in.
"""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stimuli.errors import StimulusError

FOLDER = "waiting"
CLIP = "generate"  # the step that makes a row; the others add to it
STEPS = (CLIP, "distinct", "captions", "features")  # in the order in which they count
DAY = 86_400  # s, after which what another machine left unfinished is nobody's


@dataclass(frozen=True)
class Found:
    """What one step found of one clip; `of` is the hash of the sound that it was found in, None where it is the clip itself."""

    path: Path
    step: str
    clip: str
    of: str | None
    fields: dict[str, Any]
    stamp: int


def put(folder: Path, step: str, clip: str, fields: dict[str, Any], of: str | None = None) -> None:
    """Leave what was found of a clip."""
    path = folder / FOLDER / step / f"{clip}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = partial(path)
    unfinished.write_text(json.dumps({"of": of, "fields": fields}, ensure_ascii=False), encoding="utf-8")
    os.replace(unfinished, path)


def found(folder: Path, clips: Iterable[str] | None = None) -> list[Found]:
    """What waits, of those clips or of all, in the order in which it counts."""
    there = folder / FOLDER
    if not there.is_dir():
        return []
    if clips is None:
        paths = [p for step in STEPS for p in sorted((there / step).glob("[!.]*.json"))]
    else:
        names = list(clips)
        paths = [there / step / f"{name}.json" for step in STEPS for name in names]
    return [one for path in paths if (one := _read(path)) is not None]


def _read(path: Path) -> Found | None:
    try:
        stamp = path.stat().st_mtime_ns
        raw = json.loads(path.read_text(encoding="utf-8"))
        return Found(path, path.parent.name, path.stem, raw["of"], raw["fields"], stamp)
    except FileNotFoundError:  # taken in meanwhile
        return None
    except (ValueError, KeyError, TypeError) as error:
        raise StimulusError(f"{path} is damaged ({error}); delete it and run the same again") from None


def taken(some: Iterable[Found]) -> None:
    """Let go what stands in the manifest now, but for what was found anew meanwhile."""
    for one in some:
        try:
            if one.path.stat().st_mtime_ns == one.stamp:
                one.path.unlink()
        except FileNotFoundError:
            continue


def partial(path: Path) -> Path:
    """A name for a file while it is written, of this process alone, in the same folder."""
    return path.with_name(f".{path.stem}.{socket.gethostname()}-{os.getpid()}.partial")


def sweep(folder: Path) -> None:
    """Remove what processes left half-written that have ended: of this machine now, of others after a day."""
    import psutil

    for path in [*folder.glob("clips/.*.partial"), *folder.glob(f"{FOLDER}/*/.*.partial")]:
        host, _, pid = path.name.removesuffix(".partial").rpartition("-")
        ours = host.endswith(f".{socket.gethostname()}") and pid.isdigit()
        try:
            if not psutil.pid_exists(int(pid)) if ours else time.time() - path.stat().st_mtime > DAY:
                path.unlink()
        except FileNotFoundError:
            continue
