"""A glass world, and a booth whose study's clips are files of a few bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiment.config import ExperimentConfig
from experiment.data.store import Store
from experiment.launch import Prepared
from tests.conftest import TASTES
from tests.experiment.lab.glass import World


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """No test here runs a network: torch, which takes seconds to load, is left alone."""


@pytest.fixture
def glass(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    yield World(monkeypatch)
    World.now = None


@pytest.fixture
def booth(config: ExperimentConfig, tmp_path: Path) -> Iterator[Prepared]:
    """The default study in a database of its own; every clip is a file of a few bytes and lasts half a second."""
    store = Store(f"sqlite:///{tmp_path / 'participants.db'}")
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    rows = []
    for taste in TASTES:
        for model in ("base", "finetuned"):
            for n in range(5):
                path = tmp_path / f"{taste}-{model}-{n}.wav"
                path.write_bytes(path.name.encode())
                digest = hashlib.sha256(path.name.encode()).hexdigest()
                rows.append(
                    {"clip": path.stem, "taste": taste, "model": model, "number": n, "path": str(path),
                     "sha256": digest, "seconds": 0.5}
                )  # fmt: skip
    yield Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
    store.close()
