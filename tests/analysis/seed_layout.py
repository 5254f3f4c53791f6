"""Survey files in the seed study's layout (PsyToolkit's wide CSV), written without any code of tastelab's."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

TASTES = ("salty", "sweet", "bitter", "sour")
DEMOGRAPHICS = ("anagrafica_1", "age_1", "hearing_experience_1", "eating_experience_1")
CHOICES = tuple(f"task1_{k}_1" for k in range(1, 6))
RATINGS = tuple(f"task_2_{j}_{i}" for j in range(1, 4) for i in range(1, 13))


def person(name: str, rng: np.random.Generator, without: tuple[str, ...] = (), **given: Any) -> dict[str, Any]:
    """One row of a person who answered all but the columns named `without`; `given` columns hold these values."""
    row: dict[str, Any] = {"participant": name}
    row |= {f"random_number_{k}_1": int(rng.integers(25)) for k in (1, 4, 5)}
    row |= {
        "anagrafica_1": int(rng.integers(1, 3)), "age_1": int(rng.integers(19, 76)),
        "hearing_experience_1": int(rng.integers(1, 4)), "eating_experience_1": int(rng.integers(2, 4)),
    }  # fmt: skip
    tastes = [*rng.permutation(TASTES), rng.choice(TASTES)]
    for k, taste in enumerate(tastes, start=1):
        row[f"random_taste_label_{k}_1"] = str(taste)
        row[f"rng_model_label_{k}_1"] = str(rng.choice(["base", "finetuned"]))
        row[f"task1_{k}_1"] = int(rng.integers(0, 11))
    lean = rng.normal(0, 0.5)
    for column in RATINGS:
        row[column] = int(np.clip(round(3 + lean + rng.normal(0, 1.1)), 1, 5))
    return row | dict.fromkeys(without, "") | given


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write the rows as a survey file."""
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    return path
