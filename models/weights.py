"""Where weights that ship with the project lie, and their fingerprints."""

from __future__ import annotations

import hashlib
from pathlib import Path

from models.errors import ModelError

WEIGHTS = Path(__file__).parent / "weights"


def weights_directory(name: str) -> Path:
    """Return the directory of shipped weights `name`, or raise a ModelError naming those there are."""
    path = WEIGHTS / name
    if not path.is_dir():
        there = ", ".join(sorted(p.name for p in WEIGHTS.glob("*") if p.is_dir()))
        raise ModelError(f"no shipped weights named {name!r}; there are: {there}")
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()
