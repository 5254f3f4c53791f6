"""Texts that participants read: one TOML file a language."""

from __future__ import annotations

import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from experiment.errors import ExperimentError

FOLDER = Path(__file__).parent


@lru_cache(maxsize=8)
def texts(language: str) -> dict[str, Any]:
    """Return all texts in `language`, or raise naming the languages there are."""
    path = FOLDER / f"{language}.toml"
    if not path.exists():
        known = ", ".join(sorted(p.stem for p in FOLDER.glob("*.toml")))
        raise ExperimentError(f"there are no texts in language {language!r}; there are: {known}")
    return tomllib.loads(path.read_text(encoding="utf-8"))
