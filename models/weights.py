"""Where weights that ship with the project lie, and their fingerprints."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ModelError

if TYPE_CHECKING:
    import torch

WEIGHTS = Path(__file__).parent / "weights"


def shipped() -> list[str]:
    """Names of the weights that ship."""
    return sorted(p.name for p in WEIGHTS.glob("*") if p.is_dir())


def weights_directory(name: str) -> Path:
    """Return the directory of shipped weights `name`, or raise a ModelError naming those there are."""
    path = WEIGHTS / name
    if not path.is_dir():
        raise ModelError(f"no shipped weights named {name!r}; there are: {', '.join(shipped())}")
    return path


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def load_tensors(path: Path) -> dict[str, torch.Tensor]:
    """Read a safetensors file.

    Raises
    ------
    ModelError
        In one line, if it is missing, truncated or no safetensors file.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (SafetensorError, OSError) as error:
        raise ModelError(f"{path} cannot be read as safetensors ({error}); take it anew from where it came") from None


def load_pickle(path: Path) -> dict[str, Any]:
    """Read a file of ``torch.save`` with ``weights_only=True``: tensors and plain values, never code.

    Raises
    ------
    ModelError
        In one line, if it is missing, truncated, or holds anything else.
    """
    import pickle

    import torch

    try:
        loaded: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        first = " ".join(str(error).split())[:120]
        raise ModelError(f"{path} cannot be read as weights ({first}); take it anew from where it came") from None
    return loaded
