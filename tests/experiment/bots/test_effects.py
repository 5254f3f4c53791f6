"""Declared effects: the shipped ones have the paper's directions, and a wrong file is one line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from experiment.bots.effects import load_effects
from experiment.errors import ExperimentError
from experiment.tasks.identification import IdentificationTask
from experiment.tasks.pages import PageTask
from experiment.tasks.preference import PreferenceTask
from experiment.tasks.ratings import RatingsTask
from experiment.tasks.task import Task

GOOD = """
name = "mine"
[preference]
participant_sd = 0
clip_sd = 0
residual_sd = 1
[preference.mean]
sweet = 6
[ratings]
participant_sd = 0
clip_sd = 0
spread = 1
[ratings.correlation]
items = ["b", "a"]
matrix = [[1.0, 0.5], [0.5, 1.0]]
"""


def test_the_shipped_effects_have_the_papers_directions() -> None:
    """Fine-tuned fits better for sweet, sour and bitter, not for salty (arXiv 2503.02823); a taste is heard as itself."""
    told = load_effects()
    assert {t for t, m in told.preference.mean["finetuned"].items() if m > 5} == {"sweet", "sour", "bitter"}
    assert {t for t, m in told.preference.mean["finetuned"].items() if m < 5} == {"salty"}
    assert told.ratings.mean["sweet"]["sweet"] == 2.55  # of the published table
    assert told.ratings.mean["sour"]["fear"] == 2.49
    assert told.ratings.mean["salty"]["salty"] == 2.11
    assert told.ratings.mean["bitter"]["sad"] == 2.61
    declared = told.ratings.correlation
    assert declared is not None
    matrix = np.array(declared.matrix)
    assert np.array_equal(matrix, matrix.T)
    at = {n: i for i, n in enumerate(declared.items)}
    assert (matrix[at["hot"], at["cold"]], matrix[at["anger"], at["fear"]]) == (-0.38, 0.56)


def test_a_root_of_the_correlation_in_the_items_own_order(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(GOOD)
    told = load_effects(path)
    root = told.covariance_root(["a", "x", "b"])
    assert np.allclose(root @ root.T, [[1, 0, 0.5], [0, 1, 0], [0.5, 0, 1]])
    path.write_text(GOOD.split("[ratings.correlation]")[0])
    root = load_effects(path).covariance_root(["a", "b"])
    assert np.allclose(root @ root.T, np.eye(2))


def test_what_is_declared_has_one_fingerprint_wherever_its_file_lies(tmp_path: Path) -> None:
    for name in ("e.toml", "other.toml"):
        (tmp_path / name).write_text(GOOD)
    one, other = load_effects(tmp_path / "e.toml"), load_effects(tmp_path / "other.toml")
    assert (one.shown, other.shown) == ("'mine' (e.toml)", "'mine' (other.toml)")
    assert one.sha256 == other.sha256 != load_effects().sha256


def test_files_of_version_0_1_spoke_of_the_fine_tuned_condition_on_0_to_10(tmp_path: Path) -> None:
    path = tmp_path / "e.toml"
    path.write_text(GOOD)
    told = load_effects(path)
    assert told.preference.mean == {"finetuned": {"sweet": 6.0}}
    assert told.preference.score("sweet", "finetuned", "base", 0, 10) == 6
    assert told.preference.score("sweet", "base", "finetuned", 0, 10) == 4
    assert told.preference.score("sweet", "finetuned", "base", 0, 100) == pytest.approx(60)
    assert told.preference.score("sour", "finetuned", "base", -3, 3) == 0
    assert told.ratings.rating("x", "sour", "sour", 1, 5) == 3
    assert told.ratings.rating("x", "sour", "sad", 1, 5) == 2
    assert told.ratings.rating("x", "sour", "sour", 0, 100) == 50


def test_conditions_of_which_nothing_is_said_are_neutral_in_the_tasks_that_they_are_in() -> None:
    scales = {"labels": {"en": ["little", "much"]}, "adjectives": [{"name": "hot", "words": {"en": "hot"}}]}
    tasks: list[Task] = [
        PreferenceTask(name="fit", pairs=[("finetuned", "base"), ("film", "base")]),
        IdentificationTask(conditions=["base", "film"]),
        RatingsTask.model_validate({"kind": "ratings"} | scales),
        PageTask.model_validate({"kind": "page", "name": "p", "title": {"en": "t"}, "text": {"en": "t"}}),
    ]
    shipped, known = load_effects(), ["base", "finetuned", "film", "nano"]
    # Shipped ratings are of every condition's clips; nothing is shipped about naming tastes.
    assert shipped.neutral(tasks, known) == {"fit": ["film"], "identification": ["base", "film"]}
    none = shipped.model_copy(update={"ratings": shipped.ratings.model_copy(update={"mean": {}})})
    assert none.neutral(tasks[2:], known) == {"ratings": known}
    # Of hot clips the word would be rated higher than the others: that is not neutral.
    assert none.raised(tasks, known, ["hot", "cold"]) == {"ratings": ["hot"]}
    assert none.raised(tasks, known, ["cold"]) == {}
    mean = shipped.model_copy(update={"ratings": shipped.ratings.model_copy(update={"mean": {"hot": {"hot": 3.0}}})})
    assert mean.raised(tasks, known, ["hot", "cold"]) == {}
    assert shipped.strange(["base", "film"]) == ["finetuned"]
    assert shipped.strange(known) == []
    p = load_effects().preference
    assert p.score("sweet", "film", "nano", 0, 10) == 5
    assert p.score("sweet", "film", "finetuned", 0, 10) == pytest.approx(10 - 6.1)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("residual_sd = 1", "residual_sd = 1\nlow = 10"),
        ("spread = 1", "spread = 1\nhigh = 1"),
        ("residual_sd = 1", "residual_sd = 1\nends = 1.5"),
        ("residual_sd = 1", "residual_sd = 1\npair_sd = -1"),
        ("residual_sd = 1", "residual_sd = 1\ntaste_sd = -1"),
        ("residual_sd = 1", "residual_sd = 0"),
        ("spread = 1", "spread = -1"),
        ("participant_sd = 0", "participant_sd = -0.1"),
        ("clip_sd = 0", "clip_sd = -0.1"),
        ("residual_sd = 1", "residual_sd = 1\ncareless = 1.1"),
        ("residual_sd = 1", "residual_sd = 1\ncareless = -0.1"),
        ("residual_sd = 1", "residual_sd = 1\nother = 1"),
        ("[ratings]", "[identification.hits.base]\nsweet = 1.2\n[ratings]"),
        ("[ratings]", "[identification]\nclip_sd = -1\n[ratings]"),
        ("sweet = 6", "sweet = 'six'"),
        ('name = "mine"', "name = "),
        ('name = "mine"', ""),
        ("residual_sd = 1", "residual_sd = inf"),
        ("residual_sd = 1", 'residual_sd = "inf"'),
        ("sweet = 6", "sweet = nan"),
    ],
)
def test_what_can_not_be_done_is_one_line(tmp_path: Path, old: str, new: str) -> None:
    path = tmp_path / "e.toml"
    assert old in GOOD
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ExperimentError, match="effects file") as said:
        load_effects(path)
    assert len(str(said.value).splitlines()) == 1
    assert str(path) in str(said.value)


def test_a_file_in_another_coding_is_told(tmp_path: Path) -> None:
    """As an editor writes it that knows no UTF-8; it ended in a traceback."""
    path = tmp_path / "e.toml"
    path.write_bytes(GOOD.replace("mine", "söt").encode("latin-1"))
    with pytest.raises(ExperimentError, match=r"effects file .*e.toml is no UTF-8"):
        load_effects(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ExperimentError, match=r"none.toml does not exist"):
        load_effects(tmp_path / "none.toml")
