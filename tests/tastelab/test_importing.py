"""What `tastelab experiment import` says of a survey file, what it leaves where it refuses one, and how an import is taken back."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ROOT
from tests.tastelab.conftest import Lived, call

STUDY = """name = "lieder"
title = "Lieder"
[[models.conditions]]
name = "given"
tracks = "tracks"
[stimuli]
clips_per_taste = 2
[[stimuli.tastes]]
name = "sweet"
[[stimuli.tastes]]
name = "sour"
[experiment]
languages = ["en"]
[[experiment.tasks]]
kind = "ratings"
clips = 2
low = 1
high = 7
[experiment.tasks.labels]
en = ["not at all", "very much"]
[[experiment.tasks.adjectives]]
name = "sweet"
words = { en = "sweet" }
[[experiment.tasks.adjectives]]
name = "sour"
words = { en = "sour" }
[experiment.psytoolkit]
items = ["sweet", "sour"]
"""
TRACKS = ("lied_a", "lied_b")


@pytest.fixture
def own(tmp_path: Path) -> Lived:
    """A study that imports, and no database yet."""
    (tmp_path / "own").mkdir()
    found = Lived(tmp_path / "own")
    found.study.write_text(STUDY)
    return found


def people(n: int = 12, name: str = "participant") -> list[dict[str, str]]:
    return [
        {name: f"vp{k:02d}", "age": str(20 + k)}
        | {f"{t}_{i}": str(1 + (k + 3 * i + j) % 7) for j, t in enumerate(TRACKS) for i in (1, 2)}
        for k in range(1, n + 1)
    ]


def written(of: Lived, rows: list[dict[str, str]], name: str = "survey.csv") -> Path:
    path = of.folder / name
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path


def imported(of: Lived, file: Path, *more: str) -> tuple[int, list[str], str]:
    said = call("experiment", "import", "psytoolkit", file, *of.answers, *more)
    return said.status, said.out.splitlines(), said.err


def test_a_misspelt_column_is_refused_and_no_database_is_made(own: Lived) -> None:
    rows = [{("leid_b_2" if k == "lied_b_2" else k): v for k, v in row.items()} for row in people()]
    status, out, err = imported(own, written(own, rows))
    assert (status, out, len(err.splitlines())) == (2, [], 1)
    assert "did you mean 'leid_b_2'" in err
    assert sorted(p.name for p in own.folder.iterdir()) == ["study.toml", "survey.csv"]


def test_simulated_people_without_clips_leave_no_database(own: Lived) -> None:
    for words in (("simulate", "-n", "2"), ("links", "-n", "2"), ("serve",)):
        said = call("experiment", *words, *own.where)
        assert (said.status, "no stimuli in" in said.err) == (2, True), words
        assert not own.database.exists()


def test_what_is_not_read_and_who_has_no_name_is_said_in_a_line_each(own: Lived) -> None:
    """Also quietly: these are results."""
    rows = [row | {"TIME_total": "161"} for row in people(name="vp")]
    status, out, _ = imported(own, written(own, rows), "--quiet")
    assert status == 0
    assert out[0] == "12 people imported with 60 answers, 0 were there already"
    assert out[1] == "columns of the file that nothing reads: vp, TIME_total"
    assert out[2].startswith("no column is called 'participant': each such row is taken for one new person")
    assert len(out) == 3
    many = [row | {f"t{k}": "1" for k in range(30)} | {"participant": ""} for row in people(name="vp")]
    _, out, _ = imported(own, written(own, many, "many.csv"))
    assert out[1].endswith("t6 and 23 more")
    assert out[2].startswith("12 rows have an empty 'participant'")


def test_a_wrong_import_is_told_once_and_can_be_taken_back(own: Lived) -> None:
    wrong = [{("leid_b" + k[6:] if k.startswith("lied_b") else k): v for k, v in row.items()} for row in people()]
    assert imported(own, written(own, wrong))[0] == 0
    assert call("experiment", "withdraw", "imp-0", *own.answers).status == 2
    code = own.asked("SELECT code FROM participant ORDER BY id")[0][0]
    assert call("experiment", "withdraw", code, *own.where, "--no-key").status == 0
    file = written(own, people(), "mended.csv")
    status, out, err = imported(own, file)
    assert status == 0, err
    other = "the same participant is there with other answers"
    assert f"11 lines not imported (3, 4, 5, 6, 7 ...): {other}" in out
    assert sum(other in line for line in out) == 1
    assert "discard-imports" in out[-1]
    assert str(own.study) in out[-1]  # the command as it has to be given here
    said = call("experiment", "discard-imports", *own.answers)
    assert said.out.startswith("11 imported people of lieder deleted with their answers; backups, ")
    assert own.asked("SELECT count(*) FROM response") == [(0,)]
    assert own.asked("SELECT count(*) FROM stimulus") == [(0,)]
    status, out, _ = imported(own, file)
    assert (status, out[0]) == (0, "11 people imported with 55 answers, 0 were there already")
    assert out[1] == "1 withdrew after an earlier import and were left out"
    assert own.asked("SELECT clip FROM stimulus ORDER BY clip") == [("lied_a",), ("lied_b",)]
    assert own.asked("SELECT count(*) FROM session WHERE status = 'withdrawn'") == [(1,)]


def test_taking_imports_back_leaves_all_others(mine: Lived) -> None:
    """Simulated people of the same study, and their clips, stay; with no import nothing is done."""
    before = mine.asked("SELECT count(*), max(id) FROM response") + mine.asked("SELECT count(*) FROM stimulus")
    assert call("experiment", "discard-imports", *mine.answers).out == "no imports\n"
    from tests.experiment.data.surveys import Seen

    file = written(mine, [Seen(start=k).row(f"vp{k}") for k in range(3)])
    assert imported(mine, file)[1][0].startswith("3 people imported with 135 answers")
    assert call("experiment", "discard-imports", *mine.answers).out.startswith("3 imported people")
    after = mine.asked("SELECT count(*), max(id) FROM response") + mine.asked("SELECT count(*) FROM stimulus")
    assert after == before


def traced(of: Lived, what: str) -> dict[str, list[dict[str, Any]]]:
    said = call("trace", what, *of.where, "--json")
    assert said.status == 0, said.err
    tables: dict[str, list[dict[str, Any]]] = json.loads(said.out)["tables"]
    return tables


def test_whom_the_survey_calls_so_is_found_by_that_name(own: Lived) -> None:
    """Among several studies of one database; by the same name a withdrawal finds them, and finds that it was done."""
    other = own.folder / "other.toml"
    other.write_text(STUDY.replace('"lieder"', '"other"'))
    file = written(own, people())
    for study in (other, own.study):
        assert call("experiment", "import", "psytoolkit", file, "--study", study, "--db", own.db).status == 0
    shown = call("experiment", "replay", "vp03", *own.answers, "--json")
    rows = json.loads(shown.out)["tables"]["timeline"]
    assert len(rows) == 5
    said = call("experiment", "withdraw", "vp03", "--db", own.db, "--out", own.out, "--no-key")
    assert (said.status, said.err) == (
        2, "tastelab: participant vp03 was imported into other, lieder; say which is asked for (--study FILE)\n"
    )  # fmt: skip
    said = call("experiment", "withdraw", "vp03", *own.where, "--no-key")
    assert (said.status, said.out.splitlines()[0][:44]) == (0, "study lieder: 5 answers of 1 session(s) dele")
    left = own.asked("SELECT study_id, count(*) FROM response JOIN trial ON trial.id = trial_id "
                     "JOIN session ON session.id = session_id GROUP BY study_id ORDER BY study_id")  # fmt: skip
    assert [n for _, n in left] == [60, 55]
    again = call("experiment", "withdraw", "vp03", *own.where, "--no-key")
    assert (again.status, "has already withdrawn from lieder" in again.err) == (2, True)
    assert call("experiment", "withdraw", "vp77", *own.where, "--no-key").status == 2


def test_an_imported_track_is_followed_to_its_answers(own: Lived) -> None:
    """Before there is a report; with one to the numbers that it went into (`test_survey_round_trip`)."""
    assert imported(own, written(own, people()))[0] == 0
    mean = sum(float(row["lied_a_1"]) for row in people()) / 12
    found = traced(own, "lied_a")
    assert [(r["clip"], r["item"], r["answers"]) for r in found["answers"]] == [
        ("lied_a", "sour", 12),
        ("lied_a", "sweet", 12),
    ]
    assert found["answers"][1]["mean"] == pytest.approx(mean, abs=1e-12)
    said = call("trace", "lied_z", *own.where)
    assert (said.status, len(said.err.splitlines())) == (2, 1)


def test_a_long_file_becomes_a_survey_by_the_guide_s_lines(own: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long file is refused with where to look; the guide's lines, run as they stand, make what is imported."""
    long = [{"participant": f"vp{p}", "stimulus": t, "sweet": "3", "sour": "5"} for p in (1, 2) for t in TRACKS]
    status, _, err = imported(own, written(own, long, "long.csv"))
    assert (status, len(err.splitlines())) == (2, 1)
    assert "one row a person and one column a track and word (docs/designs.md: a long file)" in err
    said = call("init", "new", "--kind", "import", "--from", own.folder / "long.csv", "--tastes", "sweet,sour")
    assert "one row a person, one column a track and word (docs/designs.md: a long file)" in said.err
    guide = (ROOT / "docs" / "designs.md").read_text(encoding="utf-8")
    (code,) = (x for x in re.findall(r"```python\n(.*?)```", guide, re.DOTALL) if ".pivot(" in x)
    assert "A long file" in guide
    monkeypatch.chdir(own.folder)
    exec(code, {})
    assert imported(own, own.folder / "wide.csv")[1] == ["2 people imported with 8 answers, 0 were there already"]
    values = "SELECT p.code, c.clip, r.item, r.value FROM response r JOIN trial t ON t.id = r.trial_id JOIN stimulus c "
    values += "ON c.id = t.first_id JOIN session s ON s.id = t.session_id JOIN participant p ON p.id = s.participant_id ORDER BY r.id"
    # The numbers that stand in the guide: of the first person 3, 5, 6, 1, of the second 2, 4, 7, 2.
    assert [(c, i, v) for _, c, i, v in own.asked(values)] == [
        (track, item, value)
        for person in ((3, 5, 6, 1), (2, 4, 7, 2))
        for (track, item), value in zip(((t, i) for t in TRACKS for i in ("sweet", "sour")), person, strict=True)
    ]


def test_before_an_import_it_is_said_that_an_import_makes_the_database(own: Lived) -> None:
    said = call("analysis", "report", *own.where)
    assert (said.status, "The first session, or an import, makes it" in said.err) == (2, True)
