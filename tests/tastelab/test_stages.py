"""The study's stages: their order, what each is told, what a failure in one leaves; the networks and the desk stand still here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tastelab import stages
from tastelab.errors import UserError
from tastelab.stages import Run
from tastelab.study import load_study
from tests.tastelab.conftest import BOTS, Lived


def run_of(lived: Lived, **more: Any) -> Run:
    return Run(load_study(lived.study), lived.study, lived.db, lived.out, **more)


def test_the_way_is_from_clips_to_a_report() -> None:
    assert [name for name, _ in stages.STAGES] == ["stimuli", "captions", "features", "session", "bots", "report"]
    assert [name for name, stage in stages.STAGES if stage.__name__ != name] == []


def test_each_stage_is_timed_told_and_followed_by_the_next(
    lived: Lived, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    seen: list[tuple[str, dict[str, float]]] = []

    def stage(name: str) -> Any:
        def work(run: Run, update: Any) -> str:
            update(1, 2, "a part")
            seen.append((name, dict(run.seconds)))
            run.report = Path("the report")
            return f"{name} is done"

        return work

    monkeypatch.setattr(stages, "STAGES", (("one", stage("one")), ("two", stage("two"))))
    clock = iter([100.0, 101.26, 200.0, 200.04])
    monkeypatch.setattr(stages, "time", SimpleNamespace(monotonic=lambda: next(clock)))
    run = Run(load_study(lived.study), lived.study, lived.db, tmp_path / "new")
    assert stages.run_study(run) == Path("the report")
    assert seen == [("one", {}), ("two", {"one": 1.3})]
    assert run.seconds == {"one": 1.3, "two": 0.0}
    assert capsys.readouterr().out.splitlines() == [
        "one              1.3 s   one is done",
        "two              0.0 s   two is done",
    ]
    assert run.folder == tmp_path / "new" / "small" / "stimuli"
    assert run.folder.is_dir()
    clock = iter([0.0, 0.0, 0.0, 0.0])
    run.quiet = True
    stages.run_study(run)
    assert capsys.readouterr().out == ""


def test_a_stage_that_fails_stops_the_way(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(run: Run, update: Any) -> str:
        raise UserError("no")

    reached: list[bool] = []
    monkeypatch.setattr(stages, "STAGES", (("one", fail), ("two", lambda run, update: str(reached.append(True)))))
    with pytest.raises(UserError):
        stages.run_study(run_of(lived, quiet=True))
    assert reached == []


def test_damaged_clips_stop_the_study(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    import stimuli.generate as generating

    rows = [SimpleNamespace(loudness=-23.04)] * 3
    monkeypatch.setattr(generating, "generate", lambda *_: rows)
    with pytest.raises(UserError, match=r"stimuli: bitter-base-000: .* is missing; delete the file and run again"):
        stages.stimuli(run_of(lived), lambda *_: None)
    import stimuli.manifest as manifest

    monkeypatch.setattr(manifest, "verify", lambda folder: [])
    assert stages.stimuli(run_of(lived), lambda *_: None) == "3 clips, -23.0 LUFS"


@pytest.mark.parametrize(
    ("stage", "what", "told"),
    [("captions", "captions", "3 captions"), ("features", "features", "3 clips measured, contact sheet the sheet")],
)
def test_clips_are_described_where_they_lie(
    stage: str, what: str, told: str, lived: Lived, monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[Any] = []
    monkeypatch.setattr("stimuli.describe.describe", lambda *asked: given.append(asked) or [1, 2, 3])
    monkeypatch.setattr("stimuli.sheet.write_sheet", lambda *asked: given.append(asked) or "the sheet")
    run = run_of(lived)
    assert getattr(stages, stage)(run, len) == told
    assert given[0] == (run.folder, what, run.study.models, len)
    assert given[1:] == ([(run.folder, "small", run.study.models.conditions, len)] if stage == "features" else [])


def test_bots_are_added_to_those_that_are_there(mine: Lived) -> None:
    told = stages.bots(run_of(mine, participants=BOTS + 1), lambda *_: None)
    assert told == f"{BOTS + 1} simulated participants (1 now)"
    assert mine.asked("select count(*) from session") == [(BOTS + 1,)]
    told = stages.bots(run_of(mine, participants=2, seed=4), lambda *_: None)
    assert told == "2 simulated participants (2 now)"


@pytest.mark.parametrize(("person", "kind"), [(True, "person"), (False, "bot")])
def test_the_report_is_on_who_took_part(lived: Lived, monkeypatch: pytest.MonkeyPatch, person: bool, kind: str) -> None:
    given: list[Any] = []

    def build(*arguments: Any) -> tuple[Path, bool]:
        given.append(arguments)
        return Path("r.html"), person

    monkeypatch.setattr(stages, "build_report", build)
    run = run_of(lived, person=person, seconds={"bots": 2.5})
    assert stages.report(run, len) == ("built" if person else "nothing has changed")
    assert run.report == Path("r.html")
    run.effects = Path("mine.toml")
    assert stages.report(run, len)
    same = (run.study, lived.db, lived.out, kind, len, {"bots": 2.5})
    assert given == [(*same, None), (*same, Path("mine.toml"))]


def test_a_person_s_session_is_a_process_on_this_study(lived: Lived, monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    status = 0

    def run(command: list[str], check: bool) -> Any:
        commands.append(command)
        return SimpleNamespace(returncode=status)

    monkeypatch.setattr(subprocess, "run", run)
    assert stages.session(run_of(lived, person=True), lambda *_: None) == "one session with a person"
    assert stages.session(run_of(lived, person=True), lambda *_: None) == "one session with a person"
    start = [sys.executable, "-m", "tastelab.cli", "experiment", "run", "--code"]
    assert all(c[:6] == start and c[7:] == lived.where for c in commands)
    codes = [c[6] for c in commands]
    assert len(set(codes)) == 2
    assert all(len(c) == 8 and c.startswith("p-") for c in codes)
    status = 2
    with pytest.raises(UserError, match="the session did not run; see above"):
        stages.session(run_of(lived, person=True), lambda *_: None)


def test_the_driven_session_is_told_where_everything_lies(
    lived: Lived, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    from experiment.lab import driven

    given: list[Any] = []

    def run_driven(*arguments: Any) -> str:
        given.append(arguments)
        return "driven"

    monkeypatch.setattr(driven, "run_driven", run_driven)
    monkeypatch.chdir(tmp_path)
    run = run_of(lived)
    run.db, run.out, run.study_file = "sqlite:///p.db", Path("outputs"), Path("study.toml")
    stimuli = tmp_path / "outputs" / "small" / "stimuli"
    stimuli.mkdir(parents=True)
    (stimuli / "manifest.json").write_bytes((lived.out / "small" / "stimuli" / "manifest.json").read_bytes())
    assert stages.session(run, len) == "driven"
    url, study, config, files, record, command, update = given[0]
    assert (url, study, config, update) == ("sqlite:///p.db", "small", run.study.experiment, len)
    assert record == Path("outputs/small/desk.json")
    assert len(files) == 32
    assert files["sweet-base-001"].parent == Path("outputs/small/stimuli/clips")
    assert command[1:] == [
        "-m", "tastelab.cli", "experiment", "run", "--window", "--markers", "--driven",
        "--study", str(tmp_path / "study.toml"), "--db", f"sqlite:///{tmp_path / 'p.db'}", "--out", str(tmp_path / "outputs"),
    ]  # fmt: skip


@pytest.mark.parametrize("db", ["sqlite:////data/p.db", "postgresql://booth@server/study"])
def test_a_database_with_a_place_of_its_own_is_left_as_it_is(
    lived: Lived, monkeypatch: pytest.MonkeyPatch, db: str
) -> None:
    from experiment.lab import driven

    seen: list[list[str]] = []
    monkeypatch.setattr(driven, "run_driven", lambda *given: seen.append(given[5]) or "driven")
    run = run_of(lived)
    run.db = db
    stages.session(run, len)
    assert seen[0][seen[0].index("--db") + 1] == db


def test_a_report_is_made_of_one_kind_s_snapshot_the_clips_and_the_record(mine: Lived) -> None:
    import json

    from tastelab.report import inputs

    study = load_study(mine.study)
    found = inputs(study, mine.db, mine.out, "bot", {"bots": 1.0})
    assert (found.title, found.out, found.folder) == (study.title, mine.out / "small", mine.out / "small" / "stimuli")
    assert (len(found.data.people), len(found.clips), found.data.kind) == (BOTS, 32, "bot")
    assert found.timings == {"bots": 1.0}
    assert found.desk is None
    assert found.effects is not None
    assert found.asked["sweet"]["tempo"] == ["slow"]
    assert found.embedders == ["musicnn", "codec"]
    assert len(list((mine.out / "small" / "snapshots").glob("*/snapshot.json"))) == 1
    (mine.out / "small" / "desk.json").write_text(json.dumps({"answers": 3}))
    (mine.out / "small" / "stimuli" / "manifest.json").unlink()
    again = inputs(study, mine.db, mine.out, "bot")
    assert again.desk == {"answers": 3}
    assert again.clips == []
    assert again.timings == {}
    assert again.data.digest == found.data.digest
