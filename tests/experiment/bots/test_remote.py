"""A bot whose engine is another process: killed between any two calls, the rows are those of the bot in one process."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from experiment import launch
from experiment.bots.bots import Bot
from experiment.bots.effects import load_effects
from experiment.bots.remote import EngineProcess, run_remote
from experiment.data.store import Store
from experiment.data.tables import Stimulus
from experiment.errors import ExperimentError
from experiment.launch import Prepared
from experiment.session import run_session
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.experiment.test_steps import rows_of

Message = dict[str, Any]


def entered(folder: Path, file: Path, clips: int = 5) -> Prepared:
    """A study with some clips for each of its conditions and tastes; rows only."""
    study = load_study(file)
    folder.mkdir()
    store = Store(f"sqlite:///{folder / 'p.db'}")
    number = store.ensure_study("s", "S", {"experiment": study.experiment.model_dump(mode="json")})
    rows = [
        {"clip": f"{t.name}-{m}-{n}", "taste": t.name, "model": m, "number": n, "path": None, "sha256": f"{n:064d}"}
        for t in study.stimuli.tastes
        for m in study.models.names
        for n in range(clips)
    ]
    return Prepared(store, number, study.experiment, store.ensure_stimuli(number, rows))


def bot(prepared: Prepared) -> Bot:
    return Bot(prepared.config, load_effects(prepared.config.effects), np.random.default_rng(3), 3)


class Killing:
    """Sends messages, and ends the engine's process at some: before they are sent, or before their answer is read."""

    def __init__(self, engine: EngineProcess, at: Callable[[int], str | None]):
        self.engine, self.at, self.calls, self.kills = engine, at, 0, 0

    def __call__(self, message: Message) -> Message:
        how = self.at(self.calls)
        self.calls += 1
        if how == "after":
            self.engine(message)
        if how:
            assert self.engine.process is not None
            self.engine.process.kill()
            self.engine.process.wait()
            self.kills += 1
        return self.engine(message)


@pytest.mark.parametrize(
    ("file", "language", "clips"),
    [("study.toml", "it", 5), ("studies/five-tastes.toml", "en", 5), ("studies/three-conditions.toml", "it", 8)],
)
def test_killed_between_calls_the_rows_are_the_same(tmp_path: Path, file: str, language: str, clips: int) -> None:
    here, there = (entered(tmp_path / name, ROOT / file, clips) for name in ("here", "there"))
    run_session(here.store, launch.begin(here, "b", "bot", language, "x"), here.config, bot(here))
    engine = EngineProcess(str(there.store.engine.url))
    # Each kill costs a second: five of them, spread over the session; at every call by benchmarks.evidence.
    call = Killing(engine, lambda n: {1: "after", 9: "before", 14: "after", 40: "after", 41: "before"}.get(n))
    with there.store.transaction() as s:
        ear = {c.id: c for c in s.scalars(select(Stimulus))}
    session = launch.begin(there, "b", "bot", language, "x")
    try:
        assert run_remote(call, session, bot(there), ear) == "complete"
    finally:
        engine.close()
    assert call.kills == 5
    assert rows_of(there.store) == rows_of(here.store)
    assert len(rows_of(here.store)) > 40
    here.store.close()
    there.store.close()


def test_an_engine_that_can_not_start_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = EngineProcess("nonsense://x")
    monkeypatch.setattr("experiment.bots.remote.TRIES", 1)
    with pytest.raises(ExperimentError, match="ended 1 times at one message"):
        engine({"open": 1, "token": "t"})
