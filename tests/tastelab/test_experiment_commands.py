"""`tastelab experiment ...` without a screen: simulate, status, replay, export, withdraw, backup, restore, key."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from experiment.data.keyfile import KeyFile
from experiment.session import Stopped
from stimuli.manifest import write_manifest
from tests.experiment.test_steps import Listener
from tests.tastelab.conftest import BOTS, Lived, call, clip_rows


def test_simulating_again_adds_only_who_is_not_there(mine: Lived) -> None:
    said = call("experiment", "simulate", "-n", str(BOTS + 2), *mine.where)
    assert said.out == f"2 simulated sessions run, {BOTS} were there already\n"
    assert mine.asked("select count(*) from session") == [(BOTS + 2,)]
    said = call("experiment", "simulate", "-n", "1", "--seed", "9", *mine.where)
    assert said.out == "1 simulated sessions run, 0 were there already\n"
    assert mine.asked("select count(*) from participant where code = 'bot-9-0000'") == [(1,)]


def test_status_leaves_bots_out_unless_they_are_asked_for(lived: Lived) -> None:
    said = call("experiment", "status", *lived.answers)
    assert said.out.strip() == f"and {BOTS} simulated sessions (--all shows them)"
    rows = json.loads(call("experiment", "status", *lived.answers, "--all", "--json").out)["tables"]["sessions"]
    assert len(rows) == BOTS
    assert {(r["kind"], r["status"], r["answers"], r["expected"]) for r in rows} == {("bot", "complete", 36, 36)}
    only = json.loads(call("experiment", "status", *lived.answers, "--json").out)
    assert only["tables"]["sessions"] == []


def test_a_replay_shows_a_session_in_order(lived: Lived) -> None:
    rows = json.loads(call("experiment", "replay", "bot-1-0003", *lived.answers, "--json").out)["tables"]["timeline"]
    answers = lived.asked(
        "select item from response join trial on trial.id = trial_id join session on session.id = session_id join participant "
        "on participant.id = participant_id where code = 'bot-1-0003' order by position, response.id"
    )
    assert [r["what"] for r in rows if r["block"]] == [item for (item,) in answers]
    assert len(answers) == 36
    said = call("experiment", "replay", "nobody", *lived.answers)
    assert (said.status, said.err) == (2, "tastelab: participant nobody has no session in this study\n")


def test_status_says_where_it_looked_when_there_is_nothing(mine: Lived) -> None:
    """With the study of yesterday, or in another folder, it had said nothing at all."""
    other = mine.folder / "other.toml"
    other.write_text(mine.study.read_text().replace('name = "small"', 'name = "other"'))
    said = call("experiment", "status", "--study", other, "--db", mine.db)
    assert (said.status, said.err) == (0, "")
    assert said.out == f"no sessions of 'other' in {mine.db} (there: small)\n"
    said = call("experiment", "status", "--study", other, "--db", mine.db, "--json")
    assert json.loads(said.out)["tables"]["sessions"] == []


@pytest.mark.parametrize("where", ["another study's", "another's", "none"])
def test_going_on_in_the_wrong_database_leaves_nothing_in_it(
    mine: Lived, where: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It had made a database, or written the study into another's, and then said: "run without --resume"."""
    monkeypatch.setattr("experiment.lab.station.station_checks", lambda *_, **__: pytest.fail("checked first"))
    study, db = mine.study, mine.database
    if where == "another study's":
        study = mine.folder / "other.toml"
        study.write_text(mine.study.read_text().replace('name = "small"', 'name = "other"'))
    elif where == "none":
        db = mine.folder / "wrong.db"
    before = mine.asked("select name from study"), sorted(p.name for p in mine.folder.iterdir())
    said = call("experiment", "run", "--resume", "P7", "--study", study, "--db", f"sqlite:///{db}", *mine.where[4:])
    assert (said.status, said.out, said.err.count("\n")) == (2, "", 1)
    if where == "none":
        assert "wrong.db: there is no such database; is its name right?" in said.err
    else:
        name = "other" if where == "another study's" else "small"
        assert f"participant P7 has no session of study '{name}' in {mine.db}; are --db and --study right?" in said.err
    after = mine.asked("select name from study"), sorted(p.name for p in mine.folder.iterdir())
    assert after == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run"], "give either --code CODE (a new session) or --resume CODE (go on with one)"),
        (["run", "--code", "a", "--resume", "b"], "give either --code CODE"),
        (["run", "--code", "Anna Rossi"], "'Anna Rossi' is not a code"),
        (["run", "--code", "a", "--language", "fr"], "--language 'fr': this study declares en, it"),
        (["run", "--code", "a", "--group", "old"], "--group 'old': this study has no groups"),
        (["import", "surveymonkey", "x.csv"], "format 'surveymonkey' is not known; there is: psytoolkit"),
        (["restore", "nowhere.db", "new.db"], "nowhere.db does not exist"),
        (["status", "--watch", "--every", "inf"], "Invalid value for '--every'"),
    ],
)
def test_what_cannot_be_done_is_refused_in_one_line(
    lived: Lived, words: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("experiment.lab.station.station_checks", lambda *_, **__: pytest.fail("checked first"))
    where = {"run": lived.where, "import": lived.answers, "status": lived.answers}.get(words[0], [])
    said = call("experiment", *words, *where)
    assert (said.status, said.out) == (2, "")
    assert told in said.err
    assert said.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_export_says_how_much_is_in_it(mine: Lived) -> None:
    said = call("experiment", "export", *mine.where)
    assert said.status == 0, said.err
    asked = 36 - 3  # special categories stay: ethnicity, impairments of hearing and of taste
    assert said.out.startswith(
        f"{BOTS * asked} answers of {BOTS} participants in {mine.out / 'small' / 'export' / 'csv'}"
    )
    said = call("experiment", "export", *mine.where, "--format", "xml")
    assert said.status == 2
    assert "psychds" in said.err


def test_a_withdrawal_reaches_database_backups_key_file_and_exports(mine: Lived, tmp_path: Path) -> None:
    code, key = "bot-1-0005", tmp_path / "keys"
    KeyFile(key).add(code, "Ada, 555")
    added = call("experiment", "key", "add", "other", "--contact", "Bob", "--key", key)
    assert (added.status, added.out) == (0, f"code other entered in {key}\n")
    assert call("experiment", "export", *mine.where).status == 0
    assert call("experiment", "backup", "--db", mine.db).out.startswith(f"backup {mine.folder / 'backups'}")
    assert call("analysis", "freeze", *mine.where).status == 0
    before = len(list((mine.out / "small" / "export" / "csv").rglob("*")))
    said = call("experiment", "withdraw", code, *mine.where[2:], "--key", key)
    assert said.status == 0, said.err
    lines = said.out.splitlines()
    assert lines[0].startswith("study small: 36 answers of 1 session(s) deleted; ")
    done = {x.split()[1]: x for x in lines if x.startswith("done: ")}
    assert list(done) == ["database", "key", "backups", "exports", "snapshots"]
    assert done["key"] == f"done: key {key}: the contact is deleted"
    assert done["backups"].endswith("deleted from 1 of 1 backups")
    assert done["exports"] == f"done: exports {mine.out / 'small' / 'export'}: exported anew: csv"
    assert "1 older deleted" in done["snapshots"]
    assert "WITHDRAWN: every place on the list is done" in lines
    assert mine.asked("select count(*) from response") == [((BOTS - 1) * 36,)]
    backup = next((mine.folder / "backups").glob("*.db"))
    with sqlite3.connect(backup) as connection:
        assert connection.execute("select count(*) from response").fetchall() == [((BOTS - 1) * 36,)]
    assert "Ada" not in key.read_text()
    assert call("experiment", "key", "show", "other", "--key", key).out == "Bob\n"
    assert len(list((mine.out / "small" / "export" / "csv").rglob("*"))) == before
    again = call("experiment", "withdraw", code, *mine.where[2:], "--key", key)
    assert again.status == 2
    assert "has already withdrawn" in again.err


def test_a_restored_backup_leaves_out_who_withdrew_since(mine: Lived, tmp_path: Path) -> None:
    saved = Path(
        call("experiment", "backup", "--db", mine.db, "--folder", tmp_path / "b").out.strip().removeprefix("backup ")
    )
    kept = tmp_path / "kept.db"
    kept.write_bytes(saved.read_bytes())
    assert (
        call("experiment", "withdraw", "bot-1-0002", *mine.where[2:], "--backups", tmp_path / "b", "--no-key").status
        == 0
    )
    new = tmp_path / "new.db"
    said = call("experiment", "restore", kept, new, "--marker", tmp_path / "b")
    assert said.out.splitlines()[:2] == [
        f"{new} made; 1 withdrawn since and left out",
        f"who withdrew is known by {tmp_path / 'b' / 'WITHDRAWN.txt'} alone (there is no database sqlite:///participants.db)",
    ]
    with sqlite3.connect(new) as connection:
        assert connection.execute("select count(*) from response").fetchall() == [((BOTS - 1) * 36,)]
    said = call("experiment", "restore", kept, new)
    assert (said.status, said.err) == (2, f"tastelab: {new} exists; name a new file\n")
    assert not list(tmp_path.glob(".*partial*"))


def test_a_key_file_can_be_locked(tmp_path: Path) -> None:
    key = tmp_path / "keys"
    call("experiment", "key", "add", "P1", "--contact", "Ada", "--key", key)
    said = call("experiment", "key", "encrypt", "--key", key, "--new", "open sesame")
    assert said.out == f"{key} is encrypted; without the passphrase nobody can read it, neither can we\n"
    assert b"Ada" not in key.read_bytes()
    assert call("experiment", "key", "show", "P1", "--key", key).status == 2
    assert call("experiment", "key", "show", "P1", "--key", key, "--passphrase", "wrong").status == 2
    assert call("experiment", "key", "show", "P1", "--key", key, "--passphrase", "open sesame").out == "Ada\n"
    said = call("experiment", "key", "encrypt", "--key", key, "--passphrase", "open sesame", "--new", "")
    assert said.status == 2
    said = call("experiment", "key", "add", "two words", "--contact", "x", "--key", key, "--passphrase", "open sesame")
    assert said.status == 2
    assert "is not a code" in said.err


def with_files(mine: Lived) -> None:
    """A few bytes for every clip, each its own."""
    rows = []
    for row in clip_rows():
        path = mine.out / "small" / "stimuli" / row.file
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(row.clip.encode())
        rows.append(replace(row, sha256=hashlib.sha256(row.clip.encode()).hexdigest()))
    write_manifest(mine.out / "small" / "stimuli", rows)


class Sitting(Listener):
    """Someone before the screen, who leaves at the third question when the first time is over."""

    leaves = True
    failed: str | None = None  # as screens tell of a sound that broke off
    given: tuple[Any, ...] = ()

    def __init__(self, *given: Any):
        super().__init__()
        Sitting.given = given

    def _call(self, name: str) -> None:
        super()._call(name)
        if self.leaves and sum(c.startswith("ask") for c in self.calls) == 3:
            raise Stopped

    def close(self) -> None:
        """Nothing was opened."""


def seated(mine: Lived, monkeypatch: pytest.MonkeyPatch, leaves: bool) -> None:
    """A booth without a screen, before a database that is not there yet."""
    import experiment.lab.screens
    import experiment.lab.station

    with_files(mine)
    monkeypatch.setattr(experiment.lab.screens, "Screens", Sitting)
    monkeypatch.setattr(experiment.lab.station, "station_checks", lambda *given, **named: [])
    monkeypatch.setattr(Sitting, "leaves", leaves)
    mine.database.unlink()


@pytest.mark.parametrize(("leaves", "ended"), [(True, "stopped: 2"), (False, "complete: 36")])
def test_what_became_of_a_session_is_told_though_no_backup_can_be_written(
    leaves: bool, ended: str, mine: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a disk that filled up the error stood alone, as if the session were lost."""
    seated(mine, monkeypatch, leaves)
    shutil.rmtree(mine.folder / "backups", ignore_errors=True)
    (mine.folder / "backups").write_text("no folder")
    said = call("experiment", "run", "--code", "P1", *mine.where)
    lines = said.out.splitlines()
    assert lines[0] == f"session {ended} of 36 answers stored; no backup"
    assert [x.startswith("go on with: tastelab experiment run --resume P1") for x in lines[1:]] == [True] * leaves
    assert said.status == 2
    assert said.err.startswith(f"tastelab: backup {mine.folder.resolve()}/backups/participants-")


@pytest.mark.parametrize(
    ("kind", "flag", "may"),
    [
        ("person", [], True), ("pilot", [], True), ("driven", [], False), ("bot", [], False), ("imported", [], False),
        ("person", ["--pilot"], False), ("pilot", ["--pilot"], True), ("person", ["--driven"], False),
        ("driven", ["--driven"], True),
    ],
)  # fmt: skip
def test_nobody_goes_on_with_a_session_of_another_kind(
    kind: str, flag: list[str], may: bool, mine: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person's answers under a survey's or a simulated person's code, or a hand's under a person's, would count as theirs."""
    seated(mine, monkeypatch, True)
    assert call("experiment", "run", "--code", "P1", *mine.where).status == 0
    with sqlite3.connect(mine.database) as connection:
        connection.execute("update session set kind = ?", (kind,))
    monkeypatch.setattr(Sitting, "leaves", False)
    said = call("experiment", "run", "--resume", "P1", *flag, *mine.where)
    if may:
        assert said.out.startswith("session complete"), said.err
    else:
        assert (said.status, said.err.count("\n")) == (2, 1)
        assert f"the session of participant P1 is of kind {kind}" in said.err
    assert mine.asked("select kind, status from session") == [(kind, "complete" if may else "stopped")]


def test_a_booth_plays_its_own_files_whatever_the_next_booth_calls_its_folder(
    mine: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two that begin at once share one row a clip: where it lies is said by whoever looked last."""
    import experiment.lab.screens
    import experiment.lab.station

    with_files(mine)
    other = mine.folder / "the other booth"
    where = ["--study", str(mine.study), "--db", f"sqlite:///{mine.folder / 'booth.db'}", *mine.where[4:]]
    shutil.copytree(mine.out, other)
    played: list[str] = []

    class Opening(Sitting):
        """A window takes seconds to open; meanwhile the other booth begins."""

        def __init__(self, *given: Any):
            super().__init__(*given)
            said = call("experiment", "simulate", "-n", "1", *where[:4], "--out", other)
            assert said.status == 0, said.err

        def listen(self, clips: list[Any], titles: list[str]) -> list[dict[str, Any]]:
            played.extend(str(c.path) for c in clips)
            return super().listen(clips, titles)

    monkeypatch.setattr(experiment.lab.screens, "Screens", Opening)
    monkeypatch.setattr(experiment.lab.station, "station_checks", lambda *given, **named: [])
    monkeypatch.setattr(Sitting, "leaves", False)
    said = call("experiment", "run", "--code", "P1", *where)
    assert "session complete" in said.out, said.err
    assert len(played) == 2 * 4 + 2
    assert {Path(p).parents[3] for p in played} == {mine.out.resolve()}


def test_whoever_sits_at_the_booth_is_told_what_was_stored_and_how_to_go_on(
    mine: Lived, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Screens alone are another's here: clips, checks of files, database, backup and words are the command's own."""
    import experiment.lab.screens
    import experiment.lab.station

    with_files(mine)
    monkeypatch.setattr(experiment.lab.screens, "Screens", Sitting)
    monkeypatch.setattr(experiment.lab.station, "station_checks", lambda *given, **named: [])
    monkeypatch.setattr(Sitting, "leaves", True)
    study = mine.out.parent / "slow.toml"
    study.write_text(Path(mine.where[1]).read_text().replace("[experiment]\n", "[experiment]\ndead_time = 0.7\n", 1))
    where = ["--study", study, "--db", f"sqlite:///{tmp_path / 'booth.db'}", *mine.where[4:]]
    said = call("experiment", "run", "--code", "P1", *where)
    assert said.status == 0, said.err
    first, second = said.out.splitlines()
    assert first.startswith("session stopped: 2 of 36 answers stored; backup ")
    assert Path(first.rsplit(" ", 1)[1]).is_file()
    assert second == "go on with: tastelab experiment run --resume P1 " + " ".join(map(str, where))
    # The screens are the study's: language, replays, window, markers, font, texts, how long a screen can't be answered, and logo.
    assert Sitting.given == ("en", 2, True, None, None, None, 0.7, 1.0, None)
    monkeypatch.setattr(Sitting, "failed", "a sound did not play to its end (1.4 of 2.0 s)")
    said = call("experiment", "run", "--resume", "P1", *where)
    told = said.out.splitlines()[1]
    assert told.startswith("a sound did not play to its end (1.4 of 2.0 s); see to it first: tastelab doctor --study ")
    monkeypatch.setattr(Sitting, "failed", None)
    monkeypatch.setattr(Sitting, "leaves", False)
    said = call("experiment", "run", "--resume", "P1", *where)
    assert said.out.startswith("session complete: 36 of 36 answers stored; backup ")
    assert said.out.count("\n") == 1


@pytest.mark.parametrize("words", ["launch", "calibrate"])
def test_what_comes_to_nothing_leaves_no_database(words: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A dialog that was cancelled had made one, and so had a level that the study does not ask for."""
    monkeypatch.setattr("experiment.lab.dialog.ask", lambda *_: None)
    monkeypatch.chdir(tmp_path)
    study = tmp_path / "study.toml"
    study.write_text((Path(__file__).parents[2] / "study.toml").read_text(encoding="utf-8"), encoding="utf-8")
    said = call("experiment", words, "--study", study)
    if words == "launch":
        assert (said.status, said.out) == (0, "cancelled; nothing was started\n")
    else:
        assert (said.status, "this study declares no level" in said.err) == (2, True)
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]
    said = call("experiment", words, "--study", study, "--db", f"sqlite:///{tmp_path / 'none' / 'p.db'}")
    assert words == "calibrate" or "directory" in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["study.toml"]
