"""The training loop on a network of one weight, beside the same arithmetic by hand: every hook, and going on after a break."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from models.errors import ModelError
from models.loop import Loop, Task, train

STEPS, BEGIN = 9, 2.0


class Square(nn.Module):
    """(w x - 1)^2 of one weight."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.tensor(BEGIN))

    def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        loss = (self.w * x - 1).square().mean()
        return loss, {"x": x.mean()}


class Line(Task):
    """Plain gradient descent at a rate that falls, on numbers drawn by (seed, step)."""

    def __init__(self, lots: int = 1, seed: int = 3) -> None:
        self.module, self.seed, self.number = Square(), seed, lots
        self.weights: list[float] = []
        self.modes: list[bool] = []
        self.drawn: list[float] = []

    def begin(self, step: int) -> None:
        super().begin(step)
        self.modes.append(self.module.training)
        self.drawn.append(float(torch.rand(())))

    def lots(self, step: int) -> Sequence[tuple[Any, ...]]:
        return [(torch.tensor(x),) for x in inputs(self.seed, step, self.number)]

    def rate(self, step: int) -> float:
        return 0.1 / (1 + step)

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD(self.module.parameters(), lr=99.0, momentum=0.5)

    def kept(self) -> dict[str, Any]:
        return {"model": self.module.state_dict()}

    def restore(self, state: dict[str, Any]) -> None:
        self.module.load_state_dict(state["model"])

    def shows(self, step: int) -> bool:
        return step % 4 == 0


class Slow(Line):
    """Another optimizer."""

    def optimizer(self) -> torch.optim.Optimizer:
        return torch.optim.SGD([*self.module.parameters(), nn.Parameter(torch.zeros(2))], lr=99.0)


class Scored(Line):
    """Evaluated by a list of scores, in turn; what the weight was is kept."""

    def __init__(self, *scores: float) -> None:
        super().__init__()
        self.scores = list(scores)

    def score(self) -> float | None:
        self.weights.append(self.module.w.item())
        return self.scores.pop(0)


def inputs(seed: int, step: int, number: int) -> np.ndarray:
    return np.random.default_rng([seed, step]).uniform(0.5, 1.5, number).astype(np.float32)


def by_hand(steps: int, number: int = 1, clip: float | None = 1.0, seed: int = 3) -> list[float]:
    """The weight after each step, and before the first."""
    w, velocity, out = BEGIN, 0.0, [BEGIN]
    for step in range(steps):
        gradient = float(np.mean([2 * x * (w * x - 1) for x in inputs(seed, step, number).astype(float)]))
        if clip is not None:
            gradient *= min(1.0, clip / (abs(gradient) + 1e-6))
        velocity = 0.5 * velocity + gradient
        w -= 0.1 / (1 + step) * velocity
        out.append(w)
    return out


def averages(weights: list[float], decay: float) -> list[float]:
    """The moving average after each step, of a decay that warms up: min(decay, (1 + step) / (10 + step))."""
    out = [weights[0]]
    for step, w in enumerate(weights[1:]):
        keep = min(decay, (1 + step) / (10 + step))
        out.append(keep * out[-1] + (1 - keep) * w)
    return out


def run(task: Line, loop: Loop, report: Any = None, accumulate: int = 1) -> float:
    from accelerate import Accelerator

    train(task, loop, Accelerator(cpu=True, gradient_accumulation_steps=accumulate), report)
    return task.module.w.item()


@pytest.mark.parametrize("clip", [None, 1.0, 0.2])
def test_every_step_is_taken_at_its_rate_and_clipped(clip: float | None) -> None:
    task = Line()
    assert run(task, Loop(STEPS, clip=clip)) == pytest.approx(by_hand(STEPS, clip=clip)[-1], abs=1e-5)
    assert task.modes == [True] * STEPS
    expected = []
    for step in range(STEPS):
        torch.manual_seed(3 * 1_000_003 + step)
        expected.append(float(torch.rand(())))
    assert task.drawn == expected


def test_gradients_of_several_lots_are_averaged() -> None:
    assert run(Line(lots=3), Loop(STEPS), accumulate=3) == pytest.approx(by_hand(STEPS, number=3)[-1], abs=1e-5)


def test_the_moving_average_is_what_is_evaluated_and_returned() -> None:
    task = Scored(*[1.0] * 5)
    wanted = averages(by_hand(STEPS), 0.4)
    assert run(task, Loop(STEPS, ema=0.4, evaluate_every=2)) == pytest.approx(wanted[-1], abs=1e-5)
    assert task.weights == pytest.approx([wanted[step + 1] for step in (0, 2, 4, 6, 8)], abs=1e-5)
    assert abs(wanted[-1] - by_hand(STEPS)[-1]) > 0.01


def test_the_average_may_move_at_every_third_step_only() -> None:
    """As audiocraft's, which takes every tenth: nothing of the steps between is in it."""
    weights = by_hand(STEPS)
    wanted = weights[0]
    for step in (2, 5, 8):
        keep = min(0.4, (1 + step) / (10 + step))
        wanted = keep * wanted + (1 - keep) * weights[step + 1]
    assert run(Line(), Loop(STEPS, ema=0.4, ema_every=3)) == pytest.approx(wanted, abs=1e-5)
    assert abs(wanted - averages(weights, 0.4)[-1]) > 1e-3


@pytest.mark.parametrize("ema", [0.0, 0.4])
def test_patience_ends_it_and_gives_back_the_best(ema: float, tmp_path: Path) -> None:
    """Scores at steps 0, 2, 4, 6: the second is the best, and with patience of one the fourth ends the training."""
    weights = by_hand(STEPS)
    best = (averages(weights, ema) if ema else weights)[3]
    loop = Loop(STEPS, ema=ema, evaluate_every=2, patience=1, state=tmp_path / "x.pt", made={"a": 1})
    task = Scored(3.0, 1.0, 2.0, 1.0, 0.0)
    assert run(task, loop) == pytest.approx(best, abs=1e-5)
    assert task.scores == [0.0]
    # Run again it is over, and still the best.
    assert run(Scored(), loop) == pytest.approx(best, abs=1e-5)


def test_without_patience_the_last_weights_are_returned_whatever_the_scores() -> None:
    task = Scored(1.0, 2.0, 3.0, 4.0, 5.0)
    assert run(task, Loop(STEPS, evaluate_every=2)) == pytest.approx(by_hand(STEPS)[-1], abs=1e-5)
    assert task.scores == []


def test_the_curve_and_what_is_reported(tmp_path: Path) -> None:
    told: list[tuple[int, int, dict[str, float]]] = []
    task = Scored(5.0, 4.0, 3.0, 2.0)
    run(
        task, Loop(8, total=20, evaluate_every=3, curve=tmp_path / "new" / "c.jsonl"), lambda *given: told.append(given)
    )
    rows = [json.loads(line) for line in (tmp_path / "new" / "c.jsonl").read_text().splitlines()]
    # Every fourth step, each third that is evaluated (0, 3, 6) and the last one.
    assert [(r["step"], r.get("held_out")) for r in rows] == [(0, 5.0), (3, 4.0), (4, None), (6, 3.0), (7, 2.0)]
    weights = by_hand(8)
    for row in rows:
        x = float(inputs(3, row["step"], 1)[0])
        assert row["loss"] == pytest.approx((weights[row["step"]] * x - 1) ** 2, abs=2e-5)
        assert row["x"] == pytest.approx(x, abs=1e-5)
    assert [(step, total) for step, total, _ in told] == [(1, 20), (5, 20), (8, 20)]
    assert told[1][2]["loss"] == pytest.approx(rows[2]["loss"], abs=1e-5)


@pytest.mark.parametrize(("cut", "kept"), [(1, 0), (5, 3), (9, 6)])
def test_it_goes_on_to_the_same_weights(cut: int, kept: int, tmp_path: Path) -> None:
    """Stopped at a step; the state is of every third one before it, so some are done twice, and none is left out."""
    loop = Loop(STEPS, ema=0.4, evaluate_every=2, save_every=3, state=tmp_path / "state.pt", made={"seed": 3})

    def stop(step: int, total: int, row: dict[str, float]) -> None:
        if step == cut:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(Line(), loop, stop)
    again = Line()
    assert run(again, loop) == pytest.approx(averages(by_hand(STEPS), 0.4)[-1], abs=1e-5)
    assert len(again.modes) == STEPS - kept


def test_a_state_of_something_else_is_refused(tmp_path: Path) -> None:
    loop = Loop(3, state=tmp_path / "state.pt", made={"corpus": "a", "lr": 1})
    run(Line(), loop)
    with pytest.raises(ModelError, match="begun with another corpus; choose"):
        run(Line(), replace(loop, end=6, made={"corpus": "b", "lr": 1}))
    longer = replace(loop, end=6)
    assert run(Line(), longer) == pytest.approx(by_hand(6)[-1], abs=1e-5)


def test_stretches_have_optimizers_of_their_own(tmp_path: Path) -> None:
    """Two stretches of one state: the second begins with the first's weight and without its momentum."""
    state = tmp_path / "state.pt"
    task = Line()
    first = run(task, Loop(4, total=7, state=state, made={}))
    assert first == pytest.approx(by_hand(4)[-1], abs=1e-5)
    w, velocity = by_hand(4)[-1], 0.0
    for step in range(4, 7):
        x = float(inputs(3, step, 1)[0])
        gradient = 2 * x * (w * x - 1)
        velocity = 0.5 * velocity + gradient * min(1.0, 1 / (abs(gradient) + 1e-6))
        w -= 0.1 / (1 + step) * velocity
    assert run(Line(), Loop(7, 4, 7, state=state, made={})) == pytest.approx(w, abs=1e-5)
    # The first is over, and its optimizer is not the one whose state is kept.
    assert run(Slow(), Loop(4, total=7, state=state, made={})) == pytest.approx(w, abs=1e-5)


def test_nothing_is_written_where_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run(Line(), Loop(3))
    assert list(tmp_path.iterdir()) == []
