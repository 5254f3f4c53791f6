"""The heavy steps of a set of clips, each as units of which any share can be made alone, on any machine that sees the folder.

A unit's fingerprint tells all that its result depends on. What is made is left beside the manifest (`stimuli.waiting`), so that it
does no harm if two make the same, and taken into it when whoever asked for it gathers.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from models.config import ModelsConfig
from models.devices import fitting
from stimuli.config import StimuliConfig
from stimuli.describe import CAPTIONED, describe_rows, found_by, undescribed
from stimuli.errors import StimulusError
from stimuli.generate import sets
from stimuli.making import copied, distinct, keep, make, told_apart
from stimuli.manifest import ClipRow, Glance, known_rows, locked, ordered, take_in
from stimuli.sets import ClipSet, TrackSet

ALIGNED = 8  # clips of a batch, where the study says nothing else


@dataclass(frozen=True)
class Unit:
    """What can be made by itself: a name, what its result depends on, and of which units it is best made together."""

    name: str
    fingerprint: str
    group: str = ""


class Account(Protocol):
    """To whom a step tells what it is at, and who decides what becomes of an error."""

    def begins(self, names: Sequence[str]) -> None:
        """These are being made now."""

    def made(self, names: Sequence[str]) -> None:
        """These are made, or were."""

    def failed(self, names: Sequence[str], error: Exception) -> None:
        """These can't be made; raises what is none of theirs, as that time is up."""


def attempt(account: Account, names: Sequence[str], work: Callable[[Sequence[str]], None]) -> None:
    """Make some units, and tell what came of it; where one of several can't be made, one by one: the others come out the same."""
    account.begins(names)
    try:
        work(names)
    except Exception as error:
        if isinstance(error, StimulusError) and len(names) > 1:
            for name in names:
                attempt(account, [name], work)
        else:
            account.failed(names, error)
    else:
        account.made(names)


class Step(Protocol):
    """One heavy step of one study.

    Attributes
    ----------
    name : str
        What it is called.
    needs : tuple of str
        Steps that come before it.
    aligned : int
        Blocks of a multiple of this many units give the same to the bit as the whole does.
    """

    name: str
    needs: tuple[str, ...]
    aligned: int

    def units(self) -> list[Unit]:
        """All units that there are by now, in their order."""

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Which of them are made, by what lies there; sounds are not hashed for it."""

    def make(self, names: Sequence[str], account: Account) -> None:
        """Make those that are not made yet."""

    def gather(self) -> None:
        """Take in what was made."""


def fingerprint(*what: Any) -> str:
    """SHA-256 of what a unit depends on."""
    return hashlib.sha256(json.dumps(what, sort_keys=True, default=str).encode()).hexdigest()


def found_of(rows: Iterable[ClipRow], *what: Any) -> list[Unit]:
    """A unit a clip, of what is found in its sound."""
    return [Unit(row.clip, fingerprint(row.sha256, *what)) for row in rows]


class Clips:
    """Make the clips: a unit a clip."""

    name = "generate"
    needs: tuple[str, ...] = ()

    def __init__(self, config: StimuliConfig, models: ModelsConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.parts = sets(config, models, folder)
        drawn = any(isinstance(part, ClipSet) for part in self.parts)
        self.aligned = (models.batch or ALIGNED) if drawn else 1  # tracks are taken one by one

    def units(self) -> list[Unit]:
        """Set after set."""
        out = []
        for part in self.parts:
            for n, name in enumerate(part.names):
                if isinstance(part, TrackSet):
                    of, group = fingerprint(part.sha256[n], part.settings), part.condition
                else:
                    of = fingerprint(part.sha256, part.prompts[n], part.seeds[n], part.settings_of(n))
                    group = part.title
                out.append(Unit(name, of, group))
        return out

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those whose row is what is asked for."""
        rows, wanted = known_rows(self.folder), {u.name for u in units}
        return {name for part in self.parts for n, name in enumerate(part.names)
                if name in wanted and has(part, n, rows.get(name), self.folder, heard=False)}  # fmt: skip

    def make(self, names: Sequence[str], account: Account) -> None:
        """Batch by batch; where one clip of a batch can't be made, the others of it are made one by one."""
        (self.folder / "clips").mkdir(parents=True, exist_ok=True)
        wanted, checked, glance = set(names), set[str](), Glance(self.folder)
        for part in self.parts:
            asked = [n for n, name in enumerate(part.names) if name in wanted]
            rows = glance.of(part.names[n] for n in asked)
            missing = [n for n in asked if not has(part, n, rows.get(part.names[n]), self.folder)]
            account.made([part.names[n] for n in asked if n not in missing])
            if isinstance(part, TrackSet):
                place = {part.names[n]: n for n in missing}
                for name in place:
                    attempt(account, [name], partial(self._copy, part, place))
            elif missing:
                self._fill(part, missing, checked, account)

    def _copy(self, part: TrackSet, place: dict[str, int], names: Sequence[str]) -> None:
        keep(self.folder, [copied(part, place[name], self.config, self.folder) for name in names])

    def _fill(self, part: ClipSet, missing: list[int], checked: set[str], account: Account) -> None:
        account.begins([part.names[n] for n in missing])
        try:
            part.model.hold_against_audiocraft(part.prompts[0], checked)
            size = part.model.settings.batch or part.model.load().batch_size(self.config.seconds)
        except Exception as error:
            account.failed([part.names[n] for n in missing], error)
            return
        for batch in sorted({n // size for n in missing}):
            place = {part.names[n]: n for n in missing if n // size == batch}
            attempt(account, [*place], partial(self._batch, part, size, place))

    def _batch(self, part: ClipSet, size: int, place: dict[str, int], names: Sequence[str]) -> None:
        numbers = [place[name] for name in names]

        def made(size: int) -> None:
            for batch in sorted({n // size for n in numbers}):
                some = [n for n in numbers if n // size == batch]
                keep(self.folder, make(part, self.config, self.folder, some, size, {}))

        fitting(made, size)

    def gather(self) -> None:
        """Into the manifest."""
        settle(self.folder)


def settle(folder: Path) -> None:
    """Take what waits of clips into the manifest, if anything does."""
    with locked(folder):
        take_in(folder)


def has(part: ClipSet | TrackSet, n: int, row: ClipRow | None, folder: Path, heard: bool = True) -> bool:
    """Whether a row is what its place in a study asks for; `heard`: whether its file is hashed for it."""
    return part.has(n, row, folder, heard) if isinstance(part, TrackSet) else part.has(row, folder, heard)


class Distinct:
    """Hold the clips of a set against each other, and draw again what is all but equal: a unit a set whose clips are all there."""

    name, aligned = "distinct", 1
    needs: tuple[str, ...] = ("generate",)

    def __init__(self, config: StimuliConfig, models: ModelsConfig, folder: Path) -> None:
        self.config, self.folder = config, folder
        self.parts = {p.title: p for p in sets(config, models, folder) if isinstance(p, ClipSet)}

    def _rows(self) -> dict[str, list[ClipRow]]:
        rows, out = known_rows(self.folder), {}
        for title, part in self.parts.items():
            own = [rows.get(name) for name in part.names]
            if all(part.has(row, self.folder, heard=False) for row in own):
                out[title] = [row for row in own if row is not None]
        return out

    def units(self) -> list[Unit]:
        """Sets, by what is in them."""
        return [Unit(title, fingerprint([r.sha256 for r in rows])) for title, rows in self._rows().items()]

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those of which every clip says how near the next is."""
        return {title for title, rows in self._rows().items() if told_apart(rows)}

    def make(self, names: Sequence[str], account: Account) -> None:
        """Set by set."""
        for title in names:
            attempt(account, [title], self._distinct)

    def _distinct(self, titles: Sequence[str]) -> None:
        for title in titles:
            distinct(self.parts[title], self.config, self.folder)

    def gather(self) -> None:
        """Into the manifest."""
        settle(self.folder)


class Described:
    """Captions or features of the clips: a unit a clip."""

    needs: tuple[str, ...] = ("distinct",)

    def __init__(self, what: str, models: ModelsConfig, folder: Path) -> None:
        self.name, self.models, self.folder = what, models, folder
        self.aligned = CAPTIONED if what == "captions" else 1

    def units(self) -> list[Unit]:
        """The clips in the manifest's order."""
        return found_of(ordered(known_rows(self.folder).values()), self.name, found_by(self.name, self.models))

    def done(self, units: Sequence[Unit]) -> set[str]:
        """Those that are described by what describes now."""
        rows = known_rows(self.folder)
        return set(rows) - {r.clip for r in undescribed(list(rows.values()), self.name, self.models)}

    def make(self, names: Sequence[str], account: Account) -> None:
        """Some at a time; where one of them can't be described, one by one."""
        there = Glance(self.folder).of(names)
        todo = undescribed([there[name] for name in names if name in there], self.name, self.models)
        account.made(sorted(set(there) - {r.clip for r in todo}))
        for name in set(names) - set(there):
            account.failed([name], StimulusError(f"{name}: no such clip in {self.folder}"))
        for start in range(0, len(todo), CAPTIONED):
            attempt(account, [r.clip for r in todo[start : start + CAPTIONED]], partial(self._describe, there))

    def _describe(self, there: dict[str, ClipRow], names: Sequence[str]) -> None:
        describe_rows(self.folder, [there[name] for name in names], self.name, self.models)

    def gather(self) -> None:
        """Into the manifest."""
        settle(self.folder)
