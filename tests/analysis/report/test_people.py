"""Who took part, and who was left out: the sentence and the tables that a constructed study must give."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from analysis.config import AnalysisConfig
from analysis.report import people
from tests.analysis.data.test_careless import study
from tests.analysis.report.study import answers, inputs


def test_sessions_are_counted_by_how_they_ended(tmp_path: Path) -> None:
    data = answers("person")
    data = replace(data, people=data.people.assign(status=["complete", "stopped", "complete", "complete"]))
    summary: list[str] = []
    section = people.section(inputs(tmp_path, data=data), summary)
    assert section.text == ["4 sessions (3 complete, 1 stopped), kind: person."]
    assert (section.name, section.title) == ("people", "Participants")
    assert summary == []
    tables = {t.name: t.rows for t in section.tables}
    assert list(tables) == ["flow", "demographics", "careless"]
    assert tables["flow"][0]["step"] == "sessions begun"
    assert {"item": "age", "answer": "25-34", "n": None, "small": True} in tables["demographics"]


def test_people_left_out_are_counted_by_rule_in_the_summary(tmp_path: Path) -> None:
    summary: list[str] = []
    people.section(inputs(tmp_path, excluded={"incomplete": [7, 9], "spread": [], "seconds": [5]}), summary)
    assert summary == ["Left out by the study file's rules: 3 participants: incomplete (2), seconds (1)."]
    summary.clear()
    people.section(inputs(tmp_path, excluded={"spread": []}), summary)
    assert summary == []


def test_hidden_repeats_have_a_table_where_no_taste_was_named(tmp_path: Path) -> None:
    again = pd.DataFrame(
        [(p, "fit", "c", "preference", float(p % 9), float(p % 7)) for p in range(1, 20)],
        columns=["participant", "block", "clip", "item", "first", "again"],
    )
    whole = replace(answers(), repeats=again)
    named = people.section(inputs(tmp_path, data=whole), [])
    assert "repeats" not in {t.name for t in named.tables}
    alone = people.section(inputs(tmp_path, data=replace(whole, identification=whole.identification.iloc[:0])), [])
    (table,) = [t for t in alone.tables if t.name == "repeats"]
    assert [(r["item"], r["pairs"]) for r in table.rows] == [("preference", 19)]


@pytest.mark.parametrize(("kept", "shown"), [(60, True), (7, False)])
def test_task_one_stands_with_and_without_marked_people(tmp_path: Path, kept: int, shown: bool) -> None:
    """Two or three people are marked; where hardly anybody is left without them, nothing is compared."""
    data = study(kept)
    section = people.section(inputs(tmp_path, data=data, config=AnalysisConfig(resamples=100)), [])
    rows = {t.name: t.rows for t in section.tables}
    assert ("without_marked" in rows) is shown
    if shown:
        assert [r["n_participants"] for r in rows["without_marked"]] == [60, 57]
    alone = replace(data, preference=pd.DataFrame(data.preference.iloc[:0]))
    assert "without_marked" not in {t.name for t in people.section(inputs(tmp_path, data=alone), []).tables}
