"""A snapshot: everything comes back, every change is found, and it is written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest

from analysis.data.frames import StudyData, digest_of, load
from analysis.data.freeze import freeze, thaw
from analysis.errors import AnalysisError
from experiment import launch
from experiment.bots.effects import load_effects
from experiment.launch import Prepared
from tests.analysis.data.test_careless import study


@pytest.fixture
def data() -> StudyData:
    return study(16)


def test_everything_comes_back(data: StudyData, tmp_path: Path) -> None:
    whole = replace(data, digest=digest_of(getattr(data, n) for n in ("people", "preference", "ratings", "affect")))
    folder = freeze(whole, {"name": "s", "of": 1}, tmp_path)
    assert folder.parent == tmp_path
    assert folder.name == f"bot-{whole.digest[:12]}"
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]  # nothing half-written beside it
    back = thaw(folder)
    for name in ("people", "preference", "ratings", "affect"):
        pd.testing.assert_frame_equal(getattr(back, name), getattr(whole, name))
        assert pd.read_csv(folder / f"{name}.csv").shape == getattr(whole, name).shape
    assert (back.study, back.kind, back.middle, back.sessions, back.digest) == (
        "s", "bot", 5.0, {"complete": 15, "stopped": 1, "withdrawn": 2, "running": 1}, whole.digest,
    )  # fmt: skip
    written = json.loads((folder / "snapshot.json").read_text())
    assert written["definition"] == {"name": "s", "of": 1}
    assert written["data_sha256"] == whole.digest
    assert datetime.fromisoformat(written["frozen_at"]).utcoffset() == timedelta(0)


@pytest.mark.parametrize("name", ["people", "preference", "ratings"])
def test_a_change_in_any_frame_is_found(data: StudyData, tmp_path: Path, name: str) -> None:
    whole = replace(data, digest=digest_of(getattr(data, n) for n in ("people", "preference", "ratings", "affect")))
    folder = freeze(whole, {}, tmp_path)
    path = folder / f"{name}.parquet"
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)
    with pytest.raises(AnalysisError, match="changed after it was frozen"):
        thaw(folder)


def test_a_frozen_snapshot_is_not_written_again(data: StudyData, tmp_path: Path) -> None:
    folder = freeze(data, {}, tmp_path)
    written = (folder / "snapshot.json").read_bytes()
    assert freeze(data, {"another": "definition"}, tmp_path) == folder
    assert (folder / "snapshot.json").read_bytes() == written


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


def test_a_snapshot_of_version_0_1_is_read_as_what_it_meant(prepared: Prepared, tmp_path: Path) -> None:
    """Its comparisons had a column of clips for each of the two conditions, and its digest was made of those."""
    launch.simulate(prepared, load_effects(), 4, seed=1)
    data = load(prepared.store.engine, "s")
    folder = freeze(data, {}, tmp_path)
    path = folder / "preference.parquet"
    old = pd.read_parquet(path).drop(columns=["over", "under"])
    old.rename(columns={"clip_over": "clip_finetuned", "clip_under": "clip_base"}).to_parquet(path, index=False)
    back = thaw(folder)
    pd.testing.assert_frame_equal(back.preference, data.preference)
    assert back.digest == data.digest
