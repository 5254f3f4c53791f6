"""The end-to-end study: stimuli -> captions -> features -> session -> bots -> report, each a stage that leaves what is done."""

from __future__ import annotations

import secrets
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tastelab.context import about_effects, effects_of, open_store, prepared, progress, say, stimuli_folder
from tastelab.errors import UserError
from tastelab.report import DRIVEN, build_report
from tastelab.study import Study

Progress = Callable[..., None]
HEAVY_STAGES = {"stimuli": "generate", "captions": "captions", "features": "features"}  # as clusters know them
SIT = (sys.executable, "-m", "tastelab.cli", "experiment", "run")


@dataclass
class Run:
    """One run of a study: what is asked of it, and what came of it so far (seconds per stage, the report)."""

    study: Study
    study_file: Path
    db: str
    out: Path
    participants: int = 111
    person: bool = False
    seed: int = 1
    quiet: bool = False
    seconds: dict[str, float] = field(default_factory=dict)
    report: Path | None = None
    effects: Path | None = None

    @property
    def folder(self) -> Path:
        """Where the clips lie."""
        return stimuli_folder(self.study, self.out)


def run_study(run: Run) -> Path:
    """Run every stage and say as each ends what it did and how long it took; returns the report."""
    run.folder.mkdir(parents=True, exist_ok=True)
    for name, stage in STAGES:
        started = time.monotonic()
        with progress(name, run.quiet) as update, noted(run, name, update) as watched:
            told = stage(run, watched)
        run.seconds[name] = round(time.monotonic() - started, 1)
        say(f"{name:<12} {run.seconds[name]:7.1f} s   {told}", run.quiet)
    assert run.report is not None
    return run.report


@contextmanager
def noted(run: Run, stage: str, update: Progress) -> Iterator[Progress]:
    """Progress that is noted beside, for `tastelab study status`, where the stage is a heavy step."""
    if stage not in HEAVY_STAGES:
        yield update
        return
    from tastelab.cluster.heavy import beside
    from tastelab.cluster.notes import Notes

    notes = Notes(beside(run.study, run.out), HEAVY_STAGES[stage])

    def watched(done: float, total: float, what: str = "") -> None:
        notes.counts(done)
        update(done, total, what)

    try:
        yield watched
    finally:
        notes.ends()


def heavy_steps(study: Study, out: Path, executor: str, site: Path | None, only: list[str], quiet: bool) -> None:
    """Have the heavy steps made whose names are given, ``all`` for every one: on a cluster, or here.

    Raises
    ------
    UserError
        If there is no such step, or units could not be made.
    """
    from tastelab.cluster.heavy import HEAVY, work_of
    from tastelab.cluster.here import made_here
    from tastelab.cluster.settings import settings_for
    from tastelab.cluster.submit import run_steps, told_of

    steps = list(HEAVY) if "all" in only else only
    settings = settings_for(executor, site)
    if settings is not None:
        run_steps(study, out, settings, steps, quiet)
        return
    failed: list[str] = []
    for name in [n for n in HEAVY if n in steps] + [n for n in steps if n not in HEAVY]:
        work = work_of(name, study, out)
        work.opened().gather()
        told = made_here(work)
        say(f"{name:<12} {told.made} of {told.units} made", quiet)
        failed += told.problems
    told_of(failed)


def stimuli(run: Run, update: Progress) -> str:
    """Generate the clips that are not there, and hold all against their hashes."""
    from stimuli.generate import generate
    from stimuli.manifest import verify

    rows = generate(run.study.stimuli, run.study.models, run.folder, update)
    problems = verify(run.folder)
    if problems:
        raise UserError(f"stimuli: {problems[0]}; delete the file and run again")
    return f"{len(rows)} clips, {rows[0].loudness:.1f} LUFS"


def captions(run: Run, update: Progress) -> str:
    """Caption the clips."""
    from stimuli.describe import describe

    return f"{len(describe(run.folder, 'captions', run.study.models, update))} captions"


def features(run: Run, update: Progress) -> str:
    """Measure the clips, and write the page to see and hear them on."""
    from stimuli.describe import describe
    from stimuli.sheet import write_sheet

    measured = describe(run.folder, "features", run.study.models, update)
    sheet = write_sheet(run.folder, run.study.name, run.study.models.conditions, update)
    return f"{len(measured)} clips measured, contact sheet {sheet}"


def session(run: Run, update: Progress) -> str:
    """One real session: with a person at this screen, or driven on a virtual desk."""
    return person_session(run) if run.person else driven_session(run, update)


def bots(run: Run, update: Progress) -> str:
    """Simulated participants, through the same engine and database."""
    from experiment import launch

    told = effects_of(run.study, run.effects)
    with open_store(run.db) as store:
        ran = launch.simulate(prepared(store, run.study, run.out), told, run.participants, run.seed, update)
    unknown = about_effects(run.study, told)
    return f"{run.participants} simulated participants ({ran} now)" + (f"; {unknown}" if unknown else "")


def report(run: Run, update: Progress) -> str:
    """Every analysis that the data allow, on one page."""
    kind = "person" if run.person else "bot"
    run.report, built = build_report(run.study, run.db, run.out, kind, update, dict(run.seconds), run.effects)
    return "built" if built else "nothing has changed"


STAGES: tuple[tuple[str, Callable[[Run, Progress], str]], ...] = (
    ("stimuli", stimuli),
    ("captions", captions),
    ("features", features),
    ("session", session),
    ("bots", bots),
    ("report", report),
)


def person_session(run: Run) -> str:
    """A session with a person on this screen, as a process of its own."""
    where = ["--study", str(run.study_file), "--db", run.db, "--out", str(run.out)]
    if subprocess.run([*SIT, "--code", f"p-{secrets.token_hex(3)}", *where], check=False).returncode != 0:
        raise UserError("the session did not run; see above")
    return "one session with a person"


def driven_session(run: Run, update: Progress | None = None) -> str:
    """One real PsychoPy session on a virtual desk; what was stored and heard is held against what was given."""
    from experiment.lab.driven import run_driven
    from stimuli.manifest import read_manifest

    where = ["--study", str(run.study_file.resolve()), "--db", _absolute(run.db), "--out", str(run.out.resolve())]
    files = {r.clip: run.folder / r.file for r in read_manifest(run.folder)}
    record = run.out / run.study.name / DRIVEN
    command = [*SIT, "--window", "--markers", "--driven", *where]
    return run_driven(run.db, run.study.name, run.study.experiment, files, record, command, update)


def _absolute(db: str) -> str:
    """A relative SQLite path, made absolute: the desk's processes have a home of their own."""
    prefix = "sqlite:///"
    if db.startswith(prefix) and not db.startswith(prefix + "/"):
        return prefix + str(Path(db.removeprefix(prefix)).resolve())
    return db
