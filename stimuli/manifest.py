"""The manifest: one row a clip, with everything it came from; kept as JSON beside the clips.

Reading it needs neither torch nor pandas, because booths read it too. What waits beside it (`stimuli.waiting`) is read over it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from models.weights import file_sha256
from stimuli import waiting
from stimuli.errors import StimulusError
from stimuli.names import spelled, told

FILE = "manifest.json"
GROUP = 5000  # rows of a row group of its table


@dataclass
class ClipRow:
    """One clip.

    `model` is the condition. `number` counts the clips of one taste and condition from 0; generated clips of one taste and
    number share their seed, and their prompt too but for wrong-prompt conditions, whose clips say in `prompt_of` which
    taste's prompt it was. `checkpoint_sha256` is what the checkpoint (or the track's file) hashed to; `checks` says what was
    looked for in the sound, and how often it was drawn again. `seed` is that of the first drawing; a clip that was chosen among
    several says its own in `checks` (``drawn_with``).
    """

    clip: str
    taste: str
    model: str
    number: int
    file: str
    sha256: str
    seconds: float
    rate: int
    loudness: float
    peak: float
    gain: float
    prompt: str | None = None
    seed: int | None = None
    checkpoint: str | None = None
    checkpoint_sha256: str | None = None
    settings: dict[str, Any] = field(default_factory=dict)
    checks: dict[str, Any] = field(default_factory=dict)
    caption: str | None = None
    caption_features: dict[str, dict[str, float]] = field(default_factory=dict)
    captioner_sha256: str | None = None
    features: dict[str, float] = field(default_factory=dict)
    prompt_of: str | None = None

    @property
    def track(self) -> str:
        """The name of the track that it was taken from; empty where it was made from a prompt."""
        return spelled(str(self.checkpoint)) if self.prompt is None and self.checkpoint else ""

    @property
    def told(self) -> str:
        """What analyses call it (`stimuli.names.told`)."""
        return told(self.clip, self.model, self.taste, self.number, self.track)


def mend(folder: Path) -> str:
    """What to do where clips are not as they should be: make them, or where no network can run have them from elsewhere."""
    made = "run 'tastelab stimuli generate'"
    return made if find_spec("torch") else f"{made}, or copy {folder} from the machine that made them"


def read_manifest(folder: Path) -> list[ClipRow]:
    """Read the manifest of a stimulus folder, and what waits beside it.

    Raises
    ------
    StimulusError
        If there is none, or it is damaged.
    """
    late = waiting.found(folder)  # first: what is taken in meanwhile stands in the manifest then
    rows = over(_stored(folder), late)
    if not rows and not (folder / FILE).exists():
        raise StimulusError(f"no stimuli in {folder}: {FILE} is missing; {mend(folder)}")
    return ordered(rows.values()) if late else list(rows.values())


def known_rows(folder: Path) -> dict[str, ClipRow]:
    """The rows of a folder by clip; none where there is no manifest yet."""
    late = waiting.found(folder)  # first, as above
    return over(_stored(folder), late)


class Glance:
    """Rows of a few clips, now; the manifest is read again only where it has changed, so that asking costs nothing."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._stamp, self._rows = 0, dict[str, ClipRow]()

    def of(self, clips: Iterable[str]) -> dict[str, ClipRow]:
        """The rows that there are of those clips."""
        names = list(clips)
        late = waiting.found(self.folder, names)
        path = self.folder / FILE
        stamp = path.stat().st_mtime_ns if path.exists() else 0
        if stamp != self._stamp:
            self._stamp, self._rows = stamp, _stored(self.folder)
        return over({name: self._rows[name] for name in names if name in self._rows}, late)


def over(rows: dict[str, ClipRow], late: Iterable[waiting.Found]) -> dict[str, ClipRow]:
    """Rows with what was found of their clips since; what is of another sound than a clip has now is left out."""
    out = dict(rows)
    for one in late:
        if one.step == waiting.CLIP:
            out[one.clip] = ClipRow(**one.fields)
        elif one.clip in out and out[one.clip].sha256 == one.of:
            out[one.clip] = replace(out[one.clip], **one.fields)
    return out


def _stored(folder: Path) -> dict[str, ClipRow]:
    path = folder / FILE
    try:
        clips = [ClipRow(**row) for row in json.loads(path.read_text(encoding="utf-8"))["clips"]]
    except FileNotFoundError:
        return {}
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise StimulusError(f"{path} is damaged ({error}); delete it and {mend(path.parent)}") from None
    return {row.clip: row for row in clips}


def ordered(rows: Iterable[ClipRow]) -> list[ClipRow]:
    """Rows in the order in which a manifest has them."""
    return sorted(rows, key=lambda r: (r.taste, r.model, r.number))


def write_manifest(folder: Path, rows: list[ClipRow]) -> Path:
    """Write the manifest atomically, in a fixed order."""
    path = folder / FILE
    partial = waiting.partial(path)
    text = json.dumps({"clips": [asdict(r) for r in ordered(rows)]}, indent=1, ensure_ascii=False)
    partial.write_text(text + "\n", encoding="utf-8")
    os.replace(partial, path)
    return path


@contextmanager
def locked(folder: Path, name: str = "manifest") -> Iterator[None]:
    """Hold a lock of this folder, so that several processes can work on one set; it goes when its process ends."""
    from filelock import FileLock

    (folder / ".locks").mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".locks" / f"{name}.lock"):
        yield


def update_manifest(folder: Path, rows: list[ClipRow]) -> None:
    """Add or replace rows, whatever other processes have added meanwhile."""
    with locked(folder):
        known = take_in(folder) | {row.clip: row for row in rows}
        write_manifest(folder, list(known.values()))


def gather(folder: Path) -> list[ClipRow]:
    """Take what waits into the manifest; returns it."""
    with locked(folder):
        take_in(folder)
    return read_manifest(folder)


def take_in(folder: Path) -> dict[str, ClipRow]:
    """The same, by one who holds the lock; rows by clip."""
    late = waiting.found(folder)
    rows = over(_stored(folder), late)
    if late:
        write_manifest(folder, list(rows.values()))
        waiting.taken(late)
    return rows


def keep_only(folder: Path, clips: list[str]) -> list[ClipRow]:
    """Take clips that the study no longer asks for out of the manifest and the folder; returns what stays."""
    with locked(folder):
        rows = take_in(folder)
        surplus = set(rows) - set(clips)
        for name in surplus:
            (folder / rows.pop(name).file).unlink(missing_ok=True)
        if surplus:
            write_manifest(folder, list(rows.values()))
    return read_manifest(folder)


def write_table(folder: Path) -> Path:
    """Write the manifest as Parquet too, one column a setting, check and feature; returns its path."""
    import pandas as pd

    rows = []
    for row in read_manifest(folder):
        flat = asdict(row)
        nested = {name: flat.pop(name) for name in ("settings", "checks", "features")}
        flat["caption_features"] = json.dumps(flat["caption_features"])
        for name, values in nested.items():
            flat |= {f"{name}.{k}": json.dumps(v) if isinstance(v, list) else v for k, v in values.items()}
        rows.append(flat)
    path = folder / "manifest.parquet"
    partial = path.with_suffix(f".{os.getpid()}.partial")
    pd.DataFrame(rows).to_parquet(partial, index=False, row_group_size=GROUP)
    os.replace(partial, path)
    return path


def verify(folder: Path) -> list[str]:
    """Check every file against the manifest; returns one line a problem, none when all is well."""
    problems = []
    rows = read_manifest(folder)
    for row in rows:
        path = folder / row.file
        if not path.is_file():
            problems.append(f"{row.clip}: {path} is missing")
        elif file_sha256(path) != row.sha256:
            problems.append(f"{row.clip}: {path} has changed since it was made (SHA-256 differs)")
    known = {row.file for row in rows}
    for path in sorted((folder / "clips").glob("*.wav")):
        if str(path.relative_to(folder)) not in known:
            problems.append(f"{path}: not in the manifest")
    return problems
