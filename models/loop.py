"""One training loop, for MusicGen's language model and for both sizes of SonicVerse: CPU, one GPU, or many by torchrun.

A `Task` says what is trained, on what, and how fast; the loop keeps its state, goes on from it to the same losses as without a
break, accumulates gradients, averages weights, evaluates, stops early, writes the curve. Nothing is drawn but by (seed, step). Told to end
(SIGTERM), it keeps a state of the step that it is at.
The codec and its critic keep loops of their own: a quantizer that is begun in the middle, generators whose state is stored, and
two optimizers against each other have none of these hooks in common.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from models.processes import Ending, anybody, told_to_end
from models.training import Report, append_curve, load_state, save_state

if TYPE_CHECKING:
    from accelerate import Accelerator


class Task(ABC):
    """What is trained, and by what.

    Attributes
    ----------
    module : Module
        Its forward takes one of `lots` and gives the loss and, by name, what else the curve shows (``loss``: instead of it).
    seed : int
        With the step, it decides everything that is drawn.
    """

    module: nn.Module
    seed: int

    def begin(self, step: int) -> None:
        """Before a step: modes, and the seeds of everything that draws in it."""
        torch.manual_seed(self.seed * 1_000_003 + step)
        self.module.train()

    @abstractmethod
    def lots(self, step: int) -> Sequence[tuple[Any, ...]]:
        """What this process learns from in a step: arguments of the module's forward, as often as gradients are accumulated."""

    @abstractmethod
    def rate(self, step: int) -> float:
        """Learning rate of a step."""

    @abstractmethod
    def optimizer(self) -> torch.optim.Optimizer:
        """A new optimizer of all that learns."""

    @abstractmethod
    def kept(self) -> dict[str, Any]:
        """What a state keeps of the networks: plain values and tensors."""

    @abstractmethod
    def restore(self, state: dict[str, Any]) -> None:
        """Put back what `kept` gave."""

    def shows(self, step: int) -> bool:
        """Whether a step stands in the curve and is reported, beside the last one and those that are evaluated."""
        return True

    def score(self) -> float | None:
        """Loss of what is not trained on; None: there is nothing of that kind."""
        return None


@dataclass(frozen=True)
class Loop:
    """How a stretch of steps is run.

    Attributes
    ----------
    begin, end : int
        The first step, and the one after the last. A stretch has an optimizer of its own.
    total : int, optional
        Steps of all stretches; default: `end`.
    clip : float, optional
        Largest norm of the gradients.
    ema : float
        Decay of the moving average of the weights, which is what is evaluated and returned; 0 keeps none.
    ema_every : int
        Steps from one update of the average to the next.
    patience : int, optional
        Stop after this many evaluations without a better score, and return the best weights.
    made : dict
        What the training is made of (`models.training.load_state`).
    state, curve : Path, optional
        Files of the state and of the curve; None: neither is kept.
    """

    end: int
    begin: int = 0
    total: int | None = None
    clip: float | None = 1.0
    ema: float = 0.0
    ema_every: int = 1
    evaluate_every: int = 100
    save_every: int = 100
    patience: int | None = None
    made: dict[str, Any] | None = None
    state: Path | None = None
    curve: Path | None = None


class MovingAverage:
    """Exponential moving average of a module's parameters, with the usual warm-up of its decay."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.shadow = [p.detach().clone() for p in module.parameters()]

    @torch.no_grad()
    def update(self, module: nn.Module, step: int) -> None:
        """Move towards the parameters as they are after `step`."""
        keep = min(self.decay, (1 + step) / (10 + step))
        for mean, p in zip(self.shadow, module.parameters(), strict=True):
            mean.lerp_(p.detach(), 1 - keep)

    @contextmanager
    def in_place(self, module: nn.Module) -> Iterator[None]:
        """Put the average into the module for the time of the block."""
        own = [p.detach().clone() for p in module.parameters()]
        _copy(self.shadow, module)
        try:
            yield
        finally:
            _copy(own, module)


@torch.no_grad()
def _copy(values: list[torch.Tensor], module: nn.Module) -> None:
    for p, value in zip(module.parameters(), values, strict=True):
        p.copy_(value)


def train(task: Task, loop: Loop, accelerator: Accelerator, report: Report | None = None) -> None:
    """Train a stretch of steps; goes on from its state, to the same losses as without a break.

    Raises
    ------
    ModelError
        If the state is of a training made of something else.
    KeyboardInterrupt
        If any of its processes was told to end; a state of the step before it is kept.
    """
    with told_to_end() as ending:
        _train(task, loop, accelerator, report, ending)


def _train(task: Task, loop: Loop, accelerator: Accelerator, report: Report | None, ending: Ending) -> None:
    found = load_state(loop.state, loop.made or {}) if loop.state else None
    state: dict[str, Any] = {"step": 0, "best_loss": float("inf"), "since": 0, **(found or {})}
    if found:
        task.restore(state)
    module = task.module
    prepared, optimizer = accelerator.prepare(module, task.optimizer())
    if loop.begin < int(state["step"]) < loop.end:  # of this stretch, and of no other
        optimizer.load_state_dict(state["optimizer"])
    average = MovingAverage(module, loop.ema) if loop.ema else None
    if average and "average" in state:
        average.shadow = [v.to(accelerator.device) for v in state["average"]]
    leaving = False
    for step in range(max(int(state["step"]), loop.begin), loop.end):
        loss, shown = _step(task, step, prepared, optimizer, loop.clip, accelerator)
        if average and (step + 1) % loop.ema_every == 0:
            average.update(module, step)
        last = step + 1 == loop.end
        score = _evaluated(task, average, state, loop) if step % loop.evaluate_every == 0 or last else None
        stop = loop.patience is not None and state["since"] > loop.patience
        state["step"] = loop.end if stop else step + 1
        leaving = anybody(ending.asked, accelerator)  # here all wait for the others as well
        if accelerator.is_main_process:
            shows = task.shows(step) or last
            if shows or score is not None:
                row = {"step": step, "loss": loss.item(), **{k: float(v) for k, v in shown.items()}}
                row |= {} if score is None else {"held_out": score}
                if loop.curve:
                    append_curve(loop.curve, row)
                accelerator.log(row, step=step)
                if report and shows:
                    report(step + 1, loop.total or loop.end, row)
            if loop.state and (state["step"] % loop.save_every == 0 or last or stop or leaving):
                state |= task.kept() | {"optimizer": optimizer.state_dict()}
                state |= {"average": average.shadow} if average else {}
                save_state(loop.state, state, loop.made or {})
        if last or stop or leaving:
            accelerator.wait_for_everyone()  # whoever went first would have torchrun end the one that writes
        if stop or leaving:
            break
    # The wrapper of several processes goes before their group: the other way round its destructor, which holds Python's
    # lock, waits for the group's threads, and one of these may wait for the lock.
    prepared, optimizer = accelerator.free_memory(prepared, optimizer)
    if leaving:
        raise KeyboardInterrupt
    if loop.patience is not None and "best" in state:
        _copy([v.to(accelerator.device) for v in state["best"]], module)
    elif average:
        _copy(average.shadow, module)


def _step(
    task: Task, step: int, prepared: Any, optimizer: Any, clip: float | None, accelerator: Accelerator
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """One step of the optimizer; returns the last lot's loss and what is shown beside it."""
    task.begin(step)
    for group in optimizer.param_groups:
        group["lr"] = task.rate(step)
    for lot in task.lots(step):
        with accelerator.accumulate(prepared):
            loss, shown = prepared(*lot)
            accelerator.backward(loss)
            if clip is not None and accelerator.sync_gradients:
                accelerator.clip_grad_norm_([p for g in optimizer.param_groups for p in g["params"]], clip)
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return loss.detach(), shown


def _evaluated(task: Task, average: MovingAverage | None, state: dict[str, Any], loop: Loop) -> float | None:
    """Score a task by its average, where it has one; the state learns whether that was better than before."""
    with average.in_place(task.module) if average else nullcontext():
        score = task.score()
        if score is None:
            return None
        better = score < state["best_loss"]
        state["since"] = 0 if better else state["since"] + 1
        if better:
            state["best_loss"] = score
            if loop.patience is not None:
                state["best"] = [p.detach().cpu().clone() for p in task.module.parameters()]
    return score
