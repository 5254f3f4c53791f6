from __future__ import annotations

import csv
from pathlib import Path

import pytest

from experiment.config import ExperimentConfig
from experiment.data.imports import import_psytoolkit
from experiment.data.store import Store
from experiment.errors import ExperimentError
from tastelab.study import load_study
from tests.conftest import ROOT, TASTES


def seed_row(**changes: str) -> dict[str, str]:
    """A row in the seed study's format."""
    row = {"participant": "s.1.txt", "random_number_1_1": "24", "random_number_4_1": "3", "random_number_5_1": "4"}
    for k in range(1, 6):
        row[f"random_taste_label_{k}_1"] = TASTES[(k - 1) % 4]
        row[f"rng_model_label_{k}_1"] = "finetuned" if k % 2 else "base"
        row[f"task1_{k}_1"] = str(2 * (k - 1))
    for j in range(1, 4):
        for i in range(1, 13):
            row[f"task_2_{j}_{i}"] = str(1 + (i + j) % 5)
    row |= {"anagrafica_1": "2", "age_1": "33", "etnia_1": "9", "hearing_experience_1": "1", "eating_experience_1": "3"}
    return row | changes


def write(path: Path, rows: list[dict[str, str]]) -> Path:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def test_seed_format(store: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", [seed_row(), seed_row(participant="s.2.txt", task1_2_1="11")])
    study = store.ensure_study("s", "S", {"experiment": config.model_dump(mode="json")})
    report = import_psytoolkit(store, study, config, file)
    assert report.imported == 1
    assert report.skipped == [(3, "task1_2_1 is outside 0-10")]
    assert import_psytoolkit(store, study, config, file).already == 1
    from analysis.data.frames import load

    data = load(store.engine, "s")
    # Score is 10 - answer where the left clip is the fine-tuned model's; trial k used clip (24 + k - 1) mod 25.
    assert data.preference["answer"].tolist() == [0, 2, 4, 6, 8]
    assert data.preference["score"].tolist() == [10, 2, 6, 6, 2]
    assert data.preference["clip_base"].tolist()[:2] == ["bitter-base-024", "salty-base-000"]
    assert sorted(data.ratings["prompt"].unique()) == ["bitter", "sour", "sweet"]
    assert len(data.ratings) == 36
    assert data.people.loc[0, "sex"] == "female"


def test_unknown_columns(store: Store, config: ExperimentConfig, tmp_path: Path) -> None:
    file = write(tmp_path / "x.csv", [{"a": "1"}])
    with pytest.raises(ExperimentError, match="random_taste_label_1_1"):
        import_psytoolkit(store, 1, config, file)


@pytest.mark.reference
def test_followup(store: Store, reference_data: Path) -> None:
    study = load_study(ROOT / "studies" / "five-tastes.toml")
    study_id = store.ensure_study(study.name, study.title, study.model_dump(mode="json"))
    report = import_psytoolkit(store, study_id, study.experiment, reference_data / "followup-study" / "data.csv")
    assert report.imported == 49
    assert report.skipped == []
    from analysis.agreement.agreement import analyse, read_targets
    from analysis.data.frames import load

    data = load(store.engine, study.name)
    assert data.kind == "imported"
    assert data.ratings["clip"].nunique() == 20
    items = sorted(data.ratings["adjective"].unique())
    targets = read_targets(reference_data / "followup-study" / "target_vectors.xlsx", items)
    tests = {r["test"]: r for r in analyse(data.ratings, targets, 499, 0)["tests"]}
    assert tests["mantel"]["p"] < 0.01
    assert tests["procrustes"]["p"] < 0.01
    assert tests["permutation"]["n"] == 20
