"""Names of ours that mean somebody else's file: a `models.py` where a command is started hides the package `models`."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

NAMES = ("analysis", "experiment", "models", "stimuli")


def clash() -> str | None:
    """Say in one line which of our packages is hidden by which file, and what to do; none where all are ours.

    The packages stand beside `tastelab` wherever it is installed; anything else that goes by their name is foreign.
    """
    home = Path(__file__).resolve().parent.parent
    for name in NAMES:
        found = find_spec(name)
        if found is None:
            return f"its package {name!r} is missing from {home}; install tastelab again"
        place = Path(str(found.origin)).resolve()
        if place != home / name / "__init__.py":
            return (
                f"{place} hides tastelab's own package {name!r}; rename it, or start tastelab from another folder "
                f"(tastelab's is {home / name})"
            )
    return None
