"""Who is at what: a small file a process, which units it makes now, how many it has made and since when; and one a unit that failed."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import time
import traceback
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError
from models.errors import ModelError
from stimuli.errors import StimulusError
from tastelab.errors import UserError

OFTEN = 2.0  # s
SILENT = 900  # s without a word, after which a process on another machine, of no job, is taken to be gone


@dataclass(frozen=True)
class Note:
    """What one process says of itself; `job` is empty where no cluster runs it. Times are seconds since 1970."""

    step: str
    host: str
    pid: int
    job: str
    begun: float
    told: float
    made: int = 0
    units: tuple[str, ...] = ()
    ended: bool = False

    def alive(self, jobs: frozenset[str] | None, now: float) -> bool:
        """Whether it is at work still; `jobs` are those that run, None where nobody knows."""
        if self.ended:
            return False
        if self.job and jobs is not None:
            return self.job in jobs
        if self.host == socket.gethostname():
            import psutil

            return bool(psutil.pid_exists(self.pid))
        return now - self.told < SILENT


@dataclass(frozen=True)
class Failure:
    """A unit that could not be made: why, in one line, and where the whole is told."""

    step: str
    unit: str
    line: str
    log: str
    when: float


@dataclass(frozen=True)
class Told:
    """What came of a step: of how many units, how many are made, what failed or was lost, each as a line."""

    units: int
    made: int
    problems: list[str]


@dataclass
class Notes:
    """The account of one process (`stimuli.units.Account`), kept in a folder that all see."""

    folder: Path
    step: str
    job: str = ""
    log: str = ""
    passing: tuple[type[Exception], ...] = ()  # errors that are no unit's: that time is up
    hears: Callable[[int], None] | None = None  # is told how many units are settled, made or failed
    settled: int = 0
    _note: Note = field(init=False)
    _first: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        """Say that this process has begun."""
        now = time.time()
        self._note = Note(self.step, socket.gethostname(), os.getpid(), self.job, now, now)
        self._write()

    def begins(self, names: Sequence[str]) -> None:
        """These are being made now."""
        self._note = replace(self._note, units=tuple(names), told=time.time())
        self._write()

    def made(self, names: Sequence[str]) -> None:
        """These are made, or were; whatever was wrong with them before."""
        fresh = sum(name in self._note.units for name in names)
        self._note = replace(self._note, units=(), made=self._note.made + fresh, told=time.time())
        self._write()
        for name in names:
            failure_of(self.folder, self.step, name).unlink(missing_ok=True)
        self._settle(names)

    def _settle(self, names: Sequence[str]) -> None:
        self.settled += len(names)
        if self.hears is not None:
            self.hears(self.settled)

    def counts(self, done: float) -> None:
        """So many are done by now, this process' and others'; for a step that tells of no units. Written every few seconds."""
        if self._first is None:
            self._first = done
        if time.time() - self._note.told < OFTEN:
            return
        self._note = replace(self._note, units=("",), made=int(done - self._first), told=time.time())
        self._write()

    def failed(self, names: Sequence[str], error: Exception) -> None:
        """These can't be made: told with one line and the log, and the rest goes on."""
        if isinstance(error, (*self.passing, ImportError)):  # what is not installed is missing for all
            raise error
        if self.job or not isinstance(error, (AnalysisError, ModelError, StimulusError, UserError)):
            traceback.print_exception(error)  # into the job's log; here, a user's mistake is one line
        line = f"{type(error).__name__}: {error}".splitlines()[0]
        for name in names:
            write_json(
                failure_of(self.folder, self.step, name), asdict(Failure(self.step, name, line, self.log, time.time()))
            )
        self._note = replace(self._note, units=(), told=time.time())
        self._write()
        self._settle(names)

    def ends(self) -> None:
        """This process has nothing more to do; where it found all made, here, it was not worth a note."""
        self._note = replace(self._note, units=(), ended=True, told=time.time())
        if self._note.job or self._note.made:
            self._write()
        else:
            self._path.unlink(missing_ok=True)

    @property
    def _path(self) -> Path:
        name = f"{self._note.job or f'{self._note.host}-{self._note.pid}'}.json"
        return self.folder / "notes" / self.step / name

    def _write(self) -> None:
        write_json(self._path, asdict(self._note))


def failure_of(folder: Path, step: str, unit: str) -> Path:
    """Where a unit's failure is told; units may be called anything."""
    return folder / "failed" / step / f"{hashlib.sha256(unit.encode()).hexdigest()[:16]}.json"


def notes_of(folder: Path, step: str) -> list[Note]:
    """What processes said of a step."""
    return [Note(**{**raw, "units": tuple(raw["units"])}) for raw in _all(folder / "notes" / step)]


def failures_of(folder: Path, step: str) -> list[Failure]:
    """What could not be made of a step, the latest last."""
    return sorted((Failure(**raw) for raw in _all(folder / "failed" / step)), key=lambda f: f.when)


def write_json(path: Path, value: Any) -> None:
    """Write a small file whole, or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.stem}.{socket.gethostname()}-{os.getpid()}.partial")
    unfinished.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    os.replace(unfinished, path)


def _all(folder: Path) -> list[dict[str, Any]]:
    found = []
    for path in sorted(folder.glob("[!.]*.json")):
        try:
            found.append(json.loads(path.read_text(encoding="utf-8")))
        except (FileNotFoundError, ValueError):  # mended meanwhile; or left empty by a power cut
            continue
    return found
