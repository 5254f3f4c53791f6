"""The house: where code may live, what it may be called, and who may know whom. Contracts of imports stand in pyproject.toml."""

from __future__ import annotations

import ast
import subprocess
import sys
import tomllib
from collections import defaultdict
from pathlib import Path

import pytest

from tests.conftest import ROOT

PACKAGES = ("tastelab", "analysis", "experiment", "stimuli", "models")

# A file name that stands in several rooms has one meaning in all of them.
MEANINGS = {
    "build": "puts one thing together from its parts and writes it: a report, a corpus",
    "captions": "true words for rendered clips, worded in many ways",
    "captioner": "a captioner read from trained weights",
    "config": "the floor's table of the study file",
    "errors": "the floor's kind of user's mistake",
    "figures": "figures of the room's section",
    "generate": "music from text",
    "paper": "the seed paper's own analysis of the room's subject",
    "section": "the room's part of the report",
    "study": "a whole study: its file, its command",
    "train": "training of the captioner in this room",
    "write": "what was worked out, as files for others to read",
}


def sources() -> list[Path]:
    return [p.relative_to(ROOT) for name in PACKAGES for p in sorted((ROOT / name).rglob("*.py"))]


def module(path: Path) -> str:
    parts = path.with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path: Path, known: set[str]) -> set[str]:
    """Modules of ours that a file imports: at its top, inside functions, for types alone."""
    found = set()
    for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative imports hide where a thing lives"
            name = str(node.module)
            found |= {f"{name}.{alias.name}" if f"{name}.{alias.name}" in known else name for alias in node.names}
    return found & known


def circles(arrows: dict[str, set[str]]) -> list[list[str]]:
    """Groups of modules that reach one another (Tarjan's strongly connected components of two and more)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found = []

    def visit(at: str) -> None:
        index[at] = low[at] = len(index)
        stack.append(at)
        for to in sorted(arrows[at]):
            if to not in index:
                visit(to)
                low[at] = min(low[at], low[to])
            elif to in stack:
                low[at] = min(low[at], index[to])
        if low[at] == index[at]:
            cut = stack.index(at)
            group = sorted(stack[cut:])
            del stack[cut:]
            if len(group) > 1 or at in arrows[at]:
                found.append(group)

    for at in sorted(arrows):
        if at not in index:
            visit(at)
    return found


def test_circles_are_found_where_there_are_some() -> None:
    arrows = {"a": {"b"}, "b": {"c"}, "c": {"b", "d"}, "d": set(), "e": {"e"}}
    assert circles(arrows) == [["b", "c"], ["e"]]
    assert circles({"a": {"b", "c"}, "b": {"d"}, "c": {"d"}, "d": set()}) == []


def test_no_circle_between_files() -> None:
    files = {module(p): p for p in sources()}
    assert len(files) > 150
    arrows = {name: imported(path, set(files)) for name, path in files.items()}
    assert sum(map(len, arrows.values())) > 400
    assert circles(arrows) == []


def repeated(paths: list[Path]) -> dict[str, list[str]]:
    """File names that stand in more than one room, with their places."""
    rooms: dict[str, list[str]] = defaultdict(list)
    for path in paths:
        if path.stem != "__init__":
            rooms[path.stem].append(str(path))
    return {stem: places for stem, places in rooms.items() if len(places) > 1}


def nameless(paths: list[Path]) -> list[str]:
    """Files and rooms whose name says nothing of their subject."""
    empty = {"utils", "util", "helpers", "helper", "common", "core", "misc"}
    return [str(p) for p in paths if empty & {p.stem, *p.parent.parts}]


def test_one_file_name_has_one_meaning() -> None:
    found = repeated(sources())
    unexplained = {stem: places for stem, places in found.items() if stem not in MEANINGS}
    assert unexplained == {}, "rename one, or say in MEANINGS what the name means in all of them"
    assert sorted(set(MEANINGS) - set(found)) == [], "these stand once now: take them out of MEANINGS"


def test_no_room_is_called_after_nothing() -> None:
    assert nameless(sources()) == []


def test_bad_names_are_seen() -> None:
    paths = [Path(p) for p in ("a/sound.py", "a/lab/sound.py", "a/__init__.py", "a/lab/__init__.py", "a/utils/x.py",
                               "a/lab/helpers.py", "a/core.py", "a/common/__init__.py", "a/corea.py")]  # fmt: skip
    assert repeated(paths) == {"sound": ["a/sound.py", "a/lab/sound.py"]}
    assert nameless(paths) == ["a/utils/x.py", "a/lab/helpers.py", "a/core.py", "a/common/__init__.py"]


def test_files_have_one_subject_s_length() -> None:
    long = {str(p): n for p in sources() if (n := len((ROOT / p).read_text(encoding="utf-8").splitlines())) > 420}
    assert long == {}


def test_tests_mirror_the_packages() -> None:
    """A folder of tests under a package's name is a room of that package."""
    for name in PACKAGES:
        for folder in (p for p in (ROOT / "tests" / name).rglob("*") if p.is_dir() and p.name != "__pycache__"):
            room = folder.relative_to(ROOT / "tests")
            assert not list(folder.glob("test_*.py")) or (ROOT / room).is_dir(), f"tests/{room} mirrors nothing"


def contracts() -> list[dict[str, object]]:
    found: list[dict[str, object]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"][
        "contracts"
    ]
    return found


def test_the_contracts_are_kept() -> None:
    done = subprocess.run([Path(sys.executable).with_name("lint-imports")], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:]
    assert f"Contracts: {len(contracts())} kept, 0 broken." in done.stdout


def test_every_room_stands_in_a_contract() -> None:
    """An exhaustive layers contract for each package: a new room has to say where it stands."""
    layered = {str(c["containers"][0]): c for c in contracts() if "containers" in c}  # type: ignore[index]
    assert set(layered) == set(PACKAGES)
    assert all(c["exhaustive"] is True for c in layered.values())


BOOTH = """
import importlib, pkgutil, sys
import experiment
for found in pkgutil.walk_packages(experiment.__path__, "experiment."):
    if ".migrations" not in found.name {condition}:
        importlib.import_module(found.name)
print(sorted({heavy} & set(sys.modules)))
"""


@pytest.mark.parametrize(
    ("condition", "heavy"),
    [
        ("", {"torch", "transformers", "audiocraft", "peft", "analysis", "tastelab"}),
        ("and '.lab' not in found.name", {"psychopy", "psychtoolbox", "sounddevice", "PIL", "torch", "pandas"}),
    ],
)
def test_a_booth_loads_no_network_and_bots_no_screen(condition: str, heavy: set[str]) -> None:
    """By really importing every module, whatever the contracts see."""
    code = BOOTH.format(condition=condition, heavy=heavy)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
