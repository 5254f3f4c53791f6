"""Psych-DS 1.0 (psych-ds.github.io): tidy CSV under data/, described by dataset_description.json in schema.org's words."""

from __future__ import annotations

import re
from collections.abc import Iterator

from experiment.data.exports.tidy import NUMBERS, UNITS, Tidy, dump, table


def files(data: Tidy) -> Iterator[tuple[str, str]]:
    """One data file a participant, named by keywords; every column is declared in ``variableMeasured``."""
    label = re.sub(r"[^a-zA-Z0-9]", "", data.study)
    for number, rows in data.by_person():
        yield f"data/study-{label}_subject-{number:03d}_data.csv", table(rows, data.columns)
    if not data.participants:  # a dataset has a data file, even one that nobody answered yet
        yield f"data/study-{label}_data.csv", table([], data.columns)
    told = dump(
        {
            "@context": "https://schema.org",
            "@type": "Dataset",
            "name": data.study,
            "description": f"{data.title}: one row an answer; ages in bands, special-category answers left out.",
            "schemaVersion": "Psych-DS 1.0.0",
            "variableMeasured": [
                {
                    "@type": "PropertyValue",
                    "name": name,
                    "description": data.meanings[name],
                    **({"unitText": UNITS[name]} if name in UNITS else {}),
                    "valueType": "number" if name in NUMBERS else "string",
                }
                for name in data.columns
            ],
        }
    )
    yield "dataset_description.json", told
    yield "README.md", f"# {data.title}\n\nPsych-DS dataset; columns are described in dataset_description.json.\n"
    yield "CHANGES.md", "# Changes\n\nExported from participants.db; export again after a withdrawal.\n"
