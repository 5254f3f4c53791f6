"""Every command as it ends where only some of the packages are installed: `python -m tests.tastelab.without EXTRA FOLDER`.

What an extra brings is read from the metadata of all that is installed, requirement by requirement; everything else is hidden, as
if it had never been installed. FOLDER holds a study that bots went through (`study.toml`, `outputs`, `participants.db`). Printed is a
JSON object: the words of each command, its status, what it wrote to standard error, and the name of an exception if one came out.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import sys
import time
import tomllib
from collections.abc import Iterator
from importlib.machinery import ModuleSpec
from importlib.metadata import PackageNotFoundError, packages_distributions, requires
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# Arguments that a command can't do without; what they name is there as far as a study's folder has it.
WORDS: dict[tuple[str, ...], list[str]] = {
    ("init",): ["new", "--kind", "generated"],
    ("doctor",): ["--no-screen"],
    ("trace",): ["sweet-base-000"],
    ("study", "run"): ["--quiet", "--participants", "10"],
    ("study", "check"): [],
    ("study", "reference"): ["bpm"],
    ("study", "amend"): ["--note", "why"],
    ("study", "units"): ["generate"],
    ("study", "step"): ["features"],
    ("study", "status"): [],
    ("stimuli", "generate"): ["--quiet"],
    ("stimuli", "caption"): ["--quiet"],
    ("stimuli", "features"): ["--quiet"],
    ("stimuli", "sheet"): ["--quiet"],
    ("stimuli", "verify"): [],
    ("stimuli", "dataset", "build"): ["base", "corpus", "-n", "1", "--quiet"],
    ("stimuli", "dataset", "extend"): ["listing.csv", "--audio", ".", "--out", "labels.jsonl"],
    ("models", "info"): [],
    ("models", "pull"): ["facebook/musicgen-small", "--from", "nowhere", "--quiet"],
    ("models", "check"): ["nobody/nothing"],
    ("models", "convert"): ["nobody/nothing", "converted"],
    ("models", "train-nano"): ["codec", "--corpus", "nowhere"],
    ("models", "finetune"): ["--corpus", "nowhere"],
    ("models", "train-sonicverse"): ["nowhere.json", "--audio", ".", "--labels", "nowhere.jsonl"],
    ("models", "evaluate"): ["sonicverse", "--corpus", "corpus"],
    ("experiment", "run"): ["--code", "P1", "--window"],
    ("experiment", "launch"): [],
    ("experiment", "calibrate"): [],
    ("experiment", "simulate"): ["-n", "24", "--quiet"],
    ("experiment", "status"): [],
    ("experiment", "discard-pilots"): [],
    ("experiment", "discard-imports"): [],
    ("experiment", "import"): ["psytoolkit", "nowhere.csv", "--quiet"],
    ("experiment", "export"): [],
    ("experiment", "withdraw"): ["P1", "--no-key"],
    ("experiment", "backup"): [],
    ("experiment", "restore"): ["nowhere.db", "new.db"],
    ("experiment", "replay"): ["bot-0001"],
    ("experiment", "serve"): ["--host", "256.0.0.1"],  # no address: it would not end by itself
    ("experiment", "links"): ["-n", "1"],
    ("experiment", "key", "add"): ["P1", "--contact", "Ada"],
    ("experiment", "key", "show"): ["P1"],
    ("experiment", "key", "remove"): ["P1"],
    ("experiment", "key", "encrypt"): ["--new", "secret"],
    ("analysis", "freeze"): [],
    ("analysis", "preference"): ["--plan", "paper"],
    ("analysis", "identification"): [],
    ("analysis", "ratings"): ["--plan", "paper"],
    ("analysis", "factors"): ["--plan", "paper"],
    ("analysis", "mediation"): [],
    ("analysis", "agreement"): ["--targets", "nowhere.csv"],
    ("analysis", "fad"): ["--quiet"],
    ("analysis", "captions"): [],
    ("analysis", "report"): ["--check"],
    ("analysis", "power"): ["--n", "10", "--simulations", "20", "--jobs", "1", "--quiet"],
    (): [],
    ("experiment", "discard-bots"): [],
}  # fmt: skip


def declared() -> list[str]:
    """What the project file says that tastelab needs, as an installation would know it."""
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    extras = project["optional-dependencies"].items()
    return [*project["dependencies"], *(f"{line}; extra == '{extra}'" for extra, lines in extras for line in lines)]


def brought(extra: str) -> set[str]:
    """Distributions that an installation with an extra has; none of them by the empty name."""
    found: set[tuple[str, str]] = set()
    waiting = [("tastelab", extra)]
    while waiting:
        name, of = waiting.pop()
        if (name, of) in found:
            continue
        found.add((name, of))
        try:
            needed = [Requirement(line) for line in (declared() if name == "tastelab" else requires(name) or [])]
        except PackageNotFoundError:
            continue
        for requirement in needed:
            if requirement.marker is None or requirement.marker.evaluate({"extra": of}):
                other = canonicalize_name(requirement.name)
                waiting += [(other, "")] + [(other, x) for x in requirement.extras]
    return {name for name, _ in found}


class Only:
    """What another finder finds, but for hidden modules."""

    def __init__(self, finder: Any, hidden: set[str]):
        self.finder, self.hidden = finder, hidden

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if name.partition(".")[0] in self.hidden:
            return None
        found: ModuleSpec | None = self.finder.find_spec(name, path, target)
        return found

    def __getattr__(self, name: str) -> Any:
        """Metadata of distributions, and whatever else it is asked for."""
        return getattr(self.finder, name)


def hide(extra: str, beside: tuple[str, ...] = ()) -> None:
    """Hide all that an installation with an extra, and some packages beside, does not have."""
    there = brought(extra) | set(beside)
    names = {
        module
        for module, of in packages_distributions().items()
        if not {canonicalize_name(x) for x in of} & there and module not in ("tests", "packaging")
    }
    hidden = names - set(sys.stdlib_module_names)
    sys.meta_path[:] = [Only(finder, hidden) for finder in sys.meta_path]  # type: ignore[misc]


def leaves(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """All commands of the command line."""
    for name, inner in command.commands.items():
        if hasattr(inner, "commands"):
            yield from leaves(inner, (*path, name))
        else:
            yield (*path, name)


def main() -> None:
    """Call every command."""
    extra, folder = sys.argv[1], Path(sys.argv[2])
    hide(extra)
    os.chdir(folder)
    from tastelab import extras
    from tastelab.cli import main as front

    extras.declared = declared  # as an installation of today's project file would have it
    results = []
    for path, words in WORDS.items():
        started = time.process_time()
        out, err, status, raised = io.StringIO(), io.StringIO(), 0, ""
        sys.argv = ["tastelab", *path, *words]
        try:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                front()
        except SystemExit as leaving:
            status = int(leaving.code or 0)
        except BaseException as error:
            raised = f"{type(error).__name__}: {error}"
        results.append(
            {
                "command": " ".join(path),
                "status": status,
                "err": err.getvalue(),
                "raised": raised,
                "seconds": time.process_time() - started,
            }
        )
    sys.stdout.write(json.dumps(results) + "\n")


if __name__ == "__main__":
    main()
