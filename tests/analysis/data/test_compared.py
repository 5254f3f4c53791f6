"""The conditions of a study as analyses see them: in the file's order, whatever they are called; of every version."""

from __future__ import annotations

import pytest

from analysis.data.compared import Conditions
from analysis.data.frames import slider_ends
from analysis.errors import AnalysisError
from tastelab.study import load_study
from tests.conftest import ROOT

TWO = {"conditions": [{"name": "zor", "checkpoint": "a"}, {"name": "abe", "label": "old", "tracks": "here"}]}


def test_order_labels_and_pairs_are_the_files() -> None:
    told = Conditions.declared({"models": TWO, "experiment": {"preference": {"low": 0}}})
    assert told.names == ("zor", "abe")
    assert [told.label(n) for n in ("zor", "abe", "other")] == ["zor", "old", "other"]
    assert [told.spoken(n) for n in ("zor", "abe")] == ["zor model", "old tracks"]
    assert [told.music(n) for n in ("zor", "abe")] == ["the music of the zor model", "the old tracks"]
    assert told.pairs == (("abe", "zor"),)  # the second over the first, where nothing is said
    assert told.order(["abe", "new", "zor", "abe", "ever"]) == ["zor", "abe", "ever", "new"]


def test_pairs_are_those_of_every_task_once() -> None:
    tasks = [
        {"kind": "x", "pairs": [["zor", "abe"]]},
        {"kind": "y"},
        {"kind": "x", "pairs": [["zor", "abe"], ["abe", "new"]]},
    ]
    told = Conditions.declared({"models": TWO, "experiment": {"tasks": tasks}})
    assert told.pairs == (("zor", "abe"), ("abe", "new"))
    # Whichever was heard first; a pair that is not declared goes by the order of the conditions.
    assert told.over_and_under("zor", "abe") == told.over_and_under("abe", "zor") == ("zor", "abe")
    assert told.over_and_under("new", "abe") == ("abe", "new")
    assert told.over_and_under("zor", "new") == told.over_and_under("new", "zor") == ("new", "zor")


def test_two_conditions_are_one_pair_whatever_order_a_second_task_has_them_in() -> None:
    """Else which of them a score over the middle speaks for would be that which was heard first."""
    tasks = [
        {"kind": "preference", "pairs": [["finetuned", "base"]]},
        {"kind": "preference", "name": "again", "pairs": [["base", "finetuned"]]},
    ]
    told = Conditions.declared({"models": TWO, "experiment": {"tasks": tasks}})
    assert told.pairs == (("finetuned", "base"),)
    assert told.over_and_under("base", "finetuned") == told.over_and_under("finetuned", "base") == ("finetuned", "base")


def test_comparisons_on_two_sliders_have_no_points_in_common() -> None:
    said = load_study(ROOT / "studies" / "three-conditions.toml").experiment.model_dump(mode="json")
    (compared,) = [task for task in said["tasks"] if task["kind"] == "preference"]
    said["tasks"] = [compared | {"name": "models"}, compared | {"name": "again", "low": 1, "high": 7}]
    with pytest.raises(AnalysisError, match="comparisons on different sliders \\(0 to 10 and 1 to 7\\)"):
        slider_ends({"experiment": said})
    said["tasks"][0] |= {"low": 1, "high": 7}
    assert slider_ends({"experiment": said}) == (1.0, 7.0)


def test_music_asked_for_other_tastes_belongs_to_the_same_model_asked_for_the_right_one() -> None:
    other = {"prompts_of": "other tastes"}
    blend = {"blend": {"from": "a", "to": "b", "share": 0.5}}
    known = [
        {"name": "a", "checkpoint": "x"}, {"name": "b", "checkpoint": "y"}, {"name": "c", "checkpoint": "y", **other},
        {"name": "d", "checkpoint": "z", **other}, {"name": "e", **blend}, {"name": "f", **blend, **other},
    ]  # fmt: skip
    assert Conditions.declared({"models": {"conditions": known}}).wrong == {"c": "b", "d": None, "f": "e"}
    assert Conditions.declared({"models": TWO}).wrong == {}


def test_music_asked_for_other_tastes_is_no_tastes_own_though_the_study_has_no_right_one() -> None:
    import pandas as pd

    known = [{"name": "a", "checkpoint": "x"}, {"name": "d", "checkpoint": "z", "prompts_of": "other tastes"}]
    rated = pd.DataFrame({"model": ["a", "d", "a"], "value": [1.0, 2.0, 3.0]})
    assert Conditions.declared({"models": {"conditions": known}}).own(rated)["value"].tolist() == [1.0, 3.0]


@pytest.mark.parametrize(
    "definition",
    [
        {}, {"models": None}, {"models": {"captioner": "nano"}}, {"models": {"base": "x", "finetuned": "y"}},
        {"models": {"base": "x"}, "stimuli": {"source": "generated", "folder": None}, "experiment": {"preference": None}},
    ],
)  # fmt: skip
def test_version_0_1_had_two_conditions(definition: dict[str, object]) -> None:
    told = Conditions.declared(definition)
    assert told.names == ("base", "finetuned")
    assert told.pairs == (("finetuned", "base"),)
    assert [told.spoken(n) for n in told.names] == ["base model", "fine-tuned model"]


def test_version_0_1_had_one_condition_of_tracks() -> None:
    definition = {"models": {"base": "x", "finetuned": "y"}, "stimuli": {"source": "given", "folder": "tracks"}}
    told = Conditions.declared(definition)
    assert (told.names, told.pairs) == (("given",), ())
    assert told.spoken("given") == "given tracks"
