"""The rules of Psych-DS 1.0 of level "error", as its schema (psych-ds/psych-DS, schema_model) writes them down."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

NAME = re.compile(r"([a-z]+-[a-zA-Z0-9]+)(_[a-z]+-[a-zA-Z0-9]+)*_data\.(csv|tsv)")
# Its vocabulary (objects/common_principles); others only bring a warning.
KEYWORDS = {"study", "site", "subject", "session", "task", "condition", "trial", "stimulus", "description"}
REQUIRED = ("name", "description", "variableMeasured")


def problems(folder: Path) -> list[str]:
    """What of a dataset is an error, or a keyword of no standing; empty where it is valid."""
    found = []
    try:
        told = json.loads((folder / "dataset_description.json").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ["MISSING_DATASET_DESCRIPTION"]
    except ValueError:
        return ["INVALID_JSON_FORMATTING"]
    if re.sub("^http:", "https:", str(told.get("@context")).rstrip("/")) != "https://schema.org":
        found.append("INVALID_JSONLD_FORMATTING")
    found += [f"JSON_KEY_REQUIRED {key}" for key in REQUIRED if not told.get(key)]
    if told.get("@type") != "Dataset":
        found.append("INCORRECT_DATASET_TYPE")
    declared = {v["name"] if isinstance(v, dict) else v for v in told.get("variableMeasured", [])}
    files = sorted(p for p in (folder / "data").rglob("*") if p.suffix in (".csv", ".tsv"))
    if not files:
        found.append("MISSING_DATAFILE")
    columns: set[str] = set()
    for path in files:
        if NAME.fullmatch(path.name) is None:
            found.append(f"FILENAME_KEYWORD_FORMATTING_ERROR {path.name}")
        strange = {pair.split("-")[0] for pair in path.name.split("_")[:-1]} - KEYWORDS
        found += [f"FILENAME_UNOFFICIAL_KEYWORD {key}" for key in sorted(strange)]
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.reader(file, delimiter="," if path.suffix == ".csv" else "\t", strict=True))
        if not rows or not any(rows[0]):
            found.append(f"CSV_HEADER_MISSING {path.name}")
            continue
        head = rows[0]
        if len(set(head)) < len(head):
            found.append(f"CSV_HEADER_REPEATED {path.name}")
        if any(len(row) != len(head) for row in rows):
            found.append(f"CSV_HEADER_LENGTH_MISMATCH {path.name}")
        if "row_id" in head and len({row[head.index("row_id")] for row in rows}) < len(rows):
            found.append(f"ROWID_VALUES_NOT_UNIQUE {path.name}")
        columns |= set(head)
    found += [f"CSV_COLUMN_MISSING_FROM_METADATA {c}" for c in sorted(columns - declared)]
    return found + [f"VARIABLE_MISSING_FROM_CSV_COLUMNS {c}" for c in sorted(declared - columns)]
