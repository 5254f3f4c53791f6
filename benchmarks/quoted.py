"""docs/evidence.md from docs/evidence/claims.toml and the measured files beside it: ``python -m benchmarks.quoted``.

A claim is a sentence of what was measured and a figure with places to fill: ``{taste > nano-base: word > accuracy | %0}`` is a number
of docs/evidence/taste.json, times 100 and without decimals; ``{music > generated > fad | .1f | ci}`` adds the interval that stands
beside it (``ci_low``, ``ci_high``; ``low``, ``high``). No digit of a measured figure is written by hand.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
import tomllib
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks.freshness import MEASURES, changed

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "evidence"
PAGE = FOLDER.parent / "evidence.md"
PLACE = re.compile(r"\{([^{}|]+)\|([^{}|]+)(?:\|\s*ci\s*)?\}")
SUMS = "SHA256SUMS"
SINCE = ", its code changed since"  # of a figure that is no longer of today's code
INTERVALS = (("ci_low", "ci_high"), ("low", "high"))


@lru_cache
def measured(name: str, folder: Path = FOLDER) -> Any:
    """A file of measurements.

    Raises
    ------
    KeyError
        If there is none of that name: then the claim has nothing to stand on.
    """
    path = folder / f"{name}.json"
    if not path.exists():
        raise KeyError(f"{path.name} is not there")
    return json.loads(path.read_text(encoding="utf-8"))


def found(place: str, folder: Path = FOLDER) -> Any:
    """What stands at a place: ``file > key > key``; rows of a list by number."""
    name, *keys = (part.strip() for part in place.split(">"))
    value = measured(name, folder)
    for key in keys:
        value = value[int(key)] if isinstance(value, list) else value[key]
    return value


def written(value: Any, form: str) -> str:
    """A value as a figure: ``%0`` in hundredths, ``len`` how many there are, ``.2r`` a correlation without its nought, otherwise as
    `format` writes it.
    """
    form = form.strip()
    if form.endswith("r"):
        return re.sub(r"^(-?)0\.", r"\1.", format(value, f"{form[:-1]}f"))
    if form == "len":
        return str(len(value))
    return f"{100 * value:.{form[1:]}f}" if form.startswith("%") else format(value, form)


def filled(text: str, folder: Path = FOLDER) -> str:
    """A text with every place filled."""

    def put(match: re.Match[str]) -> str:
        place, form = match[1], match[2]
        shown = written(found(place, folder), form)
        if not re.search(r"\|\s*ci\s*\}$", match[0]):
            return shown
        beside = found(place.rpartition(">")[0], folder)
        low, high = next(pair for pair in INTERVALS if pair[0] in beside)
        return f"{shown} [{written(beside[low], form)}, {written(beside[high], form)}]"

    return PLACE.sub(put, text)


def names(text: str) -> list[str]:
    """The files that a text quotes."""
    return list(dict.fromkeys(match[1].partition(">")[0].strip() for match in PLACE.finditer(text)))


def told(name: str, folder: Path = FOLDER) -> str:
    """Where a figure comes from: file, and by which code and when it was measured, where the file says so, and whether that is
    today's code still (of a commit that is not in this history nothing is said)."""
    by = measured(name, folder).get("measured", {})
    commit = by.get("commit") or measured(name, folder).get("commit")
    where = f"[{name}.json](evidence/{name}.json)"
    since = SINCE if commit and changed(str(commit).partition(",")[0], MEASURES.get(name, ())) else ""
    return f"{where} ({', '.join(filter(None, [str(commit)[:7] if commit else 'older code', by.get('date')]))}{since})"


def page(folder: Path = FOLDER) -> str:
    """The whole page."""
    listed = tomllib.loads((folder / "claims.toml").read_text(encoding="utf-8"))
    lines = [f"# {listed['title']}", "", listed["about"].strip(), ""]
    for part in listed["part"]:
        lines += [f"## {part['name']}", ""]
        if "about" in part:
            lines += [filled(part["about"].strip(), folder), ""]
        rows = part.get("claim", [])
        if rows:
            lines += ["| what | figure | from |", "|---|---|---|"]
        for row in rows:
            source = "; ".join(told(name, folder) for name in names(row["figure"])) or row["read"]
            lines.append(f"| {filled(row['what'], folder)} | {filled(row['figure'], folder)} | {source} |")
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def front(folder: Path = FOLDER) -> list[str]:
    """What README says of measured figures, with every place filled."""
    listed = tomllib.loads((folder / "claims.toml").read_text(encoding="utf-8"))
    return [filled(says, folder) for says in listed["front"]]


def sums(folder: Path = FOLDER) -> str:
    """SHA-256 of every measured file, as sha256sum writes them."""
    files = sorted(folder.glob("*.json"))
    return "".join(f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.name}\n" for path in files)


def main() -> None:
    """Write the page and the sums."""
    PAGE.write_text(page(), encoding="utf-8")
    (FOLDER / SUMS).write_text(sums(), encoding="utf-8")
    sys.stdout.write(f"{PAGE.name} and {SUMS} written\n")


if __name__ == "__main__":
    main()
