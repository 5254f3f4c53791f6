"""The processes of one training: torchrun starts several of the same command, and Slurm or a person may end them.

Which of them speaks and writes files, how the others wait for it, and how all learn that one was told to end.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from models.errors import ModelError

if TYPE_CHECKING:
    from accelerate import Accelerator

# A corpus of thousands of clips is encoded for hours; torch's own limits (10 and 30 minutes) stay those of exchanges of gradients.
WAIT = timedelta(hours=48)
PARENT = os.getppid()  # under torchrun, torchrun


def several() -> int:
    """How many processes torchrun has made of this command; 1 without it."""
    return int(os.environ.get("WORLD_SIZE", "1")) if "TORCHELASTIC_RUN_ID" in os.environ else 1


def first() -> bool:
    """Whether this is the one process, or that of several that speaks and writes files."""
    return several() == 1 or os.environ.get("RANK", "0") == "0"


def shareable(batch: int) -> None:
    """Refuse a batch of which not every process has a clip.

    Raises
    ------
    ModelError
        If there are more processes than clips a step.
    """
    if batch < several():
        raise ModelError(
            f"{several()} processes, but a step has {batch} {'clip' if batch == 1 else 'clips'}: give torchrun at most as many processes, or raise --batch"
        )


@contextmanager
def first_alone() -> Iterator[None]:
    """The first process goes through the block before all others, which find what it left."""
    if several() == 1:
        yield
        return
    import torch
    from accelerate import PartialState

    PartialState(cpu=not torch.cuda.is_available())
    patient = torch.distributed.new_group(backend="gloo", timeout=WAIT)
    if not first():
        torch.distributed.barrier(patient)
    yield
    if first():
        torch.distributed.barrier(patient)
    torch.distributed.destroy_process_group(patient)


class Ending:
    """Whether this process was told to end, by SIGTERM or by the end of the torchrun that made it; see `told_to_end`."""

    told = False

    @property
    def asked(self) -> bool:
        """Now; one whose torchrun was killed would write beside those of the next."""
        return self.told or (several() > 1 and os.getppid() != PARENT)


@contextmanager
def told_to_end() -> Iterator[Ending]:
    """For the time of the block SIGTERM ends nothing and is only noted, so that a state can be kept first."""
    ending = Ending()
    if threading.current_thread() is not threading.main_thread():
        yield ending
        return

    def note(*_: Any) -> None:
        ending.told = True

    before = signal.signal(signal.SIGTERM, note)
    try:
        yield ending
    finally:
        signal.signal(signal.SIGTERM, before)


def anybody(here: bool, accelerator: Accelerator) -> bool:
    """Whether this holds in any of the processes: the same answer in all of them, once all have asked."""
    if accelerator.num_processes == 1:
        return here
    import torch

    found: Any = accelerator.reduce(torch.tensor([float(here)], device=accelerator.device), "sum")
    return bool(found.item() > 0)
