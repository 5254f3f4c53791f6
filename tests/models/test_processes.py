"""Several processes of one training: who speaks, how all learn of an end, and that what torchrun or a kill has cut goes on to the same weights."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
import torch

from models.errors import ModelError
from models.loop import Loop, train
from models.processes import Ending, anybody, first, first_alone, several, shareable, told_to_end
from tests.models.test_loop import Line, by_hand, inputs

ROOT = Path(__file__).parents[
    2
]  # tests.conftest has it too, and half a second of imports, which four processes would have as well
LONG = Loop(60, ema=0.4, evaluate_every=1000, save_every=1000, made={})
TORCHRUN = "TORCHELASTIC_RUN_ID", "WORLD_SIZE", "RANK"


class Shared(Line):
    """A number a process of every step's, and time to be cut in."""

    def __init__(self, rank: int, pause: float) -> None:
        super().__init__()
        self.rank, self.pause = rank, pause

    def lots(self, step: int) -> Sequence[tuple[Any, ...]]:
        time.sleep(self.pause)
        return [(torch.tensor(inputs(self.seed, step, several())[self.rank]),)]

    def rate(self, step: int) -> float:
        return 0.02


def work(folder: Path, names: Sequence[str], pause: float) -> None:
    """What each process does: trainings one after the other, also where one is told to end."""
    from accelerate import Accelerator

    with first_alone():
        if first():
            time.sleep(0.3)  # the other would be there before it
        with (folder / "order").open("a") as file:
            file.write(os.environ["RANK"])
    accelerator = Accelerator(cpu=True)
    for name in names:
        loop = replace(
            LONG,
            save_every=7 if name == "killed" else LONG.save_every,
            state=folder / f"{name}.pt",
            curve=folder / f"{name}.jsonl",
        )
        try:
            train(Shared(accelerator.process_index, pause), loop, accelerator)
        except KeyboardInterrupt:
            (folder / f"{name}.told{accelerator.process_index}").touch()
    accelerator.end_training()


def until(there: Path) -> None:
    """Wait for a file."""
    deadline = time.monotonic() + 120
    while not there.exists() and time.monotonic() < deadline:
        time.sleep(0.01)


def test_what_is_cut_in_two_processes_goes_on_to_the_same_weights(tmp_path: Path) -> None:
    """SIGTERM to torchrun ends the first training after the step that it is at, of which it keeps a state; the second is killed. Bit for bit."""
    code = "import sys; from pathlib import Path; from tests.models.test_processes import work; work(Path(sys.argv[1]), sys.argv[3:], float(sys.argv[2]))"
    (tmp_path / "run.py").write_text(code)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    asked = {
        "env": {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL,
    }  # fmt: skip
    cut = subprocess.Popen([*torchrun, str(tmp_path / "run.py"), str(tmp_path), "0.1", "told", "killed"], **asked)
    until(tmp_path / "told.jsonl")
    time.sleep(0.3)  # some steps
    everybody = [psutil.Process(cut.pid), *psutil.Process(cut.pid).children()]
    assert len(everybody) == 3
    cut.send_signal(signal.SIGTERM)
    until(tmp_path / "killed.pt")
    for process in everybody:
        process.kill()
    cut.wait()
    kept = {name: torch.load(tmp_path / f"{name}.pt", weights_only=True)["step"] for name in ("told", "killed")}
    assert sorted(p.name for p in tmp_path.glob("*.told*")) == ["told.told0", "told.told1"]
    assert 0 < kept["told"] < 60
    assert kept["killed"] in range(7, 60, 7)
    subprocess.run(
        [*torchrun, str(tmp_path / "run.py"), str(tmp_path), "0", "told", "killed", "whole"], check=True, **asked
    )
    assert (tmp_path / "order").read_text() == "0101"
    states = {n: torch.load(tmp_path / f"{n}.pt", weights_only=True) for n in ("told", "killed", "whole")}
    whole = states.pop("whole")
    for state in states.values():
        assert state["step"] == 60
        assert torch.equal(state["model"]["w"], whole["model"]["w"])
        assert all(torch.equal(a, b) for a, b in zip(state["average"], whole["average"], strict=True))
        ours, others = (s["optimizer"]["state"][0]["momentum_buffer"] for s in (state, whole))
        assert torch.equal(ours, others)


def test_told_to_end_a_state_of_that_step_is_kept_and_it_goes_on_from_there(tmp_path: Path) -> None:
    """Otherwise only every hundredth would be kept."""
    loop = Loop(9, ema=0.4, save_every=100, state=tmp_path / "state.pt", made={})
    before = signal.getsignal(signal.SIGTERM)

    def tell(step: int, total: int, row: dict[str, float]) -> None:
        if step == 5:
            os.kill(os.getpid(), signal.SIGTERM)

    from accelerate import Accelerator

    with pytest.raises(KeyboardInterrupt):
        train(Line(), loop, Accelerator(cpu=True), tell)
    assert signal.getsignal(signal.SIGTERM) == before
    again, whole = Line(), Line()
    train(again, loop, Accelerator(cpu=True))
    assert len(again.modes) == 3  # it was told in the fifth of nine, and took the sixth
    train(whole, replace(loop, state=None), Accelerator(cpu=True))
    assert again.module.w.item() == whole.module.w.item() != pytest.approx(by_hand(6)[-1], abs=1e-4)


def test_the_end_is_noted_in_the_main_thread_alone() -> None:
    seen: list[Any] = []

    def elsewhere() -> None:
        with told_to_end() as ending:
            seen.append((ending.asked, signal.getsignal(signal.SIGTERM)))

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert seen == [(False, signal.getsignal(signal.SIGTERM))]


def test_whose_torchrun_is_gone_ends_and_whose_shell_is_gone_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "getppid", lambda: 1)
    assert not Ending().asked
    for name, value in zip(TORCHRUN, ("a", "2", "0"), strict=True):
        monkeypatch.setenv(name, value)
    assert Ending().asked
    monkeypatch.undo()
    assert not Ending().asked


def test_of_several_the_first_speaks_and_a_batch_has_a_clip_for_each(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from tastelab.context import progress, say

    told = []
    for number in (None, "0", "1"):  # None: RANK and WORLD_SIZE of something else than torchrun
        for name, value in zip(TORCHRUN, (number and "a", "4", number or "3"), strict=True):
            monkeypatch.setenv(name, value) if value else monkeypatch.delenv(name, raising=False)
        say(f"heard {number}")
        with progress("x") as update:
            update(1, 2)
        told.append((several(), first(), update.__name__ == "<lambda>"))
    assert told == [(1, True, False), (4, True, False), (4, False, True)]
    assert capsys.readouterr().out == "heard None\nheard 0\n"
    shareable(4)
    with pytest.raises(ModelError, match="4 processes, but a step has 3 clips"):
        shareable(3)


def test_one_process_waits_for_nobody() -> None:
    from types import SimpleNamespace

    with first_alone():
        pass
    one: Any = SimpleNamespace(num_processes=1)
    assert (anybody(True, one), anybody(False, one)) == (True, False)
