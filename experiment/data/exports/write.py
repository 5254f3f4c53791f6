"""Write a study's tidy answers in one of the formats."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

from experiment.data.exports.tidy import Tidy, tidy
from experiment.data.store import Store
from experiment.errors import ExperimentError


def formats() -> dict[str, Callable[[Tidy], dict[str, str]]]:
    """Formats by name: each turns a tidy table into texts by relative path."""
    from experiment.data.exports import bids, psychds, psychopy, tidy_csv

    return {m.__name__.rsplit(".", 1)[1].removeprefix("tidy_"): m.files for m in (tidy_csv, psychds, bids, psychopy)}


def export(store: Store, study: str, format: str, out: Path) -> tuple[Path, Tidy]:
    """Write a study's answers to ``out/FORMAT``; what was there before is replaced at once, or not at all.

    Raises
    ------
    ExperimentError
        If the format is not known, or the study is not in the database.
    """
    known = formats()
    if format not in known:
        raise ExperimentError(f"--format {format!r} is not known; there are: {', '.join(known)}")
    found = tidy(store, study)
    target, partial = out / format, out / f".{format}.{os.getpid()}.partial"
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)  # a format may have no file where nobody has answered yet
    for name, text in known[format](found).items():
        path = partial / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8-sig" if format == "psychopy" else "utf-8", newline="")
    old = out / f".{format}.{os.getpid()}.old"
    if target.exists():
        os.replace(target, old)
    os.replace(partial, target)
    shutil.rmtree(old, ignore_errors=True)
    return target, found
