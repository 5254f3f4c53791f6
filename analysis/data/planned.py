"""How much a study asks of a person, as its definition in the database says."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Planned:
    """How many choices, rated clips and items a person was to answer, and the scale of ratings; None where the study does not say.

    Of several tasks of a kind choices and clips are added up, items are of the shortest, the scale is the first one's.
    """

    choices: int | None = None
    clips: int | None = None
    items: int | None = None
    scale: tuple[float, float] | None = None


def planned(definition: dict[str, Any]) -> Planned:
    """What a study's definition, as the database keeps it, asks of a person."""
    experiment = definition.get("experiment") or {}
    declared = experiment.get("tasks") or []
    choices, ratings = (
        [t for t in [experiment.get(kind) or {}, *(t for t in declared if t.get("kind") == kind)] if t]
        for kind in ("preference", "ratings")
    )
    items = [len(task.get("adjectives") or task.get("items") or []) for task in ratings]
    ends = [(float(t["low"]), float(t["high"])) for t in ratings if None not in (t.get("low"), t.get("high"))]
    return Planned(
        _sum(t.get("trials") for t in choices), _sum(t.get("clips") for t in ratings),
        min((n for n in items if n), default=None), ends[0] if ends else None,
    )  # fmt: skip


def _sum(counts: Iterable[int | None]) -> int | None:
    """Of all tasks; None where one does not say, or there is none."""
    known = list(counts)
    return None if not known or None in known else sum(n for n in known if n is not None)
