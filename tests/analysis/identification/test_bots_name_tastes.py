"""From a study file through simulated sessions to the identification's section: what is stored is what is counted."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.config import AnalysisConfig
from analysis.data.careless import without
from analysis.data.frames import StudyData, load
from analysis.data.freeze import freeze, thaw
from analysis.errors import AnalysisError
from analysis.identification.section import section
from analysis.page.inputs import Inputs
from experiment import launch
from experiment.bots.effects import load_effects
from experiment.data.store import Store
from experiment.launch import Prepared
from tastelab.study import load_study
from tests.conftest import ROOT

PEOPLE = 6


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, StudyData]:
    """Simulated people through fit-and-name: 16 clips to name and 2 hidden repeats each."""
    path = tmp_path_factory.mktemp("named") / "p.db"
    study = load_study(ROOT / "studies" / "fit-and-name.toml")
    store = Store(f"sqlite:///{path}")
    number = store.ensure_study(study.name, "", {"experiment": study.experiment.model_dump(mode="json")})
    conditions = sorted({c for task in study.experiment.sequence() for c in getattr(task, "conditions", [])})
    names = conditions or ["base", "finetuned"]
    wrong = {name for task in study.experiment.sequence() for pair in getattr(task, "pairs", []) for name in pair}
    rows = [
        {"clip": f"{t.name}-{m}-{n}", "taste": t.name, "model": m, "number": n, "path": None, "sha256": "0" * 64}
        for t in study.stimuli.tastes
        for m in sorted({*names, *wrong})
        for n in range(24)
    ]
    prepared = Prepared(store, number, study.experiment, store.ensure_stimuli(number, rows))
    launch.simulate(prepared, load_effects(), PEOPLE, 1)
    data = load(store.engine, study.name)
    store.close()
    return path, data


def asked(path: Path, query: str) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def test_frames_hold_what_is_stored(stored: tuple[Path, StudyData]) -> None:
    path, data = stored
    of = "from response join trial on trial.id = trial_id where block = 'identification' and item = 'identification'"
    counted = asked(
        path, f"select taste, choice, count(*) {of} and not repeated group by taste, choice order by taste, choice"
    )
    frame = data.identification
    found = frame.groupby(["asked", "answered"]).size().reset_index().to_numpy().tolist()
    assert [tuple(r) for r in found] == counted
    assert len(frame) == PEOPLE * 16
    again = asked(path, f"select count(*) {of} and repeated")
    assert again == [(PEOPLE * 2,)]
    pairs = data.repeats[data.repeats["item"] == "identification"]
    assert len(pairs) == PEOPLE * 2
    assert set(data.repeats["item"]) == {"identification", "confidence", "liking"}
    assert frame["confidence"].between(1, 5).all()
    left = without(data, {1, 2})
    assert set(left.identification["participant"]) == set(range(3, PEOPLE + 1)) == set(left.repeats["participant"])


def test_a_snapshot_holds_them_too(stored: tuple[Path, StudyData], tmp_path: Path) -> None:
    _, data = stored
    again = thaw(freeze(data, {}, tmp_path))
    assert again.digest == data.digest
    assert again.identification.equals(data.identification)
    assert again.repeats["first"].tolist() == data.repeats["first"].tolist()
    assert again.repeats["again"].tolist() == data.repeats["again"].tolist()
    fewer = replace(data, identification=data.identification.iloc[:-1])
    kept = tmp_path / freeze(data, {}, tmp_path).name / "identification.parquet"
    fewer.identification.to_parquet(kept, index=False)
    with pytest.raises(AnalysisError, match="was changed after it was frozen"):
        thaw(kept.parent)


def test_the_section_counts_every_answer_and_marks_simulated_ones(
    stored: tuple[Path, StudyData], tmp_path: Path
) -> None:
    _, data = stored
    inputs = Inputs("t", data, AnalysisConfig(), [], [], tmp_path, tmp_path, "0", "0")
    summary: list[str] = []
    made = section(inputs, summary)
    assert made is not None
    tables = {t.name: t.rows for t in made.tables}
    assert sum(r["n"] for r in tables["identification_confusion"]) == PEOPLE * 16
    assert sum(r["n"] for r in tables["identification_accuracy"]) == PEOPLE * 16
    conditions = data.identification["condition"].unique()
    assert len(made.text) == 4 * len(conditions)
    assert len(summary) == len(conditions)
    assert {r["item"] for r in tables["identification_reliability"]} == {"identification", "confidence", "liking"}
    empty = replace(data, identification=data.identification.iloc[:0])
    assert section(replace(inputs, data=empty), []) is None
