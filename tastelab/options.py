"""The options that commands share, each written once, and the groups in which they always come together.

A command takes a group as one parameter; `grouped` shows its fields to the command line as options of their own::

    @app.command()
    @grouped
    def freeze(place: Place, *, kind: KindOption = None) -> None: ...
"""

from __future__ import annotations

import functools
import inspect
import platform
import shlex
from collections.abc import Callable
from dataclasses import MISSING, dataclass, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from tastelab.errors import UserError

StudyOption = Annotated[Path, typer.Option("--study", help="Study file (TOML).")]
DbOption = Annotated[str, typer.Option("--db", help="Database URL.")]
OutOption = Annotated[Path, typer.Option("--out", help="Where outputs go.")]
SEEDS = 2**63 - 1  # the largest, as in a study file
SeedOption = Annotated[int | None, typer.Option("--seed", min=0, max=SEEDS, help="Overrides the study file's seed.")]
QuietOption = Annotated[bool, typer.Option("--quiet", help="No progress, results only.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object and nothing else.")]
CsvOption = Annotated[
    Path | None, typer.Option("--csv", help="Write the table that this file is called after, else the first.")
]
KindOption = Annotated[str | None, typer.Option("--kind", help="Kind of session: person, imported, bot or driven.")]
SnapshotOption = Annotated[Path | None, typer.Option("--snapshot", help="A frozen snapshot instead of the database.")]
PlanOption = Annotated[str | None, typer.Option("--plan", help="robust (mixed models) or paper; default: the study's.")]
EffectsOption = Annotated[Path | None, typer.Option("--effects", help="Declared effects (TOML); default: the study's.")]
ExecutorOption = Annotated[
    str, typer.Option("--executor", help="Where heavy steps run: local, or slurm (this machine submits jobs).")
]
SiteOption = Annotated[
    Path | None, typer.Option("--site", help="What jobs ask of the cluster (TOML); default: the user's own.")
]
UnitsOption = Annotated[
    Path | None, typer.Option("--units", help="A file of units, one a line, which alone are made; default: all.")
]
StationOption = Annotated[str, typer.Option("--station", help="Name of this booth.")]
CodeArgument = Annotated[str, typer.Argument(help="Code of the participant.")]
KeyOption = Annotated[Path, typer.Option("--key", help="The key file.")]
PassphraseOption = Annotated[
    str | None,
    typer.Option("--passphrase", envvar="TASTELAB_KEY_PASSPHRASE", help="Of an encrypted key file.", show_envvar=True),
]

STUDY = Path("study.toml")
DB = "sqlite:///participants.db"
OUT = Path("outputs")
KEY = Path("participants.key")
STATION = platform.node() or "station"


@dataclass(frozen=True)
class Place:
    """A study, its database, and where its outputs go."""

    study: StudyOption = STUDY
    db: DbOption = DB
    out: OutOption = OUT

    def repeated(self) -> str:
        """The options as they were given, for a command that is told to go on with; a database's password stays out."""
        from experiment.data.connect import shown

        given = {"--study": str(self.study), "--db": shown(self.db), "--out": str(self.out)}
        usual = {"--study": str(STUDY), "--db": DB, "--out": str(OUT)}
        return "".join(f" {name} {shlex.quote(x)}" for name, x in given.items() if x != usual[name])


@dataclass(frozen=True)
class Clips:
    """A study and where its clips lie."""

    study: StudyOption = STUDY
    out: OutOption = OUT


@dataclass(frozen=True)
class Answers:
    """Whose answers an analysis reads."""

    study: StudyOption = STUDY
    db: DbOption = DB
    snapshot: SnapshotOption = None
    kind: KindOption = None


@dataclass(frozen=True)
class Shown:
    """How an analysis' tables are shown."""

    as_json: JsonOption = False
    csv: CsvOption = None


@dataclass(frozen=True)
class Keys:
    """The key file, and what opens it."""

    key: KeyOption = KEY
    passphrase: PassphraseOption = None


@dataclass(frozen=True)
class Cluster:
    """Whether heavy work runs here or as jobs of a cluster, and what these ask for."""

    executor: Annotated[
        str, typer.Option("--executor", help="Where heavy work runs: local, or slurm (this machine submits jobs).")
    ] = "local"
    site: Annotated[
        Path | None, typer.Option("--site", help="What jobs ask of the cluster (TOML); default: the user's own.")
    ] = None

    @property
    def slurm(self) -> bool:
        """Whether jobs are submitted.

        Raises
        ------
        UserError
            If neither is asked for, or what is asked of a cluster that none is asked for.
        """
        if self.executor not in ("local", "slurm"):
            raise UserError(f"--executor {self.executor!r} is not known; there are: local, slurm")
        if self.site is not None and self.executor == "local":
            raise UserError("--site is for --executor slurm")
        return self.executor == "slurm"


TriggerPortOption = Annotated[
    str | None, typer.Option("--trigger-port", metavar="PORT", help="This booth's serial port of a trigger box.")
]


DisplayOption = Annotated[
    str | None,
    typer.Option("--display", metavar="NAME", help="This booth's screen: its number from 1, or a part of its name."),
]
SoundOption = Annotated[
    str | None, typer.Option("--sound", metavar="NAME", help="This booth's sound card: a part of its name.")
]


@dataclass(frozen=True)
class Booth:
    """Where and how a session is shown."""

    station: StationOption = STATION
    window: Annotated[bool, typer.Option("--window", help="A window instead of the whole screen.")] = False
    markers: Annotated[bool, typer.Option("--markers", help="Print a JSON line a screen (for tests).", hidden=True)] = (
        False
    )
    pilot: Annotated[
        bool, typer.Option("--pilot", help="A trial of the study: no data of it, and binds no design.")
    ] = False
    driven: Annotated[bool, typer.Option("--driven", help="Mark as a test, not a person.", hidden=True)] = False
    trigger_port: TriggerPortOption = None
    display: DisplayOption = None
    sound: SoundOption = None


def listed(path: Path) -> list[str]:
    """The units that a file names."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"--units {path} cannot be read: {error}") from None
    return list(dict.fromkeys(line.strip() for line in text.splitlines() if line.strip()))


def grouped(command: Callable[..., None]) -> Callable[..., None]:
    """Show each parameter that is a group of options as that group's fields; the command still gets the group."""
    shown: list[inspect.Parameter] = []
    groups: dict[str, type] = {}
    for parameter in inspect.signature(command, eval_str=True).parameters.values():
        if not (isinstance(parameter.annotation, type) and is_dataclass(parameter.annotation)):
            shown.append(parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY))
            continue
        group = groups[parameter.name] = parameter.annotation
        hints = get_type_hints(group, include_extras=True)
        for field in fields(group):
            default = inspect.Parameter.empty if field.default is MISSING else field.default
            shown.append(
                inspect.Parameter(
                    field.name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=hints[field.name]
                )
            )

    @functools.wraps(command)
    def called(**given: Any) -> None:
        made = {
            name: group(**{f.name: given.pop(f.name) for f in fields(group) if f.name in given})
            for name, group in groups.items()
        }
        command(**made, **given)

    # What inspect.signature, and so typer, reads.
    called.__signature__ = inspect.Signature(shown)  # type: ignore[attr-defined]  # types of functions do not know it
    called.__annotations__ = {p.name: p.annotation for p in shown}
    return called


def words_of(context: typer.Context, but: frozenset[str]) -> tuple[str, ...]:
    """The options that a command was called with, as words, without those of some parameters."""
    words: list[str] = []
    for parameter in context.command.params:
        name = parameter.name or ""
        value = context.params.get(name)
        source = context.get_parameter_source(name)
        if name in but or source is None or source.name != "COMMANDLINE":
            continue
        if isinstance(value, bool):
            words.append(parameter.opts[0] if value else parameter.secondary_opts[0])
        else:
            for one in value if isinstance(value, (list, tuple)) else [value]:
                words += [parameter.opts[0], str(one)]
    return tuple(words)
