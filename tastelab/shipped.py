"""The study files that come with tastelab, wherever it is installed: from a wheel as copies beside this file, else the repository's own."""

from __future__ import annotations

import tomllib
from pathlib import Path

HERE = Path(__file__).resolve().parent


def home() -> Path:
    """The folder in which `study.toml`, `studies` and `docs` stand."""
    carried = HERE / "carried"
    return carried if carried.is_dir() else HERE.parent


def studies() -> dict[str, Path]:
    """The study files that ship, by the study's name; the default study comes first."""
    found = [home() / "study.toml", *sorted((home() / "studies").glob("*.toml"))]
    return {str(tomllib.loads(path.read_text(encoding="utf-8"))["name"]): path for path in found if path.is_file()}
