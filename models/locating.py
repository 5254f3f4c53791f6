"""Where a model lies that a study names; said without torch, which booths do not have."""

from __future__ import annotations

from pathlib import Path

from models.cache import cache_directory
from models.errors import ModelError
from models.published import in_hub_cache, snapshot
from models.weights import weights_directory


def models_directory() -> Path:
    """Where pulled models lie: ``models/`` in the cache directory."""
    return cache_directory() / "models"


def of_hub(name: str) -> bool:
    """Whether a name is one of the hub's, ``OWNER/NAME``, and no directory's."""
    return name.count("/") == 1 and not name.startswith((".", "/")) and ":" not in name


def locate(name: str) -> Path:
    """Directory of a model: a path (of the hub's cache too), a pulled model, one in the hub's cache, or shipped weights.

    Raises
    ------
    ModelError
        If there is none, saying what there is.
    """
    if Path(name).is_dir():
        return snapshot(Path(name))
    pulled = models_directory() / name.replace("/", "--")
    cached = in_hub_cache(name) if "/" in name and not pulled.is_dir() else None
    if cached is not None:
        return cached
    if "/" in name and not pulled.is_dir():
        raise ModelError(f"{name} is neither a directory nor pulled; fetch it with 'tastelab models pull {name}'")
    return pulled if pulled.is_dir() else weights_directory(name)
