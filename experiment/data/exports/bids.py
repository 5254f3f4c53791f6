"""BIDS 1.10, behavioural data without other modalities: one beh.tsv a participant and block; a sidecar a block holds for all.

Where nobody answered there is no participants.tsv: a table without a participant is none by the standard.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from itertools import count
from typing import Any

from experiment.data.exports.tidy import MEANINGS, UNITS, Tidy, dump, table

PEOPLE = {
    "kind": MEANINGS["kind"],
    "status": MEANINGS["status"],
    "language": MEANINGS["language"],
    "age_band": "age in years, in bands",
    "sex": "answer to the question for one's sex",
}
OMITTED = ("participant", "kind", "status", "language", "block")


def files(data: Tidy) -> Iterator[tuple[str, str]]:
    """Texts by path of a BIDS dataset: description, participants, and per participant and block a table."""
    columns = tuple(c for c in data.columns if c not in OMITTED)
    sidecar = {c: {"Description": data.meanings[c], **({"Units": UNITS[c]} if c in UNITS else {})} for c in columns}
    people: list[dict[str, Any]] = []
    tasks: dict[str, str] = {}  # by block
    for number, rows in data.by_person():
        answers = {r["item"]: r["choice"] for r in rows if r["block"] == "demographics"}
        people.append(
            {
                "participant_id": f"sub-{number:03d}",
                **{k: rows[0][k] for k in ("kind", "status", "language")},
                "age_band": answers.get("age"),
                "sex": answers.get("sex"),
            }
        )
        for block in dict.fromkeys(r["block"] for r in rows):
            task = tasks.setdefault(block, _label(block, tasks.values()))
            name = f"sub-{number:03d}/beh/sub-{number:03d}_task-{task}_beh.tsv"
            yield name, table([r for r in rows if r["block"] == block], columns, "\t")
    for block, task in tasks.items():
        yield f"task-{task}_beh.json", dump({"TaskName": block, **sidecar})
    if people:
        yield "participants.tsv", table(people, ("participant_id", *PEOPLE), "\t")
        yield "participants.json", dump({k: {"Description": v} for k, v in PEOPLE.items()})
    told = dump(
        {
            "Name": data.title,
            "BIDSVersion": "1.10.0",
            "DatasetType": "raw",
            "License": "n/a",
            "GeneratedBy": [{"Name": "tastelab"}],
        }
    )
    yield "dataset_description.json", told
    yield "README", f"{data.title}\n\nAnswers of listening sessions, exported by tastelab; no codes, ages in bands.\n"


def _label(block: str, taken: Collection[str]) -> str:
    """A block's name in letters and digits, as BIDS wants it: of its own, where another's comes to the same (``part_1``, ``part1``)."""
    plain = re.sub(r"[^a-zA-Z0-9]", "", block)
    return next(x for n in count(1) if (x := plain if n == 1 else f"{plain}x{n}") not in taken)
