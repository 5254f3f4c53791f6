"""Survey files with a column a track and adjective, as the follow-up study's, become the rows that they say."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import func, select

from analysis.data.frames import load
from experiment.config import ExperimentConfig, ImportConfig
from experiment.data.imports import import_psytoolkit
from experiment.data.store import Store
from experiment.data.tables import Response
from tastelab.study import load_study
from tests.conftest import ROOT
from tests.experiment.data.test_imports import db, some, stored, study, write

__all__ = ["db"]  # a fixture


@some
@given(
    tracks=st.lists(
        st.from_regex(r"[a-z]{1,8}([_-][a-z]{1,5}){0,2}", fullmatch=True), min_size=1, max_size=4, unique=True
    ),
    data=st.data(),
)
def test_a_declared_wide_file_is_read_by_its_columns(
    db: Store, config: ExperimentConfig, tmp_path: Path, tracks: list[str], data: st.DataObject
) -> None:
    """One column a track and adjective, in the order in which the study file declares the adjectives."""
    items = data.draw(st.permutations(["salty", "sweet", "bitter", "sour"]))
    asked = config.model_copy(update={"psytoolkit": ImportConfig(items=items)})
    cell = st.one_of(st.none(), st.integers(1, 5))
    people = data.draw(
        st.lists(
            st.fixed_dictionaries({t: st.lists(cell, min_size=4, max_size=4) for t in tracks}), min_size=1, max_size=3
        )
    )
    rows = [
        {"participant": str(i)}
        | {f"{t}_{k + 1}": "" if v is None else str(v) for t in tracks for k, v in enumerate(person[t])}
        for i, person in enumerate(people)
    ]
    name, study_id = study(db, asked)
    report = import_psytoolkit(db, study_id, asked, write(tmp_path / "x.csv", rows))
    expected = []
    for person in people:
        answers = {
            (t, item): float(v) for t in tracks for item, v in zip(items, person[t], strict=True) if v is not None
        }
        if answers:
            expected.append(answers)
    assert report.imported == len(expected)
    assert [reason for _, reason in report.skipped] == ["no answers"] * (len(people) - len(expected))
    assert [{(r[2], r[4]): r[5] for r in rows} for rows in stored(db, study_id)] == expected
    if expected:
        frame = load(db.engine, name).ratings
        assert set(frame["prompt"]) == set(frame["clip"]) == {t for answers in expected for t, _ in answers}
        assert set(frame["model"]) == {"given"}


@pytest.mark.reference
def test_the_followup_study(store: Store, reference_data: Path) -> None:
    """Its published table: 49 people, columns <track>_1 salty, 2 sweet, 3 sour, 4 bitter, 5 spicy; empty = not heard."""
    loaded = load_study(ROOT / "studies" / "five-tastes.toml")
    study_id = store.ensure_study(loaded.name, loaded.title, loaded.model_dump(mode="json"))
    file = reference_data / "followup-study" / "data.csv"
    report = import_psytoolkit(store, study_id, loaded.experiment, file)
    assert (report.imported, report.skipped) == (49, [])
    words = {"1": "salty", "2": "sweet", "3": "sour", "4": "bitter", "5": "spicy"}
    with file.open(newline="", encoding="utf-8-sig") as opened:
        published = [
            {
                (column[:-2], words[column[-1]]): float(value)
                for column, value in row.items()
                if column[-2:-1] == "_" and column[-1] in words and value.strip()
            }
            for row in csv.DictReader(opened)
        ]
    assert [{(r[2], r[4]): r[5] for r in rows if r[0] == "ratings"} for rows in stored(store, study_id)] == published
    from analysis.agreement.agreement import analyse, read_targets

    data = load(store.engine, loaded.name)
    assert data.kind == "imported"
    assert data.ratings["clip"].nunique() == 20
    items = sorted(data.ratings["adjective"].unique())
    targets = read_targets(reference_data / "followup-study" / "target_vectors.xlsx", items, data.words)
    tests = {r["test"]: r for r in analyse(data.ratings, targets, 499, 0)["tests"]}
    assert tests["mantel"]["p"] < 0.01
    assert tests["procrustes"]["p"] < 0.01
    assert tests["permutation"]["n"] == 20
    with store.transaction() as s:
        assert s.scalar(select(func.count(Response.id))) == report.answers
