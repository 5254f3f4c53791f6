"""Which tests to run for a line: those that run through it, by coverage; without a map, those beside the module."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from tests.mutation.tree import ROOT, environment

PACKAGES = ("tastelab", "analysis", "experiment", "stimuli", "models")


def beside(file: str) -> list[list[str]]:
    """Tests of the module's own name, then those of its folder; the sessions on the virtual desk are not among them."""
    path = Path(file)
    folder = ROOT / "tests" / path.parent
    own = folder / f"test_{path.stem}.py"
    while not list(folder.glob("test_*.py")) and folder != ROOT / "tests":
        folder = folder.parent
    groups = [[own]] if own.is_file() else []
    groups.append([t for t in sorted(folder.glob("test_*.py")) if t != own])
    return [[str(p.relative_to(ROOT)) for p in g] for g in groups]


@dataclass(frozen=True)
class Lines:
    """Which tests run through which line, and how long each takes (s), on this machine as it is."""

    tests: dict[str, dict[str, list[str]]]
    seconds: dict[str, float]

    def of(self, file: str, line: int) -> list[list[str]]:
        """Groups of tests for a line: those beside the module first."""
        found = self.tests.get(file, {}).get(str(line), [])
        if not found:
            return beside(file)
        mirrored = f"tests/{Path(file).parent}/"
        near = [t for t in found if t.startswith(mirrored)]
        far = [t for t in found if not t.startswith(mirrored)]
        # Much of these runs in processes of its own, which the map does not see.
        apart = beside(file) if file.startswith(("experiment/lab/", "tastelab/")) else []
        return [near, far, *apart]

    def limit(self, tests: list[str]) -> float:
        """How long these may take (s): far longer than they do, so that only a test that runs on for ever is late."""
        usual = sum(
            s
            for test, s in self.seconds.items()
            if any(test == t or test.startswith(f"{t}::") or test.startswith(f"{t}/") for t in tests)
        )
        return 120.0 + 6 * usual


def lines(commit: str) -> Lines:
    """The map of a commit; made once and kept."""
    kept = ROOT / ".pytest_cache" / f"lines-{commit[:12]}.json"
    if not kept.exists():
        kept.parent.mkdir(exist_ok=True)
        tests, seconds = _measured()
        kept.write_text(json.dumps({"tests": tests, "seconds": seconds}), encoding="utf-8")
    return Lines(**json.loads(kept.read_text(encoding="utf-8")))


def _measured() -> tuple[dict[str, dict[str, list[str]]], dict[str, float]]:
    """Run the whole suite but the desk's sessions under coverage: per file and line the tests that run through it.

    A line that runs while a shared fixture is set up is every test's of that file.
    """
    import coverage

    data, log = ROOT / ".pytest_cache" / "coverage", ROOT / ".pytest_cache" / "durations.xml"
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-n",
        "2",
        "--dist",
        "loadfile",
        "-m",
        "not slow and not desk",
        f"--junitxml={log}",
    ]
    command += [*(f"--cov={p}" for p in PACKAGES), "--cov-context=test", "--cov-report=", "-p", "no:cacheprovider"]
    subprocess.run(command, cwd=ROOT, env={**environment(ROOT), "COVERAGE_FILE": os.fspath(data)}, check=False)
    seconds: dict[str, float] = {}
    for case in ElementTree.parse(log).iter("testcase"):
        test = f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name', '').split('[')[0]}"
        seconds[test] = seconds.get(test, 0.0) + float(case.get("time", 0))
    found = coverage.CoverageData(basename=os.fspath(data))
    found.read()
    tests: dict[str, dict[str, list[str]]] = {}
    for name in found.measured_files():
        of_file = tests.setdefault(os.path.relpath(name, ROOT), {})
        for line, contexts in found.contexts_by_lineno(name).items():
            ran = set()
            for context in contexts:
                test, _, phase = context.partition("|")
                if test:
                    ran.add(test.split("[")[0] if phase == "run" else test.split("::")[0])
            whole = {t for t in ran if "::" not in t}
            of_file[str(line)] = sorted(whole | {t for t in ran if t.split("::")[0] not in whole})
    return tests, seconds
