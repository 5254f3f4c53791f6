"""How far each heavy step is: what a study's steps consist of, and what was asked of power last."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from analysis.power import batches
from analysis.power.batches import Batches
from tastelab.cluster import queue
from tastelab.cluster.heavy import HEAVY, Work, beside
from tastelab.cluster.here import made_here
from tastelab.cluster.notes import Notes
from tastelab.cluster.status import note_asked, standing
from tastelab.study import Study
from tests.tastelab.cluster.test_here import SIZES, asked, broken


def test_a_row_a_step_and_power_once_it_was_asked_for(
    film: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "here", lambda: False)
    rows = standing(film, tmp_path)["steps"]
    assert [r["step"] for r in rows] == list(HEAVY)
    assert rows[0]["units"] == 7
    assert [r["units"] for r in rows if r["step"] != "generate"] == [0] * (len(HEAVY) - 1)
    folder = tmp_path / film.name / "power"
    work = Work("power", beside(film, tmp_path), partial(Batches, asked(), SIZES, folder))
    step = Batches(asked(), SIZES, folder)
    note_asked(work.folder, step)
    names = [u.name for u in step.units()]
    monkeypatch.setattr(batches, "found_in", broken)
    made_here(work, names[:6])
    busy = Notes(work.folder, "power", "")
    busy.begins(names[6:8])
    found = standing(film, tmp_path)
    row = found["steps"][-1]
    assert {k: row[k] for k in ("step", "units", "done", "running", "failed")} == {
        "step": "power", "units": 9, "done": 5, "running": 2, "failed": 1,
    }  # fmt: skip
    (failed,) = found["failed"]
    assert (failed["step"], failed["unit"], failed["why"]) == ("power", names[4], "AnalysisError: no answers")
    # Of another question that is asked later nothing is made and nothing failed.
    note_asked(work.folder, Batches(asked(20), SIZES[:1], folder))
    found = standing(film, tmp_path)
    assert (found["steps"][-1]["units"], found["steps"][-1]["done"], found["failed"]) == (1, 0, [])
