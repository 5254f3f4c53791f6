"""`tastelab analysis mediation | ratings` where music of wrong prompts was rated; answers are put in, no session is run."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from analysis.config import AnalysisConfig
from analysis.data.frames import StudyData
from analysis.ratings.section import mediation_section
from tastelab.commands import analysis
from tests.analysis.ratings.test_wrong_prompts import rated
from tests.analysis.report.study import inputs, sketched
from tests.tastelab.conftest import call

STUDY = ("--study", str(Path(__file__).parents[2] / "study.toml"))


@pytest.fixture
def given(monkeypatch: pytest.MonkeyPatch) -> list[StudyData]:
    """The answers that a command reads."""
    data: list[StudyData] = [rated("finetuned", "wrong")]
    monkeypatch.setattr(analysis, "load_data", lambda *_, **__: data[0])
    return data


def test_mediation_is_the_reports_to_the_last_digit(given: list[StudyData], tmp_path: Path) -> None:
    """Whatever the study file's number of resamples: it says 2000, and the report takes no more than 1000."""
    said = call("analysis", "mediation", *STUDY, "--seed", "3", "--json")
    assert said.status == 0, said.err
    config = AnalysisConfig(seed=3)
    assert config.resamples > 1000
    with sketched():
        made = mediation_section(inputs(tmp_path, data=given[0], config=config, clips=[]), [])
    assert made is not None
    assert json.loads(said.out)["tables"]["paths"] == json.loads(json.dumps(made.tables[0].rows))


def test_music_of_wrong_prompts_alone_leaves_nothing_to_test(given: list[StudyData]) -> None:
    given[0] = rated("wrong")
    said = call("analysis", "ratings", *STUDY, "--plan", "robust")
    assert (said.status, said.out) == (2, "")
    assert said.err == "tastelab: all rated music is of wrong prompts; there is nothing to test\n"
    given[0] = replace(given[0], ratings=given[0].ratings.iloc[:0])
    said = call("analysis", "ratings", *STUDY, "--plan", "robust")
    assert said.err == "tastelab: there are no ratings in this study; task 2 was not run\n"


def test_the_papers_plan_compares_the_prompts_that_were_given(given: list[StudyData]) -> None:
    """Two tastes by five words of 48 clips; of the wrong prompts' music only the means are told."""
    found = json.loads(call("analysis", "ratings", *STUDY, "--plan", "paper", "--json").out)["tables"]
    assert found["anova"][-1]["df"] == 48 * 5 - 10
    assert {r["n"] for r in found["means"]} == {48}
    factored = json.loads(call("analysis", "factors", *STUDY, "--plan", "paper", "--factors", "1", "--json").out)[
        "tables"
    ]
    assert [r["n"] for r in factored["scores_by_prompt"]] == [24, 24]
