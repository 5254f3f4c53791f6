"""Where networks run: the processor, or an accelerator that PyTorch knows.

``[models] device`` names it: ``auto`` (a card where there is one), ``cpu``, ``cuda``, ``cuda:1``, ``mps``. Tokens are drawn on the
processor from each clip's own generator wherever logits are computed, so that a clip differs between devices by rounding alone,
which now and then tips a draw; the manifest says where a clip was made.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from models.errors import ModelError

if TYPE_CHECKING:
    import torch

Made = TypeVar("Made")
NAMES = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def check_name(name: str) -> str | None:
    """What is wrong with a device's name, or None; whether it is there is asked when a network is loaded."""
    return None if NAMES.fullmatch(name) else f"{name!r} is no device; there are: auto, cpu, cuda, cuda:N, mps"


def chosen(name: str = "auto") -> torch.device:
    """The device of that name.

    Raises
    ------
    ModelError
        If it is not known, or not on this machine.
    """
    import torch

    problem = check_name(name)
    if problem is not None:
        raise ModelError(problem)
    if name == "auto":
        return torch.device("cuda:0" if torch.cuda.is_available() else "mps" if _mps() else "cpu")
    if name == "mps" and not _mps():
        raise ModelError("device 'mps' is not on this machine; use device = 'auto' in [models]")
    if name.startswith("cuda"):
        n = torch.cuda.device_count() if torch.cuda.is_available() else 0
        place = int(name.partition(":")[2] or 0)
        if place >= n:
            there = (
                f"its cards are cuda:0 to cuda:{n - 1}" if n > 1 else "its card is cuda:0" if n else "it has no card"
            )
            raise ModelError(
                f"device {name!r} is not on this machine: {there} that PyTorch {torch.__version__} can use; "
                "use device = 'auto' in [models]"
            )
        return torch.device("cuda", place)
    return torch.device(name)


def _mps() -> bool:
    import torch

    return bool(torch.backends.mps.is_available())


def called(device: torch.device) -> str:
    """What a manifest calls it: the kind, and of a card its model."""
    import torch

    return f"{device.type} ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else device.type


def fitting(work: Callable[[int], Made], size: int) -> Made:
    """``work(size)``, with half the size after each time that a card's memory did not do.

    Raises
    ------
    ModelError
        If one at a time is too much.
    """
    import torch

    while True:
        try:
            return work(size)
        except torch.cuda.OutOfMemoryError:
            torch.cuda.empty_cache()
        if size == 1:
            raise ModelError(
                "the card's memory is too small for one clip; use device = 'cpu', precision = 'bfloat16', or shorter clips"
            )
        size //= 2
