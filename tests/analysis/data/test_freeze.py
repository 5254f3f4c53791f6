"""A snapshot: everything comes back, every change is found, and it is written whole or not at all."""

from __future__ import annotations

import json
import stat
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pandas as pd
import pytest
from sqlalchemy import update

from analysis.data.frames import StudyData, digest_of, load
from analysis.data.freeze import freeze, thaw
from analysis.errors import AnalysisError
from experiment import launch
from experiment.bots.effects import load_effects
from experiment.data.store import Store
from experiment.data.tables import Response, StudyRow
from experiment.launch import Prepared
from tests.analysis.data.test_careless import study
from tests.experiment.data.rows import DEFAULT, Asked, sat


@pytest.fixture
def data() -> StudyData:
    return study(16)


def test_everything_comes_back(data: StudyData, tmp_path: Path) -> None:
    whole = replace(data, digest=digest_of(getattr(data, n) for n in ("people", "preference", "ratings", "affect")))
    folder = freeze(whole, {"name": "s", "of": 1}, tmp_path)
    assert folder.parent == tmp_path
    assert folder.name == f"bot-{whole.digest[:12]}"
    assert [p.name for p in tmp_path.iterdir()] == [folder.name]  # nothing half-written beside it
    back = thaw(str(folder))  # as a notebook names it
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


def test_a_snapshot_knows_the_words_of_its_study(data: StudyData, tmp_path: Path) -> None:
    adjective = {"name": "hot", "words": {"en": "hot", "it": "caldo"}}
    rated = {"kind": "ratings", "labels": {"en": ["no", "yes"], "it": ["no", "sì"]}, "adjectives": [adjective]}
    whole = replace(data, digest=digest_of(getattr(data, n) for n in ("people", "preference", "ratings", "affect")))
    back = thaw(freeze(whole, {"experiment": {"design": "0.2", "tasks": [rated]}}, tmp_path))
    assert back.words == {"hot": "hot", "caldo": "hot"}


@pytest.mark.parametrize("name", ["people", "preference", "ratings"])
def test_a_change_in_any_frame_is_found(data: StudyData, tmp_path: Path, name: str) -> None:
    whole = replace(data, digest=digest_of(getattr(data, n) for n in ("people", "preference", "ratings", "affect")))
    folder = freeze(whole, {}, tmp_path)
    path = folder / f"{name}.parquet"
    pd.read_parquet(path).iloc[:-1].to_parquet(path, index=False)
    with pytest.raises(AnalysisError, match="changed after it was frozen"):
        thaw(folder)


def test_a_snapshot_and_the_folder_of_all_are_its_owner_s_alone(data: StudyData, tmp_path: Path) -> None:
    folder = freeze(data, {}, tmp_path / "s" / "snapshots")
    assert [stat.S_IMODE(p.stat().st_mode) for p in (folder, folder.parent)] == [0o700, 0o700]


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


def told(store: Store, ages: Sequence[float], ethnicities: Sequence[str]) -> None:
    for k, (age, ethnicity) in enumerate(zip(ages, ethnicities, strict=True)):
        about = {
            "sex": (None, "female", 1.0), "age": (age, None, 1.0), "ethnicity": (None, ethnicity, 1.0),
            "taste_impairments": (None, "yes", 1.0),
        }  # fmt: skip
        sat(store, f"P{k}", [Asked("demographics", about), *DEFAULT[1:]])


def test_snapshots_hold_no_exact_age_and_no_special_category_by_person(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    told(store, [33.25, 57.25, 71.25, 19.25, 31.25, 29.25], ["latino"] * 5 + ["mixed"])
    data = load(store.engine, "s")
    assert data.people["age"].tolist() == [29.5, 59.5, 69.5, 21.0, 29.5, 29.5]
    assert list(data.people.columns) == ["participant", "age", "sex", "status", "language"]
    counts = {(r["item"], r["answer"]): r["n"] for r in data.special}
    assert counts == {("ethnicity", "latino"): None, ("ethnicity", "mixed"): None, ("taste_impairments", "yes"): 6}
    folder = freeze(data, {}, tmp_path / "snapshots")
    for path in folder.iterdir():
        assert not any(sign in path.read_bytes() for sign in (b"33.25", b"57.25", b"71.25")), path
        assert b"latino" not in path.read_bytes() or path.name == "snapshot.json"
    back = thaw(folder)
    assert (back.digest, back.special) == (data.digest, data.special)
    pd.testing.assert_frame_equal(back.people, data.people, check_dtype=False)
    # Who is a year older is other data, though the bands are the same.
    with store.transaction() as s:
        s.execute(update(Response).where(Response.value == 33.25).values(value=34.25))
    assert load(store.engine, "s").digest != data.digest
    # An analysis that declares the question gets it by person.
    with store.transaction() as s:
        s.execute(update(StudyRow).values(definition={"analysis": {"groups": ["sex", "ethnicity"]}}))
    people = load(store.engine, "s").people
    assert people["ethnicity"].tolist() == ["latino"] * 5 + ["mixed"]
    assert "taste_impairments" not in people
    store.close()


def test_a_snapshot_with_exact_ages_is_read_coarsely_and_written_anew(tmp_path: Path) -> None:
    """As versions before wrote them: one checksum, over all that was written."""
    store = Store(f"sqlite:///{tmp_path / 'p.db'}")
    told(store, [33.25, 57.25], ["latino", "mixed"])
    data = load(store.engine, "s")
    folder = freeze(data, {}, tmp_path / "snapshots")
    older = data.people.assign(age=[33.25, 57.25], ethnicity=["latino", "mixed"], taste_impairments="yes")
    older.to_parquet(folder / "people.parquet", index=False)
    described = json.loads((folder / "snapshot.json").read_text())
    del described["frames_sha256"], described["special"]
    described["data_sha256"] = digest_of((older, data.preference, data.ratings, data.affect))
    (folder / "snapshot.json").write_text(json.dumps(described))
    back = thaw(folder)
    assert back.people["age"].tolist() == [29.5, 59.5]
    assert "ethnicity" not in back.people
    assert {r["item"] for r in back.special} == {"ethnicity", "taste_impairments"}
    assert freeze(data, {}, tmp_path / "snapshots") == folder
    assert b"57.25" not in (folder / "people.csv").read_bytes()
    assert thaw(folder).digest == data.digest
    store.close()


def test_frames_are_written_in_parts_that_can_be_read_alone(
    data: StudyData, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import pyarrow.parquet as pq

    monkeypatch.setattr("analysis.data.freeze.GROUP", 25)
    whole = replace(data, digest=digest_of(getattr(data, n) for n in ("people", "preference", "ratings", "affect")))
    folder = freeze(whole, {}, tmp_path)
    with pq.ParquetFile(folder / "ratings.parquet") as file:
        assert file.num_row_groups == -(-len(data.ratings) // 25) > 1
        pd.testing.assert_frame_equal(file.read_row_group(0).to_pandas(), data.ratings.iloc[:25])
    pd.testing.assert_frame_equal(thaw(folder).ratings, data.ratings)
