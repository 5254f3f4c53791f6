"""`tastelab` alone: where one is, by what lies on disk, and the next step; it writes nothing and is quick."""

from __future__ import annotations

import hashlib
import os
import shlex
import shutil
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.tastelab.conftest import BOTS, Lived, call


def said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What is told in a folder, by its first word."""
    monkeypatch.chdir(folder)
    told = call()
    assert (told.status, told.err) == (0, "")
    lines = told.out.splitlines()
    assert lines[-2:] == ["", "All commands: tastelab --help"]
    return {name: rest.strip() for name, _, rest in (line.partition("  ") for line in lines[:-2]) if name}


def prints(folder: Path) -> dict[str, tuple[str, int]]:
    """Content and time of every file."""
    return {
        str(p.relative_to(folder)): (hashlib.sha256(p.read_bytes()).hexdigest(), p.stat().st_mtime_ns)
        for p in folder.rglob("*")
        if p.is_file()
    }


def test_where_no_study_is_one_begins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "pyproject.toml").write_text("[project]\n")
    (tmp_path / "broken.toml").write_text("= =")
    assert said(tmp_path, monkeypatch) == {"study": "none in this folder", "next": "tastelab init"}


def test_a_study_from_its_file_to_its_report_step_by_step(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is told follows what lies there; nothing of it is touched, and no log lies beside the database after."""
    report = mine.out / "small" / "report.html"
    before = prints(mine.folder)
    found = said(mine.folder, monkeypatch)
    assert prints(mine.folder) == before
    assert found == {
        "study": "study.toml: Music generated for four tastes", "clips": "32 of 32", "sessions": f"{BOTS} simulated", "report": "none",
        "next": "tastelab analysis report --kind bot",
    }  # fmt: skip
    report.write_text("made")
    assert said(mine.folder, monkeypatch) | {"next": ""} == found | {"report": "outputs/small/report.html", "next": ""}
    assert said(mine.folder, monkeypatch)["next"] == "tastelab doctor"
    os.utime(report, (time.time() - 86400,) * 2)  # of yesterday: the bots are of today
    assert said(mine.folder, monkeypatch)["next"] == "tastelab analysis report --kind bot"
    mine.database.unlink()
    assert said(mine.folder, monkeypatch)["sessions"] == "none"
    assert said(mine.folder, monkeypatch)["next"] == "tastelab experiment simulate -n 24"
    shutil.rmtree(mine.out)
    found = said(mine.folder, monkeypatch)
    assert (found["clips"], found["next"]) == ("0 of 32", "tastelab stimuli generate")


def test_people_are_told_from_bots_and_their_report_needs_no_kind(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    with sqlite3.connect(mine.database) as connection:
        connection.execute("UPDATE session SET kind = 'person' WHERE id <= 3")
        connection.execute("UPDATE session SET kind = 'pilot' WHERE id = 4")
    connection.close()
    found = said(mine.folder, monkeypatch)
    assert found["sessions"] == f"3 of people, {BOTS - 4} simulated, 1 for trial"
    assert found["next"] == "tastelab analysis report"
    with sqlite3.connect(mine.database) as connection:
        connection.execute("UPDATE session SET kind = 'pilot'")
    connection.close()
    found = said(mine.folder, monkeypatch)  # what was tried is no answer
    assert (found["sessions"], found["next"]) == (f"{BOTS} for trial", "tastelab experiment simulate -n 24")


def test_a_study_file_of_another_name_is_named_in_the_next_step(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.study.rename(mine.folder / "my study.toml")
    found = said(mine.folder, monkeypatch)
    assert found["next"] == "tastelab analysis report --kind bot --study 'my study.toml'"
    assert call(*shlex.split(found["next"])[1:3], *shlex.split(found["next"])[5:], "--check").err.startswith(
        "tastelab: there is no report"
    )
    (mine.folder / "b.toml").write_text((mine.folder / "my study.toml").read_text())
    found = said(mine.folder, monkeypatch)
    assert found == {"studies": "b.toml, my study.toml", "next": "tastelab study check b.toml"}


def test_a_file_that_can_t_be_run_is_said_with_its_reason(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.study.write_text(mine.study.read_text().replace('plan = "robust"', 'plan = "robst"'))
    monkeypatch.chdir(mine.folder)
    assert call().out.splitlines()[:3] == [
        "study  study.toml, which can't be run",
        "study.toml: analysis.plan = 'robst'; did you mean 'robust'?",
        "next   tastelab study check",
    ]


@pytest.mark.parametrize(
    ("kind", "source", "wanted"),
    [
        ("import", "s.csv", "tastelab experiment import psytoolkit FILE"),
        ("copy", "three-conditions", "tastelab stimuli generate"),
    ],
)
def test_surveys_are_imported_and_tracks_are_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, source: str, wanted: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "s.csv").write_text("participant,a_1,a_2\n1,2,5\n")
    taste = ["--tastes", "x,y"] if kind == "import" else []
    assert call("init", "s", "--kind", kind, "--from", source, *taste).status == 0
    assert said(tmp_path / "s", monkeypatch)["next"] == wanted
    if kind == "copy":
        assert "when the tracks of 'rendered' lie in" in call().out


def test_a_survey_in_the_seed_study_s_layout_is_imported_too(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its columns need no names in the study file, only its language."""
    mine.database.unlink()
    shutil.rmtree(mine.out)
    mine.study.write_text(mine.study.read_text() + '\n[experiment.psytoolkit]\nlanguage = "en"\n')
    assert said(mine.folder, monkeypatch)["next"] == "tastelab experiment import psytoolkit FILE"


def test_somebody_else_s_database_is_a_mistake(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    mine.database.write_bytes(b"no database at all" * 100)
    monkeypatch.chdir(mine.folder)
    told = call()
    assert (told.status, told.out) == (2, "")
    assert told.err == "tastelab: participants.db can't be read; is it another program's? (tastelab doctor)\n"


def test_times_are_utc(mine: Lived) -> None:
    from tastelab.whereabouts import sessions

    _, last = sessions(mine.folder, "small")
    assert last is not None
    assert abs((datetime.now(UTC) - last).total_seconds()) < 3600


def test_a_booth_is_told_to_copy_the_clips(mine: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)  # as where it is not installed
    shutil.rmtree(mine.out)
    monkeypatch.chdir(mine.folder)
    assert f"or copy {Path('outputs/small/stimuli')} from the machine that made them" in call().out
