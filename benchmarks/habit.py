"""Do people who name one taste by habit make a taste found: errors at 5 % of the test of naming, a taste at a time.

Nobody hears anything: an answer is "sweet" by habit, else any of the four tastes; people differ in how often they fall back on
the habit, and clips in how much they sound of sweet whatever was asked. Where a share lies over `OVER`, the largest of sixteen is
taken by chance too: its cell is repeated with `AGAIN` fresh studies. Run: python -m benchmarks.evidence habit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

STUDIES, ALPHA = 600, 0.05
AGAIN, OVER = 2000, 0.06
TASTES = ("bitter", "salty", "sour", "sweet")


@dataclass(frozen=True)
class Cell:
    """People, clips a taste, the habit's share, and standard deviations (log odds of the habit) of people and clips."""

    people: int
    clips: int
    habit: float
    people_sd: float = 0.0
    clips_sd: float = 0.0


CELLS = {
    "half of the answers": Cell(24, 5, 0.5), "nine of ten": Cell(24, 5, 0.9),
    "half, people and clips differ": Cell(24, 5, 0.5, 1.0, 0.8), "seven of ten, many clips": Cell(16, 12, 0.7, 1.0, 0.8),
}  # fmt: skip


def answered(cell: Cell, rng: np.random.Generator) -> Any:
    """One study's answers: every person hears every clip once."""
    import pandas as pd

    clips = len(TASTES) * cell.clips
    who, clip = np.repeat(np.arange(cell.people), clips), np.tile(np.arange(clips), cell.people)
    base = np.log(cell.habit / (1 - cell.habit))
    odds = base + cell.people_sd * rng.normal(size=cell.people)[who] + cell.clips_sd * rng.normal(size=clips)[clip]
    habit = rng.random(len(who)) < 1 / (1 + np.exp(-odds))
    said = np.where(habit, "sweet", np.array(TASTES)[rng.integers(0, 4, len(who))])
    asked = np.array(TASTES)[clip // cell.clips]
    return pd.DataFrame(
        {"participant": who, "clip": clip.astype(str), "asked": asked, "answered": said, "condition": "one"}
    )


def habit(studies: int = STUDIES, cells: dict[str, Cell] | None = None, again: int = AGAIN) -> dict[str, Any]:
    """Share of studies in which each taste is found at 5 %, with Wilson's interval; studies without a result count as not found."""
    rows, repeated = [], []
    for place, (name, cell) in enumerate((cells or CELLS).items()):
        rows += (found := _errors(name, cell, studies, (17, place)))
        if max(row["errors"] for row in found) > OVER:
            repeated += _errors(name, cell, again, (99, place))
    return {"rows": rows, "again": repeated}


def _errors(name: str, cell: Cell, studies: int, seed: tuple[int, int]) -> list[dict[str, Any]]:
    from scipy.stats import binomtest

    from analysis.engines.threads import one_thread
    from analysis.identification.naming import naming

    found, none = dict.fromkeys(TASTES, 0), dict.fromkeys(TASTES, 0)
    with one_thread():
        for k in range(studies):
            for row in naming(answered(cell, np.random.default_rng([*seed, k]))):
                found[row["taste"]] += row["p"] is not None and row["p"] < ALPHA
                none[row["taste"]] += row["p"] is None
    rows = []
    for taste in TASTES:
        ends = binomtest(found[taste], studies).proportion_ci(method="wilson")
        rows.append(
            {
                "cell": name, "taste": taste, "studies": studies, "errors": found[taste] / studies, "ci_low": float(ends.low),
                "ci_high": float(ends.high), "without_result": none[taste],
            }
        )  # fmt: skip
        print(rows[-1], flush=True)
    return rows
