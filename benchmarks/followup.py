"""What README says of real people: the follow-up study's published data, imported and compared with their targets by the command line.

The data are not the project's to ship: they lie where TASTELAB_REFERENCE_DATA says, as their authors published them
(`followup-study/data.csv`, `target_vectors.xlsx`).
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
STUDY = ROOT / "studies" / "five-tastes.toml"
LEVELS = (".001", ".01", ".05")  # as p is written where it is below one of them


def tastelab(*words: str) -> str:
    """What a command says."""
    command = [sys.executable, "-m", "tastelab.cli", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def followup() -> dict[str, Any]:
    """People, tracks, whether ratings lie nearer to their own targets, correlations word by word, tracks nearest to their own."""
    there = os.environ.get("TASTELAB_REFERENCE_DATA")
    if not there:
        sys.exit("followup: TASTELAB_REFERENCE_DATA does not say where the follow-up study's published data lie")
    data = Path(there) / "followup-study"
    with tempfile.TemporaryDirectory() as folder:
        own = ("--study", str(STUDY), "--db", f"sqlite:///{folder}/followup.db")
        said = tastelab("experiment", "import", "psytoolkit", str(data / "data.csv"), *own)
        found = json.loads(
            tastelab("analysis", "agreement", "--targets", str(data / "target_vectors.xlsx"), "--json", *own)
        )
    people = re.match(r"(\d+) people imported with (\d+) answers", said)
    if people is None:
        raise RuntimeError(f"the import said: {said}")
    return {"people": int(people[1]), "answers": int(people[2]), **told(found["tables"])}


def told(tables: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The figures of the tables of `tastelab analysis agreement`."""
    test = next(row for row in tables["tests"] if row["test"] == "permutation")
    r = [row["r"] for row in tables["correlations"]]
    return {
        "tracks": test["n"],
        "nearer": {"p": test["p"], "below": next((f"< {a}" for a in LEVELS if test["p"] < float(a)), "not below .05")},
        "word_by_word": {"least": min(r), "most": max(r)},
        "nearest_to_their_own": sum(row["rank"] == 1 for row in tables["vectors"]),
    }
