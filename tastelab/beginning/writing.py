"""A study that begins, as files in a new folder: all of it or nothing, and only what can be run."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from experiment.texts import FOLDER as TEXTS
from tastelab.beginning.drafting import Plan, draft, shipped_languages
from tastelab.errors import UserError
from tastelab.shipped import studies
from tastelab.study import Study, load_study

FILE = "study.toml"


def write(plan: Plan, folder: Path) -> Study:
    """Write a study's folder and read the study from it.

    Raises
    ------
    UserError
        If the folder is there already, can't be made, or the study could not be run; nothing is left behind then.
    """
    refuse(folder)
    partial = folder.parent / f".{folder.name}.{os.getpid()}.partial"
    try:
        partial.mkdir(parents=True)
        (partial / FILE).write_text(draft(plan, folder), encoding="utf-8")
        if plan.kind == "copy":
            _beside(plan.source, partial)
        for language in plan.languages:
            if plan.kind != "copy" and language not in shipped_languages():
                _texts(language, partial / "texts")
        study = load_study(partial / FILE)
        if folder.is_dir():
            folder.rmdir()  # it is empty
        os.replace(partial, folder)
    except UserError as error:
        raise UserError(str(error).replace(str(partial), str(folder))) from None
    except OSError as error:
        raise UserError(f"{folder} can't be made: {error.strerror or error}") from None
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return study


def refuse(folder: Path) -> None:
    """Refuse a folder in which something lies."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder} is there already and not empty; name a new folder")
    if folder.resolve() == Path.cwd():
        raise UserError("a study begins in a new folder; name one")


def _beside(source: str, partial: Path) -> None:
    """What a shipped study names beside itself."""
    study = load_study(studies()[source])
    if study.experiment.effects is not None:
        (partial / "effects").mkdir()
        shutil.copyfile(study.experiment.effects, partial / "effects" / study.experiment.effects.name)


def _texts(language: str, folder: Path) -> None:
    """English texts as those of another language, to be translated."""
    folder.mkdir(exist_ok=True)
    english = (TEXTS / "en.toml").read_text(encoding="utf-8").split("\n", 1)[1]
    head = f"# Everything a participant reads in language {language!r}: translate what stands between quotation marks, keep what stands in braces."
    (folder / f"{language}.toml").write_text(f"{head}\n{english}", encoding="utf-8")
