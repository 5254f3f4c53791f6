"""Write a study's tidy answers in one of the formats."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath

from experiment.data.copies import register
from experiment.data.exports.tidy import Tidy, tidy
from experiment.data.private import own_folder, write_own
from experiment.data.store import Store
from experiment.data.tombstones import number_of
from experiment.errors import ExperimentError


def formats() -> dict[str, Callable[[Tidy], Iterator[tuple[str, str]]]]:
    """Formats by name: each turns a tidy table into texts with their relative paths; a path that comes again goes on."""
    from experiment.data.exports import bids, psychds, psychopy, tidy_csv

    return {m.__name__.rsplit(".", 1)[1].removeprefix("tidy_"): m.files for m in (tidy_csv, psychds, bids, psychopy)}


def export(store: Store, study: str, format: str, out: Path, free: bool = False) -> tuple[Path, Tidy]:
    """Write a study's answers to ``out/FORMAT``; what was there before is replaced at once, or not at all.

    Free text is written too where it is asked for (`free`).

    Raises
    ------
    ExperimentError
        If the format is not known, or the study is not in the database.
    """
    known = formats()
    if format not in known:
        raise ExperimentError(f"--format {format!r} is not known; there are: {', '.join(known)}")
    store.study(study)
    register(store, "exports", out, study)
    target, partial = out / format, out / f".{format}.{os.getpid()}.partial"
    try:
        while True:
            before = store.do(number_of)
            found = tidy(store, study, free)
            shutil.rmtree(partial, ignore_errors=True)
            own_folder(partial)  # a format may have no file where nobody has answered yet
            there, folders = set(), {"."}
            for name, text in known[format](found):
                above = [p.as_posix() for p in reversed(PurePosixPath(name).parents)]
                for folder in [x for x in above if x not in folders]:
                    own_folder(partial / folder)
                    folders.add(folder)
                more = name in there  # a file may come in parts
                write_own(partial / name, text, "utf-8-sig" if format == "psychopy" and not more else "utf-8", more)
                there.add(name)
            if store.do(number_of) == before:
                _replace(partial, target)
                if store.do(number_of) == before:
                    break  # nobody withdrew while it was written
    except BaseException:  # a full disk, Ctrl-C: half of the answers are no export
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return target, found


def _replace(partial: Path, target: Path) -> None:
    """Put a folder in the place of another, which is there again where that fails.

    Where a withdrawal has taken the new one away meanwhile, the old one goes too.
    """
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        os.replace(target, old)
    try:
        os.replace(partial, target)
    except FileNotFoundError:
        shutil.rmtree(old, ignore_errors=True)
        raise
    except BaseException:
        if old.exists() and not target.exists():
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
