from __future__ import annotations

import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiment.config import ExperimentConfig
from experiment.launch import Prepared
from experiment.store import Store
from tastelab.study import load_study
from tests.postgres import Postgres

ROOT = Path(__file__).resolve().parents[2]
TASTES = ("bitter", "salty", "sour", "sweet")


@pytest.fixture(scope="session")
def config() -> ExperimentConfig:
    return load_study(ROOT / "study.toml").experiment


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty database of either kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'participants.db'}"
    return request.getfixturevalue("postgres").database(f"t{uuid.uuid4().hex[:12]}")


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    opened = Store(url)
    yield opened
    opened.close()


@pytest.fixture
def prepared(store: Store, config: ExperimentConfig) -> Prepared:
    """A study with five clips a taste and model (rows only: bots hear nothing)."""
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t in TASTES
        for m in ("base", "finetuned")
        for n in range(5)
    ]
    return Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
