"""PsychoPy's own wide CSV (ExperimentHandler.saveAsWideText): one file a participant, for scripts made for Builder."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from experiment.data.exports.tidy import Tidy, table

HEAD = ("thisN", "thisTrialN", "thisRepN")
TAIL = ("participant", "session", "expName", "psychopyVersion", "language", "kind", "status")
CONDITIONS = ("taste", "first_clip", "second_clip", "first_model")


def files(data: Tidy) -> Iterator[tuple[str, str]]:
    """``NUMBER_STUDY.csv`` per participant: loop counters, conditions, ``item``, ``response``, ``rt``; UTF-8 with BOM."""
    try:
        found = version("psychopy")
    except PackageNotFoundError:
        found = ""
    columns = (
        *(f"trials.{h}" for h in HEAD),
        "block",
        *CONDITIONS,
        "item",
        "slider.response",
        "key_resp.keys",
        "rt",
        *data.more,
    )
    for number, rows in data.by_person():
        lines: list[dict[str, Any]] = []
        for n, row in enumerate(rows):
            lines.append(
                {
                    "trials.thisN": n,
                    "trials.thisTrialN": row["trial"],
                    "trials.thisRepN": 0,
                    "block": row["block"],
                    **{c: row[c] for c in CONDITIONS},
                    "item": row["item"],
                    "slider.response": row["value"],
                    "key_resp.keys": row["choice"],
                    "rt": row["response_time"],
                    **{c: row[c] for c in data.more},
                    "participant": number,
                    "session": "001",
                    "expName": data.study,
                    "psychopyVersion": found,
                    **{c: row[c] for c in ("language", "kind", "status")},
                }
            )
        yield f"{number:03d}_{data.study}.csv", table(lines, (*columns, *TAIL))
