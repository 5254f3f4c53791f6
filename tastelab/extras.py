"""A module that is not installed, as one line: which extra of tastelab has it, and how that is installed."""

from __future__ import annotations

import re
import sys

# A module is mostly called as its package; these are not.
PACKAGES = {"sklearn": "scikit-learn", "PIL": "pillow", "yaml": "pyyaml"}
# What the commands of a room stand on, where several extras have a module, or none by itself.
ROOMS = {
    "study": "all",
    "stimuli": "models",
    "models": "models",
    "experiment": "lab",
    "analysis": "analysis",
    "doctor": "lab",
}
USUAL = "lab"
APART = ("audiocraft", "omegaconf")  # their own pins fit no resolver: scripts/setup.sh installs them


def missing(module: str, room: str | None) -> str | None:
    """Say what to install so that a module is there for the commands of a room; None of a module that is none of ours to name."""
    name = module.partition(".")[0]
    if name in APART:
        return (
            "this needs audiocraft, which no extra has, since its pins fit nothing else: scripts/setup.sh of the repository installs it; "
            "engine = \"transformers\" needs none"
        )  # fmt: skip
    if name in sys.stdlib_module_names or name in ("analysis", "experiment", "models", "stimuli", "tastelab"):
        return None
    usual = ROOMS.get(room or "", USUAL)
    having = extras_with(PACKAGES.get(name, name))
    extra = usual if usual == "all" or not having or usual in having else having[0]
    return f'this needs {name}, which is not installed here: pip install "tastelab[{extra}]"'


def extras_with(package: str) -> list[str]:
    """The extras that name a package, in the order in which they are declared."""
    found = []
    for line in declared():
        named, _, marker = line.partition(";")
        extra = re.search(r"extra\s*==\s*['\"]([\w-]+)['\"]", marker)
        if extra and _plain(re.split(r"[\s<>=!~\[(]", named.strip(), maxsplit=1)[0]) == _plain(package):
            found.append(extra[1])
    return [x for x in found if x not in ("all", "dev")]


def declared() -> list[str]:
    """What the installed tastelab requires, extras and all."""
    from importlib.metadata import PackageNotFoundError, requires

    try:
        return requires("tastelab") or []
    except PackageNotFoundError:
        return []


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
