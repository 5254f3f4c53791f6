"""Freeze a study's data: tidy frames and the study's definition in a folder that carries its own checksum.

Ages are kept in bands, and of special categories their counts: the data's own checksum is over all of it, the frames' over
what is written.
"""

from __future__ import annotations

import json
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.data.compared import Conditions
from analysis.data.frames import StudyData, coarsened, digest_of, slider_ends
from analysis.data.planned import planned
from analysis.data.worded import item_words
from analysis.errors import AnalysisError
from experiment.data.private import close_to_others, own_folder
from models.conditions import EARLIER_PAIRS

if TYPE_CHECKING:
    import pandas as pd

FRAMES = ("people", "preference", "ratings", "affect")
GROUP = 100_000  # rows of a row group: whoever reads a large snapshot elsewhere need not hold all of it
SOME = ("identification", "repeats")  # written, and part of the digest, where there are any


def freeze(data: StudyData, definition: dict[str, Any], folder: Path) -> Path:
    """Write a snapshot named by its digest; the same data is frozen once. Returns its folder."""
    target = folder / f"{data.kind}-{data.digest[:12]}"
    there = target / "snapshot.json"
    if there.exists() and "frames_sha256" in json.loads(there.read_text(encoding="utf-8")):
        return target
    partial = folder / f".{target.name}.{os.getpid()}.partial"
    own_folder(folder)
    own_folder(partial)
    names = [*FRAMES, *(n for n in SOME if not getattr(data, n).empty)]
    for name in names:
        frame = getattr(data, name)
        frame.to_csv(partial / f"{name}.csv", index=False)
        if name == "repeats":  # words and numbers in one column
            frame = frame.assign(first=frame["first"].map(json.dumps), again=frame["again"].map(json.dumps))
        frame.to_parquet(partial / f"{name}.parquet", index=False, row_group_size=GROUP)
    described = {
        "study": data.study,
        "kind": data.kind,
        "middle": data.middle,
        "sessions": data.sessions,
        "data_sha256": data.digest,
        "frames_sha256": digest_of(getattr(data, name) for name in names),
        "special": data.special,
        "frozen_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "definition": definition,
    }
    (partial / "snapshot.json").write_text(json.dumps(described, indent=1) + "\n", encoding="utf-8")
    close_to_others(partial)
    if target.exists():  # of an older version, with exact ages
        shutil.rmtree(target)
    os.replace(partial, target)
    return target


def thaw(folder: Path | str) -> StudyData:
    """Read a snapshot and check it against its digest.

    Raises
    ------
    AnalysisError
        If it is not a snapshot, or was changed.
    """
    import pandas as pd

    folder = Path(folder)
    path = folder / "snapshot.json"
    if not path.exists():
        raise AnalysisError(f"{folder} is not a snapshot: snapshot.json is missing; run 'tastelab analysis freeze'")
    described = json.loads(path.read_text(encoding="utf-8"))
    there = [*FRAMES, *(n for n in SOME if (folder / f"{n}.parquet").exists())]
    frames = {name: pd.read_parquet(folder / f"{name}.parquet") for name in there}
    if "repeats" in frames:
        frames["repeats"] = frames["repeats"].assign(
            first=frames["repeats"]["first"].map(json.loads).astype(object),
            again=frames["repeats"]["again"].map(json.loads).astype(object),
        )
    if "clip_over" not in frames["preference"]:
        frames["preference"] = _of_version_0_1(frames["preference"])
    if digest_of(frames[name] for name in there) != described.get("frames_sha256", described["data_sha256"]):
        raise AnalysisError(f"snapshot {folder} was changed after it was frozen; freeze the database again")
    if "frames_sha256" not in described:  # of an older version
        frames["people"], described["special"] = coarsened(frames["people"], described["definition"] or {})
    return StudyData(
        described["study"],
        described["kind"],
        **frames,
        middle=described["middle"],
        sessions=described["sessions"],
        digest=described["data_sha256"],
        special=described["special"],
        planned=planned(described["definition"] or {}),
        conditions=Conditions.declared(described["definition"] or {}),
        ends=slider_ends(described["definition"] or {}),
        words=item_words(described["definition"] or {}),
    )


def _of_version_0_1(preference: pd.DataFrame) -> pd.DataFrame:
    """Comparisons of a snapshot of version 0.1, whose two conditions named the columns of their clips, as they are now."""
    ((over, under),) = EARLIER_PAIRS
    named = {f"clip_{over}": "clip_over", f"clip_{under}": "clip_under"}
    out = preference.rename(columns=named)
    at = out.columns.get_loc("taste") + 1
    out.insert(at, "over", over)
    out.insert(at + 1, "under", under)
    return out
