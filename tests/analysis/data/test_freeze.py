from __future__ import annotations

from pathlib import Path

import pytest

from analysis.data.frames import load
from analysis.data.freeze import freeze, thaw
from analysis.errors import AnalysisError
from experiment import launch
from experiment.bots.effects import load_effects
from experiment.launch import Prepared


def test_snapshot_comes_back_and_a_change_is_found(prepared: Prepared, tmp_path: Path) -> None:
    launch.simulate(prepared, load_effects(), 4, seed=1)
    data = load(prepared.store.engine, "s")
    folder = freeze(data, {}, tmp_path)
    assert freeze(data, {}, tmp_path) == folder
    back = thaw(folder)
    assert back.digest == data.digest
    assert back.preference.equals(data.preference)
    path = folder / "ratings.parquet"
    changed = back.ratings.copy()
    changed.loc[0, "value"] += 1
    changed.to_parquet(path, index=False)
    with pytest.raises(AnalysisError, match="changed after"):
        thaw(folder)
    with pytest.raises(AnalysisError, match="not a snapshot"):
        thaw(tmp_path)
