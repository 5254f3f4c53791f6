"""A day in a lab with three booths, by the guides alone: pilots, twelve people, and what goes otherwise; its transcript.

Every command is tastelab's own, each in a process of its own, with a folder a booth and one database for all. Where a person
would sit, a script's hand answers; where it was run there was no screen, so that display and sound card are said to be there.

    python -m benchmarks.labday            # writes docs/lab-day.md
"""

from __future__ import annotations

import contextlib
import html
import os
import re
import shutil
import signal
import sys
import tempfile
import traceback
import types
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
BOOTHS = ("booth1", "booth2", "booth3")
PEOPLE = [f"P{n:03d}" for n in range(1, 13)]
STUDY = "day"
SERVER = "postgresql://tastelab@server/lab"
SHORT = (
    ('name = "multimodal-symphony"', f'name = "{STUDY}"'),
    ("seconds = 15", "seconds = 2"),
    ("clips_per_taste = 5", "clips_per_taste = 4"),
    ("trials = 5", "trials = 4"),
    ("clips = 3", "clips = 2"),
    ("resamples = 2000", "resamples = 200"),
    ('embedders = ["yamnet", "musicnn", "codec"]', 'embedders = ["musicnn"]'),
)
HEAD = """# A day in the lab, as it went

Three booths, one database, twelve people who were asked to come; what is typed is in [experimenter.md](experimenter.md),
[lab.md](lab.md) and [data-protection.md](data-protection.md). `python -m benchmarks.labday` runs the day and writes this page: every
command is run, and what it says stands below it. A script's hand answered where people sit, with no screen and no sound card,
which were said to be there; clips last two seconds. Paths are shortened, the server's address is made up.
"""


@dataclass(frozen=True)
class Hand:
    """Who sits at a booth: a seed, and what they do otherwise than going through it."""

    seed: int = 0
    agrees: bool = True
    age: int | None = None
    dies_at: int | None = None  # the answer at which the computer goes off
    stops_at: int | None = None  # the answer before which the person presses Stop


def sit(hand: Hand) -> None:
    """Let `hand` answer in this process wherever a session shows its screens."""
    import numpy as np

    from experiment.bots.bots import Bot
    from experiment.bots.effects import load_effects
    from experiment.data.tables import Trial
    from experiment.lab import station
    from experiment.question import Answer, Question
    from experiment.session import Stopped
    from tastelab.commands import experiment as commands

    asked: list[Any] = []
    prepared = commands.prepared

    def noting(*given: Any, **named: Any) -> Any:
        ready = prepared(*given, **named)
        asked.append(ready.config)
        return ready

    class Screens(Bot):
        failed = None

        def __init__(self, *_: Any) -> None:
            super().__init__(asked[-1], load_effects(), np.random.default_rng(hand.seed), 0)
            self.answered = 0

        def consent(self) -> tuple[bool, bool]:
            return hand.agrees, hand.agrees

        def ask(self, question: Question, trial: Trial, progress: tuple[int, int]) -> Answer:
            if self.answered == hand.dies_at:
                os.kill(os.getpid(), signal.SIGKILL)
            if self.answered == hand.stops_at:
                raise Stopped
            self.answered += 1
            answer = super().ask(question, trial, progress)
            return Answer(float(hand.age)) if question.item == "age" and hand.age is not None else answer

        def close(self) -> None:
            """Nothing was opened."""

    there = {name: (lambda name=name: station.Check(name, "ok", "said to be there")) for name in ("display", "sound")}
    station.check_display, station.check_sound = there["display"], there["sound"]
    screens = types.ModuleType("experiment.lab.screens")
    screens.Screens = Screens  # type: ignore[attr-defined]  # a module made here, with what sessions ask it for
    sys.modules["experiment.lab.screens"] = screens
    commands.prepared = noting  # type: ignore[attr-defined]  # the command's own name for it, which it does not offer


@dataclass
class Day:
    """What is where, and what was said so far.

    Attributes
    ----------
    folder : Path
        Holds a folder a booth.
    url : str
        The database of all booths.
    """

    folder: Path
    url: str
    lines: list[str] = field(default_factory=list)

    def tell(self, text: str) -> None:
        """A paragraph of the page."""
        self.lines += ["", text, ""]

    def start(self, booth: str, *words: str, hand: Hand | None = None) -> tuple[int, Path]:
        """Begin a command at a booth in a process of its own; its number and where its words go."""
        out = self.folder / f"{len(self.lines)}-{os.urandom(4).hex()}.out"
        child = os.fork()
        if child:
            return child, out
        status = 1
        try:
            with (
                out.open("w", encoding="utf-8") as file,
                contextlib.redirect_stdout(file),
                contextlib.redirect_stderr(file),
            ):
                os.chdir(self.folder / booth)
                os.environ["COLUMNS"] = "80"
                if hand is not None:
                    sit(hand)
                from tastelab.cli import main

                sys.argv = ["tastelab", *words]
                try:
                    main()
                    status = 0
                except SystemExit as leaving:
                    status = int(leaving.code or 0)
                except Exception:
                    traceback.print_exc(file=file)
        finally:
            os._exit(status)

    def end(self, booth: str, words: Sequence[str], started: tuple[int, Path], wanted: int, note: str = "") -> str:
        """Wait for a command, and write down what was typed and said."""
        child, out = started
        _, ended = os.waitpid(child, 0)
        said = out.read_text(encoding="utf-8")
        out.unlink()
        status = os.waitstatus_to_exitcode(ended)
        typed = " ".join(f'"{w}"' if " " in w else w for w in words).replace(self.url, SERVER)
        if status != wanted:
            raise AssertionError(f"{booth}$ tastelab {typed}: status {status}\n{said}")
        self.lines += ["```text", f"{booth}$ tastelab {typed}{note}", *self.shown(said, booth).splitlines(), "```"]
        return said

    def run(self, booth: str, *words: str, hand: Hand | None = None, wanted: int = 0, note: str = "") -> str:
        """A command at a booth, to its end."""
        return self.end(booth, words, self.start(booth, *words, hand=hand), wanted, note)

    def together(self, *sessions: tuple[str, str, Hand, int, str]) -> None:
        """Sessions at several booths at once: booth, code, who sits there, how it ends, and what is said of it."""
        begun = []
        for booth, code, hand, wanted, note in sessions:
            words = ("experiment", "run", "--code", code, "--station", booth, *self.study, *self.db)
            begun.append((booth, words, self.start(booth, *words, hand=hand), wanted, note))
        for booth, words, started, wanted, note in begun:
            self.end(booth, words, started, wanted, note)

    @property
    def study(self) -> tuple[str, ...]:
        """Nothing: a booth's folder has the usual names."""
        return ()

    @property
    def db(self) -> tuple[str, str]:
        """The option that names the database."""
        return "--db", self.url

    def edit(self, old: str, new: str) -> None:
        """Change the study file at every booth that is on."""
        for booth in BOOTHS:
            path = self.folder / booth / "study.toml"
            if path.exists():
                text = path.read_text(encoding="utf-8")
                assert old in text, old
                path.write_text(text.replace(old, new), encoding="utf-8")

    def shown(self, text: str, at: str) -> str:
        """Words as anybody may read them."""
        here = self.folder.resolve()
        text = text.replace(f"{here / at}/", "").replace(f"{here}/", "")
        text = text.replace(self.url, SERVER).replace(re.sub(r"\?.*", "", self.url), SERVER)
        text = re.sub(r"postgresql(\+psycopg)?://[^\s;,):']*(:(?=\s))?", lambda m: SERVER + (m[2] or ""), text)
        text = text.replace(f"'{SERVER}'", SERVER)  # an address that can be reached needs no quotes
        return text.replace(os.uname().nodename, "this computer")


def arrange(folder: Path, clips: Path | None) -> None:
    """Three booths with the study file; clips are given, or made at the first and copied, as lab.md says."""
    text = (ROOT / "study.toml").read_text(encoding="utf-8")
    for old, new in SHORT:
        assert old in text, old
        text = text.replace(old, new)
    for booth in BOOTHS:
        (folder / booth).mkdir(parents=True)
        (folder / booth / "study.toml").write_text(text, encoding="utf-8")
    if clips is not None:
        for booth in BOOTHS:
            shutil.copytree(clips, folder / booth / "outputs" / STUDY / "stimuli")


def run(folder: Path, url: str, clips: Path | None = None, report: bool = True) -> Day:
    """The whole day; raises where anything ends otherwise than the guides say."""
    day = Day(folder.resolve(), url)
    arrange(folder, clips)
    _morning(day, clips)
    _people(day)
    _noon(day)
    _afternoon(day)
    _evening(day, report)
    return day


def _morning(day: Day, clips: Path | None) -> None:
    day.tell("## The morning\n\nThe study file is read, clips are made once and copied to every booth.")
    day.run("booth1", "study", "check")
    if clips is None:
        day.run("booth1", "stimuli", "generate", "--quiet")
        for booth in BOOTHS[1:]:
            shutil.copytree(day.folder / "booth1" / "outputs", day.folder / booth / "outputs")
    for booth in BOOTHS:
        day.run(booth, "stimuli", "verify")
    day.tell(
        "Two colleagues try it. One of them stumbles over a word, which is mended in the study file: pilots bind nothing."
    )
    for n, booth in enumerate(BOOTHS[:2], start=1):
        day.run(
            booth, "experiment", "run", "--code", f"try{n}", "--pilot", "--station", booth, *day.db, hand=Hand(100 + n)
        )
    day.edit('sweet = "sweet"', 'sweet = "Sweet"')
    day.run("booth1", "experiment", "discard-pilots", *day.db)
    day.tell(
        "Who is behind the codes of today stands in the key file, on the first booth's own disk (the others likewise)."
    )
    for code in PEOPLE:
        words = ("experiment", "key", "add", code, "--contact", f"somebody-{code.lower()}@example.org")
        kept = len(day.lines)
        day.run("booth1", *words)
        if code != PEOPLE[0]:
            del day.lines[kept:]


def _people(day: Day) -> None:
    day.tell("## People come\n\nThree at a time.")
    day.together(*[(b, c, Hand(n), 0, "") for n, (b, c) in enumerate(zip(BOOTHS, PEOPLE[:3], strict=True))])
    day.tell(
        "The next three: at the first booth the computer goes off in mid-session; at the second the person does not agree; "
        "at the third sits somebody of 15."
    )
    day.together(
        ("booth1", "P004", Hand(4, dies_at=9), -signal.SIGKILL, "   # the power goes"),
        ("booth2", "P005", Hand(5, agrees=False), 0, ""),
        ("booth3", "P006", Hand(6, age=15), 0, ""),
    )
    day.tell(
        "The computer comes up again; P004 goes on where it was. Who did not agree, or was too young, can't go on."
    )
    day.run("booth1", "experiment", "run", "--resume", "P004", "--station", "booth1", *day.db, hand=Hand(4))
    day.run("booth3", "experiment", "run", "--resume", "P006", "--station", "booth3", *day.db, hand=Hand(6), wanted=2)
    day.tell(
        "P007 has to leave early and presses Stop. P009 does not come: the contact is deleted, the place is nobody's."
    )
    day.together(
        ("booth1", "P007", Hand(7, stops_at=12), 0, ""),
        ("booth2", "P008", Hand(8), 0, ""),
    )
    day.run("booth1", "experiment", "key", "remove", "P009")
    day.run("booth1", "experiment", "status", *day.db)


def _noon(day: Day) -> None:
    day.tell(
        "## Noon: the study is amended\n\nP007 can come back in two days only, which `resume_hours = 24` does not allow. Changing the "
        "study file alone does nothing for whoever comes anew; the amendment does, with its reason."
    )
    day.edit('languages = ["en", "it"]', 'languages = ["en", "it"]\nresume_hours = 72')
    day.run("booth1", "experiment", "run", "--code", "P010", "--station", "booth1", *day.db, hand=Hand(10), wanted=2)
    day.run("booth1", "study", "amend", *day.db, "--note", "one person can come back in two days only")
    day.run("booth2", "experiment", "run", "--resume", "P007", "--station", "booth2", *day.db, hand=Hand(7))


def _afternoon(day: Day) -> None:
    day.tell(
        "## The afternoon: somebody withdraws\n\nThe third booth is switched off meanwhile; P002's backups lie there too."
    )
    off = day.folder / "booth3.off"
    (day.folder / "booth3").rename(off)
    day.together(("booth1", "P010", Hand(10), 0, ""), ("booth2", "P011", Hand(11), 0, ""))
    day.run("booth1", "analysis", "freeze", "--kind", "person", *day.db)
    day.run("booth1", "experiment", "withdraw", "P002", *day.db, wanted=1)
    day.tell("The third booth is switched on again: before its next session it does what is pending there.")
    off.rename(day.folder / "booth3")
    day.together(("booth3", "P012", Hand(12), 0, ""))
    day.run("booth1", "experiment", "withdraw", "--pending", *day.db)
    day.run("booth1", "experiment", "withdraw", "P002", *day.db, wanted=2)
    day.tell("Nobody is asked under that code again.")
    day.run("booth2", "experiment", "run", "--code", "p2", "--station", "booth2", *day.db, hand=Hand(2), wanted=2)


def _evening(day: Day, report: bool) -> None:
    day.tell("## The evening")
    day.run("booth1", "experiment", "status", *day.db)
    day.run("booth1", "experiment", "backup", *day.db)
    day.run("booth1", "experiment", "export", "--format", "csv", *day.db)
    if not report:
        return
    day.run("booth1", "analysis", "report", "--kind", "person", "--quiet", *day.db)
    page = (day.folder / "booth1" / "outputs" / STUDY / "report.html").read_text(encoding="utf-8")
    told = re.findall(r"Amended on [^<]*", page)
    assert told, "the report does not tell the amendment"
    day.tell(f"The report's first screen says, under *Plan and deviations*:\n\n> {html.unescape(told[0]).strip()}")


def outcomes(url: str) -> dict[str, str]:
    """Status by code, as the database has them."""
    from experiment.data.queries import status_rows
    from experiment.data.store import Store

    store = Store(url, new=False)
    try:
        return {str(r["participant"]): str(r["status"]) for r in status_rows(store, STUDY)}
    finally:
        store.close()


def page(day: Day) -> str:
    """The transcript as a page of the docs."""
    return HEAD + re.sub(r"\n{3,}", "\n\n", "\n".join(day.lines)).rstrip() + "\n"


if __name__ == "__main__":
    from tests.postgres import Postgres

    server = Postgres()
    try:
        with tempfile.TemporaryDirectory() as where:
            done = run(Path(where) / "lab", server.database("lab"))
            (ROOT / "docs" / "lab-day.md").write_text(page(done), encoding="utf-8")
            print(outcomes(done.url))
    finally:
        server.close()
