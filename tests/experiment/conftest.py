from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from experiment.config import ExperimentConfig
from experiment.launch import Prepared
from experiment.store import Store
from tastelab.study import load_study

ROOT = Path(__file__).resolve().parents[2]
TASTES = ("bitter", "salty", "sour", "sweet")


@pytest.fixture(scope="session")
def config() -> ExperimentConfig:
    return load_study(ROOT / "study.toml").experiment


@pytest.fixture
def store(tmp_path: Path) -> Any:
    opened = Store(f"sqlite:///{tmp_path / 'participants.db'}")
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
