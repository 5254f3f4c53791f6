"""A watch over where tensors are: no operation may mix devices, as on a machine whose accelerator it would fail on."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

CPU = torch.device("cpu")
MOVES = ("aten._to_copy", "aten.copy_", "aten.to.")


class OneDevice(TorchDispatchMode):
    """Refuses operations over tensors of several devices; single numbers may lie on the processor, as PyTorch allows.

    Networks are put on ``meta``, the device that computes nothing: what is made on the processor by mistake meets it there.
    What is taken back from there is zeros. `seen` counts operations by device, so that a test can tell that something ran.
    """

    def __init__(self) -> None:
        super().__init__()
        self.seen: dict[str, int] = {}

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        given = kwargs or {}
        devices = {t.device.type for t in _tensors([*args, *given.values()]) if t.dim()}
        if len(devices) > 1 and not str(func).startswith(MOVES):
            raise AssertionError(f"{func} over tensors on {' and '.join(sorted(devices))}")
        for device in devices:
            self.seen[device] = self.seen.get(device, 0) + 1
        if func is torch.ops.aten._to_copy.default and args[0].is_meta and given.get("device") == CPU:
            return torch.zeros(args[0].shape, dtype=given.get("dtype") or args[0].dtype)  # taken back: nothing is there
        if func is torch.ops.aten._local_scalar_dense.default and args[0].is_meta:
            return args[0].dtype.is_floating_point and 0.0  # what is read from nothing: zero, or no
        return func(*args, **given)


def _tensors(values: Iterable[Any]) -> Iterable[torch.Tensor]:
    for value in values:
        if isinstance(value, torch.Tensor):
            yield value
        elif isinstance(value, list | tuple):
            yield from _tensors(value)
