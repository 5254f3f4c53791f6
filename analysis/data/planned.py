"""How much a study asks of a person, as its definition in the database says."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Planned:
    """How many choices, rated clips and items a person was to answer, and the scale of ratings; None where the study does not say."""

    choices: int | None = None
    clips: int | None = None
    items: int | None = None
    scale: tuple[float, float] | None = None


def planned(definition: dict[str, Any]) -> Planned:
    """What a study's definition, as the database keeps it, asks of a person."""
    experiment = definition.get("experiment") or {}
    tasks = {name: experiment.get(name) or {} for name in ("preference", "ratings")}
    for task in experiment.get("tasks") or []:
        tasks[task.get("kind", "")] = task
    choices, ratings = tasks["preference"], tasks["ratings"]
    items = ratings.get("adjectives") or ratings.get("items") or []
    low, high = ratings.get("low"), ratings.get("high")
    scale = None if low is None or high is None else (float(low), float(high))
    return Planned(choices.get("trials"), ratings.get("clips"), len(items) or None, scale)
