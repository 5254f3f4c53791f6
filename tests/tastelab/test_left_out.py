"""Whom the study file leaves out: in every command and in the report, and in no snapshot."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from pathlib import Path

import pandas as pd

from tastelab.report import inputs
from tastelab.study import load_study
from tests.tastelab.conftest import BOTS, Lived, call


def stopped(mine: Lived, sessions: tuple[int, ...], rule: str) -> None:
    """Let some sessions have stopped early, and write a rule into the study file."""
    with contextlib.closing(sqlite3.connect(mine.database)) as connection:
        connection.execute(f"UPDATE session SET status = 'stopped' WHERE id IN {sessions}")
        connection.commit()
    mine.study.write_text(mine.study.read_text() + f"\n[analysis.exclude]\n{rule}\n")


def analysed(mine: Lived) -> int:
    """How many choices `tastelab analysis preference` counts; a bot makes four."""
    said = call("analysis", "preference", "--plan", "paper", "--json", *mine.answers)
    assert said.status == 0, said.err
    return int(json.loads(said.out)["tables"]["tests"][0]["n"])


def test_unfinished_sessions_are_left_out_where_that_was_declared(mine: Lived) -> None:
    stopped(mine, (2, 5), "incomplete = false")
    assert analysed(mine) == 4 * BOTS
    mine.study.write_text(mine.study.read_text().replace("incomplete = false", "incomplete = true"))
    assert analysed(mine) == 4 * (BOTS - 2)
    assert "2 participants left out by the study file's rules" in call("analysis", "preference", *mine.answers).err + (
        call("analysis", "preference", *mine.answers).out
    )


def test_the_report_leaves_out_the_same_people_and_says_who_they_are(mine: Lived) -> None:
    stopped(mine, (2, 5), "incomplete = true")
    given = inputs(load_study(mine.study), mine.db, mine.out, None)
    assert given.excluded == {"incomplete": [2, 5]}
    assert sorted(set(range(1, BOTS + 1)) - set(given.data.people["participant"])) == [2, 5]
    assert given.data.preference["participant"].nunique() == BOTS - 2


def test_a_snapshot_holds_everybody(mine: Lived) -> None:
    stopped(mine, (2, 5), "incomplete = true")
    said = call("analysis", "freeze", *mine.where)
    assert said.status == 0
    folder = Path(next(line for line in said.out.splitlines() if "frozen in" in line).split("frozen in ")[1])
    people = pd.read_csv(folder / "people.csv")
    assert len(people) == BOTS
    assert people.loc[people["status"] == "stopped", "participant"].tolist() == [2, 5]
    from_snapshot = call("analysis", "preference", "--plan", "paper", "--json", "--snapshot", folder, *mine.answers)
    assert json.loads(from_snapshot.out)["tables"]["tests"][0]["n"] == 4 * (BOTS - 2)
