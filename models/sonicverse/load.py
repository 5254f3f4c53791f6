"""Captioners by name: the shipped one, or one in a directory, of either size."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from models.devices import chosen
from models.sonicverse.captioner import Captioner
from models.sonicverse.full.released import weights_file
from models.sonicverse.nano.captioner import NanoCaptioner
from models.weights import file_sha256, weights_directory


def caption_sha256(name: str = "nano") -> str:
    """Fingerprint of a captioner's trained weights, without loading its language model."""
    directory = weights_directory("sonicverse-nano") if name == "nano" else Path(name)
    return file_sha256(weights_file(directory))


@lru_cache(maxsize=2)
def load_captioner(name: str = "nano", device: str = "auto") -> Captioner:
    """Load the shipped captioner (``"nano"``) or one in a directory, of either size, on a device (`models.devices`).

    On a CUDA card the language model of the full size is read in bfloat16.
    """
    where = chosen(device)
    directory = weights_directory("sonicverse-nano") if name == "nano" else Path(name)
    config = directory / "config.json"
    if config.exists() and "dual" in json.loads(config.read_text()):
        from models.sonicverse.full.captioner import FullCaptioner

        return FullCaptioner(directory, where)
    return NanoCaptioner(directory).to(where)
