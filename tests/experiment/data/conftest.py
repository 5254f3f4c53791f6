"""One database that tests of malformed inputs share."""

from __future__ import annotations

import pytest

from experiment.data.store import Store
from experiment.launch import Prepared
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.experiment.data.malformed import begin


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Prepared:
    """One database with one session begun, and what lies around it."""
    folder = tmp_path_factory.mktemp("world")
    config = load_study(ROOT / "study.toml").experiment
    store = Store(f"sqlite:///{folder / 'participants.db'}")
    study_id = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    models = [(t, m, n) for t in ("bitter", "salty", "sour", "sweet") for m in ("base", "finetuned") for n in range(5)]
    rows = [
        {"clip": f"{t}-{m}-{n}", "taste": t, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t, m, n in models
    ]
    prepared = Prepared(store, study_id, config, store.ensure_stimuli(study_id, rows))
    begin(prepared, "first")
    return prepared
