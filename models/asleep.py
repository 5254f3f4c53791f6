"""How the threads of networks on the processor wait for each other: asleep, so that other processes get on, and they with them.

PyTorch's OpenMP waits by spinning for some milliseconds, thousands of times a second of music. Where other processes want the cores,
a thread that spins holds the core that the one it waits for needs: beside a dozen of them a clip took over seventy times as long.
"""

from __future__ import annotations

from collections.abc import MutableMapping

ASLEEP = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}  # GNU's OpenMP and others; Intel's and LLVM's


def wait_asleep(environment: MutableMapping[str, str]) -> None:
    """Have threads sleep while they wait, where nothing else is asked for; read when PyTorch is loaded, and by processes begun later."""
    for name, value in ASLEEP.items():
        environment.setdefault(name, value)
